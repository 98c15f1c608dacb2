//! SuperOffice CRM's WebAPI: the caller ids of the user whose credential is used, or of its selections.
//!
//! - [`Client`] asks `POST {api}/v1/Agents/Pocket/GetMyCallerIDs` and `…/GetCallerIDsFromSelection`
//! - [`site`]: the API's address; [`tenant`]: a tenant of the cloud, which can move
//! - [`credential`]: the user of a request; `signer` adds the headers; `oauth` and `system_user` log in, with `login` in common;
//!   `key` and `jwt` are their cryptography
//! - `http`: sends requests, within the limits of `manners`
//! - [`error`]: failures, in words that an administrator can act on
//! - `body`: passes the answer to the thread that parses it
//! - `answer`: reads the collection as a stream; `record` makes entries of each record, with names in one language
//!   (`multilanguage`)
//! - `json`: divides a stream into values and repairs them; `utf16` decodes the characters, `fields` reads a value
//! - `search`: searches for one number

mod answer;
mod body;
pub mod credential;
pub mod error;
mod fields;
mod http;
mod json;
pub mod jwt;
pub mod key;
mod login;
mod manners;
mod multilanguage;
mod oauth;
mod record;
mod search;
mod signer;
pub mod site;
mod system_user;
pub mod tenant;
mod utf16;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE};
use reqwest::{Response, StatusCode, Url};
use serde::Serialize;

use super::fingerprint::Fingerprint;
use super::{Fetched, ListId, Progress, Step};
use crate::number::Country;
use crate::secret::Secret;
use answer::ListAnswer;
use credential::Credential;
use error::FetchError;
use http::Http;
pub use manners::GAP;
use manners::RequestKind;
use signer::{SecretDigest, SignedHeaders, Signer};
use site::Site;
use tenant::{Finder, Tenant};

/// The settings of a `[[source]]` of type `superoffice`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its address.
    pub site: Site,
    /// The user of all requests.
    pub credential: Credential,
    /// The application's token (`SO-AppToken`): required by the cloud, ignored by an installation on site.
    pub app_token: Option<Secret>,
    /// The language (ISO 639-1) of the CRM's multi-language names.
    pub language: String,
    /// `SO-Language`, `SO-Culture` and `SO-TimeZone`, if they replace the user's own settings.
    pub so_headers: Vec<(&'static str, String)>,
    /// The selections with the caller ids; empty for the user's own caller ids.
    pub selections: Vec<u32>,
    /// The age of the oldest activities whose persons are fetched.
    pub window_past: Duration,
    /// The same for future activities.
    pub window_future: Duration,
    /// Trusted certificates in addition to the system's: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// A proxy for this source, instead of the environment's `HTTPS_PROXY`.
    pub proxy: Option<Url>,
    /// The most time until the first byte of an answer.
    pub first_byte: Duration,
    /// The most time for a complete answer.
    pub timeout: Duration,
    /// The size of the largest answer, in bytes after decompression.
    pub max_answer: u64,
    /// The country of numbers without a country code.
    pub country: Country,
    /// Whether callers that no list has are searched for.
    pub search_on_miss: bool,
}

/// A client of one SuperOffice.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    http: Http,
    finder: Finder,
    signer: Signer,
    /// The time until the first byte of each list's last answer.
    took: Mutex<BTreeMap<ListId, Duration>>,
}

