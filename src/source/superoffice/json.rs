//! Divides a stream of JSON into values. A fault in one value costs that value only, and the memory for a value is limited.
//!
//! Correct JSON stays unchanged. Faults are repaired:
//! - half a surrogate pair, an unknown escape and bytes that are not UTF-8 become U+FFFD; a raw control character counts as
//!   escaped; a quote that can't end a value is part of its text;
//! - a number too large for any type becomes a text, and an unknown word becomes `null`;
//! - a text longer than [`LONGEST_TEXT`] is cut, and a value longer than [`LONGEST_VALUE`] is broken.

use std::io::{self, ErrorKind, Read};

use super::utf16::{Pairs, Utf8};

/// The longest text, in bytes as sent: a name in a dozen languages.
const LONGEST_TEXT: usize = 4096;
/// The longest value, in bytes: a dozen such texts.
const LONGEST_VALUE: usize = 1 << 16;
/// The longest number or word, in bytes.
const LONGEST_WORD: usize = 64;

/// The faults of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// It is too long, or its brackets do not match: it can't be used.
    pub(super) is_broken: bool,
    /// A text in it was cut.
    pub(super) is_cut: bool,
    /// A word in it is not JSON.
    pub(super) is_no_json: bool,
}

/// The end of a text.
enum Ended {
    Whole,
    Cut,
    /// At the end of the value around it.
    Astray,
}

/// Reads a stream of JSON.
pub(super) struct Scanner<R> {
    body: Utf8<R>,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// Whether a text without an end has already read the beginning of the next object, up to its first text.
    has_begun: bool,
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(body: R) -> Self {
        Self { body: Utf8::new(body), buffer: vec![0; 1 << 16].into(), at: 0, end: 0, has_begun: false }
    }

