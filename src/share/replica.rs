//! This service as one of the replicas: what its lists and its session with the server have in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use super::connector::Connector;
use super::held::{Accepted, HeldBack};
use super::lease::Lease;
use super::leftovers::Leftovers;
use super::life::ReplicaStatus;
use super::list::{SharedList, now_in_millis};
use super::memory::Memory;
use super::said::Said;
use super::seal::Key;
use super::searches::Exchange;
use super::server::Server;
use super::settings::Settings;
use super::slot::{Slot, Wanted};
use super::version::{ReplicaId, Version};
use super::view::View;
use crate::number::Number;
use crate::observe::metrics;

/// Wishes that may wait for the session; a further one is dropped.
const WISHES: usize = 32;

/// How often the lease is left to another replica at most.
const GIVEN_UP_ONCE_IN: Duration = Duration::from_mins(10);

/// A request that the session is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The holder is to ask the CRM for the list with this name.
    Ask(String),
    /// The holder is to accept a list that it holds back.
    Accept {
        /// The list's name.
        list: String,
        /// The id of the list that is held back.
        id: u64,
        /// Identifies the answer.
        request: u64,
        /// When nobody waits for the answer any more.
        until: Instant,
    },
    /// A number was forgotten here, or may be named again.
    Forgotten,
}

/// A shared list of the configuration.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) wanted: Wanted,
    pub(super) slot: Arc<Mutex<Slot>>,
}

/// This service as one of the replicas.
pub struct Replica {
    pub(super) id: ReplicaId,
    /// The machine's name, for people.
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) connector: Connector,
    /// The server of the last session.
    pub(super) server: Mutex<Option<Server>>,
    pub(super) key: Mutex<Option<Arc<Key>>>,
    pub(super) memory: Mutex<Memory>,
    pub(super) lease: Mutex<Lease>,
    pub(super) view: watch::Sender<View>,
    /// Something may have to be published.
    pub(super) work: Notify,
    /// What the server has of a new list is to be read.
    pub(super) added: Notify,
    /// The lease is to be asked for anew, or to be given up.
    pub(super) lease_changed: Notify,
    pub(super) gives_up: AtomicBool,
    /// When it was given up last.
    gave_up: Mutex<Option<Instant>>,
    /// Searches for strangers.
    pub exchange: Exchange,
    /// To the session.
    pub(super) wishes: mpsc::Sender<Wish>,
    /// The commands that wait for an answer of the holder, by the request's number.
    answers: Mutex<BTreeMap<u64, oneshot::Sender<Accepted>>>,
    /// The chunks that no list needs any more.
    pub(super) leftovers: Mutex<Leftovers>,
    /// What the log has of the server.
    said: Mutex<Said>,
    /// The service that had this `state_dir` before.
    pub(super) before: Mutex<Option<ReplicaId>>,
    lists: Mutex<BTreeMap<String, Listed>>,
    metrics: metrics::Share,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The state of the server, for the page Status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// The name of the site.
    pub site: String,
    /// Whether the server answers.
    pub is_up: bool,
    /// Why the server can't be used; none while it answers, and before the first attempt.
    pub trouble: Option<String>,
    /// The machine that has the lease; none if none is known.
    pub holder: Option<String>,
    /// Whether it is this one.
    pub is_holder: bool,
}

/// The state of a shared list, for `nameplate sources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareStatus {
    /// The machine that has the lease; none if none is known.
    pub holder: Option<String>,
    /// Whether it is this one.
    pub is_holder: bool,
    /// The version of the list in use; none if it has none.
    pub here: Option<String>,
    /// Whether the list in use is another one than that version.
    pub is_own: bool,
    /// The version in the server; none if it has none, or does not answer.
    pub there: Option<String>,
    /// Why the server can't be used; none while it answers.
    pub trouble: Option<String>,
    /// The list that another replica holds back, which decides for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldBack>,
}

