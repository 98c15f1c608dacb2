//! Handles: the counters of one PBX, one list, one source …, looked up once.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::{Age, Histogram, Outcome, Refusal};

/// The counters of one PBX.
#[derive(Clone, Debug, Default)]
pub struct Pbx {
    /// By [`Outcome`].
    pub(super) calls: [Counter; 4],
    pub(super) answer_seconds: Histogram,
    pub(super) handoff_failures: Counter,
    pub(super) connected: Gauge,
    /// By [`Refusal`].
    pub(super) refused: [Gauge; 6],
    pub(super) reconnects: Counter,
    pub(super) foreign_scripts: Counter,
}

impl Pbx {
    /// A call has its answer, `took` after its event.
    pub fn answered(&self, outcome: Outcome, took: Duration) {
        self.calls[outcome as usize].inc();
        self.answer_seconds.observe(took);
    }

    /// A call goes on in the dialplan without an answer.
    pub fn unserved(&self) {
        self.calls[Outcome::Unserved as usize].inc();
    }

    /// The PBX has not taken an answer.
    pub fn handoff_failed(&self) {
        self.handoff_failures.inc();
    }

    /// Sets whether the PBX is connected.
    pub fn set_connected(&self, connected: bool) {
        self.connected.set(connected.into());
    }

    /// Sets why the PBX refuses the service; none where it does not.
    pub fn set_refused(&self, why: Option<Refusal>) {
        for (refusal, gauge) in Refusal::ALL.into_iter().zip(&self.refused) {
            gauge.set((why == Some(refusal)).into());
        }
    }

    /// A call has asked for the script of another FastAGI server.
    pub fn foreign_script(&self) {
        self.foreign_scripts.inc();
    }

    /// The PBX is connected again.
    pub fn reconnected(&self) {
        self.reconnects.inc();
    }
}

/// The counters of one port.
#[derive(Clone, Debug, Default)]
pub struct Port {
    pub(super) listening: Gauge,
    pub(super) failures: Counter,
}

impl Port {
    /// The service listens on it.
    pub fn taken(&self) {
        self.listening.set(1);
    }

    /// An attempt to listen has failed.
    pub fn failed(&self) {
        self.listening.set(0);
        self.failures.inc();
    }
}

/// The counters of the web server.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// By [`Outcome`].
    pub(super) lookups: [Counter; 4],
    pub(super) wrong_tokens: Counter,
}

impl Web {
    /// A lookup has its answer.
    pub fn answered(&self, outcome: Outcome) {
        self.lookups[outcome as usize].inc();
    }

    /// A wrong token was shown.
    pub fn wrong_token(&self) {
        self.wrong_tokens.inc();
    }
}

/// The counters of one list.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub(super) taken: Counter,
    pub(super) unchanged: Counter,
    pub(super) held: Counter,
    pub(super) failed: Counter,
    pub(super) age: Age,
}

impl List {
    /// A new list was taken.
    pub fn taken(&self) {
        self.taken.inc();
        self.age.restart();
    }

    /// The source has said that nothing has changed.
    pub fn unchanged(&self) {
        self.unchanged.inc();
        self.age.restart();
    }

    /// A new list looks like a mass loss, and is held back: the last list stays.
    pub fn held(&self) {
        self.held.inc();
    }

    /// A refresh has failed.
    pub fn failed(&self) {
        self.failed.inc();
    }
}

/// The counters of the searches in one source.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub(super) found: Counter,
    pub(super) nobody: Counter,
    pub(super) failed: Counter,
    pub(super) dropped: Counter,
}

impl Search {
    /// The source has a record with the number.
    pub fn found(&self) {
        self.found.inc();
    }

    /// No record has the number.
    pub fn nobody(&self) {
        self.nobody.inc();
    }

    /// The search has failed.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// The search was not started.
    pub fn dropped(&self) {
        self.dropped.inc();
    }
}

/// The counters of the resolver.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub(super) numbers: Gauge,
    pub(super) age: Age,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) evictions: Counter,
}

impl Directory {
    /// A new directory is in use, with so many numbers.
    pub fn placed(&self, numbers: usize) {
        self.numbers.set(i64::try_from(numbers).unwrap_or(i64::MAX));
        self.age.restart();
    }

    /// The answer was kept from an earlier call.
    pub fn hit(&self) {
        self.hits.inc();
    }

    /// The answer came from the directory, and is kept.
    pub fn miss(&self) {
        self.misses.inc();
    }

    /// A kept answer was dropped for a newer one.
    pub fn evicted(&self) {
        self.evictions.inc();
    }
}
