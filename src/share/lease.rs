//! The lease: which replica asks the CRM. A machine without I/O: it says when to ask the server for the lease, takes the answer, and
//! says whether this replica may publish.
//!
//! The server may forget the lease (a failover, `FLUSHALL`). Then two replicas may hold it for a moment: both ask the CRM, and the
//! order of versions decides which list counts.

use std::time::Duration;

use tokio::time::Instant;

use super::version::{ReplicaId, Version};

/// How long the server keeps the lease after a renewal.
pub const LIFE: Duration = Duration::from_secs(30);
/// The interval of renewals, and of attempts to get it.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long after the begin of the last confirmed renewal the holder publishes: less than [`LIFE`], whatever the clocks do meanwhile.
pub const TRUST: Duration = Duration::from_secs(20);

/// The server's answer to the request for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This replica holds it, in this epoch.
    Held {
        /// One more than the highest that the server or the asking replica had seen, or that of the last answer.
        epoch: u64,
    },
    /// Another replica holds it.
    Others {
        /// The epoch of its lease.
        epoch: u64,
        /// What is left of its life.
        left: Duration,
    },
    /// The replicas have another key.
    OtherKey,
}

/// The lease as one replica sees it.
#[derive(Clone, Debug)]
pub struct Lease {
    held: Option<Held>,
    /// The highest epoch that this replica has seen.
    highest: u64,
    /// Counts the versions that this replica has tried to publish.
    sequence: u64,
    next: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    epoch: u64,
    /// When the request of the last confirmed renewal was sent.
    confirmed: Instant,
}

impl Lease {
    /// No lease yet. `highest` is the highest epoch that this replica has on disk.
    #[must_use]
    pub fn new(highest: u64, now: Instant) -> Self {
        Self { held: None, highest, sequence: 0, next: now }
    }

    /// When to ask the server next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// The highest epoch seen.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// An epoch was seen in the server.
    pub fn saw(&mut self, epoch: u64) {
        self.highest = self.highest.max(epoch);
    }

    /// The server has answered at `now` to the request that was sent at `sent`.
    pub fn answered(&mut self, answer: &Answer, sent: Instant, now: Instant) {
        self.next = now + INTERVAL;
        match *answer {
            Answer::Held { epoch } => {
                self.saw(epoch);
                self.held = Some(Held { epoch, confirmed: sent });
                self.next = sent + INTERVAL;
            }
            Answer::Others { epoch, left } => {
                self.saw(epoch);
                self.held = None;
                // As soon as it may be free, so that the CRM is asked again soon after a holder has gone.
                self.next = now + left.min(INTERVAL) + Duration::from_millis(1);
            }
            Answer::OtherKey => self.held = None,
        }
    }

    /// The server can't be asked. What is held stays held for its time.
    pub fn failed(&mut self, now: Instant) {
        self.next = now;
    }

    /// The server has refused what this replica published: another replica has published in the same epoch, or a later one.
    pub fn refused(&mut self, now: Instant) {
        (self.held, self.next) = (None, now);
    }

    /// Gives the lease up, and does not ask for it again before some time: other replicas can do what this one can't.
    pub fn rest(&mut self, now: Instant) {
        (self.held, self.next) = (None, now + LIFE);
    }

    /// The epoch in which this replica may publish at `now`, and until when; none if it may not.
    #[must_use]
    pub fn publishes(&self, now: Instant) -> Option<(u64, Instant)> {
        let held = self.held?;
        let until = held.confirmed + TRUST;
        (now < until).then_some((held.epoch, until))
    }

