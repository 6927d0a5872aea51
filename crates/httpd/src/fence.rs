//! The panic fence every call from httpd passes: a panic becomes a value that says where and why, for one log line.
//! What httpd is answered then is decided by the caller (a 500, a refused start).

use crate::log::{Level, Log};
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Once;

/// Longest file name kept of a panic's place; the tail is the part that tells.
const FILE_MAX: usize = 200;

/// A panic that was caught.
pub(crate) struct Panic {
    what: &'static str,
    place: Box<Place>,
    message: String,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = String::from_utf8_lossy(&self.place.file[..self.place.length]);
        write!(
            f,
            "internal error in {} at {}:{}: {}; please report this line",
            self.what, file, self.place.line, self.message
        )
    }
}

/// Where a panic happened, as plain data: a thread-local that needs no destructor, because a destructor registered by
/// a loaded module would keep httpd from unloading it.
#[derive(Clone, Copy)]
struct Place {
    file: [u8; FILE_MAX],
    length: usize,
    line: u32,
}

const NOWHERE: Place = Place { file: [0; FILE_MAX], length: 0, line: 0 };

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static PLACE: Cell<Place> = const { Cell::new(NOWHERE) };
}

/// Has panics inside the fence recorded instead of printed. Panics elsewhere keep the hook that was there.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                previous(info);
            } else if let Some(location) = info.location() {
                PLACE.set(place(location));
            }
        }));
    });
}

fn place(location: &Location<'_>) -> Place {
    let file = location.file().as_bytes();
    let tail = &file[file.len().saturating_sub(FILE_MAX)..];
    let mut place = Place { length: tail.len(), line: location.line(), ..NOWHERE };
    place.file[..tail.len()].copy_from_slice(tail);
    place
}

/// Runs `call`; a panic in it is caught.
pub(crate) fn fence<T>(what: &'static str, call: impl FnOnce() -> T) -> Result<T, Panic> {
    install();
    DEPTH.set(DEPTH.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    outcome.map_err(|payload| Panic {
        what,
        place: Box::new(PLACE.replace(NOWHERE)),
        message: message(payload),
    })
}

/// The panic's text. The payload's own destructor may panic too, so it runs inside a fence of its own.
fn message(payload: Box<dyn Any + Send>) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a value that is no text".to_owned(),
    };
    if let Err(another) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(another);
    }
    text
}

/// Writes the one line a panic leaves.
pub(crate) fn report(panic: &Panic, log: &Log<'_>) {
    log.write(Level::Crit, format!("WSGI1314: {panic}; please report it with this line").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_place() {
        let panic =
            fence("a test", || -> u32 { panic!("number {}", 7) }).map(|_| ()).unwrap_err().to_string();
        assert!(panic.contains("internal error in a test at "), "{panic}");
        assert!(panic.contains("fence.rs:"), "{panic}");
        assert!(panic.contains("number 7"), "{panic}");
        assert!(matches!(fence("a test", || 5), Ok(5)));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_not_escape() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let panic = fence("a test", || std::panic::panic_any(Bomb)).unwrap_err().to_string();
        assert!(panic.contains("a value that is no text"), "{panic}");
    }
}
