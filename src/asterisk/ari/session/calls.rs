//! Calls: from a call's event to the response to its request.

use tokio::time::Instant;
use tracing::debug;

use super::super::call::{StasisMode, parameters};
use super::super::error::ConnectionError;
use super::super::response::{ContinueResult, Failure};
use super::super::wire::{self, Caller};
use super::failures;
use super::phase::Phase;
use super::requests::{ANSWER_TIMEOUT, RequestKind};
use super::{Output, Session, TaskKind, Transport};
use crate::call::Handoff;

/// The most tasks at once. A further call is sent on without a name.
pub(in super::super) const MAX_TASKS: usize = 2_000;

/// A task over HTTP, beside the websocket.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Task {
    /// A job for one call.
    Call { channel: String, job: Job },
    /// The check whether a call could be sent on.
    Check,
    /// Looks for calls that are left in the application, and serves them.
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

/// The job of a task for one call.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Job {
    /// Looks up the name and hands the call off: its event has come.
    /// `may_wait`: the call may wait for the search in the CRM.
    Serve { mode: StasisMode, caller: Caller<'static>, may_wait: bool },
    /// Hands the call off: the name is known.
    HandOff(Handoff),
    /// Serves a call from before the connection.
    Recover,
    /// Releases a call whose label Asterisk has not found.
    LabelMissing,
    /// Sends the call on to the priority behind its `Stasis()`. `look_first`: only if the call is still in the application.
    Release { look_first: bool },
}

impl Session {
    /// An event or a response has come.
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
                let dialled = StasisMode::dialled(event.args.iter().map(String::as_str));
                let caller = channel.caller.dialling(dialled);
                // In the direct style a call has no bound, so it still waits.
                let asks_again = self.asks_again(&channel.id);
                if matches!(mode, StasisMode::Handoff { .. }) && (asks_again || self.backlog.misses(came)) {
                    return self.warnings.missed(caller.leg(&channel.id, mode.wanted()));
                }
                self.start(mode, &channel.id, caller, now);
            }
            "RESTResponse" => {
                let id = event.request_id.unwrap_or_default();
                let Some(kind) = self.requests.answered(&id) else {
                    return debug!(pbx = self.warnings.pbx(), "a response to no request, or a late one");
                };
                let status = event.status_code.unwrap_or(0);
                let result = ContinueResult::of(status, &event.message_body.unwrap_or_default());
                self.answered(kind, result, now);
            }
            "ApplicationReplaced" => self.lost(ConnectionError::Replaced),
            _ => {}
        }
    }

    /// Whether another question of this channel waits behind this one.
    fn asks_again(&mut self, channel: &str) -> bool {
        let Some(times) = self.asked_again.get_mut(channel) else { return false };
        *times -= 1;
        if *times == 0 {
            self.asked_again.remove(channel);
        }
        true
    }

    /// An event can't be read. If it was a call's, the call would wait for ever: look for it.
    fn unread(&mut self, what: &str) {
        self.warnings.unread("an event", what);
        self.sweep();
    }

    /// A call has come in.
    fn start(&mut self, mode: StasisMode, channel: &str, caller: Caller<'static>, now: Instant) {
        self.set_up.started(channel);
        let channel = channel.to_owned();
        // After a pause of this process the dialplan's bound is nearly over, and at the end of a connection others wait for the call.
        let may_wait = matches!(self.phase, Phase::Serving) && self.backlog.is_flowing();
        match mode {
            StasisMode::Handoff { wanted, country, edition } if self.is_on_websocket() => {
                self.lookups += 1;
                self.outputs.push(Output::LookUp { channel, wanted, country, edition, caller, may_wait });
            }
            _ if self.tasks >= MAX_TASKS => {
                self.warnings.rush(MAX_TASKS, caller.leg(&channel, mode.wanted()));
                self.release(channel, now);
            }
            _ => self.spawn(channel, Job::Serve { mode, caller, may_wait }),
        }
    }

    /// A call's name is looked up.
    pub(super) fn looked_up(&mut self, channel: String, handoff: Handoff, now: Instant) {
        self.lookups = self.lookups.saturating_sub(1);
        if self.is_on_websocket() {
            self.request(RequestKind::Handoff { channel }, &parameters(&handoff), now);
        } else {
            self.spawn(channel, Job::HandOff(handoff));
        }
    }

    /// A call goes on without its name.
    pub(super) fn not_looked_up(&mut self, channel: String, now: Instant) {
        self.lookups = self.lookups.saturating_sub(1);
        self.release(channel, now);
    }

    /// Sends a call on to the priority behind its `Stasis()`. Asterisk only queues a plain `continue`, so this request does not
    /// hold up others on the websocket.
    pub(super) fn release(&mut self, channel: String, now: Instant) {
        if self.is_on_websocket() {
            self.request(RequestKind::Plain { channel }, &[], now);
        } else {
            self.spawn(channel, Job::Release { look_first: false });
        }
    }

    /// A response has come.
    fn answered(&mut self, kind: RequestKind, result: ContinueResult, now: Instant) {
        match kind {
            RequestKind::Probe => {
                debug!(pbx = self.warnings.pbx(), "requests are answered on the websocket");
                if let ContinueResult::Failed(failure) = &result {
                    // The probe is a GET, so its 200 counts as failed here: only a refusal matters.
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
                self.warnings.handoff(&channel, &result);
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

    /// A request on the websocket has no response in time.
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
