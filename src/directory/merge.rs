//! Lists → directory, and the choice between entries that share a number.
//!
//! All lists of one SuperOffice form a *group*. `GetMyCallerIDs` is per user, and two users may know different people with
//! one number, so the lists are judged together. Between groups the first group with the number answers alone.
//!
//! - `judgement`: the choice for one number
//! - `parties`: the different persons and companies of one number
//! - `builder`: the rows of the directory
//! - `row_index`: the rows that are there already
//! - `waiting`: persons whose rows are looked for together

mod builder;
mod judgement;
mod parties;
mod row_index;
mod waiting;

use std::io;

use super::list::{Records, by_number};
use super::{Directory, Origin};
use builder::Builder;
pub use judgement::{Rules, SharedNumbers};
use parties::Candidate;

/// The entries of one list, with the origin and the group of the list.
pub struct MergeInput<'a> {
    /// The origin of the list: its place among the origins.
    pub origin: u16,
    /// The group of the list. Groups answer in the order of their numbers, which is the order of their first sources.
    pub group: u16,
    /// The records, ordered by number.
    pub records: Records<'a>,
}

/// The reason why no directory was built.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The lists have more than a directory can hold: about a billion rows, or 4 GiB of names.
    #[error("the lists hold more than a directory can: a billion records, or 4 GiB of names")]
    TooLarge,
    /// A list can't be read.
    #[error("a list can't be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// As [`merge_by`], with the default rules.
pub fn merge(origins: &[Origin], lists: Vec<MergeInput<'_>>) -> Result<Directory, MergeError> {
    merge_by(&Rules::default(), origins, lists)
}

/// Builds the directory of all lists. `origins` are those of the lists. For a party of one group that several lists have, the
/// earliest origin counts.
///
/// # Errors
/// [`MergeError`]
pub fn merge_by(
    rules: &Rules,
    origins: &[Origin],
    lists: Vec<MergeInput<'_>>,
) -> Result<Directory, MergeError> {
    let entries = lists.iter().map(|list| list.records.size_hint().1.unwrap_or_default()).sum();
    let mut builder = Builder::new(rules, origins, entries);
    let (places, mut lists): (Vec<_>, Vec<_>) =
        lists.into_iter().map(|list| ((list.group, list.origin), list.records)).unzip();
    by_number(&mut lists, |number, entries| {
        if rules.suppressed.has(number) {
            return Ok(());
        }
        if let [(list, entry)] = entries {
            // Most numbers. Without an allocation.
            let Some((_, origin)) = places.get(*list) else { return Ok(()) };
            let only = Candidate { origin: *origin, entry: *entry };
            return builder.add(number, entry.likely, &[only]).ok_or(MergeError::TooLarge);
        }
        // A less likely number of a record counts only if no other record has the number, in any group.
        let likely = entries.iter().any(|(_, entry)| entry.likely);
        let counting = || {
            let counting = entries.iter().filter(|(_, entry)| entry.likely == likely);
            counting.filter_map(|(list, entry)| Some((places.get(*list)?, entry)))
        };
        let answering = counting().map(|((group, _), _)| *group).min();
        let candidates: Vec<_> = counting()
            .filter(|((group, _), _)| Some(*group) == answering)
            .map(|((_, origin), entry)| Candidate { origin: *origin, entry: *entry })
            .collect();
        builder.add(number, likely, &candidates).ok_or(MergeError::TooLarge)
    })?;
    builder.finish().ok_or(MergeError::TooLarge)
}

/// The directory of one list, for tests.
#[cfg(test)]
pub(crate) fn merge_one(rules: &Rules, entries: impl IntoIterator<Item = crate::entry::Entry>) -> Directory {
    let list: super::list::List = entries.into_iter().collect();
    let input = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
    merge_by(rules, &["crm".into()], vec![input]).unwrap()
}

#[cfg(test)]
mod tests;