impl Replica {
    /// A replica that knows nothing of the server yet. Returns with it what its session has to send.
    #[must_use]
    pub fn new(
        settings: Settings,
        state_dir: &Path,
        metrics: metrics::Share,
    ) -> (Arc<Self>, mpsc::Receiver<Wish>) {
        let (wishes, wished) = mpsc::channel(WISHES);
        let mut memory = Memory::read(state_dir);
        let id = ReplicaId::random();
        let before = memory.starts(id);
        let now = Instant::now();
        metrics.set(false, false);
        let replica = Self {
            id,
            name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            connector: Connector::new(settings.clone()),
            server: Mutex::default(),
            settings,
            key: Mutex::default(),
            lease: Mutex::new(Lease::new(memory.epoch(), now)),
            memory: Mutex::new(memory),
            view: watch::Sender::new(View::new(now)),
            work: Notify::new(),
            added: Notify::new(),
            lease_changed: Notify::new(),
            gives_up: AtomicBool::new(false),
            gave_up: Mutex::default(),
            wishes,
            exchange: Exchange::default(),
            answers: Mutex::default(),
            leftovers: Mutex::default(),
            said: Mutex::default(),
            before: Mutex::new(before),
            lists: Mutex::default(),
            metrics,
        };
        (Arc::new(replica), wished)
    }

    /// A list of the configuration that is shared from now on.
    #[must_use]
    pub fn list(self: &Arc<Self>, wanted: Wanted) -> SharedList {
        let mut lists = locked(&self.lists);
        let listed = lists
            .entry(wanted.list.clone())
            .or_insert_with(|| Listed { wanted: wanted.clone(), slot: Arc::default() });
        listed.wanted = wanted.clone();
        let slot = Arc::clone(&listed.slot);
        drop(lists);
        // The session reads the entry of a new list at once.
        self.added.notify_one();
        SharedList { replica: Arc::clone(self), wanted, slot }
    }

    /// Only these lists are shared from now on.
    pub fn retain(&self, lists: &[&str]) {
        locked(&self.lists).retain(|name, _| lists.contains(&name.as_str()));
    }

    /// All shared lists.
    pub(super) fn lists(&self) -> Vec<Listed> {
        locked(&self.lists).values().cloned().collect()
    }

    /// The shared list with this name.
    pub(super) fn listed(&self, name: &str) -> Option<Listed> {
        locked(&self.lists).get(name).cloned()
    }

