//! The lists on disk: `state_dir/lists/<list>.list`, and the lock that makes one process their writer.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile, set_aside};
use crate::directory::merge::Entries;

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
}

impl Store {
    /// The lists of `state_dir`. Nothing is created yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("lists") }
    }

    fn path(&self, list: &str) -> PathBuf {
        self.folder.join(format!("{list}.list"))
    }

    /// Reads a list, whatever state its file is in: a damaged one is set aside and reported.
    #[must_use]
    pub fn load(&self, list: &str, now: u64) -> Kept {
        match ListFile::open(&self.path(list)) {
            Ok(file) => Kept::OnDisk(file),
            Err(FileError::Missing(_)) => Kept::Nothing,
            Err(error @ FileError::Unreadable { .. }) => {
                warn!(%list, "the list starts empty: {error}");
                Kept::Nothing
            }
            Err(error @ FileError::Damaged { .. }) => {
                match set_aside(&self.path(list), now) {
                    Ok(aside) => warn!(%list, aside = %aside.display(), "the list starts empty: {error}"),
                    Err(other) => {
                        warn!(%list, "the list starts empty: {error}, and can't be set aside: {other}")
                    }
                }
                Kept::Nothing
            }
        }
    }

    /// Reads a list without touching anything: for a command beside the running service.
    pub fn peek(&self, list: &str) -> Result<Kept, FileError> {
        match ListFile::open(&self.path(list)) {
            Ok(file) => Ok(Kept::OnDisk(file)),
            Err(FileError::Missing(_)) => Ok(Kept::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Writes a list into its place.
    pub fn write(&self, list: &str, header: Header, entries: &List) -> io::Result<ListFile> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        ListFile::write(&self.path(list), header, entries)
    }
}

/// The right to write below a `state_dir`, as long as it is kept.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; none where another process has it.
    pub fn take(state_dir: &Path) -> io::Result<Option<Self>> {
        if !state_dir.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
        }
        let path = state_dir.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether a list has a file, whatever is in it.
#[must_use]
pub fn is_on_disk(state_dir: &Path, list: &str) -> bool {
    fs::exists(Store::new(state_dir).path(list)).unwrap_or(false)
}
