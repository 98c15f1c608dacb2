//! Eight replicas with three Redis servers and three sentinels. Two replicas have a real Asterisk, with calls all the time. The short form of
//! `make chaos`.

use std::collections::BTreeSet;

use super::*;
use crate::lab::redis::Engine;
use crate::lab::site::{REFRESH, Site};

/// What nothing may change.
async fn all_is_well(site: &mut Site) {
    let (calls, seen) = site.end().await;
    assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
    assert_eq!((calls.lost, calls.unnamed, calls.wrong), (0, 0, 0), "{calls:?}");
    assert!(calls.placed == 0 || calls.named > 50, "{calls:?}");
    assert!(seen.named > 100 && seen.published.len() > 2 && seen.taken.len() > 2, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_replicas_keep_their_names_in_trouble() {
    let _turn = Turn::beside().await;
    let mut site = Site::start(Engine::Redis, 8, 2).await;

    // One asks, and all have it.
    site.holder().await;
    let begun = Instant::now();
    for _ in 0..2 {
        let took = site.spread().await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    let asked = site.asked_since(begun);
    let most = 1.0 + begun.elapsed().as_secs_f64() / (REFRESH / 2).as_secs_f64();
    assert!(asked >= 2 && asked as f64 <= most, "{asked} questions in {:?}", begun.elapsed());

    // The master is killed.
    let master = site.watched.master();
    site.watched.servers[master].kill();
    tokio::task::block_in_place(|| site.watched.until_another(master));
    site.spread().await;

    // The holder hangs, longer than its lease lives, and wakes.
    let stopped = site.holder().await;
    site.stop(stopped);
    let generation = site.change();
    site.all_know(generation).await;
    let next = site.holder().await;
    assert_ne!(next, stopped);
    let published = site.published_by(stopped);
    assert!(published > 0);
    site.go_on(stopped);
    site.all_know(generation).await;
    site.members[stopped].until_reader().await;
    site.spread().await;
    assert_eq!((site.holder().await, site.published_by(stopped)), (next, published));
    all_is_well(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_cut_off_goes_on_for_a_while_and_no_list_goes_back() {
    let mut site = Site::start(Engine::Redis, 3, 0).await;
    let master = site.watched.master();
    tokio::task::block_in_place(|| site.watched.part(master, true));
    tokio::task::block_in_place(|| site.watched.until_another(master));
    // Replicas that are connected with the old one go on there, with all that they do. What they publish there will be lost.
    let chunks = |site: &Site| -> BTreeSet<String> {
        site.watched.servers[master].keys("{np:oslo}:chunk:*").into_iter().collect()
    };
    let before = chunks(&site);
    site.spread().await;
    assert_eq!(chunks(&site).difference(&before).count(), 1, "a list and its parts are in one server");
    tokio::task::block_in_place(|| site.watched.part(master, false));
    tokio::task::block_in_place(|| site.watched.until_copied(master));
    for _ in 0..2 {
        site.spread().await;
    }
    all_is_well(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_without_copies_takes_nothing_and_is_left_for_another() {
    let mut site = Site::start(Engine::Redis, 3, 0).await;
    site.holder().await;
    let master = site.watched.master();
    tokio::task::block_in_place(|| {
        site.watched.want_copies();
        site.watched.part(master, true);
    });
    for member in &site.members {
        let said = "the replicas' server can't be used: it takes no writes, for it has too few copies";
        member.nameplate().until_logged(said, 1).await;
        member.until_shared().await;
    }
    for _ in 0..2 {
        site.spread().await;
    }
    tokio::task::block_in_place(|| site.watched.part(master, false));
    tokio::task::block_in_place(|| site.watched.until_copied(master));
    site.spread().await;
    all_is_well(&mut site).await;
}
