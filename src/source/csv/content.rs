//! The content of a file: of a regular file only, up to a size, and not while it is being written.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytesize::ByteSize;
use rustix::fs::OFlags;

use super::CsvError;

/// The size of the largest file, in bytes: many times that of a list of a million people.
pub(super) const LARGEST: u64 = 512 << 20;
/// A file without an end of its last line is not written any more when it was not changed for this time.
const QUIET: Duration = Duration::from_secs(2);

/// What a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The file has the known stamp.
    Unchanged,
    /// Its bytes, and its stamp.
    Whole(Vec<u8>, String),
    /// Its last line may not be whole. If it still has this stamp after the time, it is.
    Unfinished(String, Duration),
}

/// Reads the file at `path`, unless it has the stamp `known`. A file that was `unfinished` must still have that stamp, and is whole.
pub(super) fn read(path: &Path, known: &str, unfinished: Option<&str>) -> Result<Content, CsvError> {
    let unreadable = |error| CsvError::Unreadable { path: path.to_owned(), error };
    let there = look(path, std::fs::metadata(path).map_err(unreadable)?)?;
    let before = stamp(&there).map_err(unreadable)?;
    if unfinished.is_some_and(|stamp| stamp != before) {
        return Err(CsvError::Changing(path.to_owned()));
    }
    if before == known {
        return Ok(Content::Unchanged);
    }
    // If it has become a pipe meanwhile, nobody waits for its writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    look(path, file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(CsvError::TooLarge { path: path.to_owned(), size: ByteSize(bytes.len() as u64) });
    }
    // A file that an editor is saving may be cut off.
    let after = std::fs::metadata(path).map_err(unreadable)?;
    if stamp(&after).map_err(unreadable)? != before {
        return Err(CsvError::Changing(path.to_owned()));
    }
    // Half a number may be another number.
    if unfinished.is_none() && !ends_with_a_line_end(&bytes) {
        let age = age(&there);
        if age < QUIET {
            return Ok(Content::Unfinished(before, QUIET - age));
        }
    }
    Ok(Content::Whole(bytes, before))
}

/// Fails if it is no regular file, or a too large one.
fn look(path: &Path, there: Metadata) -> Result<Metadata, CsvError> {
    if !there.is_file() {
        return Err(CsvError::NoFile(path.to_owned()));
    }
    if there.len() > LARGEST {
        return Err(CsvError::TooLarge { path: path.to_owned(), size: ByteSize(there.len()) });
    }
    Ok(there)
}

/// The stamp of a file: its modification time and its size.
fn stamp(file: &Metadata) -> io::Result<String> {
    let modified = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{}-{}", modified.as_nanos(), file.len()))
}

/// The time since the last change. Zero after a clock has been put back: then the file is looked at twice, and not more often.
fn age(file: &Metadata) -> Duration {
    let modified = file.modified().unwrap_or(UNIX_EPOCH);
    SystemTime::now().duration_since(modified).unwrap_or_default()
}

/// Whether the last line has its end, in UTF-8 or in UTF-16.
fn ends_with_a_line_end(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, .., b'\n' | b'\r', 0] | [0xfe, 0xff, .., 0, b'\n' | b'\r'] => {
            bytes.len().is_multiple_of(2)
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => false,
        bytes => matches!(bytes.last(), None | Some(b'\n' | b'\r')),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::csv::File;
    use crate::source::{Fetched, Progress};

    fn at(path: &Path) -> File {
        File { path: path.to_owned(), delimiter: None, country: "NO".parse().unwrap() }
    }

    #[tokio::test]
    async fn what_is_no_file_or_too_large_fails_at_once_and_says_what_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, large) = (folder.path().join("pipe.csv"), folder.path().join("large.csv"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::File::create(&large).unwrap().set_len(1 << 30).unwrap();
        for (path, said) in [
            (pipe.as_path(), "pipe.csv is no regular file"),
            (folder.path(), "is no regular file"),
            (&large, "large.csv has 1.0 GiB; allowed are 512.0 MiB"),
        ] {
            let (file, nobody) = (at(path), Progress::default());
            let fetched = tokio::time::timeout(Duration::from_secs(5), file.fetch("", &nobody));
            let error = fetched.await.expect("at once").unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn only_a_last_line_without_its_end_makes_a_new_file_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vip.csv");
        let day = Duration::from_hours(24);
        for (text, age, waits) in [
            (&b"number\n1\n"[..], Duration::ZERO, false),
            (b"number\r1\r", Duration::ZERO, false),
            (b"", Duration::ZERO, false),
            (b"number\n1", Duration::ZERO, true),
            (b"number\n1", QUIET, false),
            (b"\xff\xfe1\0\n\0", Duration::ZERO, false),
            (b"\xff\xfe1\0\n", Duration::ZERO, true),
            (b"\xfe\xff\x001\x00\n", Duration::ZERO, false),
            (b"\xfe\xff\x001\x00", Duration::ZERO, true),
        ] {
            fs::write(&path, text).unwrap();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            let content = read(&path, "", None).unwrap();
            assert_eq!(matches!(content, Content::Unfinished(..)), waits, "{text:?} {age:?}: {content:?}");
        }
        // A clock has been put back: the file is whole when it is still the same.
        fs::write(&path, "number\n1").unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() + day).unwrap();
        let Content::Unfinished(stamp, wait) = read(&path, "", None).unwrap() else { panic!("it is new") };
        assert_eq!(wait, QUIET);
        assert!(matches!(read(&path, "", Some(&stamp)).unwrap(), Content::Whole(..)));
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_not_taken_with_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vip.csv");
        let (file, nobody) = (at(&path), Progress::default());
        // The number of somebody else, as long as the line is not whole.
        fs::write(&path, "person,company,number\nKari,,22334455\nOla,,2233445").unwrap();
        let written = async {
            // Between the two looks, as far from one as from the other.
            tokio::time::sleep(QUIET / 2).await;
            fs::write(&path, "person,company,number\nKari,,22334455\nOla,,22334456").unwrap();
        };
        let (fetched, ()) = tokio::join!(file.fetch("", &nobody), written);
        assert!(matches!(fetched, Err(CsvError::Changing(_))), "{fetched:?}");
        // Then it rests.
        let fetched = tokio::time::timeout(QUIET + Duration::from_secs(1), file.fetch("", &nobody)).await;
        let Ok(Fetched::Entries(delivery)) = fetched.expect("in time") else { panic!("it is whole") };
        assert_eq!((delivery.entries.len(), delivery.unusable.total()), (2, 0));
        let unchanged = file.fetch(&delivery.hash, &nobody).await;
        assert!(matches!(unchanged, Ok(Fetched::Unchanged)));
    }
}
