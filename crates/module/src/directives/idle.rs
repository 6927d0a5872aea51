//! Directives that are read for compatibility: those without an effect, those about telemetry, and those that are gone.

use std::path::PathBuf;

use httpd::{Outcome, Scope};
use spec::directives::Effect;
use spec::options::value;
use spec::options::words::Words;

use super::{row_of, shown};
use crate::config::Remark;
use crate::hooks::Wsgi;

/// What `WSGIAcceptMutex` may say: the locks that APR has.
const LOCKS: [&str; 6] = ["default", "flock", "fcntl", "sysvsem", "posixsem", "pthread"];
/// The flag of `WSGITelemetryOptions`.
const FLAG: &str = "CaptureUserAgent";
/// The shortest interval of `WSGITelemetryService` in seconds.
const SHORTEST: f64 = 0.5;

/// A directive of the table without an effect.
pub(super) fn idle(scope: &mut Scope<'_, Wsgi>, _on: bool) -> Outcome {
    note_idle(scope);
    Ok(())
}

/// Notes that the directive has no effect, if so.
fn note_idle(scope: &Scope<'_, Wsgi>) {
    let remark = match row_of(scope.name()).map(|row| row.effect) {
        Some(Effect::None(why)) => Remark::Idle { directive: scope.name(), why },
        Some(Effect::Telemetry) => Remark::Telemetry,
        Some(Effect::Works | Effect::Removed(_)) | None => return,
    };
    // An .htaccess file is read for each request: there is no start to say it at.
    if !scope.in_htaccess() {
        scope.server().config::<Wsgi>().remark(remark);
    }
}

pub(super) fn accept_mutex(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    if !LOCKS.iter().any(|lock| lock.as_bytes().eq_ignore_ascii_case(word)) {
        let word = shown(word);
        return Err(format!(
            "WSGIAcceptMutex: Accept mutex lock mechanism '{word}' is invalid. Valid accept mutex mechanisms for this platform are: \
             {}",
            LOCKS.join(", ")
        ));
    }
    note_idle(scope);
    Ok(())
}

/// A directory for embedded mode.
pub(super) fn directory(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    super::global::absolute(scope, word).map(|_: PathBuf| note_idle(scope))
}

/// A directive that mod_wsgi has no more.
pub(super) fn removed(scope: &mut Scope<'_, Wsgi>, _line: &[u8]) -> Outcome {
    let name = scope.name();
    match row_of(name).map(|row| row.effect) {
        Some(Effect::Removed(instead)) => {
            Err(format!("{name} does not exist any more since mod_wsgi 6: {instead}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn telemetry_service(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    complain(scope, line, service)
}

pub(super) fn slow_requests(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    complain(scope, line, threshold)
}

pub(super) fn telemetry_options(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    complain(scope, line, flags)
}

/// Reads the words of a line and notes that they have no effect.
fn complain(scope: &Scope<'_, Wsgi>, line: &[u8], read: fn(&[String]) -> Result<(), String>) -> Outcome {
    let name = scope.name();
    let mut words = Words::new(line);
    let mut all = Vec::new();
    while let Some(word) = words.word().map_err(|error| format!("{name}: {error}"))? {
        all.push(shown(&word));
    }
    let syntax = row_of(name).map_or("", |row| row.syntax);
    read(&all).map_err(|reason| format!("{name}: {reason}: write {name} {syntax}"))?;
    note_idle(scope);
    Ok(())
}

/// The arguments of `WSGITelemetryService`.
fn service(words: &[String]) -> Result<(), String> {
    let [target, rest @ ..] = words else { return Err("target required".to_owned()) };
    let path = target.strip_prefix("unix:").filter(|path| value::absolute(path).is_ok());
    if path.is_none() {
        return Err(
            "target must be 'unix:/path' (remote 'udp:host:port' targets are no longer supported)".to_owned()
        );
    }
    let interval = match rest {
        [] => return Ok(()),
        [one] => one.strip_prefix("interval="),
        _ => None,
    };
    let seconds = interval.ok_or("second argument must be 'interval=N'")?.parse::<f64>();
    match seconds {
        Ok(seconds) if seconds.is_finite() && seconds >= SHORTEST => Ok(()),
        _ => Err("interval must be at least 0.5 seconds".to_owned()),
    }
}

/// The argument of `WSGISlowRequests`.
fn threshold(words: &[String]) -> Result<(), String> {
    let [seconds] = words else { return Err("threshold (seconds) required".to_owned()) };
    match seconds.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(()),
        _ => Err("threshold must be non-negative".to_owned()),
    }
}

/// The arguments of `WSGITelemetryOptions`.
fn flags(words: &[String]) -> Result<(), String> {
    if words.is_empty() {
        return Err("at least one flag required".to_owned());
    }
    let relative = |word: &String| word.starts_with(['+', '-']);
    if words.iter().any(relative) && !words.iter().all(relative) {
        return Err("cannot mix +/- form with absolute names in a single directive".to_owned());
    }
    for word in words {
        let name = word.strip_prefix(['+', '-']).unwrap_or(word);
        let all = ["None", "All"].iter().any(|known| name.eq_ignore_ascii_case(known));
        if name.is_empty() {
            return Err("bare '+' / '-' is not a flag".to_owned());
        }
        if all && relative(word) {
            return Err("'None'/'All' may not have a +/- prefix".to_owned());
        }
        if !all && !name.eq_ignore_ascii_case(FLAG) {
            return Err(format!("unknown flag '{name}'"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn telemetry_is_held_against_the_reference() {
        for good in ["unix:/run/t.sock", "unix:/t interval=0.5", "unix:/t interval=2"] {
            assert_eq!(service(&words(good)), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("", "target required"),
            ("udp:host:1", "must be 'unix:/path'"),
            ("unix:t", "must be 'unix:/path'"),
            ("unix:/t 5", "'interval=N'"),
            ("unix:/t interval=1 x", "'interval=N'"),
            ("unix:/t interval=0.4", "at least 0.5"),
            ("unix:/t interval=x", "at least 0.5"),
        ] {
            assert!(service(&words(bad)).unwrap_err().contains(part), "{bad}");
        }
        assert_eq!((threshold(&words("0")), threshold(&words("2.5"))), (Ok(()), Ok(())));
        for (bad, part) in
            [("", "required"), ("1 2", "required"), ("-1", "non-negative"), ("x", "non-negative")]
        {
            assert!(threshold(&words(bad)).unwrap_err().contains(part), "{bad}");
        }
    }

    #[test]
    fn telemetry_flags_are_held_against_the_reference() {
        for good in
            ["None", "all", "captureuseragent", "+CaptureUserAgent", "-CaptureUserAgent +CaptureUserAgent"]
        {
            assert_eq!(flags(&words(good)), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("", "at least one"),
            ("+", "bare"),
            ("+CaptureUserAgent CaptureUserAgent", "cannot mix"),
            ("+None", "may not have"),
            ("x", "unknown flag 'x'"),
            ("+x", "unknown flag 'x'"),
        ] {
            assert!(flags(&words(bad)).unwrap_err().contains(part), "{bad}");
        }
    }
}
