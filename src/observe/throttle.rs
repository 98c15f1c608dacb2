//! Limits how often a warning is logged. A warning that comes with every call would bury all others, so it is logged at
//! most once a minute, with the number of times it was due.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time between two lines about the same key.
const INTERVAL: Duration = Duration::from_secs(60);
/// The most keys that are told apart. Further keys are not logged at all, so that memory stays bounded.
const MAX_KEYS: usize = 100;

/// Logs each key once a minute, or only once.
#[derive(Debug)]
pub(crate) struct Throttle<Key = ()> {
    /// None: each key is logged only once.
    interval: Option<Duration>,
    keys: Mutex<HashMap<Key, Occurrences>>,
}

/// When a key was logged last, and how often it has occurred since.
#[derive(Debug, Default)]
struct Occurrences {
    logged: Option<Instant>,
    count: u64,
}

impl<Key: Eq + Hash> Throttle<Key> {
    /// For events that repeat.
    pub(crate) fn each_minute() -> Self {
        Self { interval: Some(INTERVAL), keys: Mutex::default() }
    }

    /// For a condition that lasts until an administrator changes something.
    pub(crate) fn once() -> Self {
        Self { interval: None, keys: Mutex::default() }
    }

    /// Counts an occurrence of `key`. If a line is due, calls `log` with the count since the last line.
    pub(crate) fn log_for(&self, key: Key, log: impl FnOnce(u64)) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            return;
        }
        let occurrences = keys.entry(key).or_default();
        occurrences.count += 1;
        let is_due = occurrences
            .logged
            .is_none_or(|logged| self.interval.is_some_and(|interval| logged.elapsed() >= interval));
        if is_due {
            occurrences.logged = Some(Instant::now());
            let count = std::mem::take(&mut occurrences.count);
            // Logging may take a while: other callers must not wait for the lock.
            drop(keys);
            log(count);
        }
    }
}

impl Throttle {
    /// As [`Self::log_for`], for a throttle with a single key.
    pub(crate) fn log(&self, log: impl FnOnce(u64)) {
        self.log_for((), log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_key_is_logged_once_a_minute_with_its_count() {
        let throttle = Throttle::each_minute();
        let mut lines = Vec::new();
        for second in 0..130 {
            throttle.log_for("a", |count| lines.push((second, "a", count)));
            if second == 30 {
                throttle.log_for("b", |count| lines.push((second, "b", count)));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(lines, [(0, "a", 1), (30, "b", 1), (60, "a", 60), (120, "a", 60)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_condition_is_logged_once() {
        let throttle = Throttle::once();
        let mut lines = 0;
        for _ in 0..3 {
            throttle.log(|_| lines += 1);
            tokio::time::advance(INTERVAL).await;
        }
        assert_eq!(lines, 1);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let throttle = Throttle::once();
        let mut lines = 0;
        for key in 0..10_000 {
            throttle.log_for(key, |_| lines += 1);
        }
        assert_eq!(lines, MAX_KEYS);
    }
}
