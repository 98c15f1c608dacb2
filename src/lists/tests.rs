//! An hour of schedule on paused time, through every failure: at no instant is a name unknown, or another one again,
//! that was known and that the CRM has not removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use super::engine::Engine;
use super::publisher::{Publisher, QUEUE};
use super::refresh::{ListSource, Refresher};
use super::schedule::{Elsewhere, Schedule};
use super::snapshot::Snapshot;
use super::store::Store;
use super::*;
use crate::directory::list::List;
use crate::directory::list::file::Header;
use crate::directory::merge::Rules;
use crate::entry::Entry;
use crate::lookup::{Pbx, Resolver, Status};
use crate::name::Style;
use crate::number::{Number, Settings as Numbers};
use crate::observe::metrics;
use crate::secret::SecretError;
use crate::source::superoffice::error::FetchError;
use crate::source::{Delivery, Fetched, Kind, Progress, SourceError, Tags, csv};

const MINUTE: Duration = Duration::from_secs(60);

/// How late a change may arrive: behind some failures and a slow answer, after which a list is asked for more rarely.
const LATEST: Duration = Duration::from_secs(5 * 60);

/// The CRM's set at a moment of the hour: national number → name. Those of the second list begin at 22 335 450.
fn people(list: u64, since: Duration) -> BTreeMap<u64, String> {
    let first = FIRST + list * 1_000;
    let mut people: BTreeMap<u64, String> =
        (first..first + 10).map(|national| (national, format!("As ever {national}"))).collect();
    if since >= 10 * MINUTE {
        people.insert(first + 5, format!("Renamed {}", first + 5));
    }
    if since >= 17 * MINUTE {
        // Comes while the first list can't be written.
        people.insert(first + 20, format!("New {}", first + 20));
    }
    if since >= 20 * MINUTE {
        people.remove(&(first + 9));
    }
    people
}

/// The first number of the first list.
const FIRST: u64 = 22_334_450;
/// The lists of the source.
const LISTS: [&str; 2] = ["crm-0", "crm-1"];
/// In how many ways the CRM fails.
const FAILURES: usize = 22;

/// A CRM that answers honestly every other time only, for one of its lists.
struct Crm {
    list: u64,
    begun: Instant,
    asked: AtomicUsize,
}

impl Crm {
    fn people(&self) -> BTreeMap<u64, String> {
        people(self.list, self.begun.elapsed())
    }

    fn set(&self, known: &str, people: &BTreeMap<u64, String>) -> Result<Fetched, SourceError> {
        let hash = format!("{people:?}");
        if known == hash {
            return Ok(Fetched::Unchanged);
        }
        let mut delivery = Delivery { hash, ..Delivery::default() };
        for (national, name) in people {
            delivery.entries.push(&Entry::example(Number::new(47, *national).unwrap(), (1, name), (0, "")));
        }
        Ok(Fetched::Entries(delivery))
    }

    async fn fail(&self, which: usize, hash: &str) -> Result<Fetched, SourceError> {
        let broken = |said: &str| Err(FetchError::Broken(said.to_owned()).into());
        let status = |status, retry_after| FetchError::Status { status, said: "busy".into(), retry_after };
        match which % FAILURES {
            0 => Err(FetchError::NoSet.into()),
            1 => Err(FetchError::Message("no user".into()).into()),
            2 => Err(FetchError::NotACollection { what: "not JSON", head: "<html>".into() }.into()),
            3 => broken("in the middle"),
            4 => Err(FetchError::TooLarge(1).into()),
            5 => self.set(hash, &BTreeMap::new()),
            6 => {
                // A third of the set, as a CRM in trouble delivers it.
                let third = self.people().into_keys().take(3).map(|national| (national, "Wrong".to_owned()));
                self.set(hash, &third.collect())
            }
            7 => {
                sleep(Duration::from_secs(50)).await;
                Err(FetchError::Silent(Duration::from_secs(50)).into())
            }
            8 => panic!("as the test wants it"),
            9 => Err(FetchError::Refused { status: StatusCode::UNAUTHORIZED, said: "no".into() }.into()),
            10 => Err(status(StatusCode::TOO_MANY_REQUESTS, Some(MINUTE)).into()),
            11 => Err(FetchError::LeftAlone(MINUTE / 2).into()),
            12 => {
                Err(FetchError::NotRunning { tenant: "Cust1".into(), state: "OfflineMaintenance".into() }
                    .into())
            }
            13 => Err(FetchError::OutOfTime("in the middle".into()).into()),
            // The tenant has moved, and isn't found.
            14 => Err(status(StatusCode::MISDIRECTED_REQUEST, None).into()),
            15 => Err(FetchError::NoSite { tenant: "Cust1".into(), what: "not JSON".into() }.into()),
            16 => Err(status(StatusCode::SERVICE_UNAVAILABLE, None).into()),
            17 => Err(FetchError::NoConnection("refused".into()).into()),
            18 => Err(FetchError::Unreachable("reset".into()).into()),
            19 => Err(FetchError::Login { said: "invalid_grant".into(), advice: "sign in".into() }.into()),
            20 => Err(FetchError::Secret(SecretError::Empty("crm.password".into())).into()),
            _ => {
                // Slow, but right.
                sleep(Duration::from_secs(8)).await;
                self.set(hash, &self.people())
            }
        }
    }
}

