//! What there is of one list, and what becomes of it when another one has come: compared, judged and written. All of it is
//! work for a thread that answers no calls.

use std::io;
use std::sync::Arc;

use tracing::{info, warn};

use super::changes::Changes;
use super::guard::{self, CONVINCING, Held, Verdict};
use super::losses::Losses;
use super::refresh::Outcome;
use super::store::held::{HeldBack, Missing};
use super::store::{Kept, Store};
use crate::directory::list::List;
use crate::directory::list::file::Header;
use crate::source::{Delivery, UnusableRecords};

/// What there is of one list.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    pub(super) name: String,
    store: Store,
    /// Of the question that is asked.
    fingerprint: u64,
    /// Whether answers that are held back are counted, and taken when they have come often enough.
    counts: bool,
    kept: Kept,
    /// What of the set in use can't be used.
    unusable: UnusableRecords,
    /// Numbers that are missing from it; none while they have not been read.
    missing: Option<Missing>,
    held: Option<HeldBack>,
    /// Where it could not be written.
    held_list: Option<Kept>,
}

impl Stock {
    pub(super) fn new(name: String, store: Store, fingerprint: u64, kept: Kept) -> Self {
        let unusable = store.unusable(&name, &kept.header());
        let held = store.held(&name, fingerprint);
        Self { name, store, fingerprint, counts: true, kept, unusable, missing: None, held, held_list: None }
    }

    /// The same, where a command asks: how often somebody has called it says nothing.
    pub(super) fn without_counting(self) -> Self {
        Self { counts: false, ..self }
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref().map(|held| &held.held)
    }

    pub(super) fn unusable(&self) -> &UnusableRecords {
        &self.unusable
    }

    /// The hash to ask with: another user's or selection's says nothing about our list, nor does one that another version
    /// has read otherwise.
    pub(super) fn hash(&self) -> Option<String> {
        let header = self.kept.header();
        (header.fingerprint == self.fingerprint).then_some(header.hash)
    }

    /// The source says that the list in use is the one that it has.
    pub(super) fn is_unchanged(&mut self) {
        self.release();
        // The disk may have room by now.
        let Kept::InMemory(header, list) = &self.kept else { return };
        if let Ok(file) = self.store.write(&self.name, header.clone(), list) {
            info!(list = %self.name, "the list is on disk now");
            self.store.write_unusable(&self.name, file.header(), &self.unusable);
            self.kept = Kept::OnDisk(file);
        }
    }

    /// Judges a list that has come. With `accept` it is taken as it is.
    pub(super) fn judge(&mut self, delivery: Delivery, accept: bool, now: u64) -> Outcome {
        let Delivery { entries, unusable, hash } = delivery;
        let list = Arc::new(entries.finish());
        let changes = self.changes(&list);
        let is_same = self.hash().as_ref() == Some(&hash) && changes.as_ref().is_ok_and(Changes::is_none);
        if is_same && !matches!(self.kept, Kept::Nothing) {
            if unusable != self.unusable {
                // Another version of this program may read the same numbers otherwise.
                self.store.write_unusable(&self.name, &self.kept.header(), &unusable);
                self.unusable = unusable;
            }
            self.is_unchanged();
            return Outcome::Unchanged;
        }
        // What a disk has damaged since it was opened has a copy.
        let known = if changes.is_ok() { self.kept.clone() } else { self.store.look(&self.name) };
        let changes = changes.unwrap_or_default();
        let came = Came { list, hash, unusable, changes };
        if accept {
            return self.take(came, None, now);
        }
        let (losses, missing) = self.losses(&known, &came.list, now);
        let verdict = guard::judge(&losses);
        if verdict == Verdict::Take {
            return self.take(came, Some((missing, losses.known)), now);
        }
        let again = self.again(&came);
        if verdict == Verdict::HoldShrunk && self.counts && again >= Some(CONVINCING) {
            warn!(list = %self.name, "a list that was held back is taken, for it has come {CONVINCING} times: {losses}");
            return self.take(came, None, now);
        }
        self.hold(came, losses, again, now);
        self.outcome(verdict == Verdict::HoldShrunk)
    }

    /// The list that is held back, as it was shown.
    pub(super) fn still_held(&self) -> Outcome {
        match self.outcome(false) {
            Outcome::Held { count, known, more, changes, losses, .. } => {
                Outcome::Held { count, known, more, changes, losses, another: true }
            }
            outcome => outcome,
        }
    }

    fn outcome(&self, comes_to_be_taken: bool) -> Outcome {
        let Some(held) = self.held() else { return Outcome::Unchanged };
        Outcome::Held {
            count: held.count,
            known: self.kept.len(),
            more: (comes_to_be_taken && self.counts).then(|| CONVINCING.saturating_sub(held.times)),
            changes: held.changes,
            losses: held.losses,
            another: false,
        }
    }

