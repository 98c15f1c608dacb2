//! The search in the CRM for callers that no list has. It happens in the background: the call continues without a name, and the
//! caller's next call has the name. On only if a source has `search_on_miss`. With `search_wait` the call waits a moment for it.
//!
//! - [`Searches`]: the results of earlier searches, for the resolver. A caller without a result goes into a queue
//! - [`Workers`]: the sources that are searched, also after a reload of the configuration
//! - `worker`: one for each source takes callers from the queue, searches the source, and caches the result
//! - [`Wait`]: the searches that a call waits for
//! - `shared`: results of the other replicas
//!
//! A search without a match is a result, too. A failed search is not: the caller's next call starts another.

mod shared;
mod wait;
mod worker;

pub use wait::{LONGEST_WAIT, Wait};

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::directory::merge::SharedNumbers;
use crate::directory::suppressed::Suppressed;
use crate::directory::{Directory, Origin};
use crate::number::{Number, Reading};
use crate::observe::metrics::{self, Metrics};
use crate::share::replica::Replica;
use crate::source::{ListId, Prepared, Source};
use crate::supervisor::{Supervisor, Task};
use shared::Shared;
use wait::{MAX_WAITING, SEARCHES_AHEAD};
use worker::{Caller, SearchSource, Worker};

/// How long a result is cached.
const CACHED_FOR: Duration = Duration::from_hours(1);
/// The results in the cache of each source.
const CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Callers that may wait for one source. A further one is dropped; the next call may start that search.
const QUEUE: usize = 64;

/// The sources with `search_on_miss`, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    sources: Arc<[Search]>,
}

/// The sources that are searched, each with its worker.
#[derive(Debug, Default)]
pub struct Workers {
    running: Vec<Running>,
    shared: SharedNumbers,
    /// This service as one of the replicas, which share results; none if it is none.
    replica: Option<Arc<Replica>>,
}

/// A source that is searched.
#[derive(Debug)]
struct Running {
    origin: Origin,
    client: Arc<Source>,
    search: Search,
    task: Task,
}

/// The results of one source, and its queue.
#[derive(Clone, Debug)]
struct Search {
    cache: Cache,
    queue: mpsc::Sender<Caller>,
    metrics: metrics::Search,
    /// How long a call waits for its search. None: not at all.
    wait: Option<Duration>,
    /// One permit for each call that waits.
    waiting: Arc<Semaphore>,
    /// The other replicas; none if this service is none.
    shared: Option<Shared>,
}

/// The search for a number.
#[derive(Debug)]
enum CachedSearch {
    /// In the queue, or under way. Calls may wait for the end of the job, which closes the channel. None: no call waits.
    Pending(Option<watch::Receiver<()>>),
    /// The source does not have the number.
    NotFound { until: Instant },
    /// The source has the number: a directory of its entries.
    Found { directory: Arc<Directory>, until: Instant },
}

impl CachedSearch {
    /// A result. Nobody has the number if there is no directory.
    fn of(directory: Option<Directory>, until: Instant) -> Self {
        match directory {
            Some(directory) => Self::Found { directory: Arc::new(directory), until },
            None => Self::NotFound { until },
        }
    }
}

/// The results of one source, for its calls and its worker.
type Cache = Arc<Mutex<LruCache<Number, CachedSearch>>>;

/// Whether a caller without a result is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Searching {
    /// A search starts.
    Starts,
    /// Only results that are there count.
    Ended,
}

/// What the searches know of a caller.
#[derive(Debug, Default)]
pub struct Known {
    /// The result, and the position of its reading.
    pub found: Option<(Arc<Directory>, usize)>,
    /// The searches under way that the call may wait for.
    pub wait: Option<Wait>,
}

/// What one source knows of a caller.
enum Asked {
    Found(Arc<Directory>, usize),
    /// The search is under way; None: it is not waited for.
    Pending(Option<watch::Receiver<()>>),
    NotFound,
}

impl Workers {
    /// No worker yet. Results are shared with the other replicas if this service is one.
    #[must_use]
    pub fn new(replica: Option<Arc<Replica>>) -> Self {
        Self { replica, ..Self::default() }
    }

    /// Runs a worker for each source with `search_on_miss`, and ends those of other sources. A source whose settings have not
    /// changed keeps its worker and its results. `shared` is the setting for a number that several have.
    pub fn reload(
        &mut self,
        sources: &[Prepared],
        shared: SharedNumbers,
        metrics: &Metrics,
        supervisor: &mut Supervisor,
    ) -> Searches {
        let mut before = std::mem::take(&mut self.running);
        // Results are judged by the setting.
        let is_judged_alike = std::mem::replace(&mut self.shared, shared) == shared;
        for Prepared { settings, client } in sources.iter().filter(|of| of.settings.searches_on_miss()) {
            let origin = settings.origin(ListId::default());
            let is_this = |running: &Running| {
                is_judged_alike && Arc::ptr_eq(&running.client, client) && running.origin == origin
            };
            let known = before.iter().position(is_this).map(|known| before.swap_remove(known));
            let mut running = known.unwrap_or_else(|| {
                let (name, source) = (&settings.name, Arc::clone(client));
                let (mut search, worker) =
                    pair(origin.clone(), source, settings.refresh, metrics.search(name));
                let request = settings.fingerprint(ListId::default());
                search.shared = self.replica.clone().map(|replica| Shared { replica, request });
                let worker = worker.with_shared(shared).sharing(search.shared.clone());
                let taken = worker.take();
                let task = supervisor.spawn(format!("the search in `{name}`"), async move {
                    tokio::select! {
                        () = worker.run() => {}
                        () = taken => {}
                    }
                });
                Running { origin, client: Arc::clone(client), search, task }
            });
            running.search.wait = settings.search_wait;
            self.running.push(running);
        }
        for ended in before {
            ended.task.stop();
            let name = &ended.origin.source;
            if !self.running.iter().any(|running| running.origin.source == *name) {
                metrics.forget_search(name);
            }
        }
        Searches { sources: self.running.iter().map(|running| running.search.clone()).collect() }
    }
}

