//! A list as the bytes of its file, from one machine to another.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use super::file::{Header, ListFile, write_to};
use super::record::RecordReader;
use super::{Collector, List, Record};
use crate::entry::Entry;
use crate::number::with_lost_zero;

/// The bytes that are read at once.
const AT_ONCE: usize = 1 << 18;

/// A list that can be sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// On disk.
    OnDisk(ListFile),
    /// In memory, because its file could not be written.
    InMemory(Header, Arc<List>),
}

impl Content {
    /// The list's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        match self {
            Self::OnDisk(file) => file.header(),
            Self::InMemory(header, _) => header,
        }
    }

    /// Writes the bytes of the list's file.
    ///
    /// # Errors
    /// Also after the last byte, if the disk has damaged them since the file was opened.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::OnDisk(file) => file.copy_to(out),
            Self::InMemory(header, list) => write_to(out, header, list),
        }
    }
}

/// Reads the bytes of a list's file to their end, and compares them with their checksum.
///
/// # Errors
/// If they are damaged, or of a later version.
pub fn read(bytes: impl Read) -> io::Result<(Header, Collector)> {
    let mut bytes = Summing { bytes, sum: crc32fast::Hasher::new() };
    let (header, without_zeros) = Header::read(&mut bytes)?;
    let Summing { bytes, mut sum } = bytes;
    let mut reader = RecordReader::new(bytes, AT_ONCE);
    let mut entries = Collector::default();
    for _ in 0..header.count {
        let packed = reader.next()?;
        sum.update(packed);
        if without_zeros {
            let record = Record::new(packed.into())?;
            let entry = record.entry()?;
            entries.push(&Entry { number: with_lost_zero(entry.number), ..entry });
        } else {
            entries.push_packed(packed)?;
        }
    }
    if reader.rest(5)? != sum.finalize().to_le_bytes() {
        return Err(io::Error::new(ErrorKind::InvalidData, "its checksum is wrong"));
    }
    Ok((header, entries))
}

/// Bytes that are summed up while they are read.
struct Summing<R> {
    bytes: R,
    sum: crc32fast::Hasher,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    fn entry(national: u64) -> Entry {
        Entry::example(Number::new(47, national).unwrap(), (1, "Kari Nordmann"), (2, "Fjord Sjømat AS"))
    }

    #[test]
    fn what_is_sent_from_disk_or_memory_is_what_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let list: List = (1..=1_000).map(entry).collect();
        let header = Header { fingerprint: 7, taken: 9, count: 1_000, hash: "abc".into() };
        let file = ListFile::write(&folder.path().join("crm.list"), header.clone(), &list).unwrap();
        let (mut from_disk, mut from_memory) = (Vec::new(), Vec::new());
        Content::OnDisk(file).write_to(&mut from_disk).unwrap();
        Content::InMemory(header.clone(), Arc::new(list)).write_to(&mut from_memory).unwrap();
        assert_eq!(from_disk, from_memory);
        let (read_header, entries) = read(from_disk.as_slice()).unwrap();
        assert_eq!(read_header, header);
        let entries: Vec<_> = entries.finish().entries().map(Result::unwrap).collect();
        assert_eq!(entries, (1..=1_000).map(entry).collect::<Vec<_>>());
        for (place, length) in [(0, 5), (3, 0), (40, 0), (500, 0)] {
            let mut damaged = from_disk.clone();
            damaged[place] ^= 0x40;
            damaged.truncate(if length > 0 { damaged.len() - length } else { damaged.len() });
            assert!(read(damaged.as_slice()).is_err(), "{place}");
        }
        from_disk.push(0);
        assert!(read(from_disk.as_slice()).is_err());
    }
}