    /// The next byte, without reading it; none at the end.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        while self.at == self.end {
            match self.body.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => (self.at, self.end) = (0, count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(self.buffer[self.at]))
    }

    fn next(&mut self) -> io::Result<u8> {
        let byte = self.peek()?.ok_or(ErrorKind::UnexpectedEof)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte after white space, without reading it; none at the end.
    pub(super) fn ahead(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !is_blank(byte) {
                return Ok(Some(byte));
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// Reads the next byte after white space if it is this one. Whether it was.
    pub(super) fn pass(&mut self, byte: u8) -> io::Result<bool> {
        let is_next = self.ahead()? == Some(byte);
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    /// Reads an array, from its opening bracket on, and passes each value to `each`.
    pub(super) fn array(&mut self, mut each: impl FnMut(&[u8], Came)) -> io::Result<()> {
        let mut value = Vec::new();
        self.pass(b'[')?;
        loop {
            match self.ahead()?.ok_or(ErrorKind::UnexpectedEof)? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                // The last value lacks its closing bracket, so the array's bracket closed the value.
                b'}' => return Ok(()),
                _ => {
                    let came = self.value(&mut value)?;
                    each(&value, came);
                }
            }
        }
    }

    /// Reads the next value, repaired, into `value`.
    ///
    /// # Errors
    /// If the body ends before the value.
    pub(super) fn value(&mut self, value: &mut Vec<u8>) -> io::Result<Came> {
        value.clear();
        let mut came = Came::default();
        let mut depth = 0_usize;
        let (mut first, mut last) = (0, 0);
        if self.has_begun {
            (depth, first) = (1, b'{');
            value.push(b'{');
        }
        loop {
            let byte = if self.has_begun { Some(b'"') } else { self.ahead()? };
            let byte = byte.ok_or(ErrorKind::UnexpectedEof)?;
            first = if first == 0 { byte } else { first };
            // Another object begins at the place of a key: this object lacks its closing bracket.
            if byte == b'{' && depth == 1 && first == b'{' && last == b',' {
                came.is_broken = true;
                return Ok(came);
            }
            match byte {
                b'"' => match self.text(value)? {
                    Ended::Whole => {}
                    Ended::Cut => came.is_cut = true,
                    Ended::Astray => {
                        came.is_broken = true;
                        return Ok(came);
                    }
                },
                b'{' | b'[' | b'}' | b']' | b',' | b':' => {
                    self.at += 1;
                    value.push(byte);
                    match byte {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
                _ => came.is_no_json |= !self.word(value)?,
            }
            last = byte;
            if value.len() > LONGEST_VALUE {
                came.is_broken = true;
                value.clear();
            }
            if depth == 0 {
                return Ok(came);
            }
        }
    }

    /// Reads a text, from its opening quote on.
    fn text(&mut self, value: &mut Vec<u8>) -> io::Result<Ended> {
        self.at += usize::from(!std::mem::take(&mut self.has_begun));
        let begin = value.len();
        let mut text = Text { bytes: value, pairs: Pairs::default(), left: LONGEST_TEXT, is_cut: false };
        text.bytes.push(b'"');
        let mut has_quotes = false;
        loop {
            self.peek()?.ok_or(ErrorKind::UnexpectedEof)?;
            let ahead = &self.buffer[self.at..self.end];
            let means_more =
                |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20) || *byte == b'}' && has_quotes;
            let plain = ahead.iter().position(means_more);
            let plain = plain.unwrap_or(ahead.len());
            text.plain(&ahead[..plain]);
            self.at += plain;
            if plain == ahead.len() {
                continue;
            }
            match self.next()? {
                b'"' => {
                    let mut blanks = Vec::new();
                    while let Some(byte) = self.peek()?.filter(|byte| is_blank(*byte)) {
                        self.at += 1;
                        if blanks.len() < LONGEST_WORD {
                            blanks.push(byte);
                        }
                    }
                    if matches!(self.peek()?, None | Some(b',' | b':' | b'}' | b']')) {
                        break;
                    }
                    if !has_quotes && text.ends_in_an_object() {
                        self.has_begun = true;
                        return Ok(Ended::Astray);
                    }
                    has_quotes = true;
                    text.escaped(b"\\\"");
                    blanks.into_iter().for_each(|blank| text.control(blank));
                }
                // An object ends and the next one begins inside the text: its closing quote is missing.
                b'}' => {
                    let is_last = self.ahead()? == Some(b']');
                    let is_followed = self.pass(b',')?;
                    if is_last || is_followed && self.ahead()? == Some(b'{') {
                        return Ok(Ended::Astray);
                    }
                    text.plain(if is_followed { b"}, " } else { b"}" });
                }
                b'\\' => self.escape(&mut text)?,
                control => text.control(control),
            }
        }
        let is_cut = text.end();
        mend(value, begin);
        Ok(if is_cut { Ended::Cut } else { Ended::Whole })
    }

    /// Reads an escape, after its backslash.
    fn escape(&mut self, text: &mut Text<'_>) -> io::Result<()> {
        match self.next()? {
            b'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = self.peek()?.and_then(|byte| char::from(byte).to_digit(16));
                    let Some(digit) = digit else {
                        text.plain("\u{fffd}".as_bytes());
                        return Ok(());
                    };
                    self.at += 1;
                    unit = unit * 16 + digit;
                }
                text.unit(u16::try_from(unit).unwrap_or(0));
            }
            byte @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => text.escaped(&[b'\\', byte]),
            // JavaScript and many programs write this escape.
            b'\'' => text.plain(b"'"),
            other => {
                text.plain("\u{fffd}".as_bytes());
                if other < 0x20 { text.control(other) } else { text.plain(&[other]) }
            }
        }
        Ok(())
    }

    /// Reads a number, `true`, `false`, `null`, or another word. Whether it is JSON.
    fn word(&mut self, value: &mut Vec<u8>) -> io::Result<bool> {
        let begin = value.len();
        let mut length = 0_usize;
        while let Some(byte) = self.peek()? {
            let is_end = is_blank(byte) || matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"');
            if is_end && length > 0 {
                break;
            }
            self.at += 1;
            length += 1;
            if length <= LONGEST_WORD {
                value.push(byte);
            }
        }
        let word = &value[begin..];
        let is_short = length < 18 && word.iter().all(u8::is_ascii_digit) && (word[0] != b'0' || length == 1);
        let is_known = || matches!(word, b"true" | b"false" | b"null");
        let is_number =
            || length <= LONGEST_WORD && serde_json::from_slice::<serde_json::Number>(word).is_ok();
        if is_short || is_known() || is_number() {
            return Ok(true);
        }
        let is_numeric = word.iter().find(|byte| !matches!(byte, b'+' | b'-' | b'.'));
        let is_numeric = is_numeric.is_some_and(u8::is_ascii_digit) && word.iter().all(u8::is_ascii_graphic);
        if is_numeric && !word.contains(&b'\\') {
            value.insert(begin, b'"');
            value.push(b'"');
        } else {
            value.truncate(begin);
            value.extend(b"null");
        }
        Ok(false)
    }
}

/// A text while it is read.
struct Text<'a> {
    bytes: &'a mut Vec<u8>,
    pairs: Pairs,
    /// The free room, in bytes.
    left: usize,
    is_cut: bool,
}

