//! Latency at a fixed rate of requests. Each request has its time in a plan that the server does not change: what a late answer
//! delays is counted from when it should have been sent, so that a server that stalls cannot hide it (no coordinated omission).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use nix::sys::prctl;
use serde::{Deserialize, Serialize};

use super::http::Client;

/// A server that answers less than this part of the plan in time has not kept up with it.
const KEPT_UP: f64 = 0.95;

/// Latencies of one run, in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the requests took no longer.
    pub p50: u64,
    /// 99 % took no longer.
    pub p99: u64,
    /// 99.9 % took no longer.
    pub p999: u64,
    /// Answers per second, up to the last one.
    pub rate: f64,
    /// Whether the server has kept up with the plan. If not, its latencies grow with the length of the run and say little else.
    pub kept_up: bool,
}

/// What one connection has seen.
struct Seen {
    times: Histogram<u64>,
    /// From the start of the plan to the last answer.
    end: Duration,
}

/// Sends `rate` requests per second over `connections` for `time`; gives up on what has not been sent after twice that.
pub fn run(
    target: &str,
    address: SocketAddr,
    rate: f64,
    connections: u32,
    time: Duration,
) -> Result<Latency> {
    let start = Instant::now() + Duration::from_millis(20);
    let gap = f64::from(connections) / rate;
    let one = |number: u32| -> Result<Seen> {
        // By default the kernel lets sleepers sleep up to 50 µs longer, which is as long as some answers take.
        prctl::set_timerslack(1).context("cannot ask for exact timers")?;
        let mut client = Client::connect(address)?;
        let mut seen = Seen { times: Histogram::new(3)?, end: Duration::ZERO };
        let first = gap * f64::from(number) / f64::from(connections);
        for turn in 0_u32.. {
            let planned = Duration::from_secs_f64(first + gap * f64::from(turn));
            if planned >= time || start.elapsed() > time * 2 {
                break;
            }
            let due = start + planned;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            client.get(target)?;
            seen.times.record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX))?;
            seen.end = start.elapsed();
        }
        Ok(seen)
    };
    let seen = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|number| scope.spawn(move || one(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a client failed")?)
            .collect::<Result<Vec<_>>>()
    })?;
    sum(&seen, rate, time)
}

fn sum(seen: &[Seen], rate: f64, time: Duration) -> Result<Latency> {
    let mut all = Histogram::<u64>::new(3)?;
    for one in seen {
        all.add(&one.times)?;
    }
    let end = seen.iter().map(|one| one.end).max().unwrap_or_default();
    let planned = rate * time.as_secs_f64();
    // A plan that ends a little before its last answer is normal.
    let is_complete =
        all.len() as f64 >= planned * KEPT_UP && time.as_secs_f64() >= end.as_secs_f64() * KEPT_UP;
    let at = |quantile| all.value_at_quantile(quantile);
    Ok(Latency {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        rate: all.len() as f64 / end.as_secs_f64(),
        kept_up: is_complete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Answers each request after a while.
    fn slow_server(delay: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                std::thread::sleep(delay);
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                    return;
                }
            }
        });
        address
    }

    #[test]
    fn a_stall_is_counted_from_when_the_request_was_due() {
        // Every answer takes 50 ms and one is due each 10 ms: the eighth is due after 70 ms and comes after 400.
        let address = slow_server(Duration::from_millis(50));
        let latency = run("/", address, 100.0, 1, Duration::from_millis(200)).unwrap();
        assert!(latency.p999 >= 300_000, "{latency:?}");
        assert!(latency.p50 >= 150_000, "{latency:?}");
        // Twice the time is all that it gets.
        assert!(!latency.kept_up && latency.rate <= 20.0, "{latency:?}");
    }

    #[test]
    fn quantiles_are_those_of_all_connections() {
        let seen = |times: std::ops::RangeInclusive<u64>, end| {
            let mut all = Histogram::new(3).unwrap();
            times.for_each(|time| all.record(time).unwrap());
            Seen { times: all, end: Duration::from_millis(end) }
        };
        let both = [seen(1..=500, 980), seen(501..=1000, 1000)];
        let latency = sum(&both, 1000.0, Duration::from_secs(1)).unwrap();
        assert_eq!((latency.p50, latency.p99, latency.p999), (500, 990, 999));
        assert!(latency.kept_up && (latency.rate - 1000.0).abs() < 1e-9, "{latency:?}");
        // Answers that come long after the end of the plan, and requests that were never sent, are not kept up with.
        assert!(!sum(&[seen(1..=1000, 1100)], 1000.0, Duration::from_secs(1)).unwrap().kept_up);
        assert!(!sum(&[seen(1..=900, 1000)], 1000.0, Duration::from_secs(1)).unwrap().kept_up);
    }
}
