//! What a list is asked for with, and what is taken of the answer.

use std::sync::Mutex;

use super::*;
use crate::directory::list::file::Header;
use crate::entry::Entry;
use crate::number::Number;
use crate::source::Delivery;

const DAY: Duration = Duration::from_hours(24);
/// Of the question; its last byte is how the answer is read.
const FINGERPRINT: u64 = 0x0701;

/// A CRM whose set has this hash and this size, and what it was asked with.
#[derive(Clone)]
struct Crm {
    hash: &'static str,
    size: u64,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Crm {
    fn of(hash: &'static str, size: u64) -> Self {
        Self { hash, size, asked: Arc::default() }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn entry(place: u64) -> Entry {
    Entry::example(Number::new(47, 22_334_400 + place).unwrap(), (1, "Kari"), (0, ""))
}

impl ListSource for Crm {
    async fn fetch(&self, hash: &str, _: &Progress) -> Result<Fetched, SourceError> {
        self.asked.lock().unwrap().push(hash.to_owned());
        if hash == self.hash {
            return Ok(Fetched::Unchanged);
        }
        let mut delivery = Delivery { hash: self.hash.into(), ..Delivery::default() };
        (0..self.size).for_each(|place| delivery.entries.push(&entry(place)));
        Ok(Fetched::Entries(delivery))
    }
}

/// A list of ten that was snapshot so long ago, with the hash `a`.
fn snapshot(fingerprint: u64, age: Duration) -> Snapshot {
    let taken = now() - age.as_secs();
    let header = Header { fingerprint, taken, count: 10, hash: "a".into() };
    Snapshot::InMemory(header, Arc::new((0..10).map(entry).collect()))
}

fn refresher(crm: &Crm, state: &tempfile::TempDir, snapshot: Snapshot) -> Refresher<Crm> {
    Refresher::new("crm".into(), crm.clone(), FINGERPRINT, Store::new(state.path()), DAY, snapshot)
}

#[tokio::test]
async fn what_another_version_has_read_is_asked_for_in_full_and_taken_anew() {
    let (state, crm) = (tempfile::tempdir().unwrap(), Crm::of("a", 10));
    let mut refresher = refresher(&crm, &state, snapshot(FINGERPRINT - 1, Duration::ZERO));
    let outcome = refresher.refresh().await.unwrap();
    assert!(matches!(outcome, RefreshOutcome::New { count: 10, .. }), "{outcome:?}");
    assert_eq!(refresher.refresh().await.unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(crm.asked(), ["", "a"]);
    // A CRM in trouble just then does not take the names away.
    let crm = Crm::of("b", 3);
    let mut refresher = self::refresher(&crm, &state, snapshot(FINGERPRINT - 1, Duration::ZERO));
    assert!(matches!(refresher.refresh().await.unwrap(), RefreshOutcome::Held { count: 3, known: 10, .. }));
}

#[tokio::test]
async fn another_question_is_asked_without_the_hash_and_has_the_guard() {
    for (size, taken) in [(5, 1), (3, 3)] {
        let (state, crm) = (tempfile::tempdir().unwrap(), Crm::of("b", size));
        let mut refresher = refresher(&crm, &state, snapshot(FINGERPRINT + 0x100, Duration::ZERO));
        for round in 1..=taken {
            let outcome = refresher.refresh().await.unwrap();
            assert_eq!(
                matches!(outcome, RefreshOutcome::New { .. }),
                round == taken,
                "{size} {round}: {outcome:?}"
            );
        }
        // All of them for the whole set: the hash is another question's.
        assert!(crm.asked().iter().all(String::is_empty));
    }
    let (state, crm) = (tempfile::tempdir().unwrap(), Crm::of("b", 3));
    let mut refresher = refresher(&crm, &state, snapshot(FINGERPRINT + 0x100, Duration::ZERO));
    assert!(matches!(refresher.accept(None).await.unwrap(), RefreshOutcome::New { count: 3, .. }));
}

#[tokio::test(start_paused = true)]
async fn the_whole_set_is_asked_for_once_a_day_also_over_new_starts() {
    let (state, crm) = (tempfile::tempdir().unwrap(), Crm::of("a", 10));
    let mut refresher = refresher(&crm, &state, snapshot(FINGERPRINT, DAY / 2));
    for (wait, asked) in [(DAY / 4, "a"), (DAY / 4, ""), (DAY - DAY / 8, "a"), (DAY / 8, "")] {
        tokio::time::advance(wait).await;
        assert_eq!(refresher.refresh().await.unwrap(), RefreshOutcome::Unchanged);
        assert_eq!(crm.asked(), [asked], "after {wait:?}");
    }
    let mut refresher = self::refresher(&crm, &state, snapshot(FINGERPRINT, DAY));
    assert_eq!(refresher.refresh().await.unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(refresher.refresh().await.unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(crm.asked(), ["", "a"]);
}
