//! The signals that concern a worker, and what they mean. Turning them into bytes is in `unix`.

use std::io::{self, PipeReader};

use rustix::process::Signal;
use spec::worker::Cause;

const TERMINATE: [u8; 2] = [number(Signal::TERM), number(Signal::INT)];
const DRAIN: u8 = number(Signal::USR1);

const fn number(signal: Signal) -> u8 {
    // The numbers of signals end at 64 (signal(7)).
    signal.as_raw() as u8
}

/// Begins to handle SIGTERM, SIGINT and SIGUSR1. The pipe yields one byte for each.
///
/// # Errors
/// Any of pipe(2) and sigaction(2).
pub fn handle() -> io::Result<PipeReader> {
    let [term, int] = TERMINATE;
    unix::signals::as_bytes(&[term, int, DRAIN])
}

/// What a byte from the pipe means.
pub fn cause(byte: u8) -> Cause {
    if byte == DRAIN { Cause::GracefulSignal } else { Cause::ShutdownSignal }
}
