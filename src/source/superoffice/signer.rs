//! Adds the credential to requests, and renews access tokens and system users' tickets.
//!
//! All lists of a source have the same credential, and many domains lock an account after five wrong passwords. So a refusal
//! counts for all lists, and a credential that no answer has accepted yet is tried by one request at a time. Requests that wait for
//! their turn when an accepted one is refused are signed anew.
//!
//! A refusal can also mean a missing right: searches need another right than lists, and one selection another than the next. So a
//! refused search stops searches only, and after the refusal of an accepted credential the next list tries it once more.

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
use super::login::LoginToken;
use super::manners::RequestKind;
use super::site::Site;
use super::{Settings, oauth, system_user};
use crate::secret::Secret;

/// The life of a ticket after its last use.
const TICKET_LIFE: Duration = Duration::from_hours(6);

/// Adds the credential to requests.
#[derive(Debug)]
pub(super) struct Signer {
    credential: Credential,
    app_token: Option<Secret>,
    site: Site,
    /// The time without further attempts after a refusal.
    rest: Duration,
    /// The most time to wait for another list's first attempt.
    patience: Duration,
    /// The result of the last login, as long as it is valid.
    token: Mutex<Option<LoginToken>>,
    /// The server's answers to lists.
    lists: Standing,
    /// The server's answers to searches.
    searches: Standing,
}

/// The acceptance of the credential for lists, or for searches.
#[derive(Debug, Default)]
struct Standing {
    /// Held by the request that tries a credential first.
    trial: Arc<Mutex<()>>,
    /// The server's last answers.
    answers: std::sync::Mutex<ServerAnswers>,
}

/// The server's last answers to credentials and logins.
#[derive(Debug, Default)]
struct ServerAnswers {
    /// The headers that were accepted last.
    accepted: Option<SecretDigest>,
    /// The last refusal.
    refused: Option<Refusal>,
    /// An accepted credential was refused and is being renewed: the next refusal may mean a missing right.
    is_doubted: bool,
}

/// A refusal for all lists, or for all searches.
#[derive(Debug)]
struct Refusal {
    digest: SecretDigest,
    error: FetchError,
    until: Instant,
}

/// A digest of a request's headers, or of a login's secrets. It shows whether they have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecretDigest([u8; 32]);

impl SecretDigest {
    fn of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            // The lengths distinguish `a`+`bc` from `ab`+`c`.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self(context.finish().as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// The headers of a request, with the credential.
#[derive(Debug)]
pub(super) struct SignedHeaders {
    pub(super) headers: HeaderMap,
    kind: RequestKind,
    /// Equal for headers that are the same to the server.
    pub(super) digest: SecretDigest,
    /// Held until the first answer to these headers, so that no other request tries them meanwhile.
    trial: Option<OwnedMutexGuard<()>>,
    /// Whether they come from a new login: after a refusal another login would not help.
    pub(super) fresh: bool,
}

impl Signer {
    /// A refused credential is not tried again for the time `rest`, unless it has changed.
    pub(super) fn new(settings: &Settings, rest: Duration) -> Self {
        Self {
            credential: settings.credential.clone(),
            app_token: settings.app_token.clone(),
            site: settings.site.clone(),
            rest,
            patience: settings.first_byte,
            token: Mutex::new(None),
            lists: Standing::default(),
            searches: Standing::default(),
        }
    }

    /// The headers for one request. Secrets are read now, so a renewed file is used at once. While another request tries the
    /// credential first, this function waits for its answer.
    ///
    /// # Errors
    /// With the last refusal, during the rest after it.
    pub(super) async fn sign(&self, http: &Http, kind: RequestKind) -> Result<SignedHeaders, FetchError> {
        let signed = self.sign_now(http, kind).await?;
        self.check(kind, signed.digest)?;
        if self.is_accepted(kind, signed.digest) {
            return Ok(signed);
        }
        let trial = Arc::clone(&self.standing(kind).trial).lock_owned();
        let trial = tokio::time::timeout(self.patience, trial).await;
        let trial = trial.map_err(|_| FetchError::Silent(self.patience))?;
        // The request before may have brought an answer, or a renewal.
        let before = signed;
        let mut signed = self.sign_now(http, kind).await?;
        signed.fresh |= before.fresh && before.digest == signed.digest;
        self.check(kind, signed.digest)?;
        let is_accepted = self.is_accepted(kind, signed.digest);
        Ok(SignedHeaders { trial: (!is_accepted).then_some(trial), ..signed })
    }

    /// Whether the headers may be sent now: while the request waited for its turn, another one's may have been refused.
    pub(super) fn may_send(&self, signed: &SignedHeaders) -> bool {
        let is_first = signed.trial.is_some();
        (is_first || self.is_accepted(signed.kind, signed.digest))
            && self.check(signed.kind, signed.digest).is_ok()
    }

    /// Remembers that the server has accepted the headers.
    pub(super) fn accepted(&self, signed: &mut SignedHeaders) {
        *self.answers(signed.kind) =
            ServerAnswers { accepted: Some(signed.digest), ..ServerAnswers::default() };
        signed.trial = None;
    }

