//! Messages that wait on the socket. After a pause of this process, or of its machine, these may be thousands of calls. Calls
//! that the dialplan's bound has released meanwhile are not answered: Asterisk executes one request after the other, so their
//! requests would hold up new calls.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::warnings::Warnings;
use super::super::wire;

/// If at least so many messages wait at once, this process may have been paused.
const LONG: usize = 16;
/// A call that is so much older than the newest call has been released by the dialplan's bound of half a second.
const STALE: SignedDuration = SignedDuration::from_millis(600);
/// The payload of the ping that follows a long backlog, and the most time for its pong.
const AWAKE: &str = "awake";
const AWAKE_TIMEOUT: Duration = Duration::from_millis(100);

/// What is known of the messages that wait on the socket.
#[derive(Debug, Default)]
pub(super) enum Backlog {
    /// Messages are read as they come.
    #[default]
    Flowing,
    /// Many messages are read at once. Calls from before `since`, by Asterisk's clock, are released already; `missed` counts
    /// them. `is_behind`: there are such calls, and the pong has not come yet.
    Long { since: Option<Timestamp>, is_behind: bool, missed: usize },
    /// All of them were read, but more may be stuck in TCP, whose attempts to send to a paused process get rarer: the next one
    /// may be seconds away. The pong comes behind the stuck messages.
    Doubtful { until: Instant },
}

impl Backlog {
    /// Whether calls come in as Asterisk sends them.
    pub(super) fn is_flowing(&self) -> bool {
        matches!(self, Self::Flowing)
    }

    /// These messages wait. Returns a ping if more may be stuck behind them.
    pub(super) fn begin(&mut self, messages: &[Message]) -> Option<Message> {
        // A few messages are answered quickly enough.
        if messages.len() < LONG {
            return None;
        }
        let since = messages.iter().rev().find_map(time).and_then(|newest| newest.checked_sub(STALE).ok());
        let oldest = messages.iter().find_map(time);
        let is_behind = since.is_some_and(|since| oldest.is_some_and(|oldest| oldest < since));
        *self = Self::Long { since, is_behind, missed: 0 };
        is_behind.then(|| Message::Ping(AWAKE.into()))
    }

    /// Whether the dialplan has released a call of this time already. Counts it as missed.
    pub(super) fn misses(&mut self, came: Option<Timestamp>) -> bool {
        let Self::Long { since: Some(since), missed, .. } = self else { return false };
        let is_stale = came.is_some_and(|came| came < *since);
        *missed += usize::from(is_stale);
        is_stale
    }

    /// All messages were read. Returns whether calls were missed.
    pub(super) fn end(&mut self, now: Instant, warnings: &Warnings) -> bool {
        let Self::Long { is_behind, missed, .. } = *self else { return false };
        *self = if is_behind { Self::Doubtful { until: now + AWAKE_TIMEOUT } } else { Self::Flowing };
        if missed > 0 {
            warnings.behind(missed);
        }
        missed > 0
    }

    /// A pong has come.
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

    /// When the connection is given up because stuck messages do not come.
    pub(super) fn given_up_at(&self) -> Option<Instant> {
        if let Self::Doubtful { until } = self { Some(*until) } else { None }
    }
}

/// After a pause of at least this time a channel may have asked twice: the dialplan's bound has released it meanwhile.
pub(super) const PAUSE: Duration = Duration::from_millis(400);

/// How often each channel asks again in these messages.
pub(super) fn asked_again(messages: &[Message]) -> HashMap<String, usize> {
    let mut asked = HashMap::new();
    for message in messages {
        let Message::Text(text) = message else { continue };
        let Ok(event) = serde_json::from_str::<wire::Message<'_>>(text) else { continue };
        if event.kind == "StasisStart"
            && let Some(channel) = event.channel
        {
            *asked.entry(channel.id.into_owned()).or_default() += 1;
        }
    }
    asked.retain(|_, times| {
        *times -= 1;
        *times > 0
    });
    asked
}

/// The time of an event, by Asterisk's clock. None: the message is no event.
fn time(message: &Message) -> Option<Timestamp> {
    let Message::Text(text) = message else { return None };
    serde_json::from_str::<wire::Message<'_>>(text).ok()?.time()
}
