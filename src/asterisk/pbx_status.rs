//! How one PBX is connected. ARI and FastAGI write the status; the web server's health pages read it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tracing::info;

use crate::call::{Answer, Party};
use crate::calls::{Calls, Leg, Outcome};
use crate::observe::metrics::{CallOutcome, Refusal};
use crate::observe::{mask, metrics};

/// How a PBX is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not connected; the next attempt comes after a wait.
    Disconnected,
    /// An attempt to connect is under way.
    Connecting,
    /// Calls are answered.
    Connected,
    /// The PBX refuses the service until an administrator changes something, here or on the PBX. Attempts are rare.
    Refused(Refusal),
    /// Another copy of the service has our Stasis application, and answers the calls.
    TakenOver,
    /// FastAGI can't listen on its port; there is an attempt every few seconds.
    NotListening,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Refused(_) => "refused",
            Self::TakenOver => "taken over by another copy",
            Self::NotListening => "unreachable: its port can't be listened on, the log says why",
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Asterisk's version; "" if it is not known.
    pub version: String,
    /// The way of the answers: "the websocket", "HTTP", "FastAGI".
    pub way: &'static str,
}

/// What is known of a PBX at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// The reason for it, and what mends it; "" for none.
    pub why: String,
    /// Since when it is connected, or is not: seconds since 1970, UTC.
    pub since: u64,
    /// The other end, as long as it is connected.
    pub peer: Option<Peer>,
}

/// The status of one PBX, for the service's whole life.
#[derive(Debug)]
pub struct PbxStatus {
    /// The PBX's name in the configuration.
    name: Arc<str>,
    /// Not locked on a call's way.
    now: Mutex<Snapshot>,
    /// Whether the PBX was ever connected: the next connection is a reconnect.
    was_connected: AtomicBool,
    /// The counters of its calls.
    pub(super) metrics: metrics::Pbx,
    /// The history of calls, for the pages.
    calls: Calls,
}

impl PbxStatus {
    /// The status of a PBX that is not connected yet.
    #[must_use]
    pub fn new(name: &str, metrics: metrics::Pbx) -> Self {
        let since = unix_seconds();
        let now = Snapshot { state: State::Disconnected, why: String::new(), since, peer: None };
        let calls = Calls::default();
        Self {
            name: name.into(),
            now: Mutex::new(now),
            was_connected: AtomicBool::new(false),
            metrics,
            calls,
        }
    }

    /// The status, which tells its calls to this history.
    #[must_use]
    pub fn telling(self, calls: &Calls) -> Self {
        Self { calls: calls.clone(), ..self }
    }

    /// The PBX's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logs, counts and tells a call that has its answer. `begun`: when its event came.
    pub(super) fn answered(&self, answer: &Answer, begun: Instant, leg: Leg<'_>) {
        let resolution = &answer.resolution;
        let took = begun.elapsed();
        self.metrics.answered(resolution.status.into(), took);
        let number = mask::Number(&resolution.input);
        let (caller, called) = match answer.wanted {
            Party::Caller => (Some(number), None),
            Party::Called => (None, Some(number)),
        };
        info!(
            pbx = %self.name,
            caller = caller.as_ref().map(tracing::field::display),
            called = called.as_ref().map(tracing::field::display),
            status = ?resolution.status,
            reason = resolution.reason.map(tracing::field::debug),
            certainty = resolution.certainty.map(tracing::field::debug),
            micros = took.as_micros(),
            "call"
        );
        self.calls.answered(&self.name, answer, leg);
    }

    /// Counts and tells a call whose number is withheld. Nothing is logged.
    pub(super) fn withheld(&self, begun: Instant, leg: Leg<'_>) {
        self.metrics.answered(CallOutcome::Skipped, begun.elapsed());
        self.calls.unanswered(&self.name, Outcome::Withheld, leg);
    }

    /// Counts and tells a call that goes on in the dialplan without an answer.
    pub(super) fn unserved(&self, outcome: Outcome, leg: Leg<'_>) {
        self.metrics.unserved();
        self.calls.unanswered(&self.name, outcome, leg);
    }

    /// Tells that the PBX has not taken the answer to the call of this channel, and what became of the call.
    pub(super) fn not_taken(&self, channel: &str, outcome: Outcome) {
        self.calls.became(&self.name, channel, outcome);
    }

