//! The formats of spreadsheets: UTF-16, a line `sep=;`, line ends of other systems, marks that keep a number as text.

use std::borrow::Cow;

/// The delimiters that are detected.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A file, ready to be parsed: in UTF-8 (at least, not in UTF-16), with `\n` as line end.
pub(super) struct Sheet<'t> {
    pub text: Cow<'t, [u8]>,
    /// The delimiter of the line `sep=;`, which is not in `text`.
    separator: Option<u8>,
}

impl<'t> Sheet<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        let text = match bytes {
            // Spreadsheets write a byte order mark.
            [0xef, 0xbb, 0xbf, text @ ..] => Cow::Borrowed(text),
            [0xff, 0xfe, text @ ..] => Cow::Owned(utf16(text, u16::from_le_bytes)),
            [0xfe, 0xff, text @ ..] => Cow::Owned(utf16(text, u16::from_be_bytes)),
            text => Cow::Borrowed(text),
        };
        let text = with_line_feeds(text);
        let Some((separator, length)) = separator(&text) else { return Self { text, separator: None } };
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[length..]),
            Cow::Owned(mut text) => Cow::Owned(text.split_off(length)),
        };
        Self { text, separator: Some(separator) }
    }

    /// The delimiter: of the line `sep=;`, else `set`, else the delimiter with most known `columns` in the first line that
    /// is not empty.
    pub(super) fn delimiter(&self, set: Option<u8>, columns: &[&str]) -> u8 {
        let first =
            self.text.split(|byte| *byte == b'\n').find(|line| line.iter().any(u8::is_ascii_alphanumeric));
        let first = String::from_utf8_lossy(first.unwrap_or_default()).to_lowercase();
        let known = |delimiter: &u8| {
            let names = first.split(char::from(*delimiter)).map(|name| name.trim_matches([' ', '"']));
            names.filter(|name| columns.contains(name)).count()
        };
        // Among equals the first.
        let likeliest = || DELIMITERS.into_iter().rev().max_by_key(known).unwrap_or(b',');
        self.separator.or(set).unwrap_or_else(likeliest)
    }

    /// The line number, as in an editor, of the record that is found from `byte` on.
    pub(super) fn line(&self, byte: u64) -> usize {
        let start = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let (before, rest) = self.text.split_at(start);
        let blank = rest.iter().take_while(|byte| **byte == b'\n').count();
        let ended = before.iter().filter(|byte| **byte == b'\n').count();
        1 + usize::from(self.separator.is_some()) + ended + blank
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

/// `\r\n` and `\r` become `\n`.
fn with_line_feeds(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if !text.contains(&b'\r') {
        return text;
    }
    let mut lines = Vec::with_capacity(text.len());
    let mut last = 0;
    for &byte in text.iter() {
        match byte {
            b'\r' => lines.push(b'\n'),
            b'\n' if last == b'\r' => {}
            byte => lines.push(byte),
        }
        last = byte;
    }
    Cow::Owned(lines)
}

/// The delimiter of a first line `sep=;`, and the length of that line with its end.
fn separator(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    // A spreadsheet may add delimiters to the line.
    let line = text.get(..end)?;
    let (start, rest) = line.split_at_checked(4)?;
    let (&delimiter, rest) = rest.split_first()?;
    let is = start.eq_ignore_ascii_case(b"sep=")
        && delimiter.is_ascii()
        && !delimiter.is_ascii_alphanumeric()
        && delimiter != b'"'
        && rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == delimiter);
    is.then_some((delimiter, end + 1))
}

/// A field without the formula that keeps it as text: `="0047"`.
pub(super) fn value(field: &str) -> &str {
    let inner = field.strip_prefix("=\"").and_then(|field| field.strip_suffix('"'));
    inner.map_or(field, str::trim)
}

/// The same for a number, which may have an apostrophe in front: `'+47…`.
pub(super) fn number(field: &str) -> &str {
    let text = value(field);
    text.strip_prefix(['\'', '=']).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_taken_out_of_what_keeps_it_a_text() {
        for (field, wanted) in [
            ("'+4722334455", "+4722334455"),
            ("=\"+4722334455\"", "+4722334455"),
            ("=+4722334455", "+4722334455"),
            ("22334455", "22334455"),
        ] {
            assert_eq!(number(field), wanted);
        }
        assert_eq!((value("'t Hart"), value("=\"Kari\"")), ("'t Hart", "Kari"));
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for text in ["a\r\nb\r\n\r\nc", "a\rb\r\rc", "a\nb\n\nc"] {
            let sheet = Sheet::new(text.as_bytes());
            assert_eq!(&*sheet.text, b"a\nb\n\nc");
            assert_eq!([sheet.line(0), sheet.line(2), sheet.line(4), sheet.line(99)], [1, 2, 4, 4]);
        }
        let sheet = Sheet::new(b"sep=;\r\na;b\r\n");
        assert_eq!((&*sheet.text, sheet.line(0)), (&b"a;b\n"[..], 2));
    }

    #[test]
    fn the_delimiter_is_the_files_own_then_the_one_that_is_set_then_the_likeliest() {
        let delimiter = |text: &str, set| {
            char::from(Sheet::new(text.as_bytes()).delimiter(set, &["number", "person", "company"]))
        };
        assert_eq!(delimiter("sep=;\nnumber;person\n", Some(b',')), ';');
        assert_eq!(delimiter("number;person\n", Some(b',')), ',');
        for (text, wanted) in [
            ("number;person;company\n", ';'),
            ("\"Number\"\tPerson\tcompany,a\n", '\t'),
            (";;\nnumber|person\n", '|'),
            ("nothing\n", ','),
            ("", ','),
        ] {
            assert_eq!(delimiter(text, None), wanted, "{text}");
        }
    }
}
