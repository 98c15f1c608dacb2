//! The changes of a new list.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::directory::list::{Record, by_number};

/// The counts of numbers that a new list adds, removes or renames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Numbers that the old list does not have.
    pub new: usize,
    /// Numbers that the new list does not have.
    pub gone: usize,
    /// Numbers whose entries differ.
    pub renamed: usize,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} new, {} gone, {} renamed", self.new, self.gone, self.renamed)
    }
}

impl Changes {
    /// Compares two lists. Each is read once.
    pub fn between<'a>(
        old: impl Iterator<Item = io::Result<Record<'a>>> + 'a,
        new: impl Iterator<Item = io::Result<Record<'a>>> + 'a,
    ) -> io::Result<Self> {
        let mut changes = Self::default();
        by_number(&mut [Box::new(old), Box::new(new)], |_, entries| {
            let (before, after) = entries.split_at(entries.partition_point(|(list, _)| *list == 0));
            match (before.is_empty(), after.is_empty()) {
                (true, _) => changes.new += 1,
                (_, true) => changes.gone += 1,
                _ => {
                    let is_same =
                        before.iter().map(|(_, entry)| entry).eq(after.iter().map(|(_, entry)| entry));
                    changes.renamed += usize::from(!is_same);
                }
            }
            io::Result::Ok(())
        })?;
        Ok(changes)
    }

    /// Whether the lists are the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::list::List;
    use crate::entry::Entry;
    use crate::number::Number;

    fn list(entries: &[(u64, &str)]) -> List {
        let entry = |(national, person): &(u64, &str)| {
            Entry::example(Number::new(47, *national).unwrap(), (1, person), (0, ""))
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn counts_numbers_not_entries() {
        let old = list(&[(1, "a"), (2, "b"), (2, "c"), (4, "d"), (9, "z")]);
        let new = list(&[(2, "b"), (2, "x"), (3, "n"), (3, "m"), (4, "d")]);
        let changes = Changes::between(old.records(), new.records()).unwrap();
        assert_eq!(changes, Changes { new: 1, gone: 2, renamed: 1 });
        assert_eq!(Changes::between(old.records(), old.records()).unwrap(), Changes::default());
        let empty = list(&[]);
        assert_eq!(Changes::between(empty.records(), old.records()).unwrap().new, 4);
        assert_eq!(changes.to_string(), "1 new, 2 gone, 1 renamed");
    }
}
