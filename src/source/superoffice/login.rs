//! What every login has in common: how its answer is taken, and how a refusal is said.

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::error::FetchError;
use super::http::{self, Http};
use super::manners;

/// Sends a login. Its answer, and by how much our clock is wrong, in words, where it is.
pub(super) async fn send(
    http: &Http,
    request: RequestBuilder,
) -> Result<(Response, Option<String>), FetchError> {
    let (response, _) = http.send(request).await?;
    let clock = manners::clock(response.headers(), Timestamp::now());
    Ok((response, clock))
}

/// The JSON of an answer of the login host to a question for `what`.
pub(super) async fn json<T: DeserializeOwned>(response: Response, what: &str) -> Result<T, FetchError> {
    let advice = "check `host`, and what stands between it and this machine";
    http::json(response, what).await?.map_err(|said| refused(said, advice, None))
}

/// A login that was refused, with what an administrator can do. A wrong clock may be the reason.
pub(super) fn refused(said: String, advice: &str, clock: Option<String>) -> FetchError {
    let advice = clock.map_or_else(|| advice.to_owned(), |clock| format!("{advice}; {clock}"));
    FetchError::Login { said, advice }
}
