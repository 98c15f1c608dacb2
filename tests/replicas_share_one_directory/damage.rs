//! A full server, and a damaged disk of the one that publishes. Neither fills a log, and neither keeps a list from the others for long.

use nameplate::share::manifest::Manifest;

use std::collections::BTreeSet;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_said_once_and_its_recovery_too() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    holder(&replicas).await;
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = "the replicas' server can't be used: its memory is full";
    for replica in &replicas {
        replica.nameplate.until_logged(full, 1).await;
    }
    // Many sessions, each of which gets an answer about the lease.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let answers = "the replicas' server answers";
    let counts = |replica: &Replica| {
        let log = replica.nameplate.log();
        [full, answers].map(|text| log.matches(text).count())
    };
    let said: Vec<_> = replicas.iter().map(counts).collect();
    assert!(said.iter().flatten().all(|count| *count <= 2), "{said:?}");
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    for (replica, [_, before]) in replicas.iter().zip(&said) {
        replica.nameplate.until_logged_within(TAKEOVER, answers, before + 1).await;
    }
    let after: Vec<_> = replicas.iter().map(counts).collect();
    assert!(after.iter().zip(&said).all(|(now, before)| now[0] == before[0]), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_a_disk_has_damaged_is_published_by_another() {
    let (redis, mut crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    let damaged = &replicas[holder(&replicas).await];
    crm.go_down().await;
    // The same file, which the service has open.
    let path = damaged.nameplate.folder().path("state/lists/crm.list");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    redis.run::<()>(&["DEL", &redis.keys("{np:oslo}:chunk:*")[0]]);
    let said = "the list can't be published: its checksum is wrong";
    damaged.nameplate.until_logged(said, 1).await;
    // It has never asked the CRM.
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    tokio::time::timeout(TAKEOVER, new.until_named(KARI)).await.expect("the list");
    assert_eq!(crm.count(), 1);
    assert_eq!(damaged.nameplate.log().matches(said).count(), 1, "{}", damaged.nameplate.log());
    assert!(!damaged.nameplate.log().contains("the replicas' server can't be used"));
    // What was sent of the damaged one is gone.
    assert_eq!(redis.keys("{np:oslo}:chunk:*").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_whole_parts_that_is_not_what_was_published_is_published_again() {
    let (redis, mut crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(1, &crm, &redis, "1h").await;
    replicas[0].nameplate.until_logged("the list is published for all replicas", 1).await;
    crm.go_down().await;
    let mut site = scripts::Site::of(&redis).await;
    let manifest = site.entry().await.manifest.expect("a manifest");
    let wrong = Manifest { sha256: "00".repeat(32), ..(*manifest).clone() };
    redis.put(("{np:oslo}:list:crm", "manifest"), &wrong.seal(&site.key, SITE, "crm").unwrap());
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    new.nameplate.until_logged("it is not what was published", 1).await;
    tokio::time::timeout(TAKEOVER, new.until_named(KARI)).await.expect("the list");
    assert_eq!((replicas[0].name().as_str(), crm.count()), (KARI, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_does_not_fill_the_server() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    let chunks = || redis.keys("{np:oslo}:chunk:*").into_iter().collect::<BTreeSet<_>>();
    let first = chunks();
    crm.set_records(married());
    replicas[0].refresh();
    // Whoever reads the version before may still do so.
    let second = chunks();
    assert_eq!((second.len(), first.is_subset(&second)), (2, true));
    let left = |chunk: &String| redis.run::<i64>(&["PTTL", chunk]);
    let begun = Instant::now();
    while left(&first.iter().next().unwrap().clone()) > 120_000 {
        assert!(begun.elapsed() < Duration::from_secs(5), "its life is as long as before");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(second.difference(&first).all(|chunk| left(chunk) > 1_000_000));
    // The one before that is gone.
    crm.set_records(fjord());
    replicas[0].refresh();
    let begun = Instant::now();
    while !chunks().is_disjoint(&first) {
        assert!(begun.elapsed() < Duration::from_secs(5), "three versions are stored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(chunks().len(), 2);
}
