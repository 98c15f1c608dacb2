//! How long to wait before trying again: longer after each failure, and never in step with others.

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

    /// The wait after one more failure: between half of it and the whole, so that what failed together
    /// does not come back together.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(self.longest))
    }

    /// All is well: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random wait between half of `period` and the whole.
#[must_use]
pub fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_starts_again() {
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
