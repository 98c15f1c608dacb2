//! SuperOffice CRM's WebAPI: the caller ids of the user whose credential is used.
//!
//! - [`Client`] asks `POST {api}/v1/Agents/Pocket/GetMyCallerIDs`
//! - [`credential`] is what a request is signed with
//! - [`error`] says what went wrong, in words that an administrator can act on
//! - `answer` reads the collection as a stream, record by record; `record` makes an entry of each

mod answer;
pub mod credential;
pub mod error;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Serialize;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::fingerprint::Fingerprint;
use super::{Fetched, ListId};
use crate::number::Country;
use answer::Answer;
use credential::Credential;
use error::FetchError;

/// How long a connection may take. The whole answer has [`Settings::timeout`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a `[[source]]` of type `superoffice`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the WebAPI is: `https://crm.example.com/SuperOffice/api`, no slash at the end.
    pub api: Url,
    /// Who asks.
    pub credential: Credential,
    /// The language (ISO 639-1) in which the CRM's multi-language names are wanted.
    pub language: String,
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
    /// How long the whole answer may take.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes after decompression.
    pub max_answer: u64,
    /// The country in which numbers without a country code are read.
    pub country: Country,
}

/// A client of one SuperOffice.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    http: reqwest::Client,
    url: Url,
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
        question.add("superoffice", self.api.as_str().trim_end_matches('/'));
        self.credential.identify(question);
        question.add("language", &self.language);
        question.add("country", self.country.as_str());
        // The window moves each day and the set with it; its width is part of the question.
        question.add("window", &format!("{} {}", self.window_past.as_secs(), self.window_future.as_secs()));
    }
}

impl Client {
    /// Prepares the client; nothing is sent yet. Fails when `ca_file` can't be read.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("nameplate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            // A redirect leads to a login page, and would take the credential along.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &settings.ca_file {
            let pem =
                std::fs::read(path).with_context(|| format!("can't read ca_file {}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("ca_file {} holds no PEM certificates", path.display()))?;
            http = http.tls_certs_merge(certificates);
        }
        if let Some(proxy) = &settings.proxy {
            http = http.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        let api = settings.api.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{api}/v1/Agents/Pocket/"))?;
        Ok(Self { http: http.build()?, url, settings })
    }

    /// Asks for a list; `hash` is that of its last answer, empty to get the set in any case.
    pub async fn fetch(&self, list: ListId, hash: &str) -> Result<Fetched, FetchError> {
        let (call, question) = self.question(list, hash, Timestamp::now());
        let request = self
            .http
            .post(format!("{}{call}", self.url))
            .header(ACCEPT, "application/json")
            .header(ACCEPT_LANGUAGE, &self.settings.language)
            .json(&question);
        let response =
            self.settings.credential.apply(request)?.send().await.map_err(FetchError::unreachable)?;
        match response.status() {
            StatusCode::OK => self.read(response, hash).await,
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
    async fn read(&self, response: Response, hash: &str) -> Result<Fetched, FetchError> {
        let body = StreamReader::new(response.bytes_stream().map_err(std::io::Error::other));
        let body = SyncIoBridge::new(body);
        let (limit, country) = (self.settings.max_answer, self.settings.country);
        let answer = tokio::task::spawn_blocking(move || answer::read(body, limit, country)).await;
        match answer.map_err(|_| FetchError::Interrupted)?? {
            Answer::NoSet => no_set(hash),
            Answer::Set(delivery) => Ok(Fetched::Entries(delivery)),
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
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let redirect = response
        .headers()
        .get(reqwest::header::LOCATION)
        .and_then(|value| Url::options().base_url(Some(response.url())).parse(value.to_str().ok()?).ok())
        .and_then(|url| url.host_str().map(|host| format!("it redirects to {host}")));
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
mod tests {
    use super::*;

    #[test]
    fn the_window_is_sent_in_utc_with_whole_seconds() {
        crate::tls::install();
        let settings = Settings {
            api: "https://crm.example.com/SuperOffice/api/".parse().unwrap(),
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
        };
        let client = Client::new(settings).unwrap();
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
        let url = format!("{}{call}", client.url);
        assert_eq!(url, "https://crm.example.com/SuperOffice/api/v1/Agents/Pocket/GetMyCallerIDs");
    }
}
