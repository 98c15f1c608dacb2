//! The warnings of one connection. A fault in the PBX's dialplan is logged once for a connection, and a failure of calls once
//! a minute: the same line with every call would bury the others. Each call without an answer is counted.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::response::{ContinueResult, Failure};
use crate::asterisk::pbx_status::PbxStatus;
use crate::calls::{Leg, Outcome};
use crate::observe::mask;
use crate::observe::throttle::Throttle;

/// The warnings of one connection.
#[derive(Debug)]
pub(super) struct Warnings {
    pbx_status: Arc<PbxStatus>,
    poison: Throttle,
    missing_label: Throttle,
    arguments: Throttle,
    rush: Throttle,
    /// By the country.
    country: Throttle<String>,
    handoff: Throttle,
    name: Throttle,
    presentation: Throttle,
    no_caller: Throttle,
    slow: Throttle,
    release: Throttle,
    unanswered: Throttle,
    /// By the thing that can't be read.
    unread: Throttle<&'static str>,
    behind: Throttle,
}

impl Warnings {
    pub(super) fn new(pbx_status: Arc<PbxStatus>) -> Self {
        Self {
            pbx_status,
            poison: Throttle::once(),
            missing_label: Throttle::once(),
            arguments: Throttle::once(),
            rush: Throttle::each_minute(),
            country: Throttle::once(),
            handoff: Throttle::each_minute(),
            name: Throttle::each_minute(),
            presentation: Throttle::each_minute(),
            no_caller: Throttle::each_minute(),
            slow: Throttle::each_minute(),
            release: Throttle::each_minute(),
            unanswered: Throttle::each_minute(),
            unread: Throttle::each_minute(),
            behind: Throttle::each_minute(),
        }
    }

    /// The PBX, as logs name it.
    pub(super) fn pbx(&self) -> &str {
        self.pbx_status.name()
    }

    /// The dialplan's bound has released a call before its answer.
    pub(super) fn missed(&self, leg: Leg<'_>) {
        self.pbx_status.unserved(Outcome::Late, leg);
    }

    /// A call of the direct style, on a version where that poisons the dialplan.
    pub(super) fn poison(&self) {
        self.poison.log(|_| {
            warn!(
                pbx = self.pbx(),
                "a bare Stasis() on this version of Asterisk: once a variable is set through ARI, the rest of the \
                 call's dialplan can't use DB(), SHELL() and others. Gosub(nameplate,lookup,1) has no such effect"
            );
        });
    }

    /// The context does not have the extension or the label of a handoff.
    pub(super) fn label_missing(&self, channel: &str) {
        self.pbx_status.metrics.handoff_failed();
        self.pbx_status.not_taken(channel, Outcome::Refused);
        self.missing_label.log(|_| {
            warn!(pbx = self.pbx(), "the dialplan context has no place for the name, so calls go on without: copy asterisk-conf/extensions_nameplate.conf again");
        });
    }

    /// `Stasis()` has the arguments of another version.
    pub(super) fn arguments(&self, leg: Leg<'_>) {
        self.pbx_status.unserved(Outcome::Unavailable, leg);
        self.arguments.log(|_| {
            warn!(
                pbx = self.pbx(),
                "the dialplan's Stasis() has arguments of another version: copy asterisk-conf again"
            );
        });
    }

    /// More calls are in hand than are served at once.
    pub(super) fn rush(&self, most: usize, leg: Leg<'_>) {
        self.pbx_status.unserved(Outcome::Unavailable, leg);
        self.rush.log(|times| {
            warn!(
                pbx = self.pbx(),
                times, "{most} calls are in hand already: further ones go on without a name"
            );
        });
    }

    /// A trunk's country is unknown. Each one is logged once.
    pub(super) fn country(&self, country: &str) {
        self.country.log_for(country.to_owned(), |_| {
            warn!(
                pbx = self.pbx(),
                country = mask::Text(country).to_string(),
                "the dialplan names an unknown country; the PBX's own is taken"
            );
        });
    }

