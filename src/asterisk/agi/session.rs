//! The session of one call: the block, the name, the commands.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::protocol::{Block, BlockError, LineError, Lines, NOTHING, Response, set_variable};
use crate::call::{self, Caller, Edition, Party};
use crate::calls::{Leg, Outcome};
use crate::lookup::{Pbx, Resolver};
use crate::observe::mask;

/// The most time for the block.
const BLOCK: Duration = Duration::from_secs(1);
/// The most time for a command and its response.
const RESPONSE: Duration = Duration::from_secs(1);
/// After this time the end of the connection is taken for the end of the dialplan's half second, else for a caller who has hung
/// up.
const BOUND: Duration = Duration::from_millis(450);
/// The most lines that a response may have.
const MAX_LINES: usize = 64;

/// Why a call goes on without its name.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the caller has hung up")]
    HungUp,
    #[error("the call is not described: {0}")]
    Block(#[from] BlockError),
    #[error("the call is not described within {BLOCK:?}")]
    BlockTooSlow,
    #[error(
        "a call wants the script `{0}`, which is none of nameplate's (`handoff` and `called`, for the shipped dialplan, and `lookup`, for others): its dialplan goes on without the script. It looks for another FastAGI server at this port: FreePBX's own is 4573. Give [agi] another `listen`, and write that port into the AGI() lines of the context `nameplate`"
    )]
    Foreign(String),
    /// Without a directory "not found" would be untrue, so the call goes on as if no service were there.
    #[error("no source has delivered a list yet")]
    NoDirectory,
    #[error("Asterisk's response is missing: {0}")]
    Response(#[from] LineError),
    #[error("Asterisk has not responded within {RESPONSE:?}")]
    ResponseTooSlow,
    #[error("a session has taken {0:?} and is closed")]
    TooSlow(Duration),
    #[error("Asterisk does not take the command: {0}")]
    Refused(String),
}

impl SessionError {
    /// Whether the caller has hung up.
    pub(super) fn is_hangup(&self) -> bool {
        match self {
            Self::HungUp => true,
            // Asterisk closes the connection of a dead channel without a response.
            Self::Block(BlockError::Line(error)) | Self::Response(error) => {
                matches!(error, LineError::Closed | LineError::Broken(_))
            }
            _ => false,
        }
    }

    /// What became of the call, which had been here for so long.
    pub(super) fn outcome(&self, took: Duration) -> Outcome {
        match self {
            Self::ResponseTooSlow | Self::TooSlow(_) => Outcome::Late,
            Self::Refused(_) => Outcome::Refused,
            error if error.is_hangup() && took < BOUND => Outcome::HungUp,
            error if error.is_hangup() => Outcome::Late,
            _ => Outcome::Unavailable,
        }
    }
}

/// The script that `AGI()` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// `agi://host/handoff`, for the shipped context: one variable has the whole answer.
    Handoff,
    /// `agi://host/called`, for the shipped context: the same about the person called.
    Called,
    /// `agi://host/lookup`, for a user's own dialplan: a variable for each part of the answer.
    Lookup,
}

/// What is known of a call before its end, also of one without an answer. "" for what is not known.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The caller's number; "" if it is withheld.
    pub(super) number: String,
    /// The number called.
    pub(super) called: String,
    /// The end of the call whose name is wanted.
    pub(super) wanted: Party,
}

impl Seen {
    /// The same, for the history of calls.
    pub(super) fn leg(&self) -> Leg<'_> {
        Leg { number: &self.number, called: &self.called, wanted: self.wanted, ..Leg::default() }
    }
}

