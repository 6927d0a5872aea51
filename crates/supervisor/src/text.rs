//! Untrusted bytes as log text: control characters and invalid UTF-8 become `\xNN`, and long text is cut into pieces.

use std::fmt::Write as _;

/// Begins a line that goes on with the text of the one before.
pub const CONTINUED: &str = "[continued] ";

/// Appends `bytes` to `out` with every control character (also those above U+007F, which terminals obey) and every byte that
/// is not UTF-8 as `\xNN`.
pub fn escape_into(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                let mut space = [0; 4];
                c.encode_utf8(&mut space).bytes().for_each(|byte| hex(out, byte));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| hex(out, *byte));
    }
}

/// [`escape_into`] a new string.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    escape_into(&mut out, bytes);
    out
}

fn hex(out: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Cuts `text` into pieces of at most `longest` bytes, never inside a character. Empty text is one empty piece.
pub fn pieces(text: &str, longest: usize) -> impl Iterator<Item = &str> {
    let longest = longest.max(4);
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= longest {
            rest = None;
            return Some(text);
        }
        let (piece, after) = text.split_at(text.floor_char_boundary_at(longest));
        rest = Some(after);
        Some(piece)
    })
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, index: usize) -> usize;
}

impl FloorCharBoundary for str {
    /// `str::floor_char_boundary` of newer Rusts.
    fn floor_char_boundary_at(&self, index: usize) -> usize {
        (0..=index).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// Collects bytes into lines of at most [`LineBuffer::LONGEST`] bytes; what is longer continues in the next line.
#[derive(Debug, Default)]
pub struct LineBuffer {
    partial: Vec<u8>,
    /// Whether `partial` goes on with a line whose beginning was handed out.
    continues: bool,
}

/// A line, or a piece of one that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without its end.
    pub text: &'a [u8],
    /// It goes on with the text of the line before.
    pub continues: bool,
}

impl LineBuffer {
    /// Longest line in bytes.
    pub const LONGEST: usize = 8192;

    /// Takes bytes and hands out every line that they complete, without its end.
    pub fn take(&mut self, mut bytes: &[u8], mut line: impl FnMut(Line<'_>)) {
        while !bytes.is_empty() {
            let room = Self::LONGEST - self.partial.len();
            let window = bytes.get(..room).unwrap_or(bytes);
            match window.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    self.partial.extend_from_slice(window.get(..at).unwrap_or_default());
                    bytes = bytes.get(at + 1..).unwrap_or_default();
                    self.emit(&mut line);
                }
                None => {
                    self.partial.extend_from_slice(window);
                    bytes = bytes.get(window.len()..).unwrap_or_default();
                    if self.partial.len() >= Self::LONGEST {
                        self.emit_full(&mut line);
                    }
                }
            }
        }
    }

    /// The stream has ended: hands out what is left.
    pub fn finish(&mut self, mut line: impl FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            self.emit(&mut line);
        }
    }

    fn emit(&mut self, line: &mut impl FnMut(Line<'_>)) {
        let text = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        let continues = std::mem::take(&mut self.continues);
        // A line that ends where a full buffer did has nothing more to say.
        if !(continues && text.is_empty()) {
            line(Line { text, continues });
        }
        self.partial.clear();
    }

    /// Hands out a full buffer, but keeps the beginning of a character whose end has not come yet.
    fn emit_full(&mut self, line: &mut impl FnMut(Line<'_>)) {
        let begun = self.partial.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        let keep = if begun < 4 { begun } else { 0 };
        let tail = self.partial.split_off(self.partial.len() - keep);
        line(Line { text: &self.partial, continues: std::mem::replace(&mut self.continues, true) });
        self.partial = tail;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut buffer, mut lines) = (LineBuffer::default(), Vec::new());
        for chunk in chunks {
            buffer.take(chunk, |line| lines.push(line.text.to_vec()));
        }
        buffer.finish(|line| lines.push(line.text.to_vec()));
        lines
    }

    #[test]
    fn hd_10_nothing_forges_a_line() {
        assert_eq!(escaped(b"a\r\x1b[2J\0\tb\x7f"), "a\\x0d\\x1b[2J\\x00\\x09b\\x7f");
        assert_eq!(escaped("é\u{9b}\u{202e}".as_bytes()), "é\\xc2\\x9b\\xe2\\x80\\xae");
        assert_eq!(escaped(b"\xff\xc3"), "\\xff\\xc3");
    }

    #[test]
    fn lines_are_put_together_from_parts() {
        assert_eq!(lines(&[b"one\ntw", b"o\n", b"\nlast"]), [&b"one"[..], b"two", b"", b"last"]);
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_one() {
        let mut text = "x".repeat(LineBuffer::LONGEST - 1);
        text.push_str("é end\n");
        let lines = lines(&[text.as_bytes()]);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines.concat(), text.trim_end().as_bytes());
        assert!(lines.iter().all(|line| std::str::from_utf8(line).is_ok()));
    }

    #[test]
    fn what_goes_on_is_marked() {
        let (mut buffer, mut marks) = (LineBuffer::default(), Vec::new());
        let text = format!(
            "short\n{}\n{}\nshort\n",
            "x".repeat(LineBuffer::LONGEST),
            "y".repeat(LineBuffer::LONGEST + 1)
        );
        buffer.take(text.as_bytes(), |line| marks.push((line.text.len(), line.continues)));
        let long = LineBuffer::LONGEST;
        assert_eq!(marks, [(5, false), (long, false), (long, false), (1, true), (5, false)]);
    }

    proptest! {
        #[test]
        fn hd_10_any_bytes_give_printable_text(bytes: Vec<u8>) {
            prop_assert!(!escaped(&bytes).contains(char::is_control));
        }

        #[test]
        fn no_byte_is_lost(chunks in proptest::collection::vec(proptest::collection::vec(0x20..=0xff_u8, 0..9000), 0..5)) {
            let parts: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(lines(&parts).concat(), chunks.concat());
        }

        #[test]
        fn pieces_are_the_whole(text: String, longest in 4_usize..40) {
            let cut: Vec<&str> = pieces(&text, longest).collect();
            prop_assert!(cut.iter().all(|piece| piece.len() <= longest));
            prop_assert_eq!(cut.concat(), text);
        }
    }
}
