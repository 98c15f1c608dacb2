//! The outcome of a refresh.

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::losses::Losses;

/// The outcome of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// The source has the list in use.
    Unchanged,
    /// A new list is in use.
    New {
        /// The count of its entries.
        count: usize,
        /// Its changes to the list before.
        changes: Changes,
    },
    /// An order to accept the list that is held back has found none.
    NothingHeld,
    /// A list arrived and is held back; the list in use stays.
    Held {
        /// The count of its entries.
        count: usize,
        /// The count of entries in use.
        known: usize,
        /// How many more times the list has to arrive before it is accepted; none if only an administrator accepts it: a list
        /// without any name, or a refresh by a command.
        more: Option<u32>,
        /// The changes if it were accepted.
        #[serde(default)]
        changes: Changes,
        /// The losses if it were accepted.
        #[serde(default)]
        losses: Losses,
        /// Whether an order to accept was not followed, because the list is not the one that was shown.
        #[serde(default)]
        another: bool,
    },
}
