//! Requests to ARI. On the websocket where Asterisk answers there; over HTTP with a JSON body elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONNECTION;
use reqwest::{Method, Url};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};

use super::Settings;
use super::wire::{ErrorBody, Parameter, complaint};
use crate::{mask, tls};

/// How long one request over HTTP may take. The dialplan's bound has released the call long before.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Asterisk closes a connection after 15 s without a request (`http.conf`, `session_keep_alive`).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Requests at once. Asterisk takes 100 sessions by default, websockets included, and drops others unanswered.
const AT_ONCE: usize = 32;
/// Connections that are opened at once, besides those that the client opens in vain. Asterisk lets ten wait to be accepted
/// (`main/tcptls.c`); a packet of one more is dropped, and sent again after a second only.
const OPENING: usize = 3;
/// How long an opened one counts as such. Asterisk has accepted it by then, though its answer may take 200 ms, on an old one.
const ACCEPTED: Duration = Duration::from_millis(10);
/// The client has a connection free a moment after the answer: a request that comes earlier opens another one.
const SETTLING: Duration = Duration::from_millis(1);

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

/// What a body of an error says, for a line of the log: Asterisk's own words, which may quote a number. What is not JSON is
/// somebody else's.
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
    if message.is_ok() { mask::Text(&line[..end]).to_string() } else { mask::Words(&line[..end]).to_string() }
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
    connections: Arc<Connections>,
}

/// What is known of the client's connections: which are open and free, so that a request need not open one.
#[derive(Debug)]
struct Connections {
    /// Since when each is free, the last one last.
    free: Mutex<Vec<Instant>>,
    freed: Notify,
    opening: Arc<Semaphore>,
}

impl Connections {
    fn new() -> Self {
        let opening = Arc::new(Semaphore::new(OPENING));
        Self { free: Mutex::default(), freed: Notify::new(), opening }
    }

    /// Waits until a request may be sent: at once where a connection is free for it, else when it may open one.
    async fn turn(&self) {
        while !self.take() {
            tokio::select! {
                permit = Arc::clone(&self.opening).acquire_owned() => {
                    tokio::spawn(async move {
                        sleep(ACCEPTED).await;
                        drop(permit);
                    });
                    return;
                }
                () = self.freed.notified() => {}
            }
        }
    }

    /// The client takes the one that was used last, and closes those that were not for a while.
    fn take(&self) -> bool {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.retain(|since| since.elapsed() < KEEP_ALIVE);
        free.pop().is_some()
    }

    /// An answer has come, and its connection will be free.
    fn give_back(self: Arc<Self>) {
        tokio::spawn(async move {
            sleep(SETTLING).await;
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            self.freed.notify_one();
        });
    }
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
        if let Some(trouble) = tls::trouble_behind(&error) {
            return Self::NoAnswer(format!("TLS: {}", trouble.what));
        }
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
        let (at_once, connections) = (Semaphore::new(AT_ONCE), Arc::new(Connections::new()));
        Ok(Self { client, base, username, password, at_once, connections })
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
            match turn {
                Turn::Wait => self.connections.turn().await,
                Turn::Now => drop(self.connections.take()),
            }
            let response = request.send().await?;
            let status = response.status().as_u16();
            let closes = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
            let body = response.text().await?;
            if !closes {
                Arc::clone(&self.connections).give_back();
            }
            Ok((status, body))
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

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
        assert_eq!(Outcome::of(500, "oops"), Outcome::Failed("500 `mask` hides its words".into()));
    }

    #[test]
    fn what_an_error_says_is_one_short_line() {
        let page =
            format!("<html>\r\n<body>\n{}\u{2028}+47 22 33 44 55</body>", "<p>Sørver</p>\n".repeat(40));
        for (body, line) in [
            ("{\n  \"message\": \"Write access\\ndenied\"\n}", "403 Write access denied"),
            ("{\n  \"error\": 1\n}", "403 `mask` hides its words"),
            (r#"{"message":"Caller 4722334455"}"#, "403 Caller ••••••••••"),
            ("Caller Kari 4722334455\n", "403 `mask` hides its words"),
            ("", "403 "),
        ] {
            let error = HttpError::Status { status: 403, body: body.into() };
            assert_eq!(error.to_string(), format!("it answers {line}"));
            assert_eq!(Outcome::of(403, body), Outcome::Failed(line.into()));
        }
        for body in [page.clone(), page.replace(char::is_whitespace, "")] {
            let line = HttpError::Status { status: 502, body }.to_string();
            assert!(line == "it answers 502 `mask` hides its words" && line.chars().count() < 120, "{line}");
            assert!(!line.contains(char::is_control), "{line}");
        }
    }

    #[test]
    fn a_channel_id_of_somebodys_own_choice_stays_one_segment() {
        assert_eq!(continue_path("1753963200.7"), "channels/1753963200.7/continue");
        assert_eq!(continue_path("a/../b?c +"), "channels/a%2F..%2Fb%3Fc%20%2B/continue");
    }

    /// How many connections wait for their first answer, and how many have at most.
    #[derive(Default)]
    struct Opening {
        now: usize,
        most: usize,
    }

    /// Answers the requests of a connection. It takes a while until it is accepted.
    async fn answer(mut stream: TcpStream, opening: Arc<Mutex<Opening>>) {
        let mut is_new = true;
        loop {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n{}") {
                let Ok(byte) = stream.read_u8().await else { return };
                request.push(byte);
            }
            if is_new {
                let mut opening = opening.lock().unwrap();
                opening.now += 1;
                opening.most = opening.most.max(opening.now);
            }
            sleep(Duration::from_millis(if is_new { 8 } else { 2 })).await;
            if is_new {
                opening.lock().unwrap().now -= 1;
            }
            is_new = false;
            stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_rush_of_calls_opens_no_more_connections_at_once_than_asterisk_lets_wait() {
        crate::tls::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let opening = Arc::new(Mutex::new(Opening::default()));
        let seen = Arc::clone(&opening);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, Arc::clone(&seen)));
            }
        });
        let settings = Settings {
            name: "pbx1".into(),
            url: url.parse().unwrap(),
            ca_file: None,
            username: "nameplate".into(),
            password: crate::secret::Secret::Given("password".into()),
            app: "nameplate".into(),
            pbx: crate::resolver::Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) },
        };
        let http = Http::new(&settings, "password".into(), &crate::tls::client(None).unwrap()).unwrap();
        for _ in 0..2 {
            let calls = (0..100).map(|_| http.post("channels/1.1/continue", &[]));
            let outcomes = futures_util::future::join_all(calls).await;
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Done), "{outcomes:?}");
        }
        let most = opening.lock().unwrap().most;
        assert!((2..=10).contains(&most), "{most} were opened at once");
        server.abort();
    }
}