    /// Takes the list that is held back.
    ///
    /// # Errors
    /// When it can't be read. Then it is held no longer.
    pub(super) fn take_held(&mut self, now: u64) -> io::Result<Outcome> {
        let Some(back) = self.held.clone() else { return Err(io::ErrorKind::NotFound.into()) };
        match self.held_list(&back).and_then(|list| list.entries()?.collect::<io::Result<List>>()) {
            Ok(list) => {
                let list = Arc::new(list);
                let changes = self.changes(&list).unwrap_or_default();
                let came = Came { list, hash: back.hash, unusable: back.unusable, changes };
                Ok(self.take(came, None, now))
            }
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    fn held_list(&self, back: &HeldBack) -> io::Result<Kept> {
        match &self.held_list {
            Some(list) => Ok(list.clone()),
            None => self.store.held_list(&self.name, back).map(Kept::OnDisk),
        }
    }

    fn changes(&self, list: &List) -> io::Result<Changes> {
        Changes::between(self.kept.entries()?, list.entries())
    }

    /// What `list` takes away of what is `known`, and what is missing then.
    fn losses(&mut self, known: &Kept, list: &List, now: u64) -> (Losses, List) {
        let (name, store) = (&self.name, &self.store);
        let missing = self.missing.get_or_insert_with(|| store.missing(name));
        // A clock that was wrong does not keep them for ever.
        if missing.since > now || now - missing.since >= guard::MEMORY {
            *missing = store.write_missing(name, List::default(), now, 0);
        }
        Losses::of(known, missing, list).unwrap_or_else(|error| {
            warn!(list = %name, "what a new list takes away can't be told but by its size: {error}");
            let (known, named) = (self.kept.len(), list.len());
            (Losses { known, named, gone: known.saturating_sub(named), ..Losses::default() }, List::default())
        })
    }

    /// How often in a row the list has come, this time included, where it is like the one that is held back.
    fn again(&self, came: &Came) -> Option<u32> {
        let back = self.held.as_ref()?;
        let held = self.held_list(back).ok()?;
        let changes = Changes::between(held.entries().ok()?, came.list.entries()).ok()?;
        let is_like = back.held.is_like(came.list.len(), &changes);
        is_like.then(|| back.held.times.saturating_add(u32::from(self.counts)))
    }

    fn hold(&mut self, came: Came, losses: Losses, again: Option<u32>, now: u64) {
        if let (Some(back), Some(times)) = (&mut self.held, again) {
            // What was shown is what is taken by order.
            back.held.times = times;
            if self.held_list.is_none() {
                // A count that is lost by a restart holds the list back for longer.
                let _ = self.store.write_guard(&self.name, back);
            }
            return;
        }
        let held = Held {
            count: came.list.len(),
            times: 1,
            came: now,
            changes: came.changes,
            losses,
            id: fastrand::u64(1..),
        };
        let back = HeldBack { held, fingerprint: self.fingerprint, hash: came.hash, unusable: came.unusable };
        let list = self.store.write_held(&self.name, &back, came.list);
        self.held_list = Some(list).filter(|list| matches!(list, Kept::InMemory(..)));
        self.held = Some(back);
    }

    fn release(&mut self) {
        if self.held.take().is_some() {
            self.held_list = None;
            self.store.remove_held(&self.name);
        }
    }

    /// Takes a list. What is `missing`, of how many numbers, counts further on; without it the list is accepted as good.
    fn take(&mut self, came: Came, missing: Option<(List, usize)>, now: u64) -> Outcome {
        let Came { list, hash, unusable, changes } = came;
        let count = list.len();
        let header = Header { fingerprint: self.fingerprint, taken: now, count: count as u64, hash };
        self.kept = match self.store.write(&self.name, header.clone(), &list) {
            Ok(file) => {
                self.store.write_unusable(&self.name, file.header(), &unusable);
                Kept::OnDisk(file)
            }
            Err(error) => {
                warn!(list = %self.name, "the new list is served, but can't be written to disk: {error}");
                Kept::InMemory(header, list)
            }
        };
        self.unusable = unusable;
        let before = self.missing.as_ref().filter(|missing| !missing.list.is_empty());
        let since = before.map_or(now, |missing| missing.since);
        let (missing, of) = missing.unwrap_or_default();
        self.missing = Some(self.store.write_missing(&self.name, missing, since, of));
        // That of another question too.
        (self.held, self.held_list) = (None, None);
        self.store.remove_held(&self.name);
        info!(list = %self.name, entries = count, unusable = self.unusable.total(), "new list: {changes}");
        if count == 0 {
            warn!(list = %self.name, "the list is empty: nobody is known by it");
        }
        Outcome::New { count, changes }
    }
}

/// A list that has come.
struct Came {
    list: Arc<List>,
    hash: String,
    unusable: UnusableRecords,
    /// What it changes of the list in use.
    changes: Changes,
}

#[cfg(test)]
mod tests;
