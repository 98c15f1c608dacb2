//! Refreshing and looking up without a running service.

use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use super::keeper::{Keeper, ListOf, Outcome};
use super::places;
use super::store::{Kept, Lock, Store};
use crate::directory::Directory;
use crate::directory::merge::{Listed, merge};
use crate::source::{Fetched, Kind, Settings, Source, UnusableRecords};

/// The directory of what is there: the lists on disk and the CSV files as they are. A list that has no file yet is
/// asked for, and not written. A source that fails is reported; it is an error when all do.
///
/// Gives the directory, and the lists that could not be asked.
pub async fn directory(sources: &[Settings], state_dir: &Path) -> anyhow::Result<(Directory, Vec<String>)> {
    let store = Store::new(state_dir);
    let places = places(sources);
    let mut found: Vec<Kept> = Vec::new();
    let mut failures = Vec::new();
    let mut missing = Vec::new();
    for place in &places {
        let Some(settings) = sources.get(place.source) else { continue };
        let kept = match &settings.kind {
            Kind::Csv(_) => Kept::Nothing,
            Kind::SuperOffice(_) => store.peek(&place.name).unwrap_or_else(|error| {
                warn!("{error}");
                Kept::Nothing
            }),
        };
        found.push(match kept {
            Kept::Nothing => match fetch(settings, place).await {
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
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let built = tokio::task::spawn_blocking({
        let groups: Vec<u16> = sources.iter().map(|source| source.group).collect();
        move || -> anyhow::Result<Directory> {
            let mut listed = Vec::new();
            for (place, kept) in places.iter().zip(&found) {
                let group = groups.get(place.source).copied().unwrap_or_default();
                listed.push(Listed { source: u16::try_from(place.source)?, group, entries: kept.entries()? });
            }
            Ok(merge(&names, listed)?)
        }
    });
    Ok((built.await??, missing))
}

async fn fetch(settings: &Settings, place: &super::Place) -> anyhow::Result<Kept> {
    let source = Source::new(&settings.kind)?;
    match source.fetch(place.list, "").await? {
        Fetched::Unchanged => Ok(Kept::Nothing),
        Fetched::Entries(delivery) => {
            report(&place.name, &delivery.unusable);
            let list = tokio::task::spawn_blocking(move || delivery.entries.finish()).await?;
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

/// Asks for the lists of this name, or of the source of this name, or for all, and writes them. `tell` hears what came of
/// each. Fails when another process has the lock.
pub async fn refresh(
    sources: &[Settings],
    state_dir: &Path,
    name: Option<&str>,
    accept: bool,
    mut tell: impl FnMut(&str, Result<Outcome, String>, &UnusableRecords),
) -> anyhow::Result<()> {
    let lock = Lock::take(state_dir)?;
    anyhow::ensure!(lock.is_some(), "another nameplate writes below {}", state_dir.display());
    let store = Store::new(state_dir);
    for place in places(sources) {
        let Some(settings) = sources.get(place.source) else { continue };
        if name.is_some_and(|name| name != place.name && name != settings.name) {
            continue;
        }
        let question = ListOf { source: Arc::new(Source::new(&settings.kind)?), list: place.list };
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
        let outcome = keeper.refresh(accept).await.map_err(|error| format!("{error:#}"));
        tell(&place.name, outcome, keeper.unusable());
    }
    Ok(())
}
