//! Signs requests with a credential, and renews what has an end: access tokens and system users' tickets.
//!
//! A source may have many lists, and a wrong password is one for all of them: what was refused is remembered, and a
//! signature that no answer has accepted yet is tried by one request at a time. Else twenty selections are twenty
//! wrong passwords each time, and many a domain locks the account after five.
//!
//! A refusal may be about a right, too: searches need another one than lists, and a selection another one than the next.
//! So a search that is refused keeps searches back and no list; and where the signature had been accepted, the next list
//! finds out whether it still is.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::credential::Credential;
use super::error::FetchError;
use super::http::Http;
use super::manners::Asking;
use super::site::Site;
use super::{Settings, oauth, system_user};
use crate::secret::Secret;

/// How long a ticket lives, counted from its last use.
const TICKET_LIFE: Duration = Duration::from_hours(6);

/// Signs requests.
#[derive(Debug)]
pub(super) struct Signer {
    credential: Credential,
    app_token: Option<Secret>,
    site: Site,
    /// How long what was refused is not tried again.
    rest: Duration,
    /// How long another list's first try is waited for.
    patience: Duration,
    /// What was got by a login, for as long as it is good.
    kept: Mutex<Option<Kept>>,
    /// Of lists, and of searches.
    lists: Standing,
    searches: Standing,
}

/// How the signatures of all lists stand with the server, or those of all searches.
#[derive(Debug, Default)]
struct Standing {
    /// Held by the request that finds out whether a signature is accepted.
    trial: Arc<Mutex<()>>,
    /// What the server said to signatures, and to logins.
    known: std::sync::Mutex<Known>,
}

/// What the server said to signatures, and to logins.
#[derive(Debug, Default)]
struct Known {
    /// The signature that was accepted last.
    accepted: Option<Mark>,
    /// What was refused last.
    refused: Option<Refusal>,
    /// An accepted signature was refused and is being renewed: the new one's refusal may be about a right.
    is_doubted: bool,
}

/// A refusal that all lists share, or all searches.
#[derive(Debug)]
struct Refusal {
    mark: Mark,
    error: FetchError,
    until: Instant,
}

/// A digest of a signature, or of the secrets of a login: it changes when they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; 32]);

impl Mark {
    fn of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            // Lengths keep `a`+`bc` and `ab`+`c` apart.
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finish().as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// An access token or a ticket.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) value: SecretString,
    /// When another is fetched.
    pub(super) until: Instant,
}

/// The headers of a signed request.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) headers: HeaderMap,
    asking: Asking,
    /// Two are equal when the server would see no difference.
    pub(super) mark: Mark,
    /// Of a signature that no answer has accepted yet: while this request has it, no other tries the same.
    trial: Option<OwnedMutexGuard<()>>,
    /// Whether a login was made for it just now: if it is refused, another would be too.
    pub(super) fresh: bool,
}

impl Signer {
    /// What is refused is not tried again for the time of `rest`, unless it has changed meanwhile.
    pub(super) fn new(settings: &Settings, rest: Duration) -> Self {
        Self {
            credential: settings.credential.clone(),
            app_token: settings.app_token.clone(),
            site: settings.site.clone(),
            rest,
            patience: settings.first_byte,
            kept: Mutex::new(None),
            lists: Standing::default(),
            searches: Standing::default(),
        }
    }

    /// The headers for one request. Secrets are read now, so a renewed file counts from the next request on.
    ///
    /// Fails with the last refusal while that holds. As long as nothing is known of the signature, this waits for the
    /// request that finds it out.
    pub(super) async fn sign(&self, http: &Http, asking: Asking) -> Result<Signed, FetchError> {
        let signed = self.sign_now(http, asking).await?;
        self.check(asking, signed.mark)?;
        if self.is_accepted(asking, signed.mark) {
            return Ok(signed);
        }
        let trial = Arc::clone(&self.standing(asking).trial).lock_owned();
        let trial = tokio::time::timeout(self.patience, trial).await;
        let trial = trial.map_err(|_| FetchError::Silent(self.patience))?;
        // Whoever had it may have found it out, or renewed what is signed with.
        let before = signed;
        let mut signed = self.sign_now(http, asking).await?;
        signed.fresh |= before.fresh && before.mark == signed.mark;
        self.check(asking, signed.mark)?;
        let is_accepted = self.is_accepted(asking, signed.mark);
        Ok(Signed { trial: (!is_accepted).then_some(trial), ..signed })
    }

    /// An answer has shown that the signature is good.
    pub(super) fn accepted(&self, signed: &mut Signed) {
        *self.known(signed.asking) = Known { accepted: Some(signed.mark), ..Known::default() };
        signed.trial = None;
    }

    /// Somebody wants what was refused to be tried once more.
    pub(super) fn try_again(&self) {
        for asking in [Asking::List, Asking::Search] {
            self.known(asking).refused = None;
        }
    }

    fn standing(&self, asking: Asking) -> &Standing {
        match asking {
            Asking::List => &self.lists,
            Asking::Search => &self.searches,
        }
    }