/// Serves one call, of which it notes in `seen` what it learns. Returns the answer when Asterisk has taken it. The call waits for
/// the search in the CRM for at most `longest_wait`.
pub(super) async fn serve(
    stream: &mut TcpStream,
    resolver: &Resolver,
    pbx: &Pbx,
    longest_wait: Duration,
    unknown_country: impl FnOnce(&str),
    seen: &mut Seen,
) -> Result<call::Answer, SessionError> {
    let (read, write) = stream.split();
    let mut lines = Lines::new(read);
    let block = timeout(BLOCK, Block::read(&mut lines)).await.map_err(|_| SessionError::BlockTooSlow)??;
    // A withheld number is not looked up.
    let number = if block.is_allowed() { block.caller.as_str() } else { "" };
    let dialled = if block.is_forged() { "" } else { block.dialled.as_str() };
    number.clone_into(&mut seen.number);
    dialled.clone_into(&mut seen.called);
    let script = match block.script.as_str() {
        "handoff" => Script::Handoff,
        "called" => Script::Called,
        "lookup" | "" => Script::Lookup,
        other => return Err(SessionError::Foreign(shortened(other))),
    };
    let wanted = if script == Script::Called { Party::Called } else { Party::Caller };
    seen.wanted = wanted;
    if !resolver.is_filled() {
        return Err(SessionError::NoDirectory);
    }
    let country = call::country(&block.country, unknown_country);
    let caller = Caller { number, name: &block.name, dialled, wanted, country };
    let mut commands = Commands { lines, write };
    let answering = call::answer_in_time(resolver, pbx, caller, longest_wait);
    let answer = commands.unless_hung_up(answering).await?;
    match script {
        Script::Handoff | Script::Called => {
            let line = answer.line(Edition::of(&block.edition));
            commands.set("LOCAL(NAMEPLATE_ANSWER)", &line).await?;
        }
        Script::Lookup => {
            // A caller may write the end of the block, and before it that the number is not withheld. Asterisk executes a command
            // only after its own whole block, so its response proves that the block was whole. The shipped context does not
            // need this: it skips withheld numbers before the AGI().
            if block.is_asterisks() {
                commands.send(NOTHING).await?;
            }
            if let Some(name) = answer.name() {
                commands.set("CALLERID(name)", name).await?;
            }
            let [person, company] = answer.ids();
            commands.set("__NAMEPLATE_PERSON_ID", &person).await?;
            commands.set("__NAMEPLATE_CONTACT_ID", &company).await?;
            commands.set("__NAMEPLATE_CERTAINTY", answer.certainty()).await?;
            commands.set("__NAMEPLATE_TAG", answer.tag()).await?;
            commands.set("__NAMEPLATE_STATUS", answer.word()).await?;
        }
    }
    Ok(answer)
}

/// At most 32 characters of a word that is not ours, for a log line.
fn shortened(word: &str) -> String {
    mask::Text(&word.chars().take(32).collect::<String>()).to_string()
}

/// Commands to Asterisk, one after the other. Each one waits for the response to the one before.
struct Commands<'a> {
    lines: Lines<ReadHalf<'a>>,
    write: WriteHalf<'a>,
}

impl Commands<'_> {
    /// Waits for the answer to a call. The caller may hang up meanwhile.
    async fn unless_hung_up<T>(&mut self, answering: impl Future<Output = T>) -> Result<T, SessionError> {
        let line = tokio::select! {
            biased;
            answer = answering => return Ok(answer),
            line = self.lines.next() => line?,
        };
        match Response::of(&line) {
            Response::Hangup => Err(SessionError::HungUp),
            // Asterisk says nothing else before a command, so the caller has written the end of the block.
            _ => Err(BlockError::Foreign.into()),
        }
    }

    /// Sets a variable.
    async fn set(&mut self, name: &str, value: &str) -> Result<(), SessionError> {
        self.send(&set_variable(name, value)).await
    }

    /// Sends a command, and waits for its response.
    async fn send(&mut self, command: &str) -> Result<(), SessionError> {
        let done = async {
            // In one write: Asterisk spins on a part of a line. Nothing is under way before it, so TCP sends it at once.
            self.write.write_all(command.as_bytes()).await.map_err(LineError::Broken)?;
            self.response().await
        };
        timeout(RESPONSE, done).await.unwrap_or(Err(SessionError::ResponseTooSlow))
    }

    async fn response(&mut self) -> Result<(), SessionError> {
        for _ in 0..MAX_LINES {
            let line = self.lines.next().await?;
            match Response::of(&line) {
                Response::Done => return Ok(()),
                Response::Dead => return Err(SessionError::HungUp),
                // The last line of a usage is `520 End of proper usage.`, which is refused below.
                Response::Hangup | Response::UsageFollows => {}
                Response::Refused if line.starts_with(|c: char| c.is_ascii_digit()) => {
                    return Err(SessionError::Refused(shortened(&line)));
                }
                // The block goes on, so the caller has written its end.
                Response::Refused if line.starts_with("agi_") => return Err(BlockError::Foreign.into()),
                // A line of a usage.
                Response::Refused => {}
            }
        }
        Err(SessionError::Refused("it says too much".into()))
    }
}
