//! The lists on disk: `state_dir/lists/<list>.list`, with `<list>.unusable` beside it for what of the set could not
//! be used.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::directory::list::List;
use crate::directory::list::file::{FileError, Header, ListFile, set_aside};
use crate::directory::merge::Entries;
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
            let text = serde_json::to_vec(&LeftOut { fingerprint, taken, hash, unusable: unusable.clone() })?;
            let beside = path.with_extension("unusable.new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?.write_all(&text)?;
            fs::rename(beside, &path)
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

/// Whether a list has a file, whatever is in it.
#[must_use]
pub fn is_on_disk(state_dir: &Path, list: &str) -> bool {
    fs::exists(Store::new(state_dir).path(list)).unwrap_or(false)
}
