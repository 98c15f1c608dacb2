//! One shared list as a replica sees it: a machine without I/O. It says where the next list comes from, and whether the list in use is to
//! be published.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::manifest::{Entry, Manifest};
use super::memory::Taken;
use super::version::{ReplicaId, Version};
use super::view::View;
use crate::directory::list::transfer::Content;
use crate::lists::guard::HeldList;
use crate::source::UnusableRecords;

/// How long a replica without any list waits for the server, at least, and over how long replicas are spread.
const WITHOUT_A_LIST: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));

/// Identifies a list's request, and how often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The list's name.
    pub list: String,
    /// Identifies the request to the CRM.
    pub fingerprint: u64,
    /// The interval of refreshes.
    pub refresh: Duration,
}

/// Where the next list comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// From the server: a later version than the one in use.
    Take(Arc<Manifest>),
    /// From the CRM.
    Ask,
    /// From nowhere: the list in use is the CRM's, as the holder has found at this time by its clock.
    Confirmed(u64),
    /// Nothing is known that could be done now.
    Wait,
}

/// Where the list in use comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// It was on disk at the start.
    #[default]
    Disk,
    /// From the server.
    Server(Version),
    /// From the CRM, asked in this epoch as its holder, or without the lease.
    Crm(Option<u64>),
    /// It has stayed as it was.
    Same,
}

/// What the holder does with a list.
#[derive(Clone, Debug)]
pub enum Duty {
    /// Publishes it.
    Publish(Publication),
    /// Renews the life of what is published; with the time of the CRM's answer, if the server does not know it yet.
    Keep(Arc<Manifest>, Option<u64>),
}

/// A list that is to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The list.
    pub content: Content,
    /// Its unusable records.
    pub unusable: UnusableRecords,
    /// Identifies the numbers that were left out.
    pub left_out: u64,
    /// Counts the lists that were in use.
    change: u64,
}

/// The list in use.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// The list, if it answers the request that is sent now.
    pub content: Option<Content>,
    /// Whether there is a list at all.
    pub has_list: bool,
    /// Whether it is another one than before.
    pub is_new: bool,
    /// Its unusable records.
    pub unusable: UnusableRecords,
    /// Identifies the numbers that are left out now.
    pub left_out: u64,
}

/// The server's answer about the chunks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All are there.
    Whole,
    /// Some are missing.
    Missing,
    /// The list has another version.
    Other,
}

/// The state of one list.
#[derive(Debug, Default)]
pub struct Slot {
    /// The version of the list in use, or the one before it.
    taken: Option<Version>,
    /// Whether the list in use is another one than that version.
    is_own: bool,
    /// Whether chunks of that version are missing in the server.
    is_broken: bool,
    /// The version that could not be taken.
    failed: Option<Version>,
    /// Whether it is known what the server has of the list.
    is_read: bool,
    /// The last confirmation by the holder that was used: its time there.
    confirmed: u64,
    in_use: InUse,
    /// The request that the list in use answers.
    answers: u64,
    /// Counts the lists that were in use.
    change: u64,
    /// The one of them that can't be published.
    unreadable: Option<u64>,
    /// The epoch in which the CRM has last answered.
    asked: Option<u64>,
    /// When it did so, if the server does not know yet.
    unsaid: Option<u64>,
    /// The epoch in which the list that the CRM has sent was last judged: taken, or held back.
    judged: Option<u64>,
    /// The list that is held back here.
    held: Option<HeldList>,
    /// Whether another replica wants the CRM to be asked now.
    is_wanted: bool,
    /// The next list's origin.
    origin: Origin,
    /// Why what the server has is not taken, which the log has.
    remark: Option<String>,
}

impl Slot {
    /// Where the next list comes from.
    #[must_use]
    pub fn step(&self, wanted: &Wanted, view: &View, id: ReplicaId, now: Instant) -> Step {
        let entry = view.entries.get(&wanted.list);
        let ours = entry.and_then(|entry| ours(entry, wanted));
        let is_holder = view.epoch(now).is_some();
        if let Some(manifest) = &ours
            && (Some(manifest.version) > self.taken || self.lacks(manifest.version))
            // What the holder can't read, it gets from the CRM, for all; and each replica for itself what a silent server does not give.
            && !((is_holder || !view.is_up) && self.failed == Some(manifest.version))
        {
            return Step::Take(Arc::clone(manifest));
        }
        let is_foreign = entry.is_some() && ours.is_none();
        let is_alone = !view.is_up && now >= self.alone_from(wanted, view, id);
        if is_foreign || is_alone || is_holder {
            return Step::Ask;
        }
        match entry {
            Some(entry)
                if self.taken == Some(entry.version)
                    && entry.checked != self.confirmed
                    && !self.lacks(entry.version) =>
            {
                Step::Confirmed(entry.checked)
            }
            _ => Step::Wait,
        }
    }

