//! Making load and counting what came back. Any answer but the expected one makes the measurement an error: a server that fails
//! fast is not fast.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::apache::{Apache, FILE_SIZE};
use super::{Scenario, cpu};
use crate::run;

/// One measurement of one server.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Answers per second.
    pub rate: f64,
    /// CPU time of all of the server's processes per answer, in microseconds.
    pub cpu: f64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}/s, {:.0} µs CPU", self.rate, self.cpu)
    }
}

/// Loads the server for `time`.
pub fn sample(scenario: Scenario, server: &Apache, time: Duration) -> Result<Sample> {
    let before = cpu::of_tree(server.pid())?;
    let start = Instant::now();
    let answers = match scenario {
        Scenario::Hello => wrk(server.address, scenario.path(), time),
        Scenario::File => downloads(server.address, scenario.path(), time),
    };
    let answers = answers.with_context(|| {
        format!("measuring {} with the {scenario}, whose log ends with:\n{}", server.name, server.log_end())
    })?;
    let took = start.elapsed();
    let used = cpu::of_tree(server.pid())?.saturating_sub(before);
    Ok(Sample { rate: answers / took.as_secs_f64(), cpu: used.as_secs_f64() * 1e6 / answers })
}

/// Whether the hello world is there.
pub fn answers(address: SocketAddr) -> bool {
    fetch(address, Scenario::Hello.path()).is_ok()
}

/// `wrk -t1 -c32`: the number of answers.
fn wrk(address: SocketAddr, path: &str, time: Duration) -> Result<f64> {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "-c32"])
        .arg(format!("-d{}s", time.as_secs()))
        .arg(format!("http://{address}{path}"));
    let text = run::output(&mut command)?;
    for line in text.lines() {
        if line.contains("Non-2xx") || line.contains("Socket errors") {
            bail!("wrk saw failures: {}", line.trim());
        }
    }
    let count = text.lines().find_map(|line| line.trim().split_once(" requests in ")).map(|(count, _)| count);
    count.and_then(|c| c.parse().ok()).context("wrk did not say how many requests it made")
}

/// Downloads one after the other on one connection until the time is up; whole ones only.
fn downloads(address: SocketAddr, path: &str, time: Duration) -> Result<f64> {
    let limit = Instant::now() + time;
    let mut stream = BufReader::with_capacity(1 << 20, TcpStream::connect(address)?);
    let mut count = 0.0;
    while Instant::now() < limit {
        let size = get(&mut stream, address, path)?;
        if size != FILE_SIZE {
            bail!("the download has {size} bytes instead of {FILE_SIZE}");
        }
        count += 1.0;
    }
    Ok(count)
}

fn fetch(address: SocketAddr, path: &str) -> Result<u64> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    get(&mut BufReader::new(stream), address, path)
}

/// One GET on a connection that stays open; returns the length of the body, which is read and dropped.
fn get(stream: &mut BufReader<TcpStream>, address: SocketAddr, path: &str) -> Result<u64> {
    // In one write: the kernel would keep the second of two small ones back until the first is acknowledged, 40 ms later.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        bail!("GET {path} was answered with \"{}\"", line.trim().escape_debug());
    }
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let length = length.context("the answer has no Content-Length")?;
    let mut left = length;
    let mut block = vec![0; 1 << 20];
    while left > 0 {
        let want = usize::try_from(left).map_or(block.len(), |l| l.min(block.len()));
        let got = stream.read(&mut block[..want])?;
        if got == 0 {
            bail!("the body ended {left} bytes early");
        }
        left -= u64::try_from(got)?;
    }
    Ok(length)
}
