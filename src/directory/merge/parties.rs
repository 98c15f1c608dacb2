//! The different persons and companies of one number.
//!
//! Two parties whose names look the same on a phone are one, whatever their ids: the CRM may have a person twice. Two
//! parties with different names are one if they have the same id: a name may have two spellings. A party has an id only if
//! all its entries agree on the id.

use std::collections::HashMap;

use crate::entry::Entry;
use crate::name::folded;

/// One entry for a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) origin: u16,
    pub(super) entry: Entry<&'a str>,
}

impl Candidate<'_> {
    /// Whether the number is a company's own, and not a person's.
    pub(super) fn is_companys_own(&self) -> bool {
        self.entry.person_id == 0 && self.entry.person.trim().is_empty()
    }
}

/// A person or a company.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party<'a> {
    /// Its entry in the earliest origin.
    pub by: Candidate<'a>,
    /// The person's id. 0 for none, or if entries differ.
    pub person_id: u32,
    /// The company's id; the same.
    pub company_id: u32,
    /// The place of the company among the companies of the number. None without a company.
    pub company: Option<usize>,
}

impl<'a> Party<'a> {
    /// The only party of a number.
    pub(super) fn alone(by: Candidate<'a>) -> Self {
        Self { by, person_id: by.entry.person_id, company_id: by.entry.company_id, company: Some(0) }
    }
}

/// The parties of a number.
pub(super) struct Parties<'a> {
    /// The different persons.
    pub persons: Vec<Party<'a>>,
    /// The different companies: of the persons, and with entries of their own.
    pub companies: Vec<Party<'a>>,
}

impl<'a> Parties<'a> {
    /// If entries of one party differ, the earliest origin counts, and of its entries the first in sort order.
    pub(super) fn of(candidates: &[Candidate<'a>]) -> Self {
        let mut candidates = candidates.to_vec();
        candidates.sort_by_key(|Candidate { origin, entry }| {
            (*origin, entry.person_id, entry.person, entry.mrmrs, entry.company_id, entry.company)
        });
        let mut companies = Identities::default();
        let mut people = Identities::default();
        let mut persons: Vec<Party<'a>> = Vec::new();
        let mut alone: Vec<Party<'a>> = Vec::new();
        for by in candidates {
            let name = folded(by.entry.company);
            let company = (!name.is_empty()).then(|| companies.place(&name, by.entry.company_id, |_| true));
            let party = Party { by, person_id: 0, company_id: 0, company };
            let name = folded(by.entry.person);
            if name.is_empty() {
                alone.push(party);
                continue;
            }
            let of_company = |place: usize| {
                let known = persons.get(place).and_then(|known| known.company);
                known.is_none() || company.is_none() || known == company
            };
            let place = people.place(&name, by.entry.person_id, of_company);
            match persons.get_mut(place) {
                None => persons.push(party),
                // The list of one user may have the person without a company, and the list of another with it.
                Some(known) if known.company.is_none() && company.is_some() => *known = party,
                Some(_) => {}
            }
        }
        for (person, known) in persons.iter_mut().zip(&people.known) {
            person.person_id = known.id();
        }
        let mut named: Vec<Party<'a>> = Vec::new();
        let mut is_named = vec![false; companies.known.len()];
        for party in persons.iter_mut().chain(&mut alone) {
            let Some(place) = party.company else { continue };
            party.company_id = companies.known.get(place).map_or(0, |known| known.id());
            if let Some(is_named) = is_named.get_mut(place)
                && !std::mem::replace(is_named, true)
            {
                named.push(*party);
            }
        }
        Self { persons, companies: named }
    }
}

/// The different parties of a kind. Each of a great many parties is found by its name or its id, and not by a look at all others.
#[derive(Default)]
struct Identities {
    known: Vec<Identity>,
    /// The places of the parties with each name.
    by_name: HashMap<String, Vec<usize>>,
    /// The first place of a party with each id.
    by_id: HashMap<u32, usize>,
}

/// What is known of the id of one party.
#[derive(Clone, Copy, Default)]
struct Identity {
    /// An id of its entries; 0 for none.
    id: u32,
    /// Whether its entries have different ids.
    differs: bool,
}

impl Identity {
    fn id(self) -> u32 {
        if self.differs { 0 } else { self.id }
    }
}

impl Identities {
    /// The place of the party with this name, if `may` allows it, or else with this id. A new place if there is none.
    fn place(&mut self, name: &str, id: u32, may: impl Fn(usize) -> bool) -> usize {
        let named = self.by_name.get(name).into_iter().flatten().copied().filter(|place| may(*place)).min();
        let place = named.or_else(|| self.by_id.get(&id).copied()).unwrap_or(self.known.len());
        if place == self.known.len() {
            self.known.push(Identity::default());
        }
        match self.by_name.get_mut(name) {
            Some(places) if places.contains(&place) => {}
            Some(places) => places.push(place),
            None => drop(self.by_name.insert(name.to_owned(), vec![place])),
        }
        if id != 0
            && let Some(known) = self.known.get_mut(place)
        {
            known.differs |= known.id != 0 && known.id != id;
            known.id = id;
            let first = self.by_id.entry(id).or_insert(place);
            *first = place.min(*first);
        }
        place
    }
}
