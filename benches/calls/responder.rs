//! The least that can answer Asterisk: a fixed name, no JSON parser, no directory. In a process of its own, as
//! nameplate is.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;

/// As long as nameplate's in this benchmark.
const NAME: &str = "Person Number 12345 (Company 3086 AS)";

/// Both responders.
pub(crate) struct Running {
    process: Child,
}

impl Running {
    /// `user` is `name:password`, and `agi` the port of FastAGI.
    pub(crate) fn start(url: &str, user: &str, agi: u16) -> Self {
        let token = base64::engine::general_purpose::STANDARD.encode(user);
        let this = std::env::current_exe().expect("this program");
        let arguments = ["bare", url, &token, &agi.to_string()].map(str::to_owned);
        let process = Command::new(this).args(arguments).stdin(Stdio::null()).spawn().expect("the responder");
        Self { process }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `URL TOKEN PORT`
pub(crate) fn run(arguments: &[String]) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let [url, token, port] = &arguments[..3] else { panic!("bare URL TOKEN PORT") };
    let listener = TcpListener::bind(("127.0.0.1", port.parse().expect("a port"))).expect("the port");
    thread::spawn(move || agi(&listener));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(ari(url, token));
}

fn agi(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut lines = BufReader::new(&stream);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 1) {
                line.clear();
            }
            let command = format!("SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"FOUND:12346:3087:{NAME}\"\n");
            let _ = (&stream).write_all(command.as_bytes());
            let _ = lines.read_line(&mut line);
        });
    }
}

async fn ari(url: &str, token: &str) {
    let events = format!("{}/ari/events?app=bare&subscribeAll=false", url.replace("http", "ws"));
    let mut request = events.into_client_request().expect("a request");
    let authorization = format!("Basic {token}");
    request.headers_mut().insert("Authorization", authorization.parse().expect("a header"));
    let (mut socket, _) = connect_async_with_config(request, None, true).await.expect("Asterisk");
    reqwest::Client::new()
        .put(format!("{url}/ari/applications/bare/eventFilter"))
        .header("Authorization", authorization)
        .json(&serde_json::json!({ "allowed": [{ "type": "StasisStart" }, { "type": "RESTResponse" }] }))
        .send()
        .await
        .expect("the filter");
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if !text.contains("\"StasisStart\"") {
            continue;
        }
        let start = text.find("\"channel\":{\"id\":\"").expect("a channel") + 17;
        let end = start + text[start..].find('"').expect("its id");
        let answer = format!(
            "{{\"type\":\"RESTRequest\",\"transaction_id\":\"t\",\"request_id\":\"r\",\"method\":\"POST\",\
             \"uri\":\"channels/{}/continue\",\"query_strings\":[{{\"name\":\"extension\",\"value\":\"=12346:3087:{NAME}\"}},\
             {{\"name\":\"label\",\"value\":\"found\"}}]}}",
            &text[start..end]
        );
        socket.send(Message::text(answer)).await.expect("an answer");
    }
}
