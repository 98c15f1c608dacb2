//! A list on disk. Whatever happens while it is written, the last good one stays: it is written beside, synced,
//! and renamed into place. A checksum over every byte guards it: damage is noticed, never served.
//!
//! The file: [`MAGIC`]; fingerprint, time, count of entries (8 bytes each); the source's hash with its length in
//! 4 bytes; the entries (`record`); CRC-32 of everything before, in 4 bytes. Little-endian.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{List, record};
use crate::entry::Entry;
use crate::number::with_lost_zero;
use crate::owner;

/// How a list's file begins: what it is, and the version of its format.
pub const MAGIC: &[u8; 17] = b"nameplate list 2\n";
/// The version in it, and how it begins in every version.
const VERSION: u32 = 2;
const KIND: &[u8] = b"nameplate list ";

/// How a file begins whose numbers have lost their leading zeros, and have no mark of the less likely ones.
const WITHOUT_ZEROS: &[u8; 17] = b"nameplate list 1\n";

/// Read and written at once, in bytes.
const BUFFER: usize = 1 << 18;

/// The longest hash that is kept, in bytes.
pub const MAX_HASH: u32 = 4096;

/// What stands in front of the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Of the question that the list answers: api, user, selection. Another question's hash is of no use.
    pub fingerprint: u64,
    /// When the list was taken: seconds since 1970, UTC.
    pub taken: u64,
    /// How many entries there are.
    pub count: u64,
    /// The source's own mark of this set; sent to learn whether it has changed.
    pub hash: String,
}

/// Why a list can't be read from its file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no list at {}", .0.display())]
    Missing(PathBuf),
    /// The system can't read it.
    #[error("can't read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A later version of this program has written it.
    #[error("{} is of a later version of nameplate (format {version}): it stays where it is", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// It is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        what: String,
    },
}

/// A list's file whose checksum was right when it was opened. It is kept open, so that its entries can be read also
/// when another list has come into its place.
#[derive(Clone, Debug)]
pub struct ListFile {
    file: Arc<File>,
    header: Header,
    /// Whether the numbers have lost their leading zeros, as in files of the first version.
    without_zeros: bool,
}

impl ListFile {
    /// Writes a list into place. The old file stays until the new one is whole and on the disk; that of a later version
    /// stays in any case.
    pub fn write(path: &Path, mut header: Header, list: &List) -> io::Result<Self> {
        header.count = list.len() as u64;
        if let Some(version) = File::open(path).ok().and_then(|file| later_version(&file)) {
            return Err(io::Error::other(FileError::Later { path: path.to_owned(), version }));
        }
        let written = Self::write_beside(path, &header, list);
        if written.is_err() {
            // Half a file on a full disk helps nobody.
            let _ = fs::remove_file(beside(path));
        }
        let file = Arc::new(written?);
        fs::rename(beside(path), path)?;
        // The rename itself is on the disk when its folder is.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, header, without_zeros: false })
    }

    /// Writes the whole file beside its place.
    fn write_beside(path: &Path, header: &Header, list: &List) -> io::Result<File> {
        let mut file = BufWriter::with_capacity(BUFFER, owner::create(&beside(path))?);
        let mut sum = crc32fast::Hasher::new();
        let mut write = |bytes: &[u8]| {
            sum.update(bytes);
            file.write_all(bytes)
        };
        write(&header.to_bytes()?)?;
        for packed in list.records() {
            let length = record::length(packed).ok_or(ErrorKind::InvalidData)?;
            write(&packed[..length])?;
        }
        file.write_all(&sum.finalize().to_le_bytes())?;
        let file = file.into_inner()?;
        file.sync_all()?;
        Ok(file)
    }

    /// Opens a list, and reads it once to see that it is whole.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let unreadable = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => FileError::Missing(path.to_owned()),
            _ => FileError::Unreadable { path: path.to_owned(), error },
        };
        let damaged = |what: &str| FileError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let file = Arc::new(File::open(path).map_err(unreadable)?);
        if let Some(version) = later_version(&file) {
            return Err(FileError::Later { path: path.to_owned(), version });
        }
        let mut content = Content::of(&file).map_err(unreadable)?;
        io::copy(&mut BufReader::with_capacity(BUFFER, &mut content), &mut io::sink()).map_err(unreadable)?;
        content.verify().map_err(|error| damaged(&error.to_string()))?;
        let header = Content::of(&file).and_then(|mut content| Header::read(&mut content));
        let (header, without_zeros) = header.map_err(|error| damaged(&error.to_string()))?;
        Ok(Self { file, header, without_zeros })
    }

    /// What stands in front of the entries.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The entries, by number, read as they are asked for. The last one is an error when the file has been damaged since
    /// it was opened.
    pub fn entries(&self) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>>>> {
        let mut reader = BufReader::with_capacity(BUFFER, Content::of(&self.file)?);
        Header::read(&mut reader)?;
        let mut left = Some(self.header.count);
        let without_zeros = self.without_zeros;
        let entries = std::iter::from_fn(move || match left? {
            0 => {
                left = None;
                reader.get_ref().verify().err().map(Err)
            }
            count => {
                left = Some(count - 1);
                Some(record::unpack(&mut reader))
            }
        });
        if !without_zeros {
            return Ok(Box::new(entries));
        }
        // Until the source has delivered anew. With its zero a number has another place in the order.
        let restored =
            entries.map(|entry| entry.map(|entry| Entry { number: with_lost_zero(entry.number), ..entry }));
        let list: Vec<Entry> = restored.collect::<io::Result<_>>()?;
        let list: List = list.into_iter().collect();
        Ok(Box::new(list.into_entries()))
    }
}

