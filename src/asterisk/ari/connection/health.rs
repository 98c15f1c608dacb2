//! Whether a connection still does what it is there for: pings, overdue answers, and whether calls could be sent on.

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::super::answer::{Failure, Outcome};
use super::super::error::ConnectionError;
use super::super::requests::{ANSWER_TIMEOUT, Purpose};
use super::super::tasks::Job;
use super::{Connection, LATE, SILENCE, TICK, TICKS_PER_PING, Way};

impl Connection {
    /// Whether a ping was not answered either: then it is waited for, and there is nothing to be said of requests.
    pub(super) fn is_silent(&self) -> bool {
        self.heard.elapsed() > TICK * (TICKS_PER_PING + 1)
    }

    /// Pings, overdue answers, silence.
    pub(super) async fn look_after(&mut self, ticks: u32, due: Instant) -> Result<(), ConnectionError> {
        // Who was stopped himself has heard nothing: first what has come meanwhile is taken.
        self.was_late = due.elapsed() >= LATE && !self.was_late;
        if self.was_late {
            return Ok(());
        }
        if self.heard.elapsed() >= SILENCE {
            return Err(ConnectionError::Silent(SILENCE));
        }
        if let Way::Unknown { until } = self.way
            && Instant::now() >= until
        {
            self.go(Way::Http);
        }
        for purpose in self.requests.take_overdue() {
            self.unanswered(purpose);
        }
        self.tasks.forget_ended();
        if ticks.is_multiple_of(TICKS_PER_PING) {
            self.send(Message::Ping("nameplate".into())).await?;
        }
        if ticks.is_multiple_of(TICKS_PER_PING) || self.application.verdict.is_in_doubt() {
            self.check().await?;
        }
        Ok(())
    }

    /// A request on the websocket has had its time.
    fn unanswered(&mut self, purpose: Purpose) {
        let late = Outcome::Failed(Failure::Late(ANSWER_TIMEOUT));
        if purpose == Purpose::Check {
            self.application.verdict.of_check(late);
        } else if let Some(channel) = purpose.channel() {
            self.application.verdict.of_call(&channel, &late);
            self.application.warnings.unanswered(&channel);
            self.tasks.spawn(channel, Job::Release { doubtful: true });
        }
    }

    /// Asks, on the way that calls go, whether one could be sent on: a user who is refused is to be noticed before a caller
    /// waits for it.
    async fn check(&mut self) -> Result<(), ConnectionError> {
        match self.way {
            Way::Websocket => self.request(Purpose::Check, &[]).await,
            Way::Http => {
                self.tasks.check();
                Ok(())
            }
            Way::Unknown { .. } | Way::Closing => Ok(()),
        }
    }
}
