//! httpd's error log: levels, the targets a line can belong to, and lines of any length and content. What is written
//! and when is the caller's business; escaping control characters is httpd's.

use crate::module;
use httpd_sys as sys;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::panic::Location;

/// How many bytes of a message httpd is given in one record, counted as httpd will escape them. httpd's record holds
/// 8192 bytes (`MAX_STRING_LEN`), of which the prefix (time, module, process, client) takes some hundred.
const RECORD_MAX: usize = 7000;

/// The severities of `LogLevel` (httpd: http_log.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are httpd's")]
pub enum Level {
    Emerg = sys::APLOG_EMERG,
    Alert = sys::APLOG_ALERT,
    Crit = sys::APLOG_CRIT,
    Error = sys::APLOG_ERR,
    Warn = sys::APLOG_WARNING,
    Notice = sys::APLOG_NOTICE,
    Info = sys::APLOG_INFO,
    Debug = sys::APLOG_DEBUG,
    Trace1 = sys::APLOG_TRACE1,
    Trace2 = sys::APLOG_TRACE2,
    Trace3 = sys::APLOG_TRACE3,
    Trace4 = sys::APLOG_TRACE4,
    Trace5 = sys::APLOG_TRACE5,
    Trace6 = sys::APLOG_TRACE6,
    Trace7 = sys::APLOG_TRACE7,
    Trace8 = sys::APLOG_TRACE8,
}

/// What a line belongs to; it decides the log file, the level that applies and the prefix.
#[derive(Clone, Copy)]
enum Target {
    Process,
    Server(*const sys::server_rec),
    Connection(*const sys::conn_rec),
    Request(*const sys::request_rec),
}

/// A place to log to, alive for `'a`. Lines carry the module's name (`[wsgi:error]`) and obey `LogLevel wsgi:...`.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    target: Target,
    life: PhantomData<&'a ()>,
}

impl Log<'static> {
    /// The main server's log, or standard error while httpd has no server yet.
    pub fn process() -> Log<'static> {
        Log { target: Target::Process, life: PhantomData }
    }
}

impl<'a> Log<'a> {
    /// # Safety
    /// `server` lives for `'a`.
    pub(crate) unsafe fn server(server: *const sys::server_rec) -> Log<'a> {
        Log { target: Target::Server(server), life: PhantomData }
    }

    /// # Safety
    /// `connection` lives for `'a` and belongs to this thread.
    pub(crate) unsafe fn connection(connection: *const sys::conn_rec) -> Log<'a> {
        Log { target: Target::Connection(connection), life: PhantomData }
    }

    /// # Safety
    /// `request` lives for `'a` and belongs to this thread.
    pub(crate) unsafe fn request(request: *const sys::request_rec) -> Log<'a> {
        Log { target: Target::Request(request), life: PhantomData }
    }

    /// Whether a line of this level would be written. Asking saves the work of building the line. `Notice` and what is
    /// graver is always written (`APLOG_MODULE_IS_LEVEL`).
    pub fn enabled(&self, level: Level) -> bool {
        if level <= Level::Notice {
            return true;
        }
        level as c_int <= c_int::from(self.limit())
    }

    /// `LogLevel` for this module where the lines belong to, as httpd's number: what has a greater one is not written.
    pub fn limit(&self) -> u8 {
        let index = module::index();
        let limit = match self.target {
            // SAFETY: httpd's own pointer; null only before the configuration is read.
            Target::Process => match unsafe { sys::ap_server_conf } {
                server if server.is_null() => return u8::MAX,
                // SAFETY: the main server lives as long as the configuration.
                server => unsafe { sys::ap_get_server_module_loglevel(server, index) },
            },
            // SAFETY: the constructors' promise.
            Target::Server(server) => unsafe { sys::ap_get_server_module_loglevel(server, index) },
            // SAFETY: as above.
            Target::Connection(connection) => unsafe { sys::ap_get_conn_module_loglevel(connection, index) },
            // SAFETY: as above.
            Target::Request(request) => unsafe { sys::ap_get_request_module_loglevel(request, index) },
        };
        u8::try_from(limit).unwrap_or(u8::MAX)
    }

    /// Writes one line. Text longer than a record of httpd goes on in the next, behind `[continued] `: nothing is lost; a
    /// NUL is written as `\x00`. At `Debug` and below the caller's file and line are part of the record.
    #[track_caller]
    pub fn write(&self, level: Level, text: &[u8]) {
        self.write_behind(level, b"", text);
    }

    /// As [`Self::write`], with a prefix before the text in each of its records.
    #[track_caller]
    pub fn write_behind(&self, level: Level, prefix: &[u8], text: &[u8]) {
        if !self.enabled(level) {
            return;
        }
        let place = Location::caller();
        let file = crate::text::c_string(place.file().as_bytes());
        let line = c_int::try_from(place.line()).unwrap_or(0);
        for record in records(prefix, text) {
            self.record(&file, line, level as c_int, &record);
        }
    }

    fn record(&self, file: &CStr, line: c_int, level: c_int, text: &[u8]) {
        let (file, index, format, none) = (file.as_ptr(), module::index(), c"%s".as_ptr(), sys::APR_SUCCESS);
        let text = crate::text::c_string(text);
        let text: *const c_char = text.as_ptr();
        // SAFETY: file, format and text are NUL-terminated and live for the call; the format takes one string; the
        // target is live by the constructors' promise (a null server means the process's log).
        unsafe {
            match self.target {
                Target::Process => {
                    sys::ap_log_error_(file, line, index, level, none, sys::ap_server_conf, format, text);
                }
                Target::Server(s) => sys::ap_log_error_(file, line, index, level, none, s, format, text),
                Target::Connection(c) => sys::ap_log_cerror_(file, line, index, level, none, c, format, text),
                Target::Request(r) => sys::ap_log_rerror_(file, line, index, level, none, r, format, text),
            }
        }
    }
}

