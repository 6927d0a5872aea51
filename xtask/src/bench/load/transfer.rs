//! Large bodies, down or up, and Django's pages: one after the other on each connection. The last ones are finished, too, so that all
//! the work that the server does in that time is for answers that count.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Seen;
use super::http::Client;
use crate::bench::cases::{Case, Work};

/// Transfers until the time is up, on as many connections as the case has.
pub fn run(case: &Case, target: &str, address: SocketAddr, time: Duration) -> Result<Seen> {
    let start = Instant::now();
    let one = || -> Result<(u32, Option<Duration>)> {
        let mut client = Client::connect(address)?;
        let mut count = 0;
        while start.elapsed() < time {
            transfer(case.work, &mut client, target)?;
            count += 1;
        }
        Ok((count, client.application()))
    };
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..case.connections).map(|_| scope.spawn(one)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a client failed")?)
            .collect::<Result<Vec<_>>>()
    })?;
    let answers = counts.iter().map(|(count, _)| count).sum::<u32>();
    // A client that was too late for any answer has seen no time of the application.
    let application = counts.iter().filter_map(|(_, application)| *application).reduce(|a, b| a + b);
    Ok(Seen { answers: f64::from(answers), time: start.elapsed(), application })
}

fn transfer(work: Work, client: &mut Client, target: &str) -> Result<()> {
    let size = work.transfer();
    let seen = match work {
        Work::Django => return client.get(target).map(drop),
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
