//! Lists → directory, and the choice between entries that share a number.
//!
//! All lists of one SuperOffice form a *group*. `GetMyCallerIDs` is per user, and two users may know different people with
//! one number, so the lists are judged together. Between groups the first group with the number answers alone.
//!
//! - `judgement`: the choice for one number
//! - `parties`: the different persons and companies of one number
//! - `builder`: the rows of the directory

mod builder;
mod judgement;
mod parties;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::Directory;
use crate::entry::Entry;
use builder::Builder;
pub use judgement::{Rules, SharedNumbers};
use parties::Candidate;

/// The entries of a list, ordered by number, from memory or from disk.
pub type Entries<'a> = Box<dyn Iterator<Item = io::Result<Entry>> + 'a>;

/// A list, with its source and its group.
pub struct Listed<'a> {
    /// The source of the list: its place in the configuration.
    pub source: u16,
    /// The group of the list. Groups answer in the order of their numbers, which is the order of their first sources.
    pub group: u16,
    /// The entries, ordered by number.
    pub entries: Entries<'a>,
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
pub fn merge(sources: &[String], lists: Vec<Listed<'_>>) -> Result<Directory, MergeError> {
    merge_by(&Rules::default(), sources, lists)
}

/// Builds the directory of all lists. `sources` are the names of the sources, `lists` in their order.
///
/// The lists are read side by side, one number at a time. Only the next entry of each list is in memory.
pub fn merge_by(
    rules: &Rules,
    sources: &[String],
    mut lists: Vec<Listed<'_>>,
) -> Result<Directory, MergeError> {
    let mut builder = Builder::new(rules, sources);
    // The next entry of each list: the smallest number first, and for one number the first list.
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
        // A less likely number of a record counts only if no other record has the number, in any group.
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
