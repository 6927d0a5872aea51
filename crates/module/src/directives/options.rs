//! Options behind the arguments of directives, looked up in `spec`'s table: which are allowed, and the sentences about those that
//! are not.

use spec::directives::{DirectiveRow, Key, ScriptOption};
use spec::options::OptionError;
use spec::options::words::Words;

use super::shown;

/// An option as it stands in a line.
pub(super) struct Given {
    row: &'static ScriptOption,
    /// What is behind `=`, without quotes.
    pub(super) value: Vec<u8>,
}

impl Given {
    pub(super) fn key(&self) -> Key {
        self.row.key
    }

    /// The sentence about a value that is refused for this reason.
    pub(super) fn refused(&self, reason: &str) -> String {
        let (name, value) = (self.row.key.name(), shown(&self.value));
        format!("{name}=\"{value}\" {reason}: write {name}={}", self.row.syntax)
    }
}

/// The next option of a directive; `None` at the end of the line.
pub(super) fn next(directive: &DirectiveRow, words: &mut Words<'_>) -> Result<Option<Given>, String> {
    let option = words.option().map_err(|error| match error {
        OptionError::NotAnOption(word) => format!(
            "\"{word}\" is not an option: options are {}, without spaces around the \"=\"",
            directive.option_names()
        ),
        error => error.to_string(),
    })?;
    let Some((name, value)) = option else { return Ok(None) };
    let row = directive.option(name).ok_or_else(|| unknown(directive, &shown(name)))?;
    Ok(Some(Given { row, value }))
}

/// The sentence about an option that the directive does not take.
pub(super) fn unknown(directive: &DirectiveRow, name: &str) -> String {
    format!("{name}= is not an option here: options are {}", directive.option_names())
}

#[cfg(test)]
mod tests {
    use spec::directives::options::TAKING;
    use spec::directives::{self as rows};

    use super::super::{alias, calls, python, scripts};
    use super::*;

    /// What a directive's reader makes of a line.
    fn read(row: &DirectiveRow, options: &str) -> Result<String, String> {
        let is = |other: &DirectiveRow| row.name == other.name;
        let asked =
            [rows::ACCESS_SCRIPT, rows::AUTH_USER_SCRIPT, rows::AUTH_GROUP_SCRIPT, rows::DISPATCH_SCRIPT];
        if is(&rows::SCRIPT_ALIAS) || is(&rows::SCRIPT_ALIAS_MATCH) {
            alias::read(row, format!("/ /a {options}").as_bytes()).map(|read| format!("{read:?}"))
        } else if is(&rows::HANDLER_SCRIPT) {
            scripts::read_handler(format!("h /a {options}").as_bytes()).map(|read| format!("{read:?}"))
        } else if is(&rows::IMPORT_SCRIPT) {
            scripts::read_import(format!("/a {options}").as_bytes()).map(|read| format!("{read:?}"))
        } else if is(&rows::INTERPRETER_OPTIONS) {
            python::selector(format!("{options}>").as_bytes()).map(|read| format!("{read:?}"))
        } else if asked.iter().any(is) {
            calls::read_script(row, format!("/a {options}").as_bytes()).map(|read| format!("{read:?}"))
        } else {
            panic!("{:?} has no reader here", row.name)
        }
    }

    /// Two values that are allowed for an option, and one that is not.
    fn examples(key: Key) -> [&'static str; 3] {
        match key {
            Key::ProcessGroup => ["g", "\"other group\"", ""],
            Key::ApplicationGroup => ["%{GLOBAL}", "mine", ""],
            Key::CallableObject => ["app", "other", "%{ENV:X}"],
            Key::PassAuthorization => ["On", "off", "1"],
        }
    }

    #[test]
    fn every_option_of_every_directive_is_read_and_its_mistakes_refused() {
        for (row, options) in TAKING {
            let name = row.name.to_str().unwrap();
            for option in *options {
                let key = option.key.name();
                let others = options.iter().filter(|other| other.key != option.key);
                let needed = others.filter(|other| other.default.is_none());
                let needed: String =
                    needed.map(|other| format!("{}={} ", other.key.name(), examples(other.key)[0])).collect();
                let with = |value: &str| read(row, &format!("{needed}{key}={value}"));
                let [one, other, bad] = examples(option.key);
                let (one, other) = (with(one).unwrap(), with(other).unwrap());
                assert_ne!(one, other, "{name} {key}: the value is stored");
                assert_eq!(read(row, &needed).is_err(), option.default.is_none(), "{name} without {key}");
                let error = with(bad).unwrap_err();
                assert!(error.contains(&format!("write {key}={}", option.syntax)), "{name}: {error}");
            }
        }
    }

    #[test]
    fn what_a_directive_does_not_take_is_refused_with_what_it_takes() {
        for (row, options) in TAKING {
            let foreign = Key::ALL.into_iter().filter(|key| options.iter().all(|option| option.key != *key));
            for name in foreign.map(Key::name).chain(["threads"]) {
                let error = read(row, &format!("{name}=On")).unwrap_err();
                assert!(error.contains(name), "{error}");
                for option in *options {
                    assert!(error.contains(option.key.name()), "{error}");
                }
            }
            let error = read(row, "nonsense").unwrap_err();
            assert!(error.contains("nonsense") && error.contains(options[0].key.name()), "{error}");
        }
    }
}
