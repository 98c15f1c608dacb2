//! FastAGI. When a call enters `AGI(agi://…)`, Asterisk connects to us, sends the caller's number, and takes the name.
//!
//! In reading order:
//!
//! - [`run`] accepts connections; each one is a session
//! - `session`: one call, from the block of variables to the last command
//! - `protocol`: the block, our commands, Asterisk's responses
//!
//! A session has limits: the length of a line and of the block, the number of variables, the time for the block, for each
//! response and for the whole session. So a slow, flooding or vanished client takes one of [`Settings::max_sessions`] for a
//! few seconds, and holds up no other call.

mod protocol;
mod session;
#[cfg(test)]
mod tests;

use std::mem::{Discriminant, discriminant};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::calls::{Leg, Outcome};
use crate::lookup::{Pbx, Resolver};
use crate::observe::panics;
use crate::observe::throttle::Throttle;
use crate::search::LONGEST_WAIT;
use protocol::BlockError;
#[doc(hidden)]
pub use protocol::{Block, block};
use session::{Seen, SessionError};

/// The name of FastAGI in place of a PBX's name: in logs, metrics and `/readyz`.
pub const NAME: &str = "agi";

/// The most time for a whole session: less than the sum of the limits for the block and four responses. The dialplan's bound
/// of half a second has ended the call's lookup long before.
const SESSION: Duration = Duration::from_secs(3);
/// The pause after a failure to accept. The usual cause is a lack of file descriptors, and more attempts do not free any.
const REST: Duration = Duration::from_millis(100);

/// The settings of `[agi]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Whether `listen` is the default, because the configuration has none.
    pub is_default: bool,
    /// The addresses of PBXs that may connect.
    pub allow: Vec<IpNet>,
    /// The most sessions at once, at least 1. A further connection is closed, and its call goes on without a name.
    pub max_sessions: usize,
    /// How these PBXs write callers' numbers.
    pub pbx: Pbx,
}

impl Settings {
    /// The warning for the default port, which was another one in the version before: an old context still names that port.
    #[must_use]
    pub fn default_has_moved(&self) -> Option<String> {
        let listen = self.listen;
        self.is_default.then(|| format!(
            "has no `listen`, so it is {listen}; before, it was port 4573, which is FreePBX's own. The context `nameplate` has to say AGI(agi://{listen}/handoff,${{ARG1}}): one of the version before says AGI(agi://127.0.0.1/handoff,${{ARG1}}), which is port 4573, and its calls get no names. Copy the new extensions_nameplate.conf; or write `listen` into [agi], with the port that the context says"
        ))
    }

    /// Whether this address may connect.
    fn allows(&self, address: IpAddr) -> bool {
        // Where both families are listened to, IPv4 comes as `::ffff:192.0.2.1`.
        let address = address.to_canonical();
        // The network `::/0` in `allow` has IPv4 addresses in that form only.
        let mapped = match address {
            IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
            IpAddr::V6(_) => address,
        };
        self.allow.iter().any(|network| network.contains(&address) || network.contains(&mapped))
    }
}

/// Answers calls on `listener` until `shutdown`. Then finishes the calls in hand. `settings` may change: those of the moment count
/// for each call.
pub async fn run(
    settings: watch::Receiver<Arc<Settings>>,
    listener: TcpListener,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    shutdown: CancellationToken,
) {
    let server = Arc::new(Server {
        settings,
        resolver,
        pbx_status,
        unknown_countries: Throttle::once(),
        unknown_scripts: Throttle::each_minute(),
        session_errors: Throttle::each_minute(),
    });
    let sessions = TaskTracker::new();
    let (not_accepting, not_allowed, too_many) =
        (Throttle::each_minute(), Throttle::each_minute(), Throttle::each_minute());
    server.pbx_status.set(State::Connected);
    server.pbx_status.set_peer("", "FastAGI");
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                not_accepting.log(|times| warn!(times, "[agi] does not accept: {error}"));
                sleep(REST).await;
                continue;
            }
        };
        let settings = Arc::clone(&server.settings.borrow());
        if !settings.allows(peer.ip()) {
            not_allowed.log(|times| {
                warn!(peer = %peer.ip(), times, "[agi] a connection is closed: its address is not in `allow`");
            });
            continue;
        }
        // Without a free session the connection is closed at once, so that the dialplan goes on.
        let most = settings.max_sessions;
        if sessions.len() >= most {
            too_many.log(|times| warn!(times, "[agi] a call goes on without a name: {most} sessions are under way, which is all that `max_sessions` allows"));
            server.pbx_status.unserved(Outcome::Unavailable, Leg::default());
            continue;
        }
        // Calls that wait for a search leave half of the sessions to others.
        let longest_wait = if sessions.len() < most / 2 { LONGEST_WAIT } else { Duration::ZERO };
        let server = Arc::clone(&server);
        // A panic ends only its own session; `panics` logs it.
        sessions.spawn(async move {
            panics::contained(server.serve(stream, &settings.pbx, longest_wait)).await.ok();
        });
    }
    server.pbx_status.set(State::Disconnected);
    drop(listener);
    sessions.close();
    sessions.wait().await;
}

struct Server {
    settings: watch::Receiver<Arc<Settings>>,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    /// For each country.
    unknown_countries: Throttle<String>,
    /// For each script.
    unknown_scripts: Throttle<String>,
    /// For each kind of error.
    session_errors: Throttle<Discriminant<SessionError>>,
}

impl Server {
    async fn serve(&self, mut stream: TcpStream, pbx: &Pbx, longest_wait: Duration) {
        let begun = Instant::now();
        let unknown_country = |country: &str| self.unknown_country(country);
        let mut seen = Seen::default();
        let session =
            session::serve(&mut stream, &self.resolver, pbx, longest_wait, unknown_country, &mut seen);
        let ended = timeout(SESSION, session).await.unwrap_or(Err(SessionError::TooSlow(SESSION)));
        match ended {
            Ok(answer) => self.pbx_status.answered(&answer, begun, seen.leg()),
            // No call.
            Err(error @ SessionError::Block(BlockError::Nothing)) => debug!("[agi] {error}"),
            Err(error) => {
                self.pbx_status.unserved(error.outcome(begun.elapsed()), seen.leg());
                self.log(&error);
            }
        }
    }

    /// Logs why a call goes on without a name.
    fn log(&self, error: &SessionError) {
        match error {
            SessionError::Foreign(script) => {
                self.pbx_status.metrics.foreign_script();
                self.unknown_scripts.log_for(script.clone(), |times| warn!(times, "[agi] {error}"));
            }
            // No fault: the caller has hung up, or the service has just started.
            error if error.is_hangup() || matches!(error, SessionError::NoDirectory) => {
                debug!("[agi] {error}");
            }
            error => self.session_errors.log_for(discriminant(error), |times| warn!(times, "[agi] {error}")),
        }
    }

    /// A trunk's country is unknown. Each one is logged once.
    fn unknown_country(&self, country: &str) {
        self.unknown_countries.log_for(country.to_owned(), |_| {
            warn!("[agi] `{country}` is not a country code of ISO 3166: the configured country is used");
        });
    }
}