    /// Permits one more attempt with a refused credential.
    pub(super) fn try_again(&self) {
        for kind in [RequestKind::List, RequestKind::Search] {
            self.answers(kind).refused = None;
        }
    }

    fn standing(&self, kind: RequestKind) -> &Standing {
        match kind {
            RequestKind::List => &self.lists,
            RequestKind::Search => &self.searches,
        }
    }

    fn answers(&self, kind: RequestKind) -> std::sync::MutexGuard<'_, ServerAnswers> {
        self.standing(kind).answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the headers were accepted. Searches know the answers to lists, too.
    fn is_accepted(&self, kind: RequestKind, digest: SecretDigest) -> bool {
        [RequestKind::List, kind].into_iter().any(|kind| self.answers(kind).accepted == Some(digest))
    }

    /// Fails with the refusal, during the rest after it. A refusal of lists counts for searches, too.
    fn check(&self, kind: RequestKind, digest: SecretDigest) -> Result<(), FetchError> {
        for kind in [RequestKind::List, kind] {
            let answers = self.answers(kind);
            let refusal = answers.refused.as_ref().filter(|refusal| refusal.digest == digest);
            let refusal = refusal.filter(|refusal| refusal.until > Instant::now());
            if let Some(error) = refusal.and_then(|refusal| refusal.error.again()) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Remembers a refusal for the other lists, or the other searches.
    fn remember(&self, kind: RequestKind, digest: SecretDigest, error: &FetchError) {
        let Some(error) = error.again() else { return };
        self.answers(kind).refused = Some(Refusal { digest, error, until: Instant::now() + self.rest });
    }

    async fn sign_now(&self, http: &Http, kind: RequestKind) -> Result<SignedHeaders, FetchError> {
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
        Ok(SignedHeaders { digest: SecretDigest::of(parts), headers, kind, trial: None, fresh })
    }

    /// Adds the header of the last login, or of a new one. Whether it is new.
    async fn login(&self, http: &Http, scheme: &str, headers: &mut HeaderMap) -> Result<bool, FetchError> {
        // Held during the login: the source's other lists wait for it.
        let mut token = self.token.lock().await;
        let now = Instant::now();
        if let Some(last) = token.as_mut().filter(|last| last.until > now) {
            if matches!(self.credential, Credential::SystemUser { .. }) {
                // Each use renews a ticket. A new one would be another row in the customer's database.
                last.until = now + TICKET_LIFE;
            }
            put(headers, AUTHORIZATION, scheme, &last.value)?;
            return Ok(false);
        }
        *token = None;
        // A refused login counts for all lists, too.
        let secrets = self.secrets()?;
        self.check(RequestKind::List, secrets)?;
        let new =
            self.fetch(http).await.inspect_err(|error| self.remember(RequestKind::List, secrets, error))?;
        put(headers, AUTHORIZATION, scheme, &new.value)?;
        *token = Some(new);
        Ok(true)
    }

    /// A digest of the login's secrets.
    fn secrets(&self) -> Result<SecretDigest, FetchError> {
        let secrets = self.credential.secrets().into_iter().map(|(_, secret)| secret.read());
        let secrets: Vec<SecretString> = secrets.collect::<Result<_, _>>()?;
        Ok(SecretDigest::of(secrets.iter().map(|secret| secret.expose_secret().as_bytes())))
    }

    async fn fetch(&self, http: &Http) -> Result<LoginToken, FetchError> {
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
                ticket.map(|value| LoginToken { value, until: Instant::now() + TICKET_LIFE })
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

    /// Handles a refusal: a token or ticket is renewed, unless it is new; any other credential is not tried again for a while.
    pub(super) async fn refused(&self, refused: &SignedHeaders, error: &FetchError) {
        let is_renewed = {
            let mut answers = self.answers(refused.kind);
            let was_accepted = answers.accepted.take_if(|accepted| *accepted == refused.digest).is_some();
            // Each renewal is a row in the customer's database: searches that stay refused renew once only.
            let is_vain = refused.kind == RequestKind::Search && answers.refused.is_some();
            let is_renewed = self.credential.needs_tenant() && !refused.fresh && !is_vain;
            // This list may need a right that the next one does not need.
            let was_doubted = std::mem::replace(&mut answers.is_doubted, was_accepted && is_renewed);
            if refused.kind == RequestKind::List && !is_renewed && (was_accepted || was_doubted) {
                return;
            }
            is_renewed
        };
        if !is_renewed {
            return self.remember(refused.kind, refused.digest, error);
        }
        // Not remembered: a list with the same headers under way must renew, too.
        let mut token = self.token.lock().await;
        let given = refused.headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        // Another list may have renewed it already.
        if token.as_ref().is_some_and(|token| given.ends_with(token.value.expose_secret().as_bytes())) {
            *token = None;
        }
    }
}

impl SignedHeaders {
    /// The texts that no message may show: the headers and their parts.
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

/// Adds a header with a secret, marked as sensitive for logs.
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
