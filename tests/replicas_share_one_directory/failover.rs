//! Another server takes the place of the one that is gone, as a sentinel sees to it.

use super::*;
use crate::lab::redis::Watched;

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_costs_no_name_and_lists_go_on() {
    let mut watched = tokio::task::block_in_place(|| Watched::start(SITE));
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let folder = configured(&crm, &watched.master, "2s");
        let config = std::fs::read_to_string(folder.path("nameplate.toml")).unwrap();
        let at = format!("url = \"{}\"", watched.master.url());
        let sentinels = format!("sentinels = [\"{}\"]\nmaster = \"names\"", watched.sentinel);
        folder.write("nameplate.toml", config.replace(&at, &sentinels));
        replicas.push(Replica::start(folder).await);
    }
    for replica in &replicas {
        replica.until_named(KARI).await;
        replica.nameplate.until_logged("the replicas' server answers", 1).await;
    }
    holder(&replicas).await;
    watched.master.kill();
    for replica in &replicas {
        replica.nameplate.until_logged("the replicas' server can't be used", 1).await;
        assert_eq!(replica.name(), KARI);
        replica.nameplate.until_logged("the replicas' server answers", 2).await;
    }
    assert!(watched.copy.run::<String>(&["INFO", "replication"]).contains("role:master"));
    crm.set_records(married());
    for replica in &replicas {
        replica.until_named(MARRIED).await;
    }
    let holder = holder(&replicas).await;
    replicas[holder].nameplate.until_logged("the list is published for all replicas", 1).await;
}
