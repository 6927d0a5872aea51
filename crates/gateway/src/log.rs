//! `wsgi.errors`, `sys.stdout` and `sys.stderr`: the binary stream under their `TextIOWrapper`.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use python::{Args, Attached, ClassDef, Error, Kind, Mutex, Object, Result};

use crate::active::{self, Active};
use crate::exchange::Level;

/// A line without an end is passed on when it gets longer than this.
const MAX_PARTIAL: usize = 64 * 1024;

thread_local! {
    /// The unfinished line this thread wrote to `sys.stdout` or `sys.stderr`.
    static PARTIAL: RefCell<OfThread> = const { RefCell::new(OfThread(Partial::NOTHING)) };
}

/// What a thread of the application leaves behind is written when the thread ends.
struct OfThread(Partial);

impl Drop for OfThread {
    fn drop(&mut self) {
        let mut text = self.0.rest();
        if !text.is_empty() {
            // Python may be gone by now; nothing of it is needed, and nobody could be told of an error.
            text.push(b'\n');
            let _ = std::io::stderr().write_all(&text);
        }
    }
}

/// An unfinished line.
#[derive(Default)]
struct Partial {
    text: Vec<u8>,
    /// Its beginning was passed on by a flush: its end alone is not an empty line. `print` of a text with a carriage return
    /// flushes before it writes the end.
    flushed: bool,
}

impl Partial {
    const NOTHING: Self = Self { text: Vec::new(), flushed: false };

    /// Takes bytes and returns the finished lines; with `flush` also what is unfinished.
    fn take(&mut self, data: &[u8], flush: bool) -> Vec<u8> {
        let mut data = data;
        if self.flushed && !data.is_empty() {
            data = data.strip_prefix(b"\n").unwrap_or(data);
            self.flushed = false;
        }
        self.text.extend_from_slice(data);
        let end = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        let unfinished = self.text.len() - end;
        if unfinished > 0 && (flush || unfinished > MAX_PARTIAL) {
            self.flushed = true;
            return std::mem::take(&mut self.text);
        }
        let rest = self.text.split_off(end);
        std::mem::replace(&mut self.text, rest)
    }

    /// What is unfinished, at the end of a request or a thread.
    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(self).text
    }
}

/// Where lines go that belong to no request; see [`Config::process_log`](crate::config::Config).
static PROCESS: OnceLock<fn(Level, &str)> = OnceLock::new();

/// To be called once, before anything is logged; the process has one log.
pub(crate) fn set_process_log(log: fn(Level, &str)) {
    let _same = PROCESS.set(log);
}

/// Logs lines that belong to no request.
pub(crate) fn process(py: Attached<'_>, level: Level, text: &str) {
    py.detach(|| process_line(level, text));
}

/// A stream of log lines.
pub(crate) enum Log {
    /// `wsgi.errors` of one request after another; bound to a request or to none.
    Request(Arc<RequestLog>),
    /// `sys.stdout` and `sys.stderr`: the request this thread serves, else descriptor 2.
    Process(&'static str),
}

/// Where `wsgi.errors` goes to now.
#[derive(Default)]
pub(crate) struct RequestLog {
    active: Mutex<Option<Arc<Active>>>,
    partial: Mutex<Partial>,
}

impl RequestLog {
    pub(crate) fn bind(&self, active: Arc<Active>) {
        *self.active.lock() = Some(active);
    }

