//! The progress and the result of refreshes, for the command that ordered them. The running service sends each as a line of
//! JSON; a command without a service gets the same events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::outcome::RefreshOutcome;
use super::refresh::{ListSource, RefreshError, Refresher};
use crate::source::{Progress, Step, UnusableRecords};

/// The interval of progress events: short enough for a person who watches, and a quick refresh has none.
const EVERY: Duration = Duration::from_millis(200);

/// An event of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The progress of a list.
    Progress {
        /// The list's name.
        list: String,
        /// The step that it has reached.
        step: Step,
    },
    /// The result for a list: its last event.
    Refreshed(RefreshResult),
    /// The last event. If it is missing, the service ended too early.
    Done {},
}

/// Watches the progress of a list.
#[derive(Debug)]
pub struct ProgressWatch {
    list: String,
    progress: Progress,
    /// The step of the last event.
    shown: Step,
}

impl ProgressWatch {
    /// Watches the list with this name.
    #[must_use]
    pub fn new(list: String, progress: Progress) -> Self {
        Self { list, progress, shown: Step::Idle }
    }

    /// The list's name.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// The progress, if it has changed since the last event.
    pub fn event(&mut self) -> Option<Event> {
        let step = self.progress.step();
        let is_new = step != self.shown && step != Step::Idle;
        self.shown = step;
        is_new.then(|| Event::Progress { list: self.list.clone(), step })
    }
}

/// Ticks at the interval of progress events.
#[must_use]
pub fn progress_ticks() -> Interval {
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The result of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshResult {
    /// The list's name.
    pub list: String,
    /// The outcome; none after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RefreshOutcome>,
    /// The failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The unusable records of the list that arrived, or of the list in use if none arrived. Empty after a failure.
    #[serde(default, skip_serializing_if = "UnusableRecords::is_empty")]
    pub unusable: UnusableRecords,
    /// The reason why the list in use is not on disk, if it could not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_on_disk: Option<String>,
}

impl RefreshResult {
    /// The result of the refresher's last refresh.
    pub fn of<S: ListSource>(
        refresher: &Refresher<S>,
        result: &Result<RefreshOutcome, RefreshError>,
    ) -> Self {
        let list = refresher.name().to_owned();
        match result {
            Ok(outcome) => Self {
                list,
                outcome: Some(outcome.clone()),
                error: None,
                unusable: refresher.unusable().clone(),
                not_on_disk: refresher.not_on_disk().map(str::to_owned),
            },
            Err(error) => Self::failed(list, error.to_string()),
        }
    }

    /// A failure.
    #[must_use]
    pub fn failed(list: String, error: impl Into<String>) -> Self {
        let unusable = UnusableRecords::default();
        Self { list, outcome: None, error: Some(error.into()), unusable, not_on_disk: None }
    }
}
