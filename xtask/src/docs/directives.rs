//! `docs/directives.md`, from the tables of directives and options, which the module reads configuration by.

use std::fmt::Write;

use anyhow::Result;
use spec::directives::{self, Effect, ScriptOption};
use spec::options::{self, OptionRow, State};

/// The page, below the checkout.
pub const PAGE: &str = "docs/directives.md";

const HEAD: &str = "\
# Directives

Written by `cargo xtask docs` from the tables that the module reads configuration by. *Context* has the words of the
[documentation of httpd](https://httpd.apache.org/docs/2.4/mod/directive-dict.html). mod_wsgi is that of
[modwsgi.readthedocs.io](https://modwsgi.readthedocs.io/en/latest/configuration.html), version 6; what is not said to differ is as
described there.
";

const GONE: &str = "
## Gone

Directives of earlier releases of mod_wsgi. They are refused with a sentence that says what to do instead.

| directive | instead |
|---|---|
";

const OPTIONS: &str = "
## Options of WSGIDaemonProcess

Written `name=value`, without spaces around `=`; a value with spaces in double quotes. Each option at most once, except `env`. An option
that is not listed here is refused.
";

const REMOVED: &str = "
### Gone

Options of earlier releases of mod_wsgi. The refusal says what to write instead.
";

/// The whole page.
pub fn page() -> Result<String> {
    let mut text = HEAD.to_owned();
    for row in directives::TABLE {
        if let Effect::Removed(_) = row.effect {
            continue;
        }
        let name = row.name.to_str()?;
        writeln!(text, "\n## {}\n\n{}.\n", heading(row.name)?, capital(&escaped(row.help.to_str()?)))?;
        writeln!(text, "- Syntax: `{name} {}`", row.usage())?;
        writeln!(text, "- Default: {}", escaped(row.default))?;
        writeln!(text, "- Context: {}", escaped(row.context.describe()))?;
        match row.effect {
            Effect::None(why) => writeln!(text, "- No effect here: {}", escaped(why))?,
            Effect::Telemetry => writeln!(text, "- No effect here: telemetry is not sent by this version")?,
            Effect::Works | Effect::Removed(_) => {}
        }
        if !row.difference.is_empty() {
            writeln!(text, "- Unlike mod_wsgi: {}", escaped(row.difference))?;
        }
        if row.name == directives::DAEMON_PROCESS.name {
            writeln!(text, "- Options: [below](#options-of-wsgidaemonprocess)")?;
        }
        script_options(&mut text, row.options())?;
    }
    text.push_str(GONE);
    for row in directives::TABLE {
        if let Effect::Removed(instead) = row.effect {
            writeln!(text, "| `{}` | {} |", row.name.to_str()?, escaped(instead))?;
        }
    }
    text.push_str(OPTIONS);
    table(&mut text, &["option", "value", "default", "meaning", "unlike mod_wsgi"], |row| match row.state {
        State::Works(_) => Some(vec![row.syntax, row.default, row.meaning, row.difference]),
        _ => None,
    })?;
    text.push_str(REMOVED);
    table(&mut text, &["option", "meaning", "instead"], |row| match row.state {
        State::Removed(instead) => Some(vec![row.meaning, instead]),
        _ => None,
    })?;
    Ok(text)
}

/// The options behind the arguments of a directive other than `WSGIDaemonProcess`.
fn script_options(text: &mut String, options: &[ScriptOption]) -> Result<()> {
    if options.is_empty() {
        return Ok(());
    }
    text.push_str("\n| option | value | default | meaning | unlike mod_wsgi |\n|---|---|---|---|---|\n");
    for option in options {
        let default = option.default.unwrap_or("none: it must be given");
        let cells = [option.syntax, default, option.meaning, option.difference].map(escaped);
        writeln!(text, "| `{}` | {} |", option.key.name(), cells.join(" | "))?;
    }
    Ok(())
}

/// The options that `cells` has cells for, behind their names.
fn table(
    text: &mut String,
    head: &[&str],
    cells: impl Fn(&OptionRow) -> Option<Vec<&'static str>>,
) -> Result<()> {
    writeln!(text, "\n| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()))?;
    for row in options::rows() {
        if let Some(cells) = cells(row) {
            let cells: Vec<String> = cells.into_iter().map(escaped).collect();
            writeln!(text, "| `{}` | {} |", row.name, cells.join(" | "))?;
        }
    }
    Ok(())
}

/// The directive's name as a heading; a section's has its closing bracket.
fn heading(name: &std::ffi::CStr) -> Result<String> {
    let name = name.to_str()?;
    Ok(name.strip_prefix('<').map_or_else(|| name.to_owned(), |section| escaped(&format!("<{section}>"))))
}

/// Text for Markdown, where bars end cells and angle brackets begin tags.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_and_option_is_on_the_page() {
        let page = page().unwrap();
        for row in directives::TABLE {
            let name = row.name.to_str().unwrap();
            let (heading, gone) = (heading(row.name).unwrap(), matches!(row.effect, Effect::Removed(_)));
            let place = if gone { format!("\n| `{name}` |") } else { format!("\n## {heading}\n") };
            assert!(page.contains(&place), "{name}");
            let section = page.split(&place).nth(1).unwrap().split("\n## ").next().unwrap();
            for option in row.options() {
                let (key, syntax) = (option.key.name(), escaped(option.syntax));
                assert!(section.contains(&format!("\n| `{key}` | {syntax} | ")), "{name} {key}");
            }
        }
        for row in options::rows() {
            assert!(page.contains(&format!("\n| `{}` | ", row.name)), "{}", row.name);
        }
    }
}
