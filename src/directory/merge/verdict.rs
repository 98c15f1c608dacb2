//! Who answers to one number, where several entries speak for it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::entry::Entry;

/// What is shown for a number that several persons or companies have: `[names] shared_numbers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedNumbers {
    /// The one company that is common to all of them, else nobody.
    Company,
    /// Likewise, and different companies side by side: `Acme / Globex`.
    #[default]
    Both,
    /// Nobody. A person beside the own company is one, as everywhere.
    None,
}

/// One entry that speaks for a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) source: u16,
    pub(super) entry: &'a Entry,
}

/// Who answers to a number; each by the entry of the earliest source that names it.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Person(Candidate<'a>),
    Company(Candidate<'a>),
    Shared(Vec<Candidate<'a>>),
    Ambiguous,
}

/// What makes two companies the same: the id, or the name where a source has no ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Identity<'a> {
    Id(u32),
    Name(&'a str),
}

/// What makes two persons the same: the id, or the name and the company where a source has no ids.
type PersonIdentity<'a> = (Identity<'a>, Option<Identity<'a>>);

fn person_of(entry: &Entry) -> Option<PersonIdentity<'_>> {
    if entry.person_id != 0 {
        return Some((Identity::Id(entry.person_id), None));
    }
    let name = entry.person.trim();
    (!name.is_empty()).then(|| (Identity::Name(name), company_of(entry)))
}

/// Whether the entry is a company's own, and no person's.
pub(super) fn is_companys_own(entry: &Entry) -> bool {
    person_of(entry).is_none()
}

pub(super) fn company_of(entry: &Entry) -> Option<Identity<'_>> {
    let name = entry.company.trim();
    let identity = if entry.company_id == 0 { Identity::Name(name) } else { Identity::Id(entry.company_id) };
    (!name.is_empty()).then_some(identity)
}

/// Judges the entries of one group for one number. Their order plays no part: neither that of rows in a list, nor
/// that of a source's lists.
///
/// One person, alone or beside the own company: the person. Several persons of one company: the company.
/// Different companies: all of them, marked as shared. Several persons without a common company: nobody.
/// Where several have the number, `shared` may want less than that to be shown.
pub(super) fn judge<'a>(candidates: &[Candidate<'a>], shared: SharedNumbers) -> Verdict<'a> {
    // Nearly every number has one entry.
    if let [only] = candidates {
        return match (person_of(only.entry), company_of(only.entry)) {
            (Some(_), _) => Verdict::Person(*only),
            (None, Some(_)) => Verdict::Company(*only),
            (None, None) => Verdict::Ambiguous,
        };
    }
    let (persons, mut companies) = parties(candidates);
    if let [person] = persons.as_slice() {
        let own = company_of(person.entry);
        if companies.iter().all(|company| company_of(company.entry) == own) {
            return Verdict::Person(*person);
        }
    }
    if persons.iter().any(|person| company_of(person.entry).is_none()) {
        return Verdict::Ambiguous;
    }
    match (companies.as_slice(), shared) {
        ([company], _) if persons.is_empty() => Verdict::Company(*company),
        ([company], SharedNumbers::Company | SharedNumbers::Both) => Verdict::Company(*company),
        ([_, _, ..], SharedNumbers::Both) => {
            companies.sort_by_key(|Candidate { source, entry }| (&entry.company, entry.company_id, *source));
            Verdict::Shared(companies)
        }
        _ => Verdict::Ambiguous,
    }
}

/// The different persons, and the different companies: theirs, and those listed on their own. Where entries tell
/// differently of the same one, the earliest source is believed, and of its entries the one that sorts first.
fn parties<'a>(candidates: &[Candidate<'a>]) -> (Vec<Candidate<'a>>, Vec<Candidate<'a>>) {
    let mut candidates = candidates.to_vec();
    candidates.sort_by_key(|Candidate { source, entry }| {
        let Entry { person_id, person, mrmrs, company_id, company, .. } = entry;
        (*source, *person_id, person, mrmrs, *company_id, company)
    });
    let mut persons: Vec<Candidate<'a>> = Vec::new();
    let mut known = HashMap::new();
    for candidate in &candidates {
        let Some(identity) = person_of(candidate.entry) else { continue };
        let place = *known.entry(identity).or_insert(persons.len());
        match persons.get_mut(place) {
            None => persons.push(*candidate),
            // One user's list may have the person without the company that another's has.
            Some(person) if company_of(person.entry).is_none() => *person = *candidate,
            Some(_) => {}
        }
    }
    let alone = candidates.iter().filter(|candidate| person_of(candidate.entry).is_none());
    let mut companies: Vec<Candidate<'a>> = Vec::new();
    let mut known = HashSet::new();
    for candidate in persons.iter().chain(alone) {
        if company_of(candidate.entry).is_some_and(|identity| known.insert(identity)) {
            companies.push(*candidate);
        }
    }
    (persons, companies)
}
