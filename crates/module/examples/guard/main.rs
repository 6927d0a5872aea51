//! The work whose instructions `cargo xtask guard` counts, and the httpd child's side of a connection to the worker that it counts.
//!
//! ```text
//! guard count                         each piece of work, many times, for callgrind
//! guard ask SOCKET SCRIPT NUMBER      NUMBER requests to a worker; before and behind them one that it refuses
//! ```
#![forbid(unsafe_code)]

mod ask;
mod facts;
mod work;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["count"] => Ok(work::run()?),
        ["ask", socket, script, number] => ask::run(Path::new(socket), script.as_bytes(), number.parse()?),
        _ => Err("usage: guard count | guard ask SOCKET SCRIPT NUMBER".into()),
    }
}
