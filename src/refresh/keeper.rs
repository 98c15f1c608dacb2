//! Keeps one list: asks, judges what came, writes it to disk. Whatever fails, the last good list stays.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{info, warn};

use super::changes::Changes;
use super::guard::{Guard, Held, Verdict};
use super::store::{Kept, Store};
use crate::directory::list::List;
use crate::directory::list::file::Header;
use crate::panics;
use crate::source::{Delivery, Fetched, ListId, Progress, Source, Step, UnusableRecords};

/// What a keeper asks for its list.
pub trait Question: Send + Sync + 'static {
    /// Asks. `hash` is that of the list in use; empty for the whole set in any case.
    /// `progress` shows how far it is.
    fn ask(&self, hash: &str, progress: &Progress) -> impl Future<Output = anyhow::Result<Fetched>> + Send;

    /// How long the last answer took to begin, where that is known better than by waiting for its end.
    fn answered_in(&self) -> Option<Duration> {
        None
    }
}

/// One list of a source.
#[derive(Clone, Debug)]
pub struct ListOf {
    /// The source, which several lists may share.
    pub source: Arc<Source>,
    /// Which of its lists.
    pub list: ListId,
}

impl Question for ListOf {
    async fn ask(&self, hash: &str, progress: &Progress) -> anyhow::Result<Fetched> {
        self.source.fetch(self.list, hash, progress).await
    }

    fn answered_in(&self) -> Option<Duration> {
        self.source.answered_in(self.list)
    }
}

/// What came of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The list is the one in use.
    Unchanged,
    /// A new list is in use.
    New {
        /// How many entries it has.
        count: usize,
        /// What it changes.
        changes: Changes,
    },
    /// A list has come and is held back; the one in use stays.
    Held {
        /// How many entries it has.
        count: usize,
        /// How many are in use.
        known: usize,
        /// How many times more it has to come in full; none for one that is never taken by itself: an empty
        /// one, or one without a hash.
        more: Option<u32>,
    },
}

/// One list and what is needed to keep it.
pub struct Keeper<Q> {
    name: String,
    question: Q,
    fingerprint: u64,
    store: Store,
    /// How often the whole set is asked for, though nothing seems to have changed.
    full_refresh: Duration,
    kept: Kept,
    guard: Guard,
    /// Of the last set, which before the first question is the one on disk.
    unusable: UnusableRecords,
    /// Whether the log has named them.
    named: bool,
    /// When the whole set came last, or when the service started.
    last_full: Instant,
    /// How old the set was then: a service that is started again each night has its daily full question too.
    age: Duration,
    progress: Progress,
}

impl<Q: Question> Keeper<Q> {
    /// How long the last answer took to begin: neither the wait for its turn nor its length counts.
    pub fn answered_in(&self) -> Option<Duration> {
        self.question.answered_in()
    }

    /// A keeper of the list `name`, which begins with `kept`. `fingerprint` is that of the question.
    pub fn new(
        name: String,
        question: Q,
        fingerprint: u64,
        store: Store,
        full_refresh: Duration,
        kept: Kept,
    ) -> Self {
        let unusable = store.unusable(&name, &kept.header());
        let age = Duration::from_secs(now().saturating_sub(kept.header().taken));
        Self {
            name,
            question,
            fingerprint,
            store,
            full_refresh,
            unusable,
            named: false,
            kept,
            guard: Guard::default(),
            last_full: Instant::now(),
            age,
            progress: Progress::default(),
        }
    }

    /// The list's name, as its file and the commands have it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far a refresh is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The list in use.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The list that is held back.
    pub fn held(&self) -> Option<&Held> {
        self.guard.held()
    }

    /// The records of the last set that can't be used.
    pub fn unusable(&self) -> &UnusableRecords {
        &self.unusable
    }

    /// Asks for the list. With `accept` whatever list comes is taken.
    pub async fn refresh(&mut self, accept: bool) -> anyhow::Result<Outcome> {
        let result = self.ask(accept).await;
        self.progress.set(Step::Idle);
        result
    }

