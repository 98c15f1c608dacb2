//! The lists of the running service: opened, refreshed on schedule, and merged into a new directory after each change. A reload
//! of the configuration adds, changes and removes lists; the others keep their schedules.

mod handle;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::engine::Engine;
use super::lock::Lock;
use super::publisher::{self, Change, Configuration, Publisher, QUEUE};
use super::refresh::{Refresher, SourceList};
use super::schedule::{Elsewhere, ListSettings, Schedule};
use super::snapshot::Snapshot;
use super::status::ListStatus;
use super::store::Store;
use super::{ListConfig, configured};
use crate::directory::merge::Rules;
use crate::lookup::Resolver;
use crate::observe::metrics::Metrics;
use crate::observe::panics;
use crate::share::replica::Replica;
use crate::share::slot::Wanted;
use crate::source::{Kind, Prepared, Settings};
use crate::supervisor::{Supervisor, Task};
use handle::ScheduledList;

pub use handle::{Handle, ListAge};

/// Orders that may wait for one list; a further one is refused.
const ORDERS: usize = 4;
/// Orders to take numbers out of one list that may wait.
const CLEARINGS: usize = 32;
/// The most time for a removed list to be written to its end.
const LAST_WRITE: Duration = Duration::from_mins(1);

/// The lists on disk, with their directory in use.
pub struct OpenLists {
    publisher: Publisher,
    /// The right to write the files; none if `state_dir` can't be written.
    lock: Option<Lock>,
}

/// Opens the lists of `state_dir`, the files of `store`, and puts their directory in use. While a `nameplate refresh` writes there, the lists that are
/// already on disk are in use, and this function waits for the command's end.
///
/// # Errors
/// If another service runs with this `state_dir`.
pub async fn open(
    sources: &[Settings],
    state_dir: &Path,
    store: &Store,
    rules: Rules,
    resolver: &Arc<Resolver>,
) -> anyhow::Result<OpenLists> {
    let load = |is_writer: bool| {
        let (sources, store) = (sources.to_vec(), store.clone());
        let (resolver, rules) = (Arc::clone(resolver), rules.clone());
        panics::blocking(move || {
            let read = |store: &Store, list: &ListConfig| publisher::read(store, list, is_writer);
            let engine = Engine::open(&sources, configured(&sources), store, read);
            Publisher::start(engine, rules, resolver)
        })
    };
    let lock = Lock::take_to_serve(state_dir, async || {
        // Without the lock damaged files stay where they are.
        load(false).await?;
        Ok(())
    });
    let lock = lock.await?;
    let publisher = load(true).await?;
    Ok(OpenLists { publisher, lock })
}

/// The schedules of the lists.
pub struct Schedules {
    store: Store,
    lists: Vec<RunningList>,
    handle: Handle,
    /// To the task that builds directories.
    changes: mpsc::Sender<Change>,
    /// This service among the replicas; none if it asks by itself.
    replica: Option<Arc<Replica>>,
}

/// A list with its schedule's task.
struct RunningList {
    list: ScheduledList,
    /// What the schedule refreshes; none ends it.
    settings: watch::Sender<Option<Arc<ListSettings<SourceList>>>>,
    task: Task,
}

/// Starts the schedules of the `open` lists, and the task that builds directories. `sources` are the configured sources, in
/// their order. The lists of SuperOffice are shared with the other replicas if there are any.
pub fn start(
    open: OpenLists,
    sources: &[Prepared],
    replica: Option<Arc<Replica>>,
    metrics: &Metrics,
    supervisor: &mut Supervisor,
) -> Schedules {
    let OpenLists { publisher, lock } = open;
    let (changes, receive) = mpsc::channel(QUEUE);
    let lists = publisher.engine.lists().to_vec();
    let handle = Handle { lists: Arc::default() };
    let mut schedules =
        Schedules { store: publisher.engine.store().clone(), lists: Vec::new(), handle, changes, replica };
    for (list, snapshot) in lists {
        let Some(source) = sources.get(list.source) else { continue };
        let running = schedules.schedule(list, snapshot, source, metrics, supervisor);
        schedules.lists.push(running);
    }
    schedules.show();
    supervisor.spawn("the building of directories", async move {
        // The lock is held as long as lists are written.
        publisher.run(receive, lock.is_some()).await;
        drop(lock);
    });
    schedules
}

impl Schedules {
    /// Orders refreshes, and gives the state of the lists, also after a reload.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Takes another configuration. Lists that are no longer in it leave the directory before this function returns. New lists
    /// are fetched at once, and so are changed ones, if the request has changed or the last fetch has failed.
    pub async fn reload(
        &mut self,
        sources: &[Prepared],
        rules: Rules,
        metrics: &Metrics,
        supervisor: &mut Supervisor,
    ) {
        let settings: Vec<Settings> = sources.iter().map(|source| source.settings.clone()).collect();
        self.end_those_without(&configured(&settings), metrics, supervisor).await;
        let (reply, placed) = oneshot::channel();
        let new = Configuration { sources: settings, rules, reply };
        // It fails only if the service stops.
        let _ = self.changes.send(Change::Configuration(Box::new(new))).await;
        let mut before = std::mem::take(&mut self.lists);
        for (list, snapshot) in placed.await.unwrap_or_default() {
            let Some(source) = sources.get(list.source) else { continue };
            let known = before.iter().position(|known| known.list.config.is_same_list(&list));
            self.lists.push(match known {
                Some(known) => before.swap_remove(known).changed(list, source, self.replica.as_ref()),
                None => self.schedule(list, snapshot, source, metrics, supervisor),
            });
        }
        if let Some(replica) = &self.replica {
            let names: Vec<_> = self.lists.iter().map(|running| running.list.config.name.as_str()).collect();
            replica.retain(&names);
        }
        self.show();
    }