    /// A sentence on the server if it can't be used; none while it answers.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.view.borrow().trouble.clone()
    }

    /// The state of the server.
    #[must_use]
    pub fn server(&self) -> ServerStatus {
        let view = self.view.borrow();
        ServerStatus {
            site: self.settings.site.clone(),
            is_up: view.is_up,
            trouble: view.trouble.clone(),
            holder: view.holder.clone().filter(|_| view.is_up),
            is_holder: view.epoch(Instant::now()).is_some(),
        }
    }

    /// Leaves the lease to another replica for a while, if the server does not have this list, or has the version of it that could not be
    /// taken here. Not again soon: the others may be no better off.
    pub(super) fn give_up(&self, list: &str, failed: Option<Version>) {
        let now = Instant::now();
        let mut gave_up = locked(&self.gave_up);
        let is_again = gave_up.is_some_and(|before| now - before < GIVEN_UP_ONCE_IN);
        let is_there =
            self.view.borrow().entries.get(list).is_some_and(|entry| Some(entry.version) != failed);
        if is_again || is_there {
            return;
        }
        *gave_up = Some(now);
        self.gives_up.store(true, Ordering::Relaxed);
        self.lease_changed.notify_one();
    }

    /// The server has answered: the lease is as the replica's own has it, and what changes besides is `change`.
    pub(super) fn answered(&self, change: impl FnOnce(&mut View)) {
        let now = Instant::now();
        let publishes = locked(&self.lease).publishes(now);
        self.view.send_modify(|view| {
            (view.is_up, view.contact, view.publishes, view.trouble) = (true, now, publishes, None);
            change(view);
        });
        self.metrics.set(true, publishes.is_some());
        if locked(&self.said).answers() {
            self.say_that_it_answers();
        }
    }

    /// The connection to the server has lasted.
    pub(super) fn lasts(&self) {
        if locked(&self.said).lasts() {
            self.say_that_it_answers();
        }
    }

    fn say_that_it_answers(&self) {
        let site = &self.settings.site;
        info!(%site, "the replicas' server answers: lists are shared");
    }

    /// The server can't be used.
    pub(super) fn failed(&self, error: &str) {
        let publishes = locked(&self.lease).publishes(Instant::now());
        self.view.send_modify(|view| {
            (view.is_up, view.publishes) = (false, publishes);
            view.trouble = Some(error.to_owned());
        });
        self.metrics.set(false, publishes.is_some());
        if locked(&self.said).fails(error) {
            let site = &self.settings.site;
            warn!(
                %site,
                "the replicas' server can't be used: {error}. The lists in use stay; after twice its `refresh` each list is asked for by this service itself"
            );
        }
    }

    /// The state of a list.
    pub(super) fn status(&self, list: &str, slot: &Mutex<Slot>) -> ShareStatus {
        let (taken, is_own) = locked(slot).taken();
        let view = self.view.borrow();
        ShareStatus {
            holder: view.holder.clone().filter(|_| view.is_up),
            is_holder: view.epoch(Instant::now()).is_some(),
            here: taken.map(|version| version.to_string()),
            is_own,
            there: view.entries.get(list).filter(|_| view.is_up).map(|entry| entry.version.to_string()),
            trouble: view.trouble.clone(),
            held: None,
        }
    }

    /// All replicas that are known; none while the server can't be used.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaStatus> {
        let view = self.view.borrow().clone();
        let signs = view.signs.filter(|_| view.is_up);
        signs.map_or_else(Vec::new, |signs| signs.status(self.id, view.holder_id, Instant::now()))
    }

    /// The service starts with these numbers of `nameplate forget`. Writes a file.
    pub fn starts_with(&self, forgotten: impl Iterator<Item = Number>) {
        locked(&self.memory).starts_with(forgotten, now_in_millis());
    }

    /// A number was forgotten here, or may be named again: the other replicas get to know. Writes a file.
    pub fn decides(&self, number: Number, undo: bool) {
        locked(&self.memory).decide(number, undo, now_in_millis());
        // If the queue is full, the session looks for itself.
        let _ = self.wishes.try_send(Wish::Forgotten);
    }

    /// Waits for the holder's answer to a request. Returns what identifies it.
    pub(super) fn expect_answer(&self) -> (u64, oneshot::Receiver<Accepted>) {
        let (answer, answered) = oneshot::channel();
        let request = fastrand::u64(..);
        locked(&self.answers).insert(request, answer);
        (request, answered)
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget_answer(&self, request: u64) {
        locked(&self.answers).remove(&request);
    }

    /// The holder has answered a request.
    pub(super) fn is_answered(&self, request: u64, answer: Accepted) {
        if let Some(waiting) = locked(&self.answers).remove(&request) {
            // Its command may be gone.
            let _ = waiting.send(answer);
        }
    }
}

/// What is behind a lock. Nothing panics while it has one, and each change is whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Replica {
    /// A replica whose server is not there.
    pub fn without_a_server(state_dir: &Path) -> Arc<Self> {
        let settings = Settings {
            servers: crate::share::Servers::One("redis://127.0.0.1:1".parse().unwrap()),
            username: None,
            password: None,
            ca_file: None,
            client: None,
            key: crate::secret::Secret::Given("07".repeat(32).into()),
            site: "oslo".into(),
        };
        Self::new(settings, state_dir, metrics::Metrics::new().share("oslo")).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_server_has_of_a_list_that_is_added_is_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let replica = Replica::without_a_server(folder.path());
        let wanted = Wanted { list: "crm".into(), fingerprint: 7, refresh: Duration::from_mins(5) };
        let _list = replica.list(wanted);
        let read = tokio::time::timeout(Duration::from_secs(5), replica.added.notified());
        assert!(read.await.is_ok());
    }
}
