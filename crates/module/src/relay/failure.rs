//! Everything that can go wrong with a request on its way to a worker and back: whose fault it is, what the client is told, what
//! the log says. One enum, one match.

use std::io;
use std::time::Duration;

use wire::{RefusalReason, WireError};

use crate::body::BodyError;
use crate::response::{BadHead, LongHeader};

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The client's.
    Client,
    /// The application's code.
    Application,
    /// A worker, or the lack of one.
    Worker,
    /// This module's or the machine's.
    Us,
}

/// What an error becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whose fault it is.
    pub owner: Owner,
    /// What the client is told, while nothing was sent yet.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
    /// Severity in the log; `None` when somebody else has logged it, or nobody has to know.
    pub level: Option<wire::LogLevel>,
    /// The code in the log; empty where nothing is logged.
    pub code: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// Why a request did not get its response.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The client went away.
    #[error("the client closed the connection")]
    ClientGone,
    /// The client went away while it sent the body.
    #[error("the client closed the connection before all of the request body had come")]
    BodyGone,
    /// The client stopped sending the body.
    #[error("the client sent nothing more of the request body in time")]
    BodyTimeout,
    /// The body is longer than allowed.
    #[error("the request body is longer than LimitRequestBody allows")]
    BodyTooLarge,
    /// The body could not be read; httpd says with which status to answer.
    #[error("the request body could not be read (httpd answers {0})")]
    BodyUnreadable(u16),
    /// A filter of httpd has refused the body and has answered with this status.
    #[error("httpd has refused the request body and has answered {0}")]
    Answered(u16),
    /// Request line and headers do not fit into a frame.
    #[error("request line, headers and variables are too large for a worker: {0}")]
    RequestTooLarge(WireError),
    /// The body could not be stored.
    #[error("the request body could not be stored in {directory}: {error}")]
    Spool {
        /// Where.
        directory: String,
        /// What the system says.
        error: io::Error,
    },
    /// Too many wait already.
    #[error("{0} requests already wait for a worker")]
    QueueFull(u32),
    /// Nobody was free in time.
    #[error("no worker was free within {} s", .0.as_secs())]
    QueueTimeout(Duration),
    /// The worker's socket took no connection in time.
    #[error("its socket took no connection within {} s", .0.as_secs())]
    ConnectTimeout(Duration),
    /// The worker's socket cannot be connected to.
    #[error("connecting to {path} failed: {error}")]
    Connect {
        /// The socket.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// Somebody else listens at the socket's path.
    #[error("the listener at {path} belongs to uid {uid}, not to the supervisor's uid {expected}")]
    ForeignListener {
        /// The socket.
        path: String,
        /// Whose it is.
        uid: u32,
        /// Whose it should be.
        expected: u32,
    },
    /// Each connection was closed before the request was read.
    #[error("it closed {0} connections before it had read the request")]
    NotTaken(u32),
    /// Each worker was replaced because the script had changed once more.
    #[error("{0} workers in a row found the script changed since they had loaded it")]
    Reloading(u32),
    /// The worker answered that it will not look at the request.
    #[error("it refused the request: {text}")]
    Refused {
        /// Why.
        reason: RefusalReason,
        /// Its own words.
        text: String,
    },
    /// The end of the connection without an answer.
    #[error("the worker closed the connection: it has crashed, or was killed")]
    Closed,
    /// Reset although the request can have been read.
    #[error(
        "the worker closed the connection without reading all of the request: it has crashed, or was killed"
    )]
    Reset,
    /// A system call on the connection failed.
    #[error("the connection to it failed: {0}")]
    Connection(io::Error),
    /// Nothing came for too long.
    #[error("it was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// What came is not a valid frame, or came at the wrong time.
    #[error("it broke the protocol: {0}")]
    Protocol(WireError),
    /// The head of the response must not reach a client.
    #[error("its response head is not acceptable: {0}")]
    Head(BadHead),
    /// A header is longer than `header-buffer-size`.
    #[error(
        "the response header \"{name}\" has {length} bytes, header-buffer-size= allows {limit}",
        name = .0.name, length = .0.length, limit = .0.limit
    )]
    LongHeader(LongHeader),
    /// A descriptor that is not what it should be.
    #[error("the descriptor it sent was refused: {0}")]
    Descriptor(&'static str),
    /// More files than one response may have.
    #[error("it sent more than {0} files for one response")]
    TooManyFiles(usize),
    /// The body does not have the announced length.
    #[error("its body has {sent} bytes, Content-Length says {announced}")]
    Length {
        /// What came, in bytes; for a body that is too long what was seen of it.
        sent: u64,
        /// What was announced, in bytes.
        announced: u64,
    },
    /// The application failed in the middle of its answer; the worker has logged why.
    #[error("the application failed")]
    Aborted,
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Timeout => Self::BodyTimeout,
            BodyError::Gone => Self::BodyGone,
            BodyError::Refused(413) => Self::BodyTooLarge,
            BodyError::Refused(status) => Self::BodyUnreadable(status),
            BodyError::Answered(status) => Self::Answered(status),
        }
    }
}

