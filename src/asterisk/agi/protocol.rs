//! The protocol of AGI. Asterisk sends a block: lines `agi_…: …` about the call, up to an empty line. Then we send commands, and
//! Asterisk sends a response to each.
//!
//! Asterisk does not escape values. So line breaks in a caller's number or name look like the ends of Asterisk's own lines. The
//! order of the lines helps (`res_agi.c`, `setup_env`, the same from 16 to 23): script, …, number, name, presentation, …,
//! `agi_threadid`, arguments, the empty line.
//!
//! - No variable that decides something is taken from a place where only the caller may have written it.
//! - A call is not looked up if its block has a variable twice: Asterisk sends each variable once.
//! - A caller may even write the end of the block, with all lines that Asterisk sends after the name. Then the rest of
//!   Asterisk's block follows after that end.

use std::io;

use futures_util::FutureExt;
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

/// The lines from Asterisk.
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

    /// The next line, without its line break. Bytes that are not UTF-8 are replaced. If this future is dropped, the next one goes on
    /// with the same line.
    pub(super) async fn next(&mut self) -> Result<String, LineError> {
        loop {
            let (taken, ended) = take(&mut self.from, &mut self.line).await?;
            self.from.consume(taken);
            if ended {
                break;
            }
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let text = String::from_utf8_lossy(line).into_owned();
        self.line.clear();
        Ok(text)
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

/// The longest block, in bytes.
pub(super) const MAX_BLOCK: usize = 64 * 1024;
/// The most variables of a block: Asterisk sends 22, and one for each argument.
pub(super) const MAX_VARIABLES: usize = 128;

/// The block of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The script: `lookup` of `agi://host/lookup?x=y`.
    pub script: String,
    /// The caller's number. Empty without a number.
    pub caller: String,
    /// The caller's name as the provider sent it. Empty without a name.
    pub name: String,
    /// The presentation of the caller's number, as Asterisk's number. None if Asterisk has not sent it.
    pub presentation: Option<u32>,
    /// The first argument of `AGI()`: the trunk's country. Empty without an argument.
    pub country: String,
    /// The second argument: what the context understands. Empty without an argument.
    pub edition: String,
    /// The third argument: the number called. Empty without an argument.
    pub dialled: String,
    /// The names of the variables so far: about 25.
    names: Vec<String>,
    /// Whether the block has a variable twice: the caller has written one of the two.
    is_forged: bool,
    /// The value to which a further line belongs.
    last: Option<Last>,
}

/// The value that the last line has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Caller,
    Name,
    Other,
}

/// The block at the beginning of these bytes, as a session reads it. For fuzz tests.
#[doc(hidden)]
#[must_use]
pub fn block(bytes: &[u8]) -> Option<Block> {
    // All bytes are there, so the future is ready at once.
    Block::read(&mut Lines::new(bytes)).now_or_never()?.ok()
}

/// Why there is no block.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlockError {
    #[error(transparent)]
    Line(#[from] LineError),
    /// No Asterisk: a probe of the port, for one.
    #[error("the client has closed the connection without a word")]
    Nothing,
    #[error("the block is longer than {MAX_BLOCK} bytes")]
    TooLong,
    #[error("the block has more than {MAX_VARIABLES} variables")]
    TooMany,
    #[error(
        "a line of the block is none of Asterisk's: it has no `agi_…: `, or says the caller's number again"
    )]
    Foreign,
}

impl Block {
    /// Reads the block.
    pub(super) async fn read<Stream: AsyncRead + Unpin>(
        lines: &mut Lines<Stream>,
    ) -> Result<Self, BlockError> {
        let mut block = Self::default();
        let mut size = 0;
        for _ in 0..=MAX_VARIABLES {
            let line = match lines.next().await {
                Err(LineError::Closed) if size == 0 && lines.line.is_empty() => {
                    return Err(BlockError::Nothing);
                }
                line => line?,
            };
            // An empty line before `agi_threadid` is the caller's.
            if line.is_empty() && block.has("threadid") {
                // Asterisk waits for a command now. If more of the block has come, the caller has written its end.
                return if lines.holds("agi_") { Err(BlockError::Foreign) } else { Ok(block) };
            }
            size += line.len() + 1;
            if size > MAX_BLOCK {
                return Err(BlockError::TooLong);
            }
            block.take(&line).ok_or(BlockError::Foreign)?;
        }
        Err(BlockError::TooMany)
    }

