//! Who is calling, as Asterisk says it: `agi_…` lines up to an empty one.
//!
//! Asterisk escapes nothing, so line breaks in a caller's number or name look like its own. What helps is its order
//! (`res_agi.c`, `setup_env`, the same from 16 to 23): script, …, number, name, presentation, …, `agi_threadid`,
//! arguments, the empty line. Each of its variables comes once: a block that has one twice is partly a caller's, and is
//! refused. A caller may even end the block, with all that Asterisk says behind the name; the rest then follows behind the end.

use std::collections::HashSet;

use futures_util::FutureExt;
use tokio::io::AsyncRead;

use super::lines::{LineError, Lines};

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
        "a line of the block is none of Asterisk's: it says again what Asterisk says once, or follows behind the end"
    )]
    Foreign,
}

impl Block {
    /// Reads a block.
    pub(super) async fn read<Stream: AsyncRead + Unpin>(
        lines: &mut Lines<Stream>,
    ) -> Result<Self, BlockError> {
        let mut block = Self::default();
        let (mut size, mut said) = (0, HashSet::new());
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
            block.take(&line, &mut said).ok_or(BlockError::Foreign)?;
        }
        Err(BlockError::TooMany)
    }

    /// Takes a line, where `said` are the variables so far. A caller may send line breaks (`%0a` in a SIP address, a folded
    /// header): a line that sets nothing belongs to the value before it, and a number of several lines is none.
    fn take(&mut self, line: &str, said: &mut HashSet<String>) -> Option<()> {
        let variable = line.strip_prefix("agi_").and_then(|line| line.split_once(':'));
        let Some((name, value)) = variable else {
            match self.last? {
                Last::Caller => self.caller.clear(),
                Last::Name => self.name.extend(["\n", line]),
                Last::Other => {}
            }
            return Some(());
        };
        if !said.insert(name.to_owned()) {
            return None;
        }
        let value = value.strip_prefix(' ').unwrap_or(value);
        // What is not set is `unknown`, which a name may be as well.
        let set = || if value == "unknown" { String::new() } else { value.to_owned() };
        self.last = Some(Last::Other);
        match name {
            "network_script" => value.split('?').next().unwrap_or_default().clone_into(&mut self.script),
            "callerid" => {
                self.caller = set();
                self.last = Some(Last::Caller);
            }
            "calleridname" => {
                self.name = set();
                self.last = Some(Last::Name);
            }
            "callingpres" => self.presentation = value.parse().ok(),
            "threadid" => self.thread_is_said = true,
            // What a caller says of the arguments stands in front of Asterisk's own.
            "arg_1" if self.thread_is_said => value.clone_into(&mut self.country),
            _ => {}
        }
        Some(())
    }

    /// Whether the caller's number may be shown. Bits 6 and 7 of the presentation (Q.951, octet 3a) are 0 where it
    /// is allowed; not known is not allowed.
    pub(super) fn is_allowed(&self) -> bool {
        self.presentation.is_some_and(|presentation| presentation & 0x60 == 0)
    }
}