    /// The version under which the holder `id` of this epoch publishes next. It is never the same twice: the server may have switched
    /// without an answer, another replica may have taken the list, and then the server may have forgotten the version. None if this replica
    /// has taken a later version: a failover has given the epoch to two replicas, and a new one has to come first.
    pub fn next_version(&mut self, id: ReplicaId, epoch: u64, taken: Option<Version>) -> Option<Version> {
        let version = Version { epoch, holder: id, sequence: self.sequence + 1 };
        if let Some(taken) = taken.filter(|taken| *taken >= version) {
            self.saw(taken.epoch + 1);
            return None;
        }
        self.sequence += 1;
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_holder_renews_every_10_s_and_publishes_for_20_s_after_the_last_request_that_was_confirmed() {
        let start = Instant::now();
        let mut lease = Lease::new(0, start);
        assert_eq!((lease.next(), lease.publishes(start)), (start, None));
        lease.answered(&Answer::Held { epoch: 1 }, start, start + 2 * SECOND);
        assert_eq!(lease.next(), start + 10 * SECOND);
        // The time counts from the request: the server's 30 s may have begun then.
        assert_eq!(lease.publishes(start + 2 * SECOND), Some((1, start + 20 * SECOND)));
        assert_eq!(lease.publishes(start + 20 * SECOND), None);
        // A renewal that fails takes nothing away before its time, and is tried again at once.
        lease.failed(start + 11 * SECOND);
        assert_eq!(lease.next(), start + 11 * SECOND);
        assert!(lease.publishes(start + 19 * SECOND).is_some());
        lease.answered(&Answer::Held { epoch: 1 }, start + 19 * SECOND, start + 19 * SECOND);
        assert_eq!(lease.publishes(start + 38 * SECOND), Some((1, start + 39 * SECOND)));
    }

    #[test]
    fn a_holder_that_was_stopped_publishes_no_more() {
        let start = Instant::now();
        let mut lease = Lease::new(3, start);
        lease.answered(&Answer::Held { epoch: 4 }, start, start);
        // It wakes after a minute: before any answer it knows.
        let woken = start + 60 * SECOND;
        assert_eq!(lease.publishes(woken), None);
        // An answer that was under way all the time says no more than it did when it was sent.
        lease.answered(&Answer::Held { epoch: 4 }, start + 10 * SECOND, woken);
        assert_eq!(lease.publishes(woken), None);
        lease.answered(&Answer::Others { epoch: 5, left: 3 * SECOND }, woken, woken);
        assert_eq!((lease.publishes(woken), lease.highest()), (None, 5));
    }

    #[test]
    fn the_others_ask_every_10_s_and_when_the_lease_may_be_free() {
        let start = Instant::now();
        let mut lease = Lease::new(9, start);
        lease.answered(&Answer::Others { epoch: 2, left: 25 * SECOND }, start, start);
        assert!(lease.next() >= start + 10 * SECOND && lease.next() < start + 11 * SECOND);
        lease.answered(&Answer::Others { epoch: 2, left: 4 * SECOND }, start, start);
        assert!(lease.next() > start + 4 * SECOND && lease.next() < start + 5 * SECOND);
        // The highest epoch is that of the disk: the server has forgotten it.
        assert_eq!(lease.highest(), 9);
        lease.saw(12);
        lease.saw(11);
        assert_eq!(lease.highest(), 12);
    }

    #[test]
    fn a_version_is_never_the_same_twice_and_never_before_the_one_in_use() {
        let mut lease = Lease::new(0, Instant::now());
        let (id, other) = (ReplicaId(3), ReplicaId(9));
        let version = |epoch, holder, sequence| Version { epoch, holder, sequence };
        assert_eq!(lease.next_version(id, 6, None), Some(version(6, id, 1)));
        // The server has forgotten it, or has never had it.
        assert_eq!(lease.next_version(id, 6, Some(version(5, other, 7))), Some(version(6, id, 2)));
        assert_eq!(lease.highest(), 0);
        // A failover has given the epoch to another replica, too.
        assert_eq!(lease.next_version(id, 6, Some(version(6, other, 1))), None);
        assert_eq!(lease.highest(), 7);
        assert_eq!(lease.next_version(id, 8, Some(version(6, other, 1))), Some(version(8, id, 3)));
    }

    #[test]
    fn a_refused_publication_and_another_key_end_it_at_once() {
        let start = Instant::now();
        let mut lease = Lease::new(0, start);
        lease.answered(&Answer::Held { epoch: 1 }, start, start);
        lease.refused(start + SECOND);
        assert_eq!((lease.publishes(start + SECOND), lease.next()), (None, start + SECOND));
        lease.answered(&Answer::Held { epoch: 2 }, start, start);
        lease.rest(start);
        assert_eq!((lease.publishes(start), lease.next()), (None, start + 30 * SECOND));
        lease.answered(&Answer::Held { epoch: 2 }, start, start);
        lease.answered(&Answer::OtherKey, start, start);
        assert_eq!((lease.publishes(start), lease.next()), (None, start + 10 * SECOND));
    }
}
