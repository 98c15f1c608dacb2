//! Calls that are served over HTTP, each in a task beside the websocket.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::error;

use super::application::Application;
use super::call::Wish;
use super::wire::Caller;

/// Calls that are served at once; one more is sent on without a name.
pub(super) const MAX_TASKS: usize = 2_000;
/// How long they may take after their connection's end: longer than a name may take, and a request to send a call on.
/// Together with the connection's own end it is less than the service's limit.
const DRAIN: Duration = Duration::from_millis(2_500);

/// How long calls that are given up may take to say so.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What is done for a call.
#[derive(Debug)]
pub(super) enum Job {
    /// Its event has come.
    Serve { wish: Wish, caller: Caller<'static> },
    /// It waits since before the connection.
    Recover,
    /// Asterisk has not found the place that it was sent to.
    Misplaced,
    /// It is sent on. `doubtful`: if it is there still.
    Release { doubtful: bool },
}

/// The calls of one connection that are served over HTTP.
pub(super) struct Tasks {
    application: Arc<Application>,
    set: JoinSet<()>,
}

impl Tasks {
    pub(super) fn new(application: Arc<Application>) -> Self {
        Self { application, set: JoinSet::new() }
    }

    /// Whether one more call is too many. Sending calls on has no limit but Asterisk's own number of calls.
    pub(super) fn are_full(&self) -> bool {
        self.set.len() >= MAX_TASKS
    }

    pub(super) fn spawn(&mut self, channel: String, job: Job) {
        self.forget_ended();
        let application = Arc::clone(&self.application);
        self.set.spawn(async move { contained(&application, &channel, job).await });
    }

    /// Asks whether a call could be sent on.
    pub(super) fn check(&mut self) {
        let application = Arc::clone(&self.application);
        self.set.spawn(async move { application.check().await });
    }

    /// Looks for calls that are left in the application.
    pub(super) fn search(&mut self) {
        if self.application.searches.want() {
            let application = Arc::clone(&self.application);
            self.set.spawn(async move { application.search().await });
        }
    }

    /// Whether a call is in hand.
    pub(super) fn any(&self) -> bool {
        !self.set.is_empty()
    }

    /// Waits until one more has ended; for ever where there is none.
    pub(super) async fn next_ended(&mut self) {
        if self.set.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets go of what has ended.
    pub(super) fn forget_ended(&mut self) {
        while self.set.try_join_next().is_some() {}
    }

    /// Finishes the calls in hand, within a bounded time. The others are given up, each by its name.
    pub(super) async fn finish(mut self) {
        if timeout(DRAIN, self.all_ended()).await.is_err() {
            self.application.verdict.close();
            // Those that wait for something else are dropped.
            let _ = timeout(LAST_WORDS, self.all_ended()).await;
        }
    }

    async fn all_ended(&mut self) {
        while self.set.join_next().await.is_some() {}
    }
}

/// Does it, and sends the call on where that panics.
pub(super) async fn contained(application: &Application, channel: &str, job: Job) {
    let done = AssertUnwindSafe(run(application, channel, job)).catch_unwind();
    if done.await.is_err() {
        // What it says may be made of the caller's number: `panics` decides whether the log has it.
        error!(pbx = %application.settings.name, %channel, "serving a call has panicked: it goes on without a name");
        application.release_over_http(channel, true).await;
    }
}

async fn run(application: &Application, channel: &str, job: Job) {
    match job {
        Job::Serve { wish, caller } => application.serve_over_http(wish, channel, &caller).await,
        Job::Recover => application.recover(channel).await,
        Job::Misplaced => application.misplaced(channel).await,
        Job::Release { doubtful } => application.release_over_http(channel, doubtful).await,
    }
}
