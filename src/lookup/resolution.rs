//! The answer for a caller, with its reasons. The same everywhere, also in JSON.

use serde::Serialize;

#[cfg(doc)]
use super::MAX_CALLER_BYTES;
use crate::directory::{Company, Person};
use crate::name::{MAX_BYTES, Name};
use crate::number::{Country, Reading, Rule, Skip};
use crate::observe::metrics;

/// The bytes of an extension that [`MAX_BYTES`] leaves to two ids.
const IDS_BYTES: usize = 20;

/// Whether there is a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a name.
    Found,
    /// No name: the number is unknown, or no name can be right.
    NotFound,
    /// There was nothing to look up.
    Skipped,
}

impl From<Status> for metrics::CallOutcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Found => Self::Found,
            Status::NotFound => Self::NotFound,
            Status::Skipped => Self::Skipped,
        }
    }
}

/// The reason why there is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Several persons have the number, without a common company.
    Ambiguous,
    /// The caller's digits have two readings, with different people, and the settings do not show such names.
    Doubtful,
    /// Nothing in the name of the CRM is visible.
    NoName,
    /// The number must not be named.
    Suppressed,
    /// The caller sent no number, or a text that cannot be a number.
    NoNumber,
    /// The caller's number is withheld or unknown: a word such as "anonymous" is in its place.
    Anonymous,
    /// An extension of the PBX.
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

/// The certainty that the name is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The likeliest reading is known, as the likeliest number of a record, and no other reading is somebody else's.
    Exact,
    /// A less likely reading, a less likely number of a record, or another reading is somebody else's.
    Reading,
    /// The number is unknown, but lies in the range of a company: a guess, with a mark.
    Range,
}

impl Certainty {
    /// The word in JSON, in a dialplan and for people. It does not change between releases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Reading => "reading",
            Self::Range => "range",
        }
    }
}

/// The rule that decided on the certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The likeliest reading is known.
    Likeliest,
    /// A less likely reading of the digits is known.
    OtherReading,
    /// The digits are known without a surplus zero.
    SurplusZero,
    /// The number is a less likely one of its record.
    OtherNumber,
    /// Another reading of the digits is somebody else's.
    SomebodyElse,
    /// The number lies in the range of a company.
    Range,
}

impl Decided {
    /// The rule's word in JSON; it does not change between releases.
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

    /// The certainty of the name.
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

/// The answer for a caller, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// The caller's number as received.
    pub input: String,
    /// The country of the reading, ISO 3166.
    #[serde(serialize_with = "as_text")]
    pub country: Country,
    /// Whether there is a name.
    pub status: Status,
    /// The reason why there is no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The name that the phone shows.
    #[serde(serialize_with = "name_as_text")]
    pub name: Option<Name>,
    /// The certainty of the name.
    pub certainty: Option<Certainty>,
    /// The rule that decided on the certainty.
    #[serde(skip)]
    pub decided: Option<Decided>,
    /// Whether the name may be somebody else's, so that it is marked or left out.
    #[serde(skip)]
    pub doubtful: bool,
    /// The number that is known, or lies in a range, E.164 with `+`.
    pub number: Option<String>,
    /// The range of the number: `+4722518000-8099`, or the stem of a switchboard, `+4930123456`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Whether the range is guessed from a switchboard's number; else it is of the configuration.
    #[serde(skip)]
    pub guessed: bool,
    /// The person.
    pub person: Option<Person<String>>,
    /// The company: the person's, or the company of the number.
    pub company: Option<Company<String>>,
    /// The source of the number, or of the company of the range. None for a company that only the configuration has.
    pub source: Option<String>,
    /// The tag of the list, by which a dialplan routes the call. None without a name, and for a guess or a name in doubt: a
    /// variable has no mark.
    pub tag: Option<String>,
    /// Whether several companies share the number.
    pub shared: bool,
    /// The readings of the digits, most likely first.
    pub readings: Vec<ReadingOutcome>,
}

/// One reading of the caller's digits, and whether it decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingOutcome {
    /// E.164 with `+`.
    pub number: String,
    /// The rule of the reading.
    #[serde(serialize_with = "rule_as_text")]
    pub rule: Rule,
    /// Whether the name belongs to this reading.
    pub found: bool,
    /// The reading.
    #[serde(skip)]
    pub reading: Reading,
}

/// What became of the readings; `found` is the place of the one that decided.
pub(super) fn outcomes(readings: &[Reading], found: Option<usize>) -> Vec<ReadingOutcome> {
    let outcome = |(reading, place): (&Reading, usize)| ReadingOutcome {
        number: reading.number.to_string(),
        rule: reading.rule,
        found: Some(place) == found,
        reading: *reading,
    };
    readings.iter().zip(0..).map(outcome).collect()
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
            tag: None,
            shared: false,
            readings: Vec::new(),
        }
    }

    /// The ids of the person and of the company for a dialplan. None without a name. None for a guess or a name in doubt: a
    /// variable with an id has no mark.
    #[must_use]
    pub fn ids(&self) -> [Option<u32>; 2] {
        if self.name.is_none() || self.is_unsure() {
            return [None; 2];
        }
        let ids =
            [self.person.as_ref().map(|person| person.id), self.company.as_ref().map(|company| company.id)];
        ids.map(|id| id.filter(|id| *id != 0))
    }

    /// The bytes for a name in an extension that has this tag, too. The ids are rarely so long that this is less than
    /// [`MAX_BYTES`].
    pub(super) fn room_beside(&self, tag: &str) -> usize {
        let ids =
            [self.person.as_ref().map(|person| person.id), self.company.as_ref().map(|company| company.id)];
        let ids: usize = ids.into_iter().flatten().filter(|id| *id != 0).map(|id| id.to_string().len()).sum();
        (MAX_BYTES + IDS_BYTES).saturating_sub(ids + 1 + tag.len())
    }

    /// The status for a call that keeps the provider's name (`keeps`). Then a guess or a name in doubt is worth nothing: it
    /// is not shown and has no ids.
    #[must_use]
    pub fn status_of(&self, keeps: bool) -> Status {
        if keeps && self.is_unsure() { Status::NotFound } else { self.status }
    }

    /// Whether the name is marked, because it may be somebody else's: a guess, or a name in doubt.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
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
