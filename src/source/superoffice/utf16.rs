//! The encoding of an answer: UTF-8, the encoding of JSON (RFC 8259 §8.1), or UTF-16, from some servers and proxies. A byte order
//! mark is removed.

use std::io::{self, Read};

/// The byte order of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// Reads an answer as UTF-8. Bytes that are not UTF-8 pass unchanged; half characters of UTF-16 become U+FFFD.
pub(super) struct Utf8<R> {
    body: R,
    /// None before the first bytes.
    encoding: Option<Encoding>,
    /// Bytes that were read and not delivered yet.
    ready: Vec<u8>,
    at: usize,
}

enum Encoding {
    Utf8,
    Utf16 { unit: Unit, odd: Option<u8>, pairs: Pairs },
}

impl Encoding {
    /// The encoding of an answer by its first bytes, and the length of its byte order mark. The first two characters of JSON are
    /// ASCII, so UTF-16 has a zero byte there.
    fn of(begin: &[u8]) -> (Self, usize) {
        let utf16 = |unit: Unit, mark| (Self::Utf16 { unit, odd: None, pairs: Pairs::default() }, mark);
        match begin {
            [0xef, 0xbb, 0xbf, ..] => (Self::Utf8, 3),
            [0xff, 0xfe, ..] => utf16(u16::from_le_bytes, 2),
            [0xfe, 0xff, ..] => utf16(u16::from_be_bytes, 2),
            [first, 0, ..] if *first > 0 => utf16(u16::from_le_bytes, 0),
            [0, second, ..] if *second > 0 => utf16(u16::from_be_bytes, 0),
            _ => (Self::Utf8, 0),
        }
    }
}

/// Converts code units of UTF-16 to UTF-8. Half a pair becomes U+FFFD.
#[derive(Default)]
pub(super) struct Pairs {
    high: Option<u16>,
}

impl Pairs {
    /// Takes a unit, and adds the character that it completes to `text`.
    pub(super) fn push(&mut self, unit: u16, text: &mut Vec<u8>) {
        let pending = self.high.take();
        let completes = (0xdc00..0xe000).contains(&unit);
        if pending.is_some() && !completes {
            put(text, char::REPLACEMENT_CHARACTER);
        }
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return;
        }
        for character in char::decode_utf16(pending.filter(|_| completes).into_iter().chain([unit])) {
            put(text, character.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    /// Ends half a pair without its other half.
    pub(super) fn end(&mut self, text: &mut Vec<u8>) {
        if self.high.take().is_some() {
            put(text, char::REPLACEMENT_CHARACTER);
        }
    }
}

fn put(text: &mut Vec<u8>, character: char) {
    text.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
}

impl<R: Read> Utf8<R> {
    pub(super) fn new(body: R) -> Self {
        Self { body, encoding: None, ready: Vec::new(), at: 0 }
    }

    /// Finds the encoding by the first bytes.
    fn begin(&mut self) -> io::Result<()> {
        let mut begin = [0; 3];
        let mut length = 0;
        while length < begin.len() {
            match self.body.read(&mut begin[length..])? {
                0 => break,
                count => length += count,
            }
        }
        let (encoding, mark) = Encoding::of(&begin[..length]);
        self.encoding = Some(encoding);
        self.take(&begin[mark..length]);
        Ok(())
    }

    /// Converts bytes of the answer.
    fn take(&mut self, bytes: &[u8]) {
        let Some(Encoding::Utf16 { unit, odd, pairs }) = &mut self.encoding else {
            return self.ready.extend(bytes);
        };
        for byte in bytes {
            match odd.take() {
                None => *odd = Some(*byte),
                Some(first) => pairs.push(unit([first, *byte]), &mut self.ready),
            }
        }
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.encoding.is_none() {
            self.begin()?;
        }
        if self.at == self.ready.len() && matches!(self.encoding, Some(Encoding::Utf8)) {
            return self.body.read(buffer);
        }
        while self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let count = self.body.read(buffer)?;
            if count == 0 {
                return Ok(0);
            }
            self.take(&buffer[..count]);
        }
        let ready = &self.ready[self.at..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that comes byte by byte.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(1);
            self.0.read(&mut buffer[..room])
        }
    }

    fn read(body: &[u8]) -> String {
        let (mut whole, mut bytes) = (Vec::new(), Vec::new());
        Utf8::new(body).read_to_end(&mut whole).unwrap();
        Utf8::new(Trickle(body)).read_to_end(&mut bytes).unwrap();
        assert_eq!(whole, bytes);
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn utf_8_and_utf_16_are_read_with_and_without_a_byte_order_mark() {
        let text = "{\"Name\":\"Ærø 🦀\"}";
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        for text in [text, "", "1", "null"] {
            assert_eq!(read(text.as_bytes()), text);
            for (mark, mut sent) in [("", units(text)), ("\u{feff}", units(&format!("\u{feff}{text}")))] {
                // One unit alone, or none, tells nothing.
                if text.len() > 1 || !mark.is_empty() {
                    let bytes =
                        |order: fn(u16) -> [u8; 2]| sent.iter().copied().flat_map(order).collect::<Vec<_>>();
                    assert_eq!(read(&bytes(u16::to_le_bytes)), text);
                    assert_eq!(read(&bytes(u16::to_be_bytes)), text);
                }
                sent.clear();
            }
            assert_eq!(read(format!("\u{feff}{text}").as_bytes()), text);
        }
    }

    #[test]
    fn half_a_pair_costs_itself_only() {
        let units = [0x5b, 0xd83d, 0x41, 0xdc00, 0xd83d, 0xd83e, 0xdd80, 0x5d];
        let bytes: Vec<u8> = units.iter().flat_map(|unit: &u16| unit.to_le_bytes()).collect();
        assert_eq!(read(&bytes), "[\u{fffd}A\u{fffd}\u{fffd}🦀]");
    }
}
