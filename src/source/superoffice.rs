//! SuperOffice CRM's WebAPI: the caller ids of the user whose credential is used, or of its selections.
//!
//! - [`Client`] asks `POST {api}/v1/Agents/Pocket/GetMyCallerIDs` and `…/GetCallerIDsFromSelection`
//! - [`site`] is where that API is; a tenant of the cloud moves
//! - [`credential`] is what a request is signed with; `signer` signs, `oauth` and `system_user` log in, with
//!   `login` in common; `key` and `jwt` are their cryptography
//! - `http` sends, with `manners`
//! - [`error`] says what went wrong, in words that an administrator can act on
//! - `body` hands the answer to the thread that parses it
//! - `answer` reads the collection as a stream, record by record; `record` makes an entry of each,
//!   with names in one language (`multilanguage`)
//! - `json` cuts a stream into values, each mended or broken by itself; `utf16` is about its characters, `fields` about
//!   what stands in a value
//! - `search` asks for one number

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
use answer::Answer;
use credential::Credential;
use error::FetchError;
use http::Http;
use manners::Asking;
pub use manners::GAP;
use signer::{Mark, Signed, Signer};
use site::{Finder, Site, Tenant};

/// The settings of a `[[source]]` of type `superoffice`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub site: Site,
    /// Who asks.
    pub credential: Credential,
    /// The application's token (`SO-AppToken`): the cloud wants one, an installation on site ignores it.
    pub app_token: Option<Secret>,
    /// The language (ISO 639-1) in which the CRM's multi-language names are wanted.
    pub language: String,
    /// `SO-Language`, `SO-Culture` and `SO-TimeZone`, where the user's own settings are not wanted.
    pub so_headers: Vec<(&'static str, String)>,
    /// The selections whose caller ids are wanted; empty: those of the user who asks.
    pub selections: Vec<u32>,
    /// How far back the activities may lie whose persons are wanted.
    pub window_past: Duration,
    /// How far ahead.
    pub window_future: Duration,
    /// Certificates to trust beside the system's: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// A proxy for this source; else the environment's `HTTPS_PROXY` counts.
    pub proxy: Option<Url>,
    /// How long the first byte of an answer may take.
    pub first_byte: Duration,
    /// How long the whole answer may take.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes after decompression.
    pub max_answer: u64,
    /// The country in which numbers without a country code are read.
    pub country: Country,
    /// Whether callers whom no list knows are searched for.
    pub search_on_miss: bool,
}

/// A client of one SuperOffice.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    http: Http,
    finder: Finder,
    signer: Signer,
    /// How long the server took for each list's last answer, until its first byte.
    took: Mutex<BTreeMap<ListId, Duration>>,
}

