//! What somebody who has mistyped an option may have meant.

use super::table;

/// More changes than these make another word.
const NEAR: usize = 2;

/// The option whose name is nearest, as the beginning of a sentence; empty when none is near.
pub(super) fn name(written: &str) -> String {
    let works = table::rows().filter(|row| matches!(row.state, table::State::Works(_)));
    let near = works.map(|row| (distance(written, row.name), row.name)).filter(|(far, _)| *far <= NEAR);
    near.min_by_key(|(far, _)| *far).map_or_else(String::new, |(_, name)| format!("did you mean {name}=? "))
}

/// The plain number for one with a unit, such as `512M` or `5s`, as the beginning of a sentence.
pub(super) fn number(option: &str, value: &str, syntax: &str) -> String {
    let end = value.bytes().take_while(u8::is_ascii_digit).count();
    let (Some(digits), Some(unit)) = (value.get(..end), value.get(end..)) else { return String::new() };
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" if syntax.contains("of bytes") => 1 << 10,
        "m" | "mb" | "mib" if syntax.contains("of bytes") => 1 << 20,
        "g" | "gb" | "gib" if syntax.contains("of bytes") => 1 << 30,
        "s" | "sec" if syntax.contains("of seconds") => 1,
        "m" | "min" if syntax.contains("of seconds") => 60,
        "h" if syntax.contains("of seconds") => 3600,
        _ => return String::new(),
    };
    let plain = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    plain.map_or_else(String::new, |plain| format!("did you mean {option}={plain}? "))
}

/// How many bytes to insert, remove or replace to get from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.bytes().enumerate() {
        let mut left = at + 1;
        let mut next = vec![left];
        for (pair, y) in row.windows(2).zip(b.bytes()) {
            let (corner, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            left = (corner + usize::from(x != y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, far) in
            [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("thread", "threads", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_meant() {
        assert_eq!(name("proceses"), "did you mean processes=? ");
        assert_eq!(name("something"), "");
    }

    #[test]
    fn units_become_numbers() {
        assert_eq!(
            number("memory-limit", "512M", "a whole number of bytes"),
            "did you mean memory-limit=536870912? "
        );
        assert_eq!(
            number("request-timeout", "5s", "a whole number of seconds"),
            "did you mean request-timeout=5? "
        );
        for (value, syntax) in [
            ("5x", "a whole number of seconds"),
            ("99999999999999999999s", "a whole number of seconds"),
            ("5s", "a user"),
            ("", "a number of bytes"),
            ("s", "a number of seconds"),
        ] {
            assert_eq!(number("a", value, syntax), "", "{value}");
        }
    }
}
