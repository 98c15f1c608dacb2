//! The lists of the running service: opened, refreshed on schedule, and merged into a new directory after each change.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;
use tracing::{error, info};

use super::engine::Engine;
use super::events::{ProgressWatch, RefreshResult};
use super::lock::Lock;
use super::schedule::{Order, Schedule};
use super::snapshot::Snapshot;
use super::status::ListStatus;
use super::store::Store;
use super::{ListConfig, accepted, configured, refresh};
use crate::directory::merge::{MergeError, Rules};
use crate::lookup::Resolver;
use crate::observe::metrics::Metrics;
use crate::observe::panics;
use crate::source::{Progress, Settings, Source};
use crate::supervisor::Supervisor;

/// New lists that may wait for the next directory. If there are more, their schedules wait.
pub(super) const QUEUE: usize = 16;
/// The interval of the search for files of lists that were taken out of the configuration.
const DAY: Duration = Duration::from_hours(24);
/// Orders that may wait for one list; a further one is refused.
const ORDERS: usize = 4;

/// Orders refreshes, and gives the state of the lists.
#[derive(Clone)]
pub struct Handle {
    lists: Arc<[ScheduledList]>,
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

/// A list with a schedule.
struct ScheduledList {
    config: ListConfig,
    source: Arc<Source>,
    progress: Progress,
    orders: mpsc::Sender<Order>,
    status: Arc<Mutex<ListStatus>>,
}

impl ScheduledList {
    fn status(&self) -> MutexGuard<'_, ListStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// The state of each list, to be shown.
    #[must_use]
    pub fn status(&self) -> Vec<ListStatus> {
        let status = |list: &ScheduledList| {
            let status = list.status().show();
            // The tenant is the source's: its other lists and its searches update it, too.
            ListStatus { tenant: list.source.tenant(), ..status }
        };
        self.lists.iter().map(status).collect()
    }

    /// The age of each list, for a line of status. A list that is held back does not count as shown.
    #[must_use]
    pub fn ages(&self) -> Vec<ListAge> {
        let age = |list: &ScheduledList| {
            let status = list.status();
            let is_held = status.held.is_some();
            ListAge { name: status.list.clone(), last_success: status.last_success.or(status.taken), is_held }
        };
        self.lists.iter().map(age).collect()
    }

