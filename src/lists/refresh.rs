//! One refresh of one list: fetches it, compares it with the list in use, writes it to disk. After a failure the list in use
//! stays.

mod accept;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::guard::HeldList;
use super::outcome::RefreshOutcome;
use super::snapshot::Snapshot;
use super::state::ListState;
use super::store::Store;
use super::suppression::Cleared;
use crate::directory::list::transfer::Content;
use crate::observe::panics::{self, Panicked};
use crate::share::list::SharedList;
use crate::share::slot::InUse;
use crate::source::{Fetched, ListId, Progress, Retry, Source, SourceError, Step, UnusableRecords};

/// Where a list comes from.
pub trait ListSource: Send + Sync + 'static {
    /// Fetches the list. `hash` is that of the list in use, or empty to get the whole list in any case. `progress` shows how
    /// far the fetch is.
    fn fetch(
        &self,
        hash: &str,
        progress: &Progress,
    ) -> impl Future<Output = Result<Fetched, SourceError>> + Send;

    /// The time until the first byte of the last answer, if it is known.
    fn answered_in(&self) -> Option<Duration> {
        None
    }

    /// Returns when the next list is to be fetched: at `until`, or when the source knows better.
    fn due(&self, until: Instant) -> impl Future<Output = ()> + Send {
        sleep_until(until)
    }

    /// The list in use: at the start, and after each fetch or order that was not in vain.
    fn uses(&self, _: impl FnOnce() -> InUse) {}

    /// The list among the replicas; none if it is this service's own.
    fn shared(&self) -> Option<&SharedList> {
        None
    }
}

/// One list of a source.
#[derive(Clone, Debug)]
pub struct SourceList {
    /// The source; its lists share it.
    pub source: Arc<Source>,
    /// Which of its lists.
    pub list: ListId,
    /// The list among the replicas; none if it is this service's own.
    pub shared: Option<SharedList>,
}

impl ListSource for SourceList {
    async fn fetch(&self, hash: &str, progress: &Progress) -> Result<Fetched, SourceError> {
        let ask = self.source.fetch(self.list, hash, progress);
        match &self.shared {
            Some(shared) => Box::pin(shared.fetch(ask)).await,
            None => ask.await,
        }
    }

    fn answered_in(&self) -> Option<Duration> {
        self.source.answered_in(self.list)
    }

    async fn due(&self, until: Instant) {
        match &self.shared {
            Some(shared) => shared.due(until).await,
            None => sleep_until(until).await,
        }
    }

    fn uses(&self, in_use: impl FnOnce() -> InUse) {
        if let Some(shared) = &self.shared {
            shared.uses(in_use());
        }
    }

    fn shared(&self) -> Option<&SharedList> {
        self.shared.as_ref()
    }
}

/// Why a refresh failed. The list in use stays.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The source did not deliver.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The fetch, or the work on the list, panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// Another configuration asks another source.
    #[error("interrupted by another configuration")]
    Interrupted,
    /// The file of the list that is held back can't be read.
    #[error("the list that was held back can't be read; it is asked for again: {0}")]
    HeldUnreadable(io::Error),
}

impl RefreshError {
    /// When the list may be fetched again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Source(error) => error.retry(),
            Self::Panicked(_) | Self::HeldUnreadable(_) | Self::Interrupted => Retry::Soon,
        }
    }

    /// Whether the credential was refused, or can't be read. Another attempt makes sense when an administrator has changed it.
    #[must_use]
    pub fn is_about_credential(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_about_credential())
    }
}

/// Refreshes one list.
pub struct Refresher<S> {
    source: S,
    /// The interval of complete fetches, without a hash.
    full_refresh: Duration,
    state: ListState,
    /// Unusable records of the last list that arrived; at first those of the list on disk.
    unusable: UnusableRecords,
    /// Whether the log has them.
    is_unusable_logged: bool,
    /// When the last complete list arrived, or when the service started.
    last_full: Instant,
    /// The list's age at that time. It counts, so that a service that starts anew each night has its daily complete fetch, too.
    age: Duration,
    progress: Progress,
    /// Ends a fetch under way. A list that has arrived is still judged and written.
    interrupt: CancellationToken,
}

impl<S: ListSource> Refresher<S> {
    /// The time until the first byte of the last answer, without the wait for the request's turn.
    pub fn answered_in(&self) -> Option<Duration> {
        self.source.answered_in()
    }

    /// Prepares the refreshes of the list `name`, from its `snapshot` on. `fingerprint` identifies the request
    /// ([`Settings::fingerprint`](crate::source::Settings::fingerprint)).
    pub fn new(
        name: String,
        source: S,
        fingerprint: u64,
        store: Store,
        full_refresh: Duration,
        snapshot: Snapshot,
    ) -> Self {
        let age = Duration::from_secs(now().saturating_sub(snapshot.header().taken));
        let state = ListState::new(name, store, fingerprint, snapshot);
        Self {
            source,
            full_refresh,
            unusable: state.unusable().clone(),
            state,
            is_unusable_logged: false,
            last_full: Instant::now(),
            age,
            progress: Progress::default(),
            interrupt: CancellationToken::new(),
        }
    }

