//! Signals become bytes in a pipe that the control thread reads.
//!
//! They are handled, not blocked: a blocked signal stays blocked in every program the application starts, which then cannot
//! be ended by `Popen.terminate()`. For the same reason the handler leaves forked children alone: there it does what the
//! signal does by default, instead of telling the worker to leave.

use std::io::{self, PipeReader};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::{emulate_default_handler, register};

use crate::life::Event;

/// Begins to handle SIGTERM, SIGINT and SIGUSR1. The pipe yields one byte for each.
///
/// # Errors
/// Any of pipe(2) and sigaction(2).
pub fn handle() -> io::Result<PipeReader> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    let us = std::process::id();
    for signal in [SIGTERM, SIGINT, SIGUSR1] {
        let writer = writer.try_clone()?;
        let byte = [u8::try_from(signal).unwrap_or_default()];
        let handler = move || {
            if std::process::id() == us {
                // A full pipe means that the byte's like was not read yet.
                let _ = rustix::io::write(&writer, &byte);
            } else {
                let _ = emulate_default_handler(signal);
            }
        };
        // SAFETY: the handler makes only calls that are async-signal-safe (signal-safety(7)): getpid(2), write(2), and what
        // signal-hook documents as such. It neither allocates nor locks nor panics.
        unsafe { register(signal, handler) }?;
    }
    Ok(reader)
}

/// What a byte from the pipe means.
pub fn event(byte: u8) -> Event {
    if i32::from(byte) == SIGUSR1 { Event::Drain } else { Event::Terminate }
}
