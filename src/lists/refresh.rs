//! Keeps one list: asks, judges what came, writes it to disk. Whatever fails, the last good list stays.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::warn;

use super::changes::Changes;
use super::guard::Held;
use super::losses::Losses;
use super::state::Stock;
use super::store::{Kept, Store};
use crate::observe::panics;
use crate::source::{Fetched, ListId, Progress, Source, Step, UnusableRecords};

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
        /// How many times more it has to come in full; none for one that is never taken by itself: one without any
        /// name, or one that nobody counts.
        more: Option<u32>,
        /// What it would change.
        #[serde(default)]
        changes: Changes,
        /// What it would take away.
        #[serde(default)]
        losses: Losses,
        /// Whether it was to be taken, and is another one than the list that was shown.
        #[serde(default)]
        another: bool,
    },
}

/// One list and what is needed to keep it.
pub struct Keeper<Q> {
    question: Q,
    /// How often the whole set is asked for, though nothing seems to have changed.
    full_refresh: Duration,
    stock: Stock,
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
        let age = Duration::from_secs(now().saturating_sub(kept.header().taken));
        let stock = Stock::new(name, store, fingerprint, kept);
        Self {
            question,
            full_refresh,
            unusable: stock.unusable().clone(),
            stock,
            named: false,
            last_full: Instant::now(),
            age,
            progress: Progress::default(),
        }
    }

    /// The same for a command: how often a list has come that is held back is counted by a running service only.
    #[must_use]
    pub fn without_counting(self) -> Self {
        Self { stock: self.stock.without_counting(), ..self }
    }

    /// The list's name, as its file and the commands have it.
    pub fn name(&self) -> &str {
        &self.stock.name
    }

    /// How far a refresh is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The list in use.
    pub fn kept(&self) -> &Kept {
        self.stock.kept()
    }

    /// The list that is held back.
    pub fn held(&self) -> Option<&Held> {
        self.stock.held()
    }

    /// The records of the last set that can't be used.
    pub fn unusable(&self) -> &UnusableRecords {
        &self.unusable
    }

    /// Asks for the list.
    pub async fn refresh(&mut self) -> anyhow::Result<Outcome> {
        self.ask(false).await
    }

    /// Takes the list that is held back, unless it is another one than the list `shown`. Where none is held and none was
    /// shown, asks for one and takes whatever comes.
    pub async fn accept(&mut self, shown: Option<u64>) -> anyhow::Result<Outcome> {
        match (self.held().map(|held| held.id), shown) {
            (Some(held), Some(shown)) if held != shown => Ok(self.stock.still_held()),
            (Some(_), _) => {
                let taken = self.on_disk(|stock| stock.take_held(now())).await?;
                self.unusable = self.stock.unusable().clone();
                taken.context("the list that was held back can't be read; it is asked for again")
            }
            // The list that somebody has seen is held no longer: what comes now has been seen by nobody.
            (None, Some(_)) => self.ask(false).await,
            (None, None) => self.ask(true).await,
        }
    }

    async fn ask(&mut self, accept: bool) -> anyhow::Result<Outcome> {
        let result = self.ask_and_judge(accept).await;
        self.progress.set(Step::Idle);
        result
    }

    async fn ask_and_judge(&mut self, accept: bool) -> anyhow::Result<Outcome> {
        let due = self.age.saturating_add(self.last_full.elapsed()) >= self.full_refresh;
        let full = accept || due || self.held().is_some();
        let hash = self.stock.hash().filter(|_| !full).unwrap_or_default();
        match self.question.ask(&hash, &self.progress).await? {
            Fetched::Unchanged => {
                self.on_disk(Stock::is_unchanged).await?;
                Ok(Outcome::Unchanged)
            }
            Fetched::Entries(delivery) => {
                if hash.is_empty() {
                    (self.last_full, self.age) = (Instant::now(), Duration::ZERO);
                }
                self.report_unusable(&delivery.unusable);
                self.progress.set(Step::Writing { entries: delivery.entries.len() as u64 });
                Ok(self.on_disk(move |stock| stock.judge(delivery, accept, now())).await?)
            }
        }
    }

    /// Sorting, comparing and writing are work for a thread that answers no calls.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Stock) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let mut stock = self.stock.clone();
        let done = panics::blocking(move || {
            let done = work(&mut stock);
            (stock, done)
        });
        let (stock, done) = done.await?;
        self.stock = stock;
        Ok(done)
    }

    /// Names what can't be used, unless it is what was named the last time.
    fn report_unusable(&mut self, unusable: &UnusableRecords) {
        if unusable.total() > 0 && (!self.named || *unusable != self.unusable) {
            warn!(list = %self.stock.name, count = unusable.total(), "records that can't be used: {unusable}");
        }
        self.named = true;
        self.unusable = unusable.clone();
    }
}

/// Seconds since 1970, UTC.
pub(super) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
