//! Lines from Asterisk, none longer than [`MAX_LINE`].

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line, in bytes without its line break: a variable's name and a value of 8 KiB. A dialplan's variable holds 4 or
/// 8 KiB, and Asterisk sends a caller's name of that length whole. Such a call must still get its name from the CRM.
pub(super) const MAX_LINE: usize = 8 * 1024 + 64;

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// Asterisk has closed the connection.
    #[error("the connection was closed")]
    Closed,
    #[error("the connection is broken: {0}")]
    Broken(#[from] io::Error),
    #[error("a line is longer than {MAX_LINE} bytes")]
    TooLong,
}

/// Reads line after line.
pub(super) struct Lines<Stream> {
    from: BufReader<Stream>,
    line: Vec<u8>,
}

impl<Stream: AsyncRead + Unpin> Lines<Stream> {
    pub(super) fn new(from: Stream) -> Self {
        Self { from: BufReader::with_capacity(4096, from), line: Vec::new() }
    }

    /// Whether the received part of the next line begins with `start`.
    pub(super) fn holds(&self, start: &str) -> bool {
        self.from.buffer().starts_with(start.as_bytes())
    }

    /// The next line, without its line break. Bytes that are not UTF-8 are replaced.
    pub(super) async fn next(&mut self) -> Result<String, LineError> {
        self.line.clear();
        loop {
            let (taken, ended) = take(&mut self.from, &mut self.line).await?;
            self.from.consume(taken);
            if ended {
                break;
            }
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        Ok(String::from_utf8_lossy(line).into_owned())
    }
}

/// Appends the received part of the line. Returns its length with the line break, and whether the line break has come.
async fn take(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> Result<(usize, bool), LineError> {
    let received = from.fill_buf().await?;
    if received.is_empty() {
        return Err(LineError::Closed);
    }
    let end = received.iter().position(|byte| *byte == b'\n');
    let part = received.get(..end.unwrap_or(received.len())).unwrap_or_default();
    if line.len() + part.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    line.extend_from_slice(part);
    Ok((end.map_or(received.len(), |end| end + 1), end.is_some()))
}
