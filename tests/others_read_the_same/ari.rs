//! The frames of ARI: the requests that the service sends for a call, by websocket and over HTTP, and the responses that it accepts.
//!
//! The other side is a stand-in of Asterisk's HTTP server, so that every response can be tried. `tests/data/stasis-start.json` is an
//! event of Asterisk 22.10.1; each call puts its own channel id, number and arguments into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::{compare, csv, project};

/// How long the service may take for a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A call: its number, the arguments of its `Stasis()`, and the response to its first `continue`.
struct Call {
    number: &'static str,
    arguments: &'static [&'static str],
    response: (u16, &'static str),
    /// The requests that it makes: by websocket, and over HTTP.
    requests: [usize; 2],
}

const fn call(number: &'static str, response: (u16, &'static str), requests: [usize; 2]) -> Call {
    Call { number, arguments: &["handoff", "1", "NO"], response, requests }
}

const DONE: (u16, &str) = (204, "");

const CALLS: [Call; 12] = [
    call("22334455", DONE, [1, 1]),
    call("22999999", DONE, [1, 1]),
    call("anonymous", DONE, [1, 1]),
    Call { arguments: &["handoff", "1", "SE"], ..call("004722334455", DONE, [1, 1]) },
    Call { arguments: &["handoff", "1", "NO", "tags"], ..call("22334455", DONE, [1, 1]) },
    Call { arguments: &["handoff", "1", "NO", "tags"], ..call("22999999", DONE, [1, 1]) },
    Call { arguments: &["handoff", "2", "NO"], ..call("22334455", DONE, [1, 1]) },
    call("22334455", (404, "Channel not found"), [1, 1]),
    call("22334455", (409, "Channel not in Stasis application"), [1, 1]),
    call("22334455", (404, "Requested label can not be found"), [3, 3]),
    call("22334455", (412, "Channel in invalid state"), [2, 2]),
    call("22334455", (500, "Allocation failed"), [2, 3]),
];

/// The requests of each channel, and under "" those of the connection.
type Requests = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// A stand-in of Asterisk's HTTP server.
#[derive(Clone)]
struct StandIn {
    /// Whether requests on the websocket are answered, as by 20.14, 21.9, 22.4 and later.
    answers_on_websocket: bool,
    requests: Requests,
    /// Takes the events of the websocket that is open.
    events: Arc<Mutex<Option<UnboundedSender<String>>>>,
}

impl StandIn {
    /// Notes a request, and returns its response. `path` is relative to `/ari/`.
    fn answer(&self, method: &str, path: &str, parameters: &str, by: &str) -> (u16, String) {
        let channel = path.strip_prefix("channels/").and_then(|path| path.split('/').next());
        // The check has a channel that does not exist.
        let call = channel.and_then(|channel| channel.parse::<usize>().ok()).and_then(|at| CALLS.get(at));
        let channel = channel.filter(|_| call.is_some()).unwrap_or_default();
        let line = format!("{by} {method} {path} {parameters}").trim_end().to_owned();
        let mut requests = self.requests.lock().unwrap();
        let lines = requests.entry(channel.to_owned()).or_default();
        let is_continue = |line: &String| line.contains("/continue");
        let is_first = is_continue(&line) && !lines.iter().any(is_continue);
        lines.push(line);
        let (status, body) = match (call, method, path) {
            (Some(call), "POST", _) if is_first => {
                let (status, message) = call.response;
                (status, if message.is_empty() { Value::Null } else { json!({ "message": message }) })
            }
            (Some(call), "GET", _) => (200, event(channel, call)["channel"].clone()),
            (Some(_), ..) => (204, Value::Null),
            (None, "GET", "asterisk/info") => (200, json!({ "system": { "version": "22.10.1" } })),
            (None, "GET", _) => (200, json!({ "name": "nameplate", "channel_ids": [] })),
            (None, "PUT", _) => (200, json!({})),
            (None, ..) => (404, json!({ "message": "Channel not found" })),
        };
        (status, if body.is_null() { String::new() } else { body.to_string() })
    }

