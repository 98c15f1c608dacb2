//! What the holder says beside its lists: what it holds back; and numbers that were forgotten since.

use super::*;
use crate::share::held::HeldBack;

fn bad(id: u64) -> HeldList {
    HeldList { count: 5, id, ..HeldList::default() }
}

/// An entry with a list that another replica holds back.
fn with_held(held: HeldList) -> Entry {
    Entry { held: Some(HeldBack { by: "pbx-2".into(), held }), ..entry(version(3, 2), 0) }
}

#[test]
fn the_holder_says_what_it_holds_back_and_that_it_holds_nothing_any_more() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let says =
        |slot: &Slot, entry: Entry, epoch| slot.held_to_say(&wanted(), &held(now, Some(entry), epoch), epoch);
    let nothing = || entry(version(3, 2), 0);
    // Another holder's decision stays until the CRM has had a word in this epoch.
    slot.holds(None, true);
    assert_eq!(says(&slot, with_held(bad(1)), 4), None);
    slot.comes_from(Origin::Crm(Some(4)));
    slot.holds(Some(bad(2)), true);
    assert_eq!(says(&slot, with_held(bad(1)), 4), Some(Some(bad(2))));
    assert_eq!(says(&slot, nothing(), 4), Some(Some(bad(2))));
    assert_eq!(says(&slot, with_held(bad(2)), 4), None);
    // It has come again.
    slot.comes_from(Origin::Crm(Some(4)));
    slot.holds(Some(HeldList { times: 2, ..bad(2) }), true);
    assert!(says(&slot, with_held(bad(2)), 4).is_some());
    // The good list is back.
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), same(1), None, 20);
    slot.holds(None, true);
    assert_eq!((says(&slot, with_held(bad(2)), 4), says(&slot, nothing(), 4)), (Some(None), None));
    // In the next epoch it has not asked yet, and a question in vain is no answer.
    slot.comes_from(Origin::Crm(Some(5)));
    slot.holds(None, false);
    assert_eq!(says(&slot, with_held(bad(1)), 5), None);
    // Where nothing of the list is in the server, nothing is said.
    slot.comes_from(Origin::Crm(Some(5)));
    slot.holds(Some(bad(3)), true);
    assert_eq!(slot.held_to_say(&wanted(), &held(now, None, 5), 5), None);
    let other = Wanted { fingerprint: 8, ..wanted() };
    assert_eq!(slot.held_to_say(&other, &held(now, Some(nothing()), 5), 5), None);
}

#[test]
fn what_a_person_has_taken_is_published() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = held(now, Some(entry(version(3, 2), 0)), 4);
    // All that the CRM has said in this epoch is held back.
    slot.comes_from(Origin::Crm(Some(4)));
    slot.holds(Some(bad(2)), true);
    assert!(!publishes(&slot, &view, 4));
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), list(2), None, 30);
    slot.holds(None, true);
    assert!(publishes(&slot, &view, 4));
}

#[test]
fn records_of_numbers_that_were_forgotten_since_do_not_stay_in_the_server() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = held(now, Some(entry(version(3, 2), 0)), 4);
    assert!(!publishes(&slot, &view, 4));
    // The list in use no longer answers the request, until it is taken anew without the number.
    slot.uses(&wanted(), InUse { content: None, left_out: 9, ..same(1) }, None, 10);
    assert!(!publishes(&slot, &view, 4));
    assert!(matches!(slot.step(&wanted(), &view, ID, now), Step::Take(_)));
    slot.comes_from(Origin::Server(version(3, 2)));
    slot.uses(&wanted(), InUse { left_out: 9, ..list(2) }, None, 10);
    let Some(Duty::Publish(publication)) = slot.duty(&wanted(), &view, 4) else {
        panic!("without the number")
    };
    assert_eq!(publication.left_out, 9);
    slot.published(version(4, 1), &publication);
    let manifest = Manifest { version: version(4, 1), fingerprint: 7, left_out: 9, ..Manifest::default() };
    let published =
        Entry { version: version(4, 1), manifest: Ok(Arc::new(manifest)), ..entry(version(4, 1), 0) };
    assert!(!publishes(&slot, &held(now, Some(published), 4), 4));
}

#[test]
fn what_the_holder_can_not_read_it_gets_from_the_crm() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let later = || Some(entry(version(3, 3), 0));
    slot.failed(version(3, 3));
    assert!(matches!(slot.step(&wanted(), &view(now, later()), ID, now), Step::Take(_)));
    assert_eq!(slot.step(&wanted(), &held(now, later(), 4), ID, now), Step::Ask);
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), same(1), None, 10);
    assert!(publishes(&slot, &held(now, later(), 4), 4));
}
