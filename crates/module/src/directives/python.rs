//! Directives about Python in the workers, at the top level and in `<WSGIInterpreterOptions>`. Which of them wins is `spec`'s part.

use httpd::{Line, Outcome, Scope};
use spec::directives::{self as rows, DirectiveRow, Key};
use spec::interpreter::{Said, Section, Selector, values};
use spec::options::words::Words;
use spec::options::{OptionError, value};

use super::{name_of, shown};
use crate::config::Remark;
use crate::hooks::Wsgi;

/// Stores an argument, or says what is wrong with it.
type Read = fn(&mut Said, &str) -> Result<(), &'static str>;

/// What may stand in the section as well as outside.
const INSIDE: [(DirectiveRow, Read); 7] = [
    (rows::PER_INTERPRETER_GIL, |said, word| flag(&mut said.own_gil, word)),
    (rows::FREE_THREADING, |said, word| flag(&mut said.free_threading, word)),
    (rows::SWITCH_INTERVAL, |said, word| {
        said.switch_interval = Some(values::switch_interval(word)?);
        Ok(())
    }),
    (rows::PYTHON_PATH, |said, word| {
        said.python_path = value::paths(word)?;
        Ok(())
    }),
    (rows::RESTRICT_STDIN, |said, word| flag(&mut said.restrict_stdin, word)),
    (rows::RESTRICT_STDOUT, |said, word| flag(&mut said.restrict_stdout, word)),
    (rows::RESTRICT_SIGNAL, |said, word| flag(&mut said.restrict_signal, word)),
];

fn flag(slot: &mut Option<bool>, word: &str) -> Result<(), &'static str> {
    *slot = Some(value::flag(word)?);
    Ok(())
}

pub(super) fn optimize(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let level = read(&rows::PYTHON_OPTIMIZE, word, values::optimize)?;
    scope.main_config()?.global.python.optimize = Some(level);
    Ok(())
}

pub(super) fn warnings(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let filter = read(&rows::PYTHON_WARNINGS, word, values::warning)?;
    scope.main_config()?.global.python.warnings.push(filter);
    Ok(())
}

pub(super) fn hash_seed(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let seed = read(&rows::PYTHON_HASH_SEED, word, values::hash_seed)?;
    scope.main_config()?.global.python.hash_seed = Some(seed);
    Ok(())
}

pub(super) fn dont_write_bytecode(scope: &mut Scope<'_, Wsgi>, on: bool) -> Outcome {
    scope.main_config()?.global.python.dont_write_bytecode = Some(on);
    Ok(())
}

pub(super) fn destroy_interpreter(scope: &mut Scope<'_, Wsgi>, on: bool) -> Outcome {
    scope.main_config()?.global.python.destroy_interpreters = Some(on);
    Ok(())
}

pub(super) fn case_sensitivity(scope: &mut Scope<'_, Wsgi>, on: bool) -> Outcome {
    scope.main_config()?.global.python.case_sensitive = Some(on);
    Ok(())
}

/// A directive of [`INSIDE`] outside of sections.
pub(super) fn top(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let name = scope.name();
    store(&mut scope.main_config()?.global.python.top, name.as_bytes(), line)?;
    let why = match name {
        "WSGIPythonPath" => {
            "outside of <WSGIInterpreterOptions> it is about embedded mode, which this version has not; for a process group write \
             python-path=DIRECTORY behind WSGIDaemonProcess"
        }
        "WSGISwitchInterval" => {
            "outside of <WSGIInterpreterOptions> it is about embedded mode, which this version has not; for a process group write \
             switch-interval=SECONDS behind WSGIDaemonProcess"
        }
        _ => return Ok(()),
    };
    scope.server().config::<Wsgi>().remark(Remark::Idle { directive: name, why });
    Ok(())
}

/// `<WSGIInterpreterOptions ...>` with all that is in it.
pub(super) fn section(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let selector = selector(line).map_err(|reason| format!("<WSGIInterpreterOptions>: {reason}"))?;
    let said = contents(&scope.children())?;
    if let Some(name) = selector.application_group.as_deref().filter(|_| said.free_threading.is_some()) {
        let name = if name.is_empty() { "%{GLOBAL}" } else { name };
        scope.server().config::<Wsgi>().remark(Remark::FreeThreadingOfOne(name.to_owned()));
    }
    let (file, number) = scope.location();
    let place = format!("{}:{number}", String::from_utf8_lossy(file));
    scope.main_config()?.global.python.sections.push(Section { selector, said, place });
    Ok(())
}

