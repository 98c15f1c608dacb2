//! Limits how often something is logged.
//!
//! - [`Throttle`]: a warning that comes with every call would bury all others, so it is logged at most once a minute, with the number
//!   of times it was due
//! - [`Burst`]: a client that asks 40,000 times a second would write 400 GB of log a day, so each second has only so many lines

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

/// Logs at most so many lines a second.
#[derive(Debug)]
pub(crate) struct Burst {
    most: u32,
    second: Mutex<Second>,
}

#[derive(Debug, Default)]
struct Second {
    begun: Option<std::time::Instant>,
    lines: u32,
    left_out: u64,
}

impl Burst {
    pub(crate) fn a_second(most: u32) -> Self {
        Self { most, second: Mutex::default() }
    }

    /// If there may be a line at this time, calls `log` with the count of those that were left out since the last line.
    pub(crate) fn log(&self, now: std::time::Instant, log: impl FnOnce(u64)) {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.begun.is_none_or(|begun| now.duration_since(begun) >= Duration::from_secs(1)) {
            (second.begun, second.lines) = (Some(now), 0);
        }
        if second.lines >= self.most {
            second.left_out += 1;
            return;
        }
        second.lines += 1;
        let left_out = std::mem::take(&mut second.left_out);
        drop(second);
        log(left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_has_so_many_lines_a_second_and_counts_the_others() {
        let burst = Burst::a_second(2);
        let begun = std::time::Instant::now();
        let mut lines = Vec::new();
        for (at, times) in [(0, 1), (500, 4), (999, 1), (1_000, 1), (1_500, 2), (9_000, 1)] {
            for _ in 0..times {
                burst.log(begun + Duration::from_millis(at), |left_out| lines.push((at, left_out)));
            }
        }
        assert_eq!(lines, [(0, 0), (500, 0), (1_000, 4), (1_500, 0), (9_000, 1)]);
    }

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
