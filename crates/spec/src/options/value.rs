//! Values of options as types that cannot be wrong. Numbers are strict: digits only, no sign unless it means something, no space,
//! no trailing text. A refusal is the middle of a sentence: `threads="x" {refusal}: write threads=...`.

use std::path::PathBuf;
use std::time::Duration;

use crate::Chroot;

/// Why a value is refused.
pub type Refusal = &'static str;

const NOT_A_NUMBER: Refusal = "is not a whole number";
const OUT_OF_RANGE: Refusal = "is out of range";
const EMPTY: Refusal = "is empty";
const YEAR: u64 = 366 * 24 * 3600;

/// A whole number between two bounds, both included.
pub(super) fn number(text: &str, low: u64, high: u64) -> Result<u64, Refusal> {
    if text.is_empty() {
        return Err(EMPTY);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NOT_A_NUMBER);
    }
    text.parse().ok().filter(|n| (low..=high).contains(n)).ok_or(OUT_OF_RANGE)
}

macro_rules! bounded {
    ($(#[$doc:meta] $name:ident: $low:literal ..= $high:literal;)+) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// Reads it.
            ///
            /// # Errors
            /// What is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                number(text, $low, $high).and_then(|n| u32::try_from(n).map_err(|_| OUT_OF_RANGE)).map(Self)
            }

            /// The number.
            #[must_use]
            pub fn get(self) -> u32 {
                self.0
            }
        }
    )+};
}

bounded! {
    /// Number of worker processes.
    Processes: 1 ..= 4096;
    /// Number of request threads of a worker; 0 for service scripts.
    Threads: 0 ..= 65533;
    /// Length of a socket's queue; the kernel cuts it at `net.core.somaxconn`.
    Backlog: 0 ..= 65535;
}

/// A time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Duration);

impl Timeout {
    /// Reads seconds, 0 included.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        number(text, 0, YEAR).map(|seconds| Self(Duration::from_secs(seconds)))
    }

    /// The time.
    #[must_use]
    pub fn get(self) -> Duration {
        self.0
    }

    /// The time, where 0 stands for "none".
    #[must_use]
    pub fn some(self) -> Option<Duration> {
        Some(self.0).filter(|time| !time.is_zero())
    }
}

/// A file mode creation mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Umask(u32);

impl Umask {
    /// Reads one to four octal digits.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let octal = (1..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mask = if octal { u32::from_str_radix(text, 8).ok() } else { None };
        mask.filter(|mask| *mask <= 0o777).map(Self).ok_or("is not an octal number from 0 to 0777")
    }

    /// The mask.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A user or group as written: a name, or a number behind `#`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// To be looked up in the database.
    Name(String),
    /// The number itself.
    Number(u32),
}

impl Identity {
    /// Reads it. Root is refused later, when names are looked up, so that there is one place that does it.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(EMPTY);
        }
        if let Some(digits) = text.strip_prefix('#') {
            // 4294967295 is (uid_t)-1, which setresuid(2) takes as "leave it as it is".
            let id = number(digits, 0, u64::from(u32::MAX) - 1)
                .map_err(|_| "is not an id: behind # stands a whole number from 1 to 4294967294")?;
            return u32::try_from(id).map(Self::Number).map_err(|_| OUT_OF_RANGE);
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || ":,/".contains(c);
        if text.contains(odd) || text.starts_with('-') {
            return Err("cannot be the name of a user or group");
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// Reads a list with commas; an empty text is the empty list.
    ///
    /// # Errors
    /// What is wrong with the first bad item.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Refusal> {
        if text.is_empty() { Ok(Vec::new()) } else { text.split(',').map(Self::parse).collect() }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(id) => write!(f, "#{id}"),
        }
    }
}

/// An absolute path.
///
/// # Errors
/// What is wrong with the text.
pub fn absolute(text: &str) -> Result<PathBuf, Refusal> {
    match text {
        "" => Err(EMPTY),
        _ if text.contains(char::is_control) => Err("has a control character in it"),
        _ if text.starts_with('/') => Ok(PathBuf::from(text)),
        _ => Err("is not an absolute path (it does not begin with /)"),
    }
}

/// An absolute directory to be the root of workers.
///
/// # Errors
/// What is wrong with the text.
pub fn chroot(text: &str) -> Result<Chroot, Refusal> {
    Chroot::new(&absolute(text)?).ok_or("has .. in it")
}

