//! The files of the lists, in `state_dir/lists`: `<list>.list`; its copy `<list>.list.copy`, which replaces a damaged list; and
//! `<list>.unusable` with the list's unusable records.
//!
//! - [`held`]: the files of the guard
//! - `suppressed`: the files without the numbers that must not be named
//! - [`removed`]: lists that are no longer in the configuration

pub mod held;
pub mod removed;
mod suppressed;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::snapshot::Snapshot;
use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile, beside, set_aside};
use crate::directory::suppressed::Suppressed;
use crate::owner;
use crate::source::UnusableRecords;

/// The folder of the lists.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// Numbers that must not be named. The writer takes their records out of a list before it is written.
    suppressed: Arc<ArcSwap<Suppressed>>,
}

/// The content of `<list>.unusable`. It belongs to the list with the same fingerprint, time and hash: after a kill an old file may
/// stand beside a new list.
#[derive(Serialize, Deserialize)]
struct UnusableFile {
    fingerprint: u64,
    taken: u64,
    hash: String,
    unusable: UnusableRecords,
}

impl Store {
    /// The lists of `state_dir`. Nothing is created yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("lists"), suppressed: Arc::default() }
    }

    fn create_folder(&self) -> io::Result<()> {
        owner::create_folder(&self.folder)
    }

    /// The file of a list with this ending.
    fn file(&self, list: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{list}.{ending}"))
    }

    fn path(&self, list: &str) -> PathBuf {
        self.file(list, "list")
    }

    fn copy(&self, list: &str) -> PathBuf {
        self.file(list, "list.copy")
    }

    /// Opens a list, for the writer. A damaged file is renamed and reported. Its copy replaces it, and also replaces a file that is
    /// missing after a kill.
    #[must_use]
    pub fn load(&self, list: &str, now: u64) -> Snapshot {
        let error = match ListFile::open(&self.path(list)) {
            Ok(file) => return Snapshot::OnDisk(file),
            Err(FileError::Missing(_)) if !self.has_copy(list) => return Snapshot::Absent,
            Err(error) => error,
        };
        let aside = match &error {
            FileError::Damaged { .. } => match set_aside(&self.path(list), now) {
                Ok(aside) => format!("; it is {} now", aside.display()),
                Err(other) => format!(", and can't be set aside: {other}"),
            },
            _ => String::new(),
        };
        // The copy does not take the place of a later version's file.
        let is_later = matches!(error, FileError::Later { .. });
        let copy = if is_later { ListFile::open(&self.copy(list)).ok() } else { self.restore(list) };
        if let Some(file) = copy {
            warn!(%list, "the list's copy is used: {error}{aside}");
            return Snapshot::OnDisk(file);
        }
        warn!(%list, "the list starts empty: {error}{aside}");
        Snapshot::Absent
    }

    /// Whether a list has a file, damaged or not.
    #[must_use]
    pub fn has(&self, list: &str) -> bool {
        fs::exists(self.path(list)).unwrap_or(false) || self.has_copy(list)
    }

    fn has_copy(&self, list: &str) -> bool {
        fs::exists(self.copy(list)).unwrap_or(false)
    }

    /// Opens an undamaged copy, and puts it in the list's place if the disk permits.
    fn restore(&self, list: &str) -> Option<ListFile> {
        let (from, to) = (self.copy(list), self.path(list));
        let copy = ListFile::open(&from).ok()?;
        let beside = beside(&to);
        let copied = fs::File::open(&from)
            .and_then(|mut from| {
                let mut file = owner::create(&beside)?;
                io::copy(&mut from, &mut file)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&beside, &to));
        let restored = copied.or_else(|_| {
            let _ = fs::remove_file(&beside);
            // A full disk has room for one of them.
            fs::rename(&from, &to)
        });
        Some(restored.ok().and_then(|()| ListFile::open(&to).ok()).unwrap_or(copy))
    }

    /// Opens a list, or its copy if it is damaged, and changes no file: for processes without the lock. Also returns the error of
    /// the list's file.
    #[must_use]
    pub fn peek(&self, list: &str) -> (Snapshot, Option<FileError>) {
        match ListFile::open(&self.path(list)) {
            Ok(file) => (Snapshot::OnDisk(file), None),
            Err(FileError::Missing(_)) if !self.has_copy(list) => (Snapshot::Absent, None),
            Err(error) => match ListFile::open(&self.copy(list)) {
                Ok(copy) => (Snapshot::OnDisk(copy), Some(error)),
                Err(_) => (Snapshot::Absent, Some(error)),
            },
        }
    }

    /// The same, with the error in the log.
    #[must_use]
    pub fn look(&self, list: &str) -> Snapshot {
        let (snapshot, error) = self.peek(list);
        match (&snapshot, error) {
            (_, None) => {}
            (Snapshot::Absent, Some(error)) => warn!(%list, "the list can't be used: {error}"),
            (_, Some(error)) => warn!(%list, "the list's copy is used: {error}"),
        }
        snapshot
    }

    /// Writes a list and its copy. The copy is for a later damage by the disk: after a restart its names are there before the CRM
    /// answers.
    pub fn write(&self, list: &str, header: Header, entries: &List) -> io::Result<ListFile> {
        self.create_folder()?;
        let file = ListFile::write(&self.path(list), header.clone(), entries)?;
        // The list itself is written. An older copy is better than none.
        if let Err(error) = ListFile::write(&self.copy(list), header, entries) {
            debug!(%list, "{} can't be written: {error}", self.copy(list).display());
        }
        Ok(file)
    }

    /// The unusable records of the list with this header; empty if they are not known.
    #[must_use]
    pub fn unusable(&self, list: &str, header: &Header) -> UnusableRecords {
        let unusable_file = fs::read(self.file(list, "unusable")).ok();
        let unusable_file = unusable_file.and_then(|text| serde_json::from_slice::<UnusableFile>(&text).ok());
        let ours = unusable_file.filter(|of| {
            (of.fingerprint, of.taken, &of.hash) == (header.fingerprint, header.taken, &header.hash)
        });
        ours.map(|of| of.unusable).unwrap_or_default()
    }

    /// Writes the unusable records of the list with this header. A failure costs no name, so it is not reported.
    pub fn write_unusable(&self, list: &str, header: &Header, unusable: &UnusableRecords) {
        let path = self.file(list, "unusable");
        let write = || {
            if unusable.is_empty() {
                return fs::remove_file(&path);
            }
            let Header { fingerprint, taken, hash, .. } = header.clone();
            write_json(&path, &UnusableFile { fingerprint, taken, hash, unusable: unusable.clone() })
        };
        if let Err(error) = write()
            && error.kind() != io::ErrorKind::NotFound
        {
            debug!(%list, "{} can't be written: {error}", path.display());
        }
    }
}

/// Writes the file beside its place and renames it.
fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = beside(path);
    owner::create(&beside)?.write_all(&serde_json::to_vec(value)?)?;
    fs::rename(&beside, path)
}
