//! What waits on the socket. After a pause of this process, or of its machine, that may be thousands of calls. Those that the
//! dialplan's bound has released meanwhile are not answered: Asterisk takes one request after the other, and would be as late for
//! the calls that come now.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::warnings::Warnings;
use super::super::wire;

/// So many messages that wait at once are no rush: this process was paused.
const LONG: usize = 16;
/// A call that is older than the newest by so much has been released by the dialplan's bound of half a second.
const STALE: SignedDuration = SignedDuration::from_millis(600);
/// What is sent to learn whether all that waited has come, and how long the answer may take.
const AWAKE: &str = "awake";
const AWAKE_TIMEOUT: Duration = Duration::from_millis(100);

/// What waits on the socket, as far as it is known.
#[derive(Debug, Default)]
pub(super) enum Backlog {
    /// Each message is taken as it comes.
    #[default]
    Flowing,
    /// Many are taken at once. Calls from before `since`, by Asterisk's clock, wait no longer; `missed` of them were seen.
    Long { since: Option<Timestamp>, is_behind: bool, missed: usize },
    /// All were taken, and more may be stuck: TCP tries ever less often to send to a process that takes nothing, and its next
    /// attempt may be seconds away. The ping that was sent before is answered behind them.
    Doubtful { until: Instant },
}

impl Backlog {
    /// These messages wait. The ping to send, where more may be stuck behind them.
    pub(super) fn begin(&mut self, messages: &[Message]) -> Option<Message> {
        // A few are answered as fast as they are judged.
        if messages.len() < LONG {
            return None;
        }
        let since = messages.iter().rev().find_map(time).and_then(|newest| newest.checked_sub(STALE).ok());
        let oldest = messages.iter().find_map(time);
        let is_behind = since.is_some_and(|since| oldest.is_some_and(|oldest| oldest < since));
        *self = Self::Long { since, is_behind, missed: 0 };
        is_behind.then(|| Message::Ping(AWAKE.into()))
    }

    /// Whether a call that came then is released by now. It counts as missed.
    pub(super) fn misses(&mut self, came: Option<Timestamp>) -> bool {
        let Self::Long { since: Some(since), missed, .. } = self else { return false };
        let is_stale = came.is_some_and(|came| came < *since);
        *missed += usize::from(is_stale);
        is_stale
    }

    /// All of them were taken. Whether some were missed.
    pub(super) fn end(&mut self, now: Instant, warnings: &Warnings) -> bool {
        let Self::Long { is_behind, missed, .. } = *self else { return false };
        *self = if is_behind { Self::Doubtful { until: now + AWAKE_TIMEOUT } } else { Self::Flowing };
        if missed > 0 {
            warnings.behind(missed);
        }
        missed > 0
    }

    /// The answer to a ping has come.
    pub(super) fn pong(&mut self, word: &[u8]) {
        if word != AWAKE.as_bytes() {
            return;
        }
        match self {
            Self::Flowing => {}
            Self::Doubtful { .. } => *self = Self::Flowing,
            Self::Long { is_behind, .. } => *is_behind = false,
        }
    }

    /// When the connection is given up, because what is stuck does not come.
    pub(super) fn given_up_at(&self) -> Option<Instant> {
        if let Self::Doubtful { until } = self { Some(*until) } else { None }
    }
}

/// When an event happened, by Asterisk's clock, if that is what the message is.
fn time(message: &Message) -> Option<Timestamp> {
    let Message::Text(text) = message else { return None };
    serde_json::from_str::<wire::Message<'_>>(text).ok()?.time()
}
