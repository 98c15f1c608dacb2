//! What a new list changes.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// Numbers that a new list brings, takes away, or names otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Numbers that were not there.
    pub new: usize,
    /// Numbers that are no longer there.
    pub gone: usize,
    /// Numbers whose entries are not the same.
    pub renamed: usize,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} new, {} gone, {} renamed", self.new, self.gone, self.renamed)
    }
}

impl Changes {
    /// Compares two lists, walking them side by side.
    pub fn between(
        old: impl Iterator<Item = io::Result<Entry>>,
        new: impl Iterator<Item = io::Result<Entry>>,
    ) -> io::Result<Self> {
        let (mut old, mut new) = (Numbers::of(old)?, Numbers::of(new)?);
        let mut changes = Self::default();
        loop {
            let (before, after) = (old.number(), new.number());
            match (before, after) {
                (None, None) => return Ok(changes),
                (Some(before), Some(after)) if before == after => {
                    changes.renamed += usize::from(old.take()? != new.take()?);
                }
                (Some(before), after) if after.is_none_or(|after| before < after) => {
                    changes.gone += 1;
                    old.take()?;
                }
                _ => {
                    changes.new += 1;
                    new.take()?;
                }
            }
        }
    }
}

/// A list, taken number by number.
struct Numbers<I> {
    head: Option<Entry>,
    rest: I,
}

impl<I: Iterator<Item = io::Result<Entry>>> Numbers<I> {
    fn of(mut list: I) -> io::Result<Self> {
        Ok(Self { head: list.next().transpose()?, rest: list })
    }

    fn number(&self) -> Option<crate::number::Number> {
        self.head.as_ref().map(|entry| entry.number)
    }

    /// All entries of the next number.
    fn take(&mut self) -> io::Result<Vec<Entry>> {
        let number = self.number();
        let mut entries = Vec::new();
        while let Some(entry) = self.head.take_if(|entry| Some(entry.number) == number) {
            entries.push(entry);
            self.head = self.rest.next().transpose()?;
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::list::List;
    use crate::number::Number;

    fn list(entries: &[(u64, &str)]) -> List {
        let entry = |(national, person): &(u64, &str)| Entry {
            number: Number::new(47, *national).unwrap(),
            person_id: 1,
            person: (*person).into(),
            mrmrs: String::new(),
            company_id: 0,
            company: String::new(),
            likely: true,
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn counts_numbers_not_entries() {
        let old = list(&[(1, "a"), (2, "b"), (2, "c"), (4, "d"), (9, "z")]);
        let new = list(&[(2, "b"), (2, "x"), (3, "n"), (3, "m"), (4, "d")]);
        let changes = Changes::between(old.entries(), new.entries()).unwrap();
        assert_eq!(changes, Changes { new: 1, gone: 2, renamed: 1 });
        assert_eq!(Changes::between(old.entries(), old.entries()).unwrap(), Changes::default());
        let empty = list(&[]);
        assert_eq!(Changes::between(empty.entries(), old.entries()).unwrap().new, 4);
        assert_eq!(changes.to_string(), "1 new, 2 gone, 1 renamed");
    }
}
