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

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::backoff::{Backoff, jittered};
use crate::lookup::{Pbx, Resolver};
use crate::secret::Secret;
pub use call::PROTOCOL;
use driver::Leftovers;
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
#[derive(Clone, Debug)]
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

/// Serves one PBX until `shutdown`. After a failure it tries again, for ever. The same failure is logged as a warning only once.
pub async fn run(
    settings: Settings,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    shutdown: CancellationToken,
) {
    let pbx = &settings.name;
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut logged = None;
    let mut leftovers = Leftovers::default();
    while !shutdown.is_cancelled() {
        let mut connected = None;
        pbx_status.begin_attempt();
        let ended = driver::serve(&settings, &resolver, &pbx_status, &shutdown, &mut leftovers, || {
            pbx_status.set(State::Connected);
            connected = Some(Instant::now());
            logged = None;
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
        // Measured from the end of the set-up: an attempt that took long at a mute host is no good connection.
        let was_good = connected.is_some_and(|since| since.elapsed() >= GOOD);
        if was_good {
            backoff.reset();
        }
        let wait = match () {
            // The administrator has changed the password here, too.
            () if error.refusal().is_some() && leftovers.has_new_password(&settings.password) => {
                Duration::ZERO
            }
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
        shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
    leftovers.finish().await;
    info!(%pbx, "disconnected");
}
