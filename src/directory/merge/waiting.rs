//! Persons whose rows are looked for together.

use std::ops::Range;

use super::parties::{Candidate, Party};
use crate::entry::Entry;

/// So many are looked for together.
const MOST: usize = 64;

/// Persons, each with the place of its number among the pairs.
#[derive(Default)]
pub(super) struct Waiting {
    persons: Vec<(usize, u16, Entry<Range<usize>>)>,
    texts: String,
}

impl Waiting {
    pub(super) fn push(&mut self, pair: usize, person: &Party<'_>) {
        let Candidate { origin, entry } = person.by;
        let mut add = |text| {
            let start = self.texts.len();
            self.texts.push_str(text);
            start..self.texts.len()
        };
        let entry = Entry {
            number: entry.number,
            person_id: person.person_id,
            person: add(entry.person),
            mrmrs: add(entry.mrmrs),
            company_id: person.company_id,
            company: add(entry.company),
            likely: entry.likely,
        };
        self.persons.push((pair, origin, entry));
    }

    pub(super) fn is_full(&self) -> bool {
        self.persons.len() >= MOST
    }

    /// The persons.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Party<'_>)> {
        self.persons.iter().map(|(pair, origin, entry)| {
            let text = |range: &Range<usize>| self.texts.get(range.clone()).unwrap_or_default();
            let entry = Entry {
                number: entry.number,
                person_id: entry.person_id,
                person: text(&entry.person),
                mrmrs: text(&entry.mrmrs),
                company_id: entry.company_id,
                company: text(&entry.company),
                likely: entry.likely,
            };
            (*pair, Party::alone(Candidate { origin: *origin, entry }))
        })
    }

    /// The same without the persons, with their memory.
    pub(super) fn emptied(mut self) -> Self {
        self.persons.clear();
        self.texts.clear();
        self
    }
}
