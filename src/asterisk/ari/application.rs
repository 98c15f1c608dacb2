//! Our Stasis application on one PBX: what is asked when a connection is set up, and the calls that are
//! served over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::debug;

use super::Settings;
use super::answer::Outcome;
use super::call::{Place, Wish, poisons, serve_direct};
use super::error::ConnectionError;
use super::rest::{Http, Turn};
use super::verdict::Verdict;
use super::warnings::Warnings;
use super::wire::{ApplicationInfo, Caller, EVENTS, Info};
use crate::asterisk::link::Link;
use crate::metrics;
use crate::resolver::Resolver;

/// Calls that may wait to be sent on over the websocket; one more goes over HTTP.
const MOST_RELEASED: usize = 1_000;
/// Calls that are tried once more, at once: many calls in trouble are not to become a flood of requests.
const MOST_RETRIED: usize = 32;
/// How long a call of the direct style may wait for its name: as long as the dialplan's bound lets others wait.
const DIRECT: Duration = Duration::from_millis(500);

/// Our Stasis application on one PBX, for one connection's life.
pub(super) struct Application {
    pub(super) settings: Settings,
    pub(super) resolver: Arc<Resolver>,
    pub(super) link: Arc<Link>,
    pub(super) warnings: Warnings,
    pub(super) http: Http,
    /// Whether Asterisk takes what is asked.
    pub(super) verdict: Arc<Verdict>,
    /// Calls that are tried once more, at once.
    pub(super) retried: Semaphore,
    /// Whether requests are answered on the websocket.
    on_websocket: AtomicBool,
    /// Channels that the connection sends on by a plain `continue` on the websocket.
    released: mpsc::Sender<String>,
    /// Whether the direct style costs the call its `DB()` on this version.
    poisons: AtomicBool,
    /// Calls that are left in the application are looked for.
    pub(super) searches: Searches,
}

/// Whether calls that are left in the application are looked for, one search at a time.
#[derive(Debug, Default)]
pub(super) struct Searches {
    wanted: AtomicBool,
    under_way: AtomicBool,
}

impl Searches {
    /// A search is wanted. Whether it is to be begun: otherwise the one that is under way begins anew at its end.
    pub(super) fn want(&self) -> bool {
        self.wanted.store(true, Ordering::SeqCst);
        !self.under_way.swap(true, Ordering::SeqCst)
    }

    /// Whether there is something to be searched for still; otherwise the search is over.
    pub(super) fn goes_on(&self) -> bool {
        if self.wanted.swap(false, Ordering::SeqCst) {
            return true;
        }
        self.under_way.store(false, Ordering::SeqCst);
        // It may be wanted since.
        self.wanted.load(Ordering::SeqCst) && self.want() && self.wanted.swap(false, Ordering::SeqCst)
    }
}

impl Application {
    /// The application, and the channels that the connection is to send on.
    pub(super) fn new(
        settings: Settings,
        resolver: Arc<Resolver>,
        link: Arc<Link>,
        http: Http,
        verdict: Arc<Verdict>,
    ) -> (Arc<Self>, mpsc::Receiver<String>) {
        let (released, to_release) = mpsc::channel(MOST_RELEASED);
        let application = Self {
            warnings: Warnings::new(&settings.name),
            settings,
            resolver,
            link,
            http,
            verdict,
            retried: Semaphore::new(MOST_RETRIED),
            on_websocket: AtomicBool::new(false),
            released,
            poisons: AtomicBool::new(false),
            searches: Searches::default(),
        };
        (Arc::new(application), to_release)
    }

    /// Says whether requests are answered on the websocket.
    pub(super) fn use_websocket(&self, answered: bool) {
        self.on_websocket.store(answered, Ordering::Relaxed);
    }

    /// Leaves a call to the connection, which sends it on. False: it must go over HTTP.
    pub(super) fn release_on_websocket(&self, channel: &str) -> bool {
        self.on_websocket.load(Ordering::Relaxed) && self.released.try_send(channel.to_owned()).is_ok()
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
        let application = self.http.get::<ApplicationInfo>(Turn::Patient, &path).await;
        let failed = |failure| ConnectionError::of_set_up(failure, ConnectionError::Waiting);
        Ok(application.map_err(failed)?.channel_ids)
    }

    /// Asks for Asterisk's version.
    pub(super) async fn learn_version(&self) -> String {
        let version = match self.http.get::<Info>(Turn::Now, "asterisk/info").await {
            Ok(info) => info.system.version,
            Err(error) => {
                debug!(pbx = %self.settings.name, "the version is not known: {error}");
                "unknown".into()
            }
        };
        self.poisons.store(poisons(&version), Ordering::Relaxed);
        version
    }

    /// Serves a call by requests over HTTP, and sends it on, whatever comes of them.
    pub(super) async fn serve_over_http(&self, wish: Wish, channel: &str, caller: &Caller<'_>) {
        let begun = Instant::now();
        match wish {
            Wish::Handoff { country } => {
                let resolution = self.resolver.resolve(&self.settings.pbx, country, &caller.number);
                let place = Place::of(&resolution, self.resolver.keeps(&caller.name));
                let outcome = self.http.send_on(channel, &place.parameters()).await;
                self.link.report(&resolution, begun);
                if outcome == Outcome::NoSuchPlace {
                    self.misplaced(channel).await;
                } else if !self.has_gone_on(&outcome) {
                    // It may have been taken without an answer to us.
                    let doubtful = matches!(outcome, Outcome::Failed(_));
                    self.release_over_http(channel, doubtful).await;
                }
            }
            Wish::Direct => {
                if self.poisons.load(Ordering::Relaxed) {
                    self.warnings.poison();
                }
                let (resolver, pbx) = (&self.resolver, &self.settings.pbx);
                // No bound of a dialplan ends this.
                let served = serve_direct(&self.http, resolver, pbx, channel, caller, &self.warnings);
                match timeout(DIRECT, served).await {
                    Ok(Ok(Some(resolution))) => self.link.report(&resolution, begun),
                    // Withheld: there is nothing to be logged.
                    Ok(Ok(None)) => self.link.metrics.answered(metrics::Outcome::Skipped, begun.elapsed()),
                    Ok(Err(failure)) => {
                        self.link.metrics.unserved();
                        if !failure.is_no_channel() {
                            self.warnings.presentation(&failure);
                        }
                    }
                    Err(_) => {
                        self.link.metrics.unserved();
                        self.warnings.slow(DIRECT);
                    }
                }
                self.release(channel).await;
            }
            Wish::Unknown => {
                self.warnings.arguments();
                self.link.metrics.unserved();
                self.release(channel).await;
            }
        }
    }

    /// Whether a handoff sent the call on, or there is no call any more. Otherwise it is still in Stasis.
    pub(super) fn has_gone_on(&self, outcome: &Outcome) -> bool {
        let pbx = &self.settings.name;
        match outcome {
            Outcome::Done => true,
            Outcome::CallerGone | Outcome::LeftStasis => {
                debug!(%pbx, "the caller hung up during the lookup, or the call went on without us");
                true
            }
            // What that says is known once the call has been looked for.
            Outcome::NoSuchPlace => false,
            Outcome::NotACaller => {
                self.link.metrics.handoff_failed();
                self.warnings.no_caller();
                false
            }
            Outcome::Failed(failure) => {
                self.link.metrics.handoff_failed();
                self.warnings.handoff(failure);
                false
            }
        }
    }

    /// Asks over HTTP whether a call could be sent on.
    pub(super) async fn check(&self) {
        self.verdict.of_check(self.http.check(Turn::Now).await);
    }
}
