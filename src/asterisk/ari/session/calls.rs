//! Calls: from a call's event to the answer about its request.

use tokio::time::Instant;
use tracing::debug;

use super::super::call::{StasisMode, parameters};
use super::super::error::ConnectionError;
use super::super::response::{ContinueResult, Failure};
use super::super::wire::{self, Caller};
use super::failures;
use super::requests::{ANSWER_TIMEOUT, RequestKind};
use super::{Output, Session, TaskKind, Transport};
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
    Sweep,
}

impl Task {
    pub(in super::super) fn kind(&self) -> TaskKind {
        match self {
            Self::Call { .. } => TaskKind::Call,
            Self::Check => TaskKind::Check,
            Self::Sweep => TaskKind::Sweep,
        }
    }
}

/// What is done for a call.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Job {
    /// Its event has come.
    Serve { mode: StasisMode, caller: Caller<'static> },
    /// Its name is known.
    HandOff(Handoff),
    /// It waits since before the connection.
    Recover,
    /// Asterisk has not found the place that it was sent to.
    LabelMissing,
    /// It is sent on to the priority behind its `Stasis()`. `doubtful`: if it is there still.
    Release { look_first: bool },
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
                let mode = StasisMode::of(arguments, |country| warnings.country(country));
                // The others have no bound.
                if matches!(mode, StasisMode::Handoff { .. }) && self.backlog.misses(came) {
                    return self.warnings.missed();
                }
                self.start(mode, &channel.id, channel.caller, now);
            }
            "RESTResponse" => {
                let id = event.request_id.unwrap_or_default();
                let Some(kind) = self.requests.answered(&id) else {
                    return debug!(pbx = self.warnings.pbx(), "an answer to no request, or a late one");
                };
                let status = event.status_code.unwrap_or(0);
                let result = ContinueResult::of(status, &event.message_body.unwrap_or_default());
                self.answered(kind, result, now);
            }
            "ApplicationReplaced" => self.lost(ConnectionError::Replaced),
            _ => {}
        }
    }

    /// An event can't be read. It may have been a call's, which would wait for ever.
    fn unread(&mut self, what: &str) {
        self.warnings.unread("an event", what);
        self.sweep();
    }

    /// A call has come.
    fn start(&mut self, mode: StasisMode, channel: &str, caller: Caller<'_>, now: Instant) {
        self.set_up.started(channel);
        let (channel, caller) = (channel.to_owned(), caller.into_owned());
        match mode {
            StasisMode::Handoff { country } if self.is_on_websocket() => {
                self.lookups += 1;
                self.outputs.push(Output::LookUp { channel, country, caller });
            }
            _ if self.tasks >= MAX_TASKS => {
                self.warnings.rush(MAX_TASKS);
                self.release(channel, now);
            }
            _ => self.spawn(channel, Job::Serve { mode, caller }),
        }
    }

    /// A call's name is known.
    pub(super) fn looked_up(&mut self, channel: String, handoff: Handoff, now: Instant) {
        self.lookups = self.lookups.saturating_sub(1);
        if self.is_on_websocket() {
            self.request(RequestKind::Handoff { channel }, &parameters(&handoff), now);
        } else {
            self.spawn(channel, Job::HandOff(handoff));
        }
    }

    /// Sends a call on to the priority behind its `Stasis()`. A plain `continue` on the websocket is queued by Asterisk, and
    /// holds up nothing.
    pub(super) fn release(&mut self, channel: String, now: Instant) {
        if self.is_on_websocket() {
            self.request(RequestKind::Plain { channel }, &[], now);
        } else {
            self.spawn(channel, Job::Release { look_first: false });
        }
    }

    /// An answer has come.
    fn answered(&mut self, kind: RequestKind, result: ContinueResult, now: Instant) {
        match kind {
            RequestKind::Probe => {
                debug!(pbx = self.warnings.pbx(), "requests are answered on the websocket");
                if let ContinueResult::Failed(failure) = &result {
                    // 200 is none to a call.
                    self.refuse(failures::refusal(failure));
                }
                self.transport = Transport::Websocket;
            }
            RequestKind::Check => {
                let refused = self.failures.of_check(result, now);
                self.refuse(refused);
            }
            RequestKind::Handoff { channel } => {
                let refused = self.failures.of_call(&channel, &result, now);
                self.refuse(refused);
                self.warnings.handoff(&result);
                match result {
                    ContinueResult::NoSuchLabel => self.spawn(channel, Job::LabelMissing),
                    result if result.has_gone_on() => {}
                    _ => self.release(channel, now),
                }
            }
            RequestKind::Plain { channel } => {
                let refused = self.failures.of_call(&channel, &result, now);
                self.refuse(refused);
                if !result.has_gone_on() {
                    self.spawn(channel, Job::Release { look_first: true });
                }
            }
        }
    }

    /// A request on the websocket has had its time.
    pub(super) fn unanswered(&mut self, kind: RequestKind, now: Instant) {
        let late = ContinueResult::Failed(Failure::Late(ANSWER_TIMEOUT));
        if kind == RequestKind::Check {
            let refused = self.failures.of_check(late, now);
            self.refuse(refused);
        } else if let Some(channel) = kind.channel() {
            let refused = self.failures.of_call(&channel, &late, now);
            self.refuse(refused);
            self.warnings.unanswered(&channel, ANSWER_TIMEOUT);
            self.spawn(channel, Job::Release { look_first: true });
        }
    }
}
