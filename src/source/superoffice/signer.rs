//! Signs requests with a credential, and renews what has an end: access tokens and system users' tickets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::credential::Credential;
use super::error::FetchError;
use super::http::Http;
use super::site::Site;
use super::{oauth, system_user};
use crate::secret::Secret;

/// How long a ticket lives, counted from its last use.
const TICKET_LIFE: Duration = Duration::from_hours(6);

/// Signs requests.
#[derive(Debug)]
pub(super) struct Signer {
    credential: Credential,
    app_token: Option<Secret>,
    site: Site,
    /// What was got by a login, for as long as it is good.
    kept: Mutex<Option<Kept>>,
}

/// An access token or a ticket.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) value: SecretString,
    /// When another is fetched.
    pub(super) until: Instant,
}

/// The headers of a signed request. Two are equal when the server would see no difference.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) headers: HeaderMap,
    /// Whether a login was made for it just now: if it is refused, another would be too.
    pub(super) fresh: bool,
}

impl Signer {
    pub(super) fn new(credential: Credential, app_token: Option<Secret>, site: Site) -> Self {
        Self { credential, app_token, site, kept: Mutex::new(None) }
    }

    /// The headers for one request. Secrets are read now, so a renewed file counts from the next request on.
    pub(super) async fn sign(&self, http: &Http) -> Result<Signed, FetchError> {
        let mut headers = HeaderMap::new();
        let mut fresh = false;
        match &self.credential {
            Credential::Basic { username, password } => {
                let password = password.read()?;
                let login = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
                put(&mut headers, AUTHORIZATION, "Basic ", &login.into())?;
            }
            Credential::Ticket(ticket) => put(&mut headers, AUTHORIZATION, "SOTicket ", &ticket.read()?)?,
            Credential::Bearer(token) => put(&mut headers, AUTHORIZATION, "Bearer ", &token.read()?)?,
            Credential::RefreshToken { .. } => {
                fresh = self.login(http, "Bearer ", &mut headers).await?;
            }
            Credential::SystemUser { .. } => {
                fresh = self.login(http, "SOTicket ", &mut headers).await?;
            }
            Credential::Xsrf { token, cookie } => {
                put(&mut headers, HeaderName::from_static("x-xsrf-token"), "", &token.read()?)?;
                put(&mut headers, COOKIE, "", &cookie.read()?)?;
            }
        }
        if let Some(token) = self.app_token.as_ref().or_else(|| self.credential.client_secret()) {
            put(&mut headers, HeaderName::from_static("so-apptoken"), "", &token.read()?)?;
        }
        Ok(Signed { headers, fresh })
    }

    /// Signs with what is kept, or logs in; whether it did.
    async fn login(&self, http: &Http, scheme: &str, headers: &mut HeaderMap) -> Result<bool, FetchError> {
        // Held while logging in: the other lists of this source wait for the one login.
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        if let Some(known) = kept.as_mut().filter(|known| known.until > now) {
            if matches!(self.credential, Credential::SystemUser { .. }) {
                // Each use renews a ticket; each fetch leaves a row in the customer's database.
                known.until = now + TICKET_LIFE;
            }
            put(headers, AUTHORIZATION, scheme, &known.value)?;
            return Ok(false);
        }
        *kept = None;
        let new = self.fetch(http).await?;
        put(headers, AUTHORIZATION, scheme, &new.value)?;
        *kept = Some(new);
        Ok(true)
    }

    async fn fetch(&self, http: &Http) -> Result<Kept, FetchError> {
        let (tenant, host) = self.tenant()?;
        match &self.credential {
            Credential::RefreshToken { client_id, client_secret, refresh_token } => {
                oauth::access_token(http, host, client_id, client_secret, refresh_token).await
            }
            Credential::SystemUser { system_token, client_secret, private_key } => {
                let ask = system_user::Login { system_token, client_secret, private_key, tenant, host };
                let value = ask.ticket(http).await?;
                Ok(Kept { value, until: Instant::now() + TICKET_LIFE })
            }
            _ => Err(FetchError::NoLogin),
        }
    }

    fn tenant(&self) -> Result<(&str, &Url), FetchError> {
        match &self.site {
            Site::Tenant { name, host } => Ok((name, host)),
            Site::Api(_) => Err(FetchError::NoLogin),
        }
    }

    /// What was signed with was refused: it is not used again.
    pub(super) async fn forget(&self, refused: &Signed) {
        let mut kept = self.kept.lock().await;
        let given = refused.headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        // Another list may have renewed it already: then that counts.
        if kept.as_ref().is_some_and(|kept| given.ends_with(kept.value.expose_secret().as_bytes())) {
            *kept = None;
        }
    }
}

/// Puts a secret into a header that no log shows.
fn put(
    headers: &mut HeaderMap,
    name: HeaderName,
    scheme: &str,
    secret: &SecretString,
) -> Result<(), FetchError> {
    let text = format!("{scheme}{}", secret.expose_secret());
    let mut value =
        HeaderValue::from_bytes(text.as_bytes()).map_err(|_| FetchError::Unsendable(name.to_string()))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
