//! FastAGI: a call enters `AGI(agi://…)`, Asterisk connects to us, says who is calling, and takes the name.
//!
//! In reading order:
//!
//! - [`run`] accepts connections, each a session of its own
//! - `session`: one call, from its block to its last command
//! - `block`: who is calling, as Asterisk says it
//! - `command`: what we ask for, and what was answered
//! - `lines`: the lines of both, with their limits
//!
//! A session is bounded in every direction: the length of a line and of the block, the number of variables, the
//! time for the block, for each answer and for the whole. So a client that dribbles, too_many or vanishes costs a
//! place among [`Settings::max_sessions`] for a few seconds, and nobody else anything.

mod block;
mod command;
mod lines;
mod session;
#[cfg(test)]
mod tests;

use std::mem::{Discriminant, discriminant};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::observe::panics;
use crate::observe::throttle::Throttle;
use crate::resolver::{Pbx, Resolver};
#[doc(hidden)]
pub use block::{Block, block};
use session::SessionError;

/// The name of this way in, where PBXs are told apart: in logs, metrics and `/readyz`.
pub const NAME: &str = "agi";

/// How long a session may take as a whole. The dialplan's bound is half a second: whoever is here after this is lost. It
/// is less than the block and four answers may take one by one.
const SESSION: Duration = Duration::from_secs(3);
/// How long accepting rests after it failed: there are no file descriptors, and more attempts make none.
const REST: Duration = Duration::from_millis(100);

/// The settings of `[agi]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether that is the default, for want of a `listen`.
    pub is_default: bool,
    /// Who may connect: PBXs' addresses.
    pub allow: Vec<IpNet>,
    /// Sessions at once, at least 1; one more is closed, and its call goes on without a name.
    pub max_sessions: usize,
    /// How the PBXs that connect write callers' numbers.
    pub pbx: Pbx,
}

impl Settings {
    /// What to say where the port is the default: it was another one once, and a context of that time says so.
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
        self.allow.iter().any(|network| network.contains(&address))
    }
}

/// Answers calls on `listener` until `shutdown`; then those in hand are finished.
pub async fn run(
    settings: Settings,
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
    // One for each session that may be under way.
    let free_sessions = Arc::new(Semaphore::new(server.settings.max_sessions));
    let sessions = TaskTracker::new();
    let (not_accepting, not_allowed, too_many) =
        (Throttle::each_minute(), Throttle::each_minute(), Throttle::each_minute());
    server.pbx_status.set(State::Connected);
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                not_accepting.log(|times| warn!(times, "[agi] does not accept: {error}"));
                sleep(REST).await;
                continue;
            }
        };
        if !server.settings.allows(peer.ip()) {
            not_allowed.log(|times| {
                warn!(peer = %peer.ip(), times, "[agi] a connection is closed: its address is not in `allow`");
            });
            continue;
        }
        // A connection that finds no place is not kept waiting: the dialplan goes on.
        let Ok(permit) = Arc::clone(&free_sessions).try_acquire_owned() else {
            let most = server.settings.max_sessions;
            too_many.log(|times| warn!(times, "[agi] a call goes on without a name: {most} sessions are under way, which is all that `max_sessions` allows"));
            server.pbx_status.metrics.unserved();
            continue;
        };
        let server = Arc::clone(&server);
        // One that panics leaves the others be; what a panic says is in the log without what it is made of.
        sessions.spawn(async move {
            panics::contained(server.serve(stream)).await.ok();
            drop(permit);
        });
    }
    server.pbx_status.set(State::Disconnected);
    drop(listener);
    sessions.close();
    sessions.wait().await;
}

struct Server {
    settings: Settings,
    resolver: Arc<Resolver>,
    pbx_status: Arc<PbxStatus>,
    /// Unknown countries that were named already.
    unknown_countries: Throttle<String>,
    /// Scripts that are not ours. Each is named.
    unknown_scripts: Throttle<String>,
    /// Of each other kind.
    session_errors: Throttle<Discriminant<SessionError>>,
}

impl Server {
    async fn serve(&self, mut stream: TcpStream) {
        // A command is one write, and not to wait for another.
        if let Err(error) = stream.set_nodelay(true) {
            return debug!("[agi] a connection is gone: {error}");
        }
        let begun = Instant::now();
        let unknown_country = |country: &str| self.unknown_country(country);
        let session = session::serve(&mut stream, &self.resolver, &self.settings.pbx, unknown_country);
        let ended = timeout(SESSION, session).await.unwrap_or(Err(SessionError::TooSlow(SESSION)));
        match ended {
            Ok(answer) => self.pbx_status.answered(&answer, begun),
            Err(error) => {
                self.pbx_status.metrics.unserved();
                self.log(&error);
            }
        }
    }

    /// Why a call has gone on without a name.
    fn log(&self, error: &SessionError) {
        match error {
            SessionError::Foreign(script) => {
                self.pbx_status.metrics.foreign_script();
                self.unknown_scripts.log_for(script.clone(), |times| warn!(times, "[agi] {error}"));
            }
            // The caller has hung up, or the service is just starting: nobody's mistake.
            error if error.is_hangup() || matches!(error, SessionError::NoDirectory) => {
                debug!("[agi] {error}");
            }
            error => self.session_errors.log_for(discriminant(error), |times| warn!(times, "[agi] {error}")),
        }
    }

    /// A trunk's country that is none. Each is named once.
    fn unknown_country(&self, country: &str) {
        self.unknown_countries.log_for(country.to_owned(), |_| {
            warn!("[agi] `{country}` is no country of ISO 3166; the configured one is taken");
        });
    }
}