    /// Orders a refresh of the list with this name, of all lists of the source with this name, or of all lists. Returns each
    /// list's progress and its future result; nothing if no list has the name.
    #[must_use]
    pub fn refresh(
        &self,
        name: Option<&str>,
        accept: bool,
    ) -> Vec<(ProgressWatch, oneshot::Receiver<RefreshResult>)> {
        let lists: Vec<_> = self.lists.iter().filter(|list| list.config.is_named(name)).collect();
        let held: Vec<bool> = lists.iter().map(|list| list.status().held.is_some()).collect();
        let order = |(list, accept): (&ScheduledList, bool)| {
            let (reply, result) = oneshot::channel();
            let name = list.config.name.clone();
            if let Err(mpsc::error::TrySendError::Full(order)) = list.orders.try_send(Order { accept, reply })
            {
                let why = "too many orders wait for this list already";
                // If the command is gone, no one reads the reply.
                let _ = order.reply.send(RefreshResult::failed(name.clone(), why));
            }
            (ProgressWatch::new(name, list.progress.clone()), result)
        };
        // Before the first order: one more attempt with a refused credential is enough for all lists.
        lists.iter().for_each(|list| list.source.try_again());
        lists.iter().copied().zip(accepted(accept, &held)).map(order).collect()
    }
}

/// The lists on disk, with their directory in use.
pub struct OpenLists {
    publisher: Publisher,
    /// The right to write the files; none if `state_dir` can't be written.
    lock: Option<Lock>,
}

/// Opens the lists of `state_dir` and puts their directory in use. While a `nameplate refresh` writes there, the lists that are
/// already on disk are in use, and this function waits for the command's end.
///
/// # Errors
/// If another service runs with this `state_dir`.
pub async fn open(
    sources: &[Settings],
    state_dir: &Path,
    rules: Rules,
    resolver: &Arc<Resolver>,
) -> anyhow::Result<OpenLists> {
    let store = Store::new(state_dir);
    let load = |read: fn(&Store, &ListConfig) -> Snapshot| {
        let (sources, store) = (sources.to_vec(), store.clone());
        let (resolver, rules) = (Arc::clone(resolver), rules.clone());
        panics::blocking(move || {
            let engine = Engine::open(&sources, configured(&sources), store, read);
            Publisher::start(engine, rules, resolver)
        })
    };
    let lock = Lock::take_to_serve(state_dir, async || {
        // Without the lock damaged files stay where they are.
        load(|store, list| store.look(&list.name)).await?;
        Ok(())
    });
    let lock = lock.await?;
    let publisher = load(|store, list| store.load(&list.name, refresh::now())).await?;
    Ok(OpenLists { publisher, lock })
}

/// Starts the schedules of the `open` lists, and the task that builds directories. `sources` are the clients of the configured
/// sources, in their order.
pub fn start(
    open: OpenLists,
    sources: &[Arc<Source>],
    metrics: &Metrics,
    supervisor: &mut Supervisor,
) -> Handle {
    let OpenLists { publisher: Publisher { engine, .. }, .. } = &open;
    let (changed, receive) = mpsc::channel(QUEUE);
    let mut lists = Vec::new();
    for (place, (list, snapshot)) in engine.lists().iter().enumerate() {
        let (Some(settings), Some(source)) = (engine.settings(list), sources.get(list.source)) else {
            continue;
        };
        let Some(refresher) = engine.refresher(list, snapshot.clone(), Arc::clone(source)) else { continue };
        let mut status =
            ListStatus { list: list.name.clone(), source: list.source_name.clone(), ..ListStatus::default() };
        status.note(&refresher);
        let status = Arc::new(Mutex::new(status));
        let (orders, receive_orders) = mpsc::channel(ORDERS);
        let schedule = Schedule {
            refresher,
            place,
            refresh: settings.refresh,
            changed: changed.clone(),
            orders: receive_orders,
            status: Arc::clone(&status),
            metrics: metrics.list(&list.source_name, &list.name),
        };
        let progress = schedule.refresher.progress().clone();
        lists.push(ScheduledList {
            config: list.clone(),
            source: Arc::clone(source),
            progress,
            orders,
            status,
        });
        supervisor.spawn(format!("the refresh of `{}`", list.name), schedule.run());
    }
    let OpenLists { publisher, lock } = open;
    supervisor.spawn("the building of directories", async move {
        // The lock is held as long as lists are written.
        publisher.run(receive, lock.is_some()).await;
        drop(lock);
    });
    Handle { lists: lists.into() }
}

/// Builds a directory whenever a list is new, and puts it in use.
pub(super) struct Publisher {
    pub(super) engine: Engine,
    rules: Rules,
    resolver: Arc<Resolver>,
}

impl Publisher {
    /// Begins with the directory of the lists on disk, if there is any.
    pub(super) fn start(engine: Engine, rules: Rules, resolver: Arc<Resolver>) -> Self {
        let mut publisher = Self { engine, rules, resolver };
        // An empty list counts: an administrator accepted it, and calls can be answered from ranges and searches.
        let mut snapshots = publisher.engine.lists().iter().map(|(_, snapshot)| snapshot);
        if snapshots.any(|snapshot| !matches!(snapshot, Snapshot::Absent)) {
            publisher.publish("from disk");
        }
        publisher
    }

    /// Builds the directory and puts it in use. Takes seconds for a large list, so a thread for blocking work does it.
    pub(super) fn publish(&mut self, lists: &str) {
        let mut built = self.engine.directory(&self.rules);
        // A damaged list does not hold up the others.
        if matches!(built, Err(MergeError::Unreadable(_))) && self.engine.reopen_damaged() {
            built = self.engine.directory(&self.rules);
        }
        match built {
            Ok(directory) => {
                self.resolver.swap(directory);
                info!(numbers = self.resolver.numbers(), %lists, "directory is in place");
            }
            Err(error) => error!("the directory stays as it was: {error}"),
        }
    }

    pub(super) async fn run(mut self, mut receive: mpsc::Receiver<(usize, Snapshot)>, is_writer: bool) {
        let mut new = Vec::new();
        let mut daily = interval(DAY);
        loop {
            tokio::select! {
                // Lists that arrive together make one directory.
                received = receive.recv_many(&mut new, QUEUE) => if received == 0 { return },
                _ = daily.tick(), if is_writer => {
                    self.engine.remove_old_files().await;
                    continue;
                }
            }
            for (list, snapshot) in new.drain(..) {
                self.engine.replace(list, snapshot);
            }
            let published = panics::blocking(move || {
                self.publish("new");
                self
            });
            match published.await {
                Ok(publisher) => self = publisher,
                Err(error) => return error!("no further directory can be built: {error}"),
            }
        }
    }
}
