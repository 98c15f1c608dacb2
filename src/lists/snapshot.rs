//! A list in use, on disk or in memory, and the numbers that were lost before it.

use std::io;
use std::sync::Arc;

use crate::directory::list::file::{Header, ListFile};
use crate::directory::list::{List, Records};

/// A list in use: one set of entries, with its header.
#[derive(Clone, Debug, Default)]
pub enum Snapshot {
    /// There is no list yet.
    #[default]
    Absent,
    /// On disk. Entries are read from there.
    OnDisk(ListFile),
    /// In memory, because the file could not be written.
    InMemory(Header, Arc<List>),
}

impl Snapshot {
    /// The list's header; zeros if there is no list.
    #[must_use]
    pub fn header(&self) -> Header {
        match self {
            Self::Absent => Header::default(),
            Self::OnDisk(file) => file.header().clone(),
            Self::InMemory(header, _) => header.clone(),
        }
    }

    /// The count of its entries.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.header().count).unwrap_or(usize::MAX)
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records, by number.
    pub fn records(&self) -> io::Result<Records<'_>> {
        Ok(match self {
            Self::Absent => Box::new(std::iter::empty()),
            Self::OnDisk(file) => file.records()?,
            Self::InMemory(_, list) => Box::new(list.records()),
        })
    }

    /// Whether its file is undamaged. Reads the whole file.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.records()
            .is_ok_and(|mut records| records.all(|record| record.is_ok_and(|record| record.entry().is_ok())))
    }
}

/// Numbers that were lost before the list in use.
#[derive(Clone, Debug, Default)]
pub struct LostNumbers {
    /// Their entries.
    pub list: Snapshot,
    /// The first loss: seconds since 1970, UTC.
    pub since: u64,
    /// The most numbers that were known since then.
    pub of: usize,
}
