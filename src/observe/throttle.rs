//! What may happen a thousand times a second is said now and then, with how often it has happened: the same line at
//! every call would bury the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the same thing is said.
const EVERY: Duration = Duration::from_secs(60);
/// The most things that are told apart; what comes beyond them is not said.
const MOST: usize = 100;

/// Says things, each of them once a minute, or once and for all.
#[derive(Debug)]
pub(crate) struct Throttle<Key = ()> {
    every: Option<Duration>,
    said: Mutex<HashMap<Key, Occurrences>>,
}

/// When a thing was said last, and how often it has happened since.
#[derive(Debug, Default)]
struct Occurrences {
    last: Option<Instant>,
    times: u64,
}

impl<Key: Eq + Hash> Throttle<Key> {
    /// For what goes on happening.
    pub(crate) fn each_minute() -> Self {
        Self { every: Some(EVERY), said: Mutex::default() }
    }

    /// For what is as it is until somebody mends it.
    pub(crate) fn once() -> Self {
        Self { every: None, said: Mutex::default() }
    }

    /// This thing has happened: `say` gets how often it has since it was said last, or is not called.
    pub(crate) fn log_for(&self, thing: Key, say: impl FnOnce(u64)) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MOST && !said.contains_key(&thing) {
            return;
        }
        let known = said.entry(thing).or_default();
        known.times += 1;
        let is_due = known.last.is_none_or(|last| self.every.is_some_and(|every| last.elapsed() >= every));
        if is_due {
            known.last = Some(Instant::now());
            let times = std::mem::take(&mut known.times);
            // Writing a line may take a while.
            drop(said);
            say(times);
        }
    }
}

impl Throttle {
    /// The only thing there is has happened.
    pub(crate) fn log(&self, say: impl FnOnce(u64)) {
        self.log_for((), say);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_thing_is_said_once_a_minute_with_how_often_it_happened() {
        let throttle = Throttle::each_minute();
        let mut said = Vec::new();
        for second in 0..130 {
            throttle.log_for("a", |times| said.push((second, "a", times)));
            if second == 30 {
                throttle.log_for("b", |times| said.push((second, "b", times)));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [(0, "a", 1), (30, "b", 1), (60, "a", 60), (120, "a", 60)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_as_it_is_is_said_once() {
        let throttle = Throttle::once();
        let mut said = 0;
        for _ in 0..3 {
            throttle.log(|_| said += 1);
            tokio::time::advance(EVERY).await;
        }
        assert_eq!(said, 1);
    }

    #[test]
    fn things_without_end_are_not_kept() {
        let throttle = Throttle::once();
        let mut said = 0;
        for thing in 0..10_000 {
            throttle.log_for(thing, |_| said += 1);
        }
        assert_eq!(said, MOST);
    }
}
