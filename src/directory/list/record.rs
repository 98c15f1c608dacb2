//! The packed form of an entry, in memory and on disk: the number in 8 bytes, the two ids in 4 each, then
//! person, form of address and company, each with its length in 2 bytes. The highest bit of the person's length marks a number that
//! is not the likeliest of its record. Little-endian. A text longer than [`LONGEST_TEXT`] is cut.

use std::io::{self, ErrorKind, Read};

use crate::entry::Entry;
use crate::number::Number;

/// The longest text, in bytes. SuperOffice's texts have up to 219 characters, and a phone shows 56 bytes.
const LONGEST_TEXT: usize = 1024;

/// The mark of an unlikely number, in the length of the person's name.
const UNLIKELY: u16 = 1 << 15;

/// Appends an entry.
pub(super) fn pack(entry: &Entry, packed: &mut Vec<u8>) {
    packed.extend_from_slice(&entry.number.packed().to_le_bytes());
    packed.extend_from_slice(&entry.person_id.to_le_bytes());
    packed.extend_from_slice(&entry.company_id.to_le_bytes());
    let mut mark = if entry.likely { 0 } else { UNLIKELY };
    for text in [&entry.person, &entry.mrmrs, &entry.company] {
        let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX) | std::mem::take(&mut mark);
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(text.as_bytes());
    }
}

/// Reads the next entry.
pub(super) fn unpack(packed: &mut impl Read) -> io::Result<Entry> {
    let number = Number::from_packed(u64::from_le_bytes(bytes(packed)?))
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a record has no number"))?;
    let (person_id, company_id) = (u32::from_le_bytes(bytes(packed)?), u32::from_le_bytes(bytes(packed)?));
    let (person, marked) = text(packed)?;
    Ok(Entry {
        number,
        person_id,
        company_id,
        person,
        mrmrs: text(packed)?.0,
        company: text(packed)?.0,
        likely: !marked,
    })
}

fn bytes<const N: usize>(packed: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    packed.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A text, and whether its length has the mark [`UNLIKELY`].
fn text(packed: &mut impl Read) -> io::Result<(String, bool)> {
    let length = u16::from_le_bytes(bytes(packed)?);
    let mut bytes = vec![0; usize::from(length & !UNLIKELY)];
    packed.read_exact(&mut bytes)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "a record is not UTF-8"))?;
    Ok((text, length & UNLIKELY != 0))
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
