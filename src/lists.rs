//! Keeps the directory fresh: each list on its own schedule, and a new directory whenever one of them has a new
//! set. What fails or looks wrong takes nothing away, and serving begins with what is on disk, before the first
//! question.
//!
//! - [`open`] loads the lists and puts the directory in place
//! - [`start`] starts the schedules; its [`Handle`] is the one way to steer them
//! - [`schedule`]: when a list is asked for, and what is said of it
//! - [`refresh`]: one list: asks for it
//! - `state`: what there is of it, and what becomes of a list that has come
//! - [`guard`]: the guard against mass loss
//! - [`losses`]: what a new list takes away
//! - [`changes`]: what it changes
//! - [`store`]: the lists on disk
//! - [`lock`]: who may write them
//! - [`status`]: what is known of each list
//! - [`events`]: what somebody hears who orders lists to be asked for
//! - [`offline`]: refreshing and looking up without a running service

pub mod changes;
pub mod events;
pub mod guard;
pub mod lock;
pub mod losses;
pub mod offline;
pub mod refresh;
pub mod schedule;
mod state;
pub mod status;
pub mod store;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::interval;
use tracing::{error, info, warn};

use crate::directory::Directory;
use crate::directory::merge::{Listed, MergeError, Rules, merge_by};
use crate::observe::metrics::Metrics;
use crate::observe::{mask, panics};
use crate::resolver::Resolver;
use crate::source::{ListId, Progress, Settings, Source};
use crate::supervisor::Supervisor;
use events::{Refreshed, Watch};
use lock::Lock;
use refresh::{Keeper, ListOf};
use schedule::{Order, Schedule};
use status::ListStatus;
use store::{Kept, Store};

/// New lists that may wait for the next directory; then schedules wait for room.
const QUEUE: usize = 16;
/// How often it is looked for lists that were removed.
const DAY: Duration = Duration::from_hours(24);
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
    asked: Arc<Source>,
    progress: Progress,
    orders: mpsc::Sender<Order>,
    status: Arc<Mutex<ListStatus>>,
}

impl Steered {
    fn status(&self) -> MutexGuard<'_, ListStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// What is known of each list now, to be shown.
    #[must_use]
    pub fn status(&self) -> Vec<ListStatus> {
        let status = |list: &Steered| {
            let status = list.status().show();
            // The source's other lists, and searches, learn of a change as well.
            ListStatus { tenant: list.asked.tenant(), ..status }
        };
        self.lists.iter().map(status).collect()
    }

    /// Orders the lists of this name, or of the source of this name, or all, to be asked for now. Gives each
    /// list's progress with what is to come of it. Empty where no list has the name.
    #[must_use]
    pub fn refresh(&self, name: Option<&str>, accept: bool) -> Vec<(Watch, oneshot::Receiver<Refreshed>)> {
        let meant = |list: &&Steered| name.is_none_or(|name| name == list.name || name == list.source);
        let is_held = |list: &Steered| list.status().held.is_some();
        let any_is_held = self.lists.iter().filter(meant).any(is_held);
        let order = |list: &Steered| {
            // Who takes what is held back has not seen what else may come.
            let accept = accept && (!any_is_held || is_held(list));
            let (reply, refreshed) = oneshot::channel();
            if let Err(mpsc::error::TrySendError::Full(order)) = list.orders.try_send(Order { accept, reply })
            {
                // Who asked may have gone.
                let why = "too many orders wait for this list already";
                let _ = order.reply.send(Refreshed::failed(list.name.clone(), why));
            }
            (Watch::new(list.name.clone(), list.progress.clone()), refreshed)
        };
        // All before the first order: one further try of a refused credential is enough for all lists.
        self.lists.iter().filter(meant).for_each(|list| list.asked.try_again());
        self.lists.iter().filter(meant).map(order).collect()
    }
}

/// The lists that are on disk, in place as a directory, with the right to write them.
pub struct Opened {
    publisher: Publisher,
    /// None where `state_dir` can't be written.
    lock: Option<Lock>,
}

/// Loads the lists from `state_dir` and puts their directory in place. While `nameplate refresh` writes below `state_dir`,
/// what is there so far is served, and this does not return before that is done.
///
/// # Errors
/// When another service runs with this `state_dir`.
pub async fn open(
    sources: &[Settings],
    state_dir: &Path,
    rules: Rules,
    resolver: &Arc<Resolver>,
) -> anyhow::Result<Opened> {
    let store = Store::new(state_dir);
    let places = places(sources);
    let load = |read: fn(&Store, &str) -> Kept| {
        let (sources, places, store) = (sources.to_vec(), places.clone(), store.clone());
        let (resolver, rules) = (Arc::clone(resolver), rules.clone());
        panics::blocking(move || Publisher::load(sources, places, store, read, rules, resolver))
    };
    // Who is not the writer sets nothing aside.
    let lock = Lock::take_to_serve(state_dir, async || {
        load(Store::look).await?;
        Ok(())
    });
    let lock = lock.await?;
    let publisher = load(|store, list| store.load(list, refresh::now())).await?;
    Ok(Opened { publisher, lock })
}

