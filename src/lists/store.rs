//! The lists on disk: `state_dir/lists/<list>.list`, with `<list>.unusable` beside it for what of the set could not
//! be used, and `<list>.list.copy`, which takes the place of a damaged list.
//!
//! - [`held`]: what the guard keeps beside it
//! - [`removed`]: lists that are no longer in the configuration

pub mod held;
pub mod removed;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile, set_aside};
use crate::directory::merge::Entries;
use crate::owner;
use crate::source::UnusableRecords;

/// The folder of the lists.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A list that is in use.
#[derive(Clone, Debug, Default)]
pub enum Kept {
    /// Nothing is known yet.
    #[default]
    Nothing,
    /// On disk, where it is read from.
    OnDisk(ListFile),
    /// In memory, because it could not be written.
    InMemory(Header, Arc<List>),
}

impl Kept {
    /// The list's header: all zero for nothing.
    #[must_use]
    pub fn header(&self) -> Header {
        match self {
            Self::Nothing => Header::default(),
            Self::OnDisk(file) => file.header().clone(),
            Self::InMemory(header, _) => header.clone(),
        }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.header().count).unwrap_or(usize::MAX)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries, by number.
    pub fn entries(&self) -> io::Result<Entries<'_>> {
        Ok(match self {
            Self::Nothing => Box::new(std::iter::empty()),
            Self::OnDisk(file) => Box::new(file.entries()?),
            Self::InMemory(_, list) => Box::new(list.entries()),
        })
    }

    /// Whether its file is as it was when it was opened. Reads all of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.entries().is_ok_and(|mut entries| entries.all(|entry| entry.is_ok()))
    }
}

/// What stands in `<list>.unusable`. It belongs to the list only whose header it repeats: a kill may leave an old
/// one beside a new list.
#[derive(Serialize, Deserialize)]
struct LeftOut {
    fingerprint: u64,
    taken: u64,
    hash: String,
    unusable: UnusableRecords,
}

impl Store {
    /// The lists of `state_dir`. Nothing is created yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("lists") }
    }

    fn create_folder(&self) -> io::Result<()> {
        owner::create_folder(&self.folder)
    }

    fn path(&self, list: &str) -> PathBuf {
        self.folder.join(format!("{list}.list"))
    }

    fn copy(&self, list: &str) -> PathBuf {
        self.folder.join(format!("{list}.list.copy"))
    }

    /// Reads a list, whatever state its file is in: a damaged one is set aside and reported, and its copy takes its
    /// place, as it does where a kill has come between the two.
    #[must_use]
    pub fn load(&self, list: &str, now: u64) -> Kept {
        let error = match ListFile::open(&self.path(list)) {
            Ok(file) => return Kept::OnDisk(file),
            Err(FileError::Missing(_)) if !self.has_copy(list) => return Kept::Nothing,
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
            return Kept::OnDisk(file);
        }
        warn!(%list, "the list starts empty: {error}{aside}");
        Kept::Nothing
    }

    /// Whether there is a file for a list, in whatever state.
    #[must_use]
    pub fn has(&self, list: &str) -> bool {
        fs::exists(self.path(list)).unwrap_or(false) || self.has_copy(list)
    }

    fn has_copy(&self, list: &str) -> bool {
        fs::exists(self.copy(list)).unwrap_or(false)
    }

    /// Opens a list's copy, where there is a good one, in the list's place if it can be put there.
    fn restore(&self, list: &str) -> Option<ListFile> {
        let (from, to) = (self.copy(list), self.path(list));
        let copy = ListFile::open(&from).ok()?;
        let beside = to.with_extension("list.new");
        let copied = fs::copy(&from, &beside)
            .and_then(|_| {
                owner::give(&beside, 0);
                fs::File::open(&beside)?.sync_all()
            })
            .and_then(|()| fs::rename(&beside, &to));
        let restored = copied.or_else(|_| {
            let _ = fs::remove_file(&beside);
            // A full disk has room for one.
            fs::rename(&from, &to)
        });
        Some(restored.ok().and_then(|()| ListFile::open(&to).ok()).unwrap_or(copy))
    }

    /// Reads a list, or the copy of one that is damaged, without touching anything: for who is not the writer. With it
    /// comes what is wrong with its file.
    #[must_use]
    pub fn peek(&self, list: &str) -> (Kept, Option<FileError>) {
        match ListFile::open(&self.path(list)) {
            Ok(file) => (Kept::OnDisk(file), None),
            Err(FileError::Missing(_)) if !self.has_copy(list) => (Kept::Nothing, None),
            Err(error) => match ListFile::open(&self.copy(list)) {
                Ok(copy) => (Kept::OnDisk(copy), Some(error)),
                Err(_) => (Kept::Nothing, Some(error)),
            },
        }
    }

    /// The same, with what is wrong in the log.
    #[must_use]
    pub fn look(&self, list: &str) -> Kept {
        let (kept, error) = self.peek(list);
        match (&kept, error) {
            (_, None) => {}
            (Kept::Nothing, Some(error)) => warn!(%list, "the list can't be used: {error}"),
            (_, Some(error)) => warn!(%list, "the list's copy is used: {error}"),
        }
        kept
    }

    /// Writes a list into its place, and a copy beside it: a disk may damage a file that was written well, and the names
    /// in it are wanted before the CRM has answered.
    pub fn write(&self, list: &str, header: Header, entries: &List) -> io::Result<ListFile> {
        self.create_folder()?;
        let file = ListFile::write(&self.path(list), header.clone(), entries)?;
        // Without it no name is missing; an older one is better than none.
        if let Err(error) = ListFile::write(&self.copy(list), header, entries) {
            debug!(%list, "{} can't be written: {error}", self.copy(list).display());
        }
        Ok(file)
    }

    /// What could not be used of the set that the list with this header is; nothing where that is not known.
    #[must_use]
    pub fn unusable(&self, list: &str, header: &Header) -> UnusableRecords {
        let left_out = fs::read(self.left_out(list)).ok();
        let left_out = left_out.and_then(|text| serde_json::from_slice::<LeftOut>(&text).ok());
        let ours = left_out.filter(|of| {
            (of.fingerprint, of.taken, &of.hash) == (header.fingerprint, header.taken, &header.hash)
        });
        ours.map(|of| of.unusable).unwrap_or_default()
    }

    /// Writes it down for the list with this header. Without it no name is missing, so a failure is not reported.
    pub fn write_unusable(&self, list: &str, header: &Header, unusable: &UnusableRecords) {
        let path = self.left_out(list);
        let write = || {
            if unusable.is_empty() {
                return fs::remove_file(&path);
            }
            let Header { fingerprint, taken, hash, .. } = header.clone();
            write_json(&path, &LeftOut { fingerprint, taken, hash, unusable: unusable.clone() })
        };
        if let Err(error) = write()
            && error.kind() != io::ErrorKind::NotFound
        {
            debug!(%list, "{} can't be written: {error}", path.display());
        }
    }

    fn left_out(&self, list: &str) -> PathBuf {
        self.folder.join(format!("{list}.unusable"))
    }
}

/// Writes it beside its place and renames it.
fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    owner::create(beside.as_ref())?.write_all(&serde_json::to_vec(value)?)?;
    fs::rename(&beside, path)
}
