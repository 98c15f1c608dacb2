//! A list on disk. It is written beside its place, synced and renamed, so that a failure leaves the last list. A checksum over all
//! bytes finds damage: a damaged list is never in use.
//!
//! The file: [`MAGIC`]; fingerprint, time, count of entries (8 bytes each); the source's hash with its length in
//! 4 bytes; the entries (`record`); CRC-32 of everything before, in 4 bytes. Little-endian.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::RecordReader;
use super::{Collector, List, Record, Records};
use crate::entry::Entry;
use crate::number::with_lost_zero;
use crate::owner;

/// The beginning of a list's file: its kind, and the version of its format.
pub const MAGIC: &[u8; 17] = b"nameplate list 2\n";
/// The version in it, and the beginning in every version.
const VERSION: u32 = 2;
const KIND: &[u8] = b"nameplate list ";

/// The beginning of files of version 1: their numbers lack leading zeros, and unlikely ones have no mark.
const WITHOUT_ZEROS: &[u8; 17] = b"nameplate list 1\n";

/// The size of a read or a write, in bytes.
const BUFFER: usize = 1 << 18;

/// The longest hash, in bytes.
pub const MAX_HASH: u32 = 4096;

/// The header of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Identifies the request: API, user, selection. The hash is sent with the same request only.
    pub fingerprint: u64,
    /// When the list was fetched: seconds since 1970, UTC.
    pub taken: u64,
    /// The count of entries.
    pub count: u64,
    /// The source's hash of the list, sent with the next request.
    pub hash: String,
}

/// Why a list can't be read from its file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no file.
    #[error("there is no list at {}", .0.display())]
    Missing(PathBuf),
    /// The file can't be read.
    #[error("can't read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A later version of nameplate has written the file.
    #[error("{} is of a later version of nameplate (format {version}): it stays where it is", path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// The file is damaged.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
}

/// A list's file with a correct checksum. It stays open, so that its entries can be read after another list has replaced it.
#[derive(Clone, Debug)]
pub struct ListFile {
    file: Arc<File>,
    header: Header,
    /// Whether the numbers lack leading zeros, as in files of version 1.
    without_zeros: bool,
}

impl ListFile {
    /// Writes a list. The old file stays until the new one is complete on disk. A later version's file is never replaced.
    pub fn write(path: &Path, mut header: Header, list: &List) -> io::Result<Self> {
        header.count = list.len() as u64;
        if let Some(version) = File::open(path).ok().and_then(|file| later_version(&file)) {
            return Err(io::Error::other(FileError::Later { path: path.to_owned(), version }));
        }
        let written = Self::write_beside(path, &header, list);
        if written.is_err() {
            // Half a file only takes room on a full disk.
            let _ = fs::remove_file(beside(path));
        }
        let file = Arc::new(written?);
        fs::rename(beside(path), path)?;
        // The sync of the folder makes the rename permanent.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, header, without_zeros: false })
    }

    /// Writes the file beside its place.
    fn write_beside(path: &Path, header: &Header, list: &List) -> io::Result<File> {
        let mut file = BufWriter::with_capacity(BUFFER, owner::create(&beside(path))?);
        write_to(&mut file, header, list)?;
        let file = file.into_inner()?;
        file.sync_all()?;
        Ok(file)
    }

    /// Opens a list, and reads it once to verify its checksum.
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

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Copies the bytes of the file. After the last one it is an error if the file was damaged since it was opened.
    pub(super) fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut content = Content::of(&self.file)?;
        io::copy(&mut BufReader::with_capacity(BUFFER, &mut content), out)?;
        content.verify()?;
        out.write_all(&content.sum.finalize().to_le_bytes())
    }

    /// The records, by number, read on demand. The last one is an error if the file was damaged since it was opened.
    pub fn records<'a>(&self) -> io::Result<Records<'a>> {
        let mut content = Content::of(&self.file)?;
        Header::read(&mut content)?;
        let reader = RecordReader::new(content, BUFFER);
        let records =
            FileRecords { reader, left: Some(self.header.count) }.map(|packed| Record::new(packed?.into()));
        if !self.without_zeros {
            return Ok(Box::new(records));
        }
        // A file of version 1, until the source delivers again. With its zero a number has another place in the order.
        let mut list = Collector::default();
        for record in records {
            let record = record?;
            let entry = record.entry()?;
            list.push(&Entry { number: with_lost_zero(entry.number), ..entry });
        }
        let list = list.finish();
        let records: Vec<_> = list.records().map(|record| record.map(Record::owned)).collect();
        Ok(Box::new(records.into_iter()))
    }

    /// The entries, as [`Self::records`].
    pub fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<Entry>>> {
        Ok(self.records()?.map(|record| Ok(record?.entry()?.owned())))
    }
}

/// The packed records of a file. The last item is an error if the checksum is wrong.
struct FileRecords {
    reader: RecordReader<Content>,
    /// The count of records that are left. None at the end.
    left: Option<u64>,
}

impl Iterator for FileRecords {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.left?;
        self.left = left.checked_sub(1);
        if left == 0 {
            return self.reader.bytes().verify().err().map(Err);
        }
        Some(self.reader.next().map(<[u8]>::to_vec))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.left.and_then(|left| usize::try_from(left).ok()))
    }
}

/// Writes the bytes of a list's file.
pub(super) fn write_to(out: &mut impl Write, header: &Header, list: &List) -> io::Result<()> {
    let mut sum = crc32fast::Hasher::new();
    let mut write = |bytes: &[u8]| {
        sum.update(bytes);
        out.write_all(bytes)
    };
    write(&header.to_bytes()?)?;
    for packed in list.packed() {
        write(packed.ok_or(ErrorKind::InvalidData)?)?;
    }
    out.write_all(&sum.finalize().to_le_bytes())
}

/// The bytes before the checksum, summed up while they are read.
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

    /// Compares with the checksum, after all bytes were read.
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

/// The version of a list's file, if it is later than this program's.
fn later_version(file: &File) -> Option<u32> {
    let mut begin = [0; KIND.len() + 11];
    let length = file.read_at(&mut begin, 0).ok()?;
    let rest = begin.get(..length)?.strip_prefix(KIND)?;
    let version = rest.split(|byte| *byte == b'\n').next()?;
    let version: u32 = std::str::from_utf8(version).ok()?.parse().ok()?;
    (version > VERSION && !is_ours_but_for_its_beginning(file).unwrap_or(false)).then_some(version)
}

/// Whether it is a file of this version with damaged first bytes.
fn is_ours_but_for_its_beginning(file: &File) -> io::Result<bool> {
    let end = file.metadata()?.len().saturating_sub(4);
    let mut sum = crc32fast::Hasher::new();
    sum.update(MAGIC);
    let mut content =
        Content { file: Arc::new(file.try_clone()?), offset: (MAGIC.len() as u64).min(end), end, sum };
    io::copy(&mut BufReader::with_capacity(BUFFER, &mut content), &mut io::sink())?;
    Ok(content.verify().is_ok())
}

/// The path of a file while it is written, before its rename.
pub(crate) fn beside(path: &Path) -> PathBuf {
    with_ending(path, ".new")
}

/// Renames a damaged file to `….damaged-<seconds>`, for an administrator. Returns the new name.
pub fn set_aside(path: &Path, now: u64) -> io::Result<PathBuf> {
    let aside = with_ending(path, &format!(".damaged-{now}"));
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
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

    /// Reads a header, and whether the numbers lack leading zeros.
    pub(super) fn read(reader: &mut impl Read) -> io::Result<(Self, bool)> {
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
mod tests;
