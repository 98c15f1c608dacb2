//! What the guard holds back, and what it lets through.

mod disk;
mod suppressed;

use std::collections::BTreeMap;

use super::super::outcome::RefreshOutcome::{Held, New, Unchanged};
use super::*;
use crate::directory::list::Collector;
use crate::entry::Entry;
use crate::number::Number;

/// Of the question that is asked.
const QUESTION: u64 = 0x0701;
const DAY: u64 = 24 * 3600;
const BEGIN: u64 = 1_790_000_000;

/// Whose a number is: person id, person, company id, company.
type Who = (u32, String, u32, String);

/// What a CRM has: number → person and company.
type People = BTreeMap<u64, Who>;

/// A person of one of a hundred companies.
fn who(id: u32) -> Who {
    (id, format!("Person {id}"), id % 100 + 1, format!("Company {}", id % 100 + 1))
}

/// So many people, beginning with this one.
fn people(first: u32, count: u32) -> People {
    (first..first + count).map(|id| (u64::from(id), who(id))).collect()
}

fn delivery(people: &People, hash: &str) -> Delivery {
    of_records(people.iter().map(|(number, who)| (*number, who)), hash)
}

fn of_records<'a>(records: impl Iterator<Item = (u64, &'a Who)>, hash: &str) -> Delivery {
    let mut entries = Collector::default();
    for (number, (person_id, person, company_id, company)) in records {
        entries.push(&Entry::example(
            Number::new(47, 20_000_000 + number).unwrap(),
            (*person_id, person),
            (*company_id, company),
        ));
    }
    Delivery { entries, hash: hash.to_owned(), ..Delivery::default() }
}

/// A list below a folder of its own, and a hash that no answer has twice.
struct Lab {
    folder: tempfile::TempDir,
    state: ListState,
    now: u64,
    answers: u64,
}

impl Lab {
    fn with(people: &People) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = Self::load(folder.path());
        let mut lab = Self { folder, state, now: BEGIN, answers: 0 };
        assert!(lab.comes(people));
        lab
    }

    fn load(folder: &std::path::Path) -> ListState {
        let store = Store::new(folder);
        let kept = store.load("crm", 0);
        ListState::new("crm".into(), store, QUESTION, kept)
    }

    /// As after a kill.
    fn restart(&mut self) {
        self.state = Self::load(self.folder.path());
    }

    fn judge(&mut self, delivery: Delivery) -> RefreshOutcome {
        self.state.judge(delivery, false, self.now)
    }

    /// Whether the list is in use then; else it is held back.
    fn comes(&mut self, people: &People) -> bool {
        self.answers += 1;
        self.now += 300;
        let outcome = self.judge(delivery(people, &format!("hash {}", self.answers)));
        !matches!(outcome, Held { .. })
    }

    fn in_use(&self) -> usize {
        self.state.snapshot().len()
    }
}

/// The numbers that a condition holds for go.
fn without(people: &People, gone: impl Fn(u32) -> bool) -> People {
    people.iter().filter(|(_, who)| !gone(who.0)).map(|(number, who)| (*number, who.clone())).collect()
}

#[test]
fn a_year_of_a_company_is_never_held_back() {
    let mut crm = people(1, 2_000);
    let mut lab = Lab::with(&crm);
    for day in (5..=365_u32).step_by(5) {
        // Ten leave and ten come, who have other numbers: a third of all within the year.
        crm = without(&crm, |id| id % 200 == day / 5);
        crm.extend(people(10_000 + day * 2, 10));
        let change: Option<fn(&mut Who)> = match day % 30 {
            // Some marry.
            5 => Some(|who| {
                if who.0 % 400 == 7 {
                    who.1.push_str(" Berg");
                }
            }),
            _ => None,
        };
        let change = change.or(match day {
            // A customer is renamed; ten are merged; all are written with their legal forms.
            40 => Some(|who: &mut Who| {
                if who.2 == 7 {
                    who.3 = "Another Ltd".into();
                }
            }),
            90 => Some(|who| {
                if who.2 <= 10 {
                    (who.2, who.3) = (901, "Merged Ltd".into());
                }
            }),
            180 => Some(|who| who.3.push_str(" AS")),
            // All names are written the other way round.
            220 => Some(|who| who.1 = format!("{}, Mrs", who.1)),
            _ => None,
        });
        if let Some(change) = change {
            crm.values_mut().for_each(change);
        }
        match day {
            // The selection is edited: a third goes, some others come. A department is closed in the autumn.
            60 => {
                crm = without(&crm, |id| id % 3 == 0);
                crm.extend(people(20_000, 400));
            }
            300 => crm = without(&crm, |id| id % 4 == 1),
            // A tenth of all get new numbers.
            130 => {
                let moved: Vec<_> = crm.keys().copied().filter(|number| number % 10 == 3).collect();
                for number in moved {
                    let who = crm.remove(&number).unwrap();
                    crm.insert(number + 1_000_000, who);
                }
            }
            _ => {}
        }
        lab.now = BEGIN + u64::from(day) * DAY;
        if day % 30 == 0 {
            lab.restart();
        }
        assert!(lab.comes(&crm), "day {day}: {:?}", lab.state.held());
        assert_eq!(lab.in_use(), crm.len(), "day {day}");
    }
}