    /// Tells the schedules that secrets may have changed: a list whose credential was refused is tried again.
    pub fn look_again(&self) {
        self.lists.iter().for_each(|running| running.settings.send_modify(|_| {}));
    }

    /// Ends the schedules of lists that are not in `wanted`.
    async fn end_those_without(
        &mut self,
        wanted: &[ListConfig],
        metrics: &Metrics,
        supervisor: &mut Supervisor,
    ) {
        let stays = |running: &mut RunningList| {
            !wanted.iter().any(|wanted| wanted.is_same_list(&running.list.config))
        };
        let ending: Vec<RunningList> = self.lists.extract_if(.., stays).collect();
        let ended = ending.into_iter().map(|running| {
            let ListConfig { name, source_name, .. } = &running.list.config;
            metrics.forget_list(source_name, name);
            running.task.stop();
            running.settings.send_replace(None);
            running.task
        });
        let ended: Vec<Task> = ended.collect();
        // A file that is being written is finished: the list may come back.
        supervisor.until_ended(&ended, LAST_WRITE).await;
    }

    /// Starts the schedule of a list.
    fn schedule(
        &self,
        config: ListConfig,
        snapshot: Snapshot,
        source: &Prepared,
        metrics: &Metrics,
        supervisor: &mut Supervisor,
    ) -> RunningList {
        let wanted = settings(&config, source, self.replica.as_ref());
        let ListSettings { source: origin, fingerprint, refresh, full_refresh } = wanted.clone();
        let shared = origin.shared.clone();
        let (name, store) = (config.name.clone(), self.store.clone());
        let refresher = Refresher::new(name.clone(), origin, fingerprint, store, full_refresh, snapshot);
        let mut status =
            ListStatus { list: name, source: config.source_name.clone(), ..ListStatus::default() };
        status.note(&refresher);
        let status = Arc::new(Mutex::new(status));
        let (orders, receive_orders) = mpsc::channel(ORDERS);
        let (clearings, receive_clearings) = mpsc::channel(CLEARINGS);
        let (settings, receive_settings) = watch::channel(Some(Arc::new(wanted)));
        let progress = refresher.progress().clone();
        let schedule = Schedule {
            refresher,
            refresh,
            settings: receive_settings,
            changed: self.changes.clone(),
            orders: receive_orders,
            clearings: receive_clearings,
            status: Arc::clone(&status),
            metrics: metrics.list(&config.source_name, &config.name, refresh),
            elsewhere: Elsewhere::default(),
        };
        let shutdown = supervisor.shutdown().clone();
        let task = supervisor.spawn_with(format!("the refresh of `{}`", config.name), |_| async move {
            shutdown.run_until_cancelled(Box::pin(schedule.run())).await;
        });
        let list = ScheduledList {
            config,
            source: Arc::clone(&source.client),
            shared,
            progress,
            orders,
            clearings,
            status,
        };
        RunningList { list, settings, task }
    }

    /// Lets commands see the lists.
    fn show(&self) {
        let lists = self.lists.iter().map(|running| running.list.clone()).collect();
        self.handle.lists.store(Arc::new(lists));
    }
}

impl RunningList {
    /// The same list in another configuration.
    fn changed(mut self, config: ListConfig, source: &Prepared, replica: Option<&Arc<Replica>>) -> Self {
        let wanted = settings(&config, source, replica);
        self.list.shared.clone_from(&wanted.source.shared);
        self.settings.send_modify(|settings| {
            if settings.as_ref().is_none_or(|settings| !settings.are(&wanted)) {
                *settings = Some(Arc::new(wanted));
            }
        });
        (self.list.config, self.list.source) = (config, Arc::clone(&source.client));
        self
    }
}

/// What the schedule of a list refreshes.
fn settings(
    list: &ListConfig,
    source: &Prepared,
    replica: Option<&Arc<Replica>>,
) -> ListSettings<SourceList> {
    let Prepared { settings, client } = source;
    let fingerprint = settings.fingerprint(list.id);
    // A CSV file is this machine's own.
    let is_shared = matches!(settings.kind, Kind::SuperOffice(_));
    let wanted = || Wanted { list: list.name.clone(), fingerprint, refresh: settings.refresh };
    let shared = replica.filter(|_| is_shared).map(|replica| replica.list(wanted()));
    ListSettings {
        source: SourceList { source: Arc::clone(client), list: list.id, shared },
        fingerprint,
        refresh: settings.refresh,
        full_refresh: settings.full_refresh,
    }
}

impl ListSettings<SourceList> {
    fn are(&self, other: &Self) -> bool {
        let numbers = |of: &Self| (of.fingerprint, of.refresh, of.full_refresh);
        Arc::ptr_eq(&self.source.source, &other.source.source)
            && numbers(self) == numbers(other)
            && self.source.shared == other.source.shared
    }
}