/// What the lines of a section say.
fn contents(lines: &[Line<'_>]) -> Result<Said, String> {
    let mut said = Said::default();
    for line in lines {
        store(&mut said, line.name, line.arguments)
            .map_err(|reason| format!("{reason} ({}:{})", shown(line.file), line.number))?;
    }
    Ok(said)
}

fn store(said: &mut Said, name: &[u8], arguments: &[u8]) -> Outcome {
    let found = INSIDE.iter().find(|(row, _)| row.name.to_bytes().eq_ignore_ascii_case(name));
    let Some((row, read_into)) = found else {
        let name = shown(name);
        let known = INSIDE.map(|(row, _)| row.name.to_string_lossy().into_owned()).join(", ");
        return Err(format!(
            "{name} cannot stand in <WSGIInterpreterOptions>: put it outside; inside may stand {known}"
        ));
    };
    let mut words = Words::new(arguments);
    let mut word = || words.word().map_err(|error| format!("{}: {error}", name_of(row)));
    let (Some(argument), None) = (word()?, word()?) else {
        return Err(format!("{} takes exactly one argument: write {0} {}", name_of(row), row.syntax));
    };
    read(row, &argument, |word| read_into(said, word))
}

/// Reads an argument; what is wrong with it becomes a sentence.
fn read<T>(
    row: &DirectiveRow,
    word: &[u8],
    read: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, String> {
    let sentence =
        |reason| format!("{} \"{}\" {reason}: write {0} {}", name_of(row), shown(word), row.syntax);
    read(std::str::from_utf8(word).map_err(|_| sentence("is not UTF-8"))?).map_err(sentence)
}

/// The arguments of the section, with the `>` at their end.
pub(super) fn selector(line: &[u8]) -> Result<Selector, String> {
    let row = &rows::INTERPRETER_OPTIONS;
    let line = line.trim_ascii_end();
    let Some(arguments) = line.strip_suffix(b">") else {
        return Err("directive missing closing '>': add it at the end of the line".to_owned());
    };
    let mut selector = Selector::default();
    let mut words = Words::new(arguments);
    let not_a_pair = |error| match error {
        OptionError::NotAnOption(word) => {
            format!("argument '{word}' is not of the form key=value: write {}", row.usage())
        }
        error => error.to_string(),
    };
    while let Some((name, value)) = words.option().map_err(not_a_pair)? {
        let unknown = || {
            let known: Vec<_> = row.options().iter().map(|option| option.key.name()).collect();
            format!(
                "unknown selector '{}', expected {}: write {}",
                shown(name),
                known.join(" or "),
                row.usage()
            )
        };
        let option = row.option(&name.to_ascii_lowercase()).ok_or_else(unknown)?;
        let slot = match option.key {
            Key::ProcessGroup => &mut selector.process_group,
            Key::ApplicationGroup => &mut selector.application_group,
            Key::CallableObject | Key::PassAuthorization => return Err(unknown()),
        };
        if slot.is_some() {
            return Err(format!("{} given more than once: keep one of them", shown(name)));
        }
        let refused = |reason: &str| {
            let (name, value) = (shown(name), shown(&value));
            format!("{name}=\"{value}\" {reason}: write {}={}", option.key.name(), option.syntax)
        };
        *slot = Some(match value.as_slice() {
            b"%{GLOBAL}" => String::new(),
            b"" => return Err(refused("is empty")),
            _ if value.starts_with(b"%") => {
                return Err(refused("depends on requests, so the name that it leads to is needed"));
            }
            name => std::str::from_utf8(name).map(str::to_owned).map_err(|_| refused("is not UTF-8"))?,
        });
    }
    Ok(selector)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sections_select_by_names() {
        let read = |text: &str| selector(text.as_bytes());
        let both = read(" process-group=g Application-Group=\"a b\" >").unwrap();
        assert_eq!(both.process_group.as_deref(), Some("g"));
        assert_eq!(both.application_group.as_deref(), Some("a b"));
        assert_eq!(read(">").unwrap(), Selector::default());
        assert_eq!(read("process-group=%{GLOBAL}>").unwrap().process_group.as_deref(), Some(""));
        for (text, part) in [
            ("process-group=g", "missing closing '>'"),
            ("g>", "argument 'g' is not of the form key=value"),
            ("group=g>", "unknown selector 'group', expected"),
            ("process-group=a process-group=b>", "given more than once"),
            ("process-group=>", "is empty"),
            ("application-group=%{ENV:X}>", "depends on requests"),
            ("application-group=\"a>", "quote"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn lines_of_a_section_are_read_or_refused() {
        let line = |name: &'static str, arguments: &'static str| Line {
            name: name.as_bytes(),
            arguments: arguments.as_bytes(),
            file: b"a.conf",
            number: 7,
            inside: Vec::new(),
        };
        let said = contents(&[
            line("wsgiRestrictStdin", "on"),
            line("WSGIPythonPath", "\"/a b:/c\""),
            line("WSGISwitchInterval", "0.01"),
        ]);
        let said = said.unwrap();
        assert_eq!((said.restrict_stdin, said.python_path.len()), (Some(true), 2));
        assert_eq!(said.switch_interval, Some(Duration::from_millis(10)));
        for (name, arguments, part) in [
            (
                "WSGIRestrictStdin",
                "yes",
                "is neither On nor Off: write WSGIRestrictStdin On | Off (a.conf:7)",
            ),
            ("WSGIRestrictStdin", "", "exactly one argument"),
            ("WSGIRestrictStdin", "On Off", "exactly one argument"),
            ("WSGIPythonPath", "lib", "absolute"),
            ("WSGIProcessGroup", "x", "cannot stand in <WSGIInterpreterOptions>"),
            ("ServerName", "x", "cannot stand in <WSGIInterpreterOptions>"),
        ] {
            let error = contents(&[line(name, arguments)]).unwrap_err();
            assert!(error.contains(part), "{name} {arguments}: {error}");
        }
    }
}
