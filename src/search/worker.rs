//! The worker of one source: takes callers from its queue, searches the source for them, and caches the results.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{CACHED_FOR, Cache, CachedSearch, lock};
use crate::backoff::Backoff;
use crate::directory::list::List;
use crate::directory::merge::{MergeError, MergeInput, Rules, SharedNumbers, merge_by};
use crate::directory::{Directory, Origin};
use crate::entry::Entry;
use crate::number::{Number, Reading};
use crate::observe::panics::Panicked;
use crate::observe::{mask, metrics, panics};
use crate::source::{Retry, Source, SourceError};

/// The first rest after a failure. It doubles up to the source's interval.
const FIRST_REST: Duration = Duration::from_secs(2);

/// A source that can be searched.
pub(super) trait SearchSource {
    /// The entries that a search for these digits finds. Some may have other numbers.
    fn search(&self, digits: &str) -> impl Future<Output = Result<Vec<Entry>, SourceError>> + Send;
}

impl SearchSource for Arc<Source> {
    async fn search(&self, digits: &str) -> Result<Vec<Entry>, SourceError> {
        Source::search(self, digits).await
    }
}

/// A caller to be searched for.
#[derive(Debug)]
pub(super) struct Caller {
    /// The readings of the digits, the likeliest first.
    readings: Box<[Reading]>,
    /// Dropped with the caller, when the search has ended, has failed, or is not made. None: no call waits for it.
    end: Option<watch::Sender<()>>,
}

impl Caller {
    pub(super) fn new(readings: &[Reading]) -> Self {
        Self { readings: readings.into(), end: None }
    }

    /// For calls that wait: closed at the end of the search.
    pub(super) fn end(&mut self) -> watch::Receiver<()> {
        self.end.get_or_insert_with(|| watch::Sender::new(())).subscribe()
    }
}

/// Why a search failed. The caller stays without a name.
#[derive(Debug, thiserror::Error)]
enum SearchError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl SearchError {
    fn retry(&self) -> Retry {
        match self {
            Self::Source(error) => error.retry(),
            Self::Merge(_) | Self::Panicked(_) => Retry::Soon,
        }
    }

    /// The error as one text for all attempts.
    fn without_time(&self) -> String {
        match self {
            Self::Source(error) => error.without_time(),
            error => error.to_string(),
        }
    }
}

/// Searches one source, one caller after the other.
pub(super) struct Worker<S> {
    origin: Origin,
    source: S,
    callers: mpsc::Receiver<Caller>,
    cache: Cache,
    metrics: metrics::Search,
    longest_rest: Duration,
    /// The rules for a number that several have; without ranges, which belong to the lists' directory.
    rules: Rules,
    backoff: Backoff,
    /// No search before this time, after a failure: otherwise each call would be another attempt.
    rests_until: Option<Instant>,
    /// The failure that was logged last.
    reported: Option<String>,
}

impl<S: SearchSource> Worker<S> {
    /// Prepares a worker that takes `callers` and puts the results into the `cache`.
    pub(super) fn new(
        origin: Origin,
        source: S,
        callers: mpsc::Receiver<Caller>,
        cache: Cache,
        metrics: metrics::Search,
        longest_rest: Duration,
    ) -> Self {
        Self {
            origin,
            source,
            callers,
            cache,
            metrics,
            longest_rest,
            rules: Rules::default(),
            backoff: Backoff::new(FIRST_REST, longest_rest),
            rests_until: None,
            reported: None,
        }
    }

    /// The same with this setting for a number that several have.
    pub(super) fn with_shared(self, shared: SharedNumbers) -> Self {
        Self { rules: Rules { shared, ..Rules::default() }, ..self }
    }

    pub(super) async fn run(mut self) {
        while let Some(caller) = self.callers.recv().await {
            if self.rests_until.is_some_and(|until| until > Instant::now()) {
                self.metrics.dropped.inc();
                self.forget(&caller.readings);
                continue;
            }
            // A caller must not be able to end the service by a panic.
            let found = panics::contained(self.find(&caller.readings)).await;
            match found.unwrap_or_else(|panicked| Err(panicked.into())) {
                Ok(found) => {
                    self.keep(found);
                    self.recovered();
                }
                Err(error) => {
                    self.forget(&caller.readings);
                    self.failed(&error);
                }
            }
        }
    }

