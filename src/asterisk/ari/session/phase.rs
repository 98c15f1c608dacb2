//! How far a connection is on its way to its end, and how each phase goes over into the next one.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::error::ConnectionError;
use super::calls::Job;
use super::requests::RequestKind;
use super::{Input, Output, Session, Transport};

/// How long answers in hand, and the close frame's, may take when the service stops.
const CLOSE: Duration = Duration::from_millis(1_500);
/// How long calls in hand may take when the service is refused. Asterisk answers at once, also that it does not.
const LET_GO: Duration = Duration::from_millis(200);

/// How far a connection is on its way to the end.
#[derive(Debug)]
pub(super) enum Phase {
    /// Calls are answered.
    Serving,
    /// The service stops: answers in hand are awaited until then.
    Stopping { until: Instant },
    /// Calls can't be answered. A websocket may still do what HTTP does not: calls in hand are sent on until then.
    LettingGo { until: Instant, why: ConnectionError },
    /// The close frame is sent, which takes the application away. Calls that come in between are served over HTTP.
    Closing { until: Instant, how: Result<(), ConnectionError> },
    /// Nothing more is taken.
    Ended,
}

impl Session {
    /// The service stops.
    pub(super) fn stop(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Serving) {
            self.phase = Phase::Stopping { until: now + CLOSE };
        }
    }

    /// No call is forgotten: the others go over HTTP.
    pub(super) fn take_after_the_end(&mut self, input: Input<'_>) {
        match input {
            Input::LookedUp { channel, handoff } => self.spawn(channel, Job::HandOff(handoff)),
            Input::TaskEnded { release, .. } => {
                for channel in release {
                    self.spawn(channel, Job::Release { look_first: false });
                }
            }
            _ => {}
        }
    }

    /// Calls can't be answered, for this reason. The first one counts.
    pub(super) fn refuse(&mut self, why: Option<ConnectionError>) {
        if self.refused.is_none() {
            self.refused = why;
        }
    }

    /// Goes on to the next phase where it is time.
    pub(super) fn advance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Serving) {
            // While a ping is not answered either, there is nothing to be said of requests.
            if !self.heartbeat.is_silent(now)
                && let Some(why) = self.refused.take()
            {
                self.phase = Phase::LettingGo { until: now + LET_GO, why };
            } else {
                self.announce();
            }
        }
        let is_over = match &self.phase {
            Phase::Serving | Phase::Ended => false,
            Phase::Stopping { until } => now >= *until || !self.awaits_an_answer(),
            Phase::LettingGo { until, .. } => {
                now >= *until || self.transport != Transport::Websocket || !self.is_busy()
            }
            Phase::Closing { until, .. } => now >= *until,
        };
        if !is_over {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Stopping { until } => self.close(until.max(now), Ok(())),
            Phase::LettingGo { why, .. } => self.close(now + CLOSE, Err(why)),
            Phase::Closing { how, .. } => self.end(how),
            Phase::Serving | Phase::Ended => {}
        }
    }

    /// Sends the close frame: no further call waits for us then. Until the answer to it, calls may come.
    pub(super) fn close(&mut self, until: Instant, how: Result<(), ConnectionError>) {
        self.outputs.push(Output::Send(Message::Close(None)));
        self.phase = Phase::Closing { until, how };
    }

    /// The socket is gone.
    pub(super) fn lost(&mut self, error: ConnectionError) {
        let how = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Serving => Err(error),
            Phase::Stopping { .. } => Ok(()),
            Phase::LettingGo { why, .. } => Err(why),
            Phase::Closing { how, .. } => how,
            Phase::Ended => return,
        };
        self.end(how);
    }

    pub(super) fn end(&mut self, how: Result<(), ConnectionError>) {
        self.phase = Phase::Ended;
        // Otherwise the next connection is made at once, and asks which calls still wait.
        if how.as_ref().map_or_else(|error| error.refusal().is_some(), |()| true) {
            for channel in self.requests.take_all().into_iter().filter_map(RequestKind::channel) {
                self.spawn(channel, Job::Release { look_first: true });
            }
        }
        // Asterisk may have let one in while it closed, and told nobody. The next connection is far.
        if matches!(how, Err(ConnectionError::Handoffs(_))) {
            self.sweep();
        }
        let keep_socket = matches!(how, Err(ConnectionError::Behind));
        self.outputs.push(Output::End { how, keep_socket });
    }
}