    /// Fetches from another source from now on, and sends another request if the `fingerprint` is another one. The list in use
    /// stays until a new one has come.
    pub fn reconfigure(&mut self, source: S, fingerprint: u64, full_refresh: Duration) {
        (self.source, self.full_refresh) = (source, full_refresh);
        self.state.ask_with(fingerprint);
        self.interrupt = CancellationToken::new();
    }

    /// Ends a fetch under way: it fails as interrupted.
    pub fn interrupt(&self) -> &CancellationToken {
        &self.interrupt
    }

    /// The same for a command. Only the service counts how often a list that is held back has arrived.
    #[must_use]
    pub fn without_counting(self) -> Self {
        Self { state: self.state.without_counting(), ..self }
    }

    /// The list's name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The progress of a refresh.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The list in use.
    pub fn snapshot(&self) -> &Snapshot {
        self.state.snapshot()
    }

    /// The list that is held back.
    pub fn held(&self) -> Option<&HeldList> {
        self.state.held()
    }

    /// The unusable records of the last list that arrived.
    pub fn unusable(&self) -> &UnusableRecords {
        &self.unusable
    }

    /// The reason why the list in use is not on disk, if it could not be written.
    pub fn not_on_disk(&self) -> Option<&str> {
        self.state.not_on_disk()
    }

    /// Where the list comes from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Tells the source which list is in use.
    pub fn tell_source(&self, is_new: bool) {
        self.source.uses(|| {
            let snapshot = self.snapshot();
            let content = match snapshot {
                _ if snapshot.header().fingerprint != self.state.request() => None,
                Snapshot::Absent => None,
                Snapshot::OnDisk(file) => Some(Content::OnDisk(file.clone())),
                Snapshot::InMemory(header, list) => Some(Content::InMemory(header.clone(), Arc::clone(list))),
            };
            let has_list = !matches!(snapshot, Snapshot::Absent);
            let unusable = self.state.unusable().clone();
            InUse { content, has_list, is_new, unusable, left_out: self.state.left_out() }
        });
    }

    /// Fetches the list.
    pub async fn refresh(&mut self) -> Result<RefreshOutcome, RefreshError> {
        let result = self.fetch(false).await;
        self.tell_of(&result);
        result
    }

    fn tell_of(&self, result: &Result<RefreshOutcome, RefreshError>) {
        match result {
            Ok(RefreshOutcome::Unchanged) => self.tell_source(false),
            Ok(RefreshOutcome::New { .. }) => self.tell_source(true),
            Ok(RefreshOutcome::Held { .. } | RefreshOutcome::NothingHeld) | Err(_) => {}
        }
        if let Some(shared) = self.source.shared() {
            shared.holds(self.held().cloned(), result.is_ok());
        }
    }

    async fn fetch(&mut self, accept: bool) -> Result<RefreshOutcome, RefreshError> {
        let result = self.fetch_and_judge(accept).await;
        self.progress.set(Step::Idle);
        result
    }

    async fn fetch_and_judge(&mut self, accept: bool) -> Result<RefreshOutcome, RefreshError> {
        let due = self.age.saturating_add(self.last_full.elapsed()) >= self.full_refresh;
        let full = accept || due || self.held().is_some();
        let hash = self.state.hash().filter(|_| !full).unwrap_or_default();
        let fetch = self.source.fetch(&hash, &self.progress);
        match self.interrupt.run_until_cancelled(fetch).await.ok_or(RefreshError::Interrupted)?? {
            Fetched::Unchanged => {
                self.on_disk(ListState::is_unchanged).await?;
                Ok(RefreshOutcome::Unchanged)
            }
            Fetched::Entries(delivery) => {
                if hash.is_empty() {
                    (self.last_full, self.age) = (Instant::now(), Duration::ZERO);
                }
                self.report_unusable(&delivery.unusable);
                self.progress.set(Step::Writing { entries: delivery.entries.len() as u64 });
                Ok(self.on_disk(move |state| state.judge(delivery, accept, now())).await?)
            }
        }
    }

    /// Takes the records of numbers that must not be named out of the list and its files.
    pub async fn take_out_suppressed(&mut self) -> Cleared {
        let done = self.on_disk(ListState::take_out_suppressed).await;
        // It no longer answers the request that is sent now.
        self.tell_source(false);
        done.unwrap_or_else(|panicked| Cleared::failed(self.name(), panicked))
    }

    /// Sorting, comparing and writing take long: a thread for blocking work does them.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut ListState) -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let mut state = self.state.clone();
        let done = panics::blocking(move || {
            let done = work(&mut state);
            (state, done)
        });
        let (state, done) = done.await?;
        self.state = state;
        Ok(done)
    }

    /// Logs the unusable records, unless the log has the same ones already.
    fn report_unusable(&mut self, unusable: &UnusableRecords) {
        if !self.is_unusable_logged || *unusable != self.unusable {
            warn_unusable(self.name(), unusable);
        }
        self.is_unusable_logged = true;
        self.unusable = unusable.clone();
    }
}

/// Logs the unusable records, if there are any.
pub(super) fn warn_unusable(list: &str, unusable: &UnusableRecords) {
    if unusable.total() > 0 {
        warn!(%list, count = unusable.total(), "records that can't be used: {unusable}");
    }
}

/// Seconds since 1970, UTC.
#[must_use]
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
