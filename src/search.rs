//! Callers whom no list knows are searched for, in the background: the call that brings one about goes on
//! without a name, the next one has it. Off unless a source's `search_on_miss` is on.
//!
//! - [`Searches`] is what the resolver asks: what earlier searches have found. What has not been searched for
//!   yet it puts into a queue
//! - a worker for each source takes from its queue, asks the source, and keeps the answer, or its absence
//!
//! A failed search is no absence: the next call of that caller brings about another.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::directory::Directory;
use crate::directory::list::List;
use crate::directory::merge::{Listed, merge};
use crate::entry::Entry;
use crate::mask;
use crate::metrics::{self, Metrics};
use crate::number::{Number, Reading};
use crate::source::superoffice::error::FetchError;
use crate::source::{Settings, Source};

/// How long an answer, or its absence, is kept.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// How many are kept for each source.
const KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Searches that may wait for one source; one more is dropped, and the caller's next call may bring it back.
const QUEUE: usize = 64;
/// The first rest after a failure; it doubles up to the source's own schedule.
const FIRST_REST: Duration = Duration::from_secs(2);

/// The sources that search, in the order of the configuration. Empty where none does.
#[derive(Clone, Debug, Default)]
pub struct Searches {
    sources: Arc<[Search]>,
}

/// What one source's searches have found, and the way to the next one.
#[derive(Clone, Debug)]
struct Search {
    kept: Arc<Mutex<LruCache<Number, Known>>>,
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

/// A caller to be searched for: the readings of the digits, most likely first.
type Wanted = Box<[Reading]>;

/// What can be searched.
pub trait Searched {
    /// Everybody whom a search for these digits shows. Some may have other numbers.
    fn search(&self, digits: &str) -> impl Future<Output = anyhow::Result<Vec<Entry>>> + Send;
}

impl Searched for Arc<Source> {
    async fn search(&self, digits: &str) -> anyhow::Result<Vec<Entry>> {
        Source::search(self, digits).await
    }
}

/// Starts a worker on `tasks` for each source that is to be searched, until `shutdown`. `asked` are the sources
/// of `settings`.
pub fn start(
    settings: &[Settings],
    asked: &[Arc<Source>],
    metrics: &Metrics,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Searches {
    let mut sources = Vec::new();
    for (settings, source) in settings.iter().zip(asked).filter(|(settings, _)| settings.searches_on_miss()) {
        let counted = metrics.search(&settings.name);
        let (search, worker) = pair(&settings.name, Arc::clone(source), settings.refresh, counted);
        let shutdown = shutdown.clone();
        tasks.spawn(async move { shutdown.run_until_cancelled_owned(worker.run()).await });
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
    let kept = Arc::new(Mutex::new(LruCache::new(KEPT)));
    let worker = Worker {
        name: name.to_owned(),
        source,
        wanted,
        kept: Arc::clone(&kept),
        counted: counted.clone(),
        longest_rest,
        backoff: Backoff::new(FIRST_REST, longest_rest),
        rests_until: None,
        reported: None,
    };
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
            self.counted.dropped();
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Searches one source, one caller after the other.
struct Worker<Q> {
    name: String,
    source: Q,
    wanted: mpsc::Receiver<Wanted>,
    kept: Arc<Mutex<LruCache<Number, Known>>>,
    counted: metrics::Search,
    longest_rest: Duration,
    backoff: Backoff,
    /// After a failure nothing is asked for a while: calls would otherwise set the pace.
    rests_until: Option<Instant>,
    /// The failure that has been reported last.
    reported: Option<String>,
}

impl<Q: Searched> Worker<Q> {
    async fn run(mut self) {
        while let Some(wanted) = self.wanted.recv().await {
            if self.rests_until.is_some_and(|until| until > Instant::now()) {
                self.counted.dropped();
                self.forget(&wanted);
                continue;
            }
            match self.find(&wanted).await {
                Ok(found) => {
                    self.keep(found);
                    self.recovered();
                }
                Err(error) => {
                    self.forget(&wanted);
                    self.failed(&error);
                }
            }
        }
    }

    /// What is known of each reading, up to the first one that somebody answers to.
    async fn find(&self, readings: &[Reading]) -> anyhow::Result<Vec<(Number, Option<Directory>)>> {
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
            // A search for digits shows everybody who has them anywhere in a number.
            let list: List = shown.iter().filter(|entry| entry.number == reading.number).cloned().collect();
            if list.is_empty() {
                found.push((reading.number, None));
                continue;
            }
            let entries = Box::new(list.entries());
            let directory =
                merge(std::slice::from_ref(&self.name), vec![Listed { source: 0, group: 0, entries }])?;
            found.push((reading.number, Some(directory)));
            break;
        }
        Ok(found)
    }

    fn keep(&self, found: Vec<(Number, Option<Directory>)>) {
        let until = Instant::now() + KEPT_FOR;
        let somebody = found.iter().any(|(_, directory)| directory.is_some());
        if let Some((number, _)) = found.first() {
            debug!(source = %self.name, caller = %mask::Number(&number.to_string()), somebody, "searched");
        }
        if somebody {
            self.counted.found()
        } else {
            self.counted.nobody()
        }
        let mut kept = lock(&self.kept);
        for (number, directory) in found {
            let known = match directory {
                Some(directory) => Known::Somebody { directory: Arc::new(directory), until },
                None => Known::Nobody { until },
            };
            kept.put(number, known);
        }
    }

    /// As if it had not been asked for.
    fn forget(&self, wanted: &[Reading]) {
        if let Some(reading) = wanted.first() {
            lock(&self.kept).pop(&reading.number);
        }
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.rests_until = None;
        if self.reported.take().is_some() {
            info!(source = %self.name, "searches are answered again");
        }
    }

    /// Rests, and says what went wrong, once: the same failure at each call would bury the others.
    fn failed(&mut self, error: &anyhow::Error) {
        self.counted.failed();
        let cause = error.downcast_ref::<FetchError>();
        let rest = match cause {
            // Trying a refused password again soon locks the account in many a domain.
            Some(FetchError::Refused { .. } | FetchError::Login { .. }) => self.longest_rest,
            cause => cause.and_then(FetchError::retry_after).unwrap_or_default().min(KEPT_FOR),
        };
        let rest = self.backoff.next_wait().max(rest);
        self.rests_until = Some(Instant::now() + rest);
        // How long it wants to be left alone is another text each time.
        let said = match cause {
            Some(FetchError::LeftAlone(_)) => "it asked to be left alone".to_owned(),
            _ => format!("{error:#}"),
        };
        if self.reported.as_ref() == Some(&said) {
            debug!(source = %self.name, ?rest, "again: a search failed: {said}");
        } else {
            warn!(source = %self.name, ?rest, "a search failed, its caller stays without a name: {said}");
        }
        self.reported = Some(said);
    }
}

/// The digits that a number may be found by: the national ones, then those with the calling code. Both are
/// searched for, because two people behind one number may have it stored in two ways.
fn spellings(reading: &Reading) -> [String; 2] {
    let e164 = reading.e164().to_string();
    let international = e164.trim_start_matches('+').to_owned();
    let code = reading.number.country_code().to_string();
    let national = international.strip_prefix(&code).unwrap_or_default().to_owned();
    [national, international]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Choice;
    use crate::number::readings;

    /// A source that shows these entries for any digits, after `delay`.
    #[derive(Clone, Default)]
    struct Scripted {
        entries: Vec<Entry>,
        delay: Duration,
        /// How many of the next searches fail.
        failures: Arc<Mutex<usize>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Searched for Scripted {
        async fn search(&self, digits: &str) -> anyhow::Result<Vec<Entry>> {
            lock(&self.asked).push(digits.to_owned());
            tokio::time::sleep(self.delay).await;
            let failing = {
                let mut failures = lock(&self.failures);
                let failing = *failures > 0;
                *failures = failures.saturating_sub(1);
                failing
            };
            if failing {
                return Err(FetchError::Interrupted.into());
            }
            Ok(self.entries.clone())
        }
    }

    impl Scripted {
        fn asked(&self) -> Vec<String> {
            lock(&self.asked).clone()
        }
    }

    fn person(national: u64, id: u32, name: &str) -> Entry {
        Entry {
            number: Number::new(47, national).unwrap(),
            person_id: id,
            person: name.into(),
            mrmrs: String::new(),
            company_id: 0,
            company: String::new(),
        }
    }

    fn start(source: &Scripted) -> Searches {
        let (search, worker) =
            pair("crm", source.clone(), Duration::from_mins(1), metrics::Search::default());
        tokio::spawn(worker.run());
        Searches { sources: [search].into() }
    }

    fn caller(digits: &str) -> Vec<Reading> {
        readings(digits, "NO".parse().unwrap(), &[]).into_iter().collect()
    }

    /// Who is known now by these digits.
    fn known(searches: &Searches, digits: &str) -> Option<String> {
        let readings = caller(digits);
        let (directory, place) = searches.ask(&readings)?;
        let found = directory.find(readings[place].number).unwrap();
        assert_eq!(found.source, "crm");
        match found.choice {
            Choice::Person { person, .. } => Some(person.name.to_owned()),
            Choice::Ambiguous => Some("ambiguous".into()),
            other => Some(format!("{other:?}")),
        }
    }

    /// Lets the worker do what it can within a minute.
    async fn a_minute() {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_call_has_the_name_for_an_hour() {
        let source = Scripted { entries: vec![person(22_544_545, 7, "Per Strand")], ..Scripted::default() };
        let searches = start(&source);
        assert_eq!(known(&searches, "22544545"), None);
        assert_eq!(known(&searches, "+4722544545"), None, "it is being searched for");
        a_minute().await;
        assert_eq!(known(&searches, "+4722544545").as_deref(), Some("Per Strand"));
        assert_eq!(source.asked(), ["22544545", "4722544545"]);
        tokio::time::sleep(KEPT_FOR).await;
        assert_eq!(known(&searches, "22544545"), None);
        a_minute().await;
        assert_eq!(source.asked().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_kept_for_an_hour_and_a_longer_number_is_one() {
        let source = Scripted { entries: vec![person(22_544_546, 7, "Per Strand")], ..Scripted::default() };
        let searches = start(&source);
        for _ in 0..5 {
            assert_eq!(known(&searches, "22544545"), None);
            a_minute().await;
        }
        assert_eq!(source.asked().len(), 2);
        tokio::time::sleep(KEPT_FOR).await;
        assert_eq!(known(&searches, "22544545"), None);
        a_minute().await;
        assert_eq!(source.asked().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn several_people_are_judged_as_in_a_list() {
        let entries = vec![person(22_544_545, 7, "Per Strand"), person(22_544_545, 8, "Eva Berg")];
        let source = Scripted { entries, ..Scripted::default() };
        let searches = start(&source);
        assert_eq!(known(&searches, "22544545"), None);
        a_minute().await;
        assert_eq!(known(&searches, "22544545").as_deref(), Some("ambiguous"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_no_absence_and_calls_do_not_set_the_pace() {
        let source = Scripted { entries: vec![person(22_544_545, 7, "Per Strand")], ..Scripted::default() };
        *lock(&source.failures) = 1;
        let searches = start(&source);
        for _ in 0..50 {
            assert_eq!(known(&searches, "22544545"), None);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(source.asked().len(), 1);
        a_minute().await;
        assert_eq!(known(&searches, "22544545"), None);
        a_minute().await;
        assert_eq!(known(&searches, "22544545").as_deref(), Some("Per Strand"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_drops_and_the_next_call_tries_again() {
        let source = Scripted { delay: Duration::from_secs(10), ..Scripted::default() };
        let metrics = Metrics::new();
        let (search, worker) = pair("crm", source.clone(), Duration::from_mins(1), metrics.search("crm"));
        let searches = Searches { sources: [search].into() };
        for caller in 0..QUEUE + 3 {
            assert_eq!(known(&searches, &format!("225445{caller:02}")), None);
        }
        let dropped = "nameplate_searches_total{source=\"crm\",outcome=\"dropped\"} 3";
        assert!(metrics.write().unwrap().contains(dropped), "{}", metrics.write().unwrap());
        tokio::spawn(worker.run());
        tokio::time::sleep(Duration::from_hours(1) / 2).await;
        let last = format!("225445{:02}", QUEUE + 2);
        assert!(!source.asked().contains(&last));
        assert_eq!(known(&searches, &last), None);
        a_minute().await;
        assert!(source.asked().contains(&last));
    }

    #[test]
    fn zeros_that_belong_to_a_number_are_searched_for() {
        let readings = caller("+390212348326");
        assert_eq!(spellings(&readings[0]), ["0212348326", "390212348326"]);
    }
}