/// The body of a question.
#[derive(Serialize)]
#[serde(untagged)]
enum Question<'a> {
    /// Of `GetMyCallerIDs`. The dates are not nullable there, so all three are always sent.
    #[serde(rename_all = "PascalCase")]
    Mine { last_hash: &'a str, min_date: String, max_date: String },
    /// Of `GetCallerIDsFromSelection`, which knows no dates.
    #[serde(rename_all = "PascalCase")]
    Selection { selection_id: u32, last_hash: &'a str },
}

impl Settings {
    pub(super) fn identify(&self, question: &mut Fingerprint) {
        question.add("superoffice", &self.site.origin());
        self.credential.identify(question);
        question.add("language", &self.language);
        for (name, value) in &self.so_headers {
            question.add(name, value);
        }
        question.add("country", self.country.as_str());
        // The window moves each day and the set with it; its width is part of the question.
        question.add("window", &format!("{} {}", self.window_past.as_secs(), self.window_future.as_secs()));
    }
}

impl Client {
    /// Prepares the client; nothing is sent yet. A credential that is refused is not tried again for the time of
    /// `rest`. Fails when `proxy` is none.
    pub fn new(settings: Settings, rest: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            http: Http::new(&settings)?,
            finder: Finder::new(settings.site.clone()),
            signer: Signer::new(&settings, rest),
            took: Mutex::default(),
            settings,
        })
    }

    /// Asks for a list; `hash` is that of its last answer, empty to get the set in any case.
    ///
    /// A refused credential is renewed and tried again once, and only where the renewal brought another
    /// one; a tenant that has moved is looked for once.
    pub async fn fetch(&self, list: ListId, hash: &str, progress: &Progress) -> Result<Fetched, FetchError> {
        let mut tries = Tries::default();
        loop {
            progress.set(Step::Waiting);
            let (api, mut signed) = tries.prepare(self, Asking::List).await?;
            let result = self.ask(&api, &mut signed, list, hash, progress).await;
            if let Some(result) = tries.judge(self, &api, signed, result).await {
                return result;
            }
        }
    }

    /// A credential that was refused may be tried once more: somebody wants it.
    pub fn try_again(&self) {
        self.signer.try_again();
    }

    /// How long the server took for a list's last answer, until its first byte.
    pub fn answered_in(&self, list: ListId) -> Option<Duration> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).get(&list).copied()
    }

    /// What is known of the tenant, where it is one.
    pub fn tenant(&self) -> Option<Tenant> {
        self.finder.tenant()
    }

    /// Asks once.
    async fn ask(
        &self,
        api: &Url,
        signed: &mut Signed,
        list: ListId,
        hash: &str,
        progress: &Progress,
    ) -> Result<Fetched, FetchError> {
        let (call, question) = self.question(list, hash, Timestamp::now());
        let api = api.as_str().trim_end_matches('/');
        let mut request = self
            .http
            .client
            .post(format!("{api}/v1/Agents/Pocket/{call}"))
            .header(ACCEPT, "application/json")
            .header(ACCEPT_LANGUAGE, &self.settings.language)
            .headers(signed.headers.clone())
            .json(&question);
        for (name, value) in &self.settings.so_headers {
            request = request.header(*name, value);
        }
        let (response, took) = self.http.send(request).await?;
        self.took.lock().unwrap_or_else(PoisonError::into_inner).insert(list, took);
        if response.status().is_success() {
            self.signer.accepted(signed);
        }
        match response.status() {
            StatusCode::OK => self.read(response, hash, progress).await,
            StatusCode::NO_CONTENT => no_set(hash),
            _ => Err(refusal(response).await),
        }
    }

    /// Which call is made for a list, and with what.
    fn question<'a>(&self, list: ListId, hash: &'a str, now: Timestamp) -> (&'static str, Question<'a>) {
        if let Some(id) = list.selection {
            return ("GetCallerIDsFromSelection", Question::Selection { selection_id: id, last_hash: hash });
        }
        let shifted = |by: Duration, sign: i32| {
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX) * sign;
            let end = if sign < 0 { Timestamp::MIN } else { Timestamp::MAX };
            // Whole seconds, in UTC with `Z`.
            format!("{:.0}", now.checked_add(by).unwrap_or(end))
        };
        let question = Question::Mine {
            last_hash: hash,
            min_date: shifted(self.settings.window_past, -1),
            max_date: shifted(self.settings.window_future, 1),
        };
        ("GetMyCallerIDs", question)
    }

    /// Reads the answer off the threads that serve calls: parsing is work, and the reader blocks.
    async fn read(&self, response: Response, hash: &str, progress: &Progress) -> Result<Fetched, FetchError> {
        let (pump, body) = body::channel();
        let (limit, country, progress) = (self.settings.max_answer, self.settings.country, progress.clone());
        let language = self.settings.language.clone();
        let answer =
            tokio::task::spawn_blocking(move || answer::read(body, limit, country, &language, &progress));
        let ((), answer) = tokio::join!(pump.run(response), answer);
        match answer.map_err(|_| FetchError::Interrupted)?? {
            Answer::NoSet => no_set(hash),
            Answer::Set(delivery) => Ok(Fetched::Entries(delivery)),
        }
    }
}

/// The tries of one call: how often the credential is renewed and the tenant looked for.
#[derive(Default)]
struct Tries {
    moved: bool,
    /// The signature that was refused, and how.
    refused: Option<(Mark, FetchError)>,
}

impl Tries {
    /// Where the next try goes, and its signature. Fails with the last refusal where there is no other signature.
    async fn prepare(&mut self, client: &Client, asking: Asking) -> Result<(Url, Signed), FetchError> {
        let api = client.finder.api(&client.http).await?;
        let signed = client.signer.sign(&client.http, asking).await?;
        match self.refused.take_if(|(before, _)| *before == signed.mark) {
            Some((_, refusal)) => Err(refusal),
            None => Ok((api, signed)),
        }
    }

    /// The result of a try; none when another try may bring a better one.
    async fn judge<T>(
        &mut self,
        client: &Client,
        api: &Url,
        signed: Signed,
        result: Result<T, FetchError>,
    ) -> Option<Result<T, FetchError>> {
        match result.map_err(|error| error.without(&signed.secrets())) {
            Err(error) if error.is_refusal() => {
                client.signer.refused(&signed, &error).await;
                if signed.fresh || self.refused.is_some() {
                    return Some(Err(error));
                }
                self.refused = Some((signed.mark, error));
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

/// `null`, an empty 200 and a 204 all say "no set in this answer". That means "unchanged" only to somebody
/// who sent the hash of a set: agent calls "do not return HTTP errors: a failed call will return NULL".
fn no_set(hash: &str) -> Result<Fetched, FetchError> {
    if hash.is_empty() { Err(FetchError::NoSet) } else { Ok(Fetched::Unchanged) }
}

/// What an answer that is not 200 or 204 says.
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

    /// The settings of an installation that asks nobody.
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
        let (call, question) = client.question(ListId::default(), "abc", now);
        let question = serde_json::to_value(question).unwrap();
        assert_eq!(
            question,
            serde_json::json!({
                "LastHash": "abc",
                "MinDate": "2025-07-31T12:34:56Z",
                "MaxDate": "2026-08-01T12:34:56Z",
            })
        );
        assert_eq!(call, "GetMyCallerIDs");
    }
}
