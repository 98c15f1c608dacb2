//! The scripts in the server: who has the lease, and which version of a list is the latest.

use std::collections::BTreeMap;

use nameplate::secret::Secret;
use nameplate::share::connector::Connector;
use nameplate::share::lease::Answer;
use nameplate::share::life::{Sign, Signs};
use nameplate::share::manifest::{Entry, FORMAT, Manifest};
use nameplate::share::seal::Key;
use nameplate::share::server::{Server, Switched};
use nameplate::share::slot::Kept;
use nameplate::share::version::{ReplicaId, Version};

use super::*;

/// In the order of their ids.
pub(super) const A: ReplicaId = ReplicaId(1);
pub(super) const B: ReplicaId = ReplicaId(2);
const C: ReplicaId = ReplicaId(3);

fn key(byte: &str) -> Secret {
    Secret::Given(byte.repeat(32).into())
}

async fn connect(redis: &Redis) -> Server {
    Connector::new(redis.settings(SITE, key("07"))).connect().await.expect("a connection")
}

pub(super) struct Site {
    pub(super) server: Server,
    pub(super) key: Key,
}

impl Site {
    pub(super) async fn of(redis: &Redis) -> Self {
        Self { server: connect(redis).await, key: Key::read(&key("07")).unwrap() }
    }

    pub(super) async fn hold(&mut self, id: ReplicaId, highest: u64) -> Answer {
        self.server.hold(id, highest, &self.key, "pbx").await.expect("an answer")
    }

    /// The epoch that it has now.
    pub(super) async fn held(&mut self, id: ReplicaId, highest: u64) -> u64 {
        match self.hold(id, highest).await {
            Answer::Held { epoch } => epoch,
            other => panic!("{other:?}"),
        }
    }

    async fn is_others(&mut self, id: ReplicaId, highest: u64) -> bool {
        matches!(self.hold(id, highest).await, Answer::Others { left, .. } if left <= Duration::from_secs(30))
    }

    pub(super) async fn switch(&mut self, epoch: u64, holder: ReplicaId, sequence: u64) -> bool {
        let version = Version { epoch, holder, sequence };
        self.publish(&Manifest { version, ..Manifest::default() }).await == Switched::Done
    }

    pub(super) async fn publish(&mut self, manifest: &Manifest) -> Switched {
        let sealed = manifest.seal(&self.key, SITE, "crm").unwrap();
        self.server.switch("crm", manifest.version, &sealed, FORMAT, 1).await.expect("an answer")
    }

    /// What the server has of the list.
    pub(super) async fn entries(&mut self) -> BTreeMap<String, Entry> {
        self.server.entries(&self.key, SITE, &["crm".to_owned()]).await.expect("an answer")
    }

    /// The same, where it has the list.
    pub(super) async fn entry(&mut self) -> Entry {
        self.entries().await["crm"].clone()
    }

    pub(super) async fn live(&mut self, id: ReplicaId, sign: &Sign) -> Signs {
        self.server.live((&self.key, SITE), id, sign, None).await.expect("an answer")
    }

