//! How a resolution came about: whom the directory knows by each reading, and how the name was written.

use serde::Serialize;

use super::{Decided, Resolution, Resolver};
use crate::directory::{Choice, Found};
use crate::name::{DOUBTFUL, Parts, Style};
use crate::number::Number;

/// What stands behind a [`Resolution`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What the directory knows of each reading, in their order; of those too that were not asked for.
    pub known: Vec<Option<Known>>,
    /// What decided on the certainty.
    pub decided: Option<Decided>,
    /// How the name was written, where there was somebody to be named.
    pub rendering: Option<Rendering>,
}

/// Whom the directory knows by a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The source that answers.
    pub source: String,
    /// Who answers to the number, judged over all entries of the source's group.
    pub verdict: Verdict,
    /// Whether the number is a less likely one of its record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub less_likely: bool,
}

/// Who answers to a number, where several entries speak for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// One person.
    Person,
    /// A company, or several persons of it.
    Company,
    /// Several companies.
    Shared,
    /// Several persons without a common company: no name can be right.
    Ambiguous,
}

impl Verdict {
    /// The verdict's name in JSON; it does not change between releases.
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

impl From<&Choice<'_>> for Verdict {
    fn from(choice: &Choice<'_>) -> Self {
        match choice {
            Choice::Person { .. } => Self::Person,
            Choice::Company(_) => Self::Company,
            Choice::Shared(_) => Self::Shared,
            Choice::Ambiguous => Self::Ambiguous,
        }
    }
}

/// How a name was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rendering {
    /// The key of `[names]` that has the template.
    pub key: &'static str,
    /// The template.
    pub template: String,
    /// What it gives, cleaned but not clamped.
    pub full: String,
    /// How long that is, in bytes of UTF-8.
    pub bytes: usize,
    /// The room: `max_bytes`.
    pub max_bytes: usize,
}

impl Rendering {
    /// The same of a name in doubt.
    fn marked(self) -> Self {
        let full = format!("{DOUBTFUL}{}", self.full);
        Self { bytes: full.len(), full, ..self }
    }
}

impl Resolver {
    /// How a resolution of this resolver came about, by the directory of the moment.
    #[must_use]
    pub fn explain(&self, resolution: &Resolution) -> Explanation {
        let epoch = self.current.load();
        let find = |number: Number| epoch.directory.find(number);
        let known = |found: Found<'_>| Known {
            source: found.source.to_owned(),
            verdict: Verdict::from(&found.choice),
            less_likely: !found.likely,
        };
        let chosen = resolution.readings.iter().find(|reading| reading.found);
        Explanation {
            known: resolution.readings.iter().map(|read| find(read.reading.number).map(known)).collect(),
            decided: resolution.decided,
            rendering: match resolution.decided {
                Some(Decided::Range) => guessed(&self.style, resolution),
                _ => chosen
                    .and_then(|read| find(read.reading.number))
                    .and_then(|found| rendering(&self.style, &found))
                    .map(|rendering| if resolution.doubtful { rendering.marked() } else { rendering }),
            },
        }
    }
}

/// How the name of a company is written in whose range the number lies.
fn guessed(style: &Style, resolution: &Resolution) -> Option<Rendering> {
    let company = resolution.company.as_ref()?;
    let source = resolution.source.as_deref().unwrap_or_default();
    let parts = Parts { company: &company.name, source, ..Parts::default() };
    let full = style.full(&style.guess, &parts);
    let (template, max_bytes) = (style.guess.to_string(), style.max_bytes);
    Some(Rendering { key: "guess", template, bytes: full.len(), full, max_bytes })
}

/// How the name of whom was found is written; none where no name can be right.
fn rendering(style: &Style, found: &Found<'_>) -> Option<Rendering> {
    let parts = Parts { source: found.source, ..Parts::default() };
    let (key, template, full) = match found.choice {
        Choice::Person { person, company } if style.has_person(person.name) => {
            let company = company.map_or("", |company| company.name);
            let parts = Parts { person: person.name, company, mrmrs: person.mrmrs, ..parts };
            ("person", &style.person, style.full(&style.person, &parts))
        }
        Choice::Person { company, .. } => {
            let company = company.map_or("", |company| company.name);
            ("company", &style.company, style.full(&style.company, &Parts { company, ..parts }))
        }
        Choice::Company(company) => {
            ("company", &style.company, style.full(&style.company, &Parts { company: company.name, ..parts }))
        }
        Choice::Shared(sharing) => {
            let companies: Vec<_> = sharing.companies().map(|company| company.name).collect();
            let company = &companies.join(" / ");
            ("shared", &style.shared, style.full(&style.shared, &Parts { company, ..parts }))
        }
        Choice::Ambiguous => return None,
    };
    let template = template.to_string();
    Some(Rendering { key, template, bytes: full.len(), full, max_bytes: style.max_bytes })
}
