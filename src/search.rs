//! Callers whom no list knows are searched for, in the background: the call that brings one about goes on
//! without a name, the next one has it. Off unless a source's `search_on_miss` is on.
//!
//! - [`Searches`] is what the resolver asks: what earlier searches have found. What has not been searched for
//!   yet it puts into a queue
//! - `worker`: one for each source takes from its queue, asks the source, and keeps the answer, or its absence
//!
//! A failed search is no absence: the next call of that caller brings about another.

mod worker;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::directory::Directory;
use crate::directory::merge::SharedNumbers;
use crate::number::{Number, Reading};
use crate::observe::metrics::{self, Metrics};
use crate::source::{Settings, Source};
use crate::supervisor::Supervisor;
use worker::{Searched, Worker};

/// How long an answer, or its absence, is kept.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How many are kept for each source.
const MOST_KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Searches that may wait for one source; one more is dropped, and the caller's next call may bring it back.
const QUEUE: usize = 64;

/// The sources that search, in the order of the configuration. Empty where none does.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    sources: Arc<[Search]>,
}

/// What one source's searches have found, and the way to the next one.
#[derive(Clone, Debug)]
struct Search {
    kept: Kept,
    queue: mpsc::Sender<Wanted>,
    counted: metrics::Search,
}

/// What is known of a number.
#[derive(Clone, Debug)]
enum Known {
    /// It is being searched for.
    Asked,
    /// The source does not know it.
    Nobody { until: Instant },
    /// Whoever the source knows by this number, judged as in any directory.
    Somebody { directory: Arc<Directory>, until: Instant },
}

/// What is kept of one source, for its searches and its worker.
type Kept = Arc<Mutex<LruCache<Number, Known>>>;

/// A caller to be searched for: the readings of the digits, most likely first.
type Wanted = Box<[Reading]>;

/// Starts a worker, one of the service's `parts`, for each source that is to be searched. `asked` are the sources
/// of `settings`, `shared` what is shown for a number that several have.
pub fn start(
    settings: &[Settings],
    asked: &[Arc<Source>],
    shared: SharedNumbers,
    metrics: &Metrics,
    parts: &mut Supervisor,
) -> Searches {
    let mut sources = Vec::new();
    for (settings, source) in settings.iter().zip(asked).filter(|(settings, _)| settings.searches_on_miss()) {
        let counted = metrics.search(&settings.name);
        let (search, worker) = pair(&settings.name, Arc::clone(source), settings.refresh, counted);
        let worker = worker.judging(shared);
        parts.spawn(format!("the search in `{}`", settings.name), worker.run());
        sources.push(search);
    }
    Searches { sources: sources.into() }
}

/// What asks, and what is asked.
fn pair<Q: Searched>(
    name: &str,
    source: Q,
    longest_rest: Duration,
    counted: metrics::Search,
) -> (Search, Worker<Q>) {
    let (queue, wanted) = mpsc::channel(QUEUE);
    let kept = Arc::new(Mutex::new(LruCache::new(MOST_KEPT)));
    let worker = Worker::new(name, source, wanted, Arc::clone(&kept), counted.clone(), longest_rest);
    (Search { kept, queue, counted }, worker)
}

impl Searches {
    /// Whether no source is to be searched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// What a search has found for a caller whom no list knows, and which of the readings it was; it waits for
    /// nothing. Where there has been no search, or too long ago, one is begun.
    #[must_use]
    pub fn ask(&self, readings: &[Reading]) -> Option<(Arc<Directory>, usize)> {
        let now = Instant::now();
        // Each of them, so that the later ones have searched as well when the earlier ones know nobody.
        let found: Vec<_> = self.sources.iter().map(|source| source.ask(readings, now)).collect();
        found.into_iter().flatten().next()
    }
}

impl Search {
    fn ask(&self, readings: &[Reading], now: Instant) -> Option<(Arc<Directory>, usize)> {
        let (place, wanted) = {
            let mut kept = lock(&self.kept);
            let mut unknown = None;
            for (reading, place) in readings.iter().zip(0..) {
                match kept.get(&reading.number) {
                    Some(Known::Asked) => return None,
                    Some(Known::Somebody { directory, until }) if *until > now => {
                        return Some((Arc::clone(directory), place));
                    }
                    Some(Known::Nobody { until }) if *until > now => {}
                    _ => {
                        kept.put(reading.number, Known::Asked);
                        unknown = Some((reading.number, readings.get(place..).unwrap_or_default().into()));
                        break;
                    }
                }
            }
            unknown?
        };
        if self.queue.try_send(wanted).is_err() {
            lock(&self.kept).pop(&place);
            self.counted.dropped.inc();
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
