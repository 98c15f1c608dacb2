//! Who is calling, and why: the answer of the resolver, the same everywhere, in JSON too.

use serde::Serialize;

#[cfg(doc)]
use super::MAX_CALLER_BYTES;
use crate::directory;
use crate::name::Name;
use crate::number::{Country, Reading, Rule, Skip};
use crate::observe::metrics;

/// Whether a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a name.
    Found,
    /// The number is known to nobody, or to several so that no name can be right.
    NotFound,
    /// There was nothing to look for.
    Skipped,
}

impl From<Status> for metrics::Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Found => Self::Found,
            Status::NotFound => Self::NotFound,
            Status::Skipped => Self::Skipped,
        }
    }
}

/// Why there is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Several persons answer to the number, and no company is common to them.
    Ambiguous,
    /// The caller's digits can be read in two ways, each is somebody else's, and such names are not to be shown.
    Doubtful,
    /// Of the name in the CRM nothing is left that a phone can show.
    NoName,
    /// The caller sent no number: nothing, or what cannot be one.
    NoNumber,
    /// The caller's number is withheld or unknown: a word such as "anonymous" stands in its place.
    Anonymous,
    /// A colleague: an extension of the PBX.
    Internal,
    /// An emergency number or another short code.
    ShortCode,
    /// The caller's number is longer than [`MAX_CALLER_BYTES`].
    TooLong,
}

impl From<Skip> for Reason {
    fn from(skip: Skip) -> Self {
        match skip {
            Skip::Anonymous => Self::Anonymous,
            Skip::Internal => Self::Internal,
            Skip::ShortCode => Self::ShortCode,
            Skip::NoNumber => Self::NoNumber,
        }
    }
}

/// How sure it is that the name is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The most likely reading of the digits is known, as the likeliest number of a record, and none of the other readings is
    /// somebody else's.
    Exact,
    /// The digits or the record had to be read otherwise, or somebody else may be meant.
    Reading,
    /// Nobody has the number, but it lies in a company's range: a guess, and the name is marked as one.
    Range,
}

/// What decided on the certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The likeliest reading is known.
    Likeliest,
    /// A less likely reading of the digits is known.
    OtherReading,
    /// The digits are known without a zero that somebody put in front.
    SurplusZero,
    /// The number is a less likely one of its record.
    OtherNumber,
    /// Another reading of the digits is somebody else's.
    SomebodyElse,
    /// The number lies in a company's range.
    Range,
}

impl Decided {
    /// The rule's name in JSON; it does not change between releases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Likeliest => "likeliest",
            Self::OtherReading => "other_reading",
            Self::SurplusZero => "surplus_zero",
            Self::OtherNumber => "other_number",
            Self::SomebodyElse => "somebody_else",
            Self::Range => "range",
        }
    }

    /// How certain the name is then.
    #[must_use]
    pub const fn certainty(self) -> Certainty {
        match self {
            Self::Likeliest => Certainty::Exact,
            Self::Range => Certainty::Range,
            Self::OtherReading | Self::SurplusZero | Self::OtherNumber | Self::SomebodyElse => {
                Certainty::Reading
            }
        }
    }
}

/// Who is calling, and how that was found out: the same everywhere, in JSON too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The caller's number as it came.
    pub input: String,
    /// The country in which it was read, ISO 3166.
    #[serde(serialize_with = "as_text")]
    pub country: Country,
    /// Whether there is a name.
    pub status: Status,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the phone shows.
    #[serde(serialize_with = "name_as_text")]
    pub name: Option<Name>,
    /// How sure it is.
    pub certainty: Option<Certainty>,
    /// What decided on that.
    #[serde(skip)]
    pub decided: Option<Decided>,
    /// Whether somebody else may be meant, so that the name is marked or left out.
    #[serde(skip)]
    pub doubtful: bool,
    /// The number that is known, or that lies in a range, E.164 with `+`.
    pub number: Option<String>,
    /// The range that it lies in: `+4722518000-8099`, or a switchboard's stem, `+4930123456`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Whether the range is guessed from a switchboard's number, and not one that the administrator wrote.
    #[serde(skip)]
    pub guessed: bool,
    /// The person.
    pub person: Option<PersonParty>,
    /// The company: the person's, or the number's own.
    pub company: Option<CompanyParty>,
    /// The source that knows the number, or the company in whose range it lies; none for a company that the
    /// configuration alone names.
    pub source: Option<String>,
    /// Whether several companies share the number.
    pub shared: bool,
    /// How the digits were read, most likely first.
    pub readings: Vec<ReadingOutcome>,
}

