//! A stand-in of Asterisk's HTTP server. A test chooses its responses, and speaks on its websockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::{WebSocketStream, tungstenite::handshake::derive_accept_key};

use super::super::wire::CHECK_CHANNEL;

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Response {
    /// This status and body.
    Of(u16, Value),
    /// This status and body, after a while.
    After(Duration, u16, Value),
    /// The connection is closed, as Asterisk does above `sessionlimit`.
    Nothing,
}

/// The response of a healthy Asterisk, with requests on the websocket and without waiting calls.
pub(crate) fn usual(request: &str) -> Response {
    match request {
        "GET asterisk/info" => Response::Of(200, json!({ "system": { "version": "22.10.1" } })),
        "GET applications/nameplate" => Response::Of(200, json!({ "channel_ids": [] })),
        "GET events" => Response::Of(101, Value::Null),
        "PUT applications/nameplate/eventFilter" => Response::Of(200, json!({})),
        _ if request.contains("/variable?") => Response::Of(200, json!({ "value": "allowed" })),
        _ if request.starts_with("POST ") && !request.contains(CHECK_CHANNEL) => {
            Response::Of(204, Value::Null)
        }
        _ => error(404, "Channel not found"),
    }
}

/// An error in Asterisk's form.
pub(crate) fn error(status: u16, message: &str) -> Response {
    Response::Of(status, json!({ "message": message }))
}

/// A channel's snapshot.
pub(crate) fn channel(id: &str, number: &str, app_name: &str, app_data: &str) -> Value {
    json!({
        "id": id,
        "caller": { "name": "", "number": number },
        "dialplan": { "app_name": app_name, "app_data": app_data },
    })
}

/// Paused time goes on by `STEP`, and then the test waits `REST` of real time for data that is on its way on a socket. Paused
/// time alone would go on as soon as no task is ready, and pass a response that the kernel has not delivered yet.
const STEP: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_millis(1);
/// The most time that a test waits for anything, in paused time.
const PATIENCE: Duration = Duration::from_secs(100);

/// Slows paused time down: it stands still while a blocking task runs.
async fn brake() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(REST)).await.unwrap();
        tokio::time::sleep(STEP).await;
    }
}

/// The stand-in.
pub(crate) struct StandIn {
    pub(crate) url: String,
    /// Each websocket that is opened.
    sockets: mpsc::UnboundedReceiver<Socket>,
    requests: Arc<Mutex<Vec<String>>>,
    bodies: Bodies,
}

/// The body of each request, as text.
type Bodies = Arc<Mutex<Vec<String>>>;

impl StandIn {
    /// Starts the stand-in. `respond` gets the method and the path below `/ari/`: `POST channels/1.1/continue`.
    pub(crate) async fn start(respond: impl Fn(&str) -> Response + Send + Sync + 'static) -> Self {
        Self::start_with(move |request, _| respond(request)).await
    }