#[test]
fn what_takes_most_names_away_is_held_back() {
    let known = people(1, 5_000);
    let change = |change: &dyn Fn(&mut Who)| {
        let mut changed = known.clone();
        changed.values_mut().for_each(change);
        changed
    };
    let attacks = [
        ("fewer than half", people(1, 2_499)),
        ("others", people(10_000, 5_000)),
        ("others, and some of ours", people(3_000, 5_000)),
        (
            "other people with our numbers",
            known.keys().map(|number| (*number, who(7_000 + u32::try_from(*number).unwrap()))).collect(),
        ),
        ("stars", change(&|who| (who.1, who.3) = ("***".into(), "***".into()))),
        ("one name for all", change(&|who| who.1 = "Unknown".into())),
        (
            "one name for most",
            change(&|who| {
                if who.0 % 5 < 3 {
                    who.1 = "Unknown".into();
                }
            }),
        ),
        ("names of others", change(&|who| who.1 = format!("Person {}", who.0 % 5_000 + 1))),
        ("persons without names", change(&|who| who.1.clear())),
        (
            "stars for most",
            change(&|who| {
                if who.0 % 5 < 3 {
                    who.1 = "K*** N***".into();
                }
            }),
        ),
    ];
    for (attack, list) in attacks {
        let mut lab = Lab::with(&known);
        assert!(!lab.comes(&list), "{attack}");
        assert_eq!(lab.in_use(), 5_000, "{attack}");
        assert!(lab.comes(&known), "{attack}");
        assert_eq!(lab.state.held(), None, "{attack}");
    }
    let mut lab = Lab::with(&known);
    let same = who(1);
    let outcome = lab.judge(of_records((0..5_000).map(|_| (1, &same)), "x"));
    assert!(matches!(outcome, Held { count: 5_000, known: 5_000, more: Some(2), .. }), "{outcome:?}");
}

#[test]
fn a_list_that_names_nobody_is_never_taken_by_itself() {
    let mut nameless = people(1, 10);
    nameless.values_mut().for_each(|who| (who.1, who.3) = ("***".into(), "-".into()));
    for list in [People::new(), nameless] {
        let mut lab = Lab::with(&people(1, 10));
        for _ in 0..10 {
            assert!(!lab.comes(&list));
        }
        assert!(matches!(lab.state.take_held(lab.now).unwrap(), New { count, .. } if count == list.len()));
        // What was taken by order is the list that further ones are compared with.
        assert!(lab.comes(&list) && lab.comes(&people(1, 1)));
    }
}

#[test]
fn many_small_losses_are_one_large_one() {
    // Halved again and again, with and without new starts.
    for restarts in [false, true] {
        let mut lab = Lab::with(&people(1, 128));
        for count in [64, 32, 16, 8, 4, 2, 1] {
            assert_eq!(lab.comes(&people(1, count)), count == 64, "{count}");
            if restarts {
                lab.restart();
            }
        }
        assert_eq!(lab.in_use(), 64);
    }
    // A tenth less each time, or a tenth somebody else's.
    let (mut fewer, mut others) = (Lab::with(&people(1, 1_000)), Lab::with(&people(1, 1_000)));
    for tenth in 1..=9 {
        assert_eq!(fewer.comes(&people(1, 1_000 - tenth * 100)), tenth <= 5, "{tenth}");
        assert_eq!(others.comes(&people(1 + tenth * 100, 1_000)), tenth <= 5, "{tenth}");
    }
    // What has come meanwhile counts as well.
    let mut lab = Lab::with(&people(1, 100));
    assert!(lab.comes(&people(1, 5_000)));
    assert!(lab.comes(&people(1, 2_500)) && !lab.comes(&people(1, 2_499)));
    // And what has come back is not lost.
    assert!(lab.comes(&people(1, 5_000)) && lab.comes(&people(2_501, 2_500)) && lab.comes(&people(1, 5_000)));
    assert!(lab.comes(&people(1, 2_500)));
}

#[test]
fn what_was_lost_a_quarter_ago_is_not_missed() {
    let mut lab = Lab::with(&people(1, 100));
    assert!(lab.comes(&people(1, 60)));
    lab.now += guard::MEMORY - DAY;
    assert!(!lab.comes(&people(1, 40)));
    lab.now += DAY;
    assert!(lab.comes(&people(1, 40)));
    // A clock that was years ahead.
    assert!(!lab.comes(&people(1, 10)));
    lab.now = BEGIN - 1_000 * DAY;
    assert!(lab.comes(&people(1, 25)));
}

