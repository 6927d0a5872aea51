//! `wsgictl explain`: what log codes mean, from the catalogue that `docs/errors.md` is made from.

use std::fmt::Write as _;

use spec::catalogue::{self, Entry};

use crate::error::Error;

/// Prints what each code means.
///
/// # Errors
/// When one of them is no code of this version; the others are printed first.
pub fn run(codes: &[String]) -> Result<(), Error> {
    let mut unknown = None;
    let mut explained = Vec::new();
    for word in codes {
        match number(word).and_then(catalogue::find) {
            Some(entry) => explained.push(text(entry)),
            None => unknown = unknown.or(Some(word)),
        }
    }
    if !explained.is_empty() {
        println!("{}", explained.join("\n"));
    }
    match unknown {
        Some(word) => Err(Error::UnknownCode { word: word.clone() }),
        None => Ok(()),
    }
}

/// The number of `WSGI0146`, `wsgi146`, `146`.
fn number(word: &str) -> Option<u16> {
    let digits = match word.get(..4) {
        Some(letters) if letters.eq_ignore_ascii_case("WSGI") => word.get(4..)?,
        _ => word,
    };
    // A code is pasted from a log with what follows it.
    let digits = digits.strip_suffix(':').unwrap_or(digits);
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn text(entry: &Entry) -> String {
    let mut text = format!("{} ({})\n", entry.name(), entry.level);
    for (title, words) in
        [("What happened", entry.happened), ("Usual causes", entry.why), ("What to do", entry.action)]
    {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{title}:");
        fill(&mut text, words);
    }
    text
}

/// Adds the words in lines of at most [`WIDTH`] characters.
fn fill(text: &mut String, words: &str) {
    const WIDTH: usize = 100;
    const INDENT: &str = "  ";
    let mut line = INDENT.to_owned();
    for word in words.split(' ') {
        if line.len() > INDENT.len() && line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            INDENT.clone_into(&mut line);
        }
        if line.len() > INDENT.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        for word in ["WSGI0146", "wsgi0146", "Wsgi146", "146", "0146", "WSGI0146:"] {
            assert_eq!(number(word), Some(146), "{word}");
        }
        for word in ["", "WSGI", "+146", "WSGI-1", "AH00526", "99999999", "\u{e9}\u{e9}146"] {
            assert_eq!(number(word), None, "{word}");
        }
    }

    #[test]
    fn lines_fit_a_terminal_and_lose_no_word() {
        for entry in catalogue::all() {
            let text = text(entry);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            let words: Vec<&str> = text.split_whitespace().collect();
            assert!(words.join(" ").contains(entry.action), "{text}");
        }
    }
}
