//! An hour of schedule on paused time, through every failure: at no instant is a name unknown that was known and
//! that the CRM has not removed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use super::*;
use crate::entry::Entry;
use crate::metrics;
use crate::name::Style;
use crate::number::{Number, Settings as Numbers};
use crate::resolver::{Pbx, Status};
use crate::source::superoffice::error::FetchError;
use crate::source::{Delivery, Fetched, Kind, Progress, csv};
use keeper::Question;

const MINUTE: Duration = Duration::from_secs(60);

/// The CRM's set at a moment of the hour: national number → name.
fn people(since: Duration) -> BTreeMap<u64, &'static str> {
    let mut people: BTreeMap<u64, &str> = (0..10).map(|last| (22_334_450 + last, "As ever")).collect();
    if since >= 10 * MINUTE {
        people.insert(22_334_455, "Renamed");
    }
    if since >= 17 * MINUTE {
        // Comes while lists can't be written.
        people.insert(22_334_470, "New");
    }
    if since >= 20 * MINUTE {
        people.remove(&22_334_459);
    }
    people
}

/// A CRM that answers honestly every other time only.
struct Crm {
    begun: Instant,
    asked: AtomicUsize,
}

impl Crm {
    fn set(&self, known: &str, people: &BTreeMap<u64, &str>) -> anyhow::Result<Fetched> {
        let hash = format!("{people:?}");
        if known == hash {
            return Ok(Fetched::Unchanged);
        }
        let mut delivery = Delivery { hash, ..Delivery::default() };
        for (national, name) in people {
            delivery.entries.push(&Entry {
                number: Number::new(47, *national).unwrap(),
                person_id: 1,
                person: (*name).to_owned(),
                mrmrs: String::new(),
                company_id: 0,
                company: String::new(),
            });
        }
        Ok(Fetched::Entries(delivery))
    }

    async fn fail(&self, which: usize, hash: &str) -> anyhow::Result<Fetched> {
        let broken = |said: &str| Err(FetchError::Broken(said.to_owned()).into());
        match which % 10 {
            0 => Err(FetchError::NoSet.into()),
            1 => Err(FetchError::Message("no user".into()).into()),
            2 => Err(FetchError::NotACollection { what: "not JSON", head: "<html>".into() }.into()),
            3 => broken("in the middle"),
            4 => Err(FetchError::TooLarge(1).into()),
            5 => self.set(hash, &BTreeMap::new()),
            6 => {
                // A third of the set, as a CRM in trouble delivers it.
                let third = people(self.begun.elapsed()).into_iter().take(3).collect();
                self.set(hash, &third)
            }
            7 => {
                sleep(Duration::from_secs(50)).await;
                broken("no answer in time")
            }
            8 => panic!("as the test wants it"),
            _ => {
                // Slow, but right.
                sleep(Duration::from_secs(8)).await;
                self.set(hash, &people(self.begun.elapsed()))
            }
        }
    }
}

impl Question for Arc<Crm> {
    async fn ask(&self, hash: &str, _: &Progress) -> anyhow::Result<Fetched> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked.is_multiple_of(2) {
            self.set(hash, &people(self.begun.elapsed()))
        } else {
            self.fail(asked / 2, hash).await
        }
    }

    fn answered_in(&self) -> Option<Duration> {
        None
    }
}

fn settings() -> Settings {
    let kind = Kind::Csv(csv::File { path: PathBuf::new(), delimiter: b',', country: "NO".parse().unwrap() });
    Settings { name: "crm".into(), kind, refresh: MINUTE / 2, full_refresh: 5 * MINUTE, group: 0 }
}

fn place(name: &str, selection: u32) -> Place {
    Place { name: name.into(), source: 0, list: ListId { selection: Some(selection) } }
}

/// A service with one list of that CRM. Aborted when dropped, as by a kill.
struct Service {
    resolver: Arc<Resolver>,
    _tasks: JoinSet<()>,
}

