//! The server is down, or a disk has failed: what a replica does then with what it knows.

use super::*;

fn down(now: Instant, entry: Entry) -> View {
    View { is_up: false, ..view(now, Some(entry)) }
}

#[test]
fn a_later_version_that_a_silent_server_does_not_give_keeps_nobody_from_asking_alone() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let later = || entry(version(3, 3), 20);
    let step = |slot: &Slot, time| slot.step(&wanted(), &down(now, later()), ID, time);
    assert!(matches!(step(&slot, now), Step::Take(_)));
    slot.failed(version(3, 3));
    // A command asks the CRM then.
    assert_eq!(step(&slot, now), Step::Wait);
    let alone = now + REFRESH * 3;
    assert_eq!(step(&slot, alone), Step::Ask);
    assert_eq!(slot.due(&wanted(), &down(now, later()), ID, now + MINUTE, alone), None);
    assert!(slot.due(&wanted(), &down(now, later()), ID, now + MINUTE, now).is_some());
    // The server answers again, and the holder's list counts.
    slot.comes_from(Origin::Crm(None));
    slot.uses(&wanted(), list(2), None, 30);
    assert!(matches!(slot.step(&wanted(), &view(now, Some(later())), ID, alone), Step::Take(_)));
}

#[test]
fn a_number_that_is_forgotten_while_the_server_is_silent_does_not_keep_a_replica_from_asking_alone() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    slot.uses(&wanted(), InUse { content: None, left_out: 9, ..same(1) }, None, 10);
    let step = |slot: &Slot, time| slot.step(&wanted(), &down(now, entry(version(3, 2), 20)), ID, time);
    assert!(matches!(step(&slot, now), Step::Take(_)));
    slot.failed(version(3, 2));
    // The list in use is not the one that the holder has confirmed.
    assert_eq!(step(&slot, now), Step::Wait);
    assert_eq!(step(&slot, now + REFRESH * 3), Step::Ask);
}

#[test]
fn a_list_that_can_not_be_read_is_not_tried_again() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let Some(Duty::Publish(publication)) = slot.duty(&wanted(), &held(now, None, 4), 4) else {
        panic!("the list anew")
    };
    slot.not_published(&publication);
    assert!(!publishes(&slot, &held(now, None, 4), 4));
    // Its chunks are still kept alive.
    let there = held(now, Some(entry(version(3, 2), 0)), 4);
    assert!(matches!(slot.duty(&wanted(), &there, 4), Some(Duty::Keep(..))));
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), list(2), None, 20);
    assert!(publishes(&slot, &there, 4));
}

#[test]
fn a_list_that_a_reload_adds_is_not_published_from_disk_before_the_server_s_is_known() {
    let now = Instant::now();
    let mut slot = Slot::default();
    slot.uses(&wanted(), same(1), None, 10);
    assert!(!publishes(&slot, &held(now, None, 4), 4));
    slot.reads();
    assert!(publishes(&slot, &held(now, None, 4), 4));
    assert!(!publishes(&slot, &held(now, Some(entry(version(3, 2), 0)), 4), 4));
}

#[test]
fn a_list_on_disk_that_is_older_than_its_version_is_replaced() {
    let now = Instant::now();
    // The list of that version did not fit on the disk.
    let known = Taken { version: version(3, 2), at: 5 };
    let mut slot = Slot::default();
    slot.uses(&wanted(), same(1), Some(known), 10);
    assert_eq!(slot.taken().0, None);
    let there = view(now, Some(entry(version(3, 2), 9)));
    assert!(matches!(slot.step(&wanted(), &there, ID, now), Step::Take(_)));
    assert!(!publishes(&slot, &held(now, Some(entry(version(3, 2), 9)), 4), 4));
}
