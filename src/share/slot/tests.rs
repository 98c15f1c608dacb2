//! Where lists come from, and what the holder publishes; without a server and without waiting.

use std::collections::BTreeMap;

use super::*;
use crate::directory::list::List;
use crate::directory::list::file::Header;
use crate::share::manifest::Unusable;

mod told;
mod trouble;

const MINUTE: Duration = Duration::from_mins(1);
const REFRESH: Duration = Duration::from_mins(5);
const ID: ReplicaId = ReplicaId(1 << 63);

fn wanted() -> Wanted {
    Wanted { list: "crm".into(), fingerprint: 7, refresh: REFRESH }
}

fn version(epoch: u64, sequence: u64) -> Version {
    Version { epoch, holder: ReplicaId(5), sequence }
}

fn entry(version: Version, checked: u64) -> Entry {
    let manifest = Manifest { version, fingerprint: 7, by: "pbx-2".into(), ..Manifest::default() };
    Entry { version, checked, manifest: Ok(Arc::new(manifest)), held: None }
}

fn view(now: Instant, entry: Option<Entry>) -> View {
    let entries: BTreeMap<_, _> = entry.into_iter().map(|entry| ("crm".to_owned(), entry)).collect();
    View { is_up: true, entries: Arc::new(entries), ..View::new(now) }
}

/// The same for the holder of an epoch.
fn held(now: Instant, entry: Option<Entry>, epoch: u64) -> View {
    View { publishes: Some((epoch, now + MINUTE)), ..view(now, entry) }
}

fn list(taken: u64) -> InUse {
    let header = Header { taken, ..Header::default() };
    let content = Some(Content::InMemory(header, Arc::new(List::default())));
    InUse { content, has_list: true, is_new: true, ..InUse::default() }
}

fn same(taken: u64) -> InUse {
    InUse { is_new: false, ..list(taken) }
}

/// A replica that has taken this version.
fn reader(version: Version) -> Slot {
    let mut slot = Slot::default();
    slot.reads();
    slot.comes_from(Origin::Server(version));
    assert_eq!(slot.uses(&wanted(), list(1), None, 10), Some(Taken { version, at: 1 }));
    slot
}

fn publishes(slot: &Slot, view: &View, epoch: u64) -> bool {
    matches!(slot.duty(&wanted(), view, epoch), Some(Duty::Publish(_)))
}

#[test]
fn a_reader_takes_what_is_later_and_never_goes_back() {
    let now = Instant::now();
    let slot = reader(version(3, 2));
    let step = |entry| slot.step(&wanted(), &view(now, Some(entry)), ID, now);
    assert!(matches!(step(entry(version(3, 3), 0)), Step::Take(_)));
    assert!(matches!(step(entry(version(4, 1), 0)), Step::Take(_)));
    assert_eq!(step(entry(version(3, 1), 99)), Step::Wait);
    assert_eq!(step(entry(version(2, 9), 99)), Step::Wait);
    // The same epoch twice, after a failover: the holder's id decides.
    let other = Version { holder: ReplicaId(6), ..version(3, 1) };
    assert!(matches!(step(entry(other, 0)), Step::Take(_)));
    assert_eq!(step(entry(version(3, 2), 0)), Step::Wait);
    assert_eq!(step(entry(version(3, 2), 20)), Step::Confirmed(20));
}

#[test]
fn a_confirmation_counts_once_and_wakes_at_once() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = view(now, Some(entry(version(3, 2), 20)));
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), None);
    slot.confirm(20);
    assert_eq!(slot.step(&wanted(), &view, ID, now), Step::Wait);
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), Some(now + MINUTE));
    // Its own time is no reason to ask the CRM.
    assert!(slot.due(&wanted(), &view, ID, now, now).is_some());
}

#[test]
fn a_version_that_could_not_be_taken_is_tried_again_at_its_time() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = view(now, Some(entry(version(3, 3), 20)));
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), None);
    slot.failed(version(3, 3));
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), Some(now + MINUTE));
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now + MINUTE), None);
}