/// Absolute paths with colons between them; empty items do not count.
///
/// # Errors
/// What is wrong with the first bad item.
pub fn paths(text: &str) -> Result<Vec<PathBuf>, Refusal> {
    let paths: Vec<PathBuf> =
        text.split(':').filter(|item| !item.is_empty()).map(absolute).collect::<Result<_, _>>()?;
    if paths.is_empty() { Err(EMPTY) } else { Ok(paths) }
}

/// A text of at least one character, none of them a control character.
///
/// # Errors
/// What is wrong with the text.
pub fn text(value: &str) -> Result<String, Refusal> {
    match value {
        "" => Err(EMPTY),
        _ if value.contains(char::is_control) => Err("has a control character in it"),
        _ => Ok(value.to_owned()),
    }
}

/// `On` or `Off`, in any case.
///
/// # Errors
/// What is wrong with the text.
pub fn flag(text: &str) -> Result<bool, Refusal> {
    if text.eq_ignore_ascii_case("on") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("off") {
        Ok(false)
    } else {
        Err("is neither On nor Off")
    }
}

/// A nice value from -20 to 19.
///
/// # Errors
/// What is wrong with the text.
pub fn priority(text: &str) -> Result<i32, Refusal> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let size = number(digits, 0, 20)?;
    let value = sign * i32::try_from(size).map_err(|_| OUT_OF_RANGE)?;
    if (-20..=19).contains(&value) { Ok(value) } else { Err(OUT_OF_RANGE) }
}

/// A limit in bytes; `None` for 0. Small numbers are refused: they are kilobytes or megabytes by mistake.
///
/// # Errors
/// What is wrong with the text.
pub fn limit(text: &str) -> Result<Option<u64>, Refusal> {
    match number(text, 0, i64::MAX as u64)? {
        0 => Ok(None),
        n if n < 16 * 1024 * 1024 => Err("is less than Python needs to start (the number is in bytes)"),
        n => Ok(Some(n)),
    }
}

/// Size of a thread's stack in bytes.
///
/// # Errors
/// What is wrong with the text.
pub fn stack(text: &str) -> Result<u64, Refusal> {
    number(text, 256 * 1024, 1024 * 1024 * 1024)
}

/// A size in bytes of which 0 is the default, `None`. Small numbers are refused: they are kilobytes by mistake, or useless.
fn size(text: &str, least: u32, refusal: Refusal) -> Result<Option<u32>, Refusal> {
    match number(text, 0, i32::MAX as u64)? {
        0 => Ok(None),
        n => u32::try_from(n).ok().filter(|n| *n >= least).map(Some).ok_or(refusal),
    }
}

/// Size of a socket's buffer in bytes; `None` for 0.
///
/// # Errors
/// What is wrong with the text.
pub fn socket_buffer(text: &str) -> Result<Option<u32>, Refusal> {
    size(text, 512, "is less than 512 bytes")
}

/// Longest response header in bytes; `None` for 0.
///
/// # Errors
/// What is wrong with the text.
pub fn header_buffer(text: &str) -> Result<Option<u32>, Refusal> {
    size(text, 8192, "is less than 8192 bytes")
}

/// Bytes of a response that are held for a client; `None` for 0.
///
/// # Errors
/// What is wrong with the text.
pub fn response_buffer(text: &str) -> Result<Option<u32>, Refusal> {
    size(text, 65536, "is less than 65536 bytes")
}

/// A time in milliseconds, up to a minute.
///
/// # Errors
/// What is wrong with the text.
pub fn milliseconds(text: &str) -> Result<Duration, Refusal> {
    number(text, 0, 60_000).map(Duration::from_millis)
}

/// `NAME=VALUE` for the environment of a worker.
///
/// # Errors
/// What is wrong with the text.
pub fn variable(text: &str) -> Result<(String, String), Refusal> {
    let Some((name, value)) = text.split_once('=') else { return Err("has no \"=\" between name and value") };
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(letter) {
        return Err("does not begin with a name of letters, digits and underscores");
    }
    if value.contains('\0') {
        return Err("has a NUL character in it");
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Checks the name of a process group.
///
/// # Errors
/// The end of the sentence `WSGIDaemonProcess "NAME": ...`.
pub fn group_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err("the name is empty: give the process group a name, such as the site's");
    }
    if name.len() > 200 {
        return Err("the name is longer than 200 bytes: choose a shorter one");
    }
    if name.contains(char::is_control) {
        return Err(
            "the name has a control character in it: use letters, digits, hyphens, dots and underscores",
        );
    }
    if name.starts_with('%') {
        return Err(
            "a name that begins with % could not be told from %{GLOBAL} and the like: choose another",
        );
    }
    Ok(())
}