    /// Whether the list in use was this version, and no longer answers the request: other numbers must not be named by now.
    fn lacks(&self, version: Version) -> bool {
        self.taken == Some(version) && self.in_use.content.is_none() && !self.is_own
    }

    /// When the next list is there: now, or at the earliest at the returned time, or at another view.
    #[must_use]
    pub fn due(
        &self,
        wanted: &Wanted,
        view: &View,
        id: ReplicaId,
        until: Instant,
        now: Instant,
    ) -> Option<Instant> {
        let is_due = match self.step(wanted, view, id, now) {
            Step::Take(manifest) => self.failed != Some(manifest.version) || now >= until,
            Step::Ask => self.is_wanted || now >= until,
            Step::Confirmed(_) => true,
            Step::Wait => false,
        };
        if is_due {
            return None;
        }
        let alone = self.alone_from(wanted, view, id);
        let times = [until, alone, now + Duration::from_mins(10)];
        times.into_iter().filter(|time| *time > now).min()
    }

    /// From when on this replica asks the CRM by itself, while the server does not answer: each one at another moment of the interval.
    /// Without any list it does not wait so long.
    fn alone_from(&self, wanted: &Wanted, view: &View, id: ReplicaId) -> Instant {
        let (wait, spread) =
            if self.in_use.has_list { (wanted.refresh * 2, wanted.refresh) } else { WITHOUT_A_LIST };
        view.contact + wait + spread.mul_f64(id.place())
    }

    /// The next list comes from there.
    pub fn comes_from(&mut self, origin: Origin) {
        self.origin = origin;
        if matches!(origin, Origin::Crm(_)) {
            self.is_wanted = false;
        }
    }

    /// The holder has confirmed the list in use.
    pub fn confirm(&mut self, checked: u64) {
        (self.confirmed, self.origin) = (checked, Origin::Same);
    }

    /// The next list is this one from the server.
    pub fn takes(&mut self, version: Version, view: &View, wanted: &Wanted) {
        self.origin = Origin::Server(version);
        let entry = view.entries.get(&wanted.list).filter(|entry| entry.version == version);
        self.confirmed = entry.map_or(self.confirmed, |entry| entry.checked);
    }

