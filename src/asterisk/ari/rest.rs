//! Requests to ARI. On the websocket where Asterisk answers there; over HTTP with a JSON body elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

/// A wait for Asterisk that ends so much later says that this process was paused: the answer may be there.
const PAUSED: Duration = Duration::from_millis(100);
/// Reports that may wait for the connection. One more is dropped: three failures in a row are enough.
const MOST_REPORTS: usize = 1_000;

/// Tells the connection what comes of requests over HTTP.
#[derive(Debug)]
pub(super) struct Reports {
    sender: mpsc::Sender<Report>,
    /// Cancelled by a refusal: nothing more is to be asked.
    end_of_requests: CancellationToken,
}

impl Reports {
    /// Where the reports come from; `over` is cancelled by a refusal.
    pub(super) fn new(end_of_requests: CancellationToken) -> (Self, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(MOST_REPORTS);
        (Self { sender, end_of_requests }, receiver)
    }

    /// After the connection's end nobody reads them.
    fn say(&self, report: Report) {
        let _ = self.sender.try_send(report);
    }

    fn failed(&self, failure: &Failure) {
        if failure.is_refusal() {
            self.say(Report::Failed(failure.clone()));
            self.end_of_requests.cancel();
        }
    }
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
    reports: Reports,
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

/// Whether a request waits for those that are under way, and how long for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// One for a call waits: [`AT_ONCE`].
    Queued,
    /// One of the set-up does not: calls in trouble must not keep the connection from being set up.
    Immediate,
    /// The same, and its answer is waited for without end: whoever asks gives up.
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
            // A PBX is in the house: a proxy of the environment is not meant for it.
            .no_proxy()
            .build()?;
        let mut base = settings.url.clone();
        base.set_path(&format!("{}/ari/", settings.url.path().trim_end_matches('/')));
        let username = settings.username.clone();
        let (at_once, connections) = (Semaphore::new(AT_ONCE), Arc::new(Connections::new()));
        Ok(Self { client, base, username, password, at_once, connections, reports })
    }

    /// Sends a request; `path` is relative to `/ari/`, and already percent-encoded. The status and the body that come.
    async fn send(
        &self,
        turn: Turn,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, String), Failure> {
        let begun = Instant::now();
        let asked = AtomicBool::new(false);
        let answer = self.exchange(turn, method, path, body, &asked);
        if turn == Turn::Unbounded {
            return answer.await;
        }
        // Around both: the wait for other requests is a wait as well.
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| {
            let is_asterisks = asked.load(Ordering::Relaxed) && begun.elapsed() < TIMEOUT + PAUSED;
            Err(if is_asterisks { Failure::Late(TIMEOUT) } else { Failure::Busy(TIMEOUT) })
        })
    }

    /// Waits for its turn, sends a request and waits for the answer. `asked`: it is on its way.
    async fn exchange(
        &self,
        turn: Turn,
        method: Method,
        path: &str,
        body: Option<&Value>,
        asked: &AtomicBool,
    ) -> Result<(u16, String), Failure> {
        let url = self.base.join(path).map_err(|error| Failure::Unreachable(error.to_string()))?;
        let mut request =
            self.client.request(method, url).basic_auth(&self.username, Some(self.password.expose_secret()));
        if let Some(body) = body {
            request = request.json(body);
        }
        // The semaphore is never closed; an error would only mean one request more at once.
        let _permit = match turn {
            Turn::Queued => self.at_once.acquire().await.ok(),
            Turn::Immediate | Turn::Unbounded => None,
        };
        match turn {
            Turn::Queued => self.connections.turn().await,
            Turn::Immediate | Turn::Unbounded => drop(self.connections.take()),
        }
        asked.store(true, Ordering::Relaxed);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let closes = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
        let body = response.text().await?;
        if !closes {
            Arc::clone(&self.connections).give_back();
        }
        Ok((status, body))
    }

    /// A request that has failed so.
    fn failed<T>(&self, failure: Failure) -> Result<T, Failure> {
        self.reports.failed(&failure);
        Err(failure)
    }

    /// `GET {path}`, read as `T`.
    pub(super) async fn get<T: DeserializeOwned>(&self, turn: Turn, path: &str) -> Result<T, Failure> {
        let body = self.get_text(turn, path).await?;
        serde_json::from_str(&body).map_err(|error| Failure::Unread(complaint(&error)))
    }

    /// `GET {path}`, as it comes.
    pub(super) async fn get_text(&self, turn: Turn, path: &str) -> Result<String, Failure> {
        match self.send(turn, Method::GET, path, None).await {
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => self.failed(Failure::Status { status, body }),
            Err(failure) => self.failed(failure),
        }
    }

    /// `PUT {path}` with a JSON body, and an answer in JSON: only the set-up does.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<(), Failure> {
        match self.send(Turn::Unbounded, Method::PUT, path, Some(body)).await {
            Ok((200, _)) => Ok(()),
            Ok((status, body)) => self.failed(Failure::Status { status, body }),
            Err(failure) => self.failed(failure),
        }
    }

    /// `POST {path}` with the parameters as a JSON body, not as a query: no `+` that becomes a blank, and
    /// no name in an address.
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

    /// Sends a call on: to this place, or without one to the priority behind its `Stasis()`.
    pub(super) async fn send_on(&self, channel: &str, place: &[Parameter<'_>]) -> ContinueResult {
        let result = self.post(&continue_path(channel), place).await;
        self.reports.say(Report::Call { channel: channel.to_owned(), result: result.clone() });
        result
    }

    /// Asks whether a call could be sent on, and reports the answer.
    pub(super) async fn check_and_report(&self, turn: Turn) {
        let result = self.check(turn).await;
        self.reports.say(Report::Check(result));
    }

    /// Asks whether a call could be sent on, by sending one on that does not exist.
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

    /// The snapshot of a channel, as JSON; see [`super::wire::Channel`].
    pub(super) async fn channel(&self, channel: &str) -> Result<String, Failure> {
        self.get_text(Turn::Queued, &format!("channels/{}", segment(channel))).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

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
