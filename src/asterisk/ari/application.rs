//! Our Stasis application on one PBX: what is asked when a connection is set up, and the calls that are
//! served over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Settings;
use super::call::{StasisMode, parameters, poisons, serve_direct};
use super::error::ConnectionError;
use super::response::ContinueResult;
use super::rest::{Http, Turn};
use super::warnings::Warnings;
use super::wire::{ApplicationInfo, Caller, EVENTS, Info};
use crate::asterisk::pbx_status::PbxStatus;
use crate::call::{self, Handoff};
use crate::observe::metrics;
use crate::resolver::Resolver;

/// Calls that are tried once more, at once: many calls in trouble are not to become a flood of requests.
const MOST_RETRIED: usize = 32;
/// How long a call of the direct style may wait for its name: as long as the dialplan's bound lets others wait.
const DIRECT: Duration = Duration::from_millis(500);

/// Our Stasis application on one PBX, for one connection's life.
pub(super) struct Application {
    pub(super) settings: Settings,
    pub(super) resolver: Arc<Resolver>,
    pub(super) pbx_status: Arc<PbxStatus>,
    pub(super) warnings: Arc<Warnings>,
    pub(super) http: Http,
    /// Nothing more is asked: it would be refused, or there is no time left.
    pub(super) end_of_requests: CancellationToken,
    /// Calls that are tried once more, at once.
    pub(super) retried: Semaphore,
    /// Whether the direct style costs the call its `DB()` on this version.
    poisons: AtomicBool,
}

/// What is left to be done for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum NextStep {
    Nothing,
    /// The connection sends it on to the priority behind its `Stasis()`, the fastest way that there is.
    Release,
}

impl Application {
    pub(super) fn new(
        settings: Settings,
        resolver: Arc<Resolver>,
        pbx_status: Arc<PbxStatus>,
        http: Http,
        end_of_requests: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            warnings: Arc::new(Warnings::new(Arc::clone(&pbx_status))),
            settings,
            resolver,
            pbx_status,
            http,
            end_of_requests,
            retried: Semaphore::new(MOST_RETRIED),
            poisons: AtomicBool::new(false),
        })
    }

    /// Sets the event filter, and asks for the channels that are in the application already: they wait since before
    /// this connection. Asterisk may never answer either, and serve calls all the same (its issue 2170). Each question that
    /// is not answered holds one of its threads for ever, so it is asked once, and not given up.
    pub(super) async fn set_up(&self) -> Result<Vec<String>, ConnectionError> {
        let app = &self.settings.app;
        let filter = json!({ "allowed": EVENTS.map(|kind| json!({ "type": kind })) });
        // On each connect: Asterisk forgets the application, and its filter with it, between connections.
        let set = self.http.put(&format!("applications/{app}/eventFilter"), &filter).await;
        set.map_err(|failure| ConnectionError::of_set_up(failure, ConnectionError::Filter))?;
        // After a failure a call that waits since before would wait for ever.
        let path = format!("applications/{app}");
        let application = self.http.get::<ApplicationInfo>(Turn::Unbounded, &path).await;
        let failed = |failure| ConnectionError::of_set_up(failure, ConnectionError::Waiting);
        Ok(application.map_err(failed)?.channel_ids)
    }

    /// Asks for Asterisk's version.
    pub(super) async fn learn_version(&self) -> String {
        let version = match self.http.get::<Info>(Turn::Immediate, "asterisk/info").await {
            Ok(info) => info.system.version,
            Err(error) => {
                debug!(pbx = %self.settings.name, "the version is not known: {error}");
                "unknown".into()
            }
        };
        self.poisons.store(poisons(&version), Ordering::Relaxed);
        version
    }

    /// Serves a call by requests over HTTP.
    pub(super) async fn serve(&self, mode: StasisMode, channel: &str, caller: &Caller<'_>) -> NextStep {
        let begun = Instant::now();
        match mode {
            StasisMode::Handoff { country } => {
                let answer = call::answer(&self.resolver, &self.settings.pbx, caller.with_country(country));
                let result = self.http.send_on(channel, &parameters(&answer.handoff())).await;
                self.pbx_status.answered(&answer, begun);
                self.handed_off(channel, result).await
            }
            StasisMode::Direct => {
                self.serve_direct(channel, caller, begun).await;
                NextStep::Release
            }
            StasisMode::Unknown => {
                self.warnings.arguments();
                NextStep::Release
            }
        }
    }

    async fn serve_direct(&self, channel: &str, caller: &Caller<'_>, begun: Instant) {
        if self.poisons.load(Ordering::Relaxed) {
            self.warnings.poison();
        }
        let (resolver, pbx) = (&self.resolver, &self.settings.pbx);
        // No bound of a dialplan ends this.
        let served = serve_direct(&self.http, resolver, pbx, channel, caller, &self.warnings);
        match timeout(DIRECT, served).await {
            Ok(Ok(Some(answer))) => self.pbx_status.answered(&answer, begun),
            // Withheld: there is nothing to be logged.
            Ok(Ok(None)) => self.pbx_status.metrics.answered(metrics::Outcome::Skipped, begun.elapsed()),
            Ok(Err(failure)) => self.warnings.presentation(&failure),
            Err(_) => self.warnings.slow(DIRECT),
        }
    }

    /// Hands a call off.
    pub(super) async fn hand_off(&self, channel: &str, handoff: &Handoff) -> NextStep {
        let result = self.http.send_on(channel, &parameters(handoff)).await;
        self.handed_off(channel, result).await
    }

    async fn handed_off(&self, channel: &str, result: ContinueResult) -> NextStep {
        self.warnings.handoff(&result);
        if result == ContinueResult::NoSuchLabel {
            return self.label_missing(channel).await;
        }
        if !result.has_gone_on() {
            // It may have been taken without an answer to us.
            let look_first = matches!(result, ContinueResult::Failed(_));
            self.release(channel, look_first).await;
        }
        NextStep::Nothing
    }
}
