//! The history of calls, for the pages: the last calls, each with its answer and what became of it.
//!
//! It is in memory only, and never in a log. A call whose number is withheld, or must not be named, is kept without the
//! number. With a history of 0 calls nothing is kept, and a call costs one comparison.
//!
//! A call is told after its answer was sent, and again if the PBX did not take the answer. Each time it gets a new number of
//! change: a reader that knows one change asks for all later ones ([`Calls::since`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::call::{Answer, Party};
use crate::directory::suppressed::Suppressed;
use crate::lookup::{Reason, Resolution, Status};

/// The calls that are kept where the configuration does not say it.
pub const DEFAULT: usize = 1_000;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a name.
    Found,
    /// There is no name, or none that can be right.
    NotFound,
    /// There was nothing to look up: an extension, a short code, a text that is no number.
    Skipped,
    /// The number is withheld.
    Withheld,
    /// The number must not be named.
    Suppressed,
    /// The call went on before its answer came: the dialplan's bound, or a time limit of ours.
    Late,
    /// The service let the call go without an answer: too many calls at once, no list yet, arguments of another version.
    Unavailable,
    /// The PBX has not taken the answer.
    Refused,
    /// The caller hung up before the answer came.
    HungUp,
}

/// What is known of a call beside its answer. "" for what is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leg<'a> {
    /// The channel's id on the PBX, by which the outcome of the call is told later.
    pub channel: &'a str,
    /// The caller's number as the PBX gave it; "" if it is withheld.
    pub number: &'a str,
    /// The number called, or the extension.
    pub called: &'a str,
    /// The end of the call whose name is wanted. Only calls that come in are kept.
    pub wanted: Party,
}

/// A call of the history.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counted from 1 since the start of the service.
    pub id: u64,
    /// The number of its last change, counted from 1 over all calls.
    pub change: u64,
    /// When it was told, to the millisecond.
    pub time: Timestamp,
    /// The PBX's name in the configuration.
    pub pbx: Arc<str>,
    /// The number called, or the extension. "" if it is not known.
    pub called: Box<str>,
    /// What became of it.
    pub outcome: Outcome,
    /// The answer. None for a call without one, and where the number is not kept.
    pub resolution: Option<Arc<Resolution>>,
    /// Whether the phone shows the provider's name, although there is a name.
    pub keeps_name: bool,
    /// The caller's number as the PBX gave it. "" where it is not kept.
    pub number: Box<str>,
    channel: Box<str>,
}

/// The history of calls. A clone shares it.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<History>);

#[derive(Debug)]
struct History {
    /// Distinguishes this start of the service from others: milliseconds since 1970.
    epoch: i64,
    /// The most calls that are kept. 0: none, and nothing is done.
    most: AtomicUsize,
    kept: Mutex<Kept>,
    /// The number of the newest change.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The id of the last call.
    id: u64,
    /// The number of the last change.
    change: u64,
    /// The oldest first.
    calls: VecDeque<Arc<Call>>,
    /// Calls of these numbers are kept without the number.
    suppressed: Suppressed,
}

impl Default for History {
    fn default() -> Self {
        Self {
            epoch: Timestamp::now().as_millisecond(),
            most: AtomicUsize::new(0),
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }
}

impl Calls {
    /// A history of so many calls, 0 for none.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let calls = Self::default();
        calls.keep(most);
        calls
    }

    /// Keeps so many calls from now on. Older ones are dropped.
    pub fn keep(&self, most: usize) {
        self.0.most.store(most, Ordering::Relaxed);
        let mut kept = self.kept();
        while kept.calls.len() > most {
            kept.calls.pop_front();
        }
    }

