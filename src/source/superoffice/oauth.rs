//! A refresh token is exchanged for access tokens (RFC 6749 §6).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::error::{FetchError, short, word};
use super::http::Http;
use super::login::{self, LoginToken};
use crate::secret::Secret;

/// The life of SuperOffice's access tokens, in seconds: for an answer without `expires_in`.
const USUAL_LIFE: u64 = 3600;

/// The longest life that is believed, in seconds: a day. An answer may have a number that no clock can count.
const LONGEST_LIFE: u64 = 24 * 3600;

/// The errors of RFC 6749 §5.2, and those of its other endpoints that some servers use here.
const ERRORS: [&str; 9] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
];

/// An answer of the token endpoint: RFC 6749 §5.1 or §5.2.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Gets an access token. The answer has no new refresh token.
pub(super) async fn access_token(
    http: &Http,
    host: &Url,
    client_id: &str,
    client_secret: &Secret,
    refresh_token: &Secret,
) -> Result<LoginToken, FetchError> {
    let (client_secret, refresh_token) = (client_secret.read()?, refresh_token.read()?);
    let form = form(&[
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("client_secret", client_secret.expose_secret()),
        ("refresh_token", refresh_token.expose_secret()),
    ]);
    let request = http.client.post(format!("{host}login/common/oauth/tokens"));
    let request = request
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form);
    let (response, clock) = login::send(http, request).await?;
    let status = response.status();
    let answer: TokenResponse = login::json(response, "an access token").await?;
    match answer.access_token.filter(|token| status.is_success() && !token.expose_secret().is_empty()) {
        Some(value) => Ok(LoginToken { value, until: Instant::now() + usable(answer.expires_in) }),
        None => {
            let error = answer.error.unwrap_or_default();
            let description = short(&answer.error_description.unwrap_or_default());
            let named = if error.is_empty() { "no error is named".into() } else { word(&error, &ERRORS) };
            let said = format!("{status}, {named} {description}");
            Err(login::refused(said.trim_end().to_owned(), advice(&error), clock))
        }
    }
}

/// The time in which an access token is used: until shortly before its end, so that no request fails.
fn usable(expires_in: Option<u64>) -> Duration {
    let life = Duration::from_secs(expires_in.unwrap_or(USUAL_LIFE).min(LONGEST_LIFE));
    life - Duration::from_mins(1).min(life / 10)
}

/// Advice for an administrator on an error of RFC 6749 §5.2.
fn advice(error: &str) -> &'static str {
    match error {
        "invalid_grant" => {
            "the refresh token is revoked or expired: let the user sign in to the application again and give its new refresh_token"
        }
        "invalid_client" => "client_id or client_secret is not the application's: check both",
        "unauthorized_client" => "the application is not allowed to do this: have it approved by SuperOffice",
        _ => "check client_id, client_secret and refresh_token",
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode as encode};
    let field = |(name, value): &(&str, &str)| format!("{name}={}", encode(value, NON_ALPHANUMERIC));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_until_shortly_before_its_end_and_for_a_day_at_most() {
        for (said, used) in
            [(Some(3600), 3540), (None, 3540), (Some(10), 9), (Some(0), 0), (Some(u64::MAX), 24 * 3600 - 60)]
        {
            assert_eq!(usable(said), Duration::from_secs(used), "{said:?}");
        }
    }
}
