//! The calls of a connection: those that come, those that were there before it, and the answers.

use std::sync::Arc;

use tracing::{debug, info};

use super::super::answer::Outcome;
use super::super::call::{Place, Wish};
use super::super::error::ConnectionError;
use super::super::requests::Purpose;
use super::super::tasks::{Job, MAX_TASKS};
use super::super::wire::Caller;
use super::{Connection, Way};

/// Channels that are remembered until it is known which ones wait since before the connection.
const MAX_STARTED: usize = 10_000;

impl Connection {
    /// A call has come.
    pub(super) async fn start(
        &mut self,
        wish: Wish,
        channel: &str,
        caller: Caller<'_>,
        begun: std::time::Instant,
    ) -> Result<(), ConnectionError> {
        if let Some(started) = &mut self.started
            && started.len() < MAX_STARTED
        {
            started.insert(channel.to_owned());
        }
        match wish {
            Wish::Handoff { country } if self.way == Way::Websocket => {
                let application = Arc::clone(&self.application);
                let resolution =
                    application.resolver.resolve(&application.settings.pbx, country, &caller.number);
                let place = Place::of(&resolution, application.resolver.keeps(&caller.name));
                let purpose = Purpose::Handoff { channel: channel.to_owned() };
                self.request(purpose, &place.parameters()).await?;
                application.link.report(&resolution, begun);
                Ok(())
            }
            _ => self.start_beside(wish, channel, caller).await,
        }
    }

    /// Serves a call over HTTP, beside this connection.
    async fn start_beside(
        &mut self,
        wish: Wish,
        channel: &str,
        caller: Caller<'_>,
    ) -> Result<(), ConnectionError> {
        self.tasks.forget_ended();
        if self.tasks.are_full() {
            self.application.warnings.rush(MAX_TASKS);
            self.application.link.metrics.unserved();
            return self.release(channel.to_owned()).await;
        }
        self.tasks.spawn(channel.to_owned(), Job::Serve { wish, caller: caller.into_owned() });
        Ok(())
    }

    /// Sends a call on to the priority behind its `Stasis()`.
    pub(super) async fn release(&mut self, channel: String) -> Result<(), ConnectionError> {
        if self.way == Way::Websocket {
            return self.request(Purpose::Plain { channel }, &[]).await;
        }
        self.tasks.spawn(channel, Job::Release { doubtful: false });
        Ok(())
    }

    /// An answer has come.
    pub(super) async fn answered(
        &mut self,
        purpose: Purpose,
        status: u16,
        body: &str,
    ) -> Result<(), ConnectionError> {
        let verdict = &self.application.verdict;
        let outcome = Outcome::of(status, body);
        match purpose {
            Purpose::Probe => {
                debug!(pbx = %self.application.settings.name, status, "requests are answered on the websocket");
                if let Outcome::Failed(failure) = outcome {
                    // 200 is none to a call.
                    verdict.failed(&failure);
                }
                self.go(Way::Websocket);
                Ok(())
            }
            Purpose::Check => {
                verdict.of_check(outcome);
                Ok(())
            }
            Purpose::Handoff { channel } => {
                verdict.of_call(&channel, &outcome);
                if self.application.has_gone_on(&outcome) {
                    return Ok(());
                }
                if outcome == Outcome::NoSuchPlace {
                    self.tasks.spawn(channel, Job::Misplaced);
                    return Ok(());
                }
                self.release(channel).await
            }
            Purpose::Plain { channel } => {
                verdict.of_call(&channel, &outcome);
                if !matches!(outcome, Outcome::Done | Outcome::CallerGone | Outcome::LeftStasis) {
                    self.tasks.spawn(channel, Job::Release { doubtful: true });
                }
                Ok(())
            }
        }
    }

    /// Serves the calls that were in the application before this connection: nothing is replayed to it.
    pub(super) fn recover(&mut self, waiting: Vec<String>) {
        // Those that came since are in hand.
        let started = self.started.take().unwrap_or_default();
        let waiting: Vec<_> = waiting.into_iter().filter(|channel| !started.contains(channel)).collect();
        if !waiting.is_empty() {
            info!(pbx = %self.application.settings.name, calls = waiting.len(), "calls were waiting in the application");
        }
        for channel in waiting {
            self.tasks.spawn(channel, Job::Recover);
        }
    }
}
