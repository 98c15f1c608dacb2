//! The one that publishes is killed, stopped or cut off, in each phase of it; or the server is killed. Whatever has come of it: another one asks
//! and publishes, all have its list, no version has two contents, and the old holder publishes no more.

use std::collections::BTreeMap;

use nameplate::share::scripts::Scripts;

use super::*;
use crate::lab::line::{Line, Trap};

/// How far publishing has come.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The first chunk is on its way.
    Chunk,
    /// The server has all chunks. The switch is on its way.
    Switch,
    /// The server has switched, and the holder does not know yet.
    Answer,
}

/// What is done to the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Kill,
    Stop,
    Cut,
}

/// Replicas, each with a line of its own to the Redis.
struct Around {
    redis: Redis,
    crm: StandIn,
    replicas: Vec<Replica>,
    lines: Vec<Line>,
    /// What was published under each version, sealed. Nobody seals the same twice.
    published: BTreeMap<String, Vec<u8>>,
}

impl Around {
    async fn start() -> Self {
        let (redis, crm) = (Redis::start(SITE), StandIn::start(fjord()).await.expect("the stand-in"));
        let (mut replicas, mut lines) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let line = Line::to(redis.port()).await;
            let folder = configured(&crm, &redis, "2s");
            let config = std::fs::read_to_string(folder.path("nameplate.toml")).unwrap();
            folder.write("nameplate.toml", config.replace(&redis.url(), &line.url()));
            replicas.push(Replica::start(folder).await);
            lines.push(line);
        }
        for replica in &replicas {
            replica.until_named(KARI).await;
        }
        Self { redis, crm, replicas, lines, published: BTreeMap::new() }
    }

    /// The version in the server. Whoever has published under it has published the same.
    fn version(&mut self) -> String {
        let fields = ["epoch", "holder", "sequence", "manifest"];
        let entry: Vec<Vec<u8>> = self.redis.run(&[&["HMGET", "{np:oslo}:list:crm"], &fields[..]].concat());
        let version =
            entry[..3].iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join(".");
        let sealed = self.published.entry(version.clone()).or_insert_with(|| entry[3].clone());
        assert!(*sealed == entry[3], "two lists have the version {version}");
        version
    }

    /// The CRM has this name, and the holder is in this phase; which it is.
    async fn reach(&mut self, phase: Phase, name: &str) -> usize {
        let holder = self.only_holder().await;
        let (bytes, at) = match phase {
            Phase::Chunk => (format!("SET\r\n$80\r\n{{np:{SITE}}}:chunk:"), Trap::Command),
            Phase::Switch => (Scripts::default().switch.get_hash().to_owned(), Trap::Command),
            Phase::Answer => (Scripts::default().switch.get_hash().to_owned(), Trap::Answer),
        };
        self.lines[holder].trap(bytes, at);
        self.crm.set_records(people(name));
        self.lines[holder].caught().await;
        self.version();
        holder
    }

    /// The server is killed, and comes back empty: the worst of failovers.
    async fn lose_all_in(&mut self, phase: Phase, name: &str) {
        let holder = self.reach(phase, name).await;
        let shown = format!("{name} (Fjord Sjømat AS)");
        if matches!(phase, Phase::Answer) {
            // They know a version that nobody else will know.
            self.replicas[(holder + 1) % 3].until_named(&shown).await;
        }
        self.redis.kill();
        self.lines[holder].go_on();
        self.redis.again();
        for replica in &self.replicas {
            replica.until_named(&shown).await;
        }
        let begun = Instant::now();
        while !self.redis.run::<bool>(&["EXISTS", "{np:oslo}:list:crm"]) {
            assert!(begun.elapsed() < TAKEOVER, "nobody publishes");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.version();
    }

    async fn in_phase(&mut self, phase: Phase, trouble: Trouble, name: &str) {
        let old = self.reach(phase, name).await;
        let id: String = self.redis.run(&["HGET", "{np:oslo}:lease", "id"]);
        match trouble {
            Trouble::Kill => self.replicas[old].nameplate.signal("KILL"),
            Trouble::Stop => self.replicas[old].nameplate.signal("STOP"),
            Trouble::Cut => self.lines[old].cut(),
        }
        // The 30 s of its life are over.
        self.redis.run::<()>(&["DEL", "{np:oslo}:lease"]);
        let shown = format!("{name} (Fjord Sjømat AS)");
        for (place, replica) in self.replicas.iter().enumerate() {
            if place != old {
                replica.until_named(&shown).await;
            }
        }
        let new = self.others_holder(old).await;
        let before = self.version();
        self.lines[old].go_on();
        match trouble {
            Trouble::Kill => {
                let killed = self.replicas.remove(old);
                self.replicas.insert(old, killed.start_again().await);
            }
            Trouble::Stop => self.replicas[old].nameplate.signal("CONT"),
            Trouble::Cut => self.lines[old].mend(),
        }
        self.replicas[old].until_named(&shown).await;
        self.replicas[old].until_reader().await;
        let after = self.version();
        assert!(after == before || !after.contains(&id), "{phase:?}, {trouble:?}: {before}, then {after}");
        assert!(self.replicas[new].is_holder());
    }

    /// Who asks for all. A holder that has lost its lease counts itself as one until it knows.
    async fn only_holder(&self) -> usize {
        let begun = Instant::now();
        loop {
            let holders: Vec<_> = (0..3).filter(|place| self.replicas[*place].is_holder()).collect();
            if let [holder] = holders[..] {
                return holder;
            }
            assert!(begun.elapsed() < TAKEOVER, "{holders:?} ask for all");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Who asks for all, of the others.
    async fn others_holder(&self, old: usize) -> usize {
        let begun = Instant::now();
        loop {
            let others = (0..self.replicas.len()).filter(|place| *place != old);
            if let Some(place) = others.into_iter().find(|place| self.replicas[*place].is_holder()) {
                return place;
            }
            assert!(begun.elapsed() < TAKEOVER, "nobody asks for all");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Replica {
    /// Waits until the server answers it, and it does not count itself as the holder.
    async fn until_reader(&self) {
        let lines = ["up", "holder"].map(|name| format!("nameplate_share_{name}{{site=\"{SITE}\"}} "));
        let has = |text: &str, at: usize, value: &str| text.contains(&format!("{}{value}\n", lines[at]));
        web::until(self.web, "/metrics", |answer| has(&answer.body, 0, "1") && has(&answer.body, 1, "0"))
            .await;
    }
}

fn people(name: &str) -> Vec<Record> {
    let mut records = fjord();
    records[0] = Record::person(47, 22_334_455, (654, name), (243, "Fjord Sjømat AS"));
    records
}

async fn in_each_phase(trouble: Trouble) {
    let mut around = Around::start().await;
    around.in_phase(Phase::Chunk, trouble, "Kari Berg").await;
    around.in_phase(Phase::Switch, trouble, "Kari Dal").await;
    around.in_phase(Phase::Answer, trouble, "Kari Elv").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_is_killed_in_each_phase_of_publishing() {
    in_each_phase(Trouble::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_stopped_in_each_phase_and_publishes_no_more_when_it_wakes() {
    in_each_phase(Trouble::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_cut_off_in_each_phase() {
    in_each_phase(Trouble::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_loses_all_in_each_phase() {
    let mut around = Around::start().await;
    around.lose_all_in(Phase::Chunk, "Kari Berg").await;
    around.lose_all_in(Phase::Switch, "Kari Dal").await;
    around.lose_all_in(Phase::Answer, "Kari Elv").await;
    around.lose_all_in(Phase::Answer, "Kari Foss").await;
}
