//! The history with answers of a real directory.

use super::*;
use crate::call::{self, Caller};
use crate::directory::merge::{Rules, merge_one};
use crate::directory::suppressed::Span;
use crate::entry::Entry;
use crate::lookup::{Pbx, Resolver};
use crate::name::Style;
use crate::number::{self, Number};

const KARI: &str = "22334455";

fn answer_to(digits: &str) -> Answer {
    let resolver = Resolver::new(Style::default());
    let kari =
        Entry::example(Number::new(47, 22_334_455).unwrap(), (654, "Kari Nordmann"), (243, "Fjord AS"));
    resolver.swap(merge_one(&Rules::default(), [kari]));
    let pbx = Pbx::new(number::Settings::new("NO".parse().unwrap()));
    call::answer(&resolver, &pbx, Caller { number: digits, ..Caller::default() })
}

fn leg<'a>(channel: &'a str, number: &'a str) -> Leg<'a> {
    Leg { channel, number, called: "21000000", ..Leg::default() }
}

fn pbx() -> Arc<str> {
    "pbx1".into()
}

fn suppressed(texts: &[&str]) -> Suppressed {
    texts.iter().map(|text| Span::new(text, "NO".parse().unwrap()).unwrap()).collect()
}

/// Each call of the history, the newest first: its id, its outcome and its number.
fn told(calls: &Calls) -> Vec<(u64, Outcome, String)> {
    calls.all().0.iter().map(|call| (call.id, call.outcome, call.number.to_string())).collect()
}

#[test]
fn the_last_calls_are_kept_and_no_others() {
    let calls = Calls::new(2);
    for (channel, digits) in [("1.1", KARI), ("1.2", "22999999"), ("1.3", "100")] {
        calls.answered(&pbx(), &answer_to(digits), leg(channel, digits));
    }
    let expected = [(3, Outcome::Skipped, "100".to_owned()), (2, Outcome::NotFound, "22999999".to_owned())];
    assert_eq!(told(&calls), expected);
    calls.keep(1);
    assert_eq!(told(&calls), expected[..1]);
    let (all, newest) = calls.all();
    assert_eq!((newest, &*all[0].called, &*all[0].pbx), (3, "21000000", "pbx1"));
}

/// A forwarded call asks for its caller, and then for the person called.
#[test]
fn what_becomes_of_the_name_of_somebody_called_is_no_news_of_the_caller() {
    let calls = Calls::new(2);
    calls.answered(&pbx(), &answer_to(KARI), leg("1.1", KARI));
    calls.unanswered(&pbx(), Outcome::Late, Leg { wanted: Party::Called, ..leg("1.1", "100") });
    calls.became("pbx1", "1.1", Outcome::HungUp);
    assert_eq!(told(&calls), [(1, Outcome::Found, KARI.to_owned())]);
    // Another call of this channel is news again.
    calls.answered(&pbx(), &answer_to(KARI), leg("1.1", KARI));
    calls.became("pbx1", "1.1", Outcome::HungUp);
    assert_eq!(calls.all().0[0].outcome, Outcome::HungUp);
}

#[test]
fn a_history_of_none_keeps_none_and_tells_none() {
    let calls = Calls::new(0);
    let newest = calls.newest();
    calls.answered(&pbx(), &answer_to(KARI), leg("1.1", KARI));
    calls.unanswered(&pbx(), Outcome::Late, leg("1.2", KARI));
    calls.became("pbx1", "1.1", Outcome::Late);
    assert_eq!((told(&calls), newest.has_changed().unwrap()), (vec![], false));
    // The configuration may be reloaded.
    calls.keep(5);
    calls.answered(&pbx(), &answer_to(KARI), leg("1.3", KARI));
    assert_eq!((told(&calls).len(), newest.has_changed().unwrap()), (1, true));
}

#[test]
fn a_withheld_number_is_not_kept() {
    let calls = Calls::new(9);
    for withheld in ["", "anonymous"] {
        calls.answered(&pbx(), &answer_to(withheld), leg("1.1", withheld));
    }
    calls.unanswered(&pbx(), Outcome::Withheld, leg("1.2", KARI));
    let none = (Outcome::Withheld, String::new());
    let seen: Vec<_> = told(&calls).into_iter().map(|(_, outcome, number)| (outcome, number)).collect();
    assert_eq!(seen, [none.clone(), none.clone(), none]);
    assert!(calls.all().0.iter().all(|call| call.resolution.is_none()));
}

#[test]
fn a_number_that_must_not_be_named_leaves_the_history() {
    let calls = Calls::new(9);
    let answer = answer_to(KARI);
    calls.answered(&pbx(), &answer, leg("1.1", KARI));
    calls.answered(&pbx(), &answer_to("22999999"), leg("1.2", "22999999"));
    calls.forget(&suppressed(&["22 33 44 55"]));
    // An answer from before may be told later.
    calls.answered(&pbx(), &answer, leg("1.3", KARI));
    let hidden = |id| (id, Outcome::Suppressed, String::new());
    assert_eq!(told(&calls), [hidden(3), (2, Outcome::NotFound, "22999999".into()), hidden(1)]);
    // A page that is open is told, too.
    assert_eq!(calls.since(2).iter().map(|call| call.id).collect::<Vec<_>>(), [1, 3]);
    assert!(!format!("{calls:?}").contains("Kari"));

    // The digits of a call without an answer are not read.
    calls.unanswered(&pbx(), Outcome::Late, leg("1.4", "22999999"));
    assert_eq!(told(&calls)[0], (4, Outcome::Late, String::new()));
}

#[test]
fn a_reader_gets_what_has_come_and_what_has_changed() {
    let calls = Calls::new(9);
    let mut newest = calls.newest();
    calls.answered(&pbx(), &answer_to(KARI), leg("1.1", KARI));
    calls.answered(&pbx(), &answer_to(KARI), leg("1.2", KARI));
    assert_eq!(*newest.borrow_and_update(), 2);
    assert!(calls.since(2).is_empty());
    calls.became("pbx2", "1.1", Outcome::Late);
    calls.became("pbx1", "1.9", Outcome::Late);
    assert!(!newest.has_changed().unwrap(), "another PBX, or another channel");
    calls.became("pbx1", "1.1", Outcome::Late);
    calls.unanswered(&pbx(), Outcome::Unavailable, leg("1.3", KARI));
    let since: Vec<_> = calls
        .since(2)
        .iter()
        .map(|call| (call.id, call.change, call.outcome, call.number.to_string()))
        .collect();
    assert_eq!(
        since,
        [(1, 3, Outcome::Late, KARI.to_owned()), (3, 4, Outcome::Unavailable, KARI.to_owned())]
    );
    assert_eq!(*newest.borrow_and_update(), 4);
    assert_eq!(calls.since(0).len(), 3);
}
