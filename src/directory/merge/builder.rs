//! The rows of a directory, number by number.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::index::Index;
use super::super::ranges::{Holder, KnownRange, Ranges, Switchboards};
use super::super::rows::{CompanyRow, Kind, NO_COMPANY, NO_ORIGIN, PersonRow, RowRef, SharedRow};
use super::super::texts::Interner;
use super::super::{Directory, Origin, Place};
use super::judgement::{Judgement, Rules, judge};
use super::parties::{Candidate, Parties, Party};
use crate::number::{Number, stem};

/// A directory under construction.
#[derive(Default)]
pub(super) struct Builder {
    directory: Directory,
    pairs: Vec<(u64, RowRef)>,
    texts: Interner,
    persons: RowIndex,
    companies: RowIndex,
    rules: Rules,
    /// Stems of switchboards, with the rows of their companies.
    stems: Vec<(Number, u32)>,
}

impl Builder {
    /// An empty directory for lists of these origins, with room for so many entries: tables that grow are filled several times.
    pub(super) fn new(rules: &Rules, origins: &[Origin], entries: usize) -> Self {
        let directory = Directory { origins: origins.to_vec(), ..Directory::default() };
        Self {
            directory,
            pairs: Vec::with_capacity(entries),
            texts: Interner::with_room(entries),
            persons: RowIndex { places: HashTable::with_capacity(entries), ..RowIndex::default() },
            rules: rules.clone(),
            ..Self::default()
        }
    }

    /// Adds a number; each number comes once. `likely` tells whether it is the likeliest number of a record. None if there
    /// is no room.
    pub(super) fn add(&mut self, number: Number, likely: bool, candidates: &[Candidate<'_>]) -> Option<()> {
        let row_ref = match judge(candidates, self.rules.shared) {
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
            Judgement::Ambiguous => RowRef::new(Kind::Ambiguous, usize::from(candidates.first()?.origin))?,
        };
        if self.rules.keeps_hidden {
            self.hide(number, candidates, row_ref)?;
        }
        self.pairs.push((number.packed(), if likely { row_ref } else { row_ref.unlikely() }));
        Some(())
    }

    /// Keeps the parties of a number that its row does not show.
    fn hide(&mut self, number: Number, candidates: &[Candidate<'_>], row: RowRef) -> Option<()> {
        if row.kind() == Kind::Person || candidates.len() < 2 {
            return Some(());
        }
        let Parties { persons, companies } = Parties::of(candidates);
        let mut places = Vec::new();
        for person in &persons {
            places.push(Place::new(false, self.person(person)?)?);
        }
        // A company that is shown is not hidden, and a person's own company is shown with the person.
        let is_persons = |company: &Party<'_>| persons.iter().any(|person| person.company == company.company);
        if row.kind() == Kind::Ambiguous {
            for company in companies.iter().filter(|company| !is_persons(company)) {
                places.push(Place::new(true, self.company(company)?)?);
            }
        }
        self.directory.hidden.add(number, &places)
    }

    /// Notes the range of a switchboard. A number that colleagues share is not a switchboard.
    fn switchboard(&mut self, number: Number, company: usize, candidates: &[Candidate<'_>]) -> Option<()> {
        if self.rules.ranges.guess && candidates.iter().all(Candidate::is_companys_own) {
            let row = u32::try_from(company).ok()?;
            self.stems.extend(stem(number).map(|stem| (stem, row)));
        }
        Some(())
    }

    /// The rows of the companies of the known ranges.
    fn holders(&mut self) -> Option<Vec<u32>> {
        let known = self.rules.ranges.known.clone();
        let companies = self.companies_by_id(known.iter().map(KnownRange::holder));
        known
            .iter()
            .map(|range| match range.holder() {
                Holder::CompanyId(id) => Some(companies.get(id).copied().unwrap_or(NO_COMPANY)),
                Holder::CompanyName(name) => {
                    let row = CompanyRow { id: 0, name: self.texts.add(name)?, origin: NO_ORIGIN };
                    u32::try_from(self.companies.place(&mut self.directory.companies, row)?).ok()
                }
            })
            .collect()
    }

    /// The rows of the companies with these ids: of the earliest origin, and of its names the first in sort order.
    fn companies_by_id<'r>(&self, wanted: impl Iterator<Item = &'r Holder>) -> HashMap<u32, u32> {
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
            let this = (company.origin, self.texts.get(company.name), row);
            let best = found.entry(company.id).or_insert(this);
            *best = this.min(*best);
        }
        found.into_iter().map(|(id, (_, _, row))| (id, row)).collect()
    }

    /// The row of a person.
    fn person(&mut self, party: &Party<'_>) -> Option<usize> {
        let Candidate { origin, entry } = party.by;
        let company = match entry.company.trim() {
            "" => NO_COMPANY,
            _ => u32::try_from(self.company(party)?).ok()?,
        };
        let row = PersonRow {
            id: party.person_id,
            name: self.texts.add(entry.person)?,
            mrmrs: self.texts.add(entry.mrmrs)?,
            company,
            origin,
        };
        self.persons.place(&mut self.directory.persons, row)
    }

    /// The row of the company of a party.
    fn company(&mut self, party: &Party<'_>) -> Option<usize> {
        let Candidate { origin, entry } = party.by;
        let row = CompanyRow { id: party.company_id, name: self.texts.add(entry.company)?, origin };
        self.companies.place(&mut self.directory.companies, row)
    }

    pub(super) fn finish(mut self) -> Option<Directory> {
        self.directory.index = Index::build(&self.pairs)?;
        let holders = self.holders()?;
        self.directory.texts = self.texts.finish();
        self.directory.persons.shrink_to_fit();
        self.directory.companies.shrink_to_fit();
        self.directory.hidden.shrink();
        let stems = Switchboards::build(&self.stems, &self.pairs, &self.directory)?;
        self.directory.ranges = Ranges { known: self.rules.ranges.known, holders, stems };
        Some(self.directory)
    }
}

/// The rows that are there already, so that a person with several numbers is one row. Only the places of rows are stored:
/// with a million rows that is a tenth of the size of the rows.
#[derive(Default)]
struct RowIndex {
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl RowIndex {
    /// The place of `row` in `rows`, to which a new row is added. None if there is no room.
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
