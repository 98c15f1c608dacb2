//! When to send again: UDP loses datagrams under load, and RFC 3261 §17 makes up for it with timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// The first retransmission comes after this (RFC 3261 §17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);

/// No wait between two retransmissions is longer.
pub(crate) const T2: Duration = Duration::from_secs(4);

/// What is unanswered for this long is given up; what is over is remembered for this long, because
/// the other side may still repeat itself. 64 × T1.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(32);

/// How often an endpoint looks at its clock. Far below T1, far above what a busy machine feels.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// Which call wants attention next. Entries are never removed: a call keeps the instant it waits
/// for itself, and ignores what comes up at another.
#[derive(Default)]
pub(crate) struct Clock(BinaryHeap<Reverse<(Instant, String)>>);

impl Clock {
    /// Asks for `call_id` to come up at `at`.
    pub(crate) fn set(&mut self, at: Instant, call_id: &str) {
        self.0.push(Reverse((at, call_id.to_owned())));
    }

    /// The next call whose time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Instant, String)> {
        if self.0.peek()?.0.0 > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }
}
