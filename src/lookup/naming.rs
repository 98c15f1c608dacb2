//! The name that a phone shows for an answer: the kind of name, and its parts.

use super::explanation::Rendering;
use crate::directory::ranges::RangeMatch;
use crate::directory::{Choice, Found};
use crate::name::{Name, Parts, Style};

/// The kind of a name, with the parts that fill its template.
pub(super) enum Naming<'d> {
    Person(Parts<'d>),
    Company(Parts<'d>),
    Shared { companies: Vec<&'d str>, source: &'d str },
    Guess(Parts<'d>),
}

impl<'d> Naming<'d> {
    /// None for several persons without a common company.
    pub(super) fn of(found: &Found<'d>) -> Option<Self> {
        let source = found.source;
        Some(match found.choice {
            Choice::Person { person, company } => {
                let company = company.map_or("", |company| company.name);
                Self::Person(Parts { person: person.name, company, mrmrs: person.mrmrs, source })
            }
            Choice::Company(company) => {
                Self::Company(Parts { company: company.name, source, ..Parts::default() })
            }
            Choice::Shared(sharing) => {
                Self::Shared { companies: sharing.companies().map(|company| company.name).collect(), source }
            }
            Choice::Ambiguous => return None,
        })
    }

    pub(super) fn of_range(matched: &RangeMatch<'d>) -> Self {
        let source = matched.source.unwrap_or_default();
        Self::Guess(Parts { company: matched.company.name, source, ..Parts::default() })
    }

    /// The name in this style. None if nothing of the name can be shown.
    pub(super) fn name(&self, style: &Style) -> Option<Name> {
        match self {
            Self::Person(parts) => style.person(parts),
            Self::Company(parts) => style.company(parts.company, parts.source),
            Self::Shared { companies, source } => style.shared(companies.iter().copied(), source),
            Self::Guess(parts) => style.guess(parts.company, parts.source),
        }
    }

    /// The template of the name, and the whole name before it is cut.
    pub(super) fn rendering(&self, style: &Style) -> Rendering {
        let together;
        let (key, template, parts) = match self {
            Self::Person(parts) if style.has_person(parts.person) => ("person", &style.person, *parts),
            Self::Person(Parts { company, source, .. }) | Self::Company(Parts { company, source, .. }) => {
                ("company", &style.company, Parts { company, source, ..Parts::default() })
            }
            Self::Shared { companies, source } => {
                together = companies.join(" / ");
                ("shared", &style.shared, Parts { company: &together, source, ..Parts::default() })
            }
            Self::Guess(parts) => ("guess", &style.guess, *parts),
        };
        let full = style.full(template, &parts);
        let (template, max_bytes) = (template.to_string(), style.max_bytes);
        Rendering { key, template, bytes: full.len(), full, max_bytes }
    }
}
