//! Keeps the directory fresh: each list on its own schedule, and a new directory whenever one of them has a new
//! set. What fails or looks wrong takes nothing away, and serving begins with what is on disk, before the first
//! question.
//!
//! - [`start`] loads the lists, puts the directory in place and starts the schedules; its [`Handle`] is the one
//!   way to steer them
//! - [`schedule`]: when a list is asked for, and what is said of it
//! - [`keeper`]: one list: asks, judges, writes
//! - [`guard`]: the guard against mass loss
//! - [`changes`]: what a new list changes
//! - [`store`]: the lists on disk
//! - [`status`]: what is known of each list
//! - [`alone`]: refreshing and looking up without a running service

pub mod alone;
pub mod changes;
pub mod guard;
pub mod keeper;
pub mod schedule;
pub mod status;
pub mod store;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::directory::Directory;
use crate::directory::merge::{Listed, MergeError, merge};
use crate::metrics::Metrics;
use crate::resolver::Resolver;
use crate::source::{ListId, Settings, Source};
use keeper::{Keeper, ListOf, Outcome};
use schedule::{Order, Schedule};
use status::ListStatus;
use store::{Kept, Lock, Store};

/// New lists that may wait for the next directory; then schedules wait for room.
const QUEUE: usize = 16;
/// Orders that may wait for one list; one more is refused.
const ORDERS: usize = 4;

/// One list of the configuration: its name, and whose it is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The list's name: the source's, and the selection's id.
    pub name: String,
    /// The source's place in the configuration.
    pub source: usize,
    /// Which of the source's lists.
    pub list: ListId,
}

/// All lists of the configuration, in its order.
#[must_use]
pub fn places(sources: &[Settings]) -> Vec<Place> {
    let lists = |(source, settings): (usize, &Settings)| {
        settings
            .lists()
            .into_iter()
            .map(|list| Place { name: list.name(&settings.name), source, list })
            .collect::<Vec<_>>()
    };
    sources.iter().enumerate().flat_map(lists).collect()
}

/// Steers the schedules.
#[derive(Clone)]
pub struct Handle {
    lists: Arc<[Steered]>,
}

struct Steered {
    name: String,
    source: String,
    orders: mpsc::Sender<Order>,
    status: Arc<Mutex<ListStatus>>,
}

