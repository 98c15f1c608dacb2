//! The lists: each is fetched from its source, checked, written to disk and merged into the directory. After a failed or
//! doubtful refresh the list in use stays. The service starts with the lists on disk, before its first request.
//!
//! - [`engine`]: all lists, and the directory of them; for the service and for the commands
//! - [`service`]: the running service: opens the lists, refreshes them on schedule, takes another configuration
//! - `publisher`: builds a directory whenever a list is new, and puts it in use
//! - [`offline`]: the same lists for a command, without a running service
//! - [`schedule`]: the service's refreshes of one list: when, and what the log says of them
//! - [`refresh`]: one refresh of one list; [`outcome`]: its outcome
//! - `state`: one list: compares a new list with the one in use, and accepts it or holds it back
//! - [`guard`]: the guard against mass loss; [`losses`] and [`changes`] are what it counts
//! - [`snapshot`]: a list in use, on disk or in memory; [`store`]: the files of the lists
//! - [`suppression`]: numbers that must not be named; [`forgotten`]: those of `nameplate forget`;
//!   [`forgetting`]: what the running service does for that
//! - [`lock`]: one writer at a time
//! - [`status`]: the state of a list, for `nameplate sources`
//! - [`events`]: the progress and the result of a refresh, for the command that ordered it

pub mod changes;
pub mod engine;
pub mod events;
pub mod forgetting;
pub mod forgotten;
pub mod guard;
pub mod lock;
pub mod losses;
pub mod offline;
pub mod outcome;
pub mod publisher;
pub mod refresh;
pub mod schedule;
pub mod service;
pub mod snapshot;
mod state;
pub mod status;
pub mod store;
pub mod suppression;
#[cfg(test)]
mod tests;

use crate::source::{ListId, Settings};

/// A list of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListConfig {
    /// The list's name: the source's name, and the selection's id if there is one.
    pub name: String,
    /// The position of its source in the configuration.
    pub source: usize,
    /// The name of its source.
    pub source_name: String,
    /// Which of the source's lists.
    pub id: ListId,
}

impl ListConfig {
    /// Whether it is the same list of another configuration, wherever its source stands there.
    #[must_use]
    pub fn is_same_list(&self, other: &Self) -> bool {
        (&self.name, &self.source_name, self.id) == (&other.name, &other.source_name, other.id)
    }

    /// Whether an order for `name` includes the list: a list's name, a source's name, or none for all.
    #[must_use]
    pub fn is_named(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| name == self.name || name == self.source_name)
    }
}

/// All lists of the configuration, in its order.
#[must_use]
pub fn configured(sources: &[Settings]) -> Vec<ListConfig> {
    let lists = |(source, settings): (usize, &Settings)| {
        let list = |id: ListId| {
            let source_name = settings.name.clone();
            ListConfig { name: id.name(&source_name), source, source_name, id }
        };
        settings.lists().into_iter().map(list).collect::<Vec<_>>()
    };
    sources.iter().enumerate().flat_map(lists).collect()
}

/// Which of the ordered lists `--accept` accepts, where `held` says which are held back: those, or all if there is none. A list
/// that is held back was shown to the administrator; a list that arrives now was not.
fn accepted(accept: bool, held: &[bool]) -> Vec<bool> {
    let none_is_held = !held.contains(&true);
    held.iter().map(|is_held| accept && (*is_held || none_is_held)).collect()
}
