//! Services of one site share the lists of their CRM through a Redis: one asks, all have its lists. Whatever happens to the Redis, to what
//! is in it, or to the one that asks: names stay, and calls have them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::lab::call::{Turn, fjord, from_trunk};
use crate::lab::configuration::{crm_folder, onsite, superoffice};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::redis::{PASSWORD, Redis};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::web;

const SITE: &str = "oslo";
const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
const MARRIED: &str = "Kari Berg (Fjord Sjømat AS)";
/// A killed holder's lease lives 30 s, and the others ask every 10 s at least.
const TAKEOVER: Duration = Duration::from_secs(60);

mod calls;
mod damage;
mod eight;
mod failover;
mod forget;
mod guard;
mod life;
mod lost_writes;
mod phases;
mod scripts;
mod searches;
mod seen;
mod tls;
mod told;

/// A replica that asks this CRM every `refresh`.
fn configured(crm: &StandIn, redis: &Redis, refresh: &str) -> Folder {
    let source =
        superoffice(&onsite(&crm.api_url()).replace("refresh = \"1s\"", &format!("refresh = \"{refresh}\"")));
    let share = share(redis);
    let folder = crm_folder(&format!("{source}\n[web]\nlisten = \"127.0.0.1:0\"\n{share}"));
    secrets(&folder);
    folder
}

/// The section of a replica.
fn share(redis: &Redis) -> String {
    format!(
        "[share]\nurl = \"{}\"\nusername = \"nameplate\"\npassword_file = \"share.password\"\nkey_file = \"share.key\"\nsite = \"{SITE}\"\n",
        redis.url()
    )
}

fn secrets(folder: &Folder) {
    folder.write("share.password", PASSWORD);
    folder.write("share.key", BASE64.encode([7; 32]));
}

/// A running replica.
struct Replica {
    nameplate: Nameplate,
    web: SocketAddr,
}

impl Replica {
    async fn start(folder: Folder) -> Self {
        let nameplate = folder.serve();
        let web = web::address(&nameplate).await;
        Self { nameplate, web }
    }

    /// The name of the first person.
    fn name(&self) -> String {
        web::get(self.web, "/lookup?number=22334455", "").body.trim().to_owned()
    }

    async fn until_named(&self, name: &str) {
        web::until(self.web, "/lookup?number=22334455", |answer| answer.body.trim() == name).await;
    }

    /// Whether it asks the CRM for all.
    fn is_holder(&self) -> bool {
        self.metric("holder") > 0.0
    }

    fn metric(&self, name: &str) -> f64 {
        web::metric(self.web, &format!("nameplate_share_{name}{{site=\"{SITE}\"}}"))
    }

    /// What `nameplate refresh` says.
    fn refresh(&self) -> String {
        self.nameplate.folder().said(&["refresh"]).1
    }
}

/// So many replicas that all have their first list.
async fn replicas(count: usize, crm: &StandIn, redis: &Redis, refresh: &str) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Replica::start(configured(crm, redis, refresh)).await);
    }
    for replica in &replicas {
        replica.until_named(KARI).await;
    }
    replicas
}