    fn known(&self, asking: Asking) -> std::sync::MutexGuard<'_, Known> {
        self.standing(asking).known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A signature that is good for lists is known to a search, too.
    fn is_accepted(&self, asking: Asking, mark: Mark) -> bool {
        [Asking::List, asking].into_iter().any(|asking| self.known(asking).accepted == Some(mark))
    }

    /// Fails with the refusal, where this was refused a short time ago. What is refused to lists is to searches.
    fn check(&self, asking: Asking, mark: Mark) -> Result<(), FetchError> {
        for asking in [Asking::List, asking] {
            let known = self.known(asking);
            let refusal = known.refused.as_ref().filter(|refusal| refusal.mark == mark);
            let refusal = refusal.filter(|refusal| refusal.until > Instant::now());
            if let Some(error) = refusal.and_then(|refusal| refusal.error.again()) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Remembers a refusal of the credential for the other lists, or the other searches.
    fn remember(&self, asking: Asking, mark: Mark, error: &FetchError) {
        let Some(error) = error.again() else { return };
        self.known(asking).refused = Some(Refusal { mark, error, until: Instant::now() + self.rest });
    }

    async fn sign_now(&self, http: &Http, asking: Asking) -> Result<Signed, FetchError> {
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
        let parts = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        Ok(Signed { mark: Mark::of(parts), headers, asking, trial: None, fresh })
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
        // One refused login is one for all lists as well.
        let secrets = self.secrets()?;
        self.check(Asking::List, secrets)?;
        let new = self.fetch(http).await.inspect_err(|error| self.remember(Asking::List, secrets, error))?;
        put(headers, AUTHORIZATION, scheme, &new.value)?;
        *kept = Some(new);
        Ok(true)
    }

    /// What a login is made with.
    fn secrets(&self) -> Result<Mark, FetchError> {
        let secrets = self.credential.secrets().into_iter().map(|(_, secret)| secret.read());
        let secrets: Vec<SecretString> = secrets.collect::<Result<_, _>>()?;
        Ok(Mark::of(secrets.iter().map(|secret| secret.expose_secret().as_bytes())))
    }

    async fn fetch(&self, http: &Http) -> Result<Kept, FetchError> {
        let (tenant, host) = self.tenant()?;
        let secrets = self.credential.secrets().into_iter().filter_map(|(_, secret)| secret.read().ok());
        let secrets: Vec<String> = secrets.map(|secret| secret.expose_secret().to_owned()).collect();
        let fetched = match &self.credential {
            Credential::RefreshToken { client_id, client_secret, refresh_token } => {
                oauth::access_token(http, host, client_id, client_secret, refresh_token).await
            }
            Credential::SystemUser { system_token, client_secret, private_key } => {
                let ask = system_user::Login { system_token, client_secret, private_key, tenant, host };
                let ticket = ask.ticket(http).await;
                ticket.map(|value| Kept { value, until: Instant::now() + TICKET_LIFE })
            }
            _ => Err(FetchError::NoLogin),
        };
        fetched.map_err(|error| error.without(&secrets))
    }

    fn tenant(&self) -> Result<(&str, &Url), FetchError> {
        match &self.site {
            Site::Tenant { name, host } => Ok((name, host)),
            Site::Api(_) => Err(FetchError::NoLogin),
        }
    }

    /// What was signed with was refused: it is not used again, and what a login got is not kept, unless it was got
    /// just now: another would be refused as well.
    pub(super) async fn refused(&self, refused: &Signed, error: &FetchError) {
        let is_renewed = {
            let mut known = self.known(refused.asking);
            let was_accepted = known.accepted.take_if(|accepted| *accepted == refused.mark).is_some();
            // Each renewal leaves a row in the customer's database: of searches that are refused all the same, one does.
            let is_vain = refused.asking == Asking::Search && known.refused.is_some();
            let is_renewed = self.credential.needs_tenant() && !refused.fresh && !is_vain;
            // It may be about a right that this list needs, and the next one does not.
            let was_doubted = std::mem::replace(&mut known.is_doubted, was_accepted && is_renewed);
            if refused.asking == Asking::List && !is_renewed && (was_accepted || was_doubted) {
                return;
            }
            is_renewed
        };
        if !is_renewed {
            return self.remember(refused.asking, refused.mark, error);
        }
        // Not remembered: a list that signed with it just now is to renew as well.
        let mut kept = self.kept.lock().await;
        let given = refused.headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        // Another list may have renewed it already: then that counts.
        if kept.as_ref().is_some_and(|kept| given.ends_with(kept.value.expose_secret().as_bytes())) {
            *kept = None;
        }
    }
}

impl Signed {
    /// What no message may show: the headers, and what they are made of.
    pub(super) fn secrets(&self) -> Vec<String> {
        const SHORTEST: usize = 4;
        let mut secrets = Vec::new();
        for value in self.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes())) {
            let (scheme, rest) = value.split_once(' ').unwrap_or(("", &value));
            if scheme == "Basic" {
                let login = STANDARD.decode(rest).unwrap_or_default();
                let login = String::from_utf8_lossy(&login).into_owned();
                secrets.extend(login.split_once(':').map(|(_, password)| password.to_owned()));
            }
            secrets.extend(value.split([' ', ';', '=']).map(str::to_owned).filter(|part| part != scheme));
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets
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

#[cfg(test)]
mod tests;
