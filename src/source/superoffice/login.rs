//! The common part of all logins: the request, the answer, a refusal.

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::error::FetchError;
use super::http::{self, Http};
use crate::clock;

/// The result of a login: an access token or a ticket.
#[derive(Debug)]
pub(super) struct LoginToken {
    pub(super) value: SecretString,
    /// The time of the next login.
    pub(super) until: Instant,
}

/// Sends a login. Returns the answer, and a sentence on this machine's clock if it is wrong.
pub(super) async fn send(
    http: &Http,
    request: RequestBuilder,
) -> Result<(Response, Option<String>), FetchError> {
    let (response, _) = http.send(request).await?;
    let clock = clock::difference(response.headers(), Timestamp::now());
    Ok((response, clock))
}

/// The JSON of the login host's answer; `what` is what was requested.
pub(super) async fn json<T: DeserializeOwned>(response: Response, what: &str) -> Result<T, FetchError> {
    let advice = "check `host`, and what stands between it and this machine";
    http::json(response, what).await?.map_err(|said| refused(said, advice, None))
}

/// A refused login, with advice for an administrator. A wrong clock may be the reason.
pub(super) fn refused(said: String, advice: &str, clock: Option<String>) -> FetchError {
    let advice = clock.map_or_else(|| advice.to_owned(), |clock| format!("{advice}; {clock}"));
    FetchError::Login { said, advice }
}
