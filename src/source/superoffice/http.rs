//! Every request to SuperOffice goes through here: in its turn, within its time, and timed.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Settings;
use super::error::FetchError;
use super::manners;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer of a login or a state call.
const SMALL: usize = 1 << 20;

/// An HTTP client with manners.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) client: Client,
    first_byte: Duration,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut client = Client::builder()
            .user_agent(concat!("nameplate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            // A redirect leads to a login page, and would take the credential along.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &settings.ca_file {
            let pem =
                std::fs::read(path).with_context(|| format!("can't read ca_file {}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("ca_file {} holds no PEM certificates", path.display()))?;
            client = client.tls_certs_merge(certificates);
        }
        if let Some(proxy) = &settings.proxy {
            client = client.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        Ok(Self { client: client.build()?, first_byte: settings.first_byte })
    }

    /// Sends a request in its turn. The answer's head, and how long it took to come.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<(Response, Duration), FetchError> {
        let request = request.build().map_err(FetchError::unreachable)?;
        manners::turn(request.url()).await?;
        let begun = Instant::now();
        let answer = tokio::time::timeout(self.first_byte, self.client.execute(request)).await;
        let response =
            answer.map_err(|_| FetchError::Silent(self.first_byte))?.map_err(FetchError::unreachable)?;
        Ok((response, begun.elapsed()))
    }
}

/// A small answer of JSON to a question for `what`; none where it is none. A server in trouble, or one that wants to be
/// left alone, says so by its status, whatever the body is. Nothing of the body is shown, because tokens may be in it.
pub(super) async fn json<T: DeserializeOwned>(
    mut response: Response,
    what: &str,
) -> Result<Result<T, String>, FetchError> {
    let status = response.status();
    let retry_after = manners::note(response.url(), status, response.headers());
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
    let read = serde_json::from_slice(&body);
    Ok(read.map_err(|_| format!("{status} with {length} bytes that are not the JSON of {what}")))
}
