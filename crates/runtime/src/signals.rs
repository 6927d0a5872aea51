//! The signals that concern a worker, and what they mean. Turning them into bytes is in `unix`.

use std::io::{self, PipeReader, Read};
use std::sync::Arc;
use std::thread::Builder;

use gateway::Gateway;
use rustix::process::Signal;
use spec::worker::Cause;

const TERMINATE: [u8; 2] = [number(Signal::TERM), number(Signal::INT)];
const DRAIN: u8 = number(Signal::USR1);
const PROCESSOR: u8 = number(Signal::XCPU);

const fn number(signal: Signal) -> u8 {
    // The numbers of signals end at 64 (signal(7)).
    signal.as_raw() as u8
}

/// The signal on which Python's `faulthandler` writes where all threads are, without the GIL; one that nobody else uses.
pub const SHOW_THREADS: i32 = 62;

/// Has `faulthandler` do so. Nothing happens when it was not registered.
pub fn show_threads() {
    // A real-time signal has no name in `Signal`.
    let _ = unix::signals::send_to_self(SHOW_THREADS);
}

/// Begins to handle SIGTERM, SIGINT, SIGUSR1 and SIGXCPU; those that end a service script are left to it. The pipe yields one byte for each.
///
/// # Errors
/// Any of pipe(2) and sigaction(2).
pub fn handle(service: bool) -> io::Result<PipeReader> {
    let [term, int] = TERMINATE;
    let own = [DRAIN, PROCESSOR, term, int];
    unix::signals::as_bytes(if service { &own[..2] } else { &own })
}

/// Ends a service script: Python raises SystemExit in the main thread. The kernel prefers that thread for a signal to the process.
pub fn end_service() {
    let _ = unix::signals::send_to_self(Signal::TERM.as_raw());
}

/// Tells subscribers of the application about SIGHUP and SIGUSR2, in a thread of its own: their functions may take long.
///
/// # Errors
/// Any of pipe(2), sigaction(2) and pthread_create(3).
pub fn tell_subscribers(gateway: &Arc<Gateway>, stack: usize) -> io::Result<()> {
    const TOLD: [(Signal, &str); 2] = [(Signal::HUP, "SIGHUP"), (Signal::USR2, "SIGUSR2")];
    let mut pipe = unix::signals::as_bytes(&TOLD.map(|(signal, _)| number(signal)))?;
    let gateway = Arc::clone(gateway);
    let tell = move || {
        let mut byte = [0];
        // The handlers hold the other end as long as the process lives.
        while pipe.read_exact(&mut byte).is_ok() {
            let known = TOLD.iter().find(|(signal, _)| number(*signal) == byte[0]);
            if let Some((signal, name)) = known {
                gateway.publish_signal(name, signal.as_raw());
            }
        }
    };
    Builder::new().name("wsgi-signals".to_owned()).stack_size(stack).spawn(tell).map(drop)
}

/// What a byte from the pipe means; `eviction`: an eviction-timeout is set.
pub fn cause(byte: u8, eviction: bool) -> Cause {
    match byte {
        DRAIN if eviction => Cause::EvictionSignal,
        DRAIN => Cause::GracefulSignal,
        PROCESSOR => Cause::CpuTimeLimit,
        _ => Cause::ShutdownSignal,
    }
}
