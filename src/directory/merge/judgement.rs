//! Who answers to one number, where several entries speak for it.

use serde::Deserialize;

use super::parties::{Parties, Party};
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

impl Candidate<'_> {
    /// Whether the entry is a company's own, and no person's.
    pub(super) fn is_companys_own(&self) -> bool {
        self.entry.person_id == 0 && self.entry.person.trim().is_empty()
    }
}

/// Who answers to a number; each by the entry of the earliest source that names it.
#[derive(Debug)]
pub(super) enum Judgement<'a> {
    Person(Party<'a>),
    Company(Party<'a>),
    Shared(Vec<Party<'a>>),
    Ambiguous,
}

/// Judges the entries of one group for one number. Their order plays no part: neither that of rows in a list, nor
/// that of a source's lists.
///
/// One person, alone or beside the own company: the person. Several persons of one company: the company.
/// Different companies: all of them, marked as shared. Several persons without a common company: nobody.
/// Where several have the number, `shared` may want less than that to be shown.
///
/// Those are the same who have the same id, or look the same on a phone.
pub(super) fn judge<'a>(candidates: &[Candidate<'a>], shared: SharedNumbers) -> Judgement<'a> {
    // Nearly every number has one entry, or the same in several lists.
    if let [first, others @ ..] = candidates
        && others.iter().all(|other| other.entry == first.entry)
    {
        let earliest = others.iter().fold(*first, |a, b| if b.source < a.source { *b } else { a });
        return if !earliest.is_companys_own() {
            Judgement::Person(Party::alone(earliest))
        } else if earliest.entry.company.trim().is_empty() {
            Judgement::Ambiguous
        } else {
            Judgement::Company(Party::alone(earliest))
        };
    }
    let Parties { persons, mut companies } = Parties::of(candidates);
    let place = |party: &Party<'_>| party.company;
    if let [person] = persons.as_slice()
        && companies.iter().all(|company| place(company) == place(person))
    {
        return Judgement::Person(*person);
    }
    if persons.iter().any(|person| place(person).is_none()) {
        return Judgement::Ambiguous;
    }
    match (companies.as_slice(), shared) {
        ([company], _) if persons.is_empty() => Judgement::Company(*company),
        ([company], SharedNumbers::Company | SharedNumbers::Both) => Judgement::Company(*company),
        ([_, _, ..], SharedNumbers::Both) => {
            companies.sort_by_key(|party| (&party.by.entry.company, party.company_id, party.by.source));
            Judgement::Shared(companies)
        }
        _ => Judgement::Ambiguous,
    }
}