    /// Answers the requests of a connection.
    async fn converse(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut head, mut length, mut key) = (String::new(), 0, None);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                if stream.read_line(&mut head).await.ok()? == 0 {
                    return None;
                }
                let (name, value) = head[start..].trim_end().split_once(": ").unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().ok()?,
                    "sec-websocket-key" => key = Some(value.to_owned()),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let mut line = head.lines().next()?.split(' ');
            let (method, path) = (line.next()?, line.next()?.strip_prefix("/ari/")?);
            let (status, answer) = self.answer(method, path, &String::from_utf8_lossy(&body), "HTTP");
            if let Some(key) = key {
                let accept = derive_accept_key(key.as_bytes());
                let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
                let head = format!("{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                return self.websocket(stream.into_inner()).await;
            }
            // 204 has neither a body nor its length.
            let length =
                if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", answer.len()) };
            stream
                .write_all(format!("HTTP/1.1 {status} So\r\n{length}\r\n{answer}").as_bytes())
                .await
                .ok()?;
        }
    }

    /// Sends the events of the test, and answers requests.
    async fn websocket(self, stream: TcpStream) -> Option<()> {
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let (events, mut to_send): (_, UnboundedReceiver<String>) = unbounded_channel();
        *self.events.lock().unwrap() = Some(events);
        loop {
            let frame = tokio::select! {
                event = to_send.recv() => event?,
                received = socket.next() => {
                    let Message::Text(text) = received?.ok()? else { continue };
                    let request: Value = serde_json::from_str(&text).ok()?;
                    let of = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
                    // The count of requests before it differs from one run to the next.
                    let id = of("request_id");
                    let frame = text.replace(&format!("\"request_id\":\"{id}\""), "\"request_id\":\"<id>\"");
                    let (status, body) = self.answer(&of("method"), &of("uri"), &frame, "websocket");
                    if !self.answers_on_websocket {
                        continue;
                    }
                    json!({
                        "type": "RESTResponse", "transaction_id": of("transaction_id"), "request_id": id,
                        "status_code": status, "reason_phrase": "So", "uri": of("uri"), "message_body": body,
                    })
                    .to_string()
                }
            };
            socket.send(Message::text(frame)).await.ok()?;
        }
    }

    /// Waits until a channel has made so many requests.
    async fn until(&self, channel: &str, count: usize) {
        let begun = Instant::now();
        loop {
            let lines = self.requests.lock().unwrap().get(channel).cloned().unwrap_or_default();
            if lines.len() >= count {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "channel {channel}: not {count} requests, but {lines:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The event of a call, as Asterisk sends it.
fn event(channel: &str, call: &Call) -> Value {
    let event = std::fs::read_to_string(project().join("tests/data/stasis-start.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    event["args"] = json!(call.arguments);
    event["channel"]["id"] = json!(channel);
    event["channel"]["caller"]["number"] = json!(call.number);
    let arguments = [&["nameplate"], call.arguments].concat().join(",");
    event["channel"]["dialplan"]["app_data"] = json!(arguments);
    event
}

async fn frames(answers_on_websocket: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let asterisk = StandIn { answers_on_websocket, requests: Arc::default(), events: Arc::default() };
    let server = asterisk.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(server.clone().converse(stream));
        }
    });
    let pbx = "[[asterisk]]\nname = \"pbx1\"\nusername = \"nameplate\"\npassword = \"secret\"";
    let mut nameplate = csv(&format!("{pbx}\nurl = \"http://{address}\"\n")).serve();
    nameplate.until_logged("connected; answers go over", 1).await;
    nameplate.until_logged("numbers=6", 1).await;
    let set_up = asterisk.requests.lock().unwrap().remove("").unwrap_or_default();
    let mut text = String::new();
    for (at, call) in CALLS.iter().enumerate() {
        let channel = at.to_string();
        let event = event(&channel, call).to_string();
        asterisk.events.lock().unwrap().as_ref().unwrap().send(event).unwrap();
        asterisk.until(&channel, call.requests[usize::from(!answers_on_websocket)]).await;
    }
    // A request that is not expected comes before the service ends.
    nameplate.signal("TERM");
    nameplate.ended().await;
    // The requests of a connection have no fixed order.
    let set_up: BTreeSet<_> = set_up.into_iter().collect();
    writeln!(text, "a connection\n{}\n", set_up.into_iter().collect::<Vec<_>>().join("\n")).unwrap();
    let requests = asterisk.requests.lock().unwrap();
    for (at, call) in CALLS.iter().enumerate() {
        let Call { number, arguments, response: (status, message), .. } = call;
        let arguments = [&["nameplate"], *arguments].concat().join(",");
        writeln!(text, "{}", format!("{number} Stasis({arguments}) {status} {message}").trim_end()).unwrap();
        writeln!(text, "{}\n", requests[&at.to_string()].join("\n")).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frames_of_ari() {
    let (websocket, http) = tokio::join!(frames(true), frames(false));
    compare("ari.txt", &format!("== by websocket\n\n{websocket}== over HTTP\n\n{http}"));
}
