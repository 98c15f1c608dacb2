//! Ranges of companies: the direct-dial extensions of a PBX, which no entry has.
//!
//! - `known`: ranges of the configuration, `[ranges] known`
//! - `switchboards`: ranges that are guessed from a switchboard's number, `[ranges] guess`
//!
//! The narrowest range of a number counts; between two of the same width, the range of the configuration. A range answers
//! only for numbers that the directory does not have, and only with a company.

mod known;
mod switchboards;

use std::fmt;

pub use known::{Holder, KnownRange, KnownRanges, RangeError};
pub(super) use known::{ends, read};
pub(super) use switchboards::Switchboards;

use super::rows::NO_COMPANY;
use super::{Company, Directory};
use crate::number::Number;

/// The settings of `[ranges]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether ranges are guessed from the numbers of switchboards, in countries with open numbering
    /// ([`stem`](crate::number::stem)).
    pub guess: bool,
    /// The ranges of the configuration.
    pub known: KnownRanges,
}

/// The ranges of a directory.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    pub(super) known: KnownRanges,
    /// The company of each known range, as a row of the directory. [`NO_COMPANY`] if no list has the company.
    pub(super) holders: Vec<u32>,
    pub(super) stems: Switchboards,
}

/// The company of the range that a number lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeMatch<'d> {
    /// The source of the company. None for a company that only the configuration has.
    pub source: Option<&'d str>,
    /// The tag of the company's list. Empty for none.
    pub tag: &'d str,
    /// The company.
    pub company: Company<&'d str>,
    /// The range.
    pub range: Range<'d>,
}

/// A range, in the form that is shown: `+4722518000-8099`, or the stem of a switchboard's number, `+4930123456`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range<'d> {
    /// A range of the configuration.
    Known(&'d str),
    /// A stem; one to four digits follow it.
    Stem(Number),
}

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(range) => f.write_str(range),
            Self::Stem(stem) => stem.fmt(f),
        }
    }
}

impl Directory {
    /// The company of the range that `number` lies in. For numbers that [`find`](Self::find) does not know.
    #[must_use]
    pub fn range_of(&self, number: Number) -> Option<RangeMatch<'_>> {
        let Ranges { known, holders, stems } = &self.ranges;
        let known = known.find(number);
        let narrower = |width| known.is_none_or(|(_, range)| width < range.width());
        // Countries with open numbering have no leading zeros.
        let stem = if number.leading_zeros() == 0 { stems.find(number, narrower) } else { None };
        let (row, range) = match (stem, known) {
            (Some((stem, row)), _) => (row, Range::Stem(stem)),
            // Without its company the range has no answer: a wider range around it would have the wrong company.
            (None, Some((place, range))) => (*holders.get(place)?, Range::Known(range.label())),
            (None, None) => return None,
        };
        let origin = self.origins.get(usize::from(self.companies.get(row as usize)?.origin));
        let source = origin.map(|origin| origin.source.as_str());
        let tag = origin.map_or("", |origin| &origin.tag);
        Some(RangeMatch { source, tag, company: self.company(row)?, range })
    }

    /// The known ranges whose company is in no list, each with the company's id. Their numbers have no name.
    pub fn ranges_of_nobody(&self) -> impl Iterator<Item = (&str, u32)> {
        let Ranges { known, holders, .. } = &self.ranges;
        known.iter().zip(holders).filter_map(|(range, row)| match range.holder() {
            Holder::CompanyId(id) if *row == NO_COMPANY => Some((range.label(), *id)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