    /// The most calls that are kept; 0 for none.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.most.load(Ordering::Relaxed)
    }

    /// Distinguishes this start of the service from others.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.0.epoch
    }

    /// Follows the number of the newest change.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// A call has its answer.
    pub fn answered(&self, pbx: &Arc<str>, answer: &Answer, leg: Leg<'_>) {
        let resolution = &answer.resolution;
        let (outcome, may_be_kept) = match (resolution.status, resolution.reason) {
            (_, Some(Reason::Suppressed)) => (Outcome::Suppressed, false),
            (_, Some(Reason::Anonymous)) => (Outcome::Withheld, false),
            (Status::Skipped, _) if resolution.input.is_empty() => (Outcome::Withheld, false),
            (Status::Skipped, _) => (Outcome::Skipped, true),
            (Status::NotFound, _) => (Outcome::NotFound, true),
            (Status::Found, _) => (Outcome::Found, true),
        };
        let keeps_name = resolution.name.is_some() && answer.name().is_none();
        let resolution = may_be_kept.then_some(resolution);
        self.add(pbx, outcome, resolution, keeps_name, Leg { wanted: answer.wanted, ..leg });
    }

    /// A call has no answer. An empty number is a withheld one.
    pub fn unanswered(&self, pbx: &Arc<str>, outcome: Outcome, leg: Leg<'_>) {
        self.add(pbx, outcome, None, false, leg);
    }

    fn add(
        &self,
        pbx: &Arc<str>,
        outcome: Outcome,
        resolution: Option<&Arc<Resolution>>,
        keeps_name: bool,
        leg: Leg<'_>,
    ) {
        let most = self.most();
        if most == 0 {
            return;
        }
        if leg.wanted == Party::Called {
            return self.goes_on(pbx, leg.channel);
        }
        let number = match resolution {
            Some(resolution) => resolution.input.as_str(),
            None if matches!(outcome, Outcome::Withheld | Outcome::Suppressed) => "",
            None => leg.number,
        };
        let mut call = Call {
            id: 0,
            change: 0,
            time: Timestamp::now(),
            pbx: Arc::clone(pbx),
            called: leg.called.into(),
            outcome,
            resolution: resolution.cloned(),
            keeps_name,
            number: number.into(),
            channel: leg.channel.into(),
        };
        let mut kept = self.kept();
        call.hide_if(&kept.suppressed);
        kept.id += 1;
        kept.change += 1;
        (call.id, call.change) = (kept.id, kept.change);
        while kept.calls.len() >= most {
            kept.calls.pop_front();
        }
        kept.calls.push_back(Arc::new(call));
        self.tell(kept);
    }

    /// A lookup of the person called begins on this channel. Its result does not change the row of the call that came in.
    fn goes_on(&self, pbx: &str, channel: &str) {
        if channel.is_empty() {
            return;
        }
        let mut kept = self.kept();
        if let Some(call) = kept.calls.iter_mut().rev().find(|call| call.is_of(pbx, channel)) {
            *call = Arc::new(Call { channel: Box::default(), ..Call::clone(call) });
        }
    }

    /// The outcome of the call of this channel is another one than was thought when its answer was sent.
    pub fn became(&self, pbx: &str, channel: &str, outcome: Outcome) {
        if self.most() == 0 || channel.is_empty() {
            return;
        }
        let mut kept = self.kept();
        let change = kept.change + 1;
        let Some(call) = kept.calls.iter_mut().rev().find(|call| call.is_of(pbx, channel)) else { return };
        *call = Arc::new(Call { outcome, change, ..Call::clone(call) });
        kept.change = change;
        self.tell(kept);
    }

    /// From now on calls of these numbers are kept without the number, and those that are there lose it.
    pub fn forget(&self, suppressed: &Suppressed) {
        let mut kept = self.kept();
        kept.suppressed = suppressed.clone();
        let Kept { change, calls, suppressed, .. } = &mut *kept;
        for call in calls.iter_mut() {
            let mut hidden = Call { change: *change + 1, ..Call::clone(call) };
            if hidden.hide_if(suppressed) {
                *change += 1;
                *call = Arc::new(hidden);
            }
        }
        self.tell(kept);
    }

    /// All calls that are kept, the newest first, and the number of the newest change.
    #[must_use]
    pub fn all(&self) -> (Vec<Arc<Call>>, u64) {
        let kept = self.kept();
        (kept.calls.iter().rev().cloned().collect(), kept.change)
    }

    /// The calls that have come or changed after this change, in the order of their changes.
    #[must_use]
    pub fn since(&self, change: u64) -> Vec<Arc<Call>> {
        let mut calls: Vec<_> = {
            let kept = self.kept();
            if kept.change <= change {
                return Vec::new();
            }
            kept.calls.iter().filter(|call| call.change > change).cloned().collect()
        };
        calls.sort_unstable_by_key(|call| call.change);
        calls
    }

    fn tell(&self, kept: MutexGuard<'_, Kept>) {
        let change = kept.change;
        drop(kept);
        // Two calls may come here in another order than they were added.
        self.0.newest.send_if_modified(|newest| {
            let is_newer = change > *newest;
            *newest = change.max(*newest);
            is_newer
        });
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn is_of(&self, pbx: &str, channel: &str) -> bool {
        *self.channel == *channel && *self.pbx == *pbx
    }

    /// Drops the number, and all that was found by it, if it may be one of these. The digits of a call without an answer were not
    /// read, so they may be any number.
    fn hide_if(&mut self, suppressed: &Suppressed) -> bool {
        let is_one = match &self.resolution {
            _ if suppressed.is_empty() || self.number.is_empty() => false,
            None => true,
            Some(resolution) => {
                let mut readings = resolution.readings.iter().map(|outcome| outcome.reading.number);
                let is_one = readings.any(|number| suppressed.has(number));
                if is_one {
                    self.outcome = Outcome::Suppressed;
                }
                is_one
            }
        };
        if is_one {
            (self.resolution, self.keeps_name, self.number) = (None, false, "".into());
        }
        is_one
    }
}

#[cfg(test)]
mod tests;
