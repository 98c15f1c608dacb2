//! A number that is forgotten at one replica is forgotten by all of them, and may be named again by all of them.

use super::*;

const NUMBER: &str = "+4722334455\n";

impl Replica {
    fn says(&self, arguments: &[&str], expected: &str) {
        says(self.nameplate.folder(), arguments, expected);
    }

    /// The numbers that it has forgotten.
    fn forgotten(&self) -> String {
        self.nameplate.folder().said(&["forget", "--list"]).1
    }

    async fn until_nameless(&self) {
        web::until(self.web, "/lookup?number=22334455", |answer| answer.status == 404).await;
    }

    /// Waits until no file of a list has her name.
    async fn until_without_record(&self) {
        let begun = Instant::now();
        while has_record(self.nameplate.folder()) {
            assert!(begun.elapsed() < TAKEOVER, "a file still has her name");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn says(folder: &Folder, arguments: &[&str], expected: &str) {
    let (status, said) = folder.said(arguments);
    assert!(status == Some(0) && said.contains(expected), "{arguments:?}: {status:?} {said}");
}

fn has_record(folder: &Folder) -> bool {
    let files = std::fs::read_dir(folder.path("state/lists")).into_iter().flatten().flatten();
    let has = |bytes: Vec<u8>| bytes.windows(13).any(|part| part == b"Kari Nordmann");
    files.filter_map(|file| std::fs::read(file.path()).ok()).any(has)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_one_for_all_until_it_is_undone() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let mut replicas = replicas(3, &crm, &redis, "1h").await;
    let holder_now = holder(&replicas).await;
    replicas.swap(0, holder_now);
    for replica in &replicas {
        replica.nameplate.until_logged("the replicas' server answers", 1).await;
    }
    replicas[1].says(&["forget", "22334455"], "the other replicas do the same");
    let forgotten = Instant::now();
    for replica in &replicas {
        replica.until_nameless().await;
    }
    assert!(forgotten.elapsed() < Duration::from_secs(2), "{:?}", forgotten.elapsed());
    for replica in &replicas {
        assert_eq!(replica.forgotten(), NUMBER);
        replica.until_without_record().await;
    }
    // Its record is not in the server either: the holder publishes the list without it.
    replicas[0]
        .nameplate
        .until_logged("the list is published for all replicas list=crm version=1.2", 1)
        .await;
    let stored: Vec<u8> = redis.run(&["GET", "{np:oslo}:forgotten"]);
    assert!(!String::from_utf8_lossy(&stored).contains("22334455"));
    // One that is new knows it.
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    web::until(new.web, "/lookup?number=22334400", |answer| answer.status == 200).await;
    new.until_nameless().await;
    assert_eq!(crm.count(), 1);

    replicas[2].says(&["forget", "--undo", "22334455"], "is named again after the next `nameplate refresh`");
    replicas[2].says(&["refresh"], "crm: 4 entries: 1 new");
    for replica in replicas.iter().chain([&new]) {
        replica.until_named(KARI).await;
        assert_eq!(replica.forgotten(), "");
    }
    assert!(replicas.iter().all(|replica| !replica.nameplate.log().contains("22334455")));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_gone_and_where_it_has_lost_all() {
    let (mut redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    redis.kill();
    for replica in &replicas {
        replica.nameplate.until_logged("the replicas' server can't be used", 1).await;
    }
    let later = "the other replicas do the same when their server answers again: can't talk to it";
    replicas[0].says(&["forget", "22334455"], later);
    assert_eq!((replicas[1].name().as_str(), replicas[1].forgotten().as_str()), (KARI, ""));
    // It begins empty.
    redis.again();
    replicas[1].until_nameless().await;
    assert_eq!(replicas[1].forgotten(), NUMBER);
    // What it loses, the replicas have.
    redis.run::<()>(&["FLUSHALL"]);
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    web::until(new.web, "/lookup?number=22334400", |answer| answer.status == 200).await;
    let begun = Instant::now();
    while new.forgotten() != NUMBER {
        assert!(begun.elapsed() < TAKEOVER, "it has not heard of it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    new.until_nameless().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_it_counts_from_its_start_and_the_latest_decision_counts() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let mut replicas = replicas(2, &crm, &redis, "1h").await;
    let mut ended = replicas.remove(1);
    let running = replicas.remove(0);
    running.nameplate.until_logged("the replicas' server answers", 1).await;
    ended.nameplate.signal("TERM");
    ended.nameplate.ended().await;
    ended.says(&["forget", "22334455"], "is not named any more");
    assert_eq!(running.name(), KARI);
    let mut again = ended.start_again().await;
    running.until_nameless().await;
    assert_eq!(running.forgotten(), NUMBER);
    // Undone at the other one, while this one has it in its file.
    again.nameplate.signal("TERM");
    again.nameplate.ended().await;
    running.says(&["forget", "--undo", "22334455"], "the other replicas do the same");
    let again = again.start_again().await;
    let begun = Instant::now();
    while !again.forgotten().is_empty() {
        assert!(begun.elapsed() < TAKEOVER, "it has not heard of it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(running.forgotten(), "");
}
