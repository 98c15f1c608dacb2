//! How one PBX is connected: written by the way that serves it, read by whoever asks how the service is.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

use tracing::info;

use crate::resolver::Resolution;
use crate::{mask, metrics};

/// How a PBX is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not at all: the next attempt is waited for.
    Disconnected,
    /// An attempt is under way.
    Connecting,
    /// Calls are answered.
    Connected,
    /// Not before somebody has mended a password or a certificate, ours or the PBX's; it is tried now and then.
    Refused,
    /// Another copy of the service has our application, and answers its calls.
    TakenOver,
    /// The port that its calls come to can't be listened on; it is tried every few seconds.
    Deaf,
}

impl State {
    /// As people are told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Refused => "refused: the log says why",
            Self::TakenOver => "taken over by another copy",
            Self::Deaf => "unreachable: its port can't be listened on, the log says why",
        }
    }
}

/// One PBX's connection, for the service's whole life.
#[derive(Debug)]
pub struct Link {
    /// The PBX's name in the configuration.
    name: String,
    /// A [`State`].
    state: AtomicU8,
    /// Whether it has ever been connected: a connection after that is a reconnect.
    was_connected: AtomicBool,
    /// What is counted of its calls.
    pub(super) metrics: metrics::Pbx,
}

impl Link {
    /// The connection of the PBX with this name, which is yet to be made.
    #[must_use]
    pub fn new(name: &str, metrics: metrics::Pbx) -> Self {
        let state = AtomicU8::new(State::Disconnected as u8);
        Self { name: name.to_owned(), state, was_connected: AtomicBool::new(false), metrics }
    }

    /// The PBX's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logs and counts an answer that was begun then.
    pub(super) fn report(&self, resolution: &Resolution, begun: Instant) {
        let took = begun.elapsed();
        self.metrics.answered(resolution.status.into(), took);
        info!(
            pbx = %self.name,
            caller = %mask::Number(&resolution.input),
            status = ?resolution.status,
            reason = resolution.reason.map(tracing::field::debug),
            certainty = resolution.certainty.map(tracing::field::debug),
            micros = took.as_micros(),
            "call"
        );
    }

    /// How it is connected now.
    #[must_use]
    pub fn state(&self) -> State {
        let state = self.state.load(Ordering::Relaxed);
        let others = [State::Connecting, State::Connected, State::Refused, State::TakenOver, State::Deaf];
        others.into_iter().find(|other| *other as u8 == state).unwrap_or(State::Disconnected)
    }

    /// It is connected so from now on.
    pub fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
        let connected = state == State::Connected;
        self.metrics.set_connected(connected);
        if connected && self.was_connected.swap(true, Ordering::Relaxed) {
            self.metrics.reconnected();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn the_first_connection_is_no_reconnect() {
        let metrics = Metrics::new();
        let link = Link::new("pbx1", metrics.pbx("pbx1"));
        assert_eq!(link.state(), State::Disconnected);
        for (state, reconnects) in [
            (State::Connecting, 0),
            (State::Connected, 0),
            (State::Disconnected, 0),
            (State::Refused, 0),
            (State::Connecting, 0),
            (State::Connected, 1),
            (State::TakenOver, 1),
        ] {
            link.set(state);
            assert_eq!(link.state(), state);
            let line = format!("nameplate_asterisk_reconnects_total{{pbx=\"pbx1\"}} {reconnects}");
            assert!(metrics.write().unwrap().contains(&line));
        }
    }
}