/// What stands in front of the checksum, from the file's beginning, summed up as it is read.
struct Content {
    file: Arc<File>,
    offset: u64,
    end: u64,
    sum: crc32fast::Hasher,
}

impl Content {
    fn of(file: &Arc<File>) -> io::Result<Self> {
        let end = file.metadata()?.len().saturating_sub(4);
        Ok(Self { file: Arc::clone(file), offset: 0, end, sum: crc32fast::Hasher::new() })
    }

    /// Compares with the checksum, once all is read.
    fn verify(&self) -> io::Result<()> {
        let invalid = |what| Err(io::Error::new(ErrorKind::InvalidData, what));
        let mut expected = [0; 4];
        if self.offset < self.end || self.file.read_exact_at(&mut expected, self.end).is_err() {
            return invalid("it is cut off");
        }
        if self.sum.clone().finalize().to_le_bytes() != expected {
            return invalid("its checksum is wrong");
        }
        Ok(())
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..room], self.offset)?;
        self.sum.update(&buffer[..count]);
        self.offset += count as u64;
        Ok(count)
    }
}

/// The version of a list's file, where it is later than this program's.
fn later_version(file: &File) -> Option<u32> {
    let mut begin = [0; KIND.len() + 11];
    let length = file.read_at(&mut begin, 0).ok()?;
    let rest = begin.get(..length)?.strip_prefix(KIND)?;
    let version = rest.split(|byte| *byte == b'\n').next()?;
    let version: u32 = std::str::from_utf8(version).ok()?.parse().ok()?;
    (version > VERSION && !is_ours_but_for_its_beginning(file).unwrap_or(false)).then_some(version)
}

/// Whether it is a file of this version whose first bytes a disk has damaged.
fn is_ours_but_for_its_beginning(file: &File) -> io::Result<bool> {
    let end = file.metadata()?.len().saturating_sub(4);
    let mut sum = crc32fast::Hasher::new();
    sum.update(MAGIC);
    let mut content =
        Content { file: Arc::new(file.try_clone()?), offset: (MAGIC.len() as u64).min(end), end, sum };
    io::copy(&mut BufReader::with_capacity(BUFFER, &mut content), &mut io::sink())?;
    Ok(content.verify().is_ok())
}

/// Where a list is written before it is renamed into place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Sets a damaged file aside, for somebody to look at: `….damaged-<seconds>`. Gives the new name.
pub fn set_aside(path: &Path, now: u64) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{now}"));
    fs::rename(path, &name)?;
    Ok(name.into())
}

