//! Searches for strangers: one replica asks the CRM, and the others know what it has found, for its hour.

use super::*;
use crate::lab::superoffice::Hit;

const STRANGER: &str = "/lookup?number=22544545";
const NOBODY: &str = "/lookup?number=22999999";
const TAKEN: &str = "another replica has searched";

/// A replica that searches, and says what it takes.
fn searching(crm: &StandIn, redis: &Redis) -> Folder {
    let folder = configured(crm, redis, "1h");
    let config = std::fs::read_to_string(folder.path("nameplate.toml")).unwrap();
    let config = config.replace("refresh = \"1h\"", "refresh = \"1h\"\nsearch_on_miss = true");
    folder.write("nameplate.toml", config + "\n[log]\nlevel = \"debug\"\n");
    folder
}

/// So many replicas that search, once they have their list and the server.
async fn searching_replicas(count: usize, crm: &StandIn, redis: &Redis) -> Vec<Replica> {
    crm.search(|search| search.hits = vec![Hit::person(700, "Per Strand", "22 54 45 45")]);
    let mut replicas = Vec::new();
    for _ in 0..count {
        let replica = Replica::start(searching(crm, redis)).await;
        replica.until_named(KARI).await;
        replica.nameplate.until_logged("the replicas' server answers", 1).await;
        replicas.push(replica);
    }
    replicas
}

/// All that is in the server, keys and values.
fn dump(redis: &Redis) -> String {
    let mut all = String::new();
    for key in redis.keys("*") {
        let value: Vec<Vec<u8>> = match redis.run::<String>(&["TYPE", &key]).as_str() {
            "string" => vec![redis.bytes(&key)],
            "hash" => redis.run(&["HVALS", &key]),
            "stream" => {
                let events: Vec<(String, Vec<Vec<u8>>)> = redis.run(&["XRANGE", &key, "-", "+"]);
                events.into_iter().flat_map(|(_, fields)| fields).collect()
            }
            other => panic!("{key} is a {other}"),
        };
        all += &format!("{key}\n");
        all.extend(value.iter().map(|value| String::from_utf8_lossy(value).into_owned() + "\n"));
    }
    all
}

impl Replica {
    fn status(&self, path: &str) -> u16 {
        web::get(self.web, path, "").status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_searches_and_the_others_have_the_name() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = searching_replicas(2, &crm, &redis).await;
    assert_eq!(replicas[0].status(STRANGER), 404);
    replicas[1].nameplate.until_logged(TAKEN, 1).await;
    let answer = web::get(replicas[1].web, STRANGER, "Accept: application/json\r\n").body;
    assert!(answer.contains("\"name\":\"Per Strand\"") && answer.contains("\"source\":\"crm\""), "{answer}");
    assert_eq!(replicas[0].status(STRANGER), 200);
    // The other way round, and nobody.
    assert_eq!(replicas[1].status(NOBODY), 404);
    replicas[0].nameplate.until_logged(TAKEN, 1).await;
    assert_eq!(replicas[0].status(NOBODY), 404);

    // One that comes later.
    let late = Replica::start(searching(&crm, &redis)).await;
    late.until_named(KARI).await;
    late.nameplate.until_logged(TAKEN, 2).await;
    assert_eq!((late.status(STRANGER), late.status(NOBODY)), (200, 404));
    // A search of a replica's own is told to the others, so that all that was asked before is known.
    assert_eq!(late.status("/lookup?number=22999998"), 404);
    replicas[0].nameplate.until_logged(TAKEN, 2).await;
    assert_eq!(
        crm.searched().iter().filter(|query| !query.contains("22999998")).collect::<Vec<_>>(),
        ["query=22544545", "query=4722544545", "query=22999999", "query=4722999999"]
    );

    let searches = redis.keys("{np:oslo}:search:*");
    assert_eq!(searches.len(), 3);
    for key in &searches {
        let left: i64 = redis.run(&["PTTL", key]);
        assert!((3_500_000..=3_600_000).contains(&left), "{left} ms");
        assert_eq!(redis.bytes(key).len(), redis.bytes(&searches[0]).len());
    }
    let stored = dump(&redis);
    for secret in ["22544545", "22999999", "Strand", "Nordmann"] {
        assert!(!stored.contains(secret), "{secret}: {stored}");
    }
    for replica in &replicas {
        let log = replica.nameplate.log();
        assert!(!log.contains("22544545") && !log.contains("Strand"), "{log}");
    }
    // Who sends no number is not searched for.
    for withheld in ["anonymous", "1234", "112"] {
        assert_eq!(replicas[0].status(&format!("/lookup?number={withheld}")), 404);
    }
    assert_eq!(replicas[1].status("/lookup?number=22999997"), 404);
    replicas[0].nameplate.until_logged(TAKEN, 3).await;
    assert_eq!(redis.keys("{np:oslo}:search:*").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_gone_from_the_server() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = searching_replicas(2, &crm, &redis).await;
    assert_eq!(replicas[0].status(STRANGER), 404);
    replicas[1].nameplate.until_logged(TAKEN, 1).await;
    assert_eq!(redis.keys("{np:oslo}:search:*").len(), 1);
    let (status, said) = replicas[1].nameplate.folder().said(&["forget", "22544545"]);
    assert_eq!(status, Some(0), "{said}");
    let begun = Instant::now();
    while !redis.keys("{np:oslo}:search:*").is_empty() {
        assert!(begun.elapsed() < TAKEOVER, "{:?}", redis.keys("*"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(replicas[1].status(STRANGER), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_each_searches_as_before() {
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = searching_replicas(2, &crm, &redis).await;
    // While it hangs, and when it is gone.
    redis.signal("STOP");
    for (place, replica) in replicas.iter().enumerate() {
        assert_eq!(replica.status(STRANGER), 404);
        web::until(replica.web, STRANGER, |answer| answer.body.trim() == "Per Strand").await;
        if place == 0 {
            redis.kill();
            replicas[1].nameplate.until_logged("the replicas' server can't be used", 1).await;
        }
    }
    assert_eq!(crm.searched().len(), 4);
    // What was found meanwhile is shared when it is back.
    redis.again();
    let late = Replica::start(searching(&crm, &redis)).await;
    late.until_named(KARI).await;
    late.nameplate.until_logged(TAKEN, 1).await;
    assert_eq!((late.status(STRANGER), crm.searched().len()), (200, 4));
}