#[test]
fn it_is_taken_when_it_has_come_three_times_whatever_its_hash_and_over_a_new_start() {
    for restarts in [false, true] {
        let mut lab = Lab::with(&people(1, 100));
        for (answer, more) in [(1, 2), (2, 1)] {
            // A record of its own in each of them.
            let list = people(1, 10).into_iter().chain(people(1_000 + answer, 1)).collect();
            lab.answers += 1;
            let outcome = lab.judge(delivery(&list, &format!("{answer}")));
            assert!(matches!(outcome, Held { count: 11, more: Some(is), .. } if is == more), "{outcome:?}");
            if restarts {
                lab.restart();
            }
            assert_eq!(lab.state.held().map(|held| held.times), Some(answer));
        }
        assert!(lab.comes(&people(1, 10)));
        assert_eq!((lab.in_use(), lab.state.held()), (10, None));
        // It is the one that others are compared with now.
        assert!(lab.comes(&people(1, 5)));
    }
    // Another one in between, held back or not: the row is over.
    for between in [people(1, 40), people(1, 100)] {
        let mut lab = Lab::with(&people(1, 100));
        assert!(!lab.comes(&people(1, 10)) && !lab.comes(&people(1, 10)));
        lab.comes(&between);
        assert!(!lab.comes(&people(1, 10)) && !lab.comes(&people(1, 10)) && lab.comes(&people(1, 10)));
    }
}

#[test]
fn by_a_command_nobody_counts() {
    let mut lab = Lab::with(&people(1, 100));
    assert!(!lab.comes(&people(1, 10)) && !lab.comes(&people(1, 10)));
    for _ in 0..5 {
        lab.state = Lab::load(lab.folder.path()).without_counting();
        assert!(!lab.comes(&people(1, 10)));
        assert_eq!(lab.state.held().map(|held| held.times), Some(2));
    }
    lab.restart();
    assert!(lab.comes(&people(1, 10)));
}

#[test]
fn what_is_taken_by_order_is_what_was_held_back() {
    for restarts in [false, true] {
        let mut lab = Lab::with(&people(1, 100));
        assert!(!lab.comes(&people(1, 20)));
        let shown = lab.state.held().cloned().unwrap();
        assert_eq!((shown.count, shown.changes.gone, shown.losses.gone), (20, 80, 80));
        // Much the same comes, which leaves what was shown.
        assert!(!lab.comes(&people(1, 19)));
        assert_eq!(lab.state.held().map(|held| (held.id, held.count)), Some((shown.id, 20)));
        if restarts {
            lab.restart();
        }
        let New { count, changes } = lab.state.take_held(lab.now).unwrap() else { unreachable!() };
        assert_eq!((count, changes.gone, lab.in_use()), (20, 80, 20));
        let files: Vec<_> = std::fs::read_dir(lab.folder.path().join("lists")).unwrap().flatten().collect();
        let names: Vec<_> = files.iter().map(|file| file.file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| name.starts_with("crm.list")), "{names:?}");
    }
    // Another one has another name.
    let mut lab = Lab::with(&people(1, 100));
    assert!(!lab.comes(&people(1, 20)));
    let shown = lab.state.held().cloned().unwrap();
    assert!(!lab.comes(&People::new()));
    assert_ne!(lab.state.held().unwrap().id, shown.id);
    assert!(matches!(lab.state.still_held(), Held { count: 0, another: true, .. }));
}

#[test]
fn what_is_held_back_is_judged_by_its_own_file() {
    let mut lab = Lab::with(&people(1, 100));
    assert!(!lab.comes(&people(1, 20)));
    let held = lab.folder.path().join("lists/crm.held");
    std::fs::write(&held, "damaged").unwrap();
    assert!(lab.state.take_held(lab.now).is_err());
    assert_eq!((lab.in_use(), lab.state.held()), (100, None));
    // A kill has come between its two files: the count begins anew.
    assert!(!lab.comes(&people(1, 20)) && !lab.comes(&people(1, 20)));
    std::fs::remove_file(&held).unwrap();
    lab.restart();
    assert!(!lab.comes(&people(1, 20)) && !lab.comes(&people(1, 20)) && lab.comes(&people(1, 20)));
}

#[test]
fn without_a_disk_it_is_held_in_memory() {
    let mut lab = Lab::with(&people(1, 100));
    for kind in ["held.new", "missing.new"] {
        std::fs::create_dir(lab.folder.path().join("lists").join(format!("crm.{kind}"))).unwrap();
    }
    assert!(lab.comes(&people(1, 60)) && !lab.comes(&people(1, 40)) && !lab.comes(&people(1, 39)));
    assert!(matches!(lab.state.take_held(lab.now).unwrap(), New { count: 40, .. }));
}

#[test]
fn the_same_hash_with_other_data_is_taken() {
    let mut lab = Lab::with(&people(1, 10));
    let mut list = people(1, 10);
    assert!(matches!(lab.judge(delivery(&list, "a")), New { .. }));
    list.get_mut(&3).unwrap().1 = "Kari Berg".into();
    let outcome = lab.judge(delivery(&list, "a"));
    assert!(
        matches!(outcome, New { count: 10, changes: Changes { new: 0, gone: 0, renamed: 1 } }),
        "{outcome:?}"
    );
    assert_eq!(lab.judge(delivery(&list, "a")), Unchanged);
    // A source without hashes has lists, too.
    lab.judge(delivery(&list, ""));
    assert_eq!(lab.judge(delivery(&list, "")), Unchanged);
}
