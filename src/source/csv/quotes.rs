//! Quotes that are not closed. The parser takes all lines up to the next quote for one field, so such a line is left out before.

use std::ops::Range;

/// The most line breaks in a record. More are those of a quote that is not closed.
const MOST_BREAKS: usize = 100;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Records for the parser.
    Records(Range<usize>),
    /// A line with a quote that is not closed. It begins here.
    Unclosed(usize),
}

/// The parts of a text, whose line ends are line feeds.
pub(super) struct Parts<'t> {
    text: &'t [u8],
    delimiter: u8,
    /// The begin of the next part.
    at: usize,
    /// The line that comes next, and its end.
    unclosed: Option<Range<usize>>,
}

impl<'t> Parts<'t> {
    /// The parts from the byte `at` on, at which a record begins.
    pub(super) fn new(text: &'t [u8], at: usize, delimiter: u8) -> Self {
        Self { text, delimiter, at: at.min(text.len()), unclosed: None }
    }

    /// The end of the record that begins `at` this byte; none if a quote of it is not closed. It reads the text as the parser does.
    fn record(&self, at: usize) -> Option<usize> {
        let (mut place, mut breaks) = (Place::Begin, 0);
        for (offset, byte) in self.text.get(at..)?.iter().copied().enumerate() {
            place = match (place, byte) {
                (Place::Quoted, b'"') => Place::Behind,
                (Place::Quoted, b'\n') if breaks == MOST_BREAKS => return None,
                (Place::Quoted, byte) => {
                    breaks += usize::from(byte == b'\n');
                    Place::Quoted
                }
                (_, b'\n') => return Some(at + offset + 1),
                (Place::Begin | Place::Behind, b'"') => Place::Quoted,
                (_, byte) if byte == self.delimiter => Place::Begin,
                // A quote of another line has closed this one's.
                (Place::Behind, _) if breaks > 0 => return None,
                _ => Place::Field,
            };
        }
        (place != Place::Quoted).then_some(self.text.len())
    }

    /// The line that begins `at` this byte, with its end.
    fn line(&self, at: usize) -> Range<usize> {
        let rest = self.text.get(at..).unwrap_or_default();
        at..at + rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
    }
}

/// A place in a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The begin of a field.
    Begin,
    /// A field without quotes: a quote in it is a letter.
    Field,
    /// Within quotes.
    Quoted,
    /// Behind a quote that ends the field, or is one of two.
    Behind,
}

impl Iterator for Parts<'_> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let begin = self.at;
        while self.unclosed.is_none() && self.at < self.text.len() {
            match self.record(self.at) {
                Some(end) => self.at = end,
                None => self.unclosed = Some(self.line(self.at)),
            }
        }
        if begin < self.at {
            return Some(Part::Records(begin..self.at));
        }
        let line = self.unclosed.take()?;
        self.at = line.end;
        Some(Part::Unclosed(line.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that are left out, by number.
    fn unclosed(text: &str) -> Vec<usize> {
        let parts: Vec<_> = Parts::new(text.as_bytes(), 0, b',').collect();
        let mut end = 0;
        let mut lines = Vec::new();
        for part in parts {
            match part {
                Part::Records(range) => {
                    assert_eq!(range.start, end);
                    end = range.end;
                }
                Part::Unclosed(start) => {
                    assert_eq!(start, end);
                    lines.push(1 + text[..start].matches('\n').count());
                    end = text[start..].find('\n').map_or(text.len(), |length| start + length + 1);
                }
            }
        }
        assert_eq!(end, text.len(), "{text:?}");
        lines
    }

    #[test]
    fn a_line_is_left_out_where_its_quote_is_closed_by_no_one_or_by_another_line() {
        let many = format!("1,\"a{}\",b\n2,c\n", "\n".repeat(MOST_BREAKS + 1));
        for (text, lines) in [
            ("", &[][..]),
            ("1,a\n\n2,b", &[]),
            ("1,\"a\nb\",c\n2,d\n", &[]),
            ("1,\"a \"\"b\"\"\n\",\"c\n\"\n", &[]),
            // The parser takes it as it is.
            ("1,\"a\" b,c\n2,5\" screen,\"d\"\n", &[]),
            ("1,\"a,b\n2,c,d\n", &[1]),
            ("1,a\n2,\"b,c\n3,\"d\",e\n4,f\n", &[2]),
            ("1,\"a\n2,\"b\n3,\"c\n4,d\n", &[1, 2, 3]),
            ("1,a\n2,\"b", &[2]),
            ("\"", &[1]),
            (&many, &[1, MOST_BREAKS + 2]),
        ] {
            assert_eq!(unclosed(text), lines, "{text:?}");
        }
        // All at once is not the square of their count.
        let begun = std::time::Instant::now();
        assert_eq!(unclosed(&"x\",\"a\n".repeat(10_000)).len(), 10_000);
        assert!(begun.elapsed().as_secs() < 5);
    }
}
