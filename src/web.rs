//! The web server: lookups over HTTP, and the state of the service.
//!
//! - [`Server`] serves until the shutdown
//! - `server`: connections; `tls`: the certificate of the server; `slots`: a slow connection does not hold up the others
//! - `guard`: which requests are served: by the `Host` header on loopback, by the token elsewhere; `token`: how it is shown
//! - `login`: who may see the pages, and press their buttons; `cookie`: the cookies of a request;
//!   `forwarded`: what a proxy says of a request
//! - `pages`: the pages for operators and administrators
//! - `lookup`: `GET /lookup`
//! - `health`: `GET /healthz` and `/readyz`
//! - `scrape`: `GET /metrics`, in the form that is asked for
//!
//! `CURL()` in a dialplan returns the body whatever the status is. So a lookup without a name has an empty body: nothing else
//! can be shown as a name.

mod cookie;
mod forwarded;
mod guard;
mod health;
mod login;
mod lookup;
mod pages;
mod scrape;
mod server;
mod slots;
mod tls;
mod token;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::asterisk::pbx_status::PbxStatus;
use crate::calls::{self, Calls};
use crate::control;
use crate::find::Find;
use crate::lookup::{Pbx, Resolver};
use crate::observe::metrics::{self, Metrics};
use crate::observe::throttle::Burst;
use crate::secret::Secret;
use crate::share::replica::Replica;
use guard::Guard;
use login::Logins;
pub use login::{PasswordHash, Role, User};
use pages::Desk;
use pages::calls::Feed;
use tls::Certificate;

/// The most connections at once.
pub const CONNECTIONS: usize = 256;

/// The settings of `[web]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    listen: SocketAddr,
    token: Option<Secret>,
    /// `history`: the most calls in the history; 0 for none.
    pub history: usize,
    /// `[[web.user]]`: who may log in.
    pub users: Vec<User>,
    /// `certificate` and `key`: the server speaks TLS.
    pub tls: Option<TlsFiles>,
}

/// Where the certificate of the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

impl Settings {
    /// The settings for this address and this token. An error if there is no token and the address is beyond loopback, or if a
    /// token that is written in the configuration can't be sent in a header.
    pub fn try_new(listen: SocketAddr, token: Option<Secret>) -> Result<Self, String> {
        if let Some(given @ Secret::Given(_)) = &token {
            given.read_for_header().map_err(|error| format!("`token`: {error}"))?;
        }
        if token.is_none() && !is_loopback(listen) {
            return Err(format!(
                "`listen` = \"{listen}\" is beyond loopback, where `token` is required; allowed without one are \
                 127.0.0.1 and [::1]"
            ));
        }
        Ok(Self { listen, token, history: calls::DEFAULT, users: Vec::new(), tls: None })
    }

    /// The address to listen on.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The token that each request must show.
    #[must_use]
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Reads the certificate and its key, if there are some. An error if the server can't use them.
    pub fn check_certificate(&self) -> anyhow::Result<()> {
        self.tls.as_ref().map_or(Ok(()), |files| tls::read(files).map(drop))
    }

    /// Whether each request must show a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

/// Whether only this machine can reach the address. `::ffff:127.0.0.1` is loopback, too.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// The parts of the service that the answers come from.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The directory.
    pub resolver: Arc<Resolver>,
    /// How the digits of a lookup are read: `[numbers]`.
    pub pbx: Pbx,
    /// The state of each PBX of the configuration.
    pub pbx_statuses: Vec<Arc<PbxStatus>>,
    /// The metrics of the service.
    pub metrics: Arc<Metrics>,
    /// This service among the replicas; none if it asks by itself.
    pub replica: Option<Arc<Replica>>,
    /// The history of calls.
    pub calls: Calls,
    /// Searches by name, company or digits.
    pub find: Find,
    /// The address of each CRM's own client, by the source's name.
    pub crms: Arc<BTreeMap<String, String>>,
    /// What the buttons order; none until the lists are open.
    pub service: Option<control::Service>,
    /// The file of the configuration.
    pub config: PathBuf,
}

/// What a reload of the configuration may change while the server runs.
#[derive(Clone, Debug)]
pub struct Live {
    /// The token. The address stays as it was at the start.
    pub settings: Settings,
    /// What the answers are made from.
    pub backend: Backend,
}

/// What every handler works with.
#[derive(Debug)]
struct State {
    live: watch::Receiver<Arc<Live>>,
    logins: Arc<Logins>,
    desk: Arc<Desk>,
    /// The calls as they come, for the pages that are open.
    feed: Feed,
    /// The counters of this server.
    counted: metrics::Web,
    /// The log lines of lookups.
    lookup_lines: Burst,
}

impl State {
    /// What is live now: one answer is made from it.
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }
}

/// A server that is ready to run.
#[derive(Debug)]
pub struct Server {
    router: Router,
    certificate: Certificate,
    state: Arc<State>,
}

impl Server {
    /// A server for what is `live`, which may change; the files of the token and of the certificate are then read again. An error
    /// if one of them can't be read.
    pub fn new(live: watch::Receiver<Arc<Live>>) -> anyhow::Result<Self> {
        let certificate = Certificate::read(live.clone())?;
        let counted = live.borrow().backend.metrics.web();
        let guard = Arc::new(Guard::new(live.clone(), counted.clone())?);
        let logins = Arc::new(Logins::new(live.clone(), Arc::clone(&guard), counted.clone()));
        let for_clients = Router::new()
            .route("/lookup", get(lookup::lookup))
            // FreePBX makes this of the path `/lookup`.
            .route("//lookup", get(lookup::lookup))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(scrape::metrics))
            .layer(middleware::from_fn_with_state(guard, guard::check));
        let for_people =
            pages::router().layer(middleware::from_fn_with_state(Arc::clone(&logins), login::check));
        let state = Arc::new(State {
            live,
            logins,
            desk: Arc::new(Desk::new()),
            feed: Feed::default(),
            counted,
            lookup_lines: Burst::a_second(lookup::LINES),
        });
        let router = for_clients.merge(for_people).with_state(Arc::clone(&state));
        Ok(Self { router, certificate, state })
    }

    /// Serves at most `connections` of `listener` at once, until `shutdown`. Then finishes the requests in hand.
    pub async fn run(self, listener: TcpListener, connections: usize, shutdown: CancellationToken) {
        let Self { router, certificate, state } = self;
        tokio::select! {
            () = server::run(listener, router, certificate, connections, shutdown) => {}
            () = state.feed.run(&state.live) => {}
        }
    }
}

/// An answer in words, for people.
fn words(status: StatusCode, what: String) -> Response {
    (status, what + "\n").into_response()
}

#[cfg(test)]
mod tests;
