//! Small requests over HTTP/1.1, by wrk.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Seen, seconds};
use crate::bench::cases::{Case, Transport, Work};
use crate::run;

/// One thread, so that it is plain when the client is at its limit: then it uses all of one core.
const THREADS: &str = "-t1";

/// Runs wrk.
pub fn run(case: &Case, target: &str, address: SocketAddr, time: Duration, folder: &Path) -> Result<Seen> {
    let scheme = if case.transport == Transport::Https { "https" } else { "http" };
    let mut wrk = Command::new("wrk");
    wrk.args([THREADS, &format!("-c{}", case.connections), &format!("-d{}s", time.as_secs().max(1))]);
    if case.transport == Transport::HttpOnce {
        wrk.args(["-H", "Connection: close"]);
    }
    if case.work == Work::Document {
        let script = folder.join("post.lua");
        std::fs::write(&script, lua(&super::document()))?;
        wrk.arg("-s").arg(script);
    }
    wrk.arg(format!("{scheme}://{address}{target}"));
    parse(&run::output(&mut wrk)?)
}

fn lua(body: &str) -> String {
    format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = [==[{body}]==]\n"
    )
}

/// Reads `  N requests in T, ...`.
fn parse(text: &str) -> Result<Seen> {
    for line in text.lines() {
        if line.contains("Non-2xx") || line.contains("Socket errors") {
            bail!("wrk saw failures: {}", line.trim());
        }
    }
    let found = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let (count, rest) = found.context("wrk did not say how many requests it made")?;
    let time = rest.split(',').next().unwrap_or_default();
    Ok(Seen {
        answers: count.parse()?,
        time: seconds(time).with_context(|| format!("wrk says it took {time:?}"))?,
        application: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_wrk_is_read() {
        let seen =
            parse("Running 1s test\n  40123 requests in 1.10s, 6.12MB read\nRequests/sec: 1\n").unwrap();
        assert!((seen.answers - 40123.0).abs() < f64::EPSILON);
        assert_eq!(seen.time, Duration::from_millis(1100));
    }

    #[test]
    fn failures_are_no_answers() {
        let error = parse("  5 requests in 1s\n  Non-2xx or 3xx responses: 3\n").unwrap_err().to_string();
        assert!(error.contains("Non-2xx or 3xx responses: 3"), "{error}");
    }
}
