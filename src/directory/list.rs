//! One list of entries: what one call to a source returned.

use crate::entry::Entry;

/// A list in the order in which directories are built: by number, then as delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    entries: Vec<Entry>,
}

impl List {
    /// Sorts what a source delivered. Entries of the same number keep their order.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.number);
        entries.shrink_to_fit();
        Self { entries }
    }

    /// The entries, by number.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
