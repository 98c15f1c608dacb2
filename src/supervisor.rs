//! The long-lived tasks of the service, such as a list's refresh or the connection to a PBX. When one of them ends by
//! itself, the whole service ends: systemd restarts a service that has failed, but half a service looks alive. A task may
//! be stopped before the service ends: its list or its PBX is no longer in the configuration.
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
    tasks: HashMap<Id, Supervised>,
    /// Tells all tasks to end.
    shutdown: CancellationToken,
    /// The task whose end has ended the service.
    failed: Option<Failure>,
}

/// A task that has not ended.
#[derive(Debug)]
struct Supervised {
    name: String,
    /// Tells the task to end.
    stop: CancellationToken,
}

/// A task that can be stopped before the service ends. Dropping this value does not stop the task.
#[derive(Debug)]
pub struct Task {
    id: Id,
    stop: CancellationToken,
}

impl Task {
    /// Tells the task to end. Its end is then no failure.
    pub fn stop(&self) {
        self.stop.cancel();
    }
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

    /// Starts a task that is dropped when it is stopped, at any point of its work. `name` is for the message about its
    /// failure: "the web server".
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        self.spawn_with(name, |stop| async move {
            stop.run_until_cancelled(task).await;
        })
    }

    /// Starts a task that finishes its work after it is stopped, and then ends by itself. Its token is cancelled when the
    /// task is stopped, and at the shutdown.
    pub fn spawn_with<Work>(
        &mut self,
        name: impl Into<String>,
        task: impl FnOnce(CancellationToken) -> Work,
    ) -> Task
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        let stop = self.shutdown.child_token();
        let id = self.running.spawn(task(stop.clone())).id();
        self.tasks.insert(id, Supervised { name: name.into(), stop: stop.clone() });
        Task { id, stop }
    }

    /// Waits for the shutdown. A task that ends by itself causes a shutdown, and is the error. This future may be dropped
    /// and called again: it returns the same error again.
    pub async fn until_shutdown(&mut self) -> Result<(), Failure> {
        loop {
            if let Some(failure) = &self.failed {
                return Err(failure.clone());
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(()),
                Some(ended) = self.running.join_next_with_id() => self.note(ended),
            }
        }
    }

    /// Waits until stopped tasks have ended, for at most `longest`, and not beyond the shutdown.
    pub async fn until_ended(&mut self, stopped: &[Task], longest: Duration) {
        let shutdown = self.shutdown.clone();
        let all = async {
            while stopped.iter().any(|task| self.tasks.contains_key(&task.id)) {
                let Some(ended) = self.running.join_next_with_id().await else { return };
                self.note(ended);
            }
        };
        let _ = timeout(longest, shutdown.run_until_cancelled(all)).await;
    }

    /// Notes the end of a task. If the end is a failure, the service ends.
    fn note(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (failure, is_stopped) = self.ended(ended);
        // After the shutdown a task may end before `until_shutdown` sees the shutdown.
        if failure.how == HowEnded::ByItself && is_stopped {
            return;
        }
        error!("{failure}: the service ends");
        self.shutdown.cancel();
        self.failed = Some(failure);
    }

    /// Waits until all tasks have ended after the shutdown, for at most `longest`.
    pub async fn finish(mut self, longest: Duration) -> Result<(), Failure> {
        let mut result = Ok(());
        let all = async {
            while let Some(ended) = self.running.join_next_with_id().await {
                let (failure, _) = self.ended(ended);
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

    /// Which task has ended and how, and whether the task was stopped.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> (Failure, bool) {
        let (id, how) = match ended {
            Ok((id, ())) => (id, HowEnded::ByItself),
            // No task is aborted while this function waits for it.
            Err(error) => (error.id(), HowEnded::Panicked),
        };
        let task = self.tasks.remove(&id);
        let is_stopped = task.as_ref().is_some_and(|task| task.stop.is_cancelled());
        (Failure { task: task.map(|task| task.name).unwrap_or_default(), how }, is_stopped)
    }

    /// The names of the tasks that have not ended.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.tasks.values().map(|task| task.name.as_str()).collect();
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
    async fn a_task_that_is_stopped_is_no_failure_and_is_waited_for() {
        let second = Duration::from_secs(1);
        let mut supervisor = Supervisor::default();
        supervisor.spawn("the control socket", std::future::pending());
        let stopped = [
            supervisor.spawn("the refresh of `sales`", std::future::pending()),
            supervisor.spawn_with("the connection to `pbx1`", |stop| async move {
                stop.cancelled().await;
                tokio::time::sleep(second).await;
            }),
        ];
        stopped.iter().for_each(Task::stop);
        supervisor.until_ended(&stopped, second * 5).await;
        assert_eq!(supervisor.names(), ["the control socket"]);
        assert!(!supervisor.shutdown().is_cancelled());

        // It has not ended in time, and does so later.
        let late = supervisor.spawn_with("the connection to `pbx2`", |stop| async move {
            stop.cancelled().await;
            tokio::time::sleep(second * 2).await;
        });
        late.stop();
        supervisor.until_ended(&[late], second).await;
        assert_eq!(supervisor.names().len(), 2);
        assert!(timeout(second * 5, supervisor.until_shutdown()).await.is_err());
        assert_eq!(supervisor.names(), ["the control socket"]);

        // Another task fails meanwhile.
        let slow = supervisor.spawn_with("the connection to `pbx3`", |_| std::future::pending());
        slow.stop();
        supervisor.spawn("the web server", std::future::ready(()));
        supervisor.until_ended(&[slow], second * 5).await;
        let failure = supervisor.until_shutdown().await.unwrap_err();
        assert_eq!(failure.to_string(), "the web server has ended by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_waited_for_only_so_long() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn_with("the web server", |_| std::future::pending());
        supervisor.shutdown().cancel();
        supervisor.finish(Duration::from_secs(5)).await.unwrap();
    }
}
