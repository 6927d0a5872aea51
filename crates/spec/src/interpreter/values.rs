//! The arguments of directives about Python. A refusal is the middle of a sentence: `WSGIPythonOptimize "x" {refusal}`.

use std::time::Duration;

use super::HashSeed;

/// Why a text is refused, and what is allowed.
pub type Refusal = &'static str;

/// The actions of a warning filter; each may be cut short (`warnings._getaction`).
const ACTIONS: [&str; 7] = ["default", "always", "all", "ignore", "module", "once", "error"];
const WARNING_FIELDS: usize = 5;

/// Reads `WSGIPythonOptimize`.
///
/// # Errors
/// What is wrong with the text.
pub fn optimize(text: &str) -> Result<u8, Refusal> {
    match text {
        "0" => Ok(0),
        "1" => Ok(1),
        "2" => Ok(2),
        _ => Err("is none of 0, 1 (as python -O) and 2 (as python -OO)"),
    }
}

/// Reads `WSGIPythonHashSeed`.
///
/// # Errors
/// What is wrong with the text.
pub fn hash_seed(text: &str) -> Result<HashSeed, Refusal> {
    const SENTENCE: Refusal = "must be \"random\" or an integer in range [0; 4294967295]";
    if text == "random" {
        return Ok(HashSeed::Random);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seed = if digits { text.parse().ok() } else { None };
    seed.map(HashSeed::Fixed).ok_or(SENTENCE)
}

/// Reads `WSGISwitchInterval` and `switch-interval=`: seconds, with decimals.
///
/// # Errors
/// What is wrong with the text.
pub fn switch_interval(text: &str) -> Result<Duration, Refusal> {
    const LONGEST: f64 = 3600.0;
    const SHORTEST: f64 = 0.000_001;
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".eE-".contains(&byte));
    let seconds: f64 = if plain { text.parse().ok() } else { None }
        .ok_or("is not a positive number of seconds, such as 0.005")?;
    // Python counts microseconds, and an hour is for ever.
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        return Err("must be a positive number of seconds: from 0.000001 to 3600");
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "must be a positive number of seconds")
}

/// Reads `WSGIPythonWarnings`, as `python -W` does. Whether category and module exist is known only where Python runs.
///
/// # Errors
/// What is wrong with the text.
pub fn warning(text: &str) -> Result<String, Refusal> {
    if text.contains(char::is_control) {
        return Err("has a control character in it");
    }
    let fields: Vec<&str> = text.split(':').map(str::trim).collect();
    let action = fields.first().copied().unwrap_or_default();
    if action.is_empty() || !ACTIONS.iter().any(|known| known.starts_with(action)) {
        return Err("does not begin with one of default, always, ignore, module, once and error");
    }
    if fields.len() > WARNING_FIELDS {
        return Err("has more than the five parts action:message:category:module:line");
    }
    let line = fields.get(WARNING_FIELDS - 1).copied().unwrap_or_default();
    if !line.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has something else than a line number behind its last colon");
    }
    Ok(text.to_owned())
}
