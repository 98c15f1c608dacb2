//! The files of the guard: the list that is held back (`<list>.held`), its description (`<list>.guard`), and the numbers that
//! were lost before the list in use (`<list>.missing`).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::Store;
use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile};
use crate::lists::guard::HeldList;
use crate::lists::snapshot::{LostNumbers, Snapshot};
use crate::source::UnusableRecords;

/// The description of a list that is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRecord {
    /// The part that is shown.
    pub held: HeldList,
    /// The fingerprint of its request.
    pub fingerprint: u64,
    /// The source's hash of it.
    pub hash: String,
    /// Its unusable records.
    pub unusable: UnusableRecords,
}

impl HeldRecord {
    /// The header of the list's file. After a kill the file may be another list's, with another header.
    #[must_use]
    pub fn header(&self) -> Header {
        let HeldList { count, came, .. } = self.held;
        Header { fingerprint: self.fingerprint, taken: came, count: count as u64, hash: self.hash.clone() }
    }
}

impl Store {
    /// The file of the list that is held back.
    #[must_use]
    pub fn held_path(&self, list: &str) -> PathBuf {
        self.file(list, "held")
    }

    /// The description of the list that is held back, if it answers the request with this fingerprint.
    #[must_use]
    pub fn held(&self, list: &str, fingerprint: u64) -> Option<HeldRecord> {
        let text = fs::read(self.file(list, "guard")).ok()?;
        serde_json::from_slice(&text).ok().filter(|held: &HeldRecord| held.fingerprint == fingerprint)
    }

    /// The list that is held back.
    ///
    /// # Errors
    /// If its file is missing, damaged or another list's.
    pub fn held_list(&self, list: &str, held: &HeldRecord) -> io::Result<ListFile> {
        let file = ListFile::open(&self.held_path(list)).map_err(io::Error::other)?;
        if *file.header() == held.header() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Writes a list that is held back. If the file can't be written, the list stays in memory.
    pub fn write_held(&self, list: &str, held: &HeldRecord, entries: Arc<List>) -> Snapshot {
        let written = self
            .create_folder()
            .and_then(|()| ListFile::write(&self.held_path(list), held.header(), &entries));
        let written = written.and_then(|file| self.write_guard(list, held).map(|()| file));
        match written {
            Ok(file) => Snapshot::OnDisk(file),
            Err(error) => {
                debug!(%list, "the list that is held back can't be written: {error}");
                Snapshot::InMemory(held.header(), entries)
            }
        }
    }

    /// Writes the description of the list that is held back.
    pub fn write_guard(&self, list: &str, held: &HeldRecord) -> io::Result<()> {
        super::write_json(&self.file(list, "guard"), held)
    }

    /// Removes the files of the list that is held back.
    pub fn remove_held(&self, list: &str) {
        for kind in ["guard", "held"] {
            remove(list, &self.file(list, kind));
        }
    }

    /// The lost numbers. The fingerprint in their file's header is the most numbers that were known.
    #[must_use]
    pub fn lost(&self, list: &str) -> LostNumbers {
        match ListFile::open(&self.file(list, "missing")) {
            Ok(file) => {
                let Header { taken: since, fingerprint, .. } = *file.header();
                let of = usize::try_from(fingerprint).unwrap_or(usize::MAX);
                LostNumbers { list: Snapshot::OnDisk(file), since, of }
            }
            Err(FileError::Missing(_)) => LostNumbers::default(),
            Err(error) => {
                warn!(%list, "what was lost before does not count: {error}");
                LostNumbers::default()
            }
        }
    }

    /// Writes the lost numbers. If there are none, the file is removed; if it can't be written, they stay in memory.
    pub fn write_lost(&self, list: &str, entries: List, since: u64, of: usize) -> LostNumbers {
        let path = self.file(list, "missing");
        if entries.is_empty() {
            remove(list, &path);
            return LostNumbers::default();
        }
        let header =
            Header { fingerprint: of as u64, taken: since, count: entries.len() as u64, hash: String::new() };
        let list = match ListFile::write(&path, header.clone(), &entries) {
            Ok(file) => Snapshot::OnDisk(file),
            Err(error) => {
                debug!(%list, "{} can't be written: {error}", path.display());
                Snapshot::InMemory(header, Arc::new(entries))
            }
        };
        LostNumbers { list, since, of }
    }
}

fn remove(list: &str, path: &std::path::Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            debug!(%list, "{} can't be removed: {error}", path.display());
        }
        _ => {}
    }
}
