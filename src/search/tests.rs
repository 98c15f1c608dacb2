//! What searches find and keep, on paused time.

mod shared;
mod waiting;

use std::path::Path;

use super::worker::spellings;
use super::*;
use crate::config::Config;
use crate::directory::Choice;
use crate::directory::merge::{MergeInput, Rules, merge_by};
use crate::directory::ranges::{self, KnownRange, KnownRanges};
use crate::entry::Entry;
use crate::lookup::{Certainty, Pbx, Resolver};
use crate::name::Style;
use crate::number::{self, Country, readings};
use crate::observe::metrics::Form;
use crate::source::superoffice::error::FetchError;
use crate::source::{self, SourceError};

/// A source that shows these entries for any digits, after `delay`.
#[derive(Clone, Default)]
struct Scripted {
    entries: Vec<Entry>,
    delay: Duration,
    /// How many of the next searches fail.
    failures: Arc<Mutex<usize>>,
    /// Whether those that fail panic.
    panics: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SearchSource for Scripted {
    async fn search(&self, digits: &str) -> Result<Vec<Entry>, SourceError> {
        lock(&self.asked).push(digits.to_owned());
        tokio::time::sleep(self.delay).await;
        let failing = {
            let mut failures = lock(&self.failures);
            let failing = *failures > 0;
            *failures = failures.saturating_sub(1);
            failing
        };
        if failing {
            assert!(!self.panics, "as the test wants it");
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
    Entry::example(Number::new(47, national).unwrap(), (id, name), (0, ""))
}

/// Slows paused time down to half of the real one, so that it does not pass data that is on its way on a socket: it stands still
/// while a blocking task runs.
async fn brake() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(10))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Searches in a source that has Per Strand, with the number +47 22 54 45 45, and takes this long for each of the two requests of
/// a search. Calls wait for it. Paused time goes slowly from now on.
pub(crate) fn waited_for(delay: Duration, wait: Duration) -> Searches {
    let source =
        Scripted { entries: vec![person(22_544_545, 7, "Per Strand")], delay, ..Scripted::default() };
    tokio::spawn(brake());
    let searches = start(&source);
    let waited_for = |search: &Search| Search { wait: Some(wait), ..search.clone() };
    Searches { sources: searches.sources.iter().map(waited_for).collect() }
}

fn start(source: &Scripted) -> Searches {
    let (search, worker) =
        pair("crm".into(), source.clone(), Duration::from_mins(1), metrics::Search::default());
    tokio::spawn(worker.run());
    Searches { sources: [search].into() }
}

fn caller(digits: &str) -> Vec<Reading> {
    readings(digits, "NO".parse().unwrap(), &[]).into_iter().collect()
}

/// Who is known now by these digits.
fn known(searches: &Searches, digits: &str) -> Option<String> {
    let readings = caller(digits);
    let (directory, place) = searches.ask(&readings, Searching::Starts).found?;
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
    tokio::time::sleep(CACHED_FOR).await;
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
    tokio::time::sleep(CACHED_FOR).await;
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
async fn what_is_shown_for_a_shared_number_holds_for_searches_as_well() {
    let works = |person: Entry| Entry { company_id: 5, company: "Fjord".into(), ..person };
    let entries = vec![works(person(22_544_545, 7, "Per")), works(person(22_544_545, 8, "Eva"))];
    for (shared, shown) in [(SharedNumbers::Both, "Fjord"), (SharedNumbers::None, "ambiguous")] {
        let source = Scripted { entries: entries.clone(), ..Scripted::default() };
        let rest = Duration::from_mins(1);
        let (search, worker) = pair("crm".into(), source, rest, metrics::Search::default());
        tokio::spawn(worker.with_shared(shared).run());
        let searches = Searches { sources: [search].into() };
        assert_eq!(known(&searches, "22544545"), None);
        a_minute().await;
        let found = known(&searches, "22544545").unwrap();
        assert!(found.contains(shown), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_answers_until_a_search_has_found_whose_the_number_is() {
    let source = Scripted { entries: vec![person(22_544_545, 7, "Per Strand")], ..Scripted::default() };
    let norway: Country = "NO".parse().unwrap();
    let range = KnownRange::new("+47 2254 4500-4599", "company Fjord".parse().unwrap(), norway).unwrap();
    let known = KnownRanges::try_new(vec![range]).unwrap();
    let ranges = ranges::Settings { known, ..ranges::Settings::default() };
    let rules = Rules { ranges, ..Rules::default() };
    let resolver = Resolver::new(Style::default()).searching(start(&source));
    resolver.swap(merge_by(&rules, &[], Vec::new()).unwrap());
    let pbx = Pbx { id: 0, numbers: number::Settings::new(norway) };
    let said = |caller| {
        let resolution = resolver.resolve(&pbx, None, caller);
        (resolution.name.as_ref().map(|name| name.as_str().to_owned()), resolution.certainty)
    };
    let (guess, range) = (Some("~Fjord".to_owned()), Some(Certainty::Range));
    assert_eq!(said("22544545"), (guess.clone(), range));
    assert_eq!(said("22544546"), (guess.clone(), range));
    a_minute().await;
    assert_eq!(said("22544545"), (Some("Per Strand".into()), Some(Certainty::Exact)));
    assert_eq!(said("22544546"), (guess, range), "the search found nobody");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_no_absence_and_calls_do_not_set_the_pace() {
    for panics in [false, true] {
        let entries = vec![person(22_544_545, 7, "Per Strand")];
        let source = Scripted { entries, panics, ..Scripted::default() };
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
        assert_eq!(known(&searches, "22544545").as_deref(), Some("Per Strand"), "panics: {panics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_the_next_call_tries_again() {
    let source = Scripted { delay: Duration::from_secs(10), ..Scripted::default() };
    let metrics = Metrics::new();
    let (search, worker) = pair("crm".into(), source.clone(), Duration::from_mins(1), metrics.search("crm"));
    let searches = Searches { sources: [search].into() };
    for caller in 0..QUEUE + 3 {
        assert_eq!(known(&searches, &format!("225445{caller:02}")), None);
    }
    let dropped = "nameplate_searches_total{source=\"crm\",outcome=\"dropped\"} 3";
    assert!(metrics.write(Form::Plain).unwrap().contains(dropped), "{}", metrics.write(Form::Plain).unwrap());
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

/// One SuperOffice that is searched, with these further lines.
fn sources(lines: &str, before: &[Prepared]) -> Vec<Prepared> {
    let text = format!(
        "numbers.country = \"NO\"\n[[source]]\nname = \"crm\"\ntype = \"superoffice\"\napi = \"http://127.0.0.1:1/api\"\n\
         auth = {{ type = \"basic\", username = \"nameplate\", password = \"secret\" }}\n{lines}\n"
    );
    let config = Config::parse(Path::new("nameplate.toml"), &text).unwrap();
    source::prepare(&config.sources, before).unwrap()
}

#[tokio::test]
async fn a_reload_keeps_the_results_of_a_source_that_has_not_changed() {
    const SEARCHES: &str = "search_on_miss = true";
    crate::tls::install();
    let (metrics, mut supervisor) = (Metrics::new(), Supervisor::default());
    let (mut workers, both) = (Workers::default(), SharedNumbers::Both);
    let first = sources(SEARCHES, &[]);
    let results = |searches: &Searches| Arc::clone(&searches.sources[0].cache);
    let before = results(&workers.reload(&first, both, &metrics, &mut supervisor));
    let same = sources(SEARCHES, &first);
    let after = results(&workers.reload(&same, both, &metrics, &mut supervisor));
    assert!(Arc::ptr_eq(&before, &after));
    let waits = sources("search_on_miss = true\nsearch_wait = \"300ms\"", &same);
    let waiting = workers.reload(&waits, both, &metrics, &mut supervisor);
    assert!(Arc::ptr_eq(&before, &results(&waiting)));
    assert_eq!(waiting.sources[0].wait, Some(Duration::from_millis(300)));

    // Another setting for a number of several, then another one of the source.
    let judged = results(&workers.reload(&same, SharedNumbers::None, &metrics, &mut supervisor));
    assert!(!Arc::ptr_eq(&after, &judged));
    let changed = sources("search_on_miss = true\ntimeout = \"1m\"", &same);
    let other = results(&workers.reload(&changed, SharedNumbers::None, &metrics, &mut supervisor));
    assert!(!Arc::ptr_eq(&judged, &other));

    let searched = "nameplate_searches_total{source=\"crm\"";
    assert!(metrics.write(Form::Plain).unwrap().contains(searched));
    let none = workers.reload(&sources("", &changed), SharedNumbers::None, &metrics, &mut supervisor);
    assert!(none.is_empty() && !metrics.write(Form::Plain).unwrap().contains(searched));
    // All workers have ended, and none of them as a failure.
    supervisor.shutdown().cancel();
    supervisor.finish(Duration::from_secs(5)).await.unwrap();
}
