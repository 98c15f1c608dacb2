//! Lines from Asterisk, none longer than [`MAX_LINE`].

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line, in bytes without its end: a value of 8 KiB, and a variable's name in front of it. Asterisk writes a
/// caller's name whole, and a dialplan's variable holds 4 or 8 KiB: such a name must not cost the call the one that the CRM has.
pub(super) const MAX_LINE: usize = 8 * 1024 + 64;

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The other side has closed the connection.
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

    /// Whether what has come of the next line begins so.
    pub(super) fn holds(&self, start: &str) -> bool {
        self.from.buffer().starts_with(start.as_bytes())
    }

    /// The next line, without its line break. What is not UTF-8 is replaced.
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

/// Appends what has come of the line; says how much that was with the line break, and whether that was there.
async fn take(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> Result<(usize, bool), LineError> {
    let come = from.fill_buf().await?;
    if come.is_empty() {
        return Err(LineError::Closed);
    }
    let end = come.iter().position(|byte| *byte == b'\n');
    let part = come.get(..end.unwrap_or(come.len())).unwrap_or_default();
    if line.len() + part.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    line.extend_from_slice(part);
    Ok((end.map_or(come.len(), |end| end + 1), end.is_some()))
}