    /// Passes an unfinished line on and lets go of the request.
    pub(crate) fn unbind(&self, py: Attached<'_>) {
        let partial = self.partial.lock().rest();
        let active = self.active.lock().take();
        if let Some(active) = active.filter(|_| !partial.is_empty()) {
            active.log_lines(py, Level::Error, &String::from_utf8_lossy(&partial));
        }
    }
}

/// Passes on the unfinished line of this thread: at the end of a request.
pub(crate) fn flush_thread(py: Attached<'_>, active: &Active) {
    let partial = PARTIAL.with_borrow_mut(|partial| partial.0.rest());
    if !partial.is_empty() {
        active.log_lines(py, Level::Error, &String::from_utf8_lossy(&partial));
    }
}

impl Log {
    fn put<'py>(&self, py: Attached<'py>, method: &str, data: &[u8], flush: bool) -> Result<'py, ()> {
        match self {
            Log::Request(log) => {
                let active = log.active.lock().clone();
                let Some(active) = active.filter(|active| !active.is_over()) else {
                    if flush {
                        return Ok(());
                    }
                    let text = format!("{method}() called on wsgi.errors after request completed");
                    return Err(Error::new(py, Kind::RuntimeError, &text));
                };
                let lines = log.partial.lock().take(data, flush);
                if !lines.is_empty() {
                    active.log_lines(py, Level::Error, &String::from_utf8_lossy(&lines));
                }
            }
            Log::Process(_) => {
                let lines = PARTIAL.with_borrow_mut(|partial| partial.0.take(data, flush));
                match active::current() {
                    _ if lines.is_empty() => {}
                    Some(active) => active.log_lines(py, Level::Error, &String::from_utf8_lossy(&lines)),
                    None => raw(py, &lines),
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        match self {
            Log::Request(_) => "<wsgi.errors>",
            Log::Process(name) => name,
        }
    }
}

/// Lines outside of a request: to descriptor 2, where the supervisor reads them. There is nobody to tell when that
/// does not work.
pub(crate) fn raw(py: Attached<'_>, lines: &[u8]) {
    py.detach(|| {
        let _ = std::io::stderr().write_all(lines);
    });
}

/// As [`process`], not attached.
pub(crate) fn process_line(level: Level, line: &str) {
    if let Some(write) = PROCESS.get() {
        write(level, line);
    }
}

/// Passes on the unfinished line that this thread wrote outside of a request.
pub(crate) fn flush_process(py: Attached<'_>) {
    let partial = PARTIAL.with_borrow_mut(|partial| partial.0.rest());
    if !partial.is_empty() {
        raw(py, &[&partial[..], b"\n"].concat());
    }
}

fn write<'py>(log: &Log, py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [data] = args.bind("write", ["data"], 1)?;
    let data = data.unwrap_or_else(|| python::none(py));
    let count = put_object(log, py, "write", &data)?;
    python::int(py, i64::try_from(count).unwrap_or(i64::MAX))
}

fn put_object<'py>(log: &Log, py: Attached<'py>, method: &str, data: &Object<'py>) -> Result<'py, usize> {
    if let Some(text) = data.as_utf8() {
        log.put(py, method, text.as_bytes(), false)?;
        return Ok(text.chars().count());
    }
    let bytes = data.to_bytes()?;
    let content = bytes.as_bytes().unwrap_or_default();
    log.put(py, method, content, false)?;
    Ok(content.len())
}

fn writelines<'py>(log: &Log, py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [lines] = args.bind("writelines", ["lines"], 1)?;
    let lines = lines.unwrap_or_else(|| python::none(py)).iter()?;
    while let Some(line) = lines.next() {
        put_object(log, py, "writelines", &line?)?;
    }
    Ok(python::none(py))
}

fn flush<'py>(log: &Log, py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    args.none("flush")?;
    log.put(py, "flush", b"", true)?;
    Ok(python::none(py))
}

pub(crate) fn class() -> ClassDef<Log> {
    ClassDef::<Log>::new(c"mod_wsgi.Log", c"A stream that becomes lines of the error log.")
        .method(c"write", c"write(data): bytes, or str", write)
        .method(c"writelines", c"writelines(lines)", writelines)
        .method(c"flush", c"flush(): pass on an unfinished line", flush)
        .method(c"close", c"close(): as flush", flush)
        .method(c"isatty", c"isatty() -> False", |_, py, _| Ok(python::bool(py, false)))
        .method(c"readable", c"readable() -> False", |_, py, _| Ok(python::bool(py, false)))
        .method(c"seekable", c"seekable() -> False", |_, py, _| Ok(python::bool(py, false)))
        .method(c"writable", c"writable() -> True", |_, py, _| Ok(python::bool(py, true)))
        .method(c"fileno", c"fileno(): there is none", |_, py, _| {
            Err(Error::new(py, Kind::OSError, "the log stream has no file descriptor"))
        })
        .getter(c"name", |log, py| python::str(py, log.name()))
        .getter(c"closed", |_, py| Ok(python::bool(py, false)))
        .getter(c"encoding", |_, py| python::str(py, "utf-8"))
        .getter(c"errors", |_, py| python::str(py, "replace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_when_they_are_complete() {
        let mut partial = Partial::default();
        assert_eq!(partial.take(b"one", false), b"");
        assert_eq!(partial.take(b" 1\ntwo\nthr", false), b"one 1\ntwo\n");
        assert_eq!(partial.take(b"", true), b"thr");
        assert_eq!(partial.take(b"", true), b"");
        assert_eq!(partial.take(b"\n", false), b"");
        assert_eq!(partial.take(b"\n", false), b"\n");
        assert_eq!(partial.take(&vec![b'x'; MAX_PARTIAL + 1], false).len(), MAX_PARTIAL + 1);
        assert_eq!(partial.take(b"y\n", false), b"y\n");
        assert_eq!((partial.take(b"z", false), partial.rest()), (Vec::new(), b"z".to_vec()));
    }
}
