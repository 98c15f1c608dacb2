//! The body of an answer, on its way from the connection to the thread that parses it, through a short queue. When the request
//! ends early (the service stops, or its time is over), the queue closes, and the parser gets an error.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use reqwest::Response;
use tokio::sync::mpsc;

/// Chunks that may wait for the parser. Then the connection waits.
const QUEUE: usize = 8;

/// Creates the two ends of a body.
pub(super) fn channel() -> (Pump, Body) {
    let (send, receive) = mpsc::channel(QUEUE);
    (Pump { send }, Body { receive, piece: Bytes::new() })
}

/// The connection's end.
pub(super) struct Pump {
    send: mpsc::Sender<io::Result<Bytes>>,
}

impl Pump {
    /// Sends the whole body, or the error that ended it.
    pub(super) async fn run(self, mut response: Response) {
        loop {
            let piece = match response.chunk().await {
                Ok(Some(piece)) => Ok(piece),
                Ok(None) => return,
                Err(error) if error.is_timeout() => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, error.without_url()))
                }
                Err(error) => Err(io::Error::other(error.without_url())),
            };
            let last = piece.is_err();
            // The parser ends early if the rest is of no use.
            if self.send.send(piece).await.is_err() || last {
                return;
            }
        }
    }
}

/// The parser's end.
pub(super) struct Body {
    receive: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receive.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
