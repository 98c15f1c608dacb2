//! The Asterisk REST Interface: a call enters `Stasis(nameplate,…)`, its `StasisStart` arrives on the
//! websocket, and one request sends it back into the dialplan with its name.
//!
//! In reading order:
//!
//! - [`run`] keeps one PBX connected: connects, serves, waits, connects again
//! - `session`: one connection as a machine without I/O, from its `handshake` to its end
//! - `driver`: its socket, timer and tasks
//! - `tasks`: calls that are served over HTTP, beside it
//! - `application`: our application on one PBX, and how a call is served over HTTP
//! - `release`: no call stays in it
//! - `takeover`: another copy has it
//! - `call`: what a call wants, and which requests answer it
//! - `rest`: requests over HTTP
//! - `response`: what responses mean
//! - `wire`: the JSON of events, requests and answers
//! - `warnings`, `error`: what is wrong with the dialplan, and why a connection failed, in words that an
//!   administrator can act on

mod application;
mod call;
mod driver;
mod error;
mod handshake;
mod release;
mod response;
mod rest;
mod session;
mod takeover;
mod tasks;
#[cfg(test)]
mod tests;
mod warnings;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::backoff::{Backoff, jittered};
use crate::resolver::{Pbx, Resolver};
use crate::secret::Secret;
use driver::Leftovers;
use error::ConnectionError;
#[doc(hidden)]
pub use wire::{Started, started};

/// The first wait after a lost connection; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A PBX that comes back is served again within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// At most, after a refusal: trying faster only fills the PBX's security log.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
/// A connection that held this long, from the moment it was set up, was a good one: the next attempt is made at once,
/// and its failure is a first one.
const GOOD: Duration = Duration::from_secs(2);

/// The settings of one `[[asterisk]]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in logs.
    pub name: String,
    /// Asterisk's HTTP server: `http://127.0.0.1:8088`, or `https://…:8089`.
    pub url: Url,
    /// PEM certificates to trust beside the system's, where `url` is `https://…`.
    pub ca_file: Option<PathBuf>,
    /// The user of `ari.conf`.
    pub username: String,
    /// The user's password.
    pub password: Secret,
    /// The Stasis application's name, as the dialplan has it.
    pub app: String,
    /// How this PBX writes callers' numbers.
    pub pbx: Pbx,
}

/// Serves one PBX until `shutdown`. A failure is reported once; then it is tried again, for ever.
pub async fn run(
    settings: Settings,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    shutdown: CancellationToken,
) {
    let pbx = &settings.name;
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut reported = None;
    let mut leftovers = Leftovers::default();
    while !shutdown.is_cancelled() {
        let mut connected = None;
        pbx_status.begin_attempt();
        let ended = driver::serve(&settings, &resolver, &pbx_status, &shutdown, &mut leftovers, || {
            pbx_status.set(State::Connected);
            connected = Some(Instant::now());
            reported = None;
        })
        .await;
        while leftovers.calls.try_join_next().is_some() {}
        let Err(error) = ended else {
            pbx_status.set(State::Disconnected);
            continue;
        };
        pbx_status.set_with_reason(error.state(), &error.to_string());
        if matches!(error, ConnectionError::Replaced) {
            error!(%pbx, "{error}");
            shutdown.run_until_cancelled(takeover::until_left(&settings)).await;
            continue;
        }
        // An attempt that merely took long, because a host is mute, was no good connection.
        let was_good = connected.is_some_and(|since| since.elapsed() >= GOOD);
        if was_good {
            backoff.reset();
        }
        let wait = match () {
            // It was changed here before, or while, it was changed there.
            () if error.refusal().is_some() && leftovers.has_new_password(&settings.password) => {
                Duration::ZERO
            }
            () if error.refusal().is_some() => jittered(REFUSED_WAIT),
            // A connection that is behind still has the application: calls come in, and wait for the next one.
            () if was_good || matches!(error, ConnectionError::Behind) => Duration::ZERO,
            () => backoff.next_wait(),
        };
        // The same failure every few seconds would bury the others.
        let said = error.to_string();
        if reported.as_ref() == Some(&said) {
            debug!(%pbx, ?wait, "still not connected: {said}");
        } else {
            warn!(%pbx, ?wait, "not connected: {said}");
        }
        reported = Some(said);
        shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
    leftovers.finish().await;
    info!(%pbx, "disconnected");
}
