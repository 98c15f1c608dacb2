//! Requests to ARI. On the websocket where Asterisk answers there; over HTTP with a JSON body elsewhere.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Url};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Settings;
use super::wire::{ErrorBody, Parameter, complaint};
use crate::mask;

/// How long one request over HTTP may take. The dialplan's bound has released the call long before.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Asterisk closes a connection after 15 s without a request (`http.conf`, `session_keep_alive`).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Requests at once. Asterisk takes 100 sessions by default, websockets included, and drops others unanswered.
const AT_ONCE: usize = 32;

/// So much of an error's body is shown, in characters.
const MAX_SAID: usize = 100;

/// What stays as it is in a path: all that Asterisk's own channel ids are made of.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// `channels/{id}/continue`
pub(super) fn continue_path(channel: &str) -> String {
    format!("channels/{}/continue", utf8_percent_encode(channel, PLAIN))
}

/// What came of a request that sends a call on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call goes on.
    Done,
    /// The caller hung up, or the call has left Stasis by itself: 404 or 409. Nothing is amiss.
    CallerGone,
    /// The dialplan has no such extension and label: 404 too, told apart by its message.
    NoSuchPlace,
    /// Anything else.
    Failed(String),
}

impl Outcome {
    /// Reads an answer's status and body.
    pub(super) fn of(status: u16, body: &str) -> Self {
        let message = serde_json::from_str::<ErrorBody<'_>>(body).map(|body| body.message);
        let message = message.unwrap_or_default();
        match status {
            200..=299 => Self::Done,
            404 if message.contains("label") => Self::NoSuchPlace,
            404 | 409 => Self::CallerGone,
            status => Self::Failed(format!("{status} {}", said(body))),
        }
    }
}

/// What a body of an error says, for a line of the log: a page or pretty JSON has several, and may quote a number.
fn said(body: &str) -> String {
    let message = serde_json::from_str::<ErrorBody<'_>>(body).map(|body| body.message);
    let mut words = message.as_deref().unwrap_or(body).split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    while line.len() < MAX_SAID
        && let Some(word) = words.next()
    {
        line.extend([" ", word]);
    }
    let end = line.char_indices().nth(MAX_SAID).map_or(line.len(), |(end, _)| end);
    mask::Text(&line[..end]).to_string()
}

/// ARI over HTTP, for one connection's life: the password is the one that the websocket was opened with.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    /// `http://127.0.0.1:8088/ari/`
    base: Url,
    username: String,
    password: SecretString,
    at_once: Semaphore,
}

/// Whether a request waits for those that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// One for a call waits: [`AT_ONCE`].
    Wait,
    /// One of the set-up does not: calls in trouble must not keep the connection from being set up.
    Now,
}

/// A request over HTTP that brought no answer, or not the expected one.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("{0}")]
    NoAnswer(String),
    #[error("it answers {status} {}", said(body))]
    Status { status: u16, body: String },
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        // A channel's id is in the address, a name or number never is; the cause is what helps.
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Self::NoAnswer(cause.unwrap_or_else(|| error.to_string()))
    }
}