/// A person in a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonParty {
    /// Id in the CRM.
    pub id: Option<u32>,
    /// Full name as the CRM has it.
    pub name: String,
    /// Form of address.
    pub mrmrs: String,
}

/// A company in a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompanyParty {
    /// Id in the CRM.
    pub id: Option<u32>,
    /// Name as the CRM has it.
    pub name: String,
}

impl From<directory::Person<'_>> for PersonParty {
    fn from(person: directory::Person<'_>) -> Self {
        let id = (person.id != 0).then_some(person.id);
        Self { id, name: person.name.to_owned(), mrmrs: person.mrmrs.to_owned() }
    }
}

impl From<directory::Company<'_>> for CompanyParty {
    fn from(company: directory::Company<'_>) -> Self {
        Self { id: (company.id != 0).then_some(company.id), name: company.name.to_owned() }
    }
}

/// One reading of the caller's digits, and whether it was the one that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingOutcome {
    /// E.164 with `+`.
    pub number: String,
    /// What makes it readable so.
    #[serde(serialize_with = "rule_as_text")]
    pub rule: Rule,
    /// Whether it is the one that the name is of.
    pub found: bool,
    /// What it was made from.
    #[serde(skip)]
    pub reading: Reading,
}

impl Resolution {
    pub(super) fn new(input: &str, country: Country, status: Status) -> Self {
        Self {
            input: input.to_owned(),
            country,
            status,
            reason: None,
            name: None,
            certainty: None,
            decided: None,
            doubtful: false,
            number: None,
            range: None,
            guessed: false,
            person: None,
            company: None,
            source: None,
            shared: false,
            readings: Vec::new(),
        }
    }

    /// The ids of the person and of the company that a dialplan may act on: none without a name, because nobody is meant
    /// then, and none of a guess or of a name in doubt, because a variable with an id has no mark that tells it from one that
    /// is certain.
    #[must_use]
    pub fn ids(&self) -> [Option<u32>; 2] {
        if self.name.is_none() || self.is_unsure() {
            return [None; 2];
        }
        let person = self.person.as_ref().and_then(|person| person.id);
        [person, self.company.as_ref().and_then(|company| company.id)]
    }

    /// The status for a call that keeps the name that it brought along, where it `keeps` it. A guess, and a name in doubt, are
    /// worth nothing beside that: the name is not shown, and it has no ids.
    #[must_use]
    pub fn status_of(&self, keeps: bool) -> Status {
        if keeps && self.is_unsure() { Status::NotFound } else { self.status }
    }

    fn is_unsure(&self) -> bool {
        self.guessed || self.doubtful
    }

    pub(super) fn decide(&mut self, decided: Decided) {
        self.decided = Some(decided);
        self.certainty = Some(decided.certainty());
    }

    pub(super) fn skipped(input: &str, country: Country, reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::new(input, country, Status::Skipped) }
    }
}

// Serde passes fields by reference.
fn as_text<S: serde::Serializer>(country: &Country, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(country.as_str())
}

fn rule_as_text<S: serde::Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.as_str())
}

fn name_as_text<S: serde::Serializer>(name: &Option<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(Name::as_str).serialize(serializer)
}
