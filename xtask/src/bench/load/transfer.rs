//! Large bodies, down or up, one after the other on each connection. Whole ones count, and the last ones are finished.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Seen;
use super::http::Client;
use crate::bench::cases::{Case, Work};

/// Transfers until the time is up, on as many connections as the case has.
pub fn run(case: &Case, target: &str, address: SocketAddr, time: Duration) -> Result<Seen> {
    let start = Instant::now();
    let one = || -> Result<u32> {
        let mut client = Client::connect(address)?;
        let mut count = 0;
        while start.elapsed() < time {
            transfer(case.work, &mut client, target)?;
            count += 1;
        }
        Ok(count)
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..case.connections).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a client failed")?)
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(Seen { answers: f64::from(counts.iter().sum::<u32>()), time: start.elapsed() })
}

fn transfer(work: Work, client: &mut Client, target: &str) -> Result<()> {
    let size = work.transfer();
    let seen = match work {
        Work::Upload(_) => {
            let text = client.upload(target, size)?;
            text.trim().parse().with_context(|| format!("the upload was answered with {text:?}"))?
        }
        _ => client.get(target)?,
    };
    if seen != size {
        bail!("{seen} bytes were transferred instead of {size}");
    }
    Ok(())
}
