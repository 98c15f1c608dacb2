//! Refreshing and looking up without a running service.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use tracing::warn;

use super::keeper::{Keeper, ListOf, Outcome};
use super::lock::Lock;
use super::news::{News, Refreshed, Watch, looks};
use super::store::{Kept, Store};
use super::{Place, places};
use crate::directory::Directory;
use crate::directory::merge::{Listed, Rules, merge_by};
use crate::entry::Entry;
use crate::number::Number;
use crate::observe::panics;
use crate::source::{self, Fetched, Kind, Progress, Settings, Source, UnusableRecords};

/// The lists of what is there: those on disk, and the CSV files as they are.
#[derive(Debug)]
pub struct Lists {
    /// The sources' names, and which group each belongs to.
    sources: Vec<(String, u16)>,
    lists: Vec<(Place, Kept)>,
    missing: Vec<String>,
}

/// An entry, and the list that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The list's name.
    pub list: String,
    /// What it holds.
    pub entry: Entry,
}

/// Reads what is there. A list that has no file yet is asked for, and not written. A source that fails is reported;
/// it is an error when all do.
pub async fn lists(sources: &[Settings], state_dir: &Path) -> anyhow::Result<Lists> {
    let store = Store::new(state_dir);
    let places = places(sources);
    let mut asked = Asked::new(sources);
    let mut found: Vec<Kept> = Vec::new();
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    for place in &places {
        let Some(settings) = sources.get(place.source) else { continue };
        let kept = match &settings.kind {
            Kind::Csv(_) => Kept::Nothing,
            Kind::SuperOffice(_) => store.look(&place.name),
        };
        found.push(match kept {
            Kept::Nothing => match fetch(&mut asked, place).await {
                Ok(kept) => kept,
                Err(error) => {
                    missing.push(place.name.clone());
                    failures.push(format!("source {}: {error:#}", place.name));
                    Kept::Nothing
                }
            },
            kept => kept,
        });
    }
    anyhow::ensure!(failures.len() < places.len(), "{}", failures.join("\n"));
    for failure in failures {
        warn!("{failure}");
    }
    Ok(Lists {
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
        let settings = self.sources.get(place.source).context("a list without its source")?;
        let source = source::prepare_one(settings)?;
        Ok(Arc::clone(self.ready.entry(place.source).or_insert(source)))
    }
}

async fn fetch(asked: &mut Asked<'_>, place: &Place) -> anyhow::Result<Kept> {
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

/// How often a list has come that is held back is counted by a running service only.
fn without_counting(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Held { count, known, more: _ } => Outcome::Held { count, known, more: None },
        outcome => outcome,
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
    for place in places(sources) {
        let Some(settings) = sources.get(place.source) else { continue };
        if name.is_some_and(|name| name != place.name && name != settings.name) {
            continue;
        }
        let question = ListOf { source: asked.source(&place)?, list: place.list };
        let kept = store.load(&place.name, super::keeper::now());
        let fingerprint = settings.fingerprint(place.list);
        let mut keeper = Keeper::new(
            place.name.clone(),
            question,
            fingerprint,
            store.clone(),
            settings.full_refresh,
            kept,
        );
        let mut watch = Watch::new(place.name.clone(), keeper.progress().clone());
        let result = {
            let (mut result, mut looks) = (pin!(keeper.refresh(accept)), looks());
            loop {
                tokio::select! {
                    biased;
                    result = &mut result => break result,
                    _ = looks.tick() => watch.news().into_iter().for_each(&mut tell),
                }
            }
        };
        let result = result.map(without_counting);
        tell(News::Refreshed(Refreshed::of(&keeper, &result)));
    }
    tell(News::Done {});
    Ok(())
}
