//! Calls that wait for a search, on paused time.

use super::*;
use crate::directory::suppressed::Span;
use crate::lookup::{Reason, Resolution};

const WAIT: Duration = Duration::from_millis(300);
const PER: u64 = 22_544_545;

/// A resolver that searches these sources, with a pause for the wait of each; and their workers.
struct Calls {
    resolver: Arc<Resolver>,
    pbx: Pbx,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Calls {
    fn of(sources: &[(&Scripted, Option<Duration>)]) -> Self {
        let mut workers = Vec::new();
        let search = |(source, wait): &(&Scripted, Option<Duration>)| {
            let (search, worker) =
                pair("crm".into(), (*source).clone(), Duration::from_mins(1), metrics::Search::default());
            workers.push(tokio::spawn(worker.run()));
            Search { wait: *wait, ..search }
        };
        let searches = Searches { sources: sources.iter().map(search).collect() };
        let resolver = Arc::new(Resolver::new(Style::default()).searching(searches));
        let pbx = Pbx { id: 0, numbers: number::Settings::new("NO".parse().unwrap()) };
        Self { resolver, pbx, workers }
    }

    /// A call, as ARI and FastAGI answer it: the answer, and how long the call has waited. None: it had not to wait.
    async fn call(&self, caller: &str, longest: Duration) -> (Arc<Resolution>, Option<Duration>) {
        match self.resolver.resolve_or_wait(&self.pbx, None, caller) {
            (answer, None) => (answer, None),
            (_, Some(wait)) => {
                let begun = Instant::now();
                let answer = self.resolver.resolve_after(wait, longest, &self.pbx, None, caller).await;
                (answer, Some(begun.elapsed()))
            }
        }
    }

    /// The name of a call, and how many milliseconds it has waited.
    async fn said(&self, caller: &str) -> (Option<String>, Option<u128>) {
        let (answer, waited) = self.call(caller, LONGEST_WAIT).await;
        (name(&answer), waited.map(|waited| waited.as_millis()))
    }
}

fn name(resolution: &Resolution) -> Option<String> {
    resolution.name.as_ref().map(|name| name.as_str().to_owned())
}

/// A source that has Per Strand, and takes this long for each of the two requests of a search.
fn per(delay: u64) -> Scripted {
    let delay = Duration::from_millis(delay);
    Scripted { entries: vec![person(PER, 7, "Per Strand")], delay, ..Scripted::default() }
}

const fn named(waited: u128) -> (Option<&'static str>, Option<u128>) {
    (Some("Per Strand"), Some(waited))
}

macro_rules! assert_said {
    ($said:expr, $expected:expr) => {
        let (name, waited) = $said;
        assert_eq!((name.as_deref(), waited), $expected);
    };
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_search_and_no_longer() {
    let source = per(100);
    let calls = Calls::of(&[(&source, Some(WAIT))]);
    assert_said!(calls.said("22544545").await, named(200));
    // From now on the name is there.
    assert_said!(calls.said("+4722544545").await, (Some("Per Strand"), None));
    // The end of a search that finds nobody is the end of the wait, too.
    assert_said!(calls.said("22999999").await, (None, Some(200)));
    assert_said!(calls.said("22999999").await, (None, None));
    // Whoever is not looked up does not wait.
    assert_said!(calls.said("anonymous").await, (None, None));

    let slow = per(200);
    let calls = Calls::of(&[(&slow, Some(WAIT))]);
    assert_said!(calls.said("22544545").await, (None, Some(300)));
    // A call that comes while the search is under way waits for the rest of it.
    assert_said!(calls.said("22544545").await, named(100));
    assert_eq!(slow.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_way_of_a_call_may_allow_less() {
    let calls = Calls::of(&[(&per(200), Some(WAIT))]);
    let (answer, waited) = calls.call("22544545", Duration::from_millis(200)).await;
    assert_eq!((name(&answer), waited), (None, Some(Duration::from_millis(200))));
    let (answer, waited) = calls.call("22544546", Duration::ZERO).await;
    assert_eq!((name(&answer), waited), (None, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_no_call_waits() {
    let calls = Calls::of(&[(&per(100), None)]);
    assert_said!(calls.said("22544545").await, (None, None));
    assert_said!(calls.said("22544545").await, (None, None));
    a_minute().await;
    assert_said!(calls.said("22544545").await, (Some("Per Strand"), None));
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_number_wait_for_one_search() {
    let source = per(100);
    let calls = Calls::of(&[(&source, Some(WAIT))]);
    let spellings = ["22544545", "+4722544545", "004722544545", "22544545"];
    let said = futures_util::future::join_all(spellings.map(|caller| calls.said(caller))).await;
    for said in said {
        assert_said!(said, named(200));
    }
    assert_eq!(source.asked().len(), 2);
    // Not more than so many, for all sources' calls have to stay bounded.
    let many = futures_util::future::join_all((0..MAX_WAITING + 3).map(|_| calls.said("22999999"))).await;
    assert_eq!(many.iter().filter(|(_, waited)| waited.is_some()).count(), MAX_WAITING);
    assert_eq!(source.asked().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_behind_a_queue_or_a_failure() {
    let source = per(100);
    let calls = Calls::of(&[(&source, Some(WAIT))]);
    let callers: Vec<_> = (0..QUEUE + 6).map(|caller| format!("225445{caller:02}")).collect();
    let said = futures_util::future::join_all(callers.iter().map(|caller| calls.said(caller))).await;
    let waited: Vec<_> = said.into_iter().map(|(_, waited)| waited).collect();
    // The worker has taken none yet.
    assert_eq!(waited.iter().flatten().count(), SEARCHES_AHEAD, "{waited:?}");
    assert_eq!(&waited[..SEARCHES_AHEAD], [Some(200), Some(300)]);

    let failing = per(100);
    *lock(&failing.failures) = 1;
    let calls = Calls::of(&[(&failing, Some(WAIT))]);
    assert_said!(calls.said("22544545").await, (None, Some(100)));
    // The worker rests.
    assert_said!(calls.said("22544545").await, (None, Some(0)));
    a_minute().await;
    assert_said!(calls.said("22544545").await, named(200));
}

#[tokio::test(start_paused = true)]
async fn of_several_sources_the_first_that_has_the_caller_answers() {
    let of = |national, name: &str, delay| Scripted {
        entries: vec![person(national, 9, name)],
        delay: Duration::from_millis(delay),
        ..Scripted::default()
    };
    let (nobody, second) = (of(1, "-", 50), of(PER, "Second", 20));
    let both = Calls::of(&[(&per(100), Some(WAIT)), (&second, Some(WAIT))]);
    assert_said!(both.said("22544545").await, named(200));
    let later = Calls::of(&[(&nobody, Some(WAIT)), (&second, Some(WAIT))]);
    assert_said!(later.said("22544545").await, (Some("Second"), Some(100)));
    // The first one is too slow: the second one's name is the answer.
    let slow = Calls::of(&[(&per(400), Some(WAIT)), (&second, Some(WAIT))]);
    assert_said!(slow.said("22544545").await, (Some("Second"), Some(300)));
    // The first one is not waited for.
    let unasked = Calls::of(&[(&per(100), None), (&second, Some(WAIT))]);
    assert_said!(unasked.said("22544545").await, (Some("Second"), Some(40)));
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_a_call_waits_counts() {
    // A number that must not be named.
    let calls = Calls::of(&[(&per(100), Some(WAIT))]);
    let forget = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let norway: Country = "NO".parse().unwrap();
        let suppressed = std::iter::once(Span::new("22544545", norway).unwrap()).collect();
        calls.resolver.suppress(&suppressed);
    };
    let ((answer, waited), ()) = tokio::join!(calls.call("22544545", LONGEST_WAIT), forget);
    assert_eq!((name(&answer), answer.reason), (None, Some(Reason::Suppressed)));
    assert!(waited.unwrap() <= WAIT);

    // A list that has the number.
    let calls = Calls::of(&[(&per(1_000), Some(WAIT))]);
    let fill = async {
        let list: crate::directory::list::List = [person(PER, 7, "Per Listed")].into_iter().collect();
        let listed = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
        calls.resolver.swap(merge_by(&Rules::default(), &["list".into()], vec![listed]).unwrap());
    };
    let (said, ()) = tokio::join!(calls.said("22544545"), fill);
    assert_said!(said, (Some("Per Listed"), Some(300)));

    // The source is taken away, or the service stops.
    for drops_searches in [true, false] {
        let calls = Calls::of(&[(&per(1_000), Some(WAIT))]);
        let end = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            calls.workers.iter().for_each(tokio::task::JoinHandle::abort);
            if drops_searches {
                calls.resolver.reword(Style::default(), Searches::default());
            }
        };
        let (said, ()) = tokio::join!(calls.said("22544545"), end);
        assert_said!(said, (None, Some(50)));
    }
}
