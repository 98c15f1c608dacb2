//! Every request to SuperOffice goes through here: in its turn, within its time, and timed.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Settings;
use super::error::FetchError;
use super::manners::{self, Asking};
use super::site::Site;
use crate::observe::panics;
use crate::secret::Secret;
use crate::source::fingerprint::Fingerprint;
use crate::tls::{self, Mark};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long certificates that were read are trusted before their files are looked at again.
const FRESH: Duration = Duration::from_secs(1);
/// The largest answer of a login or a state call.
const SMALL: usize = 1 << 20;

/// An HTTP client with manners.
#[derive(Debug)]
pub(super) struct Http {
    /// Makes requests. They are sent by a client that trusts whom it is to trust now.
    pub(super) client: Client,
    settings: Sending,
    /// Whose requests they are: the user of the credential.
    user: u64,
    /// None before the first request.
    trusting: Mutex<Option<Trusting>>,
}

/// What requests are sent with.
#[derive(Debug)]
struct Sending {
    first_byte: Duration,
    timeout: Duration,
    proxy: Option<Url>,
    ca_file: Option<PathBuf>,
    /// Whether TLS may be spoken.
    is_encrypted: bool,
}

/// A client, and the certificates that it trusts.
#[derive(Debug)]
struct Trusting {
    client: Client,
    mark: Mark,
    /// When the certificates were looked at last.
    looked: Instant,
}

impl Http {
    /// Prepares the client; nothing is sent yet, and no certificate read.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let is_http = |url: &Url| url.scheme() == "http";
        let is_plain = matches!(&settings.site, Site::Api(api) if is_http(api))
            && settings.proxy.as_ref().is_none_or(is_http);
        let sending = Sending {
            first_byte: settings.first_byte,
            timeout: settings.timeout,
            proxy: settings.proxy.clone(),
            ca_file: settings.ca_file.clone(),
            is_encrypted: !is_plain,
        };
        let mut user = Fingerprint::default();
        settings.credential.identify(&mut user);
        // Nothing else tells the users of two tokens in the configuration apart.
        for (key, secret) in settings.credential.secrets() {
            if let Secret::Given(secret) = secret {
                user.add(key, secret.expose_secret());
            }
        }
        let client = sending.client(tls::nobody())?;
        Ok(Self { client, settings: sending, user: user.finish(), trusting: Mutex::default() })
    }

    /// Sends a request in its turn. The answer's head, and how long it took to come.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<(Response, Duration), FetchError> {
        self.send_for(Asking::List, request).await
    }

    /// The same for a list, or for a search, which comes after the lists.
    pub(super) async fn send_for(
        &self,
        asking: Asking,
        request: RequestBuilder,
    ) -> Result<(Response, Duration), FetchError> {
        let request = request.build().map_err(FetchError::unreachable)?;
        let client = self.trusting().await?;
        manners::turn(request.url(), self.user, asking).await?;
        let begun = Instant::now();
        let first_byte = self.settings.first_byte;
        let answer = tokio::time::timeout(first_byte, client.execute(request)).await;
        let response =
            answer.map_err(|_| FetchError::Silent(first_byte))?.map_err(FetchError::unreachable)?;
        manners::note(response.url(), self.user, response.status(), response.headers());
        Ok((response, begun.elapsed()))
    }

    /// A client that trusts whom it is to trust now: another one where the certificates have changed, whose connections are
    /// new.
    async fn trusting(&self) -> Result<Client, FetchError> {
        if !self.settings.is_encrypted {
            return Ok(self.client.clone());
        }
        let mut trusting = self.trusting.lock().await;
        let fresh = trusting.as_ref().filter(|known| known.looked.elapsed() < FRESH);
        if let Some(known) = fresh {
            return Ok(known.client.clone());
        }
        let (ca_file, known) = (self.settings.ca_file.clone(), trusting.as_ref().map(|known| known.mark));
        let read = panics::blocking(move || tls::client_if_changed(ca_file.as_deref(), known)).await;
        let read = read.map_err(|_| FetchError::Interrupted)??;
        let looked = Instant::now();
        if let Some((config, mark)) = read {
            let client = self.settings.client(config).map_err(FetchError::unreachable)?;
            *trusting = Some(Trusting { client, mark, looked });
        } else if let Some(known) = &mut *trusting {
            known.looked = looked;
        }
        trusting.as_ref().map(|known| known.client.clone()).ok_or(FetchError::Interrupted)
    }
}

impl Sending {
    fn client(&self, tls: ClientConfig) -> reqwest::Result<Client> {
        let client = Client::builder()
            .user_agent(concat!("nameplate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .tls_backend_preconfigured(tls)
            // A redirect leads to a login page, and would take the credential along.
            .redirect(reqwest::redirect::Policy::none());
        match &self.proxy {
            Some(proxy) => client.proxy(reqwest::Proxy::all(proxy.clone())?).build(),
            None => client.build(),
        }
    }
}

/// A small answer of JSON to a question for `what`; none where it is none. A server in trouble, or one that wants to be
/// left alone, says so by its status, whatever the body is. Nothing of the body is shown, because tokens may be in it.
pub(super) async fn json<T: DeserializeOwned>(
    mut response: Response,
    what: &str,
) -> Result<Result<T, String>, FetchError> {
    let status = response.status();
    let retry_after = manners::wanted_rest(status, response.headers());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(FetchError::Status { status, said: format!("it was asked for {what}"), retry_after });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::unreachable)? {
        if body.len() + chunk.len() > SMALL {
            return Err(FetchError::TooLarge(SMALL as u64));
        }
        body.extend_from_slice(&chunk);
    }
    let length = body.len();
    let read = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body));
    Ok(read.map_err(|_| format!("{status} with {length} bytes that are not the JSON of {what}")))
}
