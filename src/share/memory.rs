//! What a replica has to know after a restart: the highest epoch, the version of each list in use, its id, and all decisions about
//! numbers that must not be named. In `state_dir/share.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::forgotten::Decisions;
use super::version::{ReplicaId, Version};
use crate::number::Number;
use crate::owner;

/// The file, and what is in it.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    known: Known,
    /// Whether the log says that it can't be written.
    is_reported: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    #[serde(default)]
    epoch: u64,
    #[serde(default)]
    lists: BTreeMap<String, Taken>,
    #[serde(default)]
    id: Option<ReplicaId>,
    #[serde(default)]
    forgotten: Decisions,
}

/// The version of a list on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its version.
    pub version: Version,
    /// When its file was made: seconds since 1970, UTC. A file with another time has another content.
    pub at: u64,
}

impl Memory {
    /// Reads the file of `state_dir`. A file that can't be read counts as none.
    #[must_use]
    pub fn read(state_dir: &Path) -> Self {
        let path = state_dir.join("share.json");
        let known = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                warn!("{} is damaged, and counts as missing: {error}", path.display());
                Known::default()
            }),
            Err(_) => Known::default(),
        };
        Self { path, known, is_reported: false }
    }

    /// The highest epoch that this replica has seen.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.known.epoch
    }

    /// The version of a list on disk.
    #[must_use]
    pub fn taken(&self, list: &str) -> Option<Taken> {
        self.known.lists.get(list).copied()
    }

    /// The service starts with this id, which is written with whatever is known next. Returns that of the service before it.
    pub fn starts(&mut self, id: ReplicaId) -> Option<ReplicaId> {
        self.known.id.replace(id)
    }

    /// The decisions about numbers that must not be named.
    #[must_use]
    pub fn forgotten(&self) -> &Decisions {
        &self.known.forgotten
    }

    /// The service starts with these forgotten numbers; `now` in milliseconds since 1970.
    pub fn starts_with(&mut self, forgotten: impl Iterator<Item = Number>, now: u64) {
        if self.known.forgotten.start(forgotten, now) {
            self.write();
        }
    }

    /// A number is forgotten here, or may be named again.
    pub fn decide(&mut self, number: Number, undo: bool, now: u64) {
        self.known.forgotten.decide(number, undo, now);
        self.write();
    }

    /// Other replicas' decisions are followed here.
    pub fn follows(&mut self, decisions: &Decisions) {
        self.known.forgotten.take(decisions);
        self.write();
    }

    /// An epoch was seen.
    pub fn saw(&mut self, epoch: u64) {
        if epoch > self.known.epoch {
            self.known.epoch = epoch;
            self.write();
        }
    }

    /// A list on disk has a version.
    pub fn took(&mut self, list: &str, taken: Taken) {
        if self.known.lists.insert(list.to_owned(), taken) != Some(taken) {
            self.write();
        }
    }

    /// The file is small, and is written as a whole.
    fn write(&mut self) {
        let written = self.try_write();
        if let Err(error) = written
            && !std::mem::replace(&mut self.is_reported, true)
        {
            warn!("{} can't be written, so a restart takes the lists anew: {error}", self.path.display());
        }
    }

    fn try_write(&self) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        let mut file = owner::create(&new)?;
        file.write_all(&serde_json::to_vec(&self.known)?)?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::version::ReplicaId;

    #[test]
    fn a_restart_knows_the_highest_epoch_and_the_versions() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::read(folder.path());
        assert_eq!((memory.epoch(), memory.taken("crm")), (0, None));
        memory.saw(7);
        memory.saw(3);
        let taken = Taken { version: Version { epoch: 7, holder: ReplicaId(1), sequence: 2 }, at: 9 };
        memory.took("crm", taken);
        let memory = Memory::read(folder.path());
        assert_eq!((memory.epoch(), memory.taken("crm")), (7, Some(taken)));
        let kari = Number::new(47, 22_334_455).unwrap();
        let mut memory = memory;
        assert_eq!(memory.starts(ReplicaId(1)), None);
        memory.starts_with([kari].into_iter(), 5);
        let mut memory = Memory::read(folder.path());
        assert_eq!(memory.starts(ReplicaId(2)), Some(ReplicaId(1)));
        assert!(memory.forgotten().numbers().eq([(kari, false)]));
        memory.decide(kari, true, 6);
        assert!(Memory::read(folder.path()).forgotten().numbers().eq([(kari, true)]));
        fs::write(folder.path().join("share.json"), "{").unwrap();
        assert_eq!(Memory::read(folder.path()).epoch(), 0);
    }
}