impl Service {
    fn start(crm: &Arc<Crm>, state: &Path) -> Self {
        let resolver = Arc::new(Resolver::new(Style::default()));
        let kind =
            Kind::Csv(csv::File { path: PathBuf::new(), delimiter: b',', country: "NO".parse().unwrap() });
        let (refresh, full_refresh) = (MINUTE / 2, 5 * MINUTE);
        let settings = Settings { name: "crm".into(), kind, refresh, full_refresh, group: 0 };
        let place = Place { name: "crm".into(), source: 0, list: ListId::default() };
        let store = Store::new(state);
        let read = |list: &str| store.load(list, keeper::now());
        let publisher =
            Publisher::load(vec![settings], vec![place], read, Rules::default(), Arc::clone(&resolver));
        let kept = publisher.lists[0].clone();
        let (changed, receive) = mpsc::channel(QUEUE);
        let (_, orders) = mpsc::channel(1);
        let schedule = Schedule {
            keeper: Keeper::new("crm".into(), Arc::clone(crm), 7, store, full_refresh, kept),
            place: 0,
            refresh,
            changed,
            orders,
            status: Arc::default(),
            metrics: metrics::List::default(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(schedule.run());
        tasks.spawn(publisher.run(receive));
        Self { resolver, _tasks: tasks }
    }

    fn knows(&self, national: u64) -> bool {
        let country = "NO".parse().unwrap();
        let pbx = Pbx { id: 0, numbers: Numbers::new(country) };
        self.resolver.resolve(&pbx, None, &format!("+47{national}")).status == Status::Found
    }
}

#[tokio::test(start_paused = true)]
async fn no_name_is_lost_in_an_hour_of_failures() {
    fastrand::seed(7);
    let folder = tempfile::tempdir().unwrap();
    let crm = Arc::new(Crm { begun: Instant::now(), asked: AtomicUsize::new(0) });
    let mut service = Service::start(&crm, folder.path());
    let mut known = std::collections::BTreeSet::new();
    let in_the_way = folder.path().join("lists/crm.list.new");
    let (mut renamed, mut restarted) = (false, false);
    while crm.begun.elapsed() < 60 * MINUTE {
        sleep(Duration::from_secs(1)).await;
        let since = crm.begun.elapsed();
        // A disk that takes nothing, for ten minutes.
        if !renamed && since >= 15 * MINUTE {
            renamed = true;
            std::fs::create_dir(&in_the_way).unwrap();
        }
        if in_the_way.is_dir() && since >= 25 * MINUTE {
            std::fs::remove_dir(&in_the_way).unwrap();
        }
        // Killed, and started again.
        if !restarted && since >= 40 * MINUTE {
            restarted = true;
            service = Service::start(&crm, folder.path());
        }
        let there = people(since);
        for national in 22_334_450..=22_334_470 {
            if service.knows(national) {
                known.insert(national);
            } else if there.contains_key(&national) {
                assert!(!known.contains(&national), "{national} was known, and is not after {since:?}");
            }
        }
    }
    // Nothing was passed over: the hour had its failures, and its changes arrived.
    assert!(crm.asked.load(Ordering::Relaxed) > 60, "asked {} times", crm.asked.load(Ordering::Relaxed));
    assert!(restarted && service.knows(22_334_470) && !service.knows(22_334_459));
}

#[test]
fn lists_that_are_empty_by_order_are_lists_too() {
    let folder = tempfile::tempdir().unwrap();
    let load = || {
        let resolver = Arc::new(Resolver::new(Style::default()));
        let (sources, place) = (vec![settings()], place("crm", 0));
        let store = Store::new(folder.path());
        let read = |list: &str| store.load(list, keeper::now());
        Publisher::load(sources, vec![place], read, Rules::default(), Arc::clone(&resolver));
        resolver
    };
    // Nothing is known yet, and nobody is to ask.
    assert!(!load().is_filled());
    let empty = crate::directory::list::List::default();
    Store::new(folder.path()).write("crm", crate::directory::list::file::Header::default(), &empty).unwrap();
    let resolver = load();
    assert!(resolver.is_filled() && resolver.numbers() == 0);
}
