//! A full server, and a damaged disk of the one that publishes. Neither fills a log, and neither keeps a list from the others for long.

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