impl Http {
    pub(super) fn new(
        settings: &Settings,
        password: SecretString,
        tls: &ClientConfig,
    ) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .pool_idle_timeout(KEEP_ALIVE)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            // A PBX is in the house: a proxy of the environment is not meant for it.
            .no_proxy()
            .build()?;
        let mut base = settings.url.clone();
        base.set_path(&format!("{}/ari/", settings.url.path().trim_end_matches('/')));
        let username = settings.username.clone();
        Ok(Self { client, base, username, password, at_once: Semaphore::new(AT_ONCE) })
    }

    /// Sends a request; `path` is relative to `/ari/`, and already percent-encoded.
    async fn send(
        &self,
        turn: Turn,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, String), HttpError> {
        let url = self.base.join(path).map_err(|error| HttpError::NoAnswer(error.to_string()))?;
        let mut request =
            self.client.request(method, url).basic_auth(&self.username, Some(self.password.expose_secret()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = async {
            // The semaphore is never closed; an error would only mean one request more at once.
            let _permit = match turn {
                Turn::Wait => self.at_once.acquire().await.ok(),
                Turn::Now => None,
            };
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok((status, response.text().await?))
        };
        // Around both: the wait for other requests is a wait as well.
        match tokio::time::timeout(TIMEOUT, sent).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::NoAnswer(format!("no answer within {TIMEOUT:?}"))),
        }
    }

    /// `GET {path}`, read as `T`.
    pub(super) async fn get<T: DeserializeOwned>(&self, turn: Turn, path: &str) -> Result<T, HttpError> {
        let body = self.get_text(turn, path).await?;
        serde_json::from_str(&body).map_err(|error| HttpError::NoAnswer(complaint(&error)))
    }

    /// `GET {path}`, as it comes.
    pub(super) async fn get_text(&self, turn: Turn, path: &str) -> Result<String, HttpError> {
        let (status, body) = self.send(turn, Method::GET, path, None).await?;
        if status == 200 { Ok(body) } else { Err(HttpError::Status { status, body }) }
    }

    /// `PUT {path}` with a JSON body: only the set-up does.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<(), HttpError> {
        let (status, body) = self.send(Turn::Now, Method::PUT, path, Some(body)).await?;
        if (200..300).contains(&status) { Ok(()) } else { Err(HttpError::Status { status, body }) }
    }

    /// `POST {path}` with the parameters as a JSON body, not as a query: no `+` that becomes a blank, and
    /// no name in an address.
    pub(super) async fn post(&self, path: &str, parameters: &[Parameter<'_>]) -> Outcome {
        let body: Value =
            parameters.iter().map(|parameter| (parameter.name, Value::from(parameter.value))).collect();
        match self.send(Turn::Wait, Method::POST, path, Some(&body)).await {
            Ok((status, body)) => Outcome::of(status, &body),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// The value of a channel's variable or function.
    pub(super) async fn variable(&self, channel: &str, name: &str) -> Result<String, HttpError> {
        let channel = utf8_percent_encode(channel, PLAIN);
        let name = utf8_percent_encode(name, PLAIN);
        let variable: super::wire::Variable =
            self.get(Turn::Wait, &format!("channels/{channel}/variable?variable={name}")).await?;
        Ok(variable.value)
    }

    /// Sets a channel's variable or function.
    pub(super) async fn set_variable(&self, channel: &str, name: &str, value: &str) -> Outcome {
        let path = format!("channels/{}/variable", utf8_percent_encode(channel, PLAIN));
        let parameters = [Parameter { name: "variable", value: name }, Parameter { name: "value", value }];
        self.post(&path, &parameters).await
    }

    /// The snapshot of a channel, as JSON; see [`super::wire::Channel`].
    pub(super) async fn channel(&self, channel: &str) -> Result<String, HttpError> {
        self.get_text(Turn::Wait, &format!("channels/{}", utf8_percent_encode(channel, PLAIN))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_hung_up_is_told_from_a_missing_context() {
        let label = r#"{"message":"Requested label can not be found"}"#;
        assert_eq!(Outcome::of(404, label), Outcome::NoSuchPlace);
        assert_eq!(Outcome::of(404, r#"{"message":"Channel not found"}"#), Outcome::CallerGone);
        assert_eq!(
            Outcome::of(409, r#"{"message":"Channel not in Stasis application"}"#),
            Outcome::CallerGone
        );
        assert_eq!(Outcome::of(204, ""), Outcome::Done);
        assert_eq!(Outcome::of(500, "oops"), Outcome::Failed("500 oops".into()));
    }

    #[test]
    fn what_an_error_says_is_one_short_line() {
        let page =
            format!("<html>\r\n<body>\n{}\u{2028}+47 22 33 44 55</body>", "<p>Sørver</p>\n".repeat(40));
        for (body, line) in [
            ("{\n  \"message\": \"Write access\\ndenied\"\n}", "403 Write access denied"),
            ("{\n  \"error\": 1\n}", "403 { \"error\": 1 }"),
            ("Caller 4722334455\n", "403 Caller ••••••••••"),
            ("", "403 "),
        ] {
            let error = HttpError::Status { status: 403, body: body.into() };
            assert_eq!(error.to_string(), format!("it answers {line}"));
            assert_eq!(Outcome::of(403, body), Outcome::Failed(line.into()));
        }
        for body in [page.clone(), page.replace(char::is_whitespace, "")] {
            let line = HttpError::Status { status: 502, body }.to_string();
            assert!(line.starts_with("it answers 502 <html>") && line.chars().count() < 120, "{line}");
            assert!(!line.contains(char::is_control), "{line}");
        }
    }

    #[test]
    fn a_channel_id_of_somebodys_own_choice_stays_one_segment() {
        assert_eq!(continue_path("1753963200.7"), "channels/1753963200.7/continue");
        assert_eq!(continue_path("a/../b?c +"), "channels/a%2F..%2Fb%3Fc%20%2B/continue");
    }
}
