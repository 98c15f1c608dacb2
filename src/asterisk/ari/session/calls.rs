//! Calls: from a call's event to the answer about its request.

use tokio::time::Instant;
use tracing::debug;

use super::super::answer::{Failure, Outcome};
use super::super::call::{Wish, parameters};
use super::super::error::ConnectionError;
use super::super::wire::{self, Caller};
use super::requests::{ANSWER_TIMEOUT, Purpose};
use super::row;
use super::{Output, Session, TaskKind, Way};
use crate::call::Handoff;

/// Calls that are served over HTTP at once; one more is sent on without a name.
pub(in super::super) const MAX_TASKS: usize = 2_000;

/// What is done over HTTP, beside the connection.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Task {
    /// For a call.
    Call { channel: String, job: Job },
    /// The question whether a call could be sent on.
    Check,
    /// Calls that are left in the application are looked for, and served.
    Search,
}

impl Task {
    pub(in super::super) fn kind(&self) -> TaskKind {
        match self {
            Self::Call { .. } => TaskKind::Call,
            Self::Check => TaskKind::Check,
            Self::Search => TaskKind::Search,
        }
    }
}

/// What is done for a call.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Job {
    /// Its event has come.
    Serve { wish: Wish, caller: Caller<'static> },
    /// Its name is known.
    HandOff(Handoff),
    /// It waits since before the connection.
    Recover,
    /// Asterisk has not found the place that it was sent to.
    Misplaced,
    /// It is sent on to the priority behind its `Stasis()`. `doubtful`: if it is there still.
    Release { doubtful: bool },
}

impl Session {
    /// An event has come, or an answer.
    pub(super) fn event(&mut self, text: &str, now: Instant) {
        let event: wire::Message<'_> = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => return self.unread(&wire::complaint(&error)),
        };
        match event.kind.as_ref() {
            "StasisStart" => {
                let came = event.time();
                let Some(channel) = event.channel else { return self.unread("it names no channel") };
                let warnings = &self.warnings;
                let arguments = event.args.iter().map(String::as_str);
                let wish = Wish::of(arguments, |country| warnings.country(country));
                // The others have no bound.
                if matches!(wish, Wish::Handoff { .. }) && self.queue.misses(came) {
                    return self.warnings.missed();
                }
                self.start(wish, &channel.id, channel.caller, now);
            }
            "RESTResponse" => {
                let id = event.request_id.unwrap_or_default();
                let Some(purpose) = self.requests.answered(&id) else {
                    return debug!(pbx = self.warnings.pbx(), "an answer to no request, or a late one");
                };
                let status = event.status_code.unwrap_or(0);
                let outcome = Outcome::of(status, &event.message_body.unwrap_or_default());
                self.answered(purpose, outcome, now);
            }
            "ApplicationReplaced" => self.lost(ConnectionError::Replaced),
            _ => {}
        }
    }

    /// An event can't be read. It may have been a call's, which would wait for ever.
    fn unread(&mut self, what: &str) {
        self.warnings.unread("an event", what);
        self.search();
    }

    /// A call has come.
    fn start(&mut self, wish: Wish, channel: &str, caller: Caller<'_>, now: Instant) {
        self.set_up.started(channel);
        let (channel, caller) = (channel.to_owned(), caller.into_owned());
        match wish {
            Wish::Handoff { country } if self.is_on_websocket() => {
                self.answers += 1;
                self.outputs.push(Output::Answer { channel, country, caller });
            }
            _ if self.tasks >= MAX_TASKS => {
                self.warnings.rush(MAX_TASKS);
                self.release(channel, now);
            }
            _ => self.spawn(channel, Job::Serve { wish, caller }),
        }
    }

    /// A call's name is known.
    pub(super) fn answer(&mut self, channel: String, handoff: Handoff, now: Instant) {
        self.answers = self.answers.saturating_sub(1);
        if self.is_on_websocket() {
            self.request(Purpose::Handoff { channel }, &parameters(&handoff), now);
        } else {
            self.spawn(channel, Job::HandOff(handoff));
        }
    }

    /// Sends a call on to the priority behind its `Stasis()`. A plain `continue` on the websocket is queued by Asterisk, and
    /// holds up nothing.
    pub(super) fn release(&mut self, channel: String, now: Instant) {
        if self.is_on_websocket() {
            self.request(Purpose::Plain { channel }, &[], now);
        } else {
            self.spawn(channel, Job::Release { doubtful: false });
        }
    }

    /// An answer has come.
    fn answered(&mut self, purpose: Purpose, outcome: Outcome, now: Instant) {
        match purpose {
            Purpose::Probe => {
                debug!(pbx = self.warnings.pbx(), "requests are answered on the websocket");
                if let Outcome::Failed(failure) = &outcome {
                    // 200 is none to a call.
                    self.refuse(row::refusal(failure));
                }
                self.way = Way::Websocket;
            }
            Purpose::Check => {
                let refused = self.row.of_check(outcome, now);
                self.refuse(refused);
            }
            Purpose::Handoff { channel } => {
                let refused = self.row.of_call(&channel, &outcome, now);
                self.refuse(refused);
                self.warnings.handoff(&outcome);
                match outcome {
                    Outcome::NoSuchPlace => self.spawn(channel, Job::Misplaced),
                    outcome if outcome.has_gone_on() => {}
                    _ => self.release(channel, now),
                }
            }
            Purpose::Plain { channel } => {
                let refused = self.row.of_call(&channel, &outcome, now);
                self.refuse(refused);
                if !outcome.has_gone_on() {
                    self.spawn(channel, Job::Release { doubtful: true });
                }
            }
        }
    }

    /// A request on the websocket has had its time.
    pub(super) fn unanswered(&mut self, purpose: Purpose, now: Instant) {
        let late = Outcome::Failed(Failure::Late(ANSWER_TIMEOUT));
        if purpose == Purpose::Check {
            let refused = self.row.of_check(late, now);
            self.refuse(refused);
        } else if let Some(channel) = purpose.channel() {
            let refused = self.row.of_call(&channel, &late, now);
            self.refuse(refused);
            self.warnings.unanswered(&channel, ANSWER_TIMEOUT);
            self.spawn(channel, Job::Release { doubtful: true });
        }
    }
}