impl Handle {
    /// What is known of each list now.
    #[must_use]
    pub fn status(&self) -> Vec<ListStatus> {
        self.lists
            .iter()
            .map(|list| list.status.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// Orders the lists of this name, or of the source of this name, or all, to be asked for now. Gives each
    /// list's name with the outcome, or what failed, to come. Empty where no list has the name.
    #[must_use]
    pub fn refresh(
        &self,
        name: Option<&str>,
        accept: bool,
    ) -> Vec<(String, oneshot::Receiver<Result<Outcome, String>>)> {
        let meant = |list: &&Steered| name.is_none_or(|name| name == list.name || name == list.source);
        let order = |list: &Steered| {
            let (reply, outcome) = oneshot::channel();
            if let Err(mpsc::error::TrySendError::Full(order)) = list.orders.try_send(Order { accept, reply })
            {
                // Who asked may have gone.
                let _ = order.reply.send(Err("too many orders wait for this list already".into()));
            }
            (list.name.clone(), outcome)
        };
        self.lists.iter().filter(meant).map(order).collect()
    }
}

/// Loads the lists from `state_dir`, puts their directory in place, and starts the schedules on `tasks`, until
/// `shutdown`. `asked` are the `sources`, prepared. Fails when another process writes below `state_dir`.
pub async fn start(
    sources: &[Settings],
    asked: &[Arc<Source>],
    state_dir: &Path,
    resolver: &Arc<Resolver>,
    metrics: &Metrics,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<Handle> {
    let lock = lock(state_dir)?;
    let store = Store::new(state_dir);
    let places = places(sources);
    let publisher = {
        let (sources, places, store) = (sources.to_vec(), places.clone(), store.clone());
        let resolver = Arc::clone(resolver);
        tokio::task::spawn_blocking(move || Publisher::load(sources, places, &store, resolver)).await?
    };
    let (changed, receive) = mpsc::channel(QUEUE);
    let mut lists = Vec::new();
    for (place, (at, kept)) in places.iter().zip(&publisher.lists).enumerate() {
        let (Some(settings), Some(source)) = (sources.get(at.source), asked.get(at.source)) else { continue };
        let question = ListOf { source: Arc::clone(source), list: at.list };
        let status = Arc::new(Mutex::new(ListStatus {
            list: at.name.clone(),
            source: settings.name.clone(),
            count: kept.len(),
            ..ListStatus::default()
        }));
        let (orders, receive_orders) = mpsc::channel(ORDERS);
        let schedule = Schedule {
            keeper: Keeper::new(
                at.name.clone(),
                question,
                settings.fingerprint(at.list),
                store.clone(),
                settings.full_refresh,
                kept.clone(),
            ),
            place,
            refresh: settings.refresh,
            changed: changed.clone(),
            orders: receive_orders,
            status: Arc::clone(&status),
            metrics: metrics.list(&settings.name, &at.name),
        };
        lists.push(Steered { name: at.name.clone(), source: settings.name.clone(), orders, status });
        let shutdown = shutdown.clone();
        tasks.spawn(async move { shutdown.run_until_cancelled_owned(schedule.run()).await });
    }
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        // The right to write is kept as long as lists are taken.
        let _lock = lock;
        shutdown.run_until_cancelled_owned(publisher.run(receive)).await;
    });
    Ok(Handle { lists: lists.into() })
}

/// Takes the lock of `state_dir`. A folder that can't be written is reported, and served without.
fn lock(state_dir: &Path) -> anyhow::Result<Option<Lock>> {
    match Lock::take(state_dir) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => anyhow::bail!("another nameplate runs with the same state_dir, {}", state_dir.display()),
        Err(error) => {
            warn!(
                "state_dir {} can't be written, so names are not there at once after a restart: {error}",
                state_dir.display()
            );
            Ok(None)
        }
    }
}

/// Builds a directory of all lists when one is new, and puts it in place.
struct Publisher {
    names: Vec<String>,
    groups: Vec<u16>,
    places: Vec<Place>,
    lists: Vec<Kept>,
    resolver: Arc<Resolver>,
}

impl Publisher {
    /// Begins with the lists that are on disk.
    fn load(sources: Vec<Settings>, places: Vec<Place>, store: &Store, resolver: Arc<Resolver>) -> Self {
        let now = keeper::now();
        let lists: Vec<Kept> = places.iter().map(|place| store.load(&place.name, now)).collect();
        let groups = sources.iter().map(|source| source.group).collect();
        let names = sources.into_iter().map(|source| source.name).collect();
        let publisher = Self { names, groups, places, lists, resolver };
        if publisher.lists.iter().any(|list| !list.is_empty()) {
            publisher.publish("from disk");
        }
        publisher
    }

    fn build(&self) -> Result<Directory, MergeError> {
        let mut listed = Vec::new();
        for (place, kept) in self.places.iter().zip(&self.lists) {
            let group = self.groups.get(place.source).copied().unwrap_or_default();
            let source = u16::try_from(place.source).map_err(|_| MergeError::TooLarge)?;
            listed.push(Listed { source, group, entries: kept.entries()? });
        }
        merge(&self.names, listed)
    }

    /// Work for a thread that answers no calls.
    fn publish(&self, lists: &str) {
        match self.build() {
            Ok(directory) => {
                self.resolver.swap(directory);
                info!(numbers = self.resolver.numbers(), %lists, "directory is in place");
            }
            Err(error) => error!("the directory stays as it was: {error}"),
        }
    }

    async fn run(mut self, mut receive: mpsc::Receiver<(usize, Kept)>) {
        let mut new = Vec::new();
        // Lists that come together make one directory.
        while receive.recv_many(&mut new, QUEUE).await > 0 {
            for (place, list) in new.drain(..) {
                if let Some(slot) = self.lists.get_mut(place) {
                    *slot = list;
                }
            }
            let published = tokio::task::spawn_blocking(move || {
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