    /// Whether there is no list in use at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.in_use.has_list
    }

    /// What the server has of the list was read. Before that, nothing counts as lost there: a reload may just have added the list.
    pub fn reads(&mut self) {
        self.is_read = true;
    }

    /// A version could not be taken.
    pub fn failed(&mut self, version: Version) {
        self.failed = Some(version);
    }

    /// The version that could not be taken.
    #[must_use]
    pub fn could_not_be_taken(&self) -> Option<Version> {
        self.failed
    }

    /// Another replica wants the CRM to be asked.
    pub fn want(&mut self) {
        self.is_wanted = true;
    }

    /// The list in use. `known` is what this replica has on disk about it, `now` milliseconds since 1970. Returns what has to be kept on disk.
    pub fn uses(&mut self, wanted: &Wanted, in_use: InUse, known: Option<Taken>, now: u64) -> Option<Taken> {
        let at = in_use.content.as_ref().map(|content| content.header().taken);
        self.change += u64::from(in_use.is_new);
        let is_new = in_use.is_new;
        (self.in_use, self.answers) = (in_use, wanted.fingerprint);
        match std::mem::replace(&mut self.origin, Origin::Same) {
            Origin::Disk => {
                // The list of an older file is not that version, which did not fit on the disk.
                let known = known.filter(|known| at.is_none_or(|at| at >= known.at));
                self.taken = known.map(|known| known.version);
                self.is_own = at.is_some() && at != known.map(|known| known.at);
            }
            Origin::Server(version) => {
                (self.taken, self.failed) = (Some(version), None);
                (self.is_own, self.is_broken) = (false, false);
                return at.map(|at| Taken { version, at });
            }
            Origin::Crm(epoch) => {
                self.is_own |= is_new;
                (self.asked, self.judged) = (epoch, epoch);
                self.unsaid = epoch.map(|_| now);
            }
            Origin::Same => self.is_own |= is_new,
        }
        None
    }

    /// What is held back here, after an attempt to refresh. `is_answered`: the CRM, or a person, has had a word.
    pub fn holds(&mut self, held: Option<HeldList>, is_answered: bool) {
        if let Origin::Crm(epoch) = std::mem::replace(&mut self.origin, Origin::Same)
            && is_answered
        {
            self.judged = epoch;
        }
        self.held = held;
    }

    /// What the holder of `epoch` has to say about the list that is held back: which one, or that there is none any more.
    #[must_use]
    pub fn held_to_say(&self, wanted: &Wanted, view: &View, epoch: u64) -> Option<Option<HeldList>> {
        let entry = view.entries.get(&wanted.list).filter(|entry| ours(entry, wanted).is_some())?;
        let said = entry.held.as_ref().map(|back| &back.held);
        // Without the CRM's word in this epoch the other replica's decision stays.
        let is_due = self.judged == Some(epoch) && said != self.held.as_ref();
        is_due.then(|| self.held.clone())
    }

    /// What the holder of `epoch` does with the list.
    #[must_use]
    pub fn duty(&self, wanted: &Wanted, view: &View, epoch: u64) -> Option<Duty> {
        let entry = view.entries.get(&wanted.list);
        let published = entry.and_then(|entry| ours(entry, wanted));
        let is_version = published.as_ref().is_some_and(|manifest| Some(manifest.version) == self.taken);
        let is_lost = self.is_read && entry.is_none_or(|entry| Some(entry.version) < self.taken);
        let is_fresh = self.asked == Some(epoch);
        // Another replica may have taken a list that a failover has lost here: only a version of this epoch counts there.
        let is_older = entry.is_some_and(|entry| entry.version.epoch < epoch);
        // Numbers were forgotten since: their records are not to stay in the server.
        let others = |published: &Arc<Manifest>| published.left_out != self.in_use.left_out;
        let is_other = is_version && !self.is_own && published.as_ref().is_some_and(others);
        // Without the CRM's word in this epoch the other replicas' list may be newer.
        let is_due = is_lost
            || is_fresh && (self.is_own || is_older || !is_version)
            || self.is_broken && is_version
            || is_other;
        let can_be = self.answers == wanted.fingerprint && self.unreadable != Some(self.change);
        let content = self.in_use.content.as_ref().filter(|_| can_be);
        match (content, published) {
            (Some(content), _) if is_due => Some(Duty::Publish(Publication {
                content: content.clone(),
                unusable: self.in_use.unusable.clone(),
                left_out: self.in_use.left_out,
                change: self.change,
            })),
            (_, Some(manifest)) => {
                let is_confirmed = is_version && !self.is_own && is_fresh;
                Some(Duty::Keep(manifest, self.unsaid.filter(|_| is_confirmed)))
            }
            _ => None,
        }
    }

    /// A list is published. Returns what has to be kept on disk.
    pub fn published(&mut self, version: Version, publication: &Publication) -> Taken {
        self.is_own = self.change != publication.change;
        (self.taken, self.is_broken) = (Some(version), false);
        if !self.is_own {
            self.unsaid = None;
        }
        Taken { version, at: publication.content.header().taken }
    }

    /// A list can't be published: its bytes can't be read, or sealed. Only another one is tried.
    pub fn not_published(&mut self, publication: &Publication) {
        self.unreadable = Some(publication.change);
    }

    /// The server has been told that the CRM has confirmed the list at `said`.
    pub fn kept(&mut self, said: Option<u64>, kept: Kept) {
        if self.unsaid == said && kept != Kept::Other {
            self.unsaid = None;
        }
        self.is_broken |= kept == Kept::Missing && !self.is_own;
    }

    /// The version of the list in use, or the one before it; and whether it is another one by now.
    #[must_use]
    pub fn taken(&self) -> (Option<Version>, bool) {
        (self.taken, self.is_own)
    }

    /// The epoch that the next holder has to be beyond, so that this replica takes its lists: the server has this version.
    #[must_use]
    pub fn epoch_for(&self, there: Version, is_holder: bool) -> u64 {
        // A failover has lost the version in use here, and has given its epoch to another replica, whose versions may be lower. The holder
        // itself may have switched after the server's answer.
        let lost = self.taken.filter(|taken| *taken > there && !is_holder);
        lost.map_or(there.epoch, |taken| taken.epoch + 1)
    }

    /// Why what the server has is not taken, if the log does not say so yet.
    pub fn remark(&mut self, wanted: &Wanted, view: &View) -> Option<String> {
        let entry = view.entries.get(&wanted.list);
        let remark = entry.and_then(|entry| entry.remark(wanted.fingerprint));
        let is_new = remark != self.remark;
        self.remark.clone_from(&remark);
        remark.filter(|_| is_new)
    }
}

/// The manifest, if it can be opened and answers the same request.
fn ours(entry: &Entry, wanted: &Wanted) -> Option<Arc<Manifest>> {
    let manifest = entry.manifest.as_ref().ok()?;
    (manifest.fingerprint == wanted.fingerprint).then(|| Arc::clone(manifest))
}

#[cfg(test)]
mod tests;