impl Text<'_> {
    /// Adds plain bytes.
    fn plain(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.pairs.end(self.bytes);
        let mut room = bytes.len().min(self.left);
        self.left -= room;
        if room < bytes.len() {
            (self.is_cut, self.left) = (true, 0);
            // The cut must not divide a character.
            while room > 0 && (0x80..0xc0).contains(&bytes[room]) {
                room -= 1;
            }
        }
        self.bytes.extend(&bytes[..room]);
    }

    /// Adds an escape as a whole, or not at all.
    fn escaped(&mut self, escape: &[u8]) {
        self.pairs.end(self.bytes);
        if self.left < escape.len() {
            (self.is_cut, self.left) = (true, 0);
            return;
        }
        self.left -= escape.len();
        self.bytes.extend(escape);
    }

    /// Adds a control character, or a blank.
    fn control(&mut self, byte: u8) {
        self.escaped(format!("\\u{byte:04x}").as_bytes());
    }

    /// Adds an escaped code unit of UTF-16.
    fn unit(&mut self, unit: u16) {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\' | 0..0x20)) => self.control(byte),
            _ if self.left < 4 => (self.is_cut, self.left) = (true, 0),
            _ => {
                let before = self.bytes.len();
                self.pairs.push(unit, self.bytes);
                self.left = self.left.saturating_sub(self.bytes.len() - before);
            }
        }
    }

    /// Whether an object ended in it and another one began: its closing quote is missing.
    fn ends_in_an_object(&self) -> bool {
        let mut end = self.bytes.as_slice();
        [b'{', b',', b'}'].into_iter().all(|byte| {
            let rest = end.trim_ascii_end().strip_suffix(&[byte]);
            end = rest.unwrap_or(end);
            rest.is_some()
        })
    }

    /// Ends the text, with an ellipsis if it was cut. Whether it was.
    fn end(mut self) -> bool {
        self.pairs.end(self.bytes);
        if self.is_cut {
            self.bytes.extend("…".as_bytes());
        }
        self.bytes.push(b'"');
        self.is_cut
    }
}

/// Replaces bytes that are not UTF-8 by U+FFFD, from `start` on.
fn mend(value: &mut Vec<u8>, begin: usize) {
    if std::str::from_utf8(&value[begin..]).is_err() {
        let mended = String::from_utf8_lossy(&value[begin..]).into_owned();
        value.truncate(begin);
        value.extend(mended.as_bytes());
    }
}

/// White space, or a control character.
fn is_blank(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

#[cfg(test)]
mod tests;
