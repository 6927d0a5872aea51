//! Making load and counting what came back. Any answer but the expected one makes the measurement an error: a server that fails
//! fast is not fast.

mod h2load;
pub mod http;
pub mod pace;
mod transfer;
mod wrk;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::cases::{Case, Transport, Work};

/// What one measurement of a client saw.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Right answers.
    pub answers: f64,
    /// How long the clients were at work.
    pub time: Duration,
    /// The CPU time that the application itself took for these answers, where it says so.
    pub application: Option<Duration>,
}

/// The names and versions of the clients that are programs of their own.
pub fn versions() -> Vec<String> {
    [("wrk", "-v"), ("h2load", "--version")].map(|(name, option)| version(name, option)).to_vec()
}

/// The first number of the first line; wrk shows its version along with its usage, as an error.
fn version(name: &str, option: &str) -> String {
    let answer = Command::new(name).arg(option).output();
    let text = answer.map(|answer| [answer.stdout, answer.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    // wrk says `debian/4.1.0`, h2load `nghttp2/1.52.0`.
    let words = text.lines().next().unwrap_or_default().split_whitespace();
    let mut numbers = words.filter_map(|word| word.rsplit('/').next());
    let number = numbers.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    number.map_or_else(|| name.to_owned(), |number| format!("{name} {number}"))
}

/// How many cores the clients of a case can use at most.
pub fn cores(case: &Case) -> usize {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if is_own(case.work) { all.min(case.connections as usize) } else { 1 }
}

/// Whether this project's own client makes the load; the others are programs of one thread.
fn is_own(work: Work) -> bool {
    work.transfer() > 0 || work == Work::Django
}

/// Puts the load of a case on a server for about `time`. `folder` is for files of the clients.
pub fn run(case: &Case, target: &str, address: SocketAddr, time: Duration, folder: &Path) -> Result<Seen> {
    match case.transport {
        _ if is_own(case.work) => transfer::run(case, target, address, time),
        Transport::Http2 => h2load::run(case, target, address, time),
        _ => wrk::run(case, target, address, time, folder),
    }
}

/// Whether the server answers this request as it should.
pub fn answers(address: SocketAddr, work: Work, transport: Transport) -> bool {
    match transport {
        // Ours is no client for TLS or HTTP/2; that somebody accepts connections has to do.
        Transport::Https | Transport::Http2 => std::net::TcpStream::connect(address).is_ok(),
        _ => http::Client::connect(address).is_ok_and(|mut client| client.get(&work.target()).is_ok()),
    }
}

/// The JSON document that is posted: 10 KB.
pub fn document() -> String {
    let items: Vec<String> =
        (100..200).map(|n| format!("{{\"id\": {n}, \"name\": \"{}\"}}", "x".repeat(77))).collect();
    format!("{{\"items\": [{}]}}", items.join(", "))
}

/// A time as wrk and h2load print it: `1.10s`, `993.03ms`.
fn seconds(text: &str) -> Option<Duration> {
    for (unit, length) in [("ms", 0.001), ("us", 0.000_001), ("m", 60.0), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(seconds("993ms"), Some(Duration::from_millis(993)));
        assert_eq!(seconds("1.50m"), Some(Duration::from_secs(90)));
        assert_eq!((seconds("5"), seconds("xs")), (None, None));
    }

    #[test]
    fn the_document_is_json_of_ten_kilobytes() {
        let text = document();
        assert!((10_000..10_500).contains(&text.len()), "{}", text.len());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["items"].as_array().unwrap().len(), 100);
    }
}