impl ListSource for Arc<Crm> {
    async fn fetch(&self, hash: &str, _: &Progress) -> Result<Fetched, SourceError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked.is_multiple_of(2) {
            self.set(hash, &self.people())
        } else {
            self.fail(asked / 2, hash).await
        }
    }

    fn answered_in(&self) -> Option<Duration> {
        None
    }
}

/// Opens a list's file, as the writer does.
fn load(store: &Store, list: &ListConfig) -> Snapshot {
    store.load(&list.name, refresh::now())
}

fn settings() -> Settings {
    let kind = Kind::Csv(csv::File { path: PathBuf::new(), delimiter: None, country: "NO".parse().unwrap() });
    Settings {
        name: "crm".into(),
        kind,
        refresh: MINUTE / 2,
        full_refresh: 5 * MINUTE,
        group: 0,
        tags: Tags::default(),
        search_wait: None,
    }
}

fn list(name: &str, selection: u32) -> ListConfig {
    let id = ListId { selection: Some(selection) };
    ListConfig { name: name.into(), source: 0, source_name: "crm".into(), id }
}

/// A service with the two lists of that CRM. Aborted when dropped, as by a kill.
struct Service {
    resolver: Arc<Resolver>,
    _tasks: JoinSet<()>,
}

impl Service {
    fn start(crms: &[Arc<Crm>; 2], state: &Path) -> Self {
        let resolver = Arc::new(Resolver::new(Style::default()));
        let settings = settings();
        let (refresh, full_refresh) = (settings.refresh, settings.full_refresh);
        let lists = LISTS.iter().zip(0..).map(|(name, id)| list(name, id)).collect();
        let store = Store::new(state);
        let engine = Engine::open(&[settings], lists, store.clone(), load);
        let publisher = Publisher::start(engine, Rules::default(), Arc::clone(&resolver));
        let (changed, receive) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        for (crm, (list, snapshot)) in crms.iter().zip(publisher.engine.lists()) {
            let (name, snapshot) = (list.name.clone(), snapshot.clone());
            let refresher = Refresher::new(name, Arc::clone(crm), 7, store.clone(), full_refresh, snapshot);
            let schedule = Schedule {
                refresher,
                refresh,
                settings: watch::channel(None).1,
                changed: changed.clone(),
                orders: mpsc::channel(1).1,
                clearings: mpsc::channel(1).1,
                status: Arc::default(),
                metrics: metrics::List::default(),
                elsewhere: Elsewhere::default(),
            };
            tasks.spawn(schedule.run());
        }
        tasks.spawn(publisher.run(receive, false));
        Self { resolver, _tasks: tasks }
    }

    fn name(&self, national: u64) -> Option<String> {
        let country = "NO".parse().unwrap();
        let pbx = Pbx { id: 0, numbers: Numbers::new(country) };
        let resolution = self.resolver.resolve(&pbx, None, &format!("+47{national}"));
        assert_eq!(resolution.status == Status::Found, resolution.name.is_some());
        resolution.name.as_ref().map(|name| name.as_str().to_owned())
    }
}

/// Damages a file by one bit.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_name_is_lost_in_an_hour_of_failures() {
    fastrand::seed(7);
    let folder = tempfile::tempdir().unwrap();
    let crm = |list| Arc::new(Crm { list, begun: Instant::now(), asked: AtomicUsize::new(0) });
    let crms = [crm(0), crm(1)];
    let begun = Instant::now();
    let mut service = Service::start(&crms, folder.path());
    let mut known = BTreeMap::new();
    let in_the_way = folder.path().join("lists/crm-0.list.new");
    let (mut renamed, mut restarted) = (false, false);
    while begun.elapsed() < 60 * MINUTE {
        sleep(Duration::from_secs(1)).await;
        let since = begun.elapsed();
        // A disk that takes nothing, for ten minutes.
        if !renamed && since >= 15 * MINUTE {
            renamed = true;
            std::fs::create_dir(&in_the_way).unwrap();
        }
        if in_the_way.is_dir() && since >= 25 * MINUTE {
            std::fs::remove_dir(&in_the_way).unwrap();
        }
        // Killed, and started again, with a list that the disk has damaged meanwhile.
        if !restarted && since >= 40 * MINUTE {
            restarted = true;
            flip(&folder.path().join("lists/crm-1.list"));
            service = Service::start(&crms, folder.path());
            let aside = std::fs::read_dir(folder.path().join("lists")).unwrap().flatten();
            let is_aside = |name: &str| name.starts_with("crm-1.list.damaged-");
            assert!(aside.into_iter().any(|file| is_aside(&file.file_name().to_string_lossy())));
        }
        for list in 0..2 {
            // What the CRM has, and what it had when a change could still be on its way.
            let (there, before) = (people(list, since), people(list, since.saturating_sub(LATEST)));
            for national in (0..=20).map(|last| FIRST + list * 1_000 + last) {
                let (name, new, old) = (service.name(national), there.get(&national), before.get(&national));
                let was = known.get(&national).and_then(Option::as_ref);
                let is_right = name.as_ref() == new || (name.as_ref() == old && was == old);
                // Nobody is known before the first answer.
                let is_early = was.is_none() && name.is_none() && since < LATEST;
                assert!(
                    is_right || is_early,
                    "{national} was {was:?} and is {name:?} after {since:?}, not {new:?}"
                );
                known.insert(national, name);
            }
        }
    }
    // Nothing was passed over: the hour had all its failures for each list, and its changes arrived.
    assert!(restarted);
    for crm in &crms {
        let asked = crm.asked.load(Ordering::Relaxed);
        assert!(asked > 2 * FAILURES, "asked {asked} times");
        let first = FIRST + crm.list * 1_000;
        for national in first..=first + 20 {
            assert_eq!(service.name(national).as_ref(), crm.people().get(&national), "{national}");
        }
    }
}