/// The body of a request for a list.
#[derive(Serialize)]
#[serde(untagged)]
enum RequestBody<'a> {
    /// For `GetMyCallerIDs`. Its dates are not nullable, so all three fields are always sent.
    #[serde(rename_all = "PascalCase")]
    Mine { last_hash: &'a str, min_date: String, max_date: String },
    /// For `GetCallerIDsFromSelection`, which has no dates.
    #[serde(rename_all = "PascalCase")]
    Selection { selection_id: u32, last_hash: &'a str },
}

impl Settings {
    pub(super) fn identify(&self, fingerprint: &mut Fingerprint) {
        fingerprint.add("superoffice", &self.site.origin());
        self.credential.identify(fingerprint);
        fingerprint.add("language", &self.language);
        for (name, value) in &self.so_headers {
            fingerprint.add(name, value);
        }
        fingerprint.add("country", self.country.as_str());
        // The window's dates change each day, its width does not.
        fingerprint
            .add("window", &format!("{} {}", self.window_past.as_secs(), self.window_future.as_secs()));
    }
}

impl Client {
    /// Prepares the client. Sends nothing yet. A refused credential is not tried again for the time `rest`.
    ///
    /// # Errors
    /// If `proxy` can't be used.
    pub fn new(settings: Settings, rest: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            http: Http::new(&settings)?,
            finder: Finder::new(settings.site.clone()),
            signer: Signer::new(&settings, rest),
            took: Mutex::default(),
            settings,
        })
    }

    /// Fetches a list. `hash` is that of its last answer, or empty to get the complete list in any case.
    ///
    /// After a refusal there is one more attempt, if the credential could be renewed; and one more if the tenant may have moved.
    pub async fn fetch(&self, list: ListId, hash: &str, progress: &Progress) -> Result<Fetched, FetchError> {
        let mut attempts = Attempts::default();
        loop {
            progress.set(Step::Waiting);
            let (api, mut signed) = attempts.prepare(self, RequestKind::List).await?;
            let result = self.ask(&api, &mut signed, list, hash, progress).await;
            let judged = attempts.judge(self, &api, signed, result).await;
            if let Some(result) = judged.and_then(Result::transpose) {
                return result;
            }
        }
    }

    /// Permits one more attempt with a refused credential.
    pub fn try_again(&self) {
        self.signer.try_again();
    }

    /// The time until the first byte of a list's last answer.
    pub fn answered_in(&self, list: ListId) -> Option<Duration> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).get(&list).copied()
    }

    /// A sentence on this machine's clock if the last answer shows that it is wrong.
    pub fn clock(&self) -> Option<String> {
        self.http.clock()
    }

    /// The state of the tenant, if the site is one.
    pub fn tenant(&self) -> Option<Tenant> {
        self.finder.tenant()
    }

    /// Sends one request; none if it has to be signed anew.
    async fn ask(
        &self,
        api: &Url,
        signed: &mut SignedHeaders,
        list: ListId,
        hash: &str,
        progress: &Progress,
    ) -> Result<Option<Fetched>, FetchError> {
        let (call, body) = self.request(list, hash, Timestamp::now());
        let api = api.as_str().trim_end_matches('/');
        let mut request = self
            .http
            .client
            .post(format!("{api}/v1/Agents/Pocket/{call}"))
            .header(ACCEPT, "application/json")
            .header(ACCEPT_LANGUAGE, &self.settings.language)
            .headers(signed.headers.clone())
            .json(&body);
        for (name, value) in &self.settings.so_headers {
            request = request.header(*name, value);
        }
        let sent = self.http.send_if(RequestKind::List, request, || self.signer.may_send(signed)).await?;
        let Some((response, took)) = sent else { return Ok(None) };
        self.took.lock().unwrap_or_else(PoisonError::into_inner).insert(list, took);
        if response.status().is_success() {
            self.signer.accepted(signed);
        }
        match response.status() {
            StatusCode::OK => self.read(response, hash, progress).await.map(Some),
            StatusCode::NO_CONTENT => no_list(hash).map(Some),
            _ => Err(refusal(response).await),
        }
    }

    /// The call for a list, and its body.
    fn request<'a>(&self, list: ListId, hash: &'a str, now: Timestamp) -> (&'static str, RequestBody<'a>) {
        if let Some(id) = list.selection {
            return (
                "GetCallerIDsFromSelection",
                RequestBody::Selection { selection_id: id, last_hash: hash },
            );
        }
        let shifted = |by: Duration, sign: i32| {
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX) * sign;
            let end = if sign < 0 { Timestamp::MIN } else { Timestamp::MAX };
            // Whole seconds, in UTC with `Z`.
            format!("{:.0}", now.checked_add(by).unwrap_or(end))
        };
        let body = RequestBody::Mine {
            last_hash: hash,
            min_date: shifted(self.settings.window_past, -1),
            max_date: shifted(self.settings.window_future, 1),
        };
        ("GetMyCallerIDs", body)
    }

    /// Reads the answer on a thread for blocking work: a large one takes seconds.
    async fn read(&self, response: Response, hash: &str, progress: &Progress) -> Result<Fetched, FetchError> {
        let (pump, body) = body::channel();
        let (limit, country, progress) = (self.settings.max_answer, self.settings.country, progress.clone());
        let language = self.settings.language.clone();
        let answer =
            tokio::task::spawn_blocking(move || answer::read(body, limit, country, &language, &progress));
        let ((), answer) = tokio::join!(pump.run(response), answer);
        match answer.map_err(|_| FetchError::Interrupted)?? {
            ListAnswer::NoList => no_list(hash),
            ListAnswer::List(delivery) => Ok(Fetched::Entries(delivery)),
        }
    }
}

