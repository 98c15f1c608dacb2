//! An open page of calls, without a browser: its stream of events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

/// How long an event may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The stream of an open page.
pub(crate) struct Stream {
    stream: TcpStream,
    text: String,
}

impl Stream {
    /// Opens it, behind the last event that the page has; "" for none. None where nobody listens, as between two services.
    pub(crate) async fn try_open(address: SocketAddr, last: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET /calls/events HTTP/1.1\r\nHost: {address}\r\nLast-Event-ID: {last}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut stream = Self { stream, text: String::new() };
        stream.reads("retry: ").await.then_some(stream)
    }

    /// Opens it.
    ///
    /// # Panics
    /// When it is refused.
    pub(crate) async fn open(address: SocketAddr, last: &str) -> Self {
        Self::try_open(address, last).await.expect("a stream")
    }

    /// Reads until this has come. False at the end of the stream.
    async fn reads(&mut self, what: &str) -> bool {
        let mut bytes = vec![0; 16 << 10];
        // A stream without calls says that it is still there.
        let until = tokio::time::Instant::now() + PATIENCE;
        while !self.text.contains(what) {
            match timeout_at(until, self.stream.read(&mut bytes)).await {
                Ok(Ok(read)) if read > 0 => self.text.push_str(&String::from_utf8_lossy(&bytes[..read])),
                _ => return false,
            }
        }
        true
    }

    /// Waits until this has come, and says when.
    ///
    /// # Panics
    /// With all that has come, when it does not.
    pub(crate) async fn until(&mut self, what: &str) -> Instant {
        assert!(self.reads(what).await, "{what:?} has not come:\n{}", self.text);
        Instant::now()
    }

    /// All that has come.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Forgets all that has come.
    pub(crate) fn forget(&mut self) {
        self.text.clear();
    }

    /// The id of the last event.
    pub(crate) fn last(&self) -> String {
        let last = self.text.lines().rev().find_map(|line| line.strip_prefix("id: "));
        last.unwrap_or_default().to_owned()
    }

    /// Reads whatever comes, for ever.
    pub(crate) async fn read_on(mut self) {
        let mut bytes = vec![0; 16 << 10];
        while self.stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    }
}
