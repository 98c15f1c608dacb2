//! The reasons for an answer: the listing of each reading in the directory, and the template of the name.

use serde::Serialize;

#[cfg(doc)]
use super::Resolution;
use crate::directory::{Choice, Found};
use crate::name::DOUBTFUL;

/// The reasons for a [`Resolution`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The listing of each reading in the directory, in the order of the readings, also of readings that did not decide.
    pub known: Vec<Option<Listing>>,
    /// The template of the name. None for a caller without a name.
    pub rendering: Option<Rendering>,
}

/// A number in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The source that answers.
    pub source: String,
    /// The choice among all entries of the source's group for the number.
    #[serde(rename = "verdict")]
    pub choice: ChoiceKind,
    /// Whether the number is a less likely one of its record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub less_likely: bool,
}

impl From<&Found<'_>> for Listing {
    fn from(found: &Found<'_>) -> Self {
        Self {
            source: found.source.to_owned(),
            choice: ChoiceKind::from(&found.choice),
            less_likely: !found.likely,
        }
    }
}

/// The kind of a [`Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChoiceKind {
    /// One person.
    Person,
    /// A company, or several persons of it.
    Company,
    /// Several companies.
    Shared,
    /// Several persons without a common company: no name can be right.
    Ambiguous,
}

impl ChoiceKind {
    /// The word in JSON; it does not change between releases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
            Self::Shared => "shared",
            Self::Ambiguous => "ambiguous",
        }
    }
}

impl From<&Choice<'_>> for ChoiceKind {
    fn from(choice: &Choice<'_>) -> Self {
        match choice {
            Choice::Person { .. } => Self::Person,
            Choice::Company(_) => Self::Company,
            Choice::Shared(_) => Self::Shared,
            Choice::Ambiguous => Self::Ambiguous,
        }
    }
}

/// The template of a name, and the name before it is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rendering {
    /// The key of the template in `[names]`.
    pub key: &'static str,
    /// The template.
    pub template: String,
    /// The name, cleaned and not cut.
    pub full: String,
    /// The length of `full`, in bytes of UTF-8.
    pub bytes: usize,
    /// The longest name that is allowed, in bytes: `max_bytes`.
    pub max_bytes: usize,
}

impl Rendering {
    /// The rendering of a name in doubt.
    pub(super) fn marked(self) -> Self {
        let full = format!("{DOUBTFUL}{}", self.full);
        Self { bytes: full.len(), full, ..self }
    }
}
