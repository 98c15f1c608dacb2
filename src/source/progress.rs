//! The progress of a fetch, for a command that waits for its end.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A step of a fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// No fetch is under way.
    #[default]
    Idle,
    /// The source has not begun to answer, or the request waits for its turn.
    Waiting,
    /// The answer is being read.
    Reading {
        /// The records so far.
        records: u64,
    },
    /// The list is being sorted, compared with the last one and written.
    Writing {
        /// The count of its entries.
        entries: u64,
    },
}

/// The current step of a list. Clones share it: the fetch sets the step, the command reads it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    step: Arc<Mutex<Step>>,
}

impl Progress {
    /// Sets the step. Takes about 20 ns, so it may be called for every record.
    pub fn set(&self, step: Step) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// The current step.
    #[must_use]
    pub fn step(&self) -> Step {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