    /// Searches for each reading, up to the first one with a result.
    async fn find(&self, readings: &[Reading]) -> Result<Vec<(Number, Option<Directory>)>, SearchError> {
        let mut shown: Vec<Entry> = Vec::new();
        let mut asked: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for reading in readings {
            for digits in spellings(reading) {
                if !asked.contains(&digits) {
                    shown.extend(self.source.search(&digits).await?);
                    asked.push(digits);
                }
            }
            // SuperOffice finds every number that contains the digits.
            let list: List = shown.iter().filter(|entry| entry.number == reading.number).cloned().collect();
            if list.is_empty() {
                found.push((reading.number, None));
                continue;
            }
            let records = Box::new(list.records());
            let listed = vec![MergeInput { origin: 0, group: 0, records }];
            let directory = merge_by(&self.rules, std::slice::from_ref(&self.origin), listed)?;
            found.push((reading.number, Some(directory)));
            break;
        }
        Ok(found)
    }

    fn keep(&self, found: Vec<(Number, Option<Directory>)>) {
        let until = Instant::now() + CACHED_FOR;
        let somebody = found.iter().any(|(_, directory)| directory.is_some());
        if let Some((number, _)) = found.first() {
            debug!(source = %self.origin.source, caller = %mask::Number(&number.to_string()), somebody, "searched");
        }
        if somebody {
            self.metrics.found.inc();
        } else {
            self.metrics.not_found.inc();
        }
        let mut cache = lock(&self.cache);
        // A number of this caller may have been forgotten meanwhile. The next call searches again, if it may.
        let is_awaited =
            |(number, _): &(Number, _)| matches!(cache.peek(number), Some(CachedSearch::Pending(_)));
        if !found.first().is_some_and(is_awaited) {
            return;
        }
        for (number, directory) in found {
            let search = match directory {
                Some(directory) => CachedSearch::Found { directory: Arc::new(directory), until },
                None => CachedSearch::NotFound { until },
            };
            cache.put(number, search);
        }
    }

    /// Removes the caller from the cache, so that the next call searches again.
    fn forget(&self, caller: &[Reading]) {
        if let Some(reading) = caller.first() {
            lock(&self.cache).pop(&reading.number);
        }
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.rests_until = None;
        if self.reported.take().is_some() {
            info!(source = %self.origin.source, "searches are answered again");
        }
    }

    /// Begins the rest after a failure, and logs the failure once: the same line after each call would hide the others.
    fn failed(&mut self, error: &SearchError) {
        self.metrics.failed.inc();
        let rest = match error.retry() {
            Retry::Refused => self.longest_rest,
            Retry::After(wait) => wait.min(CACHED_FOR),
            // A search is small: a server that was too slow for the last one may be fast enough for the next.
            Retry::TooSlow | Retry::Soon => Duration::ZERO,
        };
        let rest = self.backoff.next_wait().max(rest);
        self.rests_until = Some(Instant::now() + rest);
        let text = error.without_time();
        if self.reported.as_ref() == Some(&text) {
            debug!(source = %self.origin.source, ?rest, "again: a search failed: {text}");
        } else {
            warn!(source = %self.origin.source, ?rest, "a search failed, its caller stays without a name: {text}");
        }
        self.reported = Some(text);
    }
}

/// The digits of a number in the CRM: the national ones, then those with the calling code. Both are searched for, because two
/// persons with one number may have it stored in both ways.
pub(super) fn spellings(reading: &Reading) -> [String; 2] {
    let e164 = reading.number.to_string();
    let international = e164.trim_start_matches('+').to_owned();
    let code = reading.number.country_code().to_string();
    let national = international.strip_prefix(&code).unwrap_or_default().to_owned();
    [national, international]
}
