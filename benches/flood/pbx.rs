//! Asterisk's end of ARI: it sends `StasisStart` for each call, and takes the `continue` that ends it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::{IN_FLIGHT, PATIENCE, number};

/// How long a new connection has to stay without a request before calls are placed: it is set up by then.
const SET_UP: Duration = Duration::from_millis(1_500);

type Socket = WebSocketStream<TcpStream>;

/// Asterisk, as ARI shows it.
pub(crate) struct Pbx {
    pub(crate) url: String,
    sockets: mpsc::UnboundedReceiver<Socket>,
    floods: Option<mpsc::Sender<Flood>>,
}

/// So many calls to place, and where to say that all of them are sent on.
struct Flood {
    calls: usize,
    done: oneshot::Sender<()>,
}

impl Pbx {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (opened, sockets) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, opened.clone()));
            }
        });
        Self { url, sockets, floods: None }
    }

    /// Waits until the service is connected, and its connection is set up.
    pub(crate) async fn connected(&mut self) {
        let socket = timeout(PATIENCE, self.sockets.recv()).await.expect("a connection in time");
        let mut socket = socket.expect("a connection");
        while let Ok(message) = timeout(SET_UP, socket.next()).await {
            let text = message.expect("the connection").expect("a message");
            answer(&mut socket, &text).await;
        }
        let (floods, ordered) = mpsc::channel(1);
        self.floods = Some(floods);
        tokio::spawn(serve(socket, ordered));
    }

    /// Places so many calls, and waits until each is sent on with its name.
    pub(crate) async fn flood(&mut self, calls: usize) {
        let (done, ended) = oneshot::channel();
        let floods = self.floods.as_ref().expect("connected");
        floods.send(Flood { calls, done }).await.expect("the connection");
        ended.await.expect("all calls are sent on");
    }
}

/// Answers the requests on a websocket, also while no calls are placed: the service looks after its connection.
async fn serve(mut socket: Socket, mut ordered: mpsc::Receiver<Flood>) {
    let (mut placed, mut ended) = (0, 0);
    let mut now: Option<Flood> = None;
    loop {
        tokio::select! {
            flood = ordered.recv(), if now.is_none() => {
                let Some(flood) = flood else { return };
                (placed, ended) = (0, 0);
                while placed < IN_FLIGHT.min(flood.calls) {
                    placed += 1;
                    socket.feed(start(placed)).await.expect("the connection");
                }
                socket.flush().await.expect("the connection");
                now = Some(flood);
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else {
                    assert!(now.is_none(), "the connection has ended: {message:?}");
                    return;
                };
                let is_sent_on = answer(&mut socket, &message).await;
                let Some(flood) = now.as_ref().filter(|_| is_sent_on) else { continue };
                ended += 1;
                if placed < flood.calls {
                    placed += 1;
                    socket.send(start(placed)).await.expect("the connection");
                } else if ended == flood.calls
                    && let Some(flood) = now.take()
                {
                    let _ = flood.done.send(());
                }
            }
        }
    }
}

/// Answers a request on the websocket. True if it sends a call on with a name.
async fn answer(socket: &mut Socket, message: &Message) -> bool {
    let Message::Text(text) = message else { return false };
    let request: Value = serde_json::from_str(text).expect("JSON");
    let uri = request["uri"].as_str().unwrap_or_default();
    let is_call = uri.starts_with("channels/call-");
    let (status, body) = match uri {
        "asterisk/info" => (200, r#"{"system":{"version":"22.10.1"}}"#),
        _ if is_call => (204, ""),
        _ => (404, r#"{"message":"Channel not found"}"#),
    };
    let is_named = is_call && text.contains("Person Number");
    assert!(is_named || !is_call, "{text}");
    let response = json!({
        "type": "RESTResponse", "transaction_id": request["transaction_id"], "request_id": request["request_id"],
        "status_code": status, "reason_phrase": "So", "uri": uri, "message_body": body,
        "timestamp": now(), "application": "nameplate", "asterisk_id": "00:00:5e:00:53:01",
    });
    socket.send(Message::text(response.to_string())).await.expect("the connection");
    is_named
}

/// A call enters the application, as Asterisk 22 says it.
fn start(call: usize) -> Message {
    let (id, number, now) = (format!("call-{call}.{call}"), number(), now());
    Message::text(format!(
        "{{\"type\":\"StasisStart\",\"timestamp\":\"{now}\",\"args\":[\"handoff\",\"1\",\"NO\",\"tags\",\"22000000\"],\
         \"channel\":{{\"id\":\"{id}\",\"name\":\"PJSIP/trunk-{call:08x}\",\"state\":\"Ring\",\
         \"protocol_id\":\"7d0f4c2a-6d0a-4a0e-9c3a-0242ac120002\",\"caller\":{{\"name\":\"\",\"number\":\"{number}\"}},\
         \"connected\":{{\"name\":\"\",\"number\":\"\"}},\"accountcode\":\"\",\"dialplan\":{{\"context\":\"nameplate\",\
         \"exten\":\"lookup\",\"priority\":6,\"app_name\":\"Stasis\",\"app_data\":\"nameplate,handoff,1,NO,tags,22000000\"}},\
         \"creationtime\":\"{now}\",\"language\":\"en\"}},\"asterisk_id\":\"00:00:5e:00:53:01\",\"application\":\"nameplate\"}}"
    ))
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// Answers the requests of one connection; a websocket is handed over.
async fn converse(stream: TcpStream, opened: mpsc::UnboundedSender<Socket>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let request = line.split(" HTTP/").next().unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
        stream.read_exact(&mut vec![0; length]).await?;
        if let Some(key) = headers.get("sec-websocket-key") {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            );
            stream.write_all(head.as_bytes()).await?;
            let socket = WebSocketStream::from_raw_socket(stream.into_inner(), Role::Server, None).await;
            let _ = opened.send(socket);
            return Ok(());
        }
        let (status, body) = match request.as_str() {
            "GET /ari/asterisk/info" => (200, r#"{"system":{"version":"22.10.1"}}"#),
            "GET /ari/applications/nameplate" => (200, r#"{"channel_ids":[]}"#),
            _ if request.starts_with("PUT /ari/applications/") => (200, "{}"),
            _ => (404, r#"{"message":"Channel not found"}"#),
        };
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
    }
}
