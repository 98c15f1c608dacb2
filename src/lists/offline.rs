//! Refreshing and looking up without a running service.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use tracing::warn;

use super::events::{News, Refreshed, Watch, looks};
use super::lock::Lock;
use super::refresh::{Keeper, ListOf};
use super::store::{Kept, Store};
use super::{Place, guard, places};
use crate::directory::Directory;
use crate::directory::merge::{Listed, Rules, merge_by};
use crate::entry::Entry;
use crate::number::Number;
use crate::observe::panics;
use crate::source::superoffice::GAP;
use crate::source::{self, Fetched, Kind, Progress, Settings, Source, UnusableRecords};

/// The lists of what is there: those on disk, and the CSV files as they are.
#[derive(Debug)]
pub struct Lists {
    /// The sources' names, and which group each belongs to.
    sources: Vec<(String, u16)>,
    lists: Vec<(Place, Kept)>,
    missing: Vec<String>,
    held_back: Vec<(String, guard::Held)>,
}

/// An entry, and the list that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The list's name.
    pub list: String,
    /// What it holds.
    pub entry: Entry,
}

/// How lists that have no file yet are come by.
#[derive(Debug, Default)]
pub struct Missing {
    /// With it they are asked for and written; without it asked for only.
    pub lock: Option<Lock>,
    /// These are not asked for: the running service asks, and has said why they are not there.
    pub failed: BTreeMap<String, String>,
}

/// The lists that have no file yet.
#[must_use]
pub fn missing(sources: &[Settings], state_dir: &Path) -> Vec<String> {
    let store = Store::new(state_dir);
    let is_crm = |place: &Place| {
        sources.get(place.source).is_some_and(|source| matches!(source.kind, Kind::SuperOffice(_)))
    };
    let places = places(sources).into_iter().filter(|place| is_crm(place) && !store.has(&place.name));
    places.map(|place| place.name).collect()
}

/// Reads what is there, and asks for what is missing. A source that fails is reported; it is an error when all do.
pub async fn lists(sources: &[Settings], state_dir: &Path, missing: Missing) -> anyhow::Result<Lists> {
    let Missing { lock, failed } = missing;
    let store = Store::new(state_dir);
    let places = places(sources);
    let mut asked = Asked::new(sources);
    let mut found: Vec<Kept> = Vec::new();
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    let mut has_asked = false;
    for place in &places {
        let Some(settings) = sources.get(place.source) else { continue };
        let kept = match &settings.kind {
            Kind::Csv(_) => Kept::Nothing,
            Kind::SuperOffice(_) => store.look(&place.name),
        };
        found.push(match kept {
            Kept::Nothing => {
                let got = match failed.get(&place.name) {
                    Some(said) => Err(anyhow::anyhow!("{said}")),
                    None => {
                        has_asked |= matches!(settings.kind, Kind::SuperOffice(_));
                        fetch(&mut asked, place, lock.as_ref().map(|_| &store)).await
                    }
                };
                got.unwrap_or_else(|error| {
                    missing.push(place.name.clone());
                    failures.push(format!("source {}: {error:#}", place.name));
                    Kept::Nothing
                })
            }
            kept => kept,
        });
    }
    if has_asked {
        tokio::time::sleep(GAP).await;
    }
    drop(lock);
    anyhow::ensure!(failures.len() < places.len(), "{}", failures.join("\n"));
    for failure in failures {
        warn!("{failure}");
    }
    let held_back = places.iter().filter_map(|place| {
        let held = store.held(&place.name, sources.get(place.source)?.fingerprint(place.list))?;
        Some((place.name.clone(), held.held))
    });
    Ok(Lists {
        held_back: held_back.collect(),
        sources: sources.iter().map(|source| (source.name.clone(), source.group)).collect(),
        lists: places.into_iter().zip(found).collect(),
        missing,
    })
}

impl Lists {
    /// The lists that could not be asked.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The lists that have come and are held back, by the names of those in use.
    #[must_use]
    pub fn held_back(&self) -> &[(String, guard::Held)] {
        &self.held_back
    }

    /// The directory of them all.
    pub fn directory(&self, rules: &Rules) -> anyhow::Result<Directory> {
        let names: Vec<String> = self.sources.iter().map(|(name, _)| name.clone()).collect();
        let mut listed = Vec::new();
        for (place, kept) in &self.lists {
            let group = self.sources.get(place.source).map(|(_, group)| *group).unwrap_or_default();
            listed.push(Listed { source: u16::try_from(place.source)?, group, entries: kept.entries()? });
        }
        let directory = merge_by(rules, &names, listed)?;
        super::report_ranges(&directory);
        Ok(directory)
    }

