//! One call: its block, its name, its commands.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::protocol::{Answer, Block, BlockError, LineError, Lines, NOTHING, set_variable};
use crate::call::{self, Caller};
use crate::lookup::{Pbx, Resolver};
use crate::observe::mask;

/// How long the block may take to arrive.
const BLOCK: Duration = Duration::from_secs(1);
/// How long the answer to a command may take, and the command to be written.
const ANSWER: Duration = Duration::from_secs(1);
/// The most lines that are read while an answer is waited for.
const MAX_LINES: usize = 64;

/// Why a call went on without its name.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the caller has hung up")]
    HungUp,
    #[error("the call is not described: {0}")]
    Block(#[from] BlockError),
    #[error("the call is not described within {BLOCK:?}")]
    BlockTooSlow,
    #[error(
        "a call wants the script `{0}`, which is none of nameplate's (`handoff`, for the shipped dialplan, and `lookup`, for others): its dialplan goes on without the script. It looks for another FastAGI server at this port: FreePBX's own is 4573. Give [agi] another `listen`, and write that port into the AGI() lines of the context `nameplate`"
    )]
    Foreign(String),
    /// Before there is a directory, "not found" would be untrue: the call goes on as with nobody to ask.
    #[error("no source has delivered a list yet")]
    NoDirectory,
    #[error("Asterisk's answer is missing: {0}")]
    Answer(#[from] LineError),
    #[error("Asterisk has not answered within {ANSWER:?}")]
    AnswerTooSlow,
    #[error("a session has taken {0:?} and is closed")]
    TooSlow(Duration),
    #[error("Asterisk does not take the command: {0}")]
    Refused(String),
}

impl SessionError {
    /// Whether the caller has simply gone.
    pub(super) fn is_hangup(&self) -> bool {
        match self {
            Self::HungUp => true,
            // A dead channel's connection is closed by Asterisk without a word.
            Self::Block(BlockError::Line(error)) | Self::Answer(error) => {
                matches!(error, LineError::Closed | LineError::Broken(_))
            }
            _ => false,
        }
    }
}

/// Which script `AGI()` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// `agi://host/handoff`, of the shipped context: one variable carries all.
    Handoff,
    /// `agi://host/lookup`, in a user's own dialplan: each variable is set.
    Lookup,
}

/// Serves one call. What was found has then been taken by Asterisk.
pub(super) async fn serve(
    stream: &mut TcpStream,
    resolver: &Resolver,
    pbx: &Pbx,
    unknown_country: impl FnOnce(&str),
) -> Result<call::Answer, SessionError> {
    let (read, write) = stream.split();
    let mut lines = Lines::new(read);
    let block = timeout(BLOCK, Block::read(&mut lines)).await.map_err(|_| SessionError::BlockTooSlow)??;
    let script = match block.script.as_str() {
        "handoff" => Script::Handoff,
        "lookup" | "" => Script::Lookup,
        other => return Err(SessionError::Foreign(shortened(other))),
    };
    if !resolver.is_filled() {
        return Err(SessionError::NoDirectory);
    }
    // A withheld number is not looked at, wherever it comes from.
    let number = if block.is_allowed() { block.caller.as_str() } else { "" };
    let country = call::country(&block.country, unknown_country);
    let answer = call::answer(resolver, pbx, Caller { number, name: &block.name, country });
    let mut talk = Talk { lines, write };
    match script {
        Script::Handoff => talk.set("LOCAL(NAMEPLATE_ANSWER)", &answer.line()).await?,
        Script::Lookup => {
            // A caller's words can end the block, and say before that the number is not withheld. Asterisk executes commands
            // when it has said its own block to the end, which its answer proves. The shipped context asks for withheld
            // numbers before it comes here.
            if block.is_asterisks() {
                talk.command(NOTHING).await?;
            }
            if let Some(name) = answer.name() {
                talk.set("CALLERID(name)", name).await?;
            }
            let [person, company] = answer.ids();
            talk.set("__NAMEPLATE_PERSON_ID", &person).await?;
            talk.set("__NAMEPLATE_CONTACT_ID", &company).await?;
            talk.set("__NAMEPLATE_STATUS", answer.word()).await?;
        }
    }
    Ok(answer)
}

/// Somebody else's word, for a line of the log.
fn shortened(word: &str) -> String {
    mask::Text(&word.chars().take(32).collect::<String>()).to_string()
}

/// The talk with Asterisk about one call: a command, then its answer, then the next.
struct Talk<'a> {
    lines: Lines<ReadHalf<'a>>,
    write: WriteHalf<'a>,
}

impl Talk<'_> {
    /// Sets a variable, and waits until that is done.
    async fn set(&mut self, name: &str, value: &str) -> Result<(), SessionError> {
        self.command(&set_variable(name, value)).await
    }

    async fn command(&mut self, command: &str) -> Result<(), SessionError> {
        let done = async {
            // Whole, in one write: a part of a line makes Asterisk spin.
            self.write.write_all(command.as_bytes()).await.map_err(LineError::Broken)?;
            self.answer().await
        };
        timeout(ANSWER, done).await.unwrap_or(Err(SessionError::AnswerTooSlow))
    }

    async fn answer(&mut self) -> Result<(), SessionError> {
        for _ in 0..MAX_LINES {
            let line = self.lines.next().await?;
            match Answer::of(&line) {
                Answer::Done => return Ok(()),
                Answer::Dead => return Err(SessionError::HungUp),
                // The usage ends with a line of its own, `520 End of proper usage.`; a hangup is no answer.
                Answer::Hangup | Answer::UsageFollows => {}
                Answer::Refused if line.starts_with(|c: char| c.is_ascii_digit()) => {
                    return Err(SessionError::Refused(shortened(&line)));
                }
                // The block goes on: what ended it was a caller's, and so is what it said.
                Answer::Refused if line.starts_with("agi_") => return Err(BlockError::Foreign.into()),
                // A line of a usage.
                Answer::Refused => {}
            }
        }
        Err(SessionError::Refused("it says too much".into()))
    }
}
