//! The web server: lookups for whatever can ask over HTTP, and how the service is.
//!
//! - [`Server`] serves until it is told to stop
//! - `server`: connections; `places`: what keeps one of them from holding up the others
//! - `guard`: who may ask: the `Host` header on loopback, the token elsewhere
//! - `lookup`: `GET /lookup`
//! - `health`: `GET /healthz` and `/readyz`
//! - `scrape`: `GET /metrics`, in the form that is asked for
//!
//! Answers that are not wanted as a name have an empty body where a dialplan could take it for one: its
//! `CURL()` gives the body whatever the status is.

mod guard;
mod health;
mod lookup;
mod places;
mod scrape;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::asterisk::pbx_status::PbxStatus;
use crate::lookup::{Pbx, Resolver};
use crate::observe::metrics::{self, Metrics};
use crate::secret::{Secret, SecretError};
use guard::Guard;

/// Connections at once.
pub const CONNECTIONS: usize = 256;

/// The settings of `[web]`.
#[derive(Clone, Debug)]
pub struct Settings {
    listen: SocketAddr,
    token: Option<Secret>,
}

impl Settings {
    /// Where to listen, and the token that each request must then show. Beyond loopback there must be one. One that stands in
    /// the configuration must be fit for a header.
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
        Ok(Self { listen, token })
    }

    /// Where to listen.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The token that each request must show.
    #[must_use]
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Whether each request must show a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

/// Whether only this machine can reach it. `::ffff:127.0.0.1` is loopback too.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// What the answers are made from.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// Who is calling.
    pub resolver: Arc<Resolver>,
    /// How the digits of lookups are read: `[numbers]`.
    pub pbx: Pbx,
    /// The PBXs that are to be connected.
    pub links: Vec<Arc<PbxStatus>>,
    /// All that is counted.
    pub metrics: Arc<Metrics>,
}

/// What every handler works with.
#[derive(Debug)]
struct State {
    rooms: Rooms,
    /// Of this server's own lookups.
    counted: metrics::Web,
}

/// A server that is ready to run.
#[derive(Debug)]
pub struct Server {
    router: Router,
}

impl Server {
    /// Prepares the answers. Fails when the token can't be read.
    pub fn new(settings: &Settings, rooms: Rooms) -> Result<Self, SecretError> {
        let counted = rooms.metrics.web();
        let guard = Arc::new(Guard::new(settings, counted.clone())?);
        let router = Router::new()
            .route("/lookup", get(lookup::lookup))
            // As FreePBX makes it of the path `/lookup`.
            .route("//lookup", get(lookup::lookup))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(scrape::metrics))
            .fallback(StatusCode::NOT_FOUND)
            .with_state(Arc::new(State { rooms, counted }))
            .layer(middleware::from_fn_with_state(guard, guard::check))
            .layer(middleware::from_fn(private));
        Ok(Self { router })
    }

    /// Serves what comes to `listener`, at most `connections` at once, until `shutdown`; then finishes what is in hand.
    pub async fn run(self, listener: TcpListener, connections: usize, shutdown: CancellationToken) {
        server::run(listener, self.router, connections, shutdown).await;
    }
}

/// Answers are personal data or of the moment: nobody is to keep them.
async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer for people.
fn words(status: StatusCode, what: String) -> Response {
    (status, what + "\n").into_response()
}

#[cfg(test)]
mod tests;
