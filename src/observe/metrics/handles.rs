//! What each room counts with: its own counters, looked up once.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::{Age, Histogram, Outcome, Refusal};

/// What one PBX counts.
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
    /// A call was answered so, `took` after its event.
    pub fn answered(&self, outcome: Outcome, took: Duration) {
        self.calls[outcome as usize].inc();
        self.answer_seconds.observe(took);
    }

    /// A call was left to the dialplan without an answer.
    pub fn unserved(&self) {
        self.calls[Outcome::Unserved as usize].inc();
    }

    /// An answer was not taken.
    pub fn handoff_failed(&self) {
        self.handoff_failures.inc();
    }

    /// Whether there is a connection.
    pub fn set_connected(&self, connected: bool) {
        self.connected.set(connected.into());
    }

    /// Why it is refused, or that it is not.
    pub fn set_refused(&self, why: Option<Refusal>) {
        for (refusal, gauge) in Refusal::ALL.into_iter().zip(&self.refused) {
            gauge.set((why == Some(refusal)).into());
        }
    }

    /// A call has looked for another FastAGI server here.
    pub fn foreign_script(&self) {
        self.foreign_scripts.inc();
    }

    /// It is connected again.
    pub fn reconnected(&self) {
        self.reconnects.inc();
    }
}

/// What one port is counted by.
#[derive(Clone, Debug, Default)]
pub struct Port {
    pub(super) listening: Gauge,
    pub(super) failures: Counter,
}

impl Port {
    /// It is listened on.
    pub fn taken(&self) {
        self.listening.set(1);
    }

    /// It could not be listened on.
    pub fn failed(&self) {
        self.listening.set(0);
        self.failures.inc();
    }
}

/// What the web server counts.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// By [`Outcome`].
    pub(super) lookups: [Counter; 4],
}

impl Web {
    /// A lookup was answered so.
    pub fn answered(&self, outcome: Outcome) {
        self.lookups[outcome as usize].inc();
    }
}

/// What one list counts.
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

    /// The source says that nothing has changed.
    pub fn unchanged(&self) {
        self.unchanged.inc();
        self.age.restart();
    }

    /// A list came that looks like a mass loss: what is known stays.
    pub fn held(&self) {
        self.held.inc();
    }

    /// No list could be had.
    pub fn failed(&self) {
        self.failed.inc();
    }
}

/// What the searches in one source count.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub(super) found: Counter,
    pub(super) nobody: Counter,
    pub(super) failed: Counter,
    pub(super) dropped: Counter,
}

impl Search {
    /// Somebody has the number.
    pub fn found(&self) {
        self.found.inc();
    }

    /// Nobody has it.
    pub fn nobody(&self) {
        self.nobody.inc();
    }

    /// There was no answer.
    pub fn failed(&self) {
        self.failed.inc();
    }

    /// It was not begun.
    pub fn dropped(&self) {
        self.dropped.inc();
    }
}

/// What the resolver counts.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub(super) numbers: Gauge,
    pub(super) age: Age,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) evictions: Counter,
}

impl Directory {
    /// A directory with so many numbers was put in place.
    pub fn placed(&self, numbers: usize) {
        self.numbers.set(i64::try_from(numbers).unwrap_or(i64::MAX));
        self.age.restart();
    }

    /// A kept answer was given.
    pub fn hit(&self) {
        self.hits.inc();
    }

    /// An answer was found in the directory, and kept.
    pub fn miss(&self) {
        self.misses.inc();
    }

    /// A kept answer made room.
    pub fn evicted(&self) {
        self.evictions.inc();
    }
}
