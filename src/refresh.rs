//! Keeps the directory fresh: each source on its own schedule, and a new directory whenever one of them has
//! a new set. What fails or looks wrong takes nothing away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::backoff::{Backoff, jittered};
use crate::directory::Directory;
use crate::directory::list::List;
use crate::directory::merge::{Listed, TooLarge, merge};
use crate::resolver::Resolver;
use crate::source::{self, Delivery, Fetched, ListId, Settings, Source, Unusable};

/// The first wait after a failure; it doubles up to the source's own schedule.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// New lists that may wait for the next directory; then sources wait for room.
const QUEUE: usize = 16;

/// Starts the refreshing of `sources` on `tasks`, until `shutdown`. Fails when a source can't be prepared.
pub fn start(
    sources: &[Settings],
    resolver: &Arc<Resolver>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let (send, receive) = mpsc::channel(QUEUE);
    let mut lists = 0;
    for settings in sources {
        // The lists of one source share its connections and its credential.
        let source = Arc::new(Source::new(&settings.kind)?);
        for list in settings.lists() {
            let schedule = Schedule {
                place: lists,
                name: settings.list_name(list),
                settings: settings.clone(),
                source: Arc::clone(&source),
                list,
                hash: String::new(),
                count: 0,
                unusable: Unusable::default(),
                lists: send.clone(),
            };
            lists += 1;
            let shutdown = shutdown.clone();
            tasks.spawn(async move { shutdown.run_until_cancelled(schedule.run()).await });
        }
    }
    let publisher = Publisher {
        sources: sources.to_vec(),
        lists: vec![Arc::default(); lists],
        resolver: Arc::clone(resolver),
    };
    let shutdown = shutdown.clone();
    tasks.spawn(async move { shutdown.run_until_cancelled(publisher.run(receive)).await });
    Ok(())
}

/// A new list, with its place among all lists in the order of the configuration.
type NewList = (usize, Arc<List>);

/// One list's schedule.
struct Schedule {
    place: usize,
    /// Of the list, for the log.
    name: String,
    settings: Settings,
    source: Arc<Source>,
    list: ListId,
    /// Of the set that is in use.
    hash: String,
    /// How many entries are in use.
    count: usize,
    /// As reported last.
    unusable: Unusable,
    lists: mpsc::Sender<NewList>,
}

impl Schedule {
    async fn run(mut self) {
        let name = self.name.clone();
        let mut backoff = Backoff::new(FIRST_WAIT, self.settings.refresh);
        let mut reported: Option<String> = None;
        loop {
            let wait = match self.refresh().await {
                Ok(()) => {
                    if reported.take().is_some() {
                        info!(source = %name, "answers again");
                    }
                    backoff.reset();
                    jittered(self.settings.schedule(self.source.answered_in(self.list)))
                }
                Err(error) => {
                    let wait = backoff.next_wait().max(source::retry_after(&error).unwrap_or_default());
                    let said = format!("{error:#}");
                    // Once: the same failure at each try would bury the others.
                    if reported.as_ref() == Some(&said) {
                        debug!(source = %name, ?wait, "still fails: {said}");
                    } else {
                        warn!(source = %name, known = self.count, ?wait, "refresh failed, what is known stays: {said}");
                    }
                    reported = Some(said);
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn refresh(&mut self) -> anyhow::Result<()> {
        match self.source.fetch(self.list, &self.hash).await? {
            Fetched::Unchanged => {
                debug!(source = %self.name, "unchanged");
                Ok(())
            }
            Fetched::Entries(delivery) => self.take(delivery).await,
        }
    }

    async fn take(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        let name = &self.name;
        report_unusable(name, &delivery.unusable, &self.unusable);
        // A CRM in trouble delivers nothing more often than an organisation loses all its customers.
        anyhow::ensure!(
            self.count == 0 || !delivery.entries.is_empty(),
            "the list is empty, and {} entries are known: it is not taken",
            self.count
        );
        let count = delivery.entries.len();
        info!(source = %name, entries = count, before = self.count, unusable = delivery.unusable.total(), "new list");
        let list = sorted(delivery.entries).await?;
        self.unusable = delivery.unusable;
        self.hash = delivery.hash;
        self.count = count;
        // Nobody receives only when the service is stopping.
        let _ = self.lists.send((self.place, list)).await;
        Ok(())
    }
}

/// Names what can't be used, unless it is what was named the last time.
fn report_unusable(name: &str, unusable: &Unusable, before: &Unusable) {
    if unusable.total() > 0 && unusable != before {
        warn!(source = %name, "{} records can't be used: {unusable}", unusable.total());
    }
}

/// Sorts off the threads that answer calls.
async fn sorted(entries: Vec<crate::entry::Entry>) -> anyhow::Result<Arc<List>> {
    Ok(tokio::task::spawn_blocking(move || Arc::new(List::new(entries))).await?)
}

/// Builds a directory of all lists when one is new, and puts it in place.
struct Publisher {
    sources: Vec<Settings>,
    lists: Vec<Arc<List>>,
    resolver: Arc<Resolver>,
}

impl Publisher {
    async fn run(mut self, mut receive: mpsc::Receiver<NewList>) {
        let mut new = Vec::new();
        // Sources that answer together make one directory.
        while receive.recv_many(&mut new, QUEUE).await > 0 {
            for (place, list) in new.drain(..) {
                if let Some(slot) = self.lists.get_mut(place) {
                    *slot = list;
                }
            }
            let (sources, lists) = (self.sources.clone(), self.lists.clone());
            let resolver = Arc::clone(&self.resolver);
            let built = tokio::task::spawn_blocking(move || {
                resolver.swap(build(&sources, &lists)?);
                Ok::<_, TooLarge>(resolver.numbers())
            });
            match built.await {
                Ok(Ok(numbers)) => info!(numbers, "directory is in place"),
                Ok(Err(error)) => error!("the directory stays as it was: {error}"),
                Err(error) => error!("the directory stays as it was: {error}"),
            }
        }
    }
}

fn build(sources: &[Settings], lists: &[Arc<List>]) -> Result<Directory, TooLarge> {
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let listed: Vec<Listed<'_>> = (0..)
        .zip(sources)
        .flat_map(|(source, settings)| settings.lists().into_iter().map(move |_| (source, settings.group)))
        .zip(lists)
        .map(|((source, group), list)| Listed { source, group, list })
        .collect();
    merge(&names, &listed)
}

/// Asks for every list once and builds the directory: for a command without a running service. A list that
/// fails is reported; it is an error when all do.
pub async fn once(sources: &[Settings]) -> anyhow::Result<Directory> {
    let mut asked = Vec::new();
    for settings in sources {
        let source = Arc::new(Source::new(&settings.kind)?);
        for list in settings.lists() {
            let source = Arc::clone(&source);
            asked.push((settings.list_name(list), tokio::spawn(async move { source.fetch(list, "").await })));
        }
    }
    let count = asked.len();
    let mut lists = Vec::new();
    let mut failures = Vec::new();
    for (name, asked) in asked {
        let mut list = Arc::default();
        match asked.await? {
            Ok(Fetched::Entries(delivery)) => {
                report_unusable(&name, &delivery.unusable, &Unusable::default());
                list = sorted(delivery.entries).await?;
            }
            Ok(Fetched::Unchanged) => {}
            Err(error) => failures.push(format!("source {name}: {error:#}")),
        }
        lists.push(list);
    }
    anyhow::ensure!(failures.len() < count, "{}", failures.join("\n"));
    for failure in failures {
        warn!("{failure}");
    }
    Ok(build(sources, &lists)?)
}
