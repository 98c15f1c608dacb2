//! The rows of a directory, number by number.

use std::collections::{HashMap, HashSet};

use super::super::index::Index;
use super::super::ranges::{Holder, KnownRange, Ranges, Switchboards};
use super::super::rows::{CompanyRow, Kind, NO_COMPANY, NO_ORIGIN, PersonRow, RowRef, SharedRow};
use super::super::texts::TextsBuilder;
use super::super::{Directory, Origin, Place};
use super::judgement::{Judgement, Rules, judge};
use super::parties::{Candidate, Parties, Party};
use super::row_index::RowIndex;
use super::waiting::Waiting;
use crate::entry::Entry;
use crate::number::{Number, stem};

/// A directory under construction.
#[derive(Default)]
pub(super) struct Builder {
    directory: Directory,
    pairs: Vec<(u64, RowRef)>,
    texts: TextsBuilder,
    waiting: Waiting,
    persons: RowIndex,
    companies: RowIndex,
    rules: Rules,
    /// Stems of switchboards, with the rows of their companies.
    stems: Vec<(Number, u32)>,
}

impl Builder {
    /// An empty directory for lists of these origins, with room for so many entries: tables that grow are filled several times. Room
    /// that is not used takes no memory.
    pub(super) fn new(rules: &Rules, origins: &[Origin], entries: usize) -> Self {
        let persons = Vec::with_capacity(entries);
        let directory = Directory { origins: origins.to_vec(), persons, ..Directory::default() };
        Self {
            directory,
            pairs: Vec::with_capacity(entries),
            texts: TextsBuilder::with_room(entries),
            persons: RowIndex::with_room(entries),
            rules: rules.clone(),
            ..Self::default()
        }
    }

    /// Adds a number; each number comes once. `likely` tells whether it is the likeliest number of a record. None if there
    /// is no room.
    pub(super) fn add(&mut self, number: Number, likely: bool, candidates: &[Candidate<'_>]) -> Option<()> {
        let row_ref = match judge(candidates, self.rules.shared) {
            Judgement::Person(person) => {
                self.waiting.push(self.pairs.len(), &person);
                RowRef::new(Kind::Person, 0)?
            }
            Judgement::Company(company) => {
                let row = self.company_row(company_key(&company))?;
                if likely {
                    self.switchboard(number, row, candidates)?;
                }
                RowRef::new(Kind::Company, row)?
            }
            Judgement::Shared(companies) => {
                let start = u32::try_from(self.directory.sharing.len()).ok()?;
                for company in &companies {
                    let row = self.company_row(company_key(company))?;
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
        if self.waiting.is_full() { self.settle() } else { Some(()) }
    }

    /// Gives the persons that wait their rows.
    fn settle(&mut self) -> Option<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let hashes = self.fetch(&waiting);
        for ((pair, person), hash) in waiting.iter().zip(hashes) {
            let row = RowRef::new(Kind::Person, self.person_of(&person, hash)?)?;
            let (_, row_ref) = self.pairs.get_mut(pair)?;
            *row_ref = if row_ref.is_likely() { row } else { row.unlikely() };
        }
        self.waiting = waiting.emptied();
        Some(())
    }

    /// Looks at the rows that these persons may have, and at their names, so that the search for them need not wait for memory.
    /// Returns the hashes of the persons.
    fn fetch(&self, waiting: &Waiting) -> Vec<u32> {
        let Self { directory, texts, persons, companies, .. } = self;
        let hashes: Vec<_> = waiting.iter().map(|(_, person)| companies.hash(company_key(&person))).collect();
        let rows = companies.fetch(&directory.companies, &hashes);
        texts.fetch(rows.iter().map(|row| row.name));
        let hashes: Vec<_> = waiting.iter().map(|(_, person)| self.person_hash(&person)).collect();
        let rows = persons.fetch(&directory.persons, &hashes);
        texts.fetch(rows.iter().map(|row| row.name));
        hashes
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
        if row.kind() == Kind::Ambiguous {
            let of_persons: HashSet<_> = persons.iter().map(|person| person.company).collect();
            for company in companies.iter().filter(|company| !of_persons.contains(&company.company)) {
                places.push(Place::new(true, self.company_row(company_key(company))?)?);
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
                Holder::CompanyName(name) => u32::try_from(self.company_row((NO_ORIGIN, 0, name))?).ok(),
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
        self.person_of(party, self.person_hash(party))
    }

    /// The row of the person with this hash.
    fn person_of(&mut self, party: &Party<'_>, hash: u32) -> Option<usize> {
        let Candidate { origin, entry } = party.by;
        let company = match entry.company.trim() {
            "" => NO_COMPANY,
            _ => u32::try_from(self.company_row(company_key(party))?).ok()?,
        };
        let (id, name, mrmrs) = (party.person_id, entry.person, self.texts.intern(entry.mrmrs)?);
        let Self { persons, directory, texts, .. } = self;
        let is_it = |row: &PersonRow| {
            (row.id, row.mrmrs, row.company, row.origin) == (id, mrmrs, company, origin)
                && texts.get(row.name) == name
        };
        if let Some(place) = persons.find(&directory.persons, hash, is_it) {
            return Some(place);
        }
        let row = PersonRow { id, name: texts.add(name)?, mrmrs, company, origin };
        persons.add(&mut directory.persons, hash, row)
    }

    fn person_hash(&self, Party { by, person_id, company_id, .. }: &Party<'_>) -> u32 {
        let Entry { person, mrmrs, company, .. } = by.entry;
        // A company without a name has no row, so its id makes no other person.
        let company_id = if company.trim().is_empty() { &0 } else { company_id };
        self.persons.hash((by.origin, person_id, company_id, person, mrmrs, company))
    }

    /// The row of a company.
    fn company_row(&mut self, key: CompanyKey<'_>) -> Option<usize> {
        let (origin, id, name) = key;
        let hash = self.companies.hash(key);
        let Self { companies, directory, texts, .. } = self;
        let is_it = |row: &CompanyRow| (row.id, row.origin) == (id, origin) && texts.get(row.name) == name;
        if let Some(place) = companies.find(&directory.companies, hash, is_it) {
            return Some(place);
        }
        let row = CompanyRow { id, name: texts.add(name)?, origin };
        companies.add(&mut directory.companies, hash, row)
    }

    pub(super) fn finish(mut self) -> Option<Directory> {
        self.settle()?;
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

/// The origin, the id and the name of a company.
type CompanyKey<'k> = (u16, u32, &'k str);

fn company_key<'k>(party: &Party<'k>) -> CompanyKey<'k> {
    (party.by.origin, party.company_id, party.by.entry.company)
}