    /// The version in the server.
    async fn version(&mut self) -> Version {
        let entry = self.entry().await;
        assert_eq!(entry.manifest.as_ref().unwrap().version, entry.version);
        entry.version
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_switches_a_list_and_only_forward() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    assert!(!site.switch(1, A, 1).await, "nobody has the lease");
    assert_eq!(site.held(A, 0).await, 1);
    assert!(site.is_others(B, 0).await);
    assert_eq!(site.held(A, 1).await, 1, "a renewal");
    assert!(site.switch(1, A, 1).await && site.switch(1, A, 3).await);
    assert!(!site.switch(1, A, 3).await && !site.switch(1, A, 2).await && !site.switch(1, B, 4).await);
    assert_eq!(site.version().await, Version { epoch: 1, holder: A, sequence: 3 });

    // Its lease is over, without its knowledge.
    redis.run::<()>(&["DEL", "{np:oslo}:lease"]);
    assert_eq!(site.held(B, 1).await, 2);
    assert!(!site.switch(1, A, 4).await && site.switch(2, B, 1).await);
    // Only the holder gives it back.
    site.server.release(A).await.unwrap();
    assert!(site.is_others(A, 2).await);
    site.server.release(B).await.unwrap();
    assert_eq!(site.held(A, 2).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_the_server_has_lost_is_not_given_again() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    assert_eq!(site.held(A, 6).await, 7);
    redis.run::<()>(&["FLUSHALL"]);
    // A replica that has seen nothing is the first.
    assert_eq!(site.held(C, 0).await, 1);
    assert!(site.switch(1, C, 1).await);
    // The others know more, and so does the server then.
    assert!(site.is_others(A, 7).await);
    assert_eq!(site.held(C, 1).await, 8);
    assert!(!site.switch(1, C, 2).await && site.switch(8, C, 1).await);

    // One epoch twice: the holder's id decides.
    redis.run::<()>(&["DEL", "{np:oslo}:lease"]);
    redis.run::<()>(&["SET", "{np:oslo}:epoch", "7"]);
    assert_eq!(site.held(B, 7).await, 8);
    assert!(!site.switch(8, B, 9).await);
    assert_eq!(site.version().await, Version { epoch: 8, holder: C, sequence: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_sees_what_is_missing() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    let epoch = site.held(A, 0).await;
    let version = Version { epoch, holder: A, sequence: 1 };
    let manifest = Manifest { version, chunks: vec!["ab".into(), "cd".into()], ..Manifest::default() };
    site.server.put_chunk("ab", b"1").await.unwrap();
    site.server.put_chunk("cd", b"2").await.unwrap();
    assert_eq!(site.server.keep("crm", &manifest, None).await.unwrap(), Kept::Other);
    assert!(site.switch(epoch, A, 1).await);
    let mut last = site.server.last_event().await.unwrap();
    assert_eq!(site.server.keep("crm", &manifest, Some(9)).await.unwrap(), Kept::Whole);
    assert_eq!(site.server.next_events(&mut last).await.unwrap().len(), 1);
    assert_eq!(redis.run::<u64>(&["HGET", "{np:oslo}:list:crm", "checked"]), 9);
    redis.run::<()>(&["DEL", "{np:oslo}:chunk:cd"]);
    assert_eq!(site.server.keep("crm", &manifest, None).await.unwrap(), Kept::Missing);
    assert!(site.switch(epoch, A, 2).await);
    assert_eq!(site.server.keep("crm", &manifest, Some(10)).await.unwrap(), Kept::Other);
    let left: i64 = redis.run(&["PTTL", "{np:oslo}:chunk:ab"]);
    assert!((1_100_000..=1_200_000).contains(&left), "{left} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_key_never_has_the_lease() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    site.held(A, 0).await;
    let other = Key::read(&key("08")).unwrap();
    assert_eq!(site.server.hold(B, 0, &other, "pbx").await.unwrap(), Answer::OtherKey);
    // Also while the lease is free for a moment.
    site.server.release(A).await.unwrap();
    assert_eq!(site.server.hold(B, 0, &other, "pbx").await.unwrap(), Answer::OtherKey);
    assert_eq!(site.held(C, 1).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_gives_the_others_what_it_has() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    let epoch = site.held(A, 0).await;
    assert!(site.switch(epoch, A, 1).await);
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(site.is_others(B, 0).await && site.is_others(B, epoch).await);
    assert_eq!((site.held(A, epoch).await, site.version().await.epoch), (epoch, epoch));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_nobody_can_have_counted_to_is_not_believed() {
    const EPOCH: &str = "9007199254740994";
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    let epoch = site.held(A, 0).await;
    assert!(site.switch(epoch, A, 1).await);
    redis.run::<()>(&["HSET", "{np:oslo}:list:crm", "epoch", EPOCH]);
    let read = site.server.entries(&site.key, SITE, &["crm".to_owned()]).await;
    assert!(read.unwrap_err().to_string().contains("an answer that is not understood: the epoch"));
    redis.run::<()>(&["SET", "{np:oslo}:epoch", EPOCH]);
    let held = site.server.hold(A, epoch, &site.key, "pbx").await;
    assert!(held.unwrap_err().to_string().contains("an answer that is not understood: the epoch"));
    let others = site.server.hold(B, epoch, &site.key, "pbx").await;
    assert!(others.unwrap_err().to_string().contains("an answer that is not understood: the epoch"));
}
