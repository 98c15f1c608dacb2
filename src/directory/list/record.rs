//! The packed form of an entry, in memory and on disk: the number in 8 bytes, the two ids in 4 each, then
//! person, form of address and company, each with its length in 2 bytes. The highest bit of the person's length marks a number that
//! is not the likeliest of its record. Little-endian. A text longer than [`LONGEST_TEXT`] is cut.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use crate::entry::Entry;
use crate::number::Number;

/// The longest text, in bytes. SuperOffice's texts have up to 219 characters, and a phone shows 56 bytes.
const LONGEST_TEXT: usize = 1024;

/// The mark of an unlikely number, in the length of the person's name.
const UNLIKELY: u16 = 1 << 15;

/// A record: one entry, packed. That of a list in memory is a part of the list.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    number: Number,
    packed: Cow<'a, [u8]>,
}

impl Record<'_> {
    /// The record in these bytes, which are as long as it is.
    pub(super) fn new(packed: Cow<'_, [u8]>) -> io::Result<Record<'_>> {
        let number = Number::from_packed(u64::from_le_bytes(bytes(&mut &*packed)?));
        let number = number.ok_or_else(|| invalid("a record has no number"))?;
        Ok(Record { number, packed })
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> Number {
        self.number
    }

    /// The record with bytes of its own.
    pub(super) fn owned(self) -> Record<'static> {
        Record { number: self.number, packed: self.packed.into_owned().into() }
    }

    /// The entry.
    ///
    /// # Errors
    /// If a text is cut off, or is not UTF-8.
    pub fn entry(&self) -> io::Result<Entry<&str>> {
        let rest = &mut self.packed.get(8..).unwrap_or_default();
        let (person_id, company_id) = (u32::from_le_bytes(bytes(rest)?), u32::from_le_bytes(bytes(rest)?));
        let (person, marked) = text(rest)?;
        let (mrmrs, company) = (text(rest)?.0, text(rest)?.0);
        Ok(Entry { number: self.number, person_id, company_id, person, mrmrs, company, likely: !marked })
    }
}

/// Appends an entry.
pub(super) fn pack<Text: AsRef<str>>(entry: &Entry<Text>, packed: &mut Vec<u8>) {
    packed.extend_from_slice(&entry.number.packed().to_le_bytes());
    packed.extend_from_slice(&entry.person_id.to_le_bytes());
    packed.extend_from_slice(&entry.company_id.to_le_bytes());
    let mut mark = if entry.likely { 0 } else { UNLIKELY };
    for text in [&entry.person, &entry.mrmrs, &entry.company] {
        let text = text.as_ref();
        let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX) | std::mem::take(&mut mark);
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(text.as_bytes());
    }
}

/// Reads records one after the other, from bytes that are read many at once.
pub(super) struct RecordReader<Bytes> {
    bytes: Bytes,
    buffer: Vec<u8>,
    /// The bytes of the buffer that are read and not used yet.
    unused: Range<usize>,
}

impl<Bytes: Read> RecordReader<Bytes> {
    /// Reads so many bytes at once: more than the longest record, of about 100 kB.
    pub(super) fn new(bytes: Bytes, at_once: usize) -> Self {
        Self { bytes, buffer: vec![0; at_once], unused: 0..0 }
    }

    /// What is read from.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is behind the last record that was read: all of it, or its first `most` bytes.
    pub(super) fn rest(self, most: u64) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.buffer[self.unused].chain(self.bytes).take(most).read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// The next record. An error if the bytes end before it does.
    pub(super) fn next(&mut self) -> io::Result<&[u8]> {
        let length = loop {
            if let Some(length) = length(&self.buffer[self.unused.clone()]) {
                break length;
            }
            self.buffer.copy_within(self.unused.clone(), 0);
            self.unused = 0..self.unused.len();
            match self.bytes.read(&mut self.buffer[self.unused.end..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.unused.end += count,
            }
        };
        let record = self.unused.start..self.unused.start + length;
        self.unused.start = record.end;
        Ok(&self.buffer[record])
    }
}

fn bytes<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(ErrorKind::UnexpectedEof)?;
    *rest = behind;
    Ok(*bytes)
}

/// A text, and whether its length has the mark [`UNLIKELY`].
fn text<'a>(rest: &mut &'a [u8]) -> io::Result<(&'a str, bool)> {
    let length = u16::from_le_bytes(bytes(rest)?);
    let split = rest.split_at_checked(usize::from(length & !UNLIKELY));
    let (text, behind) = split.ok_or(ErrorKind::UnexpectedEof)?;
    *rest = behind;
    let text = std::str::from_utf8(text).map_err(|_| invalid("a record is not UTF-8"))?;
    Ok((text, length & UNLIKELY != 0))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// The length of the record at the beginning of `packed`; none if it is cut off.
pub(super) fn length(packed: &[u8]) -> Option<usize> {
    let mut end = 16;
    for _ in 0..3 {
        let length = packed.get(end..end + 2)?;
        end += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]) & !UNLIKELY);
    }
    (end <= packed.len()).then_some(end)
}
