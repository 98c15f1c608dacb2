//! HTTP/1.1 as far as the stand-in needs it (RFC 9112): requests with a Content-Length, answers that
//! may be cut short.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request as it came, for tests to look at.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// When it had been read.
    pub at: Instant,
    /// `POST`
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Behind the `?`, as it came.
    pub query: Option<String>,
    /// Names as they came.
    pub headers: Vec<(String, String)>,
    /// Byte for byte.
    pub body: Vec<u8>,
    /// The status that was answered, and when; `None` where there was no answer (yet).
    pub answered: Option<(u16, Instant)>,
    /// Whether the answer was compressed.
    pub compressed: bool,
}

impl Request {
    /// The first header of that name, in whichever case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let is_named = |(found, _): &&(String, String)| found.eq_ignore_ascii_case(name);
        self.headers.iter().find(is_named).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An answer to be written.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// 200
    pub status: u16,
    /// All but Content-Length.
    pub headers: Vec<(&'static str, String)>,
    /// Byte for byte; shared, because it may be a hundred megabytes.
    pub body: Arc<[u8]>,
}

impl Answer {
    /// Anything.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Arc<[u8]>>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// JSON, as SuperOffice labels it.
    pub(crate) fn json(status: u16, body: impl Into<Arc<[u8]>>) -> Self {
        Self::new(status, "application/json; charset=utf-8", body)
    }

    /// SuperOffice's body for errors.
    pub(crate) fn error(status: u16, kind: &str, message: &str) -> Self {
        let body = json!({
            "Error": true,
            "ErrorType": kind,
            "ErrorMessage": message,
            "ErrorSource": "SuperOffice.WebApi",
        });
        Self::json(status, body.to_string().into_bytes())
    }

    /// The same, compressed.
    pub(crate) fn gzip(self) -> Self {
        let mut body = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        io::Write::write_all(&mut body, &self.body).expect("memory");
        let body = body.finish().expect("memory").into();
        Self { body, ..self }.with("Content-Encoding", "gzip")
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// Reads the next request of a connection; `None` at its end.
pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let mut request = Request {
        at: Instant::now(),
        method,
        path,
        query,
        headers: Vec::new(),
        body: Vec::new(),
        answered: None,
        compressed: false,
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            request.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    // Without a Content-Length there is no body; chunked requests are not understood.
    let length = request.header("Content-Length").and_then(|text| text.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await?;
    request.at = Instant::now();
    Ok(Some(request))
}

/// Writes an answer that promises its whole body and brings the first `length` bytes of it.
pub(crate) async fn write(
    stream: &mut BufReader<TcpStream>,
    answer: &Answer,
    length: usize,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    // RFC 9110 §8.6: a 204 has none.
    if answer.status != 204 {
        let _ = write!(head, "Content-Length: {}\r\n", answer.body.len());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body[..length]).await?;
    stream.flush().await
}

/// Clients must not read it; people who watch the wire do.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Lab",
    }
}