/// A source's results, and the worker that brings them.
fn pair<S: SearchSource>(
    origin: Origin,
    source: S,
    longest_rest: Duration,
    metrics: metrics::Search,
) -> (Search, Worker<S>) {
    let (queue, callers) = mpsc::channel(QUEUE);
    let cache = Arc::new(Mutex::new(LruCache::new(CACHE_SIZE)));
    let worker = Worker::new(origin, source, callers, Arc::clone(&cache), metrics.clone(), longest_rest);
    let waiting = Arc::new(Semaphore::new(MAX_WAITING));
    (Search { cache, queue, metrics, wait: None, waiting, shared: None }, worker)
}

impl Searches {
    /// Whether no source is searched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Drops the results of numbers that must not be named.
    pub fn forget(&self, suppressed: &Suppressed) {
        if !suppressed.is_empty() {
            self.sources.iter().for_each(|source| source.forget(suppressed));
        }
    }

    /// The cached result for a caller that no list has. Without a result, or if it is too old, starts a search, and returns what the
    /// call may wait for. Never waits itself.
    #[must_use]
    pub fn ask(&self, readings: &[Reading], searching: Searching) -> Known {
        let now = Instant::now();
        let mut known = Known::default();
        // All sources search now, so that a later one has its result if the earlier ones have no match.
        for source in &*self.sources {
            match source.ask(readings, now, searching) {
                Asked::Found(directory, place) if known.found.is_none() => {
                    known.found = Some((directory, place));
                }
                Asked::Pending(Some(end)) if known.found.is_none() => {
                    source.add_to(&mut known.wait, end, now);
                }
                _ => {}
            }
        }
        if known.found.is_some() {
            known.wait = None;
        }
        known
    }
}

impl Search {
    /// Drops the results of these numbers, and those of searches under way, which may bring them.
    fn forget(&self, suppressed: &Suppressed) {
        let mut cache = lock(&self.cache);
        let is_gone = |(number, search): (&Number, &CachedSearch)| {
            let goes = suppressed.has(*number) || matches!(search, CachedSearch::Pending(_));
            goes.then_some(*number)
        };
        let gone: Vec<Number> = cache.iter().filter_map(is_gone).collect();
        for number in &gone {
            cache.pop(number);
        }
        drop(cache);
        if let Some(shared) = &self.shared {
            shared.forget(suppressed, &gone);
        }
    }

    fn ask(&self, readings: &[Reading], now: Instant, searching: Searching) -> Asked {
        let (number, caller, end) = {
            let mut cache = lock(&self.cache);
            let mut unknown = None;
            for (reading, place) in readings.iter().zip(0..) {
                match cache.get(&reading.number) {
                    Some(CachedSearch::Pending(end)) => return Asked::Pending(end.clone()),
                    Some(CachedSearch::Found { directory, until }) if *until > now => {
                        return Asked::Found(Arc::clone(directory), place);
                    }
                    Some(CachedSearch::NotFound { until }) if *until > now => {}
                    _ if searching == Searching::Ended => return Asked::NotFound,
                    _ => {
                        let mut caller = Caller::new(readings.get(place..).unwrap_or_default());
                        let end = self.is_waited_for().then(|| caller.end());
                        cache.put(reading.number, CachedSearch::Pending(end.clone()));
                        unknown = Some((reading.number, caller, end));
                        break;
                    }
                }
            }
            let Some(unknown) = unknown else { return Asked::NotFound };
            unknown
        };
        if self.queue.try_send(caller).is_err() {
            lock(&self.cache).pop(&number);
            self.metrics.dropped.inc();
            return Asked::NotFound;
        }
        Asked::Pending(end)
    }

    /// Whether calls wait for a search that is put into the queue now.
    fn is_waited_for(&self) -> bool {
        let ahead = self.queue.max_capacity() - self.queue.capacity();
        self.wait.is_some() && ahead < SEARCHES_AHEAD
    }

    /// Adds a search of this source to those that a call waits for.
    fn add_to(&self, wait: &mut Option<Wait>, end: watch::Receiver<()>, now: Instant) {
        if let Some(longest) = self.wait
            && let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned()
        {
            wait.get_or_insert_default().add(end, now, longest, permit);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests;
