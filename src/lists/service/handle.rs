//! What commands, pages and other replicas ask of the running lists.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::lists::events::{ProgressWatch, RefreshResult};
use crate::lists::schedule::{Act, Clearing, Order};
use crate::lists::status::ListStatus;
use crate::lists::suppression::Cleared;
use crate::lists::{ListConfig, accepted};
use crate::share::list::SharedList;
use crate::source::{Progress, Source};

/// Orders refreshes, and gives the state of the lists.
#[derive(Clone)]
pub struct Handle {
    pub(super) lists: Arc<ArcSwap<Vec<ScheduledList>>>,
}

/// The age of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListAge {
    /// The list's name.
    pub name: String,
    /// The last refresh without a failure, or when the list on disk was fetched: seconds since 1970, UTC.
    pub last_success: Option<u64>,
    /// Whether a new list is held back.
    pub is_held: bool,
}

/// A list with a schedule, for orders.
#[derive(Clone)]
pub(super) struct ScheduledList {
    pub(super) config: ListConfig,
    pub(super) source: Arc<Source>,
    pub(super) shared: Option<SharedList>,
    pub(super) progress: Progress,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) clearings: mpsc::Sender<Clearing>,
    pub(super) status: Arc<Mutex<ListStatus>>,
}

impl ScheduledList {
    fn status(&self) -> MutexGuard<'_, ListStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list among the replicas, if another one decides what is taken of it.
    fn decided_elsewhere(&self) -> Option<&SharedList> {
        self.shared.as_ref().filter(|shared| shared.is_decided_elsewhere())
    }

    /// Whether a new list is held back.
    fn is_held(&self) -> bool {
        match self.decided_elsewhere() {
            Some(shared) => shared.held_elsewhere().is_some(),
            None => self.status().held.is_some(),
        }
    }

    /// Orders something; the list's future result.
    fn order(&self, act: Act) -> oneshot::Receiver<RefreshResult> {
        let (reply, result) = oneshot::channel();
        if let Err(mpsc::error::TrySendError::Full(order)) = self.orders.try_send(Order { act, reply }) {
            let why = "too many orders wait for this list already";
            // If the command is gone, no one reads the reply.
            let _ = order.reply.send(RefreshResult::failed(self.config.name.clone(), why));
        }
        result
    }
}

impl Handle {
    /// The state of each list, to be shown.
    #[must_use]
    pub fn status(&self) -> Vec<ListStatus> {
        let status = |list: &ScheduledList| {
            let share = list.shared.as_ref().map(SharedList::status);
            let elsewhere = share.as_ref().and_then(|share| share.held.as_ref()).map(|back| back.held.id);
            let own = list.status().show(elsewhere);
            // What was held back here, while another replica decides, does not count.
            let held = own.held.clone().filter(|_| list.decided_elsewhere().is_none());
            // The tenant is the source's: its other lists and its searches update it, too.
            ListStatus { tenant: list.source.tenant(), share, held, ..own }
        };
        self.lists.load().iter().map(status).collect()
    }

    /// The age of each list, for a line of status. A list that is held back does not count as shown.
    #[must_use]
    pub fn ages(&self) -> Vec<ListAge> {
        let age = |list: &ScheduledList| {
            let is_held = list.is_held();
            let status = list.status();
            ListAge { name: status.list.clone(), last_success: status.last_success.or(status.taken), is_held }
        };
        self.lists.load().iter().map(age).collect()
    }

    /// Orders a refresh of the list with this name, of all lists of the source with this name, or of all lists. Returns each
    /// list's progress and its future result; nothing if no list has the name.
    #[must_use]
    pub fn refresh(
        &self,
        name: Option<&str>,
        accept: bool,
    ) -> Vec<(ProgressWatch, oneshot::Receiver<RefreshResult>)> {
        let all = self.lists.load();
        let lists: Vec<_> = all.iter().filter(|list| list.config.is_named(name)).collect();
        let held: Vec<bool> = lists.iter().map(|list| list.is_held()).collect();
        let order = |(list, accept): (&ScheduledList, bool)| {
            let result = list.order(if accept { Act::Accept } else { Act::Refresh });
            (ProgressWatch::new(list.config.name.clone(), list.progress.clone()), result)
        };
        // Before the first order: one more attempt with a refused credential is enough for all lists.
        lists.iter().for_each(|list| list.source.try_again());
        lists.iter().copied().zip(accepted(accept, &held)).map(order).collect()
    }
}

impl Handle {
    /// Orders that the list with this id is accepted, which the list `name` holds back: the order of another replica. Returns its future
    /// result; none if there is no such list.
    #[must_use]
    pub fn accept(&self, name: &str, id: u64) -> Option<oneshot::Receiver<RefreshResult>> {
        self.order_of(name, Act::AcceptThis(id))
    }

    /// Orders that the list with this id is accepted, which a person was shown as the one that the list `name` holds back. The same order
    /// twice accepts nothing that was not shown. Returns its future result; none if there is no such list.
    #[must_use]
    pub fn accept_shown(&self, name: &str, id: u64) -> Option<oneshot::Receiver<RefreshResult>> {
        self.order_of(name, Act::AcceptShown(id))
    }

    fn order_of(&self, name: &str, act: Act) -> Option<oneshot::Receiver<RefreshResult>> {
        let all = self.lists.load();
        all.iter().find(|list| list.config.name == name).map(|list| list.order(act))
    }

    /// Has each list take the numbers that must not be named out of itself and its files, when its refresh under way is done.
    /// Returns each list's name and its future result.
    #[must_use]
    pub fn take_out_suppressed(&self) -> Vec<(String, oneshot::Receiver<Cleared>)> {
        let order = |list: &ScheduledList| {
            let (reply, cleared) = oneshot::channel();
            // Without room in the queue, the orders in it do this one's work; its reply is missing.
            let _ = list.clearings.try_send(reply);
            (list.config.name.clone(), cleared)
        };
        self.lists.load().iter().map(order).collect()
    }
}
