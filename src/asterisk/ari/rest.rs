//! Requests to ARI over HTTP, with a JSON body.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::CONNECTION;
use reqwest::{Method, Url};
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::response::{ContinueResult, Failure};
use super::session::Report;
use super::wire::{CHECK_CHANNEL, Parameter, complaint, continue_path, segment};
use crate::clock;

/// The most time for one request. The dialplan's bound releases the call much earlier.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest time that an idle connection is used again. Asterisk closes it after 15 s (`http.conf`, `session_keep_alive`).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The most requests for calls at once. By default Asterisk accepts 100 HTTP sessions, websockets included, and closes further
/// ones without an answer.
const AT_ONCE: usize = 32;
/// The most connections that are opened at once, not counting those that the client opens without need. Ten may wait for
/// Asterisk to accept them (`main/tcptls.c`). The first packet of an eleventh is dropped, and TCP sends it again only after a
/// second.
const OPENING: usize = 3;
/// How long a connection counts as being opened. After that time Asterisk has accepted it.
const ACCEPTED: Duration = Duration::from_millis(10);
/// How long after a response the client has the connection free. An earlier request would open another connection.
const SETTLING: Duration = Duration::from_millis(1);

/// If a time limit ends so much too late, this process was paused, and the response may have come.
const PAUSED: Duration = Duration::from_millis(100);
/// The most reports that wait for the session. Further ones are dropped: three failures in a row are enough.
const MAX_REPORTS: usize = 1_000;

/// Reports the results of requests over HTTP to the session.
#[derive(Debug)]
pub(super) struct Reports {
    sender: mpsc::Sender<Report>,
    /// Cancelled by a refusal: no further request is sent.
    end_of_requests: CancellationToken,
}

impl Reports {
    /// The sender and the receiver of reports. A refusal cancels `end_of_requests`.
    pub(super) fn new(end_of_requests: CancellationToken) -> (Self, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(MAX_REPORTS);
        (Self { sender, end_of_requests }, receiver)
    }

    /// Sends a report. It is lost after the session's end.
    fn send(&self, report: Report) {
        let _ = self.sender.try_send(report);
    }

    fn failed(&self, failure: &Failure) {
        if failure.is_refusal() {
            self.send(Report::Failed(failure.clone()));
            self.end_of_requests.cancel();
        }
    }
}

/// ARI over HTTP, for the life of one connection, with the same password as its websocket.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    /// `http://127.0.0.1:8088/ari/`
    base: Url,
    username: String,
    password: SecretString,
    at_once: Semaphore,
    connections: Arc<Connections>,
    reports: Reports,
    /// What the first response says of this machine's clock.
    clock: OnceLock<Option<String>>,
}

/// What is known of the client's connections: how many are free, so that a request does not open another one.
#[derive(Debug)]
struct Connections {
    /// Since when each connection is free, the newest last.
    free: Mutex<Vec<Instant>>,
    freed: Notify,
    opening: Arc<Semaphore>,
}

impl Connections {
    fn new() -> Self {
        let opening = Arc::new(Semaphore::new(OPENING));
        Self { free: Mutex::default(), freed: Notify::new(), opening }
    }

    /// Waits until a request may be sent: on a free connection, or on a new one.
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

    /// Takes a free connection. The client takes the one that was used last, and closes those that are idle for long.
    fn take(&self) -> bool {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.retain(|since| since.elapsed() < KEEP_ALIVE);
        free.pop().is_some()
    }

    /// A response has come: its connection will be free.
    fn give_back(self: Arc<Self>) {
        tokio::spawn(async move {
            sleep(SETTLING).await;
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            self.freed.notify_one();
        });
    }
}

/// Whether a request waits for other requests, and whether its response has a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// For a call: waits while [`AT_ONCE`] requests are under way.
    Queued,
    /// For the connection itself: does not wait, so that many failing calls can't hold up the set-up.
    Immediate,
    /// As `Immediate`, without a time limit: the caller of this function has its own.
    Unbounded,
}

