//! The state of one list, and the decision on a new one: compare, accept or hold back, write. Only threads for blocking work do
//! this.

use std::io;
use std::sync::Arc;

use tracing::{info, warn};

use super::changes::Changes;
use super::guard::{self, CONVINCING, Decision, HeldList};
use super::losses::Losses;
use super::outcome::RefreshOutcome;
use super::snapshot::{LostNumbers, Snapshot};
use super::store::Store;
use super::store::held::HeldRecord;
use super::suppression::Cleared;
use crate::directory::list::List;
use crate::directory::list::file::Header;
use crate::source::{Delivery, UnusableRecords};

/// The state of one list.
#[derive(Clone, Debug)]
pub(super) struct ListState {
    pub(super) name: String,
    store: Store,
    /// Identifies the request that is sent now.
    fingerprint: u64,
    /// Whether arrivals of a list that is held back are counted, up to its acceptance.
    counts: bool,
    snapshot: Snapshot,
    /// The unusable records of the list in use.
    unusable: UnusableRecords,
    /// The numbers lost before; none until they are read from disk.
    lost: Option<LostNumbers>,
    held: Option<HeldRecord>,
    /// The list that is held back, if its file could not be written.
    held_list: Option<Snapshot>,
    /// The reason why the list in use is not on disk, if it could not be written.
    not_on_disk: Option<String>,
}

impl ListState {
    pub(super) fn new(name: String, store: Store, fingerprint: u64, snapshot: Snapshot) -> Self {
        let unusable = store.unusable(&name, &snapshot.header());
        let held = store.held(&name, fingerprint);
        Self {
            name,
            store,
            fingerprint,
            counts: true,
            snapshot,
            unusable,
            lost: None,
            held,
            held_list: None,
            not_on_disk: None,
        }
    }

    /// The same for a command, which counts no arrivals.
    pub(super) fn without_counting(self) -> Self {
        Self { counts: false, ..self }
    }