/// Waits until one of the replicas asks for all; which one.
async fn holder(replicas: &[Replica]) -> usize {
    let begun = Instant::now();
    loop {
        if let Some(place) = replicas.iter().position(Replica::is_holder) {
            return place;
        }
        assert!(begun.elapsed() < TAKEOVER, "nobody asks for all");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn married() -> Vec<Record> {
    let mut records = fjord();
    records[0] = Record::person(47, 22_334_455, (654, "Kari Berg"), (243, "Fjord Sjømat AS"));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn one_asks_and_all_have_its_list() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(3, &crm, &redis, "1h").await;
    assert_eq!(crm.count(), 1);
    // Of what is stored, nothing can be read.
    let chunks = redis.keys("{np:oslo}:chunk:*");
    assert_eq!(chunks.len(), 1);
    for stored in [redis.bytes(&chunks[0]), redis.run(&["HGET", "{np:oslo}:list:crm", "manifest"])] {
        assert!(!String::from_utf8_lossy(&stored).contains("Nordmann") && stored.len() > 100);
    }
    assert!(redis.keys("*").iter().all(|key| key.starts_with("{np:oslo}:")));

    // An order at any of them is carried to the one that asks.
    let holder = holder(&replicas).await;
    let reader = &replicas[(holder + 1) % 3];
    assert!(!reader.is_holder());
    crm.set_records(married());
    let said = reader.refresh();
    let published = Instant::now();
    assert!(said.contains("crm: 4 entries: 0 new, 0 gone, 1 renamed"), "{said}");
    for replica in &replicas {
        replica.until_named(MARRIED).await;
    }
    assert!(published.elapsed() < Duration::from_secs(2), "{:?}", published.elapsed());
    assert_eq!(crm.count(), 2);
    let said = reader.refresh();
    assert!(said.contains("crm: unchanged"), "{said}");
    assert_eq!(crm.count(), 3);
    let (_, said) = reader.nameplate.folder().said(&["sources"]);
    assert!(said.contains("asks for all") && said.contains("  version       1.2 here, 1.2 there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crm_is_asked_once_in_an_interval() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(3, &crm, &redis, "2s").await;
    let (begun, before) = (Instant::now(), crm.count());
    assert!(crm.until_count(before + 5, Duration::from_secs(30)).await);
    // The waits are random, between a half and all of the interval.
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    for replica in &replicas {
        let success =
            web::metric(replica.web, "nameplate_list_success_timestamp_seconds{source=\"crm\",list=\"crm\"}");
        let asked = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(asked - success < 10.0, "each replica knows that its list is the CRM's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_asks_is_killed_and_another_takes_over() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let mut replicas = replicas(3, &crm, &redis, "3s").await;
    let holder_now = holder(&replicas).await;
    let mut killed = replicas.remove(holder_now);
    killed.nameplate.kill();
    crm.set_records(married());
    assert!(replicas.iter().all(|replica| replica.name() == KARI));
    let next = holder(&replicas).await;
    for replica in &replicas {
        replica.until_named(MARRIED).await;
    }
    replicas[next]
        .nameplate
        .until_logged("the list is published for all replicas list=crm version=2.1", 1)
        .await;
    // Back again, it is one of the others.
    let back = Replica::start_again(killed).await;
    back.until_named(MARRIED).await;
    assert!(!back.is_holder());
}

impl Replica {
    async fn start_again(self) -> Self {
        const LISTENS: &str = "web server listens address=";
        let before = self.nameplate.log().matches(LISTENS).count();
        let nameplate = self.nameplate.again();
        nameplate.until_logged(LISTENS, before + 1).await;
        let web = web::address(&nameplate).await;
        Self { nameplate, web }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_gives_the_lease_back() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let mut replicas = replicas(2, &crm, &redis, "1h").await;
    let mut ended = replicas.remove(holder(&replicas).await);
    ended.nameplate.signal("TERM");
    ended.nameplate.ended().await;
    assert!(!redis.run::<bool>(&["EXISTS", "{np:oslo}:lease"]) || replicas[0].is_holder());
    holder(&replicas).await;
    assert_eq!((replicas[0].name().as_str(), crm.count()), (KARI, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_from_the_server_is_published_again() {
    let (redis, mut crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    crm.go_down().await;
    redis.run::<()>(&["FLUSHALL"]);
    assert!(replicas.iter().all(|replica| replica.name() == KARI));
    // It has never asked the CRM.
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    web::until(new.web, "/lookup?number=22334455", |answer| answer.body.trim() == KARI).await;
    assert_eq!(crm.count(), 1);
    let epoch: u64 = redis.run(&["GET", "{np:oslo}:epoch"]);
    assert!(epoch > 1, "the replicas know the epoch that the server has lost: {epoch}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_chunk_is_found_and_mended() {
    let (redis, mut crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(2, &crm, &redis, "1h").await;
    crm.go_down().await;
    let chunk = redis.keys("{np:oslo}:chunk:*").remove(0);
    let mut bytes = redis.bytes(&chunk);
    bytes[40] ^= 1;
    redis.replace(&chunk, &bytes);
    let new = Replica::start(configured(&crm, &redis, "1h")).await;
    new.nameplate.until_logged("a chunk is damaged", 1).await;
    new.until_named(KARI).await;
    assert!(replicas.iter().all(|replica| replica.name() == KARI));
    assert_eq!(crm.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_password_each_asks_for_itself_and_says_why() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let folder = configured(&crm, &redis, "1s");
    folder.write("share.password", "wrong");
    let replica = Replica::start(folder).await;
    let said = "the replicas' server can't be used: it refuses `username` or `password`";
    replica.nameplate.until_logged(said, 1).await;
    let ready = web::until(replica.web, "/readyz", |answer| answer.status == 200);
    let ready = tokio::time::timeout(TAKEOVER, ready).await.expect("it asks for itself");
    assert!(ready.body.contains("it refuses `username` or `password`"), "{}", ready.body);
    assert_eq!((replica.name().as_str(), replica.metric("up")), (KARI, 0.0));
    let (_, sources) = replica.nameplate.folder().said(&["sources"]);
    assert!(sources.contains("replicas      their server can't be used: it refuses"), "{sources}");
    assert_eq!(replica.nameplate.log().matches("the replicas' server can't be used").count(), 1);
    // The password is read again at each connection.
    replica.nameplate.folder().write("share.password", PASSWORD);
    replica.nameplate.until_logged("the replicas' server answers", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_key_shares_nothing() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let replicas = replicas(1, &crm, &redis, "1h").await;
    let folder = configured(&crm, &redis, "1h");
    folder.write("share.key", BASE64.encode([8; 32]));
    let other = Replica::start(folder).await;
    other.nameplate.until_logged("the other replicas of this site have another `key`", 1).await;
    let named = other.until_named(KARI);
    tokio::time::timeout(TAKEOVER, named).await.expect("it asks for itself");
    assert_eq!(crm.count(), 2);
    assert!(replicas[0].is_holder() && !other.is_holder());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_under_the_same_name_is_left_alone() {
    let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
    let other = StandIn::start(married()).await.expect("the stand-in");
    let replicas = replicas(1, &crm, &redis, "1h").await;
    let alien = Replica::start(configured(&other, &redis, "1h")).await;
    alien.nameplate.until_logged("has published another list under this name", 1).await;
    alien.until_named(MARRIED).await;
    assert_eq!((replicas[0].name().as_str(), crm.count(), other.count()), (KARI, 1, 1));
}
