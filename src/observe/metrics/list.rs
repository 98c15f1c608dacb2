//! The counters of one list.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::{Seconds, set_now};

/// The counters of one list.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub(super) taken: Counter,
    pub(super) unchanged: Counter,
    pub(super) held: Counter,
    pub(super) failed: Counter,
    pub(super) succeeded: Seconds,
    pub(super) refresh_seconds: Seconds,
    pub(super) is_held: Gauge,
}

impl List {
    /// A new list was taken.
    pub fn taken(&self) {
        self.taken.inc();
        set_now(&self.succeeded);
    }

    /// The source has said that nothing has changed.
    pub fn unchanged(&self) {
        self.unchanged.inc();
        set_now(&self.succeeded);
    }

    /// A list came that looks like a mass loss: the known one stays.
    pub fn held(&self) {
        self.held.inc();
    }

    /// Sets how often the list is asked for.
    pub fn set_refresh(&self, refresh: Duration) {
        self.refresh_seconds.set(refresh.as_secs_f64());
    }

    /// Sets whether a list is held back now.
    pub fn set_held(&self, is_held: bool) {
        self.is_held.set(is_held.into());
    }

    /// A refresh has failed.
    pub fn failed(&self) {
        self.failed.inc();
    }
}
