//! What every login has in common: how its answer is taken, and how a refusal is said.

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};

use super::error::FetchError;
use super::http::Http;
use super::manners;

/// Sends a login. Its answer, and by how much our clock is wrong, in words, where it is. Fails where the server asks
/// to be left alone.
pub(super) async fn send(
    http: &Http,
    request: RequestBuilder,
) -> Result<(Response, Option<String>), FetchError> {
    let (response, _) = http.send(request).await?;
    let status = response.status();
    let clock = manners::clock(response.headers(), Timestamp::now());
    match manners::note(response.url(), status, response.headers()) {
        Some(wait) => {
            let said = "the login asks for patience".into();
            Err(FetchError::Status { status, said, retry_after: Some(wait) })
        }
        None => Ok((response, clock)),
    }
}

/// A login that was refused, with what an administrator can do. A wrong clock may be the reason.
pub(super) fn refused(said: String, advice: &str, clock: Option<String>) -> FetchError {
    let advice = clock.map_or_else(|| advice.to_owned(), |clock| format!("{advice}; {clock}"));
    FetchError::Login { said, advice }
}