    fn locked(&self) -> MutexGuard<'_, Snapshot> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current state.
    #[must_use]
    pub fn state(&self) -> State {
        self.locked().state
    }

    /// What is known of the PBX now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.locked().clone()
    }

    /// The current state for people, with its reason: `refused: …`.
    #[must_use]
    pub fn description(&self) -> String {
        let locked = self.locked();
        let (state, why) = (locked.state.as_str(), &locked.why);
        if why.is_empty() { state.to_owned() } else { format!("{state}: {why}") }
    }

    /// Sets the state, without a reason.
    pub fn set(&self, state: State) {
        self.set_with_reason(state, "");
    }

    /// Sets the state and its reason.
    pub fn set_with_reason(&self, state: State, why: &str) {
        let connected = state == State::Connected;
        let mut now = self.locked();
        if connected != (now.state == State::Connected) {
            now.since = unix_seconds();
        }
        if !connected {
            now.peer = None;
        }
        (now.state, now.why) = (state, why.to_owned());
        drop(now);
        self.metrics.set_connected(connected);
        self.metrics.set_refused(if let State::Refused(refusal) = state { Some(refusal) } else { None });
        if connected && self.was_connected.swap(true, Ordering::Relaxed) {
            self.metrics.reconnected();
        }
    }

    /// Says who is at the other end of the connection.
    pub(super) fn set_peer(&self, version: &str, way: &'static str) {
        self.locked().peer = Some(Peer { version: version.to_owned(), way });
    }

    /// An attempt to connect begins. A refused PBX stays refused until the attempt succeeds, or fails for another reason.
    pub(super) fn begin_attempt(&self) {
        if !matches!(self.state(), State::Refused(_)) {
            self.set(State::Connecting);
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::{Form, Metrics};

    #[test]
    fn the_first_connection_is_no_reconnect() {
        let metrics = Metrics::new();
        let pbx_status = PbxStatus::new("pbx1", metrics.pbx("pbx1"));
        assert_eq!(pbx_status.state(), State::Disconnected);
        for (state, reconnects) in [
            (State::Connecting, 0),
            (State::Connected, 0),
            (State::Disconnected, 0),
            (State::Refused(Refusal::Forbidden), 0),
            (State::Connecting, 0),
            (State::Connected, 1),
            (State::TakenOver, 1),
        ] {
            pbx_status.set(state);
            assert_eq!(pbx_status.state(), state);
            let line = format!("nameplate_asterisk_reconnects_total{{pbx=\"pbx1\"}} {reconnects}");
            assert!(metrics.write(Form::Plain).unwrap().contains(&line));
        }
    }

    #[test]
    fn a_refusal_is_shown_until_an_attempt_ends_otherwise() {
        let metrics = Metrics::new();
        let pbx_status = PbxStatus::new("pbx1", metrics.pbx("pbx1"));
        let refused = |reason: &str, value: u8| {
            let line = format!("nameplate_asterisk_refused{{pbx=\"pbx1\",reason=\"{reason}\"}} {value}");
            assert!(metrics.write(Form::Plain).unwrap().contains(&line), "{line}");
        };
        pbx_status.set_with_reason(State::Refused(Refusal::Unauthorized), "compare with ari.conf");
        pbx_status.begin_attempt();
        assert_eq!(pbx_status.description(), "refused: compare with ari.conf");
        refused("unauthorized", 1);
        refused("module", 0);
        pbx_status.set_with_reason(State::Refused(Refusal::Module), "load it");
        refused("unauthorized", 0);
        refused("module", 1);
        pbx_status.set(State::Connected);
        assert_eq!(pbx_status.description(), "connected");
        refused("module", 0);
        pbx_status.set_peer("22.10.1", "the websocket");
        let peer = pbx_status.snapshot().peer.unwrap();
        assert_eq!((peer.version.as_str(), peer.way), ("22.10.1", "the websocket"));
        pbx_status.set_with_reason(State::Disconnected, "lost");
        let lost = pbx_status.snapshot();
        assert_eq!((lost.state, lost.why.as_str(), lost.peer), (State::Disconnected, "lost", None));
        pbx_status.begin_attempt();
        assert_eq!(pbx_status.description(), "connecting");
    }
}
