//! Our Stasis application on one PBX: the requests that set up a connection, and the calls that are served over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Settings;
use super::call::{StasisMode, parameters, serve_direct};
use super::error::ConnectionError;
use super::response::ContinueResult;
use super::rest::{Http, Turn};
use super::version::{delays_commands, poisons};
use super::warnings::Warnings;
use super::wire::{ApplicationInfo, Caller, EVENTS, Info};
use crate::asterisk::pbx_status::PbxStatus;
use crate::call::{self, Answer, Handoff, Party};
use crate::calls::Leg;
use crate::lookup::Resolver;
use crate::search::{LONGEST_WAIT, Wait};

/// The most calls that are retried at the same time: many failing calls must not flood Asterisk with requests.
const MAX_RETRIED: usize = 32;
/// The most time for a call of the direct style: the same as the shipped dialplan's bound.
const DIRECT: Duration = Duration::from_millis(500);
/// The longest wait for a search where a command to a call may wait 200 ms: both are over before the dialplan's bound.
const LONGEST_WAIT_BEFORE_DELAY: Duration = Duration::from_millis(200);

/// Our Stasis application on one PBX, for one connection's life.
pub(super) struct Application {
    /// The settings of the connection.
    pub(super) settings: Arc<Settings>,
    /// The settings of the moment: how the PBX writes numbers may change while the connection stays.
    latest: watch::Receiver<Arc<Settings>>,
    resolver: Arc<Resolver>,
    pub(super) pbx_status: Arc<PbxStatus>,
    pub(super) warnings: Arc<Warnings>,
    pub(super) http: Http,
    /// Cancelled when no further request is sent: it would be refused, or the time is over.
    pub(super) end_of_requests: CancellationToken,
    /// One permit for each call that is retried.
    pub(super) retried: Semaphore,
    /// Whether the direct style poisons the dialplan on this version; see [`poisons`].
    poisons: AtomicBool,
    /// Whether commands are delayed on this version; see [`delays_commands`]. True until the version is known.
    delays_commands: AtomicBool,
}

/// What the connection still has to do for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum NextStep {
    Nothing,
    /// Send the call on to the priority behind its `Stasis()`, by the fastest transport.
    Release,
}

