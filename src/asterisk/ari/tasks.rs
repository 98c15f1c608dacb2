//! The tasks of one connection, beside the websocket: requests over HTTP, and calls that wait for the search in the CRM.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::error;

use super::application::{Application, NextStep};
use super::rest::Turn;
use super::session::{Job, Task, TaskKind};
use super::wire;
use crate::call::{Answer, Edition, Handoff};
use crate::calls::Leg;
use crate::number::Country;
use crate::search::Wait;

/// The most time after the connection's end: enough for a name and for a request to send the call on. Together with the end
/// of the connection it is less than the service's limit.
const DRAIN: Duration = Duration::from_millis(2_500);
/// The most time to log the calls that are given up.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The tasks of one connection.
pub(super) struct Tasks {
    application: Arc<Application>,
    set: JoinSet<Ended>,
}

/// What has ended.
pub(super) enum Ended {
    /// A task, and the channels that it leaves to the connection to send on.
    Task { task: TaskKind, release: Vec<String> },
    /// The wait of a call.
    Wait(Box<LateAnswer>),
}

/// A call that waits for the search in the CRM.
pub(super) struct Waiting {
    pub(super) channel: String,
    pub(super) country: Option<Country>,
    pub(super) edition: Edition,
    pub(super) caller: wire::Caller<'static>,
    /// The answer without the search.
    pub(super) answer: Answer,
    pub(super) wait: Wait,
    /// When the call's event came.
    pub(super) begun: Instant,
}

/// The answer of a call that has waited.
pub(super) struct LateAnswer {
    pub(super) channel: String,
    /// The number called; "" where it is not known.
    pub(super) called: String,
    pub(super) handoff: Handoff,
    pub(super) answer: Answer,
    /// When the call's event came.
    pub(super) begun: Instant,
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
            Ended::Task { task: kind, release: done.unwrap_or_default() }
        });
    }

    /// Lets a call wait for the search in the CRM.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        let application = Arc::clone(&self.application);
        self.set.spawn(async move {
            let Waiting { channel, country, edition, caller, answer, wait, begun } = waiting;
            let asked = caller.wanting(answer.wanted, country);
            let late = AssertUnwindSafe(application.answer_after(wait, asked)).catch_unwind().await;
            let answer = late.unwrap_or(answer);
            let called = caller.dialled.to_string();
            let handoff = answer.handoff(edition);
            Ended::Wait(Box::new(LateAnswer { channel, called, handoff, answer, begun }))
        });
    }

    /// Waits until something has ended; for ever if there is nothing.
    pub(super) async fn next_ended(&mut self) -> Ended {
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
            match ended {
                Ok(Ended::Task { release, .. }) => {
                    for channel in release {
                        self.spawn(Task::Call { channel, job: Job::Release { look_first: false } });
                    }
                }
                Ok(Ended::Wait(late)) => {
                    let LateAnswer { channel, called, handoff, answer, begun } = *late;
                    let leg = Leg { channel: &channel, called: &called, ..Leg::default() };
                    self.application.pbx_status.answered(&answer, begun, leg);
                    self.spawn(Task::Call { channel, job: Job::HandOff(handoff) });
                }
                Err(_) => {}
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
        Job::Serve { mode, caller, may_wait } => application.serve(mode, channel, &caller, may_wait).await,
        Job::HandOff(handoff) => application.hand_off(channel, &handoff).await,
        Job::Recover => application.recover(channel).await,
        Job::LabelMissing => application.label_missing(channel).await,
        Job::Release { look_first } => {
            application.release(channel, look_first).await;
            NextStep::Nothing
        }
    }
}
