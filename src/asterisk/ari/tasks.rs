//! The tasks of one connection: requests over HTTP, beside the websocket.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::error;

use super::application::{Application, NextStep};
use super::rest::Turn;
use super::session::{Job, Task, TaskKind};

/// The most time after the connection's end: enough for a name and for a request to send the call on. Together with the end
/// of the connection it is less than the service's limit.
const DRAIN: Duration = Duration::from_millis(2_500);
/// The most time to log the calls that are given up.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The tasks of one connection.
pub(super) struct Tasks {
    application: Arc<Application>,
    set: JoinSet<EndedTask>,
}

/// A task that has ended, and the channels that it leaves to the connection to send on.
pub(super) struct EndedTask {
    pub(super) task: TaskKind,
    pub(super) release: Vec<String>,
}

impl Tasks {
    pub(super) fn new(application: Arc<Application>) -> Self {
        Self { application, set: JoinSet::new() }
    }

    pub(super) fn spawn(&mut self, task: Task) {
        let application = Arc::clone(&self.application);
        let kind = task.kind();
        self.set.spawn(async move {
            let done = AssertUnwindSafe(run(&application, task)).catch_unwind().await;
            EndedTask { task: kind, release: done.unwrap_or_default() }
        });
    }

    /// Waits until a task has ended; for ever if there is none.
    pub(super) async fn next_ended(&mut self) -> EndedTask {
        match self.set.join_next().await {
            Some(Ok(ended)) => ended,
            // A panic is caught within the task, and none is aborted.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    /// Finishes the tasks within a bounded time, after the connection's end. Calls that are given up are logged.
    pub(super) async fn finish(mut self) {
        if timeout(DRAIN, self.all_ended()).await.is_err() {
            self.application.end_of_requests.cancel();
            // Tasks that wait for something else are dropped.
            let _ = timeout(LAST_WORDS, self.all_ended()).await;
        }
    }

    async fn all_ended(&mut self) {
        while let Some(ended) = self.set.join_next().await {
            for channel in ended.map(|ended| ended.release).unwrap_or_default() {
                self.spawn(Task::Call { channel, job: Job::Release { look_first: false } });
            }
        }
    }
}

async fn run(application: &Application, task: Task) -> Vec<String> {
    match task {
        Task::Call { channel, job } => serve(application, channel, job).await.into_iter().collect(),
        Task::Check => {
            application.http.check_and_report(Turn::Immediate).await;
            Vec::new()
        }
        Task::Sweep => {
            let left = application.left_behind().await;
            let served = left.into_iter().map(|channel| serve(application, channel, Job::Recover));
            join_all(served).await.into_iter().flatten().collect()
        }
    }
}

/// Serves a call. After a panic, sends the call on. Returns the channel if the connection has to send the call on.
async fn serve(application: &Application, channel: String, job: Job) -> Option<String> {
    let then = match AssertUnwindSafe(run_job(application, &channel, job)).catch_unwind().await {
        Ok(then) => then,
        Err(_) => {
            // Without the panic's message: `panics` decides whether the log has it.
            error!(pbx = %application.settings.name, %channel, "serving a call has panicked: it goes on without a name");
            application.release(&channel, true).await;
            NextStep::Nothing
        }
    };
    (then == NextStep::Release).then_some(channel)
}

async fn run_job(application: &Application, channel: &str, job: Job) -> NextStep {
    match job {
        Job::Serve { mode, caller } => application.serve(mode, channel, &caller).await,
        Job::HandOff(handoff) => application.hand_off(channel, &handoff).await,
        Job::Recover => application.recover(channel).await,
        Job::LabelMissing => application.label_missing(channel).await,
        Job::Release { look_first } => {
            application.release(channel, look_first).await;
            NextStep::Nothing
        }
    }
}
