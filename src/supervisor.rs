//! The long-lived tasks of the service, such as a list's refresh or the connection to a PBX. When one of them ends by
//! itself, the whole service ends: systemd restarts a service that has failed, but half a service looks alive.
//!
//! A short task, such as the answer to one request, is not supervised here. It belongs to the long-lived task that
//! started it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// The running tasks. Dropping the supervisor aborts them.
#[derive(Debug, Default)]
pub struct Supervisor {
    running: JoinSet<()>,
    names: HashMap<Id, String>,
    /// Tells all tasks to end.
    shutdown: CancellationToken,
    /// The task whose end has ended the service.
    failed: Option<Failure>,
}

/// Which task has ended while the service was running, or has panicked while it was stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} has {how}")]
pub struct Failure {
    task: String,
    how: HowEnded,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HowEnded {
    /// Without the panic's message: it may contain a caller's number.
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
    /// The token that tells all tasks to end: cancelling it stops the service.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Starts a task that is dropped at the shutdown, at any point of its work. `name` is for the message about its
    /// failure: "the web server".
    pub fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_with(name, |shutdown| async move {
            shutdown.run_until_cancelled(task).await;
        });
    }

    /// Starts a task that finishes its work after the shutdown, and then ends by itself.
    pub fn spawn_with<Task>(&mut self, name: impl Into<String>, task: impl FnOnce(CancellationToken) -> Task)
    where
        Task: Future<Output = ()> + Send + 'static,
    {
        let id = self.running.spawn(task(self.shutdown.clone())).id();
        self.names.insert(id, name.into());
    }

    /// Waits for the shutdown. A task that ends by itself causes a shutdown, and is the error. This future may be dropped
    /// and called again: it returns the same error again.
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
        // After the shutdown a task may end before this function sees the shutdown.
        if failure.how == HowEnded::ByItself && self.shutdown.is_cancelled() {
            return Ok(());
        }
        error!("{failure}: the service ends");
        self.shutdown.cancel();
        self.failed = Some(failure.clone());
        Err(failure)
    }

    /// Waits until all tasks have ended after the shutdown, for at most `longest`.
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
            warn!("these tasks have not ended within {longest:?}: {}", self.names().join(", "));
        }
        result
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> Failure {
        let (id, how) = match ended {
            Ok((id, ())) => (id, HowEnded::ByItself),
            // No task is aborted while this function waits for it.
            Err(error) => (error.id(), HowEnded::Panicked),
        };
        Failure { task: self.names.remove(&id).unwrap_or_default(), how }
    }

    /// The names of the tasks that have not ended.
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
    async fn a_task_that_ends_is_named_and_ends_the_service() {
        for (panics, expected) in [
            (true, "the refresh of `sales` has panicked"),
            (false, "the refresh of `sales` has ended by itself"),
        ] {
            let mut supervisor = Supervisor::default();
            supervisor.spawn_with("the web server", |shutdown| shutdown.cancelled_owned());
            supervisor.spawn("the control socket", std::future::pending());
            supervisor.spawn("the refresh of `sales`", async move { assert!(!panics, "+4722334455") });
            for _ in 0..2 {
                assert_eq!(supervisor.until_shutdown().await.unwrap_err().to_string(), expected);
            }
            assert!(supervisor.shutdown().is_cancelled());
            assert_eq!(supervisor.names(), ["the control socket", "the web server"]);
            supervisor.finish(Duration::from_secs(5)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_shutdown_is_no_failure_but_a_panic_in_it_is() {
        for panics in [false, true] {
            let mut supervisor = Supervisor::default();
            supervisor.spawn_with("the web server", |shutdown| async move {
                shutdown.cancelled().await;
                assert!(!panics, "as the test wants it");
            });
            supervisor.shutdown().cancel();
            supervisor.until_shutdown().await.unwrap();
            let finished = supervisor.finish(Duration::from_secs(5)).await;
            assert_eq!(finished.is_err(), panics, "{finished:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_waited_for_only_so_long() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn_with("the web server", |_| std::future::pending());
        supervisor.shutdown().cancel();
        supervisor.finish(Duration::from_secs(5)).await.unwrap();
    }
}
