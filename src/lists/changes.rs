//! The changes of a new list.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::number::Number;

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
    pub fn between(
        old: impl Iterator<Item = io::Result<Entry>>,
        new: impl Iterator<Item = io::Result<Entry>>,
    ) -> io::Result<Self> {
        let mut changes = Self::default();
        side_by_side(&mut Numbers::of(old)?, &mut Numbers::of(new)?, |before, after| {
            match (before.is_empty(), after.is_empty()) {
                (true, _) => changes.new += 1,
                (_, true) => changes.gone += 1,
                _ => changes.renamed += usize::from(before != after),
            }
        })?;
        Ok(changes)
    }

    /// Whether the lists are the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A list, read number by number.
pub(super) trait ByNumber {
    /// The next number; none at the end.
    fn number(&self) -> Option<Number>;
    /// The entries of that number.
    fn take(&mut self) -> io::Result<Vec<Entry>>;
}

/// Reads two lists side by side. For each number `each` gets the entries of both; those of one may be empty.
pub(super) fn side_by_side(
    old: &mut impl ByNumber,
    new: &mut impl ByNumber,
    mut each: impl FnMut(Vec<Entry>, Vec<Entry>),
) -> io::Result<()> {
    while let Some(number) = old.number().into_iter().chain(new.number()).min() {
        let of = |list: &mut dyn ByNumber| {
            if list.number() == Some(number) { list.take() } else { Ok(Vec::new()) }
        };
        each(of(old)?, of(new)?);
    }
    Ok(())
}

/// A list that is read once.
pub(super) struct Numbers<I> {
    head: Option<Entry>,
    rest: I,
}

impl<I: Iterator<Item = io::Result<Entry>>> Numbers<I> {
    pub(super) fn of(mut list: I) -> io::Result<Self> {
        Ok(Self { head: list.next().transpose()?, rest: list })
    }
}

impl<I: Iterator<Item = io::Result<Entry>>> ByNumber for Numbers<I> {
    fn number(&self) -> Option<Number> {
        self.head.as_ref().map(|entry| entry.number)
    }

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
