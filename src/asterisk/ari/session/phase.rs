//! The phases of a connection, from serving to its end, and the transitions between them.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::error::ConnectionError;
use super::calls::Job;
use super::requests::RequestKind;
use super::{Input, Output, Session, Transport};

/// The most time for responses, and then for the reply to the close frame, when the service is stopped.
const CLOSE: Duration = Duration::from_millis(1_500);
/// The most time for calls in hand after a refusal. Asterisk answers at once, even with a refusal.
const LET_GO: Duration = Duration::from_millis(200);

/// The phase of a connection.
#[derive(Debug)]
pub(super) enum Phase {
    /// Calls are answered.
    Serving,
    /// The service is stopped, or connects anew. Responses are awaited until this time. `hand_over`: then the socket stays open,
    /// and calls that come in wait for the next connection.
    Stopping { until: Instant, hand_over: bool },
    /// Calls can't be answered. Until this time, calls in hand are sent on over the websocket, which may still work when HTTP is
    /// refused.
    LettingGo { until: Instant, why: ConnectionError },
    /// The close frame is sent: Asterisk takes the application away. Calls that come meanwhile are served over HTTP.
    Closing { until: Instant, how: Result<(), ConnectionError> },
    /// The connection has ended.
    Ended,
}

impl Session {
    /// The service is stopped, or connects anew.
    pub(super) fn stop(&mut self, hand_over: bool, now: Instant) {
        if matches!(self.phase, Phase::Serving) {
            self.phase = Phase::Stopping { until: now + CLOSE, hand_over };
        }
    }

    /// After the end, calls that still come in go on over HTTP.
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

    /// Notes why calls can't be answered. The first reason counts.
    pub(super) fn refuse(&mut self, why: Option<ConnectionError>) {
        if self.refused.is_none() {
            self.refused = why;
        }
    }

    /// Goes on to the next phase when it is due.
    pub(super) fn advance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Serving) {
            // If Asterisk does not answer a ping either, failed requests are no refusal.
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
            Phase::Stopping { until, .. } => now >= *until || !self.awaits_an_answer(),
            Phase::LettingGo { until, .. } => {
                now >= *until || self.transport != Transport::Websocket || !self.is_busy()
            }
            Phase::Closing { until, .. } => now >= *until,
        };
        if !is_over {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Stopping { hand_over: true, .. } => self.end_keeping(Ok(()), true),
            Phase::Stopping { until, hand_over: false } => self.close(until.max(now), Ok(())),
            Phase::LettingGo { why, .. } => self.close(now + CLOSE, Err(why)),
            Phase::Closing { how, .. } => self.end(how),
            Phase::Serving | Phase::Ended => {}
        }
    }

    /// Sends the close frame. Calls may come in until Asterisk's reply to it.
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
        let keep_socket = matches!(how, Err(ConnectionError::Behind));
        self.end_keeping(how, keep_socket);
    }

    fn end_keeping(&mut self, how: Result<(), ConnectionError>, keep_socket: bool) {
        self.phase = Phase::Ended;
        // After a stop or a refusal. In other cases the next connection comes at once, and asks for waiting calls.
        let comes_late = how.as_ref().map_or_else(|error| error.refusal().is_some(), |()| !keep_socket);
        if comes_late {
            for channel in self.requests.take_all().into_iter().filter_map(RequestKind::channel) {
                self.spawn(channel, Job::Release { look_first: true });
            }
        }
        // Asterisk may have let a call in without an event while it closed, and the next connection comes late.
        if matches!(how, Err(ConnectionError::Handoffs(_))) {
            self.sweep();
        }
        self.outputs.push(Output::End { how, keep_socket });
    }
}
