//! The choice for one number with several entries.

use serde::Deserialize;

use super::super::ranges;
use super::super::suppressed::Suppressed;
use super::parties::{Candidate, Parties, Party};

/// The rules of a merge: the settings of `[names] shared_numbers` and `[ranges]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The name of a number that several have.
    pub shared: SharedNumbers,
    /// The ranges of companies.
    pub ranges: ranges::Settings,
    /// Numbers that get no entry.
    pub suppressed: Suppressed,
    /// Whether the directory also keeps the persons and companies that an answer does not show, for pages.
    pub keeps_hidden: bool,
}

/// The name of a number that several persons or companies have: `[names] shared_numbers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedNumbers {
    /// The company that all of them have in common, else no name.
    Company,
    /// The same, and different companies side by side: `Acme / Globex`.
    #[default]
    Both,
    /// No name. A person and the own company count as one, as always.
    None,
}

/// The choice for a number; each party by its entry of the earliest origin.
#[derive(Debug)]
pub(super) enum Judgement<'a> {
    Person(Party<'a>),
    Company(Party<'a>),
    Shared(Vec<Party<'a>>),
    Ambiguous,
}

/// The choice between the entries of one group for one number. The order of entries and lists does not matter.
///
/// One person, alone or with the own company: the person. Several persons of one company: the company. Different companies:
/// all of them, marked as shared. Several persons without a common company: no name. The setting `shared` may forbid the
/// name of a company or of several.
///
/// Two parties with the same id, or with names that look the same on a phone, are one.
pub(super) fn judge<'a>(candidates: &[Candidate<'a>], shared: SharedNumbers) -> Judgement<'a> {
    // Most numbers have one entry, or the same entry in several lists.
    if let [first, others @ ..] = candidates
        && others.iter().all(|other| other.entry == first.entry)
    {
        let earliest = others.iter().fold(*first, |a, b| if b.origin < a.origin { *b } else { a });
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
            companies.sort_by_key(|party| (party.by.entry.company, party.company_id, party.by.origin));
            Judgement::Shared(companies)
        }
        _ => Judgement::Ambiguous,
    }
}
