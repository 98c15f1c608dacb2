//! Our Stasis application on one PBX: what is asked when a connection is set up, and the calls that are
//! served over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;
use tracing::{debug, info, warn};

use super::Settings;
use super::call::{Place, Wish, poisons, serve_direct};
use super::error::ConnectionError;
use super::rest::{Http, Outcome, continue_path};
use super::wire::{self, ApplicationInfo, EVENTS, Info};
use crate::asterisk::link::Link;
use crate::resolver::{Resolution, Resolver};
use crate::{mask, metrics};

/// What is learnt when a connection is set up.
pub(super) struct Setup {
    pub(super) version: String,
    /// Channels that are in the application already.
    pub(super) waiting: Vec<String>,
}

/// Our Stasis application on one PBX.
pub(super) struct Application {
    pub(super) settings: Settings,
    pub(super) resolver: Arc<Resolver>,
    pub(super) link: Arc<Link>,
    http: Http,
    /// Whether the direct style costs the call its `DB()` on this version.
    poisons: AtomicBool,
    warned_of_poison: AtomicBool,
    warned_of_place: AtomicBool,
}

impl Application {
    pub(super) fn new(settings: Settings, resolver: Arc<Resolver>, link: Arc<Link>, http: Http) -> Self {
        Self {
            settings,
            resolver,
            link,
            http,
            poisons: AtomicBool::new(false),
            warned_of_poison: AtomicBool::new(false),
            warned_of_place: AtomicBool::new(false),
        }
    }

    /// Sets the event filter, and asks for calls that wait since before this connection.
    pub(super) async fn set_up(&self) -> Result<Setup, ConnectionError> {
        let app = &self.settings.app;
        let filter = json!({ "allowed": EVENTS.map(|kind| json!({ "type": kind })) });
        // On each connect: Asterisk forgets the application, and its filter with it, between connections.
        self.http
            .put(&format!("applications/{app}/eventFilter"), &filter)
            .await
            .map_err(|error| ConnectionError::Filter(error.to_string()))?;
        let pbx = &self.settings.name;
        let waiting = match self.http.get::<ApplicationInfo>(&format!("applications/{app}")).await {
            Ok(application) => application.channel_ids,
            Err(error) => {
                warn!(%pbx, "can't ask for calls that wait in the application: {error}");
                Vec::new()
            }
        };
        let version = match self.http.get::<Info>("asterisk/info").await {
            Ok(info) => info.system.version,
            Err(error) => {
                debug!(%pbx, "the version is not known: {error}");
                "unknown".into()
            }
        };
        self.poisons.store(poisons(&version), Ordering::Relaxed);
        Ok(Setup { version, waiting })
    }

    /// Serves a call that was in the application before this connection.
    pub(super) async fn recover(&self, channel: &str) {
        let snapshot = match self.http.channel(channel).await {
            Ok(snapshot) => snapshot,
            // The caller has hung up, or the bound has released the call.
            Err(error) => {
                return debug!(pbx = %self.settings.name, %channel, "a waiting call is gone: {error}");
            }
        };
        match serde_json::from_str::<wire::Channel<'_>>(&snapshot) {
            Ok(snapshot) => {
                let app_data = snapshot.dialplan.map(|dialplan| dialplan.app_data).unwrap_or_default();
                let wish = Wish::of_app_data(&app_data);
                self.serve_over_http(wish, channel, &snapshot.caller.number).await;
            }
            Err(error) => {
                warn!(pbx = %self.settings.name, %channel, "a waiting call can't be read: {error}");
                self.send_on(channel).await;
            }
        }
    }

    pub(super) async fn serve_over_http(&self, wish: Wish, channel: &str, caller: &str) {
        let begun = Instant::now();
        match wish {
            Wish::Handoff { country } => {
                let resolution = self.resolver.resolve(&self.settings.pbx, country, caller);
                let place = Place::of(&resolution);
                let outcome = self.http.post(&continue_path(channel), &place.parameters()).await;
                if !self.has_gone_on(outcome) {
                    self.send_on(channel).await;
                }
                self.report(&resolution, begun);
            }
            Wish::Direct => {
                self.warn_of_poison();
                let (resolver, pbx) = (&self.resolver, &self.settings.pbx);
                let resolution = serve_direct(&self.http, resolver, pbx, channel, caller).await;
                self.send_on(channel).await;
                match resolution {
                    Some(resolution) => self.report(&resolution, begun),
                    // Withheld: there is nothing to be logged.
                    None => self.link.metrics.answered(metrics::Outcome::Skipped, begun.elapsed()),
                }
            }
            Wish::Unknown => {
                warn!(pbx = %self.settings.name, "the dialplan's Stasis() has arguments of another version: copy asterisk-conf again");
                self.link.metrics.unserved();
                self.send_on(channel).await;
            }
        }
    }

    /// Sends a call on to the priority behind its `Stasis()`.
    async fn send_on(&self, channel: &str) {
        if let Outcome::Failed(what) = self.http.post(&continue_path(channel), &[]).await {
            warn!(pbx = %self.settings.name, %channel, "the call can't be sent on: {what}");
        }
    }

    /// Whether a handoff sent the call on, or there is no call any more. Otherwise it is still in Stasis.
    pub(super) fn has_gone_on(&self, outcome: Outcome) -> bool {
        let pbx = &self.settings.name;
        match outcome {
            Outcome::Done => true,
            Outcome::CallerGone => {
                debug!(%pbx, "the caller hung up during the lookup");
                true
            }
            Outcome::NoSuchPlace => {
                self.link.metrics.handoff_failed();
                if !self.warned_of_place.swap(true, Ordering::Relaxed) {
                    warn!(%pbx, "the dialplan context has no place for the name, so calls go on without: copy asterisk-conf/extensions_nameplate.conf again");
                }
                false
            }
            Outcome::Failed(what) => {
                self.link.metrics.handoff_failed();
                warn!(%pbx, "the handoff failed, the call goes on without its name: {what}");
                false
            }
        }
    }

    fn warn_of_poison(&self) {
        if self.poisons.load(Ordering::Relaxed) && !self.warned_of_poison.swap(true, Ordering::Relaxed) {
            warn!(
                pbx = %self.settings.name,
                "a bare Stasis() on this version of Asterisk: once a variable is set through ARI, the rest of the \
                 call's dialplan can't use DB(), SHELL() and others. Gosub(nameplate,lookup,1) has no such effect"
            );
        }
    }

    /// Logs and counts an answer.
    pub(super) fn report(&self, resolution: &Resolution, begun: Instant) {
        self.link.metrics.answered(resolution.status.into(), begun.elapsed());
        info!(
            pbx = %self.settings.name,
            caller = %mask::Number(&resolution.input),
            status = ?resolution.status,
            reason = resolution.reason.map(tracing::field::debug),
            certainty = resolution.certainty.map(tracing::field::debug),
            micros = begun.elapsed().as_micros(),
            "call"
        );
    }
}
