//! A client of the program's web server: one request for each connection, byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::nameplate::Nameplate;

/// How long an answer, and what is waited for, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers, in small letters.
    pub head: String,
    /// What comes behind them.
    pub body: String,
}

/// Waits until the program's web server listens, and says where it did last: for `listen = "127.0.0.1:0"`.
pub(crate) async fn address(nameplate: &Nameplate) -> SocketAddr {
    nameplate.until_logged("web server listens address=", 1).await;
    let log = nameplate.log();
    let address =
        log.rsplit("web server listens address=").next().and_then(|rest| rest.split_whitespace().next());
    address.and_then(|address| address.parse().ok()).expect("an address in the log")
}

/// What is answered to `GET {path}` with these further headers (each with its line break).
///
/// # Panics
/// When there is no answer.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    request(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"))
}

/// What is answered to these bytes, after which the server closes the connection.
///
/// # Panics
/// When there is no answer.
pub(crate) fn request(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("a status"), head: head.to_lowercase(), body: body.to_owned() }
}

/// Asks until `wanted` says yes, and gives that answer.
///
/// # Panics
/// With the last answer, when it has not after 10 s.
pub(crate) async fn until(address: SocketAddr, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = get(address, path, "");
        if wanted(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of one line of `/metrics`, such as `nameplate_calls_total{pbx="pbx1",outcome="found"}`.
///
/// # Panics
/// When there is no such line.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics", "").body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("{name}:\n{text}"))
}
