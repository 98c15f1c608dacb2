//! A list: the entries of one answer of a source, sorted by number, then in the order of the answer. Directories are built from
//! it.
//!
//! - [`Collector`] takes entries as they arrive, and packs them: a million need 80 MB, not 200
//! - [`file`](mod@file): a list on disk, where a merge reads it
//! - [`transfer`]: a list as the bytes of its file, from one machine to another
//! - `by_number`: lists that are read side by side
//! - `record`: the packed form of an entry

mod by_number;
pub mod file;
mod record;
pub mod transfer;

pub use by_number::{ListedEntry, Records, by_number};
pub use record::Record;

use std::io::{self, ErrorKind};

use crate::entry::Entry;

/// Entries in the order of their arrival: a list that is not sorted yet.
#[derive(Debug, Default)]
pub struct Collector(List);

impl Collector {
    /// Adds an entry.
    pub fn push<Text: AsRef<str>>(&mut self, entry: &Entry<Text>) {
        let List { packed, places } = &mut self.0;
        places.push((entry.number.packed(), packed.len() as u64));
        record::pack(entry, packed);
    }

    /// Adds a packed entry. An error if it has no number, or a text that is not UTF-8.
    fn push_packed(&mut self, record: &[u8]) -> io::Result<()> {
        let read = Record::new(record.into())?;
        read.entry()?;
        let List { packed, places } = &mut self.0;
        places.push((read.number().packed(), packed.len() as u64));
        packed.extend_from_slice(record);
        Ok(())
    }

    /// The count of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorts the entries. Entries of one number keep their order, which is that of their offsets.
    #[must_use]
    pub fn finish(self) -> List {
        let List { mut packed, mut places } = self.0;
        places.sort_unstable();
        places.shrink_to_fit();
        packed.shrink_to_fit();
        List { packed, places }
    }
}

/// A list in memory.
#[derive(Debug, Default)]
pub struct List {
    packed: Vec<u8>,
    /// Each number, with the offset of its record; sorted by number, then as delivered.
    places: Vec<(u64, u64)>,
}

impl List {
    /// The count of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The entries, by number.
    pub fn entries(&self) -> impl Iterator<Item = io::Result<Entry>> {
        self.records().map(|record| Ok(record?.entry()?.owned()))
    }

    /// The records, by number.
    pub fn records(&self) -> impl Iterator<Item = io::Result<Record<'_>>> {
        self.packed().map(|packed| Record::new(packed.ok_or(ErrorKind::InvalidData)?.into()))
    }

    /// The packed entries, by number. None for a record that is cut off.
    fn packed(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.places.iter().map(|(_, place)| {
            let packed = self.packed.get(usize::try_from(*place).ok()?..)?;
            packed.get(..record::length(packed)?)
        })
    }
}

impl FromIterator<Entry> for List {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut collector = Collector::default();
        entries.into_iter().for_each(|entry| collector.push(&entry));
        collector.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    #[test]
    fn entries_of_one_number_keep_their_order() {
        let entry = |national, person: &str| Entry {
            mrmrs: "Mrs".into(),
            ..Entry::example(Number::new(47, national).unwrap(), (1, person), (2, "Fjord Sjømat AS"))
        };
        let list: List = [entry(9, "a"), entry(5, "b"), entry(9, "c"), entry(1, "d")].into_iter().collect();
        let read: Vec<_> = list.entries().map(Result::unwrap).collect();
        assert_eq!(read, [entry(1, "d"), entry(5, "b"), entry(9, "a"), entry(9, "c")]);
    }
}
