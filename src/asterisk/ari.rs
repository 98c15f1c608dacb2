//! The Asterisk REST Interface. A call enters `Stasis(nameplate,…)`, its `StasisStart` arrives on the websocket, and one
//! `continue` request sends the call back into the dialplan with its name.
//!
//! In reading order:
//!
//! - [`run`] keeps one PBX connected: it connects, serves calls, waits, and connects again
//! - `session`: one connection as a machine without I/O, from the open websocket to its end
//! - `driver`: the session's socket, timer and tasks
//! - `handshake`: opens the websocket
//! - `tasks`: what is done over HTTP, beside the websocket
//! - `application`: our Stasis application on one PBX, and how a call is served over HTTP
//! - `release`: no call stays in the application
//! - `takeover`: another copy of the service has the application
//! - `call`: the arguments of `Stasis()`, and the requests that answer a call
//! - `rest`: requests over HTTP
//! - `response`: what Asterisk's responses mean
//! - `wire`: the JSON of events, requests and responses
//! - `version`: what differs between the versions of Asterisk
//! - [`inspect`]: what one PBX says of itself; for `nameplate check`
//! - `warnings`, `error`: what is wrong with the dialplan, and why a connection failed, in words for an administrator

mod application;
mod call;
mod driver;
mod error;
mod handshake;
mod inspection;
mod release;
mod response;
mod rest;
mod session;
mod takeover;
mod tasks;
#[cfg(test)]
mod tests;
mod version;
mod warnings;
mod wire;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::backoff::{Backoff, jittered};
use crate::lookup::{Pbx, Resolver};
use crate::secret::Secret;
pub use call::PROTOCOL;
use driver::{Ends, Leftovers};
use error::ConnectionError;
pub use inspection::{Inspection, Problem, inspect, server_version};
pub use version::delays_commands;
#[doc(hidden)]
pub use wire::{Started, started};

/// The first wait after a lost connection; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait. A PBX that comes back is connected within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait after a refusal: more attempts would only fill the PBX's security log.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
/// A connection that has held so long after its set-up was a good one: the next attempt comes at once, and its failure counts
/// as the first.
const GOOD: Duration = Duration::from_secs(2);

/// The settings of one `[[asterisk]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The PBX's name in logs and metrics.
    pub name: String,
    /// The address of Asterisk's HTTP server: `http://127.0.0.1:8088`, or `https://…:8089`.
    pub url: Url,
    /// A PEM file with certificates to trust beside the system's, for an `https://` address.
    pub ca_file: Option<PathBuf>,
    /// The user of `ari.conf`.
    pub username: String,
    /// The user's password.
    pub password: Secret,
    /// The name of the Stasis application, as in the dialplan's `Stasis()`.
    pub app: String,
    /// How this PBX writes callers' numbers.
    pub pbx: Pbx,
}

impl Settings {
    /// Whether the connection stays when these settings become `new`.
    #[must_use]
    pub fn keeps_connection(&self, new: &Self) -> bool {
        self.change_to(new) == Change::Stays
    }

    /// What a connection with these settings does when they become `new`.
    fn change_to(&self, new: &Self) -> Change {
        match () {
            () if self.app != new.app || self.url != new.url => Change::Moved,
            () if self.username != new.username || self.ca_file != new.ca_file => Change::ConnectsAnew,
            // The password is read at the next connection. The numbers are read at each call.
            () => Change::Stays,
        }
    }
}

/// What a change of the settings means for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The connection stays.
    Stays,
    /// The next connection takes the application over.
    ConnectsAnew,
    /// The next connection is to another PBX or application.
    Moved,
}

/// Serves one PBX until `shutdown`. After a failure it tries again, for ever. The same failure is logged as a warning only
/// once. `settings` may change: a connection stays if it can, and otherwise finishes the calls in hand. The same settings again
/// mean that the file of the password may have changed.
pub async fn run(
    mut settings: watch::Receiver<Arc<Settings>>,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    shutdown: CancellationToken,
) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut logged = None;
    let mut leftovers = Leftovers::default();
    let pbx = settings.borrow().name.clone();
    while !shutdown.is_cancelled() {
        let current = Arc::clone(&settings.borrow_and_update());
        let mut connected = None;
        pbx_status.begin_attempt();
        let ends = Ends::new(&shutdown);
        let service = driver::Service { resolver: &resolver, pbx_status: &pbx_status, settings: &settings };
        let serving = driver::serve(&current, &service, &ends, &mut leftovers, || {
            pbx_status.set(State::Connected);
            connected = Some(Instant::now());
            logged = None;
        });
        let ended = tokio::select! {
            ended = serving => ended,
            never = end_at_a_change(settings.clone(), &current, &ends) => match never {},
        };
        while leftovers.calls.try_join_next().is_some() {}
        let Err(error) = ended else {
            pbx_status.set(State::Disconnected);
            backoff.reset();
            continue;
        };
        pbx_status.set_with_reason(error.state(), &error.to_string());
        if matches!(error, ConnectionError::Replaced) {
            error!(%pbx, "{error}");
            let left = takeover::until_left(&current);
            rest(left, &shutdown, &mut settings, |new| !current.keeps_connection(new)).await;
            continue;
        }
        // Measured from the end of the set-up: an attempt that took long at a mute host is no good connection.
        let was_good = connected.is_some_and(|since| since.elapsed() >= GOOD);
        if was_good {
            backoff.reset();
        }
        let is_mended = |leftovers: &Leftovers, new: &Settings| {
            error.refusal().is_some() && leftovers.has_new_password(&new.password)
        };
        let wait = match () {
            // The administrator has changed the password here, too.
            () if is_mended(&leftovers, &settings.borrow()) => Duration::ZERO,
            () if error.refusal().is_some() => jittered(REFUSED_WAIT),
            // The old socket still has the application: calls come in, and wait for the next connection.
            () if was_good || matches!(error, ConnectionError::Behind) => Duration::ZERO,
            () => backoff.next_wait(),
        };
        let failure = error.to_string();
        if logged.as_ref() == Some(&failure) {
            debug!(%pbx, ?wait, "still not connected: {failure}");
        } else {
            warn!(%pbx, ?wait, "not connected: {failure}");
        }
        logged = Some(failure);
        let is_other = |new: &Settings| !current.keeps_connection(new) || is_mended(&leftovers, new);
        if rest(tokio::time::sleep(wait), &shutdown, &mut settings, is_other).await {
            backoff.reset();
        }
    }
    leftovers.finish().await;
    info!(%pbx, "disconnected");
}

/// Ends a connection when its settings change so that it can't stay.
async fn end_at_a_change(
    mut settings: watch::Receiver<Arc<Settings>>,
    current: &Settings,
    ends: &Ends,
) -> Infallible {
    loop {
        let change = current.change_to(&settings.borrow_and_update());
        match change {
            Change::Stays => {}
            Change::ConnectsAnew => ends.hand_over.cancel(),
            Change::Moved => ends.stop.cancel(),
        }
        if settings.changed().await.is_err() {
            // The service is stopping.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until `end`, or for other settings or the shutdown. Whether there are `other` settings.
async fn rest(
    end: impl Future<Output = ()>,
    shutdown: &CancellationToken,
    settings: &mut watch::Receiver<Arc<Settings>>,
    other: impl Fn(&Settings) -> bool,
) -> bool {
    let changed = async {
        // It fails when the service is stopping.
        while settings.changed().await.is_ok() {
            if other(&settings.borrow_and_update()) {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = end => false,
        () = changed => true,
    }
}