impl Header {
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(self.hash.len()).ok().filter(|length| *length <= MAX_HASH);
        let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the hash is too long"))?;
        let mut bytes = MAGIC.to_vec();
        for number in [self.fingerprint, self.taken, self.count] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(self.hash.as_bytes());
        Ok(bytes)
    }

    /// Reads it, and whether the entries have numbers without their zeros.
    fn read(reader: &mut impl Read) -> io::Result<(Self, bool)> {
        let invalid = |what| io::Error::new(ErrorKind::InvalidData, what);
        let mut magic = [0; MAGIC.len()];
        reader.read_exact(&mut magic)?;
        let without_zeros = magic == *WITHOUT_ZEROS;
        if magic != *MAGIC && !without_zeros {
            return Err(invalid("it is no list of this version"));
        }
        let mut number = || {
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        let (fingerprint, taken, count) = (number()?, number()?, number()?);
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_HASH {
            return Err(invalid("its hash is too long"));
        }
        let mut hash = vec![0; length as usize];
        reader.read_exact(&mut hash)?;
        let hash = String::from_utf8(hash).map_err(|_| invalid("its hash is not UTF-8"))?;
        Ok((Self { fingerprint, taken, count, hash }, without_zeros))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::number::Number;

    fn entry(national: u64) -> Entry {
        Entry {
            number: Number::new(47, national).unwrap(),
            person_id: 654,
            person: format!("Person {national} Ærø"),
            mrmrs: String::new(),
            company_id: 243,
            company: "Fjord Sjømat AS".into(),
            likely: national % 2 == 1,
        }
    }

    fn written(count: u64) -> (TempDir, PathBuf, Vec<Entry>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sales.list");
        let entries: Vec<_> = (1..=count).map(entry).collect();
        let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 0, hash: "abc".into() };
        ListFile::write(&path, header, &entries.iter().cloned().collect()).unwrap();
        (folder, path, entries)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_folder, path, entries) = written(1000);
        let file = ListFile::open(&path).unwrap();
        let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 1000, hash: "abc".into() };
        assert_eq!(file.header(), &header);
        assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_list_can_be_read_when_another_one_is_in_its_place() {
        let (_folder, path, entries) = written(3);
        let file = ListFile::open(&path).unwrap();
        // Another hash, so that its entries begin elsewhere.
        let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 0, hash: "abcdef".into() };
        let new = ListFile::write(&path, header, &[entry(9)].into_iter().collect()).unwrap();
        assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
        assert_eq!(new.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [entry(9)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(file.entries().unwrap().count(), 3);
    }

    #[test]
    fn damage_since_it_was_opened_is_noticed() {
        let (_folder, path, _) = written(3);
        let file = ListFile::open(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        // A letter of the last name.
        let place = bytes.len() - 10;
        bytes[place] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = file.entries().unwrap().last().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "its checksum is wrong");
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let (_folder, path, _) = written(0);
        assert_eq!(ListFile::open(&path).unwrap().entries().unwrap().count(), 0);
    }

    #[test]
    fn any_cut_is_noticed() {
        let (_folder, path, _) = written(3);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "cut to {length}");
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "one byte more");
    }

    #[test]
    fn a_file_of_a_later_version_is_neither_damaged_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sales.list");
        for (begin, version) in [("nameplate list 3\n", 3), ("nameplate list 4294967295\nx", u32::MAX)] {
            fs::write(&path, begin).unwrap();
            let error = ListFile::open(&path).unwrap_err();
            assert!(matches!(error, FileError::Later { version: is, .. } if is == version), "{error}");
            let list = [entry(9)].into_iter().collect();
            let error = ListFile::write(&path, Header::default(), &list).unwrap_err().to_string();
            assert!(error.contains("of a later version"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), begin.as_bytes());
        }
        for begin in
            ["nameplate list 0\n", "nameplate list x\n", "nameplate list ", "nameplate list 99999999999\n"]
        {
            fs::write(&path, begin).unwrap();
            assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "{begin}");
        }
    }

    #[test]
    fn a_file_of_the_first_version_gets_its_zeros_back() {
        let number = |zeros, national| Number::with_zeros(39, zeros, national).unwrap();
        let of = |number| Entry { number, likely: true, ..entry(1) };
        let (_folder, path, _) = written(0);
        // 02 12348326 has lost its zero, the mobile 312 3456789 has none.
        let list = [of(number(0, 212_348_326)), of(number(0, 3_123_456_789))].into_iter().collect();
        ListFile::write(&path, Header::default(), &list).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[..MAGIC.len()].copy_from_slice(WITHOUT_ZEROS);
        let end = bytes.len() - 4;
        let sum = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let file = ListFile::open(&path).unwrap();
        let entries: Vec<_> = file.entries().unwrap().map(Result::unwrap).collect();
        assert_eq!(entries, [of(number(0, 3_123_456_789)), of(number(1, 212_348_326))]);
        assert!(ListFile::write(&path, Header::default(), &List::default()).is_ok());
    }

    #[test]
    fn a_missing_file_is_told_from_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(ListFile::open(&folder.path().join("x.list")), Err(FileError::Missing(_))));
    }

    #[test]
    fn a_failed_write_leaves_the_old_list() {
        let (folder, path, entries) = written(3);
        // A folder where the new file would be: it can't be written.
        fs::create_dir(folder.path().join("sales.list.new")).unwrap();
        let list = [entry(9)].into_iter().collect();
        assert!(ListFile::write(&path, Header::default(), &list).is_err());
        let file = ListFile::open(&path).unwrap();
        assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let (folder, path, _) = written(1);
        assert_eq!(set_aside(&path, 42).unwrap(), folder.path().join("sales.list.damaged-42"));
        assert!(!path.exists());
    }

    proptest! {
        #[test]
        fn any_damage_of_any_byte_is_noticed(place: prop::sample::Index, flip in 1..=u8::MAX) {
            let (_folder, path, _) = written(5);
            let mut bytes = fs::read(&path).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            fs::write(&path, &bytes).unwrap();
            let opened = ListFile::open(&path);
            prop_assert!(matches!(opened, Err(FileError::Damaged { .. })), "byte {} ^ {}", place, flip);
        }
    }
}