impl Failure {
    /// What the error becomes. The only place where this is decided.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        use wire::LogLevel::{Critical, Error, Info, Warning};
        let make = |owner, status, level, code, advice| Verdict {
            owner,
            status,
            retry_after: (status == 503).then_some(RETRY_AFTER),
            level,
            code,
            advice,
        };
        let worker = |status, code, advice| make(Owner::Worker, status, Some(Error), code, advice);
        let client = |status, code| make(Owner::Client, status, Some(Info), code, "");
        let us = |status, level, code, advice| make(Owner::Us, status, Some(level), code, advice);
        match self {
            Self::ClientGone => make(Owner::Client, 400, None, "", ""),
            Self::BodyGone => client(400, "WSGI1350"),
            Self::BodyTimeout => client(408, "WSGI1101"),
            Self::BodyTooLarge | Self::Answered(413) => client(413, "WSGI1102"),
            Self::BodyUnreadable(status) | Self::Answered(status) => client(*status, "WSGI1103"),
            Self::RequestTooLarge(_) => client(431, "WSGI1104"),
            Self::Spool { error, .. } => {
                let (status, advice) = if is_full(error) { (507, SPACE) } else { (500, TEMP) };
                us(status, Error, "WSGI1105", advice)
            }
            Self::QueueFull(_) => make(Owner::Worker, 503, Some(Warning), "WSGI1106", BUSY),
            Self::QueueTimeout(_) => make(Owner::Worker, 504, Some(Warning), "WSGI1107", BUSY),
            Self::ConnectTimeout(_) => worker(503, "WSGI0116", DOWN),
            Self::Connect { .. } => worker(503, "WSGI0117", DOWN),
            Self::ForeignListener { .. } => us(503, Critical, "WSGI1108", FOREIGN),
            Self::NotTaken(_) => worker(503, "WSGI1109", DOWN),
            Self::Refused { reason: RefusalReason::Script, .. } => us(500, Error, "WSGI1110", ""),
            Self::Refused { reason: RefusalReason::Version, .. }
            | Self::Protocol(WireError::Version { .. }) => us(503, Error, "WSGI1111", VERSIONS),
            Self::Reloading(_) | Self::Refused { reason: RefusalReason::Reload, .. } => {
                worker(503, "WSGI0124", CHANGING)
            }
            Self::Refused { reason: RefusalReason::Malformed, .. } => us(500, Error, "WSGI1112", REPORT),
            Self::Closed | Self::Reset => worker(502, "WSGI0146", CRASH),
            Self::Connection(_) => worker(502, "WSGI0147", CRASH),
            Self::Silent(_) => worker(504, "WSGI0145", SILENT),
            Self::Protocol(_) => worker(502, "WSGI1113", HOSTILE),
            Self::Head(_) => worker(502, "WSGI0148", HOSTILE),
            Self::LongHeader(_) => make(Owner::Application, 500, Some(Error), "WSGI0144", LONG),
            Self::Descriptor(_) | Self::TooManyFiles(_) => worker(502, "WSGI1114", HOSTILE),
            Self::Length { .. } => worker(502, "WSGI1115", LENGTH),
            Self::Aborted => make(Owner::Application, 500, Some(Error), "WSGI1117", ABOVE),
        }
    }
}

/// Seconds after which a client may try again. Queues empty, and workers are replaced, in about this time.
const RETRY_AFTER: u32 = 2;

const SPACE: &str = "Free some space there, or lower LimitRequestBody.";
const TEMP: &str =
    "Apache's user must be able to write there; TMPDIR in Apache's environment names another directory.";
const BUSY: &str = "All threads of the group are busy: look for slow requests, or raise processes= or threads= (or \
                    listen-backlog= to let more requests wait).";
const DOWN: &str =
    "The worker is starting, or fails to start: the lines of the supervisor and of the worker say why.";
const FOREIGN: &str =
    "Nothing was sent to it. Find out who could write to the socket's directory, and restart Apache.";
const CHANGING: &str =
    "Something changes the file's time all the time: look for a program that writes to it.";
