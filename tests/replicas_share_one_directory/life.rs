//! Each replica is seen by the others, with what it serves: one that is gone, and one of another version, too.

use serde_json::Value;

use nameplate::share::life::Sign;

use super::scripts::{A, Site};
use super::*;

impl Replica {
    /// The replicas that it knows.
    fn seen(&self) -> Vec<Value> {
        let (_, said) = self.nameplate.folder().said(&["sources", "--json"]);
        let said: Value = serde_json::from_str(&said).expect("one object");
        said["replicas"].as_array().cloned().expect("a list")
    }

    /// Waits until the replicas that it knows are as wanted.
    async fn until_seen(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let seen = self.seen();
            if wanted(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < TAKEOVER, "{seen:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn serves(version: &str) -> impl Fn(&Value) -> bool {
    move |replica| replica["lists"]["crm"] == version
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_seen_and_the_one_that_is_gone_too() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let mut replicas = replicas(3, &crm, &redis, "1h").await;
    let holder = holder(&replicas).await;
    let all = |seen: &[Value]| seen.len() == 3 && seen.iter().all(serves("1.1"));
    for replica in &replicas {
        let seen = replica.until_seen(all).await;
        let count = |what: &str| seen.iter().filter(|one| one[what] == true).count();
        assert_eq!((count("is_this"), count("is_holder"), count("is_living"), count("reads")), (1, 1, 3, 3));
        let mine = seen.iter().find(|one| one["is_this"] == true).unwrap();
        assert_eq!(mine["is_holder"] == true, replica.is_holder());
        assert_eq!(mine["nameplate"], env!("CARGO_PKG_VERSION"));
        assert_eq!(mine["formats"], serde_json::json!([1]));
    }
    let mut gone = replicas.remove((holder + 1) % 3);
    gone.nameplate.kill();
    // Five minutes later, as far as the server knows.
    let signs: Vec<(String, Vec<u8>)> = redis.pairs("{np:oslo}:replicas");
    let before: Vec<u64> = signs.iter().map(|(_, sign)| written_at(sign)).collect();
    assert!(before.iter().all(|at| at.abs_diff(before[0]) < 60_000), "{before:?}");
    let seen = {
        for (id, sign) in &signs {
            redis.put(("{np:oslo}:replicas", id), &five_minutes_earlier(sign));
        }
        // The others show themselves again.
        replicas[0].until_seen(|seen| seen.iter().filter(|one| one["is_living"] == true).count() == 2).await
    };
    let silent = seen.iter().find(|one| one["is_living"] == false).expect("the one that is gone");
    assert!((300..400).contains(&silent["seconds"].as_u64().unwrap()), "{silent}");
    let (_, said) = replicas[0].nameplate.folder().said(&["sources"]);
    assert!(said.contains("last seen 5 min ago, nameplate ") && said.contains("replicas\n"), "{said}");
    // Back again, it is not there twice.
    let _back = gone.start_again().await;
    let living = |seen: &[Value]| seen.len() == 3 && seen.iter().all(|one| one["is_living"] == true);
    replicas[0].until_seen(living).await;
}

/// When a stored sign was written: milliseconds since 1970.
fn written_at(sign: &[u8]) -> u64 {
    let time = sign.split(|byte| *byte == b' ').next().unwrap();
    String::from_utf8_lossy(time).parse().expect("a time")
}

fn five_minutes_earlier(sign: &[u8]) -> Vec<u8> {
    let time = written_at(sign);
    let rest = &sign[time.to_string().len()..];
    [(time - 300_000).to_string().as_bytes(), rest].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_version_is_named_and_the_lists_go_on() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    let mut site = Site::of(&redis).await;
    // Made up: this one reads the formats 2 and 3, which do not exist.
    let sign =
        Sign { name: "pbx-9".into(), nameplate: "9.9.9".into(), formats: vec![2, 3], lists: [].into() };
    let seen = site.live(A, &sign).await;
    assert_eq!(seen.format(tokio::time::Instant::now()), 1);
    let shown = |seen: &[Value]| seen.iter().any(|one| one["name"] == "pbx-9" && one["reads"] == false);
    replicas[0].until_seen(shown).await;
    let (_, said) = replicas[0].nameplate.folder().said(&["sources"]);
    assert!(said.contains("ago, nameplate 9.9.9, which can't read these lists"), "{said}");
    let (_, said) = replicas[0].nameplate.folder().said(&["check"]);
    assert!(said.contains("pbx-9 runs nameplate 9.9.9, and this one is "), "{said}");
    assert!(said.contains("it can't read the lists of this version"), "{said}");
    crm.set_records(married());
    assert!(replicas[0].refresh().contains("crm: 4 entries: 0 new, 0 gone, 1 renamed"));
    for replica in &replicas {
        replica.until_named(MARRIED).await;
    }
    assert_eq!(redis.run::<u32>(&["HGET", "{np:oslo}:list:crm", "format"]), 1);
}