#[test]
fn without_the_server_each_asks_after_twice_the_refresh_each_at_another_moment() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let down = View { is_up: false, ..view(now, Some(entry(version(3, 2), 0))) };
    let from = |id: u64| {
        let id = ReplicaId(id);
        let mut time = now;
        while let Some(next) = slot.due(&wanted(), &down, id, now, time) {
            time = next;
        }
        time - now
    };
    assert_eq!(from(0), REFRESH * 2);
    assert!(from(1 << 63) > REFRESH * 2 + REFRESH / 3 && from(1 << 63) < REFRESH * 3);
    // It is the same list for the server until there is a newer one.
    slot.comes_from(Origin::Crm(None));
    assert_eq!(slot.uses(&wanted(), list(2), None, 20), None);
    let back = view(now, Some(entry(version(3, 2), 30)));
    assert_eq!(slot.step(&wanted(), &back, ID, now), Step::Confirmed(30));
    assert!(matches!(
        slot.step(&wanted(), &view(now, Some(entry(version(3, 3), 0))), ID, now),
        Step::Take(_)
    ));
    // A replica without any list does not wait so long.
    let empty = Slot::default();
    let soon = empty.due(&wanted(), &down_without(now), ID, now, now).unwrap();
    assert!(soon < now + MINUTE);
    assert_eq!(empty.due(&wanted(), &down_without(now), ID, now, soon), None);
}

fn down_without(now: Instant) -> View {
    View { is_up: false, ..view(now, None) }
}

#[test]
fn the_holder_asks_at_its_time_or_where_another_replica_wants_it() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = held(now, Some(entry(version(3, 2), 99)), 4);
    assert_eq!(slot.step(&wanted(), &view, ID, now), Step::Ask);
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), Some(now + MINUTE));
    assert_eq!(slot.due(&wanted(), &view, ID, now, now), None);
    slot.want();
    assert_eq!(slot.due(&wanted(), &view, ID, now + MINUTE, now), None);
    slot.comes_from(Origin::Crm(Some(4)));
    assert!(slot.due(&wanted(), &view, ID, now + MINUTE, now).is_some());
    // Its time as the holder is over.
    assert_eq!(slot.step(&wanted(), &view, ID, now + MINUTE), Step::Confirmed(99));
}

#[test]
fn the_holder_publishes_what_the_crm_has_said_in_its_epoch() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let view = held(now, Some(entry(version(3, 2), 99)), 4);
    assert!(!publishes(&slot, &view, 4));
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), same(1), None, 20);
    // The same list as in the epoch before. A replica may have taken a later one of that epoch, which a failover has lost.
    let Some(Duty::Publish(publication)) = slot.duty(&wanted(), &view, 4) else { panic!("the list anew") };
    slot.published(version(4, 1), &publication);
    let view = held(now, Some(entry(version(4, 1), 20)), 4);
    assert!(!publishes(&slot, &view, 4));
    // The same list in this epoch: the others only have to know that it was confirmed.
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), same(1), None, 25);
    let Some(Duty::Keep(_, Some(25))) = slot.duty(&wanted(), &view, 4) else { panic!("a confirmation") };
    slot.kept(Some(25), Kept::Whole);
    let Some(Duty::Keep(_, None)) = slot.duty(&wanted(), &view, 4) else { panic!("life for its chunks") };
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), list(2), None, 30);
    let Some(Duty::Publish(publication)) = slot.duty(&wanted(), &view, 4) else { panic!("a new list") };
    // Another one meanwhile.
    slot.comes_from(Origin::Crm(Some(4)));
    slot.uses(&wanted(), list(2), None, 40);
    slot.published(version(4, 2), &publication);
    let after = held(now, Some(entry(version(4, 2), 30)), 4);
    let Some(Duty::Publish(publication)) = slot.duty(&wanted(), &after, 4) else { panic!("the newest list") };
    assert_eq!(slot.published(version(4, 3), &publication), Taken { version: version(4, 3), at: 2 });
    assert!(!publishes(&slot, &held(now, Some(entry(version(4, 3), 30)), 4), 4));
    // In the next epoch the CRM has not said anything yet.
    slot.is_own = true;
    assert!(!publishes(&slot, &held(now, Some(entry(version(4, 3), 30)), 5), 5));
}

