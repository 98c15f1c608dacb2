//! The readings of a caller's digits → the entry or the range that answers.

use super::resolution::Decided;
use crate::directory::ranges::RangeMatch;
use crate::directory::suppressed::Suppressed;
use crate::directory::{Directory, Found};
use crate::number::{Fit, Reading, Rule};

/// The entry of the directory that answers, and the reading that leads to it.
pub(super) struct Match<'d> {
    pub(super) found: Found<'d>,
    /// The place of the reading.
    pub(super) place: usize,
    /// Whether another reading belongs to somebody else.
    pub(super) doubtful: bool,
}

impl Match<'_> {
    pub(super) fn decided(&self, reading: &Reading) -> Decided {
        match self {
            Self { doubtful: true, .. } => Decided::SomebodyElse,
            Self { found: Found { likely: false, .. }, .. } => Decided::OtherNumber,
            _ if reading.rule == Rule::SurplusZero => Decided::SurplusZero,
            Self { place: 0, .. } => Decided::Likeliest,
            _ => Decided::OtherReading,
        }
    }
}

/// The likeliest reading that the directory knows. A number that is the likeliest of its record comes before all others.
pub(super) fn matching<'d>(directory: &'d Directory, readings: &[Reading]) -> Option<Match<'d>> {
    let find = |(reading, place): (&Reading, usize)| Some((directory.find(reading.number)?, place));
    let mut best: Option<(Found<'d>, usize)> = None;
    for (found, place) in readings.iter().zip(0..).filter_map(find) {
        if found.likely || best.is_none() {
            best = Some((found, place));
        }
        if found.likely {
            break;
        }
    }
    let (found, place) = best?;
    // A surplus zero is taken off only for digits that are unknown otherwise, so that reading causes no doubt.
    let is_other = |(reading, at): &(&Reading, usize)| *at != place && reading.rule != Rule::SurplusZero;
    let mut others = readings.iter().zip(0..).filter(is_other).filter_map(find);
    let doubtful = others.any(|(other, _)| !other.choice.looks_same(&found.choice));
    Some(Match { found, place, doubtful })
}

/// The range of the likeliest reading that lies in one. The reading must be a number in use, not only of a possible length.
/// If the digits as received are a number in use, supposed readings do not count: a mobile number without its trunk zero may
/// also be valid behind the PBX's area code.
pub(super) fn range_of<'d, 'r>(
    directory: &'d Directory,
    readings: &'r [Reading],
) -> Option<(RangeMatch<'d>, &'r Reading)> {
    let valid = readings.iter().filter(|reading| reading.fit == Fit::Valid);
    let as_received = valid.clone().any(|reading| !reading.rule.is_supposed());
    valid
        .filter(|reading| !(as_received && reading.rule.is_supposed()))
        .find_map(|reading| Some((directory.range_of(reading.number)?, reading)))
}

/// Whether a reading is a number that must not be named.
pub(super) fn is_hidden(suppressed: &Suppressed, readings: &[Reading]) -> bool {
    readings.iter().any(|reading| suppressed.has(reading.number))
}

/// What a number that must not be named leaves of the match: a likelier reading that is known for certain counts before it, as
/// before any other entry. None if the caller gets no name.
pub(super) fn beside_hidden<'d>(
    suppressed: &Suppressed,
    listed: Option<Match<'d>>,
    readings: &[Reading],
) -> Option<Match<'d>> {
    let listed = listed?;
    let place = readings.iter().position(|reading| suppressed.has(reading.number));
    let is_before = place.is_none_or(|hidden| listed.place < hidden);
    // The digits may be those of somebody else, who must not be named.
    let is_other = |reading: &Reading| suppressed.has(reading.number) && reading.rule != Rule::SurplusZero;
    let doubtful = listed.doubtful || readings.iter().any(is_other);
    (listed.found.likely && is_before).then_some(Match { doubtful, ..listed })
}
