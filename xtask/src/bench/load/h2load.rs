//! Small requests over HTTP/2 without TLS, by h2load: one stream at a time on each connection, as wrk does it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Seen, seconds};
use crate::bench::cases::Case;
use crate::run;

/// Runs h2load.
pub fn run(case: &Case, target: &str, address: SocketAddr, time: Duration) -> Result<Seen> {
    let mut h2load = Command::new("h2load");
    h2load.args([format!("-c{}", case.connections), "-m1".to_owned(), "-t1".to_owned()]);
    h2load.args(["-D".to_owned(), time.as_secs().max(1).to_string(), format!("http://{address}{target}")]);
    parse(&run::output(&mut h2load)?)
}

/// Reads `finished in T, ...` and `status codes: N 2xx, ...`.
fn parse(text: &str) -> Result<Seen> {
    let finished = text.lines().find_map(|line| line.strip_prefix("finished in "));
    let time = finished.and_then(|line| seconds(line.split(',').next()?));
    let time = time.with_context(|| format!("h2load did not say how long it took, but: {}", text.trim()))?;
    let codes = text.lines().find_map(|line| line.strip_prefix("status codes: "));
    let codes: Vec<f64> = codes
        .context("h2load did not count status codes")?
        .split(", ")
        .filter_map(|part| part.split(' ').next()?.parse().ok())
        .collect();
    let [good, others @ ..] = codes.as_slice() else { bail!("h2load counted no status codes") };
    if others.iter().any(|count| *count > 0.0) || *good == 0.0 {
        bail!("h2load saw failures: {codes:?} answers of 2xx, 3xx, 4xx, 5xx");
    }
    Ok(Seen { answers: *good, time, application: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_h2load_is_read() {
        let text = "finished in 2.00s, 100.50 req/s, 3.10KB/s\nrequests: 201 total\nstatus codes: 201 2xx, 0 3xx, 0 4xx, 0 5xx\n";
        let seen = parse(text).unwrap();
        assert!((seen.answers - 201.0).abs() < f64::EPSILON);
        assert_eq!(seen.time, Duration::from_secs(2));
        assert!(parse(&text.replace("0 5xx", "4 5xx")).is_err());
    }
}
