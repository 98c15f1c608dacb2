//! Lists → directory, and who answers where several entries share a number.
//!
//! All lists of one SuperOffice form one *group*: `GetMyCallerIDs` is per user, so two users may know
//! different people behind one number, and only both lists together tell. Between groups the first
//! that knows the number answers alone.
//!
//! - `judgement`: who answers to one number
//! - `parties`: the different persons and companies behind it
//! - `builder`: the rows of the directory

mod builder;
mod judgement;
mod parties;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::{Directory, ranges};
use crate::entry::Entry;
use builder::Builder;
use judgement::Candidate;
pub use judgement::SharedNumbers;

/// How lists become a directory: the settings of `[names] shared_numbers` and `[ranges]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What is shown for a number that several have.
    pub shared: SharedNumbers,
    /// Companies whose range a number lies in.
    pub ranges: ranges::Settings,
}

/// The entries of a list, by number, as they are read from memory or from disk.
pub type Entries<'a> = Box<dyn Iterator<Item = io::Result<Entry>> + 'a>;

/// A list with its place among the others.
pub struct Listed<'a> {
    /// The source that delivered it: its place in the configuration.
    pub source: u16,
    /// The group that it is judged with. Groups answer in the order of their numbers, which is that of their first
    /// sources.
    pub group: u16,
    /// The entries, by number.
    pub entries: Entries<'a>,
}

/// Why no directory was built.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is more than a directory can hold: about a billion rows, or 4 GiB of names.
    #[error("the lists hold more than a directory can: a billion records, or 4 GiB of names")]
    TooLarge,
    /// A list can't be read.
    #[error("a list can't be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// As [`merge_by`], by the default rules.
pub fn merge(sources: &[String], lists: Vec<Listed<'_>>) -> Result<Directory, MergeError> {
    merge_by(&Rules::default(), sources, lists)
}

/// Builds the directory of all lists. `sources` are the names of the sources, `lists` in their order.
///
/// The lists are walked side by side, like a zip, one number at a time: of each only the next entry is in memory.
pub fn merge_by(
    rules: &Rules,
    sources: &[String],
    mut lists: Vec<Listed<'_>>,
) -> Result<Directory, MergeError> {
    let mut builder = Builder::new(rules, sources);
    // The next entry of each list; the smallest number first, and of one number the earliest list.
    let mut heads: Vec<Option<Entry>> = Vec::new();
    let mut next = BinaryHeap::new();
    for (place, list) in lists.iter_mut().enumerate() {
        let head = list.entries.next().transpose()?;
        next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        heads.push(head);
    }
    let mut speaking: Vec<(u16, u16, Entry)> = Vec::new();
    while let Some(&Reverse((number, _))) = next.peek() {
        speaking.clear();
        while let Some(&Reverse((same, place))) = next.peek()
            && same == number
        {
            next.pop();
            let (Some(list), Some(head)) = (lists.get_mut(place), heads.get_mut(place)) else { break };
            while let Some(entry) = head.take_if(|entry| entry.number == number) {
                speaking.push((list.group, list.source, entry));
                *head = list.entries.next().transpose()?;
            }
            next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        }
        // A less likely reading of a record counts only where no other record has the number, whichever group that is in.
        let likely = speaking.iter().any(|(.., entry)| entry.likely);
        let counting = || speaking.iter().filter(|(.., entry)| entry.likely == likely);
        let answering = counting().map(|(group, ..)| *group).min();
        let candidates: Vec<_> = counting()
            .filter(|(group, ..)| Some(*group) == answering)
            .map(|(_, source, entry)| Candidate { source: *source, entry })
            .collect();
        builder.add(number, likely, &candidates).ok_or(MergeError::TooLarge)?;
    }
    builder.finish().ok_or(MergeError::TooLarge)
}

#[cfg(test)]
mod tests;