/// A sentence for the person who starts or checks the server: it goes to the terminal (before the logs are open)
/// without time and level, as httpd's own syntax errors do. For `check_config`.
pub fn startup_notice(text: &str) {
    let log = Log::process();
    for record in records(b"", text.as_bytes()) {
        log.record(c"", 0, sys::APLOG_STARTUP | sys::APLOG_CRIT, &record);
    }
}

/// Begins a record that goes on with the text of the one before.
const CONTINUED: &[u8] = b"[continued] ";

/// Cuts `text` into records, each behind `prefix`. Cuts fall between characters where the text is UTF-8.
fn records(prefix: &[u8], text: &[u8]) -> Vec<Vec<u8>> {
    // Of a longer prefix (a path has up to 4096 bytes) the beginning must do.
    let prefix = prefix.get(..RECORD_MAX / 4 / 2).unwrap_or(prefix);
    let begin = |mark: &[u8]| {
        let record: Vec<u8> = [prefix, mark].concat().into_iter().flat_map(shown).collect();
        let used = prefix.iter().chain(mark).map(|byte| escaped_size(*byte)).sum::<usize>();
        (record, used)
    };
    let (record, mut used) = begin(b"");
    let mut records = vec![record];
    for (at, &byte) in text.iter().enumerate() {
        let size = escaped_size(byte);
        let starts_character = byte & 0xC0 != 0x80;
        let room_for_character = if starts_character { 16 } else { 0 };
        if used + size + room_for_character > RECORD_MAX
            && (starts_character || used + size > RECORD_MAX)
            && at > 0
        {
            let (record, size) = begin(CONTINUED);
            records.push(record);
            used = size;
        }
        used += size;
        if let Some(record) = records.last_mut() {
            record.extend(shown(byte));
        }
    }
    records
}

/// A byte as httpd can be given it, in a C string.
fn shown(byte: u8) -> impl Iterator<Item = u8> {
    let (nul, other) = if byte == 0 { (&br"\x00"[..], None) } else { (&[][..], Some(byte)) };
    nul.iter().copied().chain(other)
}

/// The bytes httpd writes for this one, at most (`ap_escape_errorlog_item`: `\xHH`; a NUL is `\x00` whose backslash is
/// escaped in turn).
fn escaped_size(byte: u8) -> usize {
    match byte {
        0 => 5,
        b'\\' | b'"' => 2,
        b' '..=b'~' => 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of records without their prefix and marks.
    fn joined(prefix: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
        let text = records.iter().enumerate().map(|(at, record)| {
            let text = record.strip_prefix(prefix).unwrap();
            if at == 0 { text } else { text.strip_prefix(CONTINUED).unwrap() }
        });
        text.collect::<Vec<_>>().concat()
    }

    #[test]
    fn long_text_is_split_without_loss() {
        let text: Vec<u8> = (0..30_000u32).map(|i| b'a' + u8::try_from(i % 26).unwrap()).collect();
        for prefix in [&b""[..], b"[script /srv/app.wsgi] "] {
            let records = records(prefix, &text);
            assert!(records.len() > 4);
            assert!(records.iter().all(|record| record.len() <= RECORD_MAX));
            assert_eq!(joined(prefix, &records), text);
        }
    }

    #[test]
    fn records_end_between_characters_and_count_escapes() {
        let text = "é".repeat(5000);
        let records = records(b"", text.as_bytes());
        assert!(records.iter().all(|record| std::str::from_utf8(record).is_ok()));
        assert!(
            records.iter().all(|record| record.iter().map(|b| escaped_size(*b)).sum::<usize>() <= RECORD_MAX)
        );
        assert_eq!(joined(b"", &records), text.as_bytes());
    }

    #[test]
    fn a_nul_is_written_out() {
        assert_eq!(records(b"", b"a\0b"), vec![br"a\x00b".to_vec()]);
        assert_eq!(records(b"p ", b""), vec![b"p ".to_vec()]);
    }

    #[test]
    fn a_long_prefix_leaves_room_for_text() {
        let records = records(&[0xff; 5000], &[b'x'; 9000]);
        assert!(records.len() < 5 && records.iter().all(|record| record.len() <= RECORD_MAX));
    }
}
