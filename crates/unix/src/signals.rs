//! Signals as bytes in a pipe. Which signals, and what they mean, is the caller's part.
//!
//! They are handled, not blocked: a blocked signal stays blocked in every program that the process starts, which then cannot be
//! ended by a mere SIGTERM. For the same reason the handler leaves forked children alone: there it does what the signal does by
//! default.

use std::io::{PipeReader, Result};
use std::sync::Arc;

use signal_hook::low_level::{emulate_default_handler, register};

/// Begins to handle these signals; their numbers fit a byte. The pipe yields the number of each that comes, at least once.
///
/// # Errors
/// Any of pipe(2) and sigaction(2); `InvalidInput` for a signal that cannot be handled.
pub fn as_bytes(signals: &[u8]) -> Result<PipeReader> {
    let (reader, writer) = std::io::pipe()?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    let (us, writer) = (std::process::id(), Arc::new(writer));
    for &number in signals {
        let writer = Arc::clone(&writer);
        let signal = i32::from(number);
        if signal_hook::consts::FORBIDDEN.contains(&signal) {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let handler = move || {
            if std::process::id() == us {
                // A full pipe means that the byte's like was not read yet.
                let _ = rustix::io::write(&*writer, &[number]);
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

/// Sends a signal to this process.
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn send_to_self(signal: i32) -> Result<()> {
    // SAFETY: kill(2) takes two numbers; what a signal does to this process was decided when its handler was set.
    match unsafe { libc::kill(libc::getpid(), signal) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[test]
    fn a_signal_becomes_its_number() {
        let number = u8::try_from(Signal::USR2.as_raw()).unwrap();
        let mut pipe = as_bytes(&[number]).unwrap();
        kill_process(getpid(), Signal::USR2).unwrap();
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [number]);
        let kill = u8::try_from(Signal::KILL.as_raw()).unwrap();
        assert!(as_bytes(&[kill]).is_err());
    }
}