impl Application {
    pub(super) fn new(
        settings: Arc<Settings>,
        latest: watch::Receiver<Arc<Settings>>,
        resolver: Arc<Resolver>,
        pbx_status: Arc<PbxStatus>,
        http: Http,
        end_of_requests: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            warnings: Arc::new(Warnings::new(Arc::clone(&pbx_status))),
            settings,
            latest,
            resolver,
            pbx_status,
            http,
            end_of_requests,
            retried: Semaphore::new(MAX_RETRIED),
            poisons: AtomicBool::new(false),
            delays_commands: AtomicBool::new(true),
        })
    }

    /// Sets the event filter, and returns the channels that were in the application before this connection. Asterisk may
    /// answer neither request and serve calls all the same (its issue 2170). An unanswered request may hold one of
    /// Asterisk's threads for ever, so each is sent only once, without a time limit.
    pub(super) async fn set_up(&self) -> Result<Vec<String>, ConnectionError> {
        let app = &self.settings.app;
        let filter = json!({ "allowed": EVENTS.map(|kind| json!({ "type": kind })) });
        // At each connection: Asterisk forgets the application and its filter when the websocket is closed.
        let set = self.http.put(&format!("applications/{app}/eventFilter"), &filter).await;
        set.map_err(|failure| ConnectionError::of_set_up(failure, ConnectionError::Filter))?;
        // A failure ends the connection: without this list a waiting call would wait for ever.
        let path = format!("applications/{app}");
        let application = self.http.get::<ApplicationInfo>(Turn::Unbounded, &path).await;
        let failed = |failure| ConnectionError::of_set_up(failure, ConnectionError::Waiting);
        Ok(application.map_err(failed)?.channel_ids)
    }

    /// Asks for Asterisk's version; "unknown" after a failure.
    pub(super) async fn learn_version(&self) -> String {
        let version = match self.http.get::<Info>(Turn::Immediate, "asterisk/info").await {
            Ok(info) => {
                self.delays_commands.store(delays_commands(&info.system.version), Ordering::Relaxed);
                info.system.version
            }
            Err(error) => {
                debug!(pbx = %self.settings.name, "the version is not known: {error}");
                "unknown".into()
            }
        };
        self.poisons.store(poisons(&version), Ordering::Relaxed);
        version
    }

    /// Answers a call. Also returns the search that the call may wait for.
    pub(super) fn answer_or_wait(&self, caller: call::Caller<'_>) -> (Answer, Option<Wait>) {
        call::answer_or_wait(&self.resolver, &self.latest.borrow().pbx, caller)
    }

    /// Answers a call that has waited for its search.
    pub(super) async fn answer_after(&self, wait: Wait, caller: call::Caller<'_>) -> Answer {
        let settings = Arc::clone(&self.latest.borrow());
        call::answer_after(wait, self.longest_wait(), &self.resolver, &settings.pbx, caller).await
    }

    /// The longest wait of a call for its search.
    fn longest_wait(&self) -> Duration {
        if self.delays_commands.load(Ordering::Relaxed) { LONGEST_WAIT_BEFORE_DELAY } else { LONGEST_WAIT }
    }

    /// Serves a call by requests over HTTP. `may_wait`: the call may wait for the search in the CRM.
    pub(super) async fn serve(
        &self,
        mode: StasisMode,
        channel: &str,
        caller: &Caller<'_>,
        may_wait: bool,
    ) -> NextStep {
        let begun = Instant::now();
        match mode {
            StasisMode::Handoff { wanted, country, edition } => {
                let asked = caller.wanting(wanted, country);
                let answer = match self.answer_or_wait(asked) {
                    (_, Some(wait)) if may_wait => self.answer_after(wait, asked).await,
                    (answer, _) => answer,
                };
                let result = self.http.send_on(channel, &parameters(&answer.handoff(edition))).await;
                self.pbx_status.answered(&answer, begun, caller.leg(channel, mode.wanted()));
                self.handed_off(channel, result).await
            }
            StasisMode::Direct => {
                let longest = if may_wait { self.longest_wait() } else { Duration::ZERO };
                self.serve_direct(channel, caller, begun, longest).await;
                NextStep::Release
            }
            StasisMode::Unknown => {
                self.warnings.arguments(caller.leg(channel, mode.wanted()));
                NextStep::Release
            }
        }
    }

    async fn serve_direct(&self, channel: &str, caller: &Caller<'_>, begun: Instant, longest_wait: Duration) {
        if self.poisons.load(Ordering::Relaxed) {
            self.warnings.poison();
        }
        let settings = Arc::clone(&self.latest.borrow());
        let (resolver, pbx) = (&self.resolver, &settings.pbx);
        // The direct style has no bound in the dialplan.
        let wait = (begun, longest_wait);
        let served = serve_direct(&self.http, resolver, pbx, channel, caller, wait, &self.warnings);
        let leg = caller.leg(channel, Party::Caller);
        // Whether the number may be shown is not known without an answer.
        let hidden = Leg { number: "", ..leg };
        match timeout(DIRECT, served).await {
            Ok(Ok(Some(answer))) => self.pbx_status.answered(&answer, begun, leg),
            Ok(Ok(None)) => self.pbx_status.withheld(begun, hidden),
            Ok(Err(failure)) => self.warnings.presentation(&failure, hidden),
            Err(_) => self.warnings.slow(DIRECT, hidden),
        }
    }

    /// Hands off a call whose answer is known.
    pub(super) async fn hand_off(&self, channel: &str, handoff: &Handoff) -> NextStep {
        let result = self.http.send_on(channel, &parameters(handoff)).await;
        self.handed_off(channel, result).await
    }

    async fn handed_off(&self, channel: &str, result: ContinueResult) -> NextStep {
        self.warnings.handoff(channel, &result);
        if result == ContinueResult::NoSuchLabel {
            return self.label_missing(channel).await;
        }
        if !result.has_gone_on() {
            // Asterisk may have sent the call on, and only its response is lost.
            let look_first = matches!(result, ContinueResult::Failed(_));
            self.release(channel, look_first).await;
        }
        NextStep::Nothing
    }
}
