//! When a list is asked for, on paused time.

use tokio::time::sleep;

use super::*;
use crate::entry::Entry;
use crate::lists::snapshot::Snapshot;
use crate::lists::store::Store;
use crate::number::Number;
use crate::observe::metrics::{Form, Metrics};
use crate::source::superoffice::error::FetchError;
use crate::source::{Delivery, Fetched, Progress, SourceError};

const REFRESH: Duration = Duration::from_secs(60);
/// The wait is somewhere between half of the time and the whole.
const USUAL: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=REFRESH;
const SLOWER: std::ops::RangeInclusive<Duration> = Duration::from_secs(120)..=Duration::from_secs(240);

/// One answer, "unchanged", of a CRM.
#[derive(Clone, Copy)]
struct Answer {
    /// The whole of it takes so long.
    takes: Duration,
    /// It begins after so long, where that is known.
    begins: Option<Duration>,
}

/// A CRM that gives these answers, the last one for ever.
#[derive(Clone)]
struct Crm {
    answers: Vec<Answer>,
    /// When each question came, and when its answer had been given.
    asked: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl Crm {
    fn answer(&self, which: usize) -> Answer {
        *self.answers.get(which).or(self.answers.last()).unwrap()
    }
}

impl ListSource for Crm {
    async fn fetch(&self, _hash: &str, _progress: &Progress) -> Result<Fetched, SourceError> {
        let begun = Instant::now();
        let answer = self.answer(self.asked.lock().unwrap().len());
        sleep(answer.takes).await;
        self.asked.lock().unwrap().push((begun, Instant::now()));
        Ok(Fetched::Unchanged)
    }

