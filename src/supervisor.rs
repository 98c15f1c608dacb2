//! The parts of the running service, each watched. When one ends by itself the service does: half a service
//! looks alive, a failed one is started again.
//!
//! A part lives as long as the service: a list's refresh, the connection to a PBX. What has an end of its own, as
//! the answer to one request has, is no part: it belongs to the part that began it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// The parts that run. Dropping it ends them where they are.
#[derive(Debug, Default)]
pub struct Supervisor {
    running: JoinSet<()>,
    names: HashMap<Id, String>,
    /// Tells all of them to end.
    shutdown: CancellationToken,
    /// The part that has ended the service.
    failed: Option<Failure>,
}

/// Which part has ended while the service was to run, or has failed to end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} has {how}")]
pub struct Failure {
    task: String,
    how: HowEnded,
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HowEnded {
    /// What a panic says may be made of a caller's number, so that it is not kept.
    Panicked,
    ByItself,
}

impl fmt::Display for HowEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked => "panicked",
            Self::ByItself => "ended by itself",
        })
    }
}

impl Supervisor {
    /// What tells all parts to end; whoever cancels it stops the service.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Starts a part that is dropped at the shutdown, wherever it is. `name` is said where it fails: "the web
    /// server".
    pub fn spawn(&mut self, name: impl Into<String>, part: impl Future<Output = ()> + Send + 'static) {
        self.spawn_with(name, |shutdown| async move {
            shutdown.run_until_cancelled(part).await;
        });
    }

    /// Starts a part that is told of the shutdown, and ends soon after it: it has work in hand to finish.
    pub fn spawn_with<Part>(&mut self, name: impl Into<String>, part: impl FnOnce(CancellationToken) -> Part)
    where
        Part: Future<Output = ()> + Send + 'static,
    {
        let id = self.running.spawn(part(self.shutdown.clone())).id();
        self.names.insert(id, name.into());
    }

    /// Waits until the shutdown, which the end of a part brings about as well. It may be given up and called again, and
    /// tells that end each time.
    pub async fn until_shutdown(&mut self) -> Result<(), Failure> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        let ended = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(()),
            Some(ended) = self.running.join_next_with_id() => ended,
        };
        let failure = self.ended(ended);
        // Told to end, a part may be faster than we are.
        if failure.how == HowEnded::ByItself && self.shutdown.is_cancelled() {
            return Ok(());
        }
        error!("{failure}: the service ends");
        self.shutdown.cancel();
        self.failed = Some(failure.clone());
        Err(failure)
    }

    /// Waits until all parts have ended, as they should after the shutdown, for at most `longest`.
    pub async fn finish(mut self, longest: Duration) -> Result<(), Failure> {
        let mut result = Ok(());
        let all = async {
            while let Some(ended) = self.running.join_next_with_id().await {
                let failure = self.ended(ended);
                if failure.how == HowEnded::Panicked {
                    error!("{failure} while it was stopped");
                    result = result.clone().and(Err(failure));
                }
            }
        };
        if timeout(longest, all).await.is_err() {
            warn!("not all was finished within {longest:?}: {}", self.names().join(", "));
        }
        result
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> Failure {
        let (id, how) = match ended {
            Ok((id, ())) => (id, HowEnded::ByItself),
            // Nobody aborts a part while it is waited for.
            Err(error) => (error.id(), HowEnded::Panicked),
        };
        Failure { task: self.names.remove(&id).unwrap_or_default(), how }
    }

    /// The names of those that have not ended.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.names.values().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_is_named_and_ends_the_service() {
        for (panics, expected) in [
            (true, "the refresh of `sales` has panicked"),
            (false, "the refresh of `sales` has ended by itself"),
        ] {
            let mut parts = Supervisor::default();
            parts.spawn_with("the web server", |shutdown| shutdown.cancelled_owned());
            parts.spawn("the control socket", std::future::pending());
            parts.spawn("the refresh of `sales`", async move { assert!(!panics, "+4722334455") });
            for _ in 0..2 {
                assert_eq!(parts.until_shutdown().await.unwrap_err().to_string(), expected);
            }
            assert!(parts.shutdown().is_cancelled());
            assert_eq!(parts.names(), ["the control socket", "the web server"]);
            parts.finish(Duration::from_secs(5)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_shutdown_is_no_failure_but_a_panic_in_it_is() {
        for panics in [false, true] {
            let mut parts = Supervisor::default();
            parts.spawn_with("the web server", |shutdown| async move {
                shutdown.cancelled().await;
                assert!(!panics, "as the test wants it");
            });
            parts.shutdown().cancel();
            parts.until_shutdown().await.unwrap();
            let finished = parts.finish(Duration::from_secs(5)).await;
            assert_eq!(finished.is_err(), panics, "{finished:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_end_is_not_waited_for() {
        let mut parts = Supervisor::default();
        parts.spawn_with("the web server", |_| std::future::pending());
        parts.shutdown().cancel();
        parts.finish(Duration::from_secs(5)).await.unwrap();
    }
}