#[test]
fn what_the_server_has_lost_is_published_again_without_asking() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    assert!(publishes(&slot, &held(now, None, 4), 4));
    assert!(publishes(&slot, &held(now, Some(entry(version(3, 1), 0)), 4), 4));
    assert!(!publishes(&slot, &held(now, Some(entry(version(3, 3), 0)), 4), 4));
    let view = held(now, Some(entry(version(3, 2), 0)), 4);
    slot.kept(None, Kept::Other);
    assert!(!publishes(&slot, &view, 4));
    slot.kept(None, Kept::Missing);
    assert!(publishes(&slot, &view, 4));
    // The list in use answers another request by now.
    let other = Wanted { fingerprint: 8, ..wanted() };
    assert!(slot.duty(&other, &held(now, None, 4), 4).is_none());
}

#[test]
fn a_version_that_the_server_has_lost_asks_for_a_later_epoch() {
    let slot = reader(version(6, 2));
    assert_eq!(slot.epoch_for(version(7, 1), false), 7);
    assert_eq!(slot.epoch_for(version(6, 2), false), 6);
    // Whoever publishes there in the same epoch may have a lower id.
    let lower = Version { holder: ReplicaId(4), ..version(6, 9) };
    assert_eq!(slot.epoch_for(lower, false), 7);
    assert_eq!(slot.epoch_for(version(6, 1), true), 6);
}

#[test]
fn another_list_under_the_same_name_is_left_alone_and_said_once() {
    let now = Instant::now();
    let mut slot = reader(version(3, 2));
    let other = Wanted { fingerprint: 8, ..wanted() };
    let view = view(now, Some(entry(version(3, 9), 20)));
    assert_eq!(slot.step(&other, &view, ID, now), Step::Ask);
    assert!(
        slot.remark(&other, &view).unwrap().starts_with("pbx-2 has published another list under this name")
    );
    assert_eq!((slot.remark(&other, &view), slot.remark(&wanted(), &view)), (None, None));
    let sealed = Entry { manifest: Err(Unusable::Sealed), ..entry(version(3, 9), 20) };
    let mut sealed_view = view.clone();
    sealed_view.entries = Arc::new(BTreeMap::from([("crm".to_owned(), sealed)]));
    assert_eq!(slot.step(&wanted(), &sealed_view, ID, now), Step::Ask);
    assert!(slot.remark(&wanted(), &sealed_view).unwrap().contains("another `key` has sealed it"));
}

#[test]
fn after_a_restart_the_version_on_disk_counts() {
    let now = Instant::now();
    let known = Taken { version: version(3, 2), at: 1 };
    let mut slot = Slot::default();
    slot.uses(&wanted(), same(1), Some(known), 10);
    assert_eq!(slot.taken(), (Some(version(3, 2)), false));
    assert_eq!(slot.step(&wanted(), &view(now, Some(entry(version(3, 1), 9))), ID, now), Step::Wait);
    // The list on disk is another one: a command has asked the CRM meanwhile.
    let mut slot = Slot::default();
    slot.uses(&wanted(), same(2), Some(known), 10);
    assert_eq!(slot.taken(), (Some(version(3, 2)), true));
    // No list on disk, in use any more.
    let mut slot = Slot::default();
    slot.uses(&wanted(), InUse::default(), Some(known), 10);
    assert!(matches!(
        slot.step(&wanted(), &view(now, Some(entry(version(3, 2), 9))), ID, now),
        Step::Take(_)
    ));
}