    /// Another request is sent from now on. The list that is held back answers the one before.
    pub(super) fn ask_with(&mut self, fingerprint: u64) {
        if fingerprint != self.fingerprint {
            (self.fingerprint, self.held_list) = (fingerprint, None);
            self.held = self.store.held(&self.name, fingerprint);
        }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn held(&self) -> Option<&HeldList> {
        self.held.as_ref().map(|held| &held.held)
    }

    pub(super) fn unusable(&self) -> &UnusableRecords {
        &self.unusable
    }

    pub(super) fn not_on_disk(&self) -> Option<&str> {
        self.not_on_disk.as_deref()
    }

    /// The hash to send. None if the list in use answers another request: another user's, another selection's, or read by
    /// another version.
    pub(super) fn hash(&self) -> Option<String> {
        let header = self.snapshot.header();
        (header.fingerprint == self.request()).then_some(header.hash)
    }

    /// Identifies the request, and the numbers that are left out of its answer.
    pub(super) fn request(&self) -> u64 {
        self.fingerprint ^ self.left_out()
    }

    /// Identifies the numbers that are left out.
    pub(super) fn left_out(&self) -> u64 {
        self.store.suppressed().digest()
    }

    /// Takes the records of numbers that must not be named out of the list and its files. If any record of the list was taken
    /// out, its snapshot is another one.
    pub(super) fn take_out_suppressed(&mut self) -> Cleared {
        let mut cleared = self.store.take_out_suppressed(&self.name);
        match &self.snapshot {
            Snapshot::InMemory(header, list) => {
                let left = self.store.suppressed().take_out(list.entries().flatten().collect());
                let count = list.len().saturating_sub(left.len());
                if count > 0 {
                    cleared.records = count;
                    // As on disk: the next answer is a whole one.
                    let header = Header { count: left.len() as u64, hash: String::new(), ..header.clone() };
                    self.snapshot = Snapshot::InMemory(header, Arc::new(left));
                }
            }
            Snapshot::OnDisk(_) if cleared.records > 0 => self.snapshot = self.store.look(&self.name),
            Snapshot::OnDisk(_) | Snapshot::Absent => {}
        }
        if cleared.others > 0 {
            (self.lost, self.held) = (None, self.store.held(&self.name, self.fingerprint));
        }
        cleared
    }

    /// The source still has the list in use.
    pub(super) fn is_unchanged(&mut self) {
        self.release();
        // The disk may have room by now.
        let Snapshot::InMemory(header, list) = &self.snapshot else { return };
        match self.store.write(&self.name, header.clone(), list) {
            Ok(file) => {
                info!(list = %self.name, "the list is on disk now");
                self.store.write_unusable(&self.name, file.header(), &self.unusable);
                (self.snapshot, self.not_on_disk) = (Snapshot::OnDisk(file), None);
            }
            Err(error) => self.not_on_disk = Some(error.to_string()),
        }
    }

    /// Decides on a new list. With `accept`, or after another replica's decision, it is accepted as it is.
    pub(super) fn judge(&mut self, delivery: Delivery, accept: bool, now: u64) -> RefreshOutcome {
        let Delivery { entries, unusable, hash, is_accepted, left_out } = delivery;
        let suppressed = self.store.suppressed();
        // Where other numbers were left out, the hash would hide that records are missing.
        let is_other = left_out.is_some_and(|left_out| left_out != suppressed.digest());
        let hash = if is_other { String::new() } else { hash };
        let request = self.fingerprint ^ suppressed.digest();
        let list = Arc::new(suppressed.take_out(entries.finish()));
        let changes = self.changes(&list);
        let is_same = self.hash().as_ref() == Some(&hash) && changes.as_ref().is_ok_and(Changes::is_none);
        if is_same && !matches!(self.snapshot, Snapshot::Absent) {
            if unusable != self.unusable {
                // Another version may read the same numbers in another way.
                self.store.write_unusable(&self.name, &self.snapshot.header(), &unusable);
                self.unusable = unusable;
            }
            self.is_unchanged();
            return RefreshOutcome::Unchanged;
        }
        // If the disk has damaged the list since it was opened, its copy is compared. Without one, the list's size still counts.
        let copy = if changes.is_ok() { Snapshot::Absent } else { self.store.look(&self.name) };
        let known = if matches!(copy, Snapshot::Absent) { self.snapshot.clone() } else { copy };
        let changes = changes.unwrap_or_default();
        let new = NewList { list, request, hash, unusable, changes };
        if accept || is_accepted {
            return self.take(new, None, now);
        }
        let (losses, lost) = self.losses(&known, &new.list, now);
        let decision = guard::judge(&losses);
        if decision == Decision::Take {
            return self.take(new, Some((lost, losses.known)), now);
        }
        let arrivals = self.arrivals(&new);
        if decision == Decision::HoldShrunk && self.counts && arrivals >= Some(CONVINCING) {
            warn!(list = %self.name, "a list that was held back is taken, for it has come {CONVINCING} times: {losses}");
            return self.take(new, None, now);
        }
        self.hold(new, losses, arrivals, now);
        self.held_outcome(decision == Decision::HoldShrunk)
    }

    /// The outcome of an order for a list that is not the one held back: that one stays held back.
    pub(super) fn still_held(&self) -> RefreshOutcome {
        match self.held_outcome(false) {
            RefreshOutcome::Held { count, known, more, changes, losses, .. } => {
                RefreshOutcome::Held { count, known, more, changes, losses, another: true }
            }
            outcome => outcome,
        }
    }

    fn held_outcome(&self, is_counted: bool) -> RefreshOutcome {
        let Some(held) = self.held() else { return RefreshOutcome::Unchanged };
        RefreshOutcome::Held {
            count: held.count,
            known: self.snapshot.len(),
            more: (is_counted && self.counts).then(|| CONVINCING.saturating_sub(held.times)),
            changes: held.changes,
            losses: held.losses,
            another: false,
        }
    }

    /// Accepts the list that is held back.
    ///
    /// # Errors
    /// If it can't be read. Then it is no longer held back.
    pub(super) fn take_held(&mut self, now: u64) -> io::Result<RefreshOutcome> {
        let Some(record) = self.held.clone() else { return Err(io::ErrorKind::NotFound.into()) };
        match self.held_entries(&record) {
            Ok(list) => {
                let list = Arc::new(list);
                let changes = self.changes(&list).unwrap_or_default();
                let request = self.request();
                let new = NewList { list, request, hash: record.hash, unusable: record.unusable, changes };
                Ok(self.take(new, None, now))
            }
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    /// The list that is held back, without numbers that must not be named by now.
    fn held_entries(&self, record: &HeldRecord) -> io::Result<List> {
        let held = self.held_list(record)?;
        let list =
            held.records()?.map(|record| Ok(record?.entry()?.owned())).collect::<io::Result<List>>()?;
        Ok(self.store.suppressed().take_out(list))
    }

    fn held_list(&self, record: &HeldRecord) -> io::Result<Snapshot> {
        match &self.held_list {
            Some(list) => Ok(list.clone()),
            None => self.store.held_list(&self.name, record).map(Snapshot::OnDisk),
        }
    }

    fn changes(&self, list: &List) -> io::Result<Changes> {
        Changes::between(self.snapshot.records()?, list.records())
    }

    /// The losses by `list` compared with `known`, and the entries of all lost numbers.
    fn losses(&mut self, known: &Snapshot, list: &List, now: u64) -> (Losses, List) {
        let (name, store) = (&self.name, &self.store);
        let lost = self.lost.get_or_insert_with(|| store.lost(name));
        // A time in the future is that of a wrong clock.
        if lost.since > now || now - lost.since >= guard::MEMORY {
            *lost = store.write_lost(name, List::default(), now, 0);
        }
        Losses::of(known, lost, list, &self.store.suppressed()).unwrap_or_else(|error| {
            warn!(list = %name, "what a new list takes away can't be told but by its size: {error}");
            let (known, named) = (self.snapshot.len(), list.len());
            (Losses { known, named, gone: known.saturating_sub(named), ..Losses::default() }, List::default())
        })
    }

    /// The arrivals in a row of the new list, this one included; none if it is not like the list that is held back.
    fn arrivals(&self, new: &NewList) -> Option<u32> {
        let record = self.held.as_ref()?;
        let held = self.held_list(record).ok()?;
        let changes = Changes::between(held.records().ok()?, new.list.records()).ok()?;
        let is_like = record.held.is_like(new.list.len(), &changes);
        is_like.then(|| record.held.times.saturating_add(u32::from(self.counts)))
    }

    fn hold(&mut self, new: NewList, losses: Losses, arrivals: Option<u32>, now: u64) {
        if let (Some(record), Some(times)) = (&mut self.held, arrivals) {
            // The first arrival stays: an administrator may have seen it, and accepts that list.
            record.held.times = times;
            if self.held_list.is_none() {
                // Without the file a restart begins the count again.
                let _ = self.store.write_guard(&self.name, record);
            }
            return;
        }
        let held = HeldList {
            count: new.list.len(),
            times: 1,
            came: now,
            changes: new.changes,
            losses,
            id: fastrand::u64(1..),
        };
        let record =
            HeldRecord { held, fingerprint: self.fingerprint, hash: new.hash, unusable: new.unusable };
        let list = self.store.write_held(&self.name, &record, new.list);
        self.held_list = Some(list).filter(|list| matches!(list, Snapshot::InMemory(..)));
        self.held = Some(record);
    }

    /// Drops the list that is held back.
    fn release(&mut self) {
        if self.held.take().is_some() {
            self.held_list = None;
            self.store.remove_held(&self.name);
        }
    }

    /// Puts a new list in use. The `lost` numbers, and the most numbers known, count from now on; none if the list counts as good.
    fn take(&mut self, new: NewList, lost: Option<(List, usize)>, now: u64) -> RefreshOutcome {
        let NewList { list, request, hash, unusable, changes } = new;
        let count = list.len();
        let header = Header { fingerprint: request, taken: now, count: count as u64, hash };
        let written = self.store.write(&self.name, header.clone(), &list);
        self.not_on_disk = written.as_ref().err().map(ToString::to_string);
        self.snapshot = match written {
            Ok(file) => {
                self.store.write_unusable(&self.name, file.header(), &unusable);
                Snapshot::OnDisk(file)
            }
            Err(error) => {
                warn!(list = %self.name, "the new list is served, but can't be written to disk: {error}");
                Snapshot::InMemory(header, list)
            }
        };
        self.unusable = unusable;
        if self.not_on_disk.is_some() && !self.counts {
            // A command ends, and leaves the list before it with its files, and the list that is held back.
            return RefreshOutcome::New { count, changes };
        }
        let before = self.lost.as_ref().filter(|lost| !lost.list.is_empty());
        let since = before.map_or(now, |lost| lost.since);
        let (lost, of) = lost.unwrap_or_default();
        self.lost = Some(self.store.write_lost(&self.name, lost, since, of));
        // Also the files of a list that answers another request.
        (self.held, self.held_list) = (None, None);
        self.store.remove_held(&self.name);
        info!(list = %self.name, entries = count, unusable = self.unusable.total(), "new list: {changes}");
        if count == 0 {
            warn!(list = %self.name, "the list is empty: nobody is known by it");
        }
        RefreshOutcome::New { count, changes }
    }
}

/// A list that arrived.
struct NewList {
    list: Arc<List>,
    /// Identifies its request, and the numbers that were left out ([`ListState::request`]).
    request: u64,
    hash: String,
    unusable: UnusableRecords,
    /// Its changes to the list in use.
    changes: Changes,
}

#[cfg(test)]
mod tests;
