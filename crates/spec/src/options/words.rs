//! Splitting the arguments of a directive the way httpd does (`ap_getword_conf`), with quotes also after `name=`.

use super::OptionError;

/// The words of a directive's arguments, first to last.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `arguments`.
    #[must_use]
    pub fn new(arguments: &'a str) -> Self {
        Self { rest: arguments.trim() }
    }

    /// The next plain word, quoted or not; `None` at the end.
    ///
    /// # Errors
    /// A quote that is not closed.
    pub fn word(&mut self) -> Result<Option<String>, OptionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let word = self.value()?;
        self.rest = self.rest.trim_start();
        Ok(Some(word))
    }

    /// The next `name=value`; `None` at the end. The name is the text before the first `=`.
    ///
    /// # Errors
    /// A word without `=`, without a name, with white space around `=`, or with a quote that is not closed.
    pub fn option(&mut self) -> Result<Option<(&'a str, String)>, OptionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let malformed = |rest: &str| {
            OptionError::NotAnOption(rest.split_whitespace().next().unwrap_or_default().to_owned())
        };
        let Some((name, value)) = self.rest.split_once('=') else { return Err(malformed(self.rest)) };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
            return Err(malformed(self.rest));
        }
        self.rest = value;
        let value = if value.starts_with(char::is_whitespace) { String::new() } else { self.value()? };
        self.rest = self.rest.trim_start();
        Ok(Some((name, value)))
    }

    /// Reads a value that starts right here.
    fn value(&mut self) -> Result<String, OptionError> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(usize::from(quote.is_some())).peekable();
        while let Some((at, letter)) = letters.next() {
            let ends = quote.map_or(letter.is_whitespace(), |quote| letter == quote);
            if ends {
                let skip = if quote.is_some() { letter.len_utf8() } else { 0 };
                self.rest = self.rest.get(at + skip..).unwrap_or_default();
                return Ok(text);
            }
            // A backslash stands for itself unless it is doubled or protects the quote in use.
            let escaped = letters.peek().map(|(_, next)| *next).filter(|_| letter == '\\');
            match escaped {
                Some(next) if next == '\\' || Some(next) == quote => {
                    text.push(next);
                    letters.next();
                }
                _ => text.push(letter),
            }
        }
        if quote.is_some() {
            return Err(OptionError::OpenQuote(self.rest.to_owned()));
        }
        self.rest = "";
        Ok(text)
    }
}
