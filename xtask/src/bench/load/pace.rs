//! Latency at a fixed rate of requests. Each request has its time in a plan that the server does not change: what a late answer
//! delays is counted from when it should have been sent, so that a server that stalls cannot hide it (no coordinated omission).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::http::Client;

/// Latencies of one run, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of the requests took no longer.
    pub p50: u64,
    /// 99 % took no longer.
    pub p99: u64,
    /// 99.9 % took no longer.
    pub p999: u64,
}

/// Sends `rate` requests per second over `connections` for `time`.
pub fn run(
    target: &str,
    address: SocketAddr,
    rate: f64,
    connections: u32,
    time: Duration,
) -> Result<Latency> {
    let start = Instant::now() + Duration::from_millis(20);
    let gap = f64::from(connections) / rate;
    let one = |number: u32| -> Result<Histogram<u64>> {
        let mut client = Client::connect(address)?;
        let mut seen = Histogram::new(3)?;
        let first = gap * f64::from(number) / f64::from(connections);
        for turn in 0_u32.. {
            let planned = Duration::from_secs_f64(first + gap * f64::from(turn));
            if planned >= time {
                break;
            }
            let due = start + planned;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            client.get(target)?;
            seen.record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX))?;
        }
        Ok(seen)
    };
    let mut all = Histogram::<u64>::new(3)?;
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..connections).map(|number| scope.spawn(move || one(number))).collect();
        for thread in threads {
            all.add(thread.join().ok().context("a client failed")??)?;
        }
        Ok(())
    })?;
    let at = |quantile| all.value_at_quantile(quantile);
    Ok(Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
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
        // Every answer takes 50 ms and one is due each 10 ms: the last of 20 is due after 190 ms and comes after 1000.
        let address = slow_server(Duration::from_millis(50));
        let latency = run("/", address, 100.0, 1, Duration::from_millis(200)).unwrap();
        assert!(latency.p999 >= 750_000, "{latency:?}");
        assert!(latency.p50 >= 300_000, "{latency:?}");
    }
}