    /// Whether the block has this variable, `agi_…`, so far.
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Takes a line. None if the line has a second number of the caller, or no value to belong to.
    ///
    /// A caller may send line breaks (`%0a` in a SIP address, a folded header). A line without a variable belongs to the value
    /// before it. A number of several lines is no number.
    fn take(&mut self, line: &str) -> Option<()> {
        let variable = line.strip_prefix("agi_").and_then(|line| line.split_once(':'));
        let Some((name, value)) = variable else {
            match self.last? {
                Last::Caller => self.caller.clear(),
                Last::Name => self.name.extend(["\n", line]),
                Last::Other => {}
            }
            return Some(());
        };
        let is_second = self.has(name);
        if !is_second {
            self.names.push(name.to_owned());
        }
        self.is_forged |= is_second;
        let value = value.strip_prefix(' ').unwrap_or(value);
        // Asterisk sends `unknown` for a value that is not set.
        let set = || if value == "unknown" { String::new() } else { value.to_owned() };
        self.last = Some(Last::Other);
        match name {
            // Asterisk sends the script before the caller's number and name, so a later script is the caller's. The presentation and
            // the arguments come after the number and the name.
            "network_script" if self.has("callerid") => {}
            "network_script" => value.split('?').next().unwrap_or_default().clone_into(&mut self.script),
            "callerid" if is_second => return None,
            "callerid" => {
                self.caller = set();
                self.last = Some(Last::Caller);
            }
            "calleridname" => {
                self.name = set();
                self.last = Some(Last::Name);
            }
            // Of two, one is the caller's: both have to allow the number.
            "callingpres" => {
                let given: Option<u32> = value.parse().ok();
                self.presentation = match self.presentation {
                    before if is_second => before.zip(given).map(|(before, given)| before | given),
                    _ => given,
                };
            }
            // An argument before `agi_threadid` is the caller's.
            "threadid" => {
                self.country.clear();
                self.edition.clear();
                self.dialled.clear();
            }
            "arg_1" if self.has("threadid") => value.clone_into(&mut self.country),
            "arg_2" if self.has("threadid") => value.clone_into(&mut self.edition),
            "arg_3" if self.has("threadid") => value.clone_into(&mut self.dialled),
            _ => {}
        }
        Some(())
    }

    /// Whether Asterisk may have sent the block. Asterisk sends the channel and the name. A client that sends neither is another
    /// program, and no caller's words are in its block.
    pub(super) fn is_asterisks(&self) -> bool {
        self.has("channel") || self.has("calleridname")
    }

    /// Whether the caller has written a part of the block.
    pub(super) fn is_forged(&self) -> bool {
        self.is_forged
    }

    /// Whether the caller's number may be looked up. Bits 6 and 7 of the presentation (Q.951, octet 3a) are 0 if the number is
    /// allowed. An unknown presentation is not allowed.
    pub(super) fn is_allowed(&self) -> bool {
        !self.is_forged() && self.presentation.is_some_and(|presentation| presentation & 0x60 == 0)
    }
}

/// A command that does nothing.
pub(super) const NOTHING: &str = "NOOP\n";

/// `SET VARIABLE`: Asterisk takes the value as it is, and substitutes nothing in it.
pub(super) fn set_variable(name: &str, value: &str) -> String {
    let mut command = format!("SET VARIABLE {name} \"");
    for c in value.chars() {
        match c {
            '"' | '\\' => command.extend(['\\', c]),
            // What follows a line break would be the next command.
            '\r' | '\n' | '\0' => command.push(' '),
            c => command.push(c),
        }
    }
    command.push_str("\"\n");
    command
}

/// A line from Asterisk after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// `200 …`: the command is done.
    Done,
    /// `511 …`: the channel is dead.
    Dead,
    /// `HANGUP`: the caller has hung up. The response itself may still follow.
    Hangup,
    /// `520-…`: the first line of a usage.
    UsageFollows,
    /// Any other line: Asterisk has not understood the command.
    Refused,
}

impl Response {
    /// Reads a line.
    pub(super) fn of(line: &str) -> Self {
        if line == "HANGUP" {
            return Self::Hangup;
        }
        match line.get(..4) {
            Some("200 ") => Self::Done,
            Some("511 ") => Self::Dead,
            Some("520-") => Self::UsageFollows,
            _ => Self::Refused,
        }
    }
}