    /// The handoff of the call of this channel has its result.
    pub(super) fn handoff(&self, channel: &str, result: &ContinueResult) {
        match result {
            ContinueResult::Done | ContinueResult::NoSuchLabel => {}
            ContinueResult::CallerGone => self.pbx_status.not_taken(channel, Outcome::HungUp),
            ContinueResult::LeftStasis => self.pbx_status.not_taken(channel, Outcome::Late),
            ContinueResult::NotACaller | ContinueResult::Failed(_) => {
                self.pbx_status.not_taken(channel, Outcome::Refused);
            }
        }
        match result {
            // For `NoSuchLabel` see `label_missing`: the caller may have hung up.
            ContinueResult::Done | ContinueResult::NoSuchLabel => {}
            ContinueResult::CallerGone | ContinueResult::LeftStasis => {
                debug!(
                    pbx = self.pbx(),
                    "the caller hung up during the lookup, or the call went on without us"
                );
            }
            ContinueResult::NotACaller => {
                self.pbx_status.metrics.handoff_failed();
                self.no_caller.log(|times| {
                    warn!(pbx = self.pbx(), times, "a call that is being placed, not received, is in the application (412): Stasis() is for callers");
                });
            }
            ContinueResult::Failed(failure) => {
                self.pbx_status.metrics.handoff_failed();
                self.handoff.log(|times| {
                    warn!(
                        pbx = self.pbx(),
                        times, "the handoff failed, the call goes on without its name: {failure}"
                    );
                });
            }
        }
    }

    /// Asterisk does not say whether the number of a call of the direct style may be shown.
    pub(super) fn presentation(&self, what: &Failure, leg: Leg<'_>) {
        let is_gone = what.is_no_channel();
        self.pbx_status.unserved(if is_gone { Outcome::HungUp } else { Outcome::Unavailable }, leg);
        if is_gone {
            return;
        }
        self.presentation.log(|times| {
            warn!(pbx = self.pbx(), times, "Asterisk does not say whether the number may be shown, the call goes on without a name: {what}");
        });
    }

    /// Asterisk has not taken the name of a call of the direct style.
    pub(super) fn name(&self, what: &Failure) {
        self.name.log(|times| warn!(pbx = self.pbx(), times, "Asterisk does not take the name: {what}"));
    }

    /// A call of the direct style has reached its time limit.
    pub(super) fn slow(&self, limit: Duration, leg: Leg<'_>) {
        self.pbx_status.unserved(Outcome::Late, leg);
        self.slow.log(|times| {
            warn!(
                pbx = self.pbx(),
                times, "Asterisk has not taken a name within {limit:?}: the call goes on"
            );
        });
    }

    /// An attempt to send a call on has failed.
    pub(super) fn release(&self, channel: &str, what: &str) {
        self.release.log(|times| {
            warn!(pbx = self.pbx(), %channel, times, "the call can't be sent on yet: {what}");
        });
    }

    /// A call can't be sent on, and there are no further attempts. Each one is logged.
    pub(super) fn given_up(&self, channel: &str) {
        warn!(pbx = self.pbx(), %channel, "the call is given up: it could not be sent on. The dialplan's bound lets it go on, where there is one; the next connection looks for it");
    }

    /// Asterisk has not sent its list of waiting calls in time.
    pub(super) fn no_list(&self, limit: Duration) {
        warn!(
            pbx = self.pbx(),
            "Asterisk has not said within {limit:?} which calls wait in the application: those that come now are served, those from before this connection are not. Restart Asterisk if that lasts"
        );
    }

    /// A request on the websocket has no response.
    pub(super) fn unanswered(&self, channel: &str, limit: Duration) {
        self.pbx_status.not_taken(channel, Outcome::Refused);
        self.unanswered.log(|times| {
            warn!(pbx = self.pbx(), %channel, times, "Asterisk did not answer a request within {limit:?}");
        });
    }

    /// `thing` from Asterisk can't be read.
    pub(super) fn unread(&self, thing: &'static str, what: &str) {
        self.unread.log_for(thing, |times| warn!(pbx = self.pbx(), times, "{thing} can't be read: {what}"));
    }

    /// The dialplan's bound has released so many calls before this process read their events.
    pub(super) fn behind(&self, calls: usize) {
        self.behind.log(|times| {
            warn!(pbx = self.pbx(), calls, times, "calls have waited too long for an answer: the service was stopped, or the machine is overloaded");
        });
    }
}
