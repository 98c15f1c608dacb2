//! The engine: all lists of the configuration, and the directory of them. The service and the commands use the same one.

use std::sync::Arc;

use tracing::warn;

use super::guard::HeldList;
use super::refresh::{Refresher, SourceList};
use super::snapshot::Snapshot;
use super::store::Store;
use super::{ListConfig, refresh};
use crate::directory::merge::{MergeError, MergeInput, Rules, merge_by};
use crate::directory::{Directory, Origin};
use crate::observe::{mask, panics};
use crate::source::{Settings, Source};

/// The lists of the configuration, with the snapshot of each.
#[derive(Debug)]
pub struct Engine {
    sources: Vec<Settings>,
    lists: Vec<(ListConfig, Snapshot)>,
    store: Store,
}

impl Engine {
    /// Opens the `lists` of these `sources`; `read` gives the snapshot of one.
    pub fn open(
        sources: &[Settings],
        lists: Vec<ListConfig>,
        store: Store,
        read: impl Fn(&Store, &ListConfig) -> Snapshot,
    ) -> Self {
        let with_snapshot = |list: ListConfig| {
            let snapshot = read(&store, &list);
            (list, snapshot)
        };
        let lists = lists.into_iter().map(with_snapshot).collect();
        Self { sources: sources.to_vec(), lists, store }
    }

    /// The lists, in the order of the configuration.
    #[must_use]
    pub fn lists(&self) -> &[(ListConfig, Snapshot)] {
        &self.lists
    }

    /// The files of the lists.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings of a list's source.
    #[must_use]
    pub fn settings(&self, list: &ListConfig) -> Option<&Settings> {
        self.sources.get(list.source)
    }

    /// Puts a snapshot in the place of the list's last one. Does nothing if there is no such list any more.
    pub fn replace(&mut self, list: &str, snapshot: Snapshot) {
        if let Some((_, old)) = self.lists.iter_mut().find(|(known, _)| known.name == list) {
            *old = snapshot;
        }
    }

    /// Takes other `sources` with other `lists`. A list that has a snapshot keeps it; `read` gives the snapshot of a new one.
    pub fn reconfigure(
        &mut self,
        sources: Vec<Settings>,
        lists: Vec<ListConfig>,
        read: impl Fn(&Store, &ListConfig) -> Snapshot,
    ) {
        let mut before = std::mem::take(&mut self.lists);
        let with_snapshot = |list: ListConfig| {
            let known = before.iter().position(|(known, _)| known.name == list.name);
            let snapshot = known.map(|place| before.swap_remove(place).1);
            let snapshot = snapshot.unwrap_or_else(|| read(&self.store, &list));
            (list, snapshot)
        };
        self.lists = lists.into_iter().map(with_snapshot).collect();
        self.sources = sources;
    }

    /// Prepares the refreshes of a list, from its `snapshot` on. `source` is the client of the list's source.
    #[must_use]
    pub fn refresher(
        &self,
        list: &ListConfig,
        snapshot: Snapshot,
        source: Arc<Source>,
    ) -> Option<Refresher<SourceList>> {
        let settings = self.settings(list)?;
        let fingerprint = settings.fingerprint(list.id);
        let source = SourceList { source, list: list.id, shared: None };
        let (name, store) = (list.name.clone(), self.store.clone());
        Some(Refresher::new(name, source, fingerprint, store, settings.full_refresh, snapshot))
    }

    /// The list that is held back in place of this one.
    #[must_use]
    pub fn held(&self, list: &ListConfig) -> Option<HeldList> {
        let fingerprint = self.settings(list)?.fingerprint(list.id);
        Some(self.store.held(&list.name, fingerprint)?.held)
    }

    /// Builds the directory of all lists, and reports the ranges of the configuration that have no company.
    ///
    /// # Errors
    /// If a list can't be read, or if there are too many entries.
    pub fn directory(&self, rules: &Rules) -> Result<Directory, MergeError> {
        let origins: Vec<Origin> = self.sources.iter().flat_map(Settings::origins).collect();
        let mut listed = Vec::new();
        for (list, snapshot) in &self.lists {
            let Some(source) = self.settings(list) else { continue };
            let own = source.origin(list.id);
            let place = origins.iter().position(|origin| *origin == own).unwrap_or_default();
            let origin = u16::try_from(place).map_err(|_| MergeError::TooLarge)?;
            listed.push(MergeInput { origin, group: source.group, records: snapshot.records()? });
        }
        let rules = Rules { suppressed: self.store.suppressed().as_ref().clone(), ..rules.clone() };
        let directory = merge_by(&rules, &origins, listed)?;
        for (range, contact) in directory.ranges_of_nobody() {
            let range = mask::Number(range);
            warn!(%range, contact, "[ranges] known: no list has this contact, so the range's numbers have no name");
        }
        Ok(directory)
    }

    /// Opens the files again of lists that were damaged since they were opened, or their copies. Whether there was any.
    pub fn reopen_damaged(&mut self) -> bool {
        let mut is_reopened = false;
        for (list, snapshot) in self.lists.iter_mut().filter(|(_, snapshot)| !snapshot.is_whole()) {
            match self.store.look(&list.name) {
                Snapshot::Absent => {}
                found => (*snapshot, is_reopened) = (found, true),
            }
        }
        is_reopened
    }

    /// Removes the files of lists that were taken out of the configuration long ago.
    pub async fn remove_old_files(&self) {
        let store = self.store.clone();
        let configured = self.lists.iter().map(|(list, _)| list.name.clone()).collect();
        // After a panic, which is in the log, the next attempt is the next day's.
        let _ = panics::blocking(move || store.clear(&configured, refresh::now())).await;
    }
}
