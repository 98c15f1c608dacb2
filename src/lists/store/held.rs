//! What is kept beside a list: the list that is held back (`<list>.held`, with `<list>.guard` for what is known of it), and the
//! numbers that were lost on the way to the list in use (`<list>.missing`).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::{Kept, Store};
use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile};
use crate::lists::guard::Held;
use crate::source::UnusableRecords;

/// What is known of a list that is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// What others see of it.
    pub held: Held,
    /// The question that it answers.
    pub fingerprint: u64,
    /// The source's mark of it.
    pub hash: String,
    /// What of it could not be used.
    pub unusable: UnusableRecords,
}

impl HeldBack {
    /// The header of the list itself. The file with another one is another list's: a kill may come between the two.
    #[must_use]
    pub fn header(&self) -> Header {
        let Held { count, came, .. } = self.held;
        Header { fingerprint: self.fingerprint, taken: came, count: count as u64, hash: self.hash.clone() }
    }
}

/// Numbers that were lost on the way to the list in use.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// Their entries.
    pub list: Kept,
    /// When the first of them was lost: seconds since 1970, UTC.
    pub since: u64,
    /// How many numbers were known at most since then.
    pub of: usize,
}

impl Store {
    pub(super) fn beside(&self, list: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{list}.{kind}"))
    }

    /// Where a list that is held back is.
    #[must_use]
    pub fn held_path(&self, list: &str) -> PathBuf {
        self.beside(list, "held")
    }

    /// What is known of the list that is held back, where there is one that answers this question.
    #[must_use]
    pub fn held(&self, list: &str, fingerprint: u64) -> Option<HeldBack> {
        let text = fs::read(self.beside(list, "guard")).ok()?;
        serde_json::from_slice(&text).ok().filter(|held: &HeldBack| held.fingerprint == fingerprint)
    }

    /// The list that is held back.
    ///
    /// # Errors
    /// When its file is missing, damaged or another list's.
    pub fn held_list(&self, list: &str, held: &HeldBack) -> io::Result<ListFile> {
        let file = ListFile::open(&self.held_path(list)).map_err(io::Error::other)?;
        if *file.header() == held.header() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Writes a list that is held back; in memory where it can't be written.
    pub fn write_held(&self, list: &str, held: &HeldBack, entries: Arc<List>) -> Kept {
        let written = self
            .create_folder()
            .and_then(|()| ListFile::write(&self.held_path(list), held.header(), &entries));
        let written = written.and_then(|file| self.write_guard(list, held).map(|()| file));
        match written {
            Ok(file) => Kept::OnDisk(file),
            Err(error) => {
                debug!(%list, "what is held back can't be written: {error}");
                Kept::InMemory(held.header(), entries)
            }
        }
    }

    /// Writes what is known of it.
    pub fn write_guard(&self, list: &str, held: &HeldBack) -> io::Result<()> {
        super::write_json(&self.beside(list, "guard"), held)
    }

    /// Nothing is held back any more.
    pub fn remove_held(&self, list: &str) {
        for kind in ["guard", "held"] {
            remove(list, &self.beside(list, kind));
        }
    }

    /// Numbers that are missing from the list in use. In their file's header the fingerprint is how many there were.
    #[must_use]
    pub fn missing(&self, list: &str) -> Missing {
        match ListFile::open(&self.beside(list, "missing")) {
            Ok(file) => {
                let Header { taken: since, fingerprint, .. } = *file.header();
                let of = usize::try_from(fingerprint).unwrap_or(usize::MAX);
                Missing { list: Kept::OnDisk(file), since, of }
            }
            Err(FileError::Missing(_)) => Missing::default(),
            Err(error) => {
                warn!(%list, "what was lost before does not count: {error}");
                Missing::default()
            }
        }
    }

    /// Writes them; in memory where that can't be done. Where there are none, the file goes.
    pub fn write_missing(&self, list: &str, entries: List, since: u64, of: usize) -> Missing {
        let path = self.beside(list, "missing");
        if entries.is_empty() {
            remove(list, &path);
            return Missing::default();
        }
        let header =
            Header { fingerprint: of as u64, taken: since, count: entries.len() as u64, hash: String::new() };
        let list = match ListFile::write(&path, header.clone(), &entries) {
            Ok(file) => Kept::OnDisk(file),
            Err(error) => {
                debug!(%list, "{} can't be written: {error}", path.display());
                Kept::InMemory(header, Arc::new(entries))
            }
        };
        Missing { list, since, of }
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
