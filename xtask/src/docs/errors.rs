//! `docs/errors.md`, from the catalogue of log codes.

use std::fmt::Write;

use anyhow::Result;
use spec::catalogue;

/// The page, below the checkout.
pub const PAGE: &str = "docs/errors.md";

const HEAD: &str = "\
# Log codes

Written by `cargo xtask docs` from the catalogue. Lines of mod_wsgi-rs in the error log carry a code; `wsgictl explain WSGI0146`
prints what stands here. Codes below 1000 mean what they mean in mod_wsgi. A line about a request begins with `[script PATH]`.
";

/// The whole page.
pub fn page() -> Result<String> {
    let mut text = HEAD.to_owned();
    for (title, table) in catalogue::RANGES {
        writeln!(text, "\n## {title}")?;
        for entry in *table {
            let name = entry.name();
            // The anchor is the code in small letters, whatever a renderer makes of headings.
            writeln!(text, "\n<a id=\"{}\"></a>\n\n### {name}\n", name.to_lowercase())?;
            writeln!(text, "{}\n", escaped(entry.happened))?;
            writeln!(text, "- Level: {}", entry.level)?;
            writeln!(text, "- Usual causes: {}", escaped(entry.why))?;
            writeln!(text, "- What to do: {}", escaped(entry.action))?;
        }
    }
    Ok(text)
}

/// Text for Markdown, where angle brackets begin tags and stars and low lines emphasis, except between backquotes.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => part.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backquotes_stays() {
        assert_eq!(escaped("a_b <c> `d_e <f>` *"), "a\\_b &lt;c> `d_e <f>` \\*");
    }

    #[test]
    fn every_code_is_on_the_page() {
        let page = page().unwrap();
        for entry in catalogue::all() {
            assert!(page.contains(&format!("\n### {}\n", entry.name())), "{}", entry.name());
        }
    }
}
