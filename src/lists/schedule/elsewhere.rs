//! A list that another replica holds back, which decides for this one: it is said here, too.

use tracing::warn;

use super::{ListSource, Schedule};
use crate::lists::guard::HeldList;
use crate::share::held::HeldBack;
use crate::share::list::SharedList;

/// The list that another replica holds back, which decides for this one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elsewhere {
    /// Its id.
    pub(super) held: Option<u64>,
    /// The id of the last one that the log has.
    said: Option<u64>,
}

impl<S: ListSource + Clone> Schedule<S> {
    /// Another replica, which decides for this one, holds a list back, or another one than before, or none any more.
    pub(super) fn note_elsewhere(&mut self) {
        let back = self.refresher.source().shared().and_then(SharedList::held_elsewhere);
        let id = back.as_ref().map(|back| back.held.id);
        if let Some(HeldBack { by, held }) = back.filter(|_| self.elsewhere.said != id) {
            let HeldList { count, changes, losses, .. } = held;
            let list = self.refresher.name();
            warn!(%list, known = self.refresher.snapshot().len(), "a list of {count} entries is held back at {by}; `nameplate refresh {list} --accept` takes it for all replicas: {changes}; {losses}");
            // A list that replaces it is shown on request only.
            if self.elsewhere.held.is_none() {
                self.status().shown = id;
            }
            self.elsewhere.said = id;
        }
        self.elsewhere.held = id;
        self.show_whether_held();
    }
}

/// Returns when another replica holds another list back than the one with the id `known`.
pub(super) async fn other_than(shared: Option<&SharedList>, known: Option<u64>) {
    match shared {
        Some(shared) => shared.until_held_elsewhere_is_not(known).await,
        None => std::future::pending().await,
    }
}
