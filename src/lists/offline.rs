//! The lists for a command, without a running service.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use tracing::warn;

use super::engine::Engine;
use super::events::{Event, ProgressWatch, RefreshResult, progress_ticks};
use super::guard::HeldList;
use super::lock::Lock;
use super::snapshot::Snapshot;
use super::store::Store;
use super::{ListConfig, accepted, configured, refresh as one_list};
use crate::directory::Directory;
use crate::directory::list::file::Header;
use crate::directory::merge::Rules;
use crate::directory::suppressed::Suppressed;
use crate::entry::Entry;
use crate::number::Number;
use crate::observe::panics;
use crate::source::superoffice::GAP;
use crate::source::{self, Fetched, Kind, Progress, Settings, Source};

/// The lists of the configuration as they are now: those of a CRM from disk, the CSV files as they are.
#[derive(Debug)]
pub struct Lists {
    engine: Engine,
    missing: Vec<String>,
    held_back: Vec<(String, HeldList)>,
}

/// How lists without a file are fetched.
#[derive(Debug, Default)]
pub struct Fetching {
    /// With the lock they are written to disk, too.
    pub lock: Option<Lock>,
    /// Lists that the running service could not fetch, with the reason. They are not fetched here either.
    pub failed: BTreeMap<String, String>,
}

/// The names of the CRM's lists that have no file yet.
#[must_use]
pub fn missing(sources: &[Settings], state_dir: &Path) -> Vec<String> {
    let store = Store::new(state_dir);
    let lists = configured(sources).into_iter();
    let lists = lists.filter(|list| !is_csv(sources, list) && !store.has(&list.name));
    lists.map(|list| list.name).collect()
}

fn is_csv(sources: &[Settings], list: &ListConfig) -> bool {
    sources.get(list.source).is_some_and(|source| matches!(source.kind, Kind::Csv(_)))
}

/// Opens the lists, and fetches those without a file. A list that can't be fetched is reported.
///
/// # Errors
/// If no list can be opened or fetched.
pub async fn lists(sources: &[Settings], store: &Store, fetching: Fetching) -> anyhow::Result<Lists> {
    let Fetching { lock, failed } = fetching;
    let lists = configured(sources);
    let mut engine = Engine::open(sources, lists.clone(), store.clone(), |store, list| {
        if is_csv(sources, list) { Snapshot::Absent } else { store.look(&list.name) }
    });
    let mut clients = Clients::new(sources);
    let (mut missing, mut failures) = (Vec::new(), Vec::new());
    let mut is_crm_asked = false;
    for (place, list) in lists.iter().enumerate() {
        if !matches!(engine.lists().get(place), Some((_, Snapshot::Absent))) {
            continue;
        }
        let fetched = match failed.get(&list.name) {
            Some(reason) => Err(anyhow::anyhow!("{reason}")),
            None => {
                is_crm_asked |= !is_csv(sources, list);
                let writes = lock.is_some() && !is_csv(sources, list);
                fetch(&engine, &mut clients, list, writes).await
            }
        };
        match fetched {
            Ok(snapshot) => engine.replace(&list.name, snapshot),
            Err(error) => {
                missing.push(list.name.clone());
                failures.push(format!("source {}: {error:#}", list.name));
            }
        }
    }
    if is_crm_asked {
        tokio::time::sleep(GAP).await;
    }
    drop(lock);
    anyhow::ensure!(failures.len() < lists.len(), "{}", failures.join("\n"));
    for failure in failures {
        warn!("{failure}");
    }
    let held_back = lists.iter().filter_map(|list| Some((list.name.clone(), engine.held(list)?))).collect();
    Ok(Lists { engine, missing, held_back })
}

impl Lists {
    /// The names of the lists that could not be fetched.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The lists that are held back, with the names of the lists in use.
    #[must_use]
    pub fn held_back(&self) -> &[(String, HeldList)] {
        &self.held_back
    }

    /// The numbers that must not be named.
    #[must_use]
    pub fn suppressed(&self) -> Arc<Suppressed> {
        self.engine.store().suppressed()
    }

    /// The directory of all lists.
    pub fn directory(&self, rules: &Rules) -> anyhow::Result<Directory> {
        Ok(self.engine.directory(rules)?)
    }

