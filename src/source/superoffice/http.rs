//! Sends every request to SuperOffice: in its turn, with its time limits, and measured.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Settings;
use super::error::FetchError;
use super::manners::{self, RequestKind};
use super::site::Site;
use crate::clock;
use crate::observe::panics;
use crate::secret::Secret;
use crate::source::fingerprint::Fingerprint;
use crate::tls::{self, CertificatesDigest};

/// The most time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which trusted certificates are used before their files are checked again.
const FRESH: Duration = Duration::from_secs(1);
/// The size of the largest answer to a login or a state call, in bytes.
const SMALL: usize = 1 << 20;

/// An HTTP client with SuperOffice's limits.
#[derive(Debug)]
pub(super) struct Http {
    /// Builds requests. Another client sends them, with the certificates trusted then.
    pub(super) client: Client,
    settings: ConnectionSettings,
    /// Identifies the user of the credential.
    user: u64,
    /// None before the first request.
    trusting: Mutex<Option<TrustedClient>>,
    /// What the last answer says of this machine's clock; none if the clock is right.
    clock: std::sync::Mutex<Option<String>>,
}

/// The settings of connections.
#[derive(Debug)]
struct ConnectionSettings {
    first_byte: Duration,
    timeout: Duration,
    proxy: Option<Url>,
    ca_file: Option<PathBuf>,
    /// Whether TLS can occur.
    is_encrypted: bool,
}

/// A client with its trusted certificates.
#[derive(Debug)]
struct TrustedClient {
    client: Client,
    digest: CertificatesDigest,
    /// The last check of the certificates.
    looked: Instant,
}

impl Http {
    /// Prepares the client. Sends nothing and reads no certificate yet.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let is_http = |url: &Url| url.scheme() == "http";
        let is_plain = matches!(&settings.site, Site::Api(api) if is_http(api))
            && settings.proxy.as_ref().is_none_or(is_http);
        let connection = ConnectionSettings {
            first_byte: settings.first_byte,
            timeout: settings.timeout,
            proxy: settings.proxy.clone(),
            ca_file: settings.ca_file.clone(),
            is_encrypted: !is_plain,
        };
        let mut user = Fingerprint::default();
        settings.credential.identify(&mut user);
        // Only the token distinguishes users whose tokens are in the configuration.
        for (key, secret) in settings.credential.secrets() {
            if let Secret::Given(secret) = secret {
                user.add(key, secret.expose_secret());
            }
        }
        let client = connection.client(tls::client_without_certificates())?;
        Ok(Self {
            client,
            settings: connection,
            user: user.finish(),
            trusting: Mutex::default(),
            clock: std::sync::Mutex::default(),
        })
    }

    /// Sends a request in its turn. Returns the answer's head, and the time until it came.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<(Response, Duration), FetchError> {
        let sent = self.send_if(RequestKind::List, request, || true).await?;
        sent.ok_or(FetchError::Interrupted)
    }

    /// The same for a list or for a search; searches come after lists. None if it `may` no longer be sent when its turn has come.
    pub(super) async fn send_if(
        &self,
        kind: RequestKind,
        request: RequestBuilder,
        may: impl FnOnce() -> bool,
    ) -> Result<Option<(Response, Duration)>, FetchError> {
        let request = request.build().map_err(FetchError::unreachable)?;
        let client = self.trusting().await?;
        manners::turn(request.url(), self.user, kind).await?;
        if !may() {
            return Ok(None);
        }
        let begun = Instant::now();
        let first_byte = self.settings.first_byte;
        let answer = tokio::time::timeout(first_byte, client.execute(request)).await;
        let response =
            answer.map_err(|_| FetchError::Silent(first_byte))?.map_err(FetchError::unreachable)?;
        manners::note(response.url(), self.user, response.status(), response.headers());
        let difference = clock::difference(response.headers(), Timestamp::now());
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = difference;
        Ok(Some((response, begun.elapsed())))
    }

    /// A sentence on this machine's clock if the last answer shows that it is wrong.
    pub(super) fn clock(&self) -> Option<String> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client with the certificates of now. If they have changed, it is a new one, with new connections.
    async fn trusting(&self) -> Result<Client, FetchError> {
        if !self.settings.is_encrypted {
            return Ok(self.client.clone());
        }
        let mut trusting = self.trusting.lock().await;
        let fresh = trusting.as_ref().filter(|known| known.looked.elapsed() < FRESH);
        if let Some(known) = fresh {
            return Ok(known.client.clone());
        }
        let (ca_file, known) = (self.settings.ca_file.clone(), trusting.as_ref().map(|known| known.digest));
        let read = panics::blocking(move || tls::client_if_changed(ca_file.as_deref(), known)).await;
        let read = read.map_err(|_| FetchError::Interrupted)??;
        let looked = Instant::now();
        if let Some((config, digest)) = read {
            let client = self.settings.client(config).map_err(FetchError::unreachable)?;
            *trusting = Some(TrustedClient { client, digest, looked });
        } else if let Some(known) = &mut *trusting {
            known.looked = looked;
        }
        trusting.as_ref().map(|known| known.client.clone()).ok_or(FetchError::Interrupted)
    }
}

impl ConnectionSettings {
    fn client(&self, tls: ClientConfig) -> reqwest::Result<Client> {
        let client = Client::builder()
            .user_agent(concat!("nameplate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .tls_backend_preconfigured(tls)
            // A redirect leads to a login page, and would send the credential there.
            .redirect(reqwest::redirect::Policy::none());
        match &self.proxy {
            Some(proxy) => client.proxy(reqwest::Proxy::all(proxy.clone())?).build(),
            None => client.build(),
        }
    }
}

/// Reads a small JSON answer; `what` is what was requested. The inner error describes a body that is not this JSON: without its
/// text, which may have tokens. A status of a server in trouble, or of one that asks for a pause, counts before the body.
pub(super) async fn json<T: DeserializeOwned>(
    response: Response,
    what: &str,
) -> Result<Result<T, String>, FetchError> {
    let status = response.status();
    let retry_after = manners::wanted_rest(status, response.headers());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(FetchError::Status { status, said: format!("it was asked for {what}"), retry_after });
    }
    let body = body(response, SMALL).await?.ok_or(FetchError::TooLarge(SMALL as u64))?;
    let length = body.len();
    let read = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body));
    Ok(read.map_err(|_| format!("{status} with {length} bytes that are not the JSON of {what}")))
}

/// The body of an answer; None if it has more than `limit` bytes.
pub(super) async fn body(mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::unreachable)? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
