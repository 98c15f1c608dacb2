//! A list that the holder holds back is held back everywhere, and a person takes it at any replica.

use super::*;
use crate::lab::people::{crowd, one_of_crowd};

const HELD: &str = "nameplate_list_held{source=\"crm\",list=\"crm\"}";

/// Kari and her colleagues, and twenty others.
fn many() -> Vec<Record> {
    [fjord(), crowd(20)].concat()
}

impl Replica {
    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.nameplate.folder().said(arguments)
    }

    /// Waits until it shows whether a list is held back.
    async fn until_held(&self, is_held: bool) {
        let line = format!("{HELD} {}", u8::from(is_held));
        web::until(self.web, "/metrics", |answer| answer.body.lines().any(|shown| shown == line)).await;
    }

    /// Whether it names the crowd.
    fn names_crowd(&self) -> bool {
        let path = format!("/lookup?number={}", one_of_crowd(3).0);
        web::get(self.web, &path, "").status == 200
    }
}

/// Three replicas, the holder first, that hold back a list of four entries.
async fn holding(crm: &StandIn, redis: &Redis, refresh: &str) -> Vec<Replica> {
    let mut replicas = replicas(3, crm, redis, refresh).await;
    let holder = holder(&replicas).await;
    replicas.swap(0, holder);
    crm.set_records(fjord());
    let (status, said) = replicas[1].said(&["refresh"]);
    assert!(status == Some(1) && said.contains("holds the list back that has come"), "{said}");
    for replica in &replicas {
        replica.until_held(true).await;
    }
    replicas
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_everywhere_and_taken_from_anywhere() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(many()).await.expect("the stand-in"));
    let replicas = holding(&crm, &redis, "1h").await;
    let [holder, reader, other] = &replicas[..] else { panic!("three") };
    // The page Status has all looked at, also the CRM.
    assert_eq!(crm.count(), 2);
    let (_, own) = holder.said(&["sources"]);
    assert!(own.contains("  held back     a list of 4 entries, seen 1 times"), "{own}");
    for replica in [reader, other] {
        let (_, said) = replica.said(&["sources"]);
        let machine = said.lines().find_map(|line| line.strip_prefix("  held back     at "));
        let (_, what) = machine.and_then(|held| held.split_once(": ")).unwrap_or_else(|| panic!("{said}"));
        assert_eq!(what, "a list of 4 entries, seen 1 times; `nameplate refresh crm --accept` takes it");
        assert!(said.contains("    changes     0 new, 20 gone, 0 renamed"), "{said}");
        let page = web::get(replica.web, "/status", "").body;
        assert!(page.contains("a new list is held back") && page.contains("That is decided at "), "{page}");
        replica.nameplate.until_logged("a list of 4 entries is held back at ", 1).await;
        let (_, json) = replica.said(&["sources", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("one object");
        let list = &json["lists"][0];
        assert!(list["share"]["held"]["held"]["count"] == 4 && list["held"].is_null(), "{json}");
        assert!(replica.names_crowd() && replica.name() == KARI);
    }
    // What is stored says nothing of it.
    let stored: Vec<u8> = redis.run(&["HGET", "{np:oslo}:list:crm", "held"]);
    assert!(stored.len() > 100 && !String::from_utf8_lossy(&stored).contains("count"));

    let (status, said) = other.said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 4 entries: 0 new, 20 gone, 0 renamed"), "{said}");
    for replica in &replicas {
        replica.until_held(false).await;
        let path = format!("/lookup?number={}", one_of_crowd(3).0);
        web::until(replica.web, &path, |answer| answer.status == 404).await;
        assert!(!replica.said(&["sources"]).1.contains("held back"));
    }
    assert!(!redis.run::<bool>(&["HEXISTS", "{np:oslo}:list:crm", "held"]));
    let (status, said) = reader.said(&["refresh", "--accept"]);
    assert!(status == Some(1) && said.contains("crm: nothing is held back"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_one_that_has_come_meanwhile_is_not_taken_unseen() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(many()).await.expect("the stand-in"));
    let replicas = holding(&crm, &redis, "1h").await;
    crm.set_records(Vec::new());
    let (_, said) = replicas[0].said(&["refresh"]);
    assert!(said.contains("a list of 0 entries is held back"), "{said}");
    replicas[1].nameplate.until_logged("a list of 0 entries is held back at ", 1).await;
    let (status, said) = replicas[1].said(&["refresh", "--accept"]);
    assert!(status == Some(1), "{said}");
    assert!(
        said.contains("crm: not taken, for another list has come than the one that was shown:"),
        "{said}"
    );
    assert!(said.contains("crm: a list of 0 entries is held back; 24 stay in use"), "{said}");
    assert!(replicas.iter().all(Replica::names_crowd));
    // It has been shown now.
    let (status, said) = replicas[1].said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 23 gone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_does_not_answer_is_not_waited_for() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(many()).await.expect("the stand-in"));
    let replicas = holding(&crm, &redis, "1h").await;
    replicas[0].nameplate.signal("STOP");
    let begun = Instant::now();
    let (status, said) = replicas[1].said(&["refresh", "--accept"]);
    assert!(status == Some(1) && said.contains("has not answered within 20 s; its log says more"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(25) && replicas[1].names_crowd());
    replicas[0].nameplate.signal("CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_each_decides_for_itself() {
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(many()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1s").await;
    redis.kill();
    // Only an order takes an empty list.
    crm.set_records(Vec::new());
    for replica in &replicas {
        replica.nameplate.until_logged("a list of 0 entries is held back, 24 are known", 1).await;
    }
    let (status, said) = replicas[0].said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 23 gone"), "{said}");
    assert!(!replicas[0].said(&["sources"]).1.contains("held back"));
    assert!(replicas[1].said(&["sources"]).1.contains("  held back     a list of 0 entries"));
    assert!(replicas[1].names_crowd());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_has_held_back_without_the_server_is_taken_for_all_when_it_is_back() {
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(many()).await.expect("the stand-in"));
    let mut replicas = replicas(2, &crm, &redis, "1s").await;
    redis.kill();
    crm.set_records(Vec::new());
    for replica in &replicas {
        replica.nameplate.until_logged("a list of 0 entries is held back, 24 are known", 1).await;
    }
    redis.again();
    for replica in &replicas {
        // The old holder knows by then whether it still is.
        replica.nameplate.until_logged("the replicas' server answers", 2).await;
    }
    let holder = holder(&replicas).await;
    replicas.swap(0, holder);
    replicas[1].nameplate.until_logged("a list of 0 entries is held back at ", 1).await;
    let (_, said) = replicas[1].said(&["sources"]);
    assert_eq!(said.matches("held back").count(), 1, "{said}");
    let (status, said) = replicas[1].said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 23 gone"), "{said}");
    for replica in &replicas {
        replica.until_held(false).await;
        assert!(!replica.names_crowd());
    }
}
