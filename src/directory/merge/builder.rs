//! The rows of a directory, number after number.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::index::Index;
use super::super::ranges::{Holder, KnownRange, Ranges, Switchboards};
use super::super::texts::Interner;
use super::super::{CompanyRow, Directory, Kind, NO_COMPANY, NO_SOURCE, PersonRow, RowRef, SharedRow};
use super::Rules;
use super::judgement::{Candidate, Judgement, judge};
use super::parties::Party;
use crate::number::{Number, stem};

/// A directory that is being built, number after number.
#[derive(Default)]
pub(super) struct Builder {
    directory: Directory,
    pairs: Vec<(u64, RowRef)>,
    texts: Interner,
    persons: RowIndex,
    companies: RowIndex,
    rules: Rules,
    /// Switchboards of switchboards, with the rows of their companies.
    stems: Vec<(Number, u32)>,
}

impl Builder {
    /// Begins with no number, for sources of these names.
    pub(super) fn new(rules: &Rules, sources: &[String]) -> Self {
        let directory = Directory { sources: sources.to_vec(), ..Directory::default() };
        Self { directory, rules: rules.clone(), ..Self::default() }
    }

    /// Adds a number; numbers come once each. `likely` tells whether it is the likeliest of the records that have it. None
    /// when there is no room.
    pub(super) fn add(&mut self, number: Number, likely: bool, candidates: &[Candidate<'_>]) -> Option<()> {
        let target = match judge(candidates, self.rules.shared) {
            Judgement::Person(person) => RowRef::new(Kind::Person, self.person(&person)?)?,
            Judgement::Company(company) => {
                let row = self.company(&company)?;
                if likely {
                    self.switchboard(number, row, candidates)?;
                }
                RowRef::new(Kind::Company, row)?
            }
            Judgement::Shared(companies) => {
                let start = u32::try_from(self.directory.sharing.len()).ok()?;
                for company in &companies {
                    let row = self.company(company)?;
                    self.directory.sharing.push(u32::try_from(row).ok()?);
                }
                let count = u32::try_from(companies.len()).ok()?;
                self.directory.shared.push(SharedRow { start, count });
                RowRef::new(Kind::Shared, self.directory.shared.len() - 1)?
            }
            Judgement::Ambiguous => RowRef::new(Kind::Ambiguous, usize::from(candidates.first()?.source))?,
        };
        self.pairs.push((number.packed(), if likely { target } else { target.unlikely() }));
        Some(())
    }

    /// Notes the range of a company's own number. Colleagues who share a number are no switchboard.
    fn switchboard(&mut self, number: Number, company: usize, candidates: &[Candidate<'_>]) -> Option<()> {
        if self.rules.ranges.guess && candidates.iter().all(Candidate::is_companys_own) {
            let row = u32::try_from(company).ok()?;
            self.stems.extend(stem(number).map(|stem| (stem, row)));
        }
        Some(())
    }

    /// The rows of the companies that hold the known ranges.
    fn holders(&mut self) -> Option<Vec<u32>> {
        let known = self.rules.ranges.known.clone();
        let contacts = self.contacts(known.iter().map(KnownRange::holder));
        known
            .iter()
            .map(|range| match range.holder() {
                Holder::CompanyId(id) => Some(contacts.get(id).copied().unwrap_or(NO_COMPANY)),
                Holder::CompanyName(name) => {
                    let row = CompanyRow { id: 0, name: self.texts.add(name)?, source: NO_SOURCE };
                    u32::try_from(self.companies.place(&mut self.directory.companies, row)?).ok()
                }
            })
            .collect()
    }

    /// The rows of those contacts that a source knows: of the earliest source, and by the name that sorts first.
    fn contacts<'r>(&self, wanted: impl Iterator<Item = &'r Holder>) -> HashMap<u32, u32> {
        let wanted: HashSet<u32> = wanted
            .filter_map(|holder| match holder {
                Holder::CompanyId(id) => Some(*id),
                Holder::CompanyName(_) => None,
            })
            .collect();
        let mut found = HashMap::new();
        for (company, row) in
            self.directory.companies.iter().zip(0..).filter(|(company, _)| wanted.contains(&company.id))
        {
            let this = (company.source, self.texts.get(company.name), row);
            let best = found.entry(company.id).or_insert(this);
            *best = this.min(*best);
        }
        found.into_iter().map(|(id, (_, _, row))| (id, row)).collect()
    }

    /// The row of a person.
    fn person(&mut self, party: &Party<'_>) -> Option<usize> {
        let Candidate { source, entry } = party.by;
        let company = match entry.company.trim() {
            "" => NO_COMPANY,
            _ => u32::try_from(self.company(party)?).ok()?,
        };
        let row = PersonRow {
            id: party.person_id,
            name: self.texts.add(&entry.person)?,
            mrmrs: self.texts.add(&entry.mrmrs)?,
            company,
            source,
        };
        self.persons.place(&mut self.directory.persons, row)
    }

    /// The row of a party's company.
    fn company(&mut self, party: &Party<'_>) -> Option<usize> {
        let Candidate { source, entry } = party.by;
        let row = CompanyRow { id: party.company_id, name: self.texts.add(&entry.company)?, source };
        self.companies.place(&mut self.directory.companies, row)
    }

    pub(super) fn finish(mut self) -> Option<Directory> {
        self.directory.index = Index::build(&self.pairs)?;
        let holders = self.holders()?;
        self.directory.texts = self.texts.finish();
        self.directory.persons.shrink_to_fit();
        self.directory.companies.shrink_to_fit();
        let stems = Switchboards::build(&self.stems, &self.pairs, &self.directory)?;
        self.directory.ranges = Ranges { known: self.rules.ranges.known, holders, stems };
        Some(self.directory)
    }
}

/// Rows that are there already, so that a person with several numbers is one row. Only their places are held:
/// at a million rows that is a tenth of what the rows themselves would take.
#[derive(Default)]
struct RowIndex {
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl RowIndex {
    /// The place of `row` in `rows`, where it is put if it is new. None when there is no room.
    fn place<Row: Copy + Eq + Hash>(&mut self, rows: &mut Vec<Row>, row: Row) -> Option<usize> {
        let Self { places, hasher } = self;
        let hash = hasher.hash_one(Some(&row));
        let there = |place: u32| rows.get(place as usize);
        if let Some(place) = places.find(hash, |place| there(*place) == Some(&row)) {
            return Some(*place as usize);
        }
        let new = u32::try_from(rows.len()).ok()?;
        places.insert_unique(hash, new, |place| hasher.hash_one(there(*place)));
        rows.push(row);
        Some(new as usize)
    }
}