/// The attempts of one request.
#[derive(Default)]
struct Attempts {
    /// Whether the tenant was looked for again.
    moved: bool,
    /// The refused credential, and the refusal.
    refused: Option<(SecretDigest, FetchError)>,
}

impl Attempts {
    /// The address and the headers of the next attempt.
    ///
    /// # Errors
    /// With the last refusal if the headers would be the same.
    async fn prepare(
        &mut self,
        client: &Client,
        kind: RequestKind,
    ) -> Result<(Url, SignedHeaders), FetchError> {
        let api = client.finder.api(&client.http).await?;
        let signed = client.signer.sign(&client.http, kind).await?;
        match self.refused.take_if(|(before, _)| *before == signed.digest) {
            Some((_, refusal)) => Err(refusal),
            None => Ok((api, signed)),
        }
    }

    /// The final result; none if another attempt may succeed.
    async fn judge<T>(
        &mut self,
        client: &Client,
        api: &Url,
        signed: SignedHeaders,
        result: Result<T, FetchError>,
    ) -> Option<Result<T, FetchError>> {
        match result.map_err(|error| error.without(&signed.secrets())) {
            Err(error) if error.is_refusal() => {
                client.signer.refused(&signed, &error).await;
                if signed.fresh || self.refused.is_some() {
                    return Some(Err(error));
                }
                self.refused = Some((signed.digest, error));
                None
            }
            Err(error) if client.finder.may_have_moved(&error) && !self.moved => {
                self.moved = true;
                client.finder.forget(api).await;
                None
            }
            done => Some(done),
        }
    }
}

/// An answer without a list: `null`, an empty 200 or a 204. It means "unchanged" only if a hash was sent: agent calls "do not
/// return HTTP errors: a failed call will return NULL".
fn no_list(hash: &str) -> Result<Fetched, FetchError> {
    if hash.is_empty() { Err(FetchError::NoSet) } else { Ok(Fetched::Unchanged) }
}

/// The error of an answer other than 200 and 204.
async fn refusal(response: Response) -> FetchError {
    let status = response.status();
    let retry_after = manners::wanted_rest(status, response.headers());
    let redirect = response
        .headers()
        .get(reqwest::header::LOCATION)
        .and_then(|value| Url::options().base_url(Some(response.url())).parse(value.to_str().ok()?).ok())
        .and_then(|url| url.host_str().map(|host| format!("it redirects to {}", error::address(host))));
    let said = match redirect {
        Some(redirect) => redirect,
        None => error::said(response).await,
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FetchError::Refused { status, said },
        _ => FetchError::Status { status, said, retry_after },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The settings of an installation, for tests without requests.
    pub(in crate::source) fn settings() -> Settings {
        Settings {
            site: Site::Api("https://crm.example.com/SuperOffice/api/".parse().unwrap()),
            app_token: None,
            so_headers: Vec::new(),
            first_byte: Duration::from_mins(1),
            credential: Credential::Basic {
                username: "nameplate".into(),
                password: crate::secret::Secret::Given("secret".into()),
            },
            language: "en".into(),
            selections: Vec::new(),
            window_past: Duration::from_hours(365 * 24),
            window_future: Duration::from_hours(24),
            ca_file: None,
            proxy: None,
            timeout: Duration::from_mins(1),
            max_answer: 1 << 20,
            country: "NO".parse().unwrap(),
            search_on_miss: false,
        }
    }

    #[test]
    fn the_window_is_sent_in_utc_with_whole_seconds() {
        crate::tls::install();
        let client = Client::new(settings(), Duration::from_mins(5)).unwrap();
        let now = "2026-07-31T12:34:56.789Z".parse().unwrap();
        let (call, body) = client.request(ListId::default(), "abc", now);
        let body = serde_json::to_value(body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "LastHash": "abc",
                "MinDate": "2025-07-31T12:34:56Z",
                "MaxDate": "2026-08-01T12:34:56Z",
            })
        );
        assert_eq!(call, "GetMyCallerIDs");
    }
}