fn entry(national: u64, person: &str) -> Entry {
    Entry::example(Number::new(47, national).unwrap(), (1, person), (0, ""))
}

/// A second damage finds the copy of the copy; without any, the list is empty, and that is said.
#[test]
fn the_copy_of_a_damaged_list_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lists) = (Store::new(folder.path()), folder.path().join("lists"));
    let list = [entry(22_334_455, "Kari"), entry(22_334_456, "Kari")].into_iter().collect();
    let header = Header { hash: "a".into(), ..Header::default() };
    store.write("crm", header, &list).unwrap();
    for round in 0..2 {
        flip(&lists.join("crm.list"));
        // Who is not the writer reads the copy, and leaves all as it is.
        assert_eq!(store.look("crm").len(), 2);
        assert!(!lists.join(format!("crm.list.damaged-{round}")).exists());
        let kept = store.load("crm", round);
        assert_eq!((kept.len(), kept.header().hash.as_str()), (2, "a"));
        assert!(
            lists.join("crm.list").is_file() && lists.join(format!("crm.list.damaged-{round}")).is_file()
        );
    }
    // A kill has come after it was set aside.
    std::fs::remove_file(lists.join("crm.list")).unwrap();
    assert_eq!((store.look("crm").len(), store.load("crm", 2).len()), (2, 2));
    assert!(lists.join("crm.list").is_file() && lists.join("crm.list.copy").is_file());
    // There is no room for both.
    flip(&lists.join("crm.list"));
    std::fs::create_dir(lists.join("crm.list.new")).unwrap();
    assert_eq!((store.load("crm", 3).len(), store.load("crm", 4).len()), (2, 2));
    assert!(lists.join("crm.list").is_file() && !lists.join("crm.list.copy").exists());
    flip(&lists.join("crm.list"));
    std::fs::write(lists.join("crm.list.copy"), "damaged as well").unwrap();
    assert!(matches!(store.load("crm", 5), Snapshot::Absent));
}

/// Of two lists one is damaged while it is in use; the other one's changes arrive all the same.
#[test]
fn one_damaged_list_keeps_no_other_one_from_changing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let list = |national, person: &str| -> List { std::iter::once(entry(national, person)).collect() };
    for (name, national) in [("a", 22_334_455), ("b", 22_334_456)] {
        store.write(name, Header::default(), &list(national, "Kari")).unwrap();
    }
    let resolver = Arc::new(Resolver::new(Style::default()));
    let lists = vec![self::list("a", 0), self::list("b", 0)];
    let look = |store: &Store, list: &ListConfig| store.look(&list.name);
    let engine = Engine::open(&[settings()], lists, store.clone(), look);
    let mut publisher = Publisher::start(engine, Rules::default(), Arc::clone(&resolver));
    assert_eq!(resolver.numbers(), 2);
    flip(&folder.path().join("lists/a.list"));
    let new = [entry(22_334_456, "Eva"), entry(22_334_457, "Ola")].into_iter().collect();
    let new = Snapshot::OnDisk(store.write("b", Header::default(), &new).unwrap());
    publisher.engine.replace("b", new);
    publisher.publish("new");
    assert_eq!(resolver.numbers(), 3);
}

#[test]
fn lists_that_are_empty_by_order_are_lists_too() {
    let folder = tempfile::tempdir().unwrap();
    let load = || {
        let resolver = Arc::new(Resolver::new(Style::default()));
        let engine = Engine::open(&[settings()], vec![list("crm", 0)], Store::new(folder.path()), load);
        Publisher::start(engine, Rules::default(), Arc::clone(&resolver));
        resolver
    };
    // Nothing is known yet, and nobody is to ask.
    assert!(!load().is_filled());
    Store::new(folder.path()).write("crm", Header::default(), &List::default()).unwrap();
    let resolver = load();
    assert!(resolver.is_filled() && resolver.numbers() == 0);
}