    /// What each list holds for these numbers, in the order of the configuration. All lists are read through.
    pub fn held(&self, numbers: &[Number]) -> io::Result<Vec<Held>> {
        let mut held = Vec::new();
        for (place, kept) in &self.lists {
            for entry in kept.entries()? {
                let entry = entry?;
                if numbers.contains(&entry.number) {
                    held.push(Held { list: place.name.clone(), entry });
                }
            }
        }
        Ok(held)
    }
}

/// The sources that are asked, each prepared for the first of its lists: all of them share its login, and what
/// becomes of it.
struct Asked<'a> {
    sources: &'a [Settings],
    ready: BTreeMap<usize, Arc<Source>>,
}

impl<'a> Asked<'a> {
    fn new(sources: &'a [Settings]) -> Self {
        Self { sources, ready: BTreeMap::new() }
    }

    fn source(&mut self, place: &Place) -> anyhow::Result<Arc<Source>> {
        if let Some(source) = self.ready.get(&place.source) {
            return Ok(Arc::clone(source));
        }
        let source = source::prepare_one(self.settings(place)?)?;
        Ok(Arc::clone(self.ready.entry(place.source).or_insert(source)))
    }

    fn settings(&self, place: &Place) -> anyhow::Result<&'a Settings> {
        self.sources.get(place.source).context("a list without its source")
    }

    fn keeper(&mut self, place: &Place, store: &Store, kept: Kept) -> anyhow::Result<Keeper<ListOf>> {
        let settings = self.settings(place)?;
        let question = ListOf { source: self.source(place)?, list: place.list };
        let fingerprint = settings.fingerprint(place.list);
        let (name, full_refresh) = (place.name.clone(), settings.full_refresh);
        Ok(Keeper::new(name, question, fingerprint, store.clone(), full_refresh, kept))
    }
}

/// Asks for a list that is not there, and writes it into `store`; a CSV file needs no copy.
async fn fetch(asked: &mut Asked<'_>, place: &Place, store: Option<&Store>) -> anyhow::Result<Kept> {
    let settings = asked.settings(place)?;
    if let (Some(store), Kind::SuperOffice(_)) = (store, &settings.kind) {
        let mut keeper = asked.keeper(place, store, Kept::Nothing)?;
        keeper.refresh().await?;
        return Ok(keeper.kept().clone());
    }
    match asked.source(place)?.fetch(place.list, "", &Progress::default()).await? {
        Fetched::Unchanged => Ok(Kept::Nothing),
        Fetched::Entries(delivery) => {
            report(&place.name, &delivery.unusable);
            let list = panics::blocking(move || delivery.entries.finish()).await?;
            let header =
                crate::directory::list::file::Header { count: list.len() as u64, ..Default::default() };
            Ok(Kept::InMemory(header, Arc::new(list)))
        }
    }
}

fn report(list: &str, unusable: &UnusableRecords) {
    if unusable.total() > 0 {
        warn!(%list, count = unusable.total(), "records that can't be used: {unusable}");
    }
}

/// Asks for the lists of this name, or of the source of this name, or for all, and writes them, with the right to do so.
/// `tell` hears how far each is, and what came of it.
pub async fn refresh(
    _lock: &Lock,
    sources: &[Settings],
    state_dir: &Path,
    name: Option<&str>,
    accept: bool,
    mut tell: impl FnMut(News),
) -> anyhow::Result<()> {
    let store = Store::new(state_dir);
    let mut asked = Asked::new(sources);
    let mut meant = places(sources);
    meant.retain(|place| {
        let source = sources.get(place.source).map(|source| source.name.as_str());
        name.is_none_or(|name| name == place.name || Some(name) == source)
    });
    let fingerprint = |place: &Place| sources.get(place.source).map(|source| source.fingerprint(place.list));
    let is_held = |place: &Place| fingerprint(place).is_some_and(|of| store.held(&place.name, of).is_some());
    let any_is_held = meant.iter().any(is_held);
    for place in meant {
        // Who takes what is held back has not seen what else may come.
        let accept = accept && (!any_is_held || is_held(&place));
        let kept = store.load(&place.name, super::refresh::now());
        let mut keeper = asked.keeper(&place, &store, kept)?.without_counting();
        let mut watch = Watch::new(place.name.clone(), keeper.progress().clone());
        let result = {
            // Nobody replaces what is held back between two commands.
            let work = async { if accept { keeper.accept(None).await } else { keeper.refresh().await } };
            let (mut result, mut looks) = (pin!(work), looks());
            loop {
                tokio::select! {
                    biased;
                    result = &mut result => break result,
                    _ = looks.tick() => watch.news().into_iter().for_each(&mut tell),
                }
            }
        };
        tell(News::Refreshed(Refreshed::of(&keeper, &result)));
    }
    // The next process that takes the lock asks at once.
    tokio::time::sleep(GAP).await;
    tell(News::Done {});
    Ok(())
}
