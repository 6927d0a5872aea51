//! Skipping a test so that it is seen and counted: a test that cannot run here never looks like one that passed.

use std::io::Write;

/// Prints one line for a skipped test and adds it to the file named by `WSGI_TEST_SKIPS`, which the runner sums up.
///
/// nextest hides what a passing test prints; the file is how the count survives.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("WSGI_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        // One write of one short line: appends of parallel tests do not mix.
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("cannot add to WSGI_TEST_SKIPS={}: {error}", path.display()));
    }
}

/// The name of the test that runs on this thread, as libtest gives it to its threads.
pub fn test_name() -> String {
    std::thread::current().name().unwrap_or("unnamed").to_owned()
}

/// How often a test does what it does: `long` times where `WSGI_LONG_TESTS` is set, else `short` times, which is counted as a skip of
/// the long form.
pub fn repetitions(short: usize, long: usize) -> usize {
    if std::env::var_os("WSGI_LONG_TESTS").is_some() {
        return long;
    }
    let reason = format!("{short} times instead of {long}: set WSGI_LONG_TESTS=1 for all");
    skipped(&format!("a part of {}", test_name()), &reason);
    short
}

/// Leaves the test with one counted line that says why it cannot run here.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::skip::skipped(&$crate::skip::test_name(), &format!($($reason)+));
        return;
    }};
}

/// The value of a `Result<_, String>`, or a counted skip with its reason.
#[macro_export]
macro_rules! need {
    ($have:expr) => {
        match $have {
            Ok(value) => value,
            Err(reason) => $crate::skip!("{reason}"),
        }
    };
}