    fn answered_in(&self) -> Option<Duration> {
        let given = self.asked.lock().unwrap().len();
        self.answer(given.saturating_sub(1)).begins
    }
}

/// A schedule that fetches from `source` each minute, and the state of its list.
fn schedule<S: ListSource>(source: S) -> (Schedule<S>, Arc<Mutex<ListStatus>>) {
    let store = Store::new(std::path::Path::new("/nonexistent"));
    let status = Arc::new(Mutex::new(ListStatus::default()));
    let schedule = Schedule {
        refresher: Refresher::new("crm".into(), source, 7, store, 60 * REFRESH, Snapshot::Absent),
        refresh: REFRESH,
        settings: watch::channel(None).1,
        changed: mpsc::channel(1).0,
        orders: mpsc::channel(1).1,
        clearings: mpsc::channel(1).1,
        status: Arc::clone(&status),
        metrics: metrics::List::default(),
        elsewhere: Elsewhere::default(),
    };
    (schedule, status)
}

/// The first waits between an answer and the next question.
async fn waits(answers: &[Answer], count: usize) -> Vec<Duration> {
    let asked = Arc::default();
    let crm = Crm { answers: answers.to_vec(), asked: Arc::clone(&asked) };
    let running = tokio::spawn(schedule(crm).0.run());
    while asked.lock().unwrap().len() <= count {
        sleep(Duration::from_secs(1)).await;
    }
    running.abort();
    let asked = asked.lock().unwrap();
    asked.windows(2).map(|pair| pair[1].0 - pair[0].1).take(count).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_answered_slowly_is_asked_for_four_times_more_rarely() {
    let seconds = Duration::from_secs;
    for (takes, begins, expected) in [
        (0, Some(0), USUAL),
        (5, Some(5), USUAL),
        (6, Some(6), SLOWER),
        // A long answer is not a slow one, nor is one that had to wait for its turn.
        (40, Some(1), USUAL),
        // Where it is not known when the answer began, its end counts.
        (4, None, USUAL),
        (6, None, SLOWER),
    ] {
        let answer = Answer { takes: seconds(takes), begins: begins.map(seconds) };
        for wait in waits(&[answer], 8).await {
            assert!(expected.contains(&wait), "{takes} s, began after {begins:?} s: {wait:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_quick_answer_brings_the_usual_pace_back() {
    let slow = Answer { takes: Duration::from_secs(6), begins: None };
    let quick = Answer { takes: Duration::ZERO, begins: None };
    let waits = waits(&[slow, quick, slow, quick], 4).await;
    for (wait, expected) in waits.iter().zip([SLOWER, USUAL, SLOWER, USUAL]) {
        assert!(expected.contains(wait), "{waits:?}");
    }
}

/// A question whose answer can't be read without a panic, which repeats a number.
#[derive(Clone)]
struct Unreadable;

impl ListSource for Unreadable {
    async fn fetch(&self, _hash: &str, _progress: &Progress) -> Result<Fetched, SourceError> {
        panic!("+4722334455")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_refresh_that_is_tried_again_and_not_repeated() {
    let (schedule, status) = schedule(Unreadable);
    let running = tokio::spawn(schedule.run());
    sleep(60 * REFRESH).await;
    assert!(!running.is_finished());
    let said = status.lock().unwrap().last_error.clone().unwrap();
    assert!(said.contains("panic") && !said.contains("22334455"), "{said}");
}

/// A way to fail.
type Failure = fn() -> FetchError;

/// A CRM that fails in one way, and when it was asked.
#[derive(Clone)]
struct Failing(Failure, Arc<Mutex<Vec<Instant>>>);

impl ListSource for Failing {
    async fn fetch(&self, _hash: &str, _progress: &Progress) -> Result<Fetched, SourceError> {
        self.1.lock().unwrap().push(Instant::now());
        Err(self.0().into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_done_in_time_rests_as_does_one_that_refuses() {
    let refused = || FetchError::Refused { status: reqwest::StatusCode::UNAUTHORIZED, said: "no".into() };
    let failures: [(Failure, std::ops::RangeInclusive<Duration>); 6] = [
        (|| FetchError::Silent(2 * REFRESH), REFRESH..=REFRESH),
        (|| FetchError::OutOfTime("x".into()), REFRESH..=REFRESH),
        (refused, REFRESH..=REFRESH),
        (|| FetchError::Login { said: "x".into(), advice: "y".into() }, REFRESH..=REFRESH),
        (|| FetchError::LeftAlone(5 * REFRESH), 5 * REFRESH..=5 * REFRESH),
        (|| FetchError::Broken("x".into()), FIRST_WAIT / 2..=FIRST_WAIT),
    ];
    for (failure, expected) in failures {
        let asked = Arc::default();
        let running = tokio::spawn(schedule(Failing(failure, Arc::clone(&asked))).0.run());
        while asked.lock().unwrap().len() < 2 {
            sleep(Duration::from_millis(100)).await;
        }
        running.abort();
        let asked = asked.lock().unwrap();
        assert!(expected.contains(&(asked[1] - asked[0])), "{}: {:?}", failure(), asked[1] - asked[0]);
    }
}

/// A CRM that answers after `takes`, with a refusal or "unchanged", and when it was asked.
#[derive(Clone)]
struct Configured {
    takes: Duration,
    refuses: bool,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl ListSource for Configured {
    async fn fetch(&self, _hash: &str, _progress: &Progress) -> Result<Fetched, SourceError> {
        self.asked.lock().unwrap().push(Instant::now());
        sleep(self.takes).await;
        if self.refuses {
            return Err(
                FetchError::Refused { status: reqwest::StatusCode::UNAUTHORIZED, said: "no".into() }.into()
            );
        }
        Ok(Fetched::Unchanged)
    }
}

/// The settings of a list that is fetched from `crm`.
fn settings(crm: &Configured) -> ListSettings<Configured> {
    ListSettings { source: crm.clone(), fingerprint: 7, refresh: REFRESH, full_refresh: 60 * REFRESH }
}

/// Runs the schedule, and reloads it after the first answer, or with `under_way` before that: with `new` settings, or with the
/// same. Returns how often the CRM was asked in the next seconds, and whether the schedule ended with its list.
async fn asked_after(
    crm: &Configured,
    under_way: bool,
    new: Option<ListSettings<Configured>>,
) -> (usize, bool) {
    let (mut schedule, _) = schedule(crm.clone());
    let (change, receive) = watch::channel(Some(Arc::new(settings(crm))));
    schedule.settings = receive;
    let running = tokio::spawn(schedule.run());
    sleep(if under_way { Duration::from_secs(1) } else { crm.takes + Duration::from_secs(1) }).await;
    crm.asked.lock().unwrap().clear();
    change.send_modify(|settings| {
        if let Some(new) = new {
            *settings = Some(Arc::new(new));
        }
    });
    sleep(Duration::from_secs(3)).await;
    let asked = crm.asked.lock().unwrap().len();
    change.send_replace(None);
    sleep(Duration::from_secs(1)).await;
    (asked, running.is_finished())
}

#[tokio::test(start_paused = true)]
async fn a_reload_asks_only_where_the_question_or_the_refused_answer_may_have_changed() {
    let crm =
        |refuses, takes| Configured { takes: Duration::from_secs(takes), refuses, asked: Arc::default() };
    let (well, refusing, slow) = (crm(false, 0), crm(true, 0), crm(false, 600));
    let other = |crm: &Configured| ListSettings { full_refresh: REFRESH, ..settings(crm) };
    let another_question = |crm: &Configured| ListSettings { fingerprint: 8, ..settings(crm) };
    for (what, crm, under_way, new, expected) in [
        ("the same", &well, false, None, 0),
        ("other settings", &well, false, Some(other(&well)), 0),
        ("another question", &well, false, Some(another_question(&well)), 1),
        ("the same, which was refused", &refusing, false, None, 1),
        ("others, which were refused", &refusing, false, Some(other(&refusing)), 1),
        ("the same, while it is asked", &slow, true, None, 0),
        ("others, while it is asked", &slow, true, Some(other(&slow)), 1),
    ] {
        // It ends at once when its list is taken out of the configuration, also while it is asked.
        assert_eq!(asked_after(crm, under_way, new).await, (expected, true), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_counts_from_now_on() {
    let crm = Configured { takes: Duration::ZERO, refuses: false, asked: Arc::default() };
    let (mut schedule, status) = schedule(crm.clone());
    let (change, receive) = watch::channel(Some(Arc::new(settings(&crm))));
    schedule.settings = receive;
    let _running = tokio::spawn(schedule.run());
    sleep(Duration::from_secs(1)).await;
    change.send_replace(Some(Arc::new(ListSettings { refresh: REFRESH / 60, ..settings(&crm) })));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(crm.asked.lock().unwrap().len(), 1);
    assert!(status.lock().unwrap().next.unwrap() <= now() + 1);
    sleep(Duration::from_secs(5)).await;
    assert!(crm.asked.lock().unwrap().len() >= 5);
}

/// A CRM with so many records.
#[derive(Clone)]
struct Counted(Arc<Mutex<u64>>);

impl ListSource for Counted {
    async fn fetch(&self, _hash: &str, _progress: &Progress) -> Result<Fetched, SourceError> {
        let count = *self.0.lock().unwrap();
        let mut delivery = Delivery { hash: count.to_string(), ..Delivery::default() };
        for place in 0..count {
            let number = Number::new(47, 22_334_400 + place).unwrap();
            let (person, company) = ("Kari".into(), String::new());
            delivery.entries.push(&Entry {
                number,
                person_id: 1,
                person,
                mrmrs: String::new(),
                company_id: 0,
                company,
                likely: true,
            });
        }
        Ok(Fetched::Entries(delivery))
    }
}

#[tokio::test(start_paused = true)]
async fn the_metrics_show_a_list_that_is_held_back_for_as_long_as_it_is() {
    let (metrics, count) = (Metrics::new(), Arc::new(Mutex::new(20)));
    let (mut schedule, _status) = schedule(Counted(Arc::clone(&count)));
    schedule.metrics = metrics.list("crm", "crm", REFRESH);
    let (changed, _receive) = mpsc::channel(9);
    schedule.changed = changed;
    let running = tokio::spawn(schedule.run());
    let until = async |line: &str| {
        for _ in 0..300 {
            let text = metrics.write(Form::Plain).unwrap();
            if text.lines().any(|written| written == line) {
                return text;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{line}\n{}", metrics.write(Form::Plain).unwrap());
    };
    let held = |is_held: u8| format!("nameplate_list_held{{source=\"crm\",list=\"crm\"}} {is_held}");
    let taken = until("nameplate_refreshes_total{source=\"crm\",list=\"crm\",outcome=\"taken\"} 1").await;
    assert!(taken.contains(&held(0)), "{taken}");
    *count.lock().unwrap() = 0;
    until(&held(1)).await;
    *count.lock().unwrap() = 20;
    until(&held(0)).await;
    assert!(!running.is_finished());
}

/// The same CRM, whose answers take ten seconds.
#[derive(Clone)]
struct Slow(Counted);

impl ListSource for Slow {
    async fn fetch(&self, hash: &str, progress: &Progress) -> Result<Fetched, SourceError> {
        sleep(Duration::from_secs(10)).await;
        self.0.fetch(hash, progress).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_a_reload_interrupts_still_accepts_no_list_that_nobody_was_shown() {
    let count = Arc::new(Mutex::new(20));
    let crm = Slow(Counted(Arc::clone(&count)));
    let (mut schedule, status) = schedule(crm.clone());
    let new = |full_refresh| {
        Some(Arc::new(ListSettings { source: crm.clone(), fingerprint: 7, refresh: REFRESH, full_refresh }))
    };
    let (settings, receive) = watch::channel(new(60 * REFRESH));
    let (changed, _receive) = mpsc::channel(9);
    let (orders, ordered) = mpsc::channel(1);
    (schedule.settings, schedule.changed, schedule.orders) = (receive, changed, ordered);
    let _running = tokio::spawn(schedule.run());
    sleep(Duration::from_secs(12)).await;
    assert_eq!(status.lock().unwrap().count, 20);
    // The list that was shown is no longer held back, and what comes now has nobody.
    status.lock().unwrap().shown = Some(5);
    *count.lock().unwrap() = 0;
    let (reply, answer) = oneshot::channel();
    orders.send(Order { act: Act::Accept, reply }).await.ok().unwrap();
    sleep(Duration::from_secs(2)).await;
    settings.send_replace(new(50 * REFRESH));
    let outcome = answer.await.unwrap().outcome;
    assert!(matches!(outcome, Some(RefreshOutcome::Held { count: 0, .. })), "{outcome:?}");
}