/// Starts the schedules of the lists that were `opened`, as `parts` of the service. `asked` are the `sources`, prepared.
pub fn start(
    opened: Opened,
    sources: &[Settings],
    asked: &[Arc<Source>],
    metrics: &Metrics,
    parts: &mut Supervisor,
) -> Handle {
    let Opened { publisher, lock } = opened;
    let (changed, receive) = mpsc::channel(QUEUE);
    let mut lists = Vec::new();
    for (place, (at, kept)) in publisher.places.iter().zip(&publisher.lists).enumerate() {
        let (Some(settings), Some(source)) = (sources.get(at.source), asked.get(at.source)) else { continue };
        let question = ListOf { source: Arc::clone(source), list: at.list };
        let keeper = Keeper::new(
            at.name.clone(),
            question,
            settings.fingerprint(at.list),
            publisher.store.clone(),
            settings.full_refresh,
            kept.clone(),
        );
        let (list, source_name) = (at.name.clone(), settings.name.clone());
        let mut status = ListStatus { list, source: source_name, ..ListStatus::default() };
        status.note(&keeper);
        let status = Arc::new(Mutex::new(status));
        let (orders, receive_orders) = mpsc::channel(ORDERS);
        let schedule = Schedule {
            keeper,
            place,
            refresh: settings.refresh,
            changed: changed.clone(),
            orders: receive_orders,
            status: Arc::clone(&status),
            metrics: metrics.list(&settings.name, &at.name),
        };
        let (name, asked) = (at.name.clone(), Arc::clone(source));
        let (source, progress) = (settings.name.clone(), schedule.keeper.progress().clone());
        lists.push(Steered { name, source, asked, progress, orders, status });
        parts.spawn(format!("the refresh of `{}`", at.name), schedule.run());
    }
    parts.spawn("the building of directories", async move {
        // The right to write is kept as long as lists are taken.
        publisher.run(receive, lock.is_some()).await;
        drop(lock);
    });
    Handle { lists: lists.into() }
}

/// Says which ranges of the configuration have no company.
fn report_ranges(directory: &Directory) {
    for (range, contact) in directory.ranges_of_nobody() {
        let range = mask::Number(range);
        warn!(%range, contact, "[ranges] known: no list has this contact, so the range's numbers have no name");
    }
}

/// Builds a directory of all lists when one is new, and puts it in place.
struct Publisher {
    names: Vec<String>,
    groups: Vec<u16>,
    places: Vec<Place>,
    lists: Vec<Kept>,
    store: Store,
    /// How they become a directory.
    rules: Rules,
    resolver: Arc<Resolver>,
}

impl Publisher {
    /// Begins with the lists that are on disk.
    fn load(
        sources: Vec<Settings>,
        places: Vec<Place>,
        store: Store,
        read: impl Fn(&Store, &str) -> Kept,
        rules: Rules,
        resolver: Arc<Resolver>,
    ) -> Self {
        let lists: Vec<Kept> = places.iter().map(|place| read(&store, &place.name)).collect();
        let groups = sources.iter().map(|source| source.group).collect();
        let names = sources.into_iter().map(|source| source.name).collect();
        let mut publisher = Self { names, groups, places, lists, store, rules, resolver };
        // An empty list was accepted by somebody. With it ranges and searches answer, so calls are asked for.
        if publisher.lists.iter().any(|list| !matches!(list, Kept::Nothing)) {
            publisher.publish("from disk");
        }
        publisher
    }

    /// Removes the files of lists that were taken out of the configuration long ago.
    async fn clear(&self) {
        let store = self.store.clone();
        let configured = self.places.iter().map(|place| place.name.clone()).collect();
        let cleared = panics::blocking(move || store.clear(&configured, refresh::now()));
        // A panic has been said, and comes again tomorrow at the earliest.
        let _ = cleared.await;
    }

    fn build(&self) -> Result<Directory, MergeError> {
        let mut listed = Vec::new();
        for (place, kept) in self.places.iter().zip(&self.lists) {
            let group = self.groups.get(place.source).copied().unwrap_or_default();
            let source = u16::try_from(place.source).map_err(|_| MergeError::TooLarge)?;
            listed.push(Listed { source, group, entries: kept.entries()? });
        }
        merge_by(&self.rules, &self.names, listed)
    }

    /// Puts what is on the disk by now in the place of files that were damaged since they were opened, their copies it may
    /// be. Whether there was anything.
    fn read_damaged_again(&mut self) -> bool {
        let mut again = false;
        for (place, kept) in self.places.iter().zip(&mut self.lists).filter(|(_, kept)| !kept.is_whole()) {
            match self.store.look(&place.name) {
                Kept::Nothing => {}
                found => (*kept, again) = (found, true),
            }
        }
        again
    }

    /// Work for a thread that answers no calls.
    fn publish(&mut self, lists: &str) {
        let mut built = self.build();
        // One list's damage is not to keep the news of the others away.
        if matches!(built, Err(MergeError::Unreadable(_))) && self.read_damaged_again() {
            built = self.build();
        }
        match built {
            Ok(directory) => {
                report_ranges(&directory);
                self.resolver.swap(directory);
                info!(numbers = self.resolver.numbers(), %lists, "directory is in place");
            }
            Err(error) => error!("the directory stays as it was: {error}"),
        }
    }

    async fn run(mut self, mut receive: mpsc::Receiver<(usize, Kept)>, is_writer: bool) {
        let mut new = Vec::new();
        let mut daily = interval(DAY);
        loop {
            tokio::select! {
                // Lists that come together make one directory.
                received = receive.recv_many(&mut new, QUEUE) => if received == 0 { return },
                _ = daily.tick(), if is_writer => {
                    self.clear().await;
                    continue;
                }
            }
            for (place, list) in new.drain(..) {
                if let Some(slot) = self.lists.get_mut(place) {
                    *slot = list;
                }
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
