//! The protocol of AGI: Asterisk sends a block of variables about the call. Then we send commands, and Asterisk sends a
//! response to each.
//!
//! The block is `agi_…` lines up to an empty one.
//!
//! Asterisk escapes nothing, so line breaks in a caller's number or name look like its own. What helps is its order
//! (`res_agi.c`, `setup_env`, the same from 16 to 23): script, …, number, name, presentation, …, `agi_threadid`,
//! arguments, the empty line. Nothing of what is decided by it is taken from where a caller's words can stand alone, and a
//! call is not looked up whose block says something twice, for Asterisk says each variable once. A caller may even end the block,
//! with all that Asterisk says behind the name: the rest of it then follows behind the end.

use std::collections::HashSet;
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

/// The longest block, in bytes.
pub(super) const MAX_BLOCK: usize = 64 * 1024;
/// The most variables of a block: Asterisk sends 22, and one for each argument.
pub(super) const MAX_VARIABLES: usize = 128;

/// What a call is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Which script: `lookup` of `agi://host/lookup?x=y`.
    pub script: String,
    /// The caller's number; empty where there is none.
    pub caller: String,
    /// The caller's name as the provider sent it; empty where there is none.
    pub name: String,
    /// How the number may be shown: Asterisk's number for it, none where it did not say.
    pub presentation: Option<u32>,
    /// The first argument of `AGI()`: the trunk's country; empty where there is none.
    pub country: String,
    /// Whether a line has said the caller's number, be it that there is none.
    caller_is_said: bool,
    /// Whether a line has said the presentation.
    presentation_is_said: bool,
    /// The variables that were said.
    said: HashSet<String>,
    /// Whether one was said twice: a caller has said some of it.
    is_forged: bool,
    /// Whether `agi_threadid` was said, the last line in front of the arguments.
    thread_is_said: bool,
    /// Which value a further line may belong to.
    last: Option<Last>,
}

/// What the last line set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Caller,
    Name,
    Other,
}

/// The block at the beginning of these bytes, as a session reads it: for fuzzing.
#[doc(hidden)]
#[must_use]
pub fn block(bytes: &[u8]) -> Option<Block> {
    // All is there already, so nothing is waited for.
    Block::read(&mut Lines::new(bytes)).now_or_never()?.ok()
}

/// Why there is no block.
#[derive(Debug, thiserror::Error)]
pub(super) enum BlockError {
    #[error(transparent)]
    Line(#[from] LineError),
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
    /// Reads a block.
    pub(super) async fn read<Stream: AsyncRead + Unpin>(
        lines: &mut Lines<Stream>,
    ) -> Result<Self, BlockError> {
        let mut block = Self::default();
        let mut size = 0;
        for _ in 0..=MAX_VARIABLES {
            let line = lines.next().await?;
            // Before that it is a caller's own.
            if line.is_empty() && block.thread_is_said {
                // Asterisk waits for an answer now. More of the block means that its end was a caller's.
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

    /// Takes a line. A caller may send line breaks (`%0a` in a SIP address, a folded header): a line that sets nothing
    /// belongs to the value before it, a number of several lines is none, and a second number is nobody's.
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
        self.is_forged |= !self.said.insert(name.to_owned());
        let value = value.strip_prefix(' ').unwrap_or(value);
        // What is not set is `unknown`, which a name may be as well.
        let set = || if value == "unknown" { String::new() } else { value.to_owned() };
        self.last = Some(Last::Other);
        match name {
            // Asterisk says the script before the caller's own words, the presentation and the arguments behind
            // them: what a caller's line breaks say of these does not count.
            "network_script" if self.caller_is_said => {}
            "network_script" => value.split('?').next().unwrap_or_default().clone_into(&mut self.script),
            "callerid" if self.caller_is_said => return None,
            "callerid" => {
                self.caller = set();
                self.caller_is_said = true;
                self.last = Some(Last::Caller);
            }
            "calleridname" => {
                self.name = set();
                self.last = Some(Last::Name);
            }
            // Where it is said twice, one of them is a caller's: allowed is only what both allow.
            "callingpres" => {
                let said: Option<u32> = value.parse().ok();
                self.presentation = match self.presentation {
                    _ if !self.presentation_is_said => said,
                    before => before.zip(said).map(|(before, said)| before | said),
                };
                self.presentation_is_said = true;
            }
            // What a caller says of the arguments stands in front of Asterisk's own.
            "threadid" => {
                self.thread_is_said = true;
                self.country.clear();
            }
            "arg_1" if self.thread_is_said => value.clone_into(&mut self.country),
            _ => {}
        }
        Some(())
    }

    /// Whether a caller's words may be in it: Asterisk says the channel before them, and the name. Who says neither is no
    /// Asterisk, and speaks for nobody else.
    pub(super) fn is_asterisks(&self) -> bool {
        ["channel", "calleridname"].iter().any(|name| self.said.contains(*name))
    }

    /// Whether the caller's number may be shown. Bits 6 and 7 of the presentation (Q.951, octet 3a) are 0 where it
    /// is allowed; not known is not allowed.
    pub(super) fn is_allowed(&self) -> bool {
        !self.is_forged && self.presentation.is_some_and(|presentation| presentation & 0x60 == 0)
    }
}

/// A command that does nothing.
pub(super) const NOTHING: &str = "NOOP\n";

/// `SET VARIABLE`: the value is taken as it is, whatever it holds; nothing in it is substituted.
pub(super) fn set_variable(name: &str, value: &str) -> String {
    let mut command = format!("SET VARIABLE {name} \"");
    for c in value.chars() {
        match c {
            '"' | '\\' => command.extend(['\\', c]),
            // It would be the next command.
            '\r' | '\n' | '\0' => command.push(' '),
            c => command.push(c),
        }
    }
    command.push_str("\"\n");
    command
}

/// What a line from Asterisk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// `200 …`: done.
    Done,
    /// `511 …`: the channel is dead.
    Dead,
    /// `HANGUP`: the caller has gone. It is no answer, and the answer may still come.
    Hangup,
    /// `520-…`: the first line of several.
    UsageFollows,
    /// Anything else: the command was not understood.
    Refused,
}

impl Answer {
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