const VERSIONS: &str = "mod_wsgi.so and _wsgi_runtime.abi3.so are of different versions: install both, then stop and start \
                        Apache.";
const REPORT: &str = "This should not happen: please report it with this line.";
const CRASH: &str = "The supervisor's line about the worker says with which signal or status it ended; often it is a C \
                     extension, memory-limit= or the kernel's OOM killer.";
const SILENT: &str =
    "Look for a request that hangs, or raise socket-timeout= of the group or Timeout of the server.";
const HOSTILE: &str = "Code in the worker writes to the connection past mod_wsgi, or mod_wsgi has a bug; nothing of it was \
                       passed on.";
const LONG: &str = "Let the application send less in it, or raise header-buffer-size= of the group.";
const LENGTH: &str = "Let the application send the length it announces, or not announce one.";
const ABOVE: &str = "The lines above say why.";

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What the request was about when it failed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before a worker was chosen.
    Arriving,
    /// A worker was chosen, and the request not sent yet.
    Sending,
    /// The worker has the request and has not answered yet.
    Working,
    /// This many bytes of the body came.
    Answering(u64),
}

/// The line for the error log.
#[must_use]
pub fn sentence(failure: &Failure, stage: Stage, script: &[u8], group: &str, slot: Option<usize>) -> String {
    let verdict = failure.verdict();
    // Errors in the middle of a body have the reference's code whatever their reason is.
    let code = match (stage, verdict.owner) {
        (Stage::Answering(_), Owner::Worker) => "WSGI0119",
        _ => verdict.code,
    };
    let worker = slot.map(|slot| format!(", slot {slot}")).unwrap_or_default();
    let doing = match stage {
        // A refusal has its own words to the end, and they say when it was.
        _ if matches!(failure, Failure::Refused { .. }) => String::new(),
        Stage::Arriving => String::new(),
        Stage::Sending => " while the request was sent to it".to_owned(),
        Stage::Working => " while it worked on the request, before an answer".to_owned(),
        Stage::Answering(bytes) => {
            format!(" while it answered, after {bytes} bytes of the body; the client sees a broken response")
        }
    };
    let script = printable(script);
    let gap = if verdict.advice.is_empty() { "" } else { " " };
    format!(
        "[script {script}] {code}: Process group '{group}'{worker}: {failure}{doing}.{gap}{}",
        verdict.advice
    )
}

/// Text of unknown origin for a message: one line, no controls, no bytes that are not UTF-8.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(bytes).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lg_4_a_line_says_code_group_worker_cause_and_next_step() {
        let line = sentence(&Failure::Closed, Stage::Working, b"/srv/a.wsgi", "shop", Some(1));
        assert_eq!(
            line,
            "[script /srv/a.wsgi] WSGI0146: Process group 'shop', slot 1: the worker closed the connection: it has crashed, or \
             was killed while it worked on the request, before an answer. The supervisor's line about the worker says with \
             which signal or status it ended; often it is a C extension, memory-limit= or the kernel's OOM killer."
        );
        let line = sentence(&Failure::Closed, Stage::Answering(7), b"/a", "g", None);
        assert!(line.contains("WSGI0119: Process group 'g': ") && line.contains("after 7 bytes"), "{line}");
        let refused =
            Failure::Refused { reason: RefusalReason::Script, text: "the script is outside: add it".into() };
        let line = sentence(&refused, Stage::Working, b"/a", "g", None);
        assert!(line.ends_with(": it refused the request: the script is outside: add it."), "{line}");
    }

    #[test]
    fn statuses_are_those_of_the_reference() {
        let status = |failure: Failure| failure.verdict().status;
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(status(Failure::Spool { directory: "/tmp".into(), error: full }), 507);
        assert_eq!(status(Failure::ConnectTimeout(Duration::from_secs(15))), 503);
        assert_eq!(status(Failure::QueueTimeout(Duration::from_secs(1))), 504);
        assert_eq!(status(Failure::Silent(Duration::from_secs(60))), 504);
        assert_eq!(status(Failure::Closed), 502);
        assert_eq!(status(Failure::BodyTimeout), 408);
        assert_eq!(Failure::QueueFull(100).verdict().retry_after, Some(RETRY_AFTER));
        assert_eq!(Failure::Closed.verdict().retry_after, None);
    }

    #[test]
    fn wf_5_another_version_is_a_503_with_plain_words() {
        let verdict = Failure::Protocol(WireError::Version { theirs: 9 }).verdict();
        assert_eq!((verdict.status, verdict.advice), (503, VERSIONS));
    }
}