    /// The entries of all lists for these numbers, each with the name of its list, in the order of the configuration. Reads every
    /// list to its end.
    pub fn entries_for(&self, numbers: &[Number]) -> io::Result<Vec<(String, Entry)>> {
        let (mut found, suppressed) = (Vec::new(), self.suppressed());
        for (list, snapshot) in self.engine.lists() {
            for record in suppressed.hide(snapshot.records()?) {
                let record = record?;
                if numbers.contains(&record.number()) {
                    found.push((list.name.clone(), record.entry()?.owned()));
                }
            }
        }
        Ok(found)
    }
}

/// One client for each source: its lists share the login, and a refused login is one for all of them.
struct Clients<'a> {
    sources: &'a [Settings],
    ready: BTreeMap<usize, Arc<Source>>,
}

impl<'a> Clients<'a> {
    fn new(sources: &'a [Settings]) -> Self {
        Self { sources, ready: BTreeMap::new() }
    }

    fn of(&mut self, list: &ListConfig) -> anyhow::Result<Arc<Source>> {
        if let Some(source) = self.ready.get(&list.source) {
            return Ok(Arc::clone(source));
        }
        let settings = self.sources.get(list.source).context(NO_SOURCE)?;
        let source = source::prepare_one(settings)?;
        Ok(Arc::clone(self.ready.entry(list.source).or_insert(source)))
    }
}

const NO_SOURCE: &str = "a list without its source";

/// Fetches a list that has no file, and writes the file if this command `writes`. A CSV file needs no copy.
async fn fetch(
    engine: &Engine,
    clients: &mut Clients<'_>,
    list: &ListConfig,
    writes: bool,
) -> anyhow::Result<Snapshot> {
    let source = clients.of(list)?;
    if writes {
        let mut refresher = engine.refresher(list, Snapshot::Absent, source).context(NO_SOURCE)?;
        refresher.refresh().await?;
        return Ok(refresher.snapshot().clone());
    }
    match source.fetch(list.id, "", &Progress::default()).await? {
        Fetched::Unchanged => Ok(Snapshot::Absent),
        Fetched::Entries(delivery) => {
            one_list::warn_unusable(&list.name, &delivery.unusable);
            let suppressed = engine.store().suppressed();
            let finish = move || suppressed.take_out(delivery.entries.finish());
            let entries = panics::blocking(finish).await?;
            let header = Header { count: entries.len() as u64, ..Header::default() };
            Ok(Snapshot::InMemory(header, Arc::new(entries)))
        }
    }
}

/// Refreshes once, with the lock held: the list with this name, all lists of the source with this name, or all lists. `tell`
/// gets each list's progress and result.
pub async fn refresh(
    _lock: &Lock,
    sources: &[Settings],
    store: &Store,
    name: Option<&str>,
    accept: bool,
    mut tell: impl FnMut(Event),
) -> anyhow::Result<()> {
    let mut lists = configured(sources);
    lists.retain(|list| list.is_named(name));
    let engine =
        Engine::open(sources, lists, store.clone(), |store, list| store.load(&list.name, one_list::now()));
    let mut clients = Clients::new(sources);
    let held: Vec<bool> = engine.lists().iter().map(|(list, _)| engine.held(list).is_some()).collect();
    for ((list, snapshot), accept) in engine.lists().iter().zip(accepted(accept, &held)) {
        let source = clients.of(list)?;
        let refresher = engine.refresher(list, snapshot.clone(), source).context(NO_SOURCE)?;
        let mut refresher = refresher.without_counting();
        let mut watch = ProgressWatch::new(list.name.clone(), refresher.progress().clone());
        let result = {
            // The lock is held, so the list that is held back is the one that the administrator saw.
            let work =
                async { if accept { refresher.accept(None).await } else { refresher.refresh().await } };
            let (mut work, mut ticks) = (pin!(work), progress_ticks());
            loop {
                tokio::select! {
                    biased;
                    result = &mut work => break result,
                    _ = ticks.tick() => watch.event().into_iter().for_each(&mut tell),
                }
            }
        };
        tell(Event::Refreshed(RefreshResult::of(&refresher, &result)));
    }
    // The next process that gets the lock sends a request at once: keep SuperOffice's limit of calls a second.
    tokio::time::sleep(GAP).await;
    tell(Event::Done {});
    Ok(())
}
