//! A system user's ticket: requested with a signed token, delivered in a JWT.

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::ACCEPT;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{FetchError, short};
use super::http::Http;
use super::jwt::{self, KeySet};
use super::{key, login};
use crate::secret::Secret;

/// The parts of a login.
pub(super) struct Login<'a> {
    pub(super) system_token: &'a Secret,
    pub(super) client_secret: &'a Secret,
    pub(super) private_key: &'a Secret,
    pub(super) tenant: &'a str,
    pub(super) host: &'a Url,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TicketResponse {
    // "Check IsSuccessful even on 2xx."
    #[serde(default)]
    is_successful: bool,
    token: Option<SecretString>,
    error_message: Option<String>,
    error_code: Option<Value>,
}

impl Login<'_> {
    /// Logs in, and returns the ticket.
    pub(super) async fn ticket(&self, http: &Http) -> Result<SecretString, FetchError> {
        let signed = self.signed(Timestamp::now())?;
        let body = json!({
            "SignedSystemToken": signed,
            "ApplicationToken": self.client_secret.read()?.expose_secret(),
            "ContextIdentifier": self.tenant,
            "ReturnTokenType": "JWT",
        });
        let url = format!("{}Login/api/PartnerSystemUser/Authenticate", self.host);
        let request = http.client.post(url).header(ACCEPT, "application/json").json(&body);
        let (response, clock) = login::send(http, request).await?;
        let status = response.status();
        let answer: TicketResponse = login::json(response, "a ticket").await?;
        let Some(token) = answer.token.filter(|_| answer.is_successful && status.is_success()) else {
            let message = answer.error_message.unwrap_or_default();
            let said = format!("{status}, {}", short(&message));
            let advice = advice(answer.error_code.as_ref(), &message);
            return Err(login::refused(said, advice, clock));
        };
        let keys = self.keys(http).await?;
        jwt::ticket(token.expose_secret(), &keys, Timestamp::now()).map_err(|error| {
            let advice = "check `host`, and what stands between it and this machine";
            login::refused(format!("its token is not believed: {error}"), advice, clock)
        })
    }

    /// `{system token}.{UTC minute}.{signature of both}`.
    fn signed(&self, now: Timestamp) -> Result<String, FetchError> {
        let token = self.system_token.read()?;
        let data = format!("{}.{}", token.expose_secret(), now.strftime("%Y%m%d%H%M"));
        let signature = key::sign(&self.private_key.read()?, &data)?;
        Ok(format!("{data}.{signature}"))
    }

    async fn keys(&self, http: &Http) -> Result<KeySet, FetchError> {
        let request = http.client.get(format!("{}login/.well-known/jwks", self.host));
        let (response, _) = http.send(request.header(ACCEPT, "application/json")).await?;
        login::json(response, "the keys of the login host").await
    }
}

/// Advice for an administrator: by the error's code, else by words in its message.
fn advice(code: Option<&Value>, message: &str) -> &'static str {
    const REVOKED: &str = "the customer revoked the application: have it approved again in SuperOffice, and give the new system_token";
    const EXPIRED: &str =
        "the application's approval expired: have it approved again, and give the new system_token";
    const DENIED: &str =
        "the customer denied the application: have an administrator of SuperOffice approve it";
    const REAPPROVE: &str = "the application changed and needs reapproval: an administrator of SuperOffice has to approve it again";
    const CLOCK: &str = "the time in the request is not the server's: check the clock of this machine (NTP)";
    const SIGNATURE: &str = "private_key does not belong to the public key that SuperOffice has of the application, or system_token is wrong";
    let code = code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.trim().parse().ok()));
    let message = message.trim().to_lowercase();
    let leading = || message.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    match code.or_else(leading) {
        Some(1) => return REVOKED,
        Some(3) => return EXPIRED,
        Some(4) => return DENIED,
        Some(5) => return REAPPROVE,
        Some(6) => return CLOCK,
        Some(7) => return SIGNATURE,
        _ => {}
    }
    // The more exact word first: "reapproval" before "expired", "timestamp" before "expired".
    let words = [
        ("revoked", REVOKED),
        ("reapprov", REAPPROVE),
        ("timestamp", CLOCK),
        ("signature", SIGNATURE),
        ("denied", DENIED),
        ("expired", EXPIRED),
    ];
    words
        .iter()
        .find(|(word, _)| message.contains(word))
        .map_or("check system_token, client_secret, private_key and tenant", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_by_code_and_by_words() {
        for (code, message, said) in [
            (json!(1), "", "revoked"),
            (json!("5"), "", "needs reapproval"),
            (Value::Null, "6: Invalid timestamp", "check the clock"),
            (Value::Null, "Timestamp has expired", "check the clock"),
            (Value::Null, "The signature is invalid", "private_key"),
            (Value::Null, "", "check system_token"),
        ] {
            let found = advice(Some(&code), message);
            assert!(found.contains(said), "{code} {message}: {found}");
        }
    }

    #[test]
    fn what_is_signed_is_the_token_and_the_minute_in_utc() {
        let secret = |text: &str| Secret::Given(text.into());
        let key = include_str!("../../../tests/data/test-only-partner-key.pem");
        let login = Login {
            system_token: &secret("Nameplate-test"),
            client_secret: &secret("x"),
            private_key: &secret(key),
            tenant: "Cust12345",
            host: &"https://online.superoffice.com".parse().unwrap(),
        };
        let signature = include_str!("../../../tests/data/test-only-signature.txt");
        let signed = login.signed("2026-07-31T12:34:56Z".parse().unwrap()).unwrap();
        assert_eq!(signed, format!("Nameplate-test.202607311234.{}", signature.trim()));
    }
}
