//! How long to wait before the next attempt: longer after each failure, and random, so that several clients do not
//! retry at the same moment.

use std::time::Duration;

/// An exponential back-off with jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at about `first` and doubles up to about `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after one more failure: a random time between half of the doubled wait and all of it.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(self.longest))
    }

    /// After a success: the next failure counts as the first.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random time between half of `period` and `period`.
#[must_use]
pub fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_starts_again() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(8));
        for expected in [1, 2, 4, 8, 8, 8] {
            let wait = backoff.next_wait();
            assert!(wait >= seconds(expected) / 2 && wait <= seconds(expected), "{expected}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= seconds(1));
    }
}
