//! What somebody hears who orders lists to be asked for: the same from the running service, a line of JSON each,
//! as from a command that runs alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::refresh::{Keeper, Outcome, Question};
use crate::source::{Progress, Step, UnusableRecords};

/// Between two looks at how far lists are: often enough to look alive, and what is over at once shows none.
const EVERY: Duration = Duration::from_millis(200);

/// A piece of news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// How far a list is.
    Progress {
        /// Its name.
        list: String,
        /// What is being done for it.
        step: Step,
    },
    /// What came of a list, after which nothing more is said of it.
    Refreshed(Refreshed),
    /// That was all. Who does not hear it was left alone in the middle.
    Done {},
}

/// Shows how far a list is, when that has changed.
#[derive(Debug)]
pub struct Watch {
    list: String,
    progress: Progress,
    /// What was shown last.
    shown: Step,
}

impl Watch {
    /// Watches a list.
    #[must_use]
    pub fn new(list: String, progress: Progress) -> Self {
        Self { list, progress, shown: Step::Idle }
    }

    /// The list's name.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// How far it is, unless it is where it was.
    pub fn news(&mut self) -> Option<News> {
        let step = self.progress.step();
        let is_new = step != self.shown && step != Step::Idle;
        self.shown = step;
        is_new.then(|| News::Progress { list: self.list.clone(), step })
    }
}

/// When to look.
#[must_use]
pub fn looks() -> Interval {
    let mut looks = interval_at(Instant::now() + EVERY, EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// What came of asking for one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// The list's name.
    pub list: String,
    /// What came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The records that can't be used of the set that came, or of the one in use where none came. Empty after a
    /// failure.
    #[serde(default, skip_serializing_if = "UnusableRecords::is_empty")]
    pub unusable: UnusableRecords,
}

impl Refreshed {
    /// What came of the question that this keeper has just asked.
    pub fn of<Q: Question>(keeper: &Keeper<Q>, result: &anyhow::Result<Outcome>) -> Self {
        let list = keeper.name().to_owned();
        match result {
            Ok(outcome) => Self {
                list,
                outcome: Some(outcome.clone()),
                error: None,
                unusable: keeper.unusable().clone(),
            },
            Err(error) => Self::failed(list, format!("{error:#}")),
        }
    }

    /// Nothing came of it.
    #[must_use]
    pub fn failed(list: String, error: impl Into<String>) -> Self {
        Self { list, outcome: None, error: Some(error.into()), unusable: UnusableRecords::default() }
    }
}