impl Http {
    pub(super) fn new(
        settings: &Settings,
        password: SecretString,
        tls: &ClientConfig,
        reports: Reports,
    ) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .pool_idle_timeout(KEEP_ALIVE)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            // Proxies in the environment are for the Internet, not for a PBX.
            .no_proxy()
            .build()?;
        let mut base = settings.url.clone();
        base.set_path(&format!("{}/ari/", settings.url.path().trim_end_matches('/')));
        let username = settings.username.clone();
        let (at_once, connections) = (Semaphore::new(AT_ONCE), Arc::new(Connections::new()));
        let clock = OnceLock::new();
        Ok(Self { client, base, username, password, at_once, connections, reports, clock })
    }

    /// Sends a request, and returns the status and the body of the response. `path` is relative to `/ari/`, and
    /// percent-encoded.
    async fn send(
        &self,
        turn: Turn,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, String), Failure> {
        let begun = Instant::now();
        let is_sent = AtomicBool::new(false);
        let answer = self.exchange(turn, method, path, body, &is_sent);
        if turn == Turn::Unbounded {
            return answer.await;
        }
        // The limit includes the wait for other requests.
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| {
            let is_late = is_sent.load(Ordering::Relaxed) && begun.elapsed() < TIMEOUT + PAUSED;
            Err(if is_late { Failure::Late(TIMEOUT) } else { Failure::Busy(TIMEOUT) })
        })
    }

    /// Waits for its turn, sends a request and waits for the response. Sets `is_sent` when the request goes out.
    async fn exchange(
        &self,
        turn: Turn,
        method: Method,
        path: &str,
        body: Option<&Value>,
        is_sent: &AtomicBool,
    ) -> Result<(u16, String), Failure> {
        let url = self.base.join(path).map_err(|error| Failure::Unreachable(error.to_string()))?;
        let mut request =
            self.client.request(method, url).basic_auth(&self.username, Some(self.password.expose_secret()));
        if let Some(body) = body {
            request = request.json(body);
        }
        // The semaphore is never closed.
        let _permit = match turn {
            Turn::Queued => self.at_once.acquire().await.ok(),
            Turn::Immediate | Turn::Unbounded => None,
        };
        match turn {
            Turn::Queued => self.connections.turn().await,
            Turn::Immediate | Turn::Unbounded => drop(self.connections.take()),
        }
        is_sent.store(true, Ordering::Relaxed);
        let response = request.send().await?;
        let status = response.status().as_u16();
        self.clock.get_or_init(|| clock::difference(response.headers(), Timestamp::now()));
        let closes = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
        let body = response.text().await?;
        if !closes {
            Arc::clone(&self.connections).give_back();
        }
        Ok((status, body))
    }

    /// A sentence on this machine's clock if the first response shows that it differs from Asterisk's.
    pub(super) fn clock(&self) -> Option<String> {
        self.clock.get().cloned().flatten()
    }

    /// Reports a failed request.
    fn failed<T>(&self, failure: Failure) -> Result<T, Failure> {
        self.reports.failed(&failure);
        Err(failure)
    }

    /// `GET {path}`, read as `T`.
    pub(super) async fn get<T: DeserializeOwned>(&self, turn: Turn, path: &str) -> Result<T, Failure> {
        let body = self.get_text(turn, path).await?;
        serde_json::from_str(&body).map_err(|error| Failure::Unread(complaint(&error)))
    }

    /// `GET {path}`, as text.
    pub(super) async fn get_text(&self, turn: Turn, path: &str) -> Result<String, Failure> {
        match self.send(turn, Method::GET, path, None).await {
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => self.failed(Failure::Status { status, body }),
            Err(failure) => self.failed(failure),
        }
    }

    /// `PUT {path}` with a JSON body: only for the set-up.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<(), Failure> {
        match self.send(Turn::Unbounded, Method::PUT, path, Some(body)).await {
            Ok((200, _)) => Ok(()),
            Ok((status, body)) => self.failed(Failure::Status { status, body }),
            Err(failure) => self.failed(failure),
        }
    }

    /// `POST {path}` with the parameters in a JSON body. In a query a `+` would become a blank, and logs of addresses would have
    /// names.
    pub(super) async fn post(&self, path: &str, parameters: &[Parameter<'_>]) -> ContinueResult {
        let body: Value =
            parameters.iter().map(|parameter| (parameter.name, Value::from(parameter.value))).collect();
        let result = match self.send(Turn::Queued, Method::POST, path, Some(&body)).await {
            Ok((status, body)) => ContinueResult::of(status, &body),
            Err(failure) => ContinueResult::Failed(failure),
        };
        if let ContinueResult::Failed(failure) = &result {
            self.reports.failed(failure);
        }
        result
    }

    /// Sends a call on: to the extension and label in `parameters`, or without them to the priority behind its `Stasis()`.
    pub(super) async fn send_on(&self, channel: &str, parameters: &[Parameter<'_>]) -> ContinueResult {
        let result = self.post(&continue_path(channel), parameters).await;
        self.reports.send(Report::Call { channel: channel.to_owned(), result: result.clone() });
        result
    }

    /// Checks whether a call could be sent on, and reports the result.
    pub(super) async fn check_and_report(&self, turn: Turn) {
        let result = self.check(turn).await;
        self.reports.send(Report::Check(result));
    }

    /// Checks whether a call could be sent on: sends on a channel that does not exist.
    pub(super) async fn check(&self, turn: Turn) -> ContinueResult {
        match self
            .send(turn, Method::POST, &continue_path(CHECK_CHANNEL), Some(&Value::Object(Map::new())))
            .await
        {
            Ok((status, body)) => ContinueResult::of(status, &body),
            Err(failure) => ContinueResult::Failed(failure),
        }
    }

    /// The value of a channel's variable or function.
    pub(super) async fn variable(&self, channel: &str, name: &str) -> Result<String, Failure> {
        let (channel, name) = (segment(channel), segment(name));
        let variable: super::wire::Variable =
            self.get(Turn::Queued, &format!("channels/{channel}/variable?variable={name}")).await?;
        Ok(variable.value)
    }

    /// Sets a channel's variable or function.
    pub(super) async fn set_variable(&self, channel: &str, name: &str, value: &str) -> ContinueResult {
        let path = format!("channels/{}/variable", segment(channel));
        let parameters = [Parameter { name: "variable", value: name }, Parameter { name: "value", value }];
        self.post(&path, &parameters).await
    }

    /// A channel's snapshot as JSON; see [`super::wire::Channel`].
    pub(super) async fn channel(&self, channel: &str) -> Result<String, Failure> {
        self.get_text(Turn::Queued, &format!("channels/{}", segment(channel))).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// How many connections wait for their first response now, and the most that have.
    #[derive(Default)]
    struct Opening {
        now: usize,
        most: usize,
    }

    /// Answers the requests of a connection. The first response takes longer, as if the connection had waited to be accepted.
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
    async fn a_rush_of_calls_opens_only_as_many_connections_as_asterisk_lets_wait() {
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
            pbx: crate::lookup::Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) },
        };
        let tls = crate::tls::client(None).unwrap();
        let http =
            Http::new(&settings, "password".into(), &tls, Reports::new(CancellationToken::new()).0).unwrap();
        for _ in 0..2 {
            let calls = (0..100).map(|_| http.post("channels/1.1/continue", &[]));
            let results = futures_util::future::join_all(calls).await;
            assert!(results.iter().all(|result| *result == ContinueResult::Done), "{results:?}");
        }
        let most = opening.lock().unwrap().most;
        assert!((2..=10).contains(&most), "{most} were opened at once");
        server.abort();
    }
}