    async fn ask(&mut self, accept: bool) -> anyhow::Result<Outcome> {
        let header = self.kept.header();
        // The hash of another user's or selection's list says nothing about ours, nor does one that another version has
        // read otherwise.
        let same_list = header.fingerprint == self.fingerprint;
        let due = self.age.saturating_add(self.last_full.elapsed()) >= self.full_refresh;
        let full = accept || due || !same_list || self.guard.held().is_some();
        let hash = if full { "" } else { header.hash.as_str() };
        match self.question.ask(hash, &self.progress).await? {
            Fetched::Unchanged => {
                self.guard.release();
                self.write_again().await;
                Ok(Outcome::Unchanged)
            }
            Fetched::Entries(delivery) => {
                if hash.is_empty() {
                    (self.last_full, self.age) = (Instant::now(), Duration::ZERO);
                }
                self.report_unusable(&delivery);
                if same_list && !delivery.hash.is_empty() && delivery.hash == header.hash {
                    self.guard.release();
                    // Another version of this program may read the same numbers otherwise.
                    if let Kept::OnDisk(file) = &self.kept {
                        self.store.write_unusable(&self.name, file.header(), &self.unusable);
                    }
                    self.write_again().await;
                    return Ok(Outcome::Unchanged);
                }
                self.take(delivery, accept).await
            }
        }
    }

    async fn take(&mut self, delivery: Delivery, accept: bool) -> anyhow::Result<Outcome> {
        let count = delivery.entries.len();
        let verdict = if accept {
            self.guard.release();
            Verdict::Take
        } else {
            // Also where another question was asked: one that was changed by mistake is to cost no names.
            self.guard.judge(self.kept.len(), count, &delivery.hash)
        };
        let held = |more| Ok(Outcome::Held { count, known: self.kept.len(), more });
        match verdict {
            Verdict::HoldEmpty | Verdict::HoldNameless => return held(None),
            Verdict::HoldShrunk { more } => return held(Some(more)),
            Verdict::Take => {}
        }
        let header =
            Header { fingerprint: self.fingerprint, taken: now(), count: count as u64, hash: delivery.hash };
        let (store, name, before) = (self.store.clone(), self.name.clone(), self.kept.clone());
        let entries = delivery.entries;
        self.progress.set(Step::Writing { entries: count as u64 });
        // Sorting, comparing and writing are work for a thread that answers no calls.
        let unusable = self.unusable.clone();
        let (kept, changes) = panics::blocking(move || {
            let list = entries.finish();
            let changes = before.entries().and_then(|before| Changes::between(before, list.entries()));
            (write(&store, &name, header, Arc::new(list), &unusable), changes)
        })
        .await?;
        self.kept = kept;
        let changes = changes.unwrap_or_default();
        info!(list = %self.name, entries = count, unusable = self.unusable.total(), "new list: {changes}");
        if count == 0 {
            warn!(list = %self.name, "the list is empty: nobody is known by it");
        }
        Ok(Outcome::New { count, changes })
    }

    /// A list that could not be written is tried again: the disk may have room by now.
    async fn write_again(&mut self) {
        if let Kept::InMemory(header, list) = &self.kept {
            let (store, name) = (self.store.clone(), self.name.clone());
            let (header, list) = (header.clone(), Arc::clone(list));
            let unusable = self.unusable.clone();
            let written = panics::blocking(move || {
                let file = store.write(&name, header, &list)?;
                store.write_unusable(&name, file.header(), &unusable);
                io::Result::Ok(file)
            });
            if let Ok(Ok(file)) = written.await {
                info!(list = %self.name, "the list is on disk now");
                self.kept = Kept::OnDisk(file);
            }
        }
    }

    /// Names what can't be used, unless it is what was named the last time.
    fn report_unusable(&mut self, delivery: &Delivery) {
        let unusable = &delivery.unusable;
        if unusable.total() > 0 && (!self.named || *unusable != self.unusable) {
            warn!(list = %self.name, count = unusable.total(), "records that can't be used: {unusable}");
        }
        self.named = true;
        self.unusable = unusable.clone();
    }
}

/// Writes a list; what can't be written is served from memory.
fn write(store: &Store, name: &str, header: Header, list: Arc<List>, unusable: &UnusableRecords) -> Kept {
    match store.write(name, header.clone(), &list) {
        Ok(file) => {
            store.write_unusable(name, file.header(), unusable);
            Kept::OnDisk(file)
        }
        Err(error) => {
            let error: &io::Error = &error;
            warn!(list = %name, "the new list is served, but can't be written to disk: {error}");
            Kept::InMemory(header, list)
        }
    }
}

/// Seconds since 1970, UTC.
pub(super) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