    /// As [`Self::start`]; `respond` also gets the user, `name:password`.
    pub(crate) async fn start_with(respond: impl Fn(&str, &str) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (opened, sockets) = mpsc::unbounded_channel();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let respond = Arc::new(respond);
        let seen = Arc::clone(&requests);
        let bodies = Bodies::default();
        let read = Arc::clone(&bodies);
        tokio::spawn(brake());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (respond, seen, read) = (Arc::clone(&respond), Arc::clone(&seen), Arc::clone(&read));
                tokio::spawn(converse(stream, respond, seen, read, opened.clone()));
            }
        });
        Self { url, sockets, requests, bodies }
    }

    /// The next websocket that is opened.
    pub(crate) async fn socket(&mut self) -> Socket {
        timeout(PATIENCE, self.sockets.recv()).await.expect("a websocket").unwrap()
    }

    /// All requests over HTTP.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How often this request has come over HTTP.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.seen().iter().filter(|seen| *seen == request).count()
    }

    /// Waits until a request over HTTP has this in its body.
    pub(crate) async fn until_said(&self, text: &str) {
        let begun = Instant::now();
        while !self.bodies.lock().unwrap().iter().any(|body| body.contains(text)) {
            assert!(begun.elapsed() < PATIENCE, "{text}: {:#?}", self.bodies.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until this request has come over HTTP so often.
    pub(crate) async fn until(&self, request: &str, count: usize) {
        let begun = Instant::now();
        while self.count(request) < count {
            assert!(begun.elapsed() < PATIENCE, "not {count} × {request}: {:#?}", self.seen());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Reads and answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    respond: Arc<impl Fn(&str, &str) -> Response>,
    seen: Arc<Mutex<Vec<String>>>,
    bodies: Bodies,
    opened: mpsc::UnboundedSender<Socket>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut request, mut key, mut user, mut length) = (String::new(), String::new(), String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if request.is_empty() {
                let (method, rest) = line.split_once(" /ari/")?;
                request = format!("{method} {}", rest.split(' ').next()?);
            }
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "authorization" => user = credential(value)?,
                "sec-websocket-key" => value.clone_into(&mut key),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        bodies.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
        let request = if key.is_empty() { request } else { "GET events".to_owned() };
        seen.lock().unwrap().push(request.clone());
        let (status, body) = match respond(&request, &user) {
            Response::Of(status, body) => (status, body),
            Response::After(wait, status, body) => {
                tokio::time::sleep(wait).await;
                (status, body)
            }
            Response::Nothing => return None,
        };
        if status == 101 {
            let accept = derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            let socket = WebSocketStream::from_raw_socket(stream.into_inner(), Role::Server, None).await;
            return opened.send(Socket(socket)).ok();
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("HTTP/1.1 {status} So\r\nContent-Length: {}\r\n\r\n", body.len());
        // 204 has neither a body nor its length.
        let head = if status == 204 { "HTTP/1.1 204 So\r\n\r\n".to_owned() } else { head };
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    }
}

/// `name:password` of a header.
fn credential(basic: &str) -> Option<String> {
    let encoded = basic.strip_prefix("Basic ")?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()
}

/// Asterisk's end of a websocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// The next request on the websocket; None when it is closed. Checks are answered, and not returned.
    pub(crate) async fn request(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) if text.contains(CHECK_CHANNEL) => {
                        let request = serde_json::from_str(&text).ok()?;
                        self.answer_with(&request, 404, "Channel not found").await;
                    }
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        timeout(PATIENCE, next).await.expect("a request or the end")
    }

    /// The next check whether a call could be sent on. It is not answered.
    pub(crate) async fn check(&mut self) -> Value {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) if text.contains(CHECK_CHANNEL) => {
                        return serde_json::from_str(&text);
                    }
                    Some(Ok(_)) => {}
                    other => panic!("the end: {other:?}"),
                }
            }
        };
        timeout(PATIENCE, next).await.expect("a question").unwrap()
    }

    /// The next request, which must have this path.
    pub(crate) async fn expect(&mut self, uri: &str) -> Value {
        let request = self.request().await.expect("a request");
        assert_eq!(request["uri"], uri, "{request}");
        request
    }

    /// Waits for the probe and answers it.
    pub(crate) async fn answer_probe(&mut self) {
        let probe = self.expect("asterisk/info").await;
        self.answer(&probe, 200).await;
    }

    /// Answers a request.
    pub(crate) async fn answer(&mut self, request: &Value, status: u16) {
        self.send(
            json!({ "type": "RESTResponse", "request_id": request["request_id"], "status_code": status }),
        )
        .await;
    }

    /// Answers a request with an error.
    pub(crate) async fn answer_with(&mut self, request: &Value, status: u16, message: &str) {
        let body = json!({ "message": message }).to_string();
        self.send(json!({
            "type": "RESTResponse", "request_id": request["request_id"], "status_code": status, "message_body": body,
        }))
        .await;
    }

    /// A call enters the application.
    pub(crate) async fn call(&mut self, id: &str, arguments: &[&str]) {
        self.call_from("22334455", id, arguments).await;
    }

    /// The call of this caller enters the application.
    pub(crate) async fn call_from(&mut self, number: &str, id: &str, arguments: &[&str]) {
        let channel = channel(id, number, "Stasis", "nameplate");
        self.send(json!({ "type": "StasisStart", "args": arguments, "channel": channel })).await;
    }

    /// A backlog of calls: id, time of day, arguments. All of them are in the socket before the service reads any.
    pub(crate) async fn backlog(
        &mut self,
        calls: impl IntoIterator<Item = (String, &'static str, &'static [&'static str])>,
    ) {
        for (id, time, arguments) in calls {
            let channel = channel(&id, "22334455", "Stasis", "nameplate");
            let event = json!({
                "type": "StasisStart", "timestamp": format!("2026-07-31T{time}+0200"), "args": arguments, "channel": channel,
            });
            self.0.feed(Message::text(event.to_string())).await.unwrap();
        }
        self.0.flush().await.unwrap();
    }

    /// Sends an event.
    pub(crate) async fn send(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).await.unwrap();
    }

    /// Waits until the service closes the websocket, without answering pings.
    pub(crate) async fn until_left(mut self) {
        let mut nowhere = tokio::io::sink();
        let end = timeout(PATIENCE, tokio::io::copy(self.0.get_mut(), &mut nowhere)).await;
        // It may be closed or reset.
        let _ = end.expect("the end");
    }

    /// Answers checks and pings only, and returns how long the websocket stays open.
    pub(crate) async fn until_closed(mut self) -> Duration {
        let begun = Instant::now();
        while self.request().await.is_some() {}
        begun.elapsed()
    }
}
