//! The replicas and their server, and what has to hold after each act.

use std::collections::BTreeMap;
use std::sync::Arc;

use nameplate::directory::list::List;
use nameplate::directory::list::file::Header;
use nameplate::directory::list::transfer::Content;
use nameplate::share::lease::{Answer, Lease};
use nameplate::share::manifest::Manifest;
use nameplate::share::server::{Server, Switched};
use nameplate::share::slot::{Duty, InUse, Origin, Publication, Slot, Step, Wanted};
use nameplate::share::version::{ReplicaId, Version};
use nameplate::share::view::View;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::time::Instant as Time;

use super::super::scripts::Site;
use super::super::*;
use super::{Act, REPLICAS};

/// Longer than a lease lives, and than its holder trusts it.
const OVER: Duration = Duration::from_secs(31);

/// One replica.
struct Model {
    id: ReplicaId,
    lease: Lease,
    slot: Slot,
    view: View,
    /// The list in use.
    content: Option<u64>,
    /// On disk: the version of the list.
    version: Option<Version>,
    /// The highest epoch that it has ever seen, on disk.
    highest: u64,
    late: Option<(Version, u64)>,
}

/// All of it.
pub(super) struct World {
    site: Site,
    redis: redis::Connection,
    replicas: Vec<Model>,
    now: Time,
    crm: u64,
    /// What the server has taken, in all its lives.
    accepted: BTreeMap<Version, u64>,
    /// The keys after each write, oldest first.
    states: Vec<Vec<(Option<Vec<u8>>, i64)>>,
}

const KEYS: [&str; 5] = ["lease", "epoch", "key", "list:crm", "events"];

fn key(name: &str) -> String {
    format!("{{np:{SITE}}}:{name}")
}

fn wanted() -> Wanted {
    Wanted { list: "crm".into(), fingerprint: 7, refresh: Duration::from_mins(5) }
}

impl Model {
    fn new(now: Time) -> Self {
        Self::on_disk(0, None, None, now)
    }

    /// Starts with what is on disk.
    fn on_disk(highest: u64, content: Option<u64>, version: Option<Version>, now: Time) -> Self {
        let mut slot = Slot::default();
        let known =
            version.map(|version| nameplate::share::memory::Taken { version, at: content.unwrap_or(0) });
        slot.uses(&wanted(), in_use(content, false), known, 0);
        Self {
            id: ReplicaId::random(),
            lease: Lease::new(highest, now),
            slot,
            view: View { is_up: true, ..View::new(now) },
            content,
            version,
            highest,
            late: None,
        }
    }

    fn saw(&mut self, epoch: u64) {
        self.lease.saw(epoch);
        self.highest = self.highest.max(epoch);
    }

    /// A version counts from now on, and never an older one.
    fn has(&mut self, version: Version) -> Result<(), TestCaseError> {
        prop_assert!(
            self.version.is_none_or(|before| before <= version),
            "{:?} after {:?}",
            version,
            self.version
        );
        self.version = Some(version);
        Ok(())
    }
}

/// The list in use. Its file's time tells lists apart here.
fn in_use(content: Option<u64>, is_new: bool) -> InUse {
    let list = content.map(|content| {
        Content::InMemory(Header { taken: content, ..Header::default() }, Arc::new(List::default()))
    });
    InUse { has_list: list.is_some(), content: list, is_new, ..InUse::default() }
}

impl World {
    pub(super) async fn new(redis: &Redis) -> Self {
        let mut connection = redis.connect().expect("a connection");
        redis::cmd("FLUSHALL").exec(&mut connection).expect("an answer");
        let now = Time::now();
        let mut world = Self {
            site: Site::of(redis).await,
            redis: connection,
            replicas: (0..REPLICAS).map(|_| Model::new(now)).collect(),
            now,
            crm: 0,
            accepted: BTreeMap::new(),
            states: Vec::new(),
        };
        world.wrote();
        world
    }

    fn server(&mut self) -> &mut Server {
        &mut self.site.server
    }

    /// Keeps what the server has now.
    fn wrote(&mut self) {
        let mut pipe = redis::pipe();
        for name in KEYS {
            pipe.cmd("DUMP").arg(key(name)).cmd("PTTL").arg(key(name));
        }
        let answer: Vec<redis::Value> = pipe.query(&mut self.redis).expect("an answer");
        let read = |pair: &[redis::Value]| {
            let dump = redis::from_redis_value(pair[0].clone()).expect("bytes");
            (dump, redis::from_redis_value(pair[1].clone()).expect("a time"))
        };
        self.states.push(answer.chunks(2).map(read).collect());
    }

    /// The server has lost so many writes.
    fn lose(&mut self, count: usize) {
        let left = self.states.len().saturating_sub(count).max(1);
        self.states.truncate(left);
        let mut pipe = redis::pipe();
        for (name, (dump, life)) in KEYS.iter().zip(&self.states[left - 1]) {
            pipe.cmd("DEL").arg(key(name)).ignore();
            if let Some(dump) = dump {
                pipe.cmd("RESTORE").arg(key(name)).arg((*life).max(0)).arg(dump).ignore();
            }
        }
        pipe.exec(&mut self.redis).expect("an answer");
    }

    pub(super) async fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Hold(at) => self.hold(at).await,
            Act::Release(at) => {
                let id = self.replicas[at].id;
                self.server().release(id).await.expect("an answer");
                let now = self.now;
                self.replicas[at].lease.rest(now);
                Ok(())
            }
            Act::Read(at) => self.read(at).await,
            Act::Ask(at) => {
                self.ask(at);
                Ok(())
            }
            Act::Look(at) => self.look(at, Arrival::Heard).await,
            Act::LookUnheard(at) => self.look(at, Arrival::Unheard).await,
            Act::LookLate(at) => self.look(at, Arrival::Late).await,
            Act::Arrive(at) => match self.replicas[at].late.take() {
                Some((version, content)) => self.switch(version, content).await.map(drop),
                None => Ok(()),
            },
            Act::Restart(at) => {
                let old = &self.replicas[at];
                // What it has sent arrives all the same.
                let new = Model {
                    late: old.late,
                    ..Model::on_disk(old.highest, old.content, old.version, self.now)
                };
                self.replicas[at] = new;
                Ok(())
            }
            Act::Change(content) => {
                self.crm = content;
                Ok(())
            }
            Act::Wait => {
                self.now += OVER;
                redis::cmd("DEL").arg(key("lease")).exec(&mut self.redis).expect("an answer");
                Ok(())
            }
            Act::Lose(count) => {
                self.lose(count);
                Ok(())
            }
        }?;
        if !matches!(act, Act::Lose(_) | Act::Change(_) | Act::Ask(_) | Act::Read(_) | Act::Restart(_)) {
            self.wrote();
        }
        Ok(())
    }

    async fn hold(&mut self, at: usize) -> Result<(), TestCaseError> {
        let (id, asked) = (self.replicas[at].id, self.replicas[at].lease.highest());
        let lease: Vec<Option<String>> = redis::cmd("HMGET")
            .arg(key("lease"))
            .arg(&["id", "epoch"])
            .query(&mut self.redis)
            .expect("an answer");
        let was_mine = lease[0].as_deref() == Some(&id.to_string());
        let answer = self.site.hold(id, asked).await;
        let (now, replica) = (self.now, &mut self.replicas[at]);
        if let Answer::Held { epoch } = answer {
            prop_assert!(epoch >= asked, "epoch {epoch} for a replica that has seen {asked}");
            prop_assert!(
                was_mine || epoch > asked,
                "epoch {epoch} again, for a replica that has seen {asked}"
            );
        }
        replica.lease.answered(&answer, now, now);
        replica.highest = replica.highest.max(replica.lease.highest());
        replica.view.publishes = replica.lease.publishes(now);
        Ok(())
    }

    async fn read(&mut self, at: usize) -> Result<(), TestCaseError> {
        let entries = self.site.entries().await;
        let (now, replica) = (self.now, &mut self.replicas[at]);
        if let Some(entry) = entries.get("crm") {
            let epoch = replica.slot.epoch_for(entry.version, replica.lease.publishes(now).is_some());
            replica.saw(epoch);
        }
        replica.view.entries = Arc::new(entries);
        replica.slot.reads();
        replica.view.publishes = replica.lease.publishes(now);
        match replica.slot.step(&wanted(), &replica.view, replica.id, now) {
            Step::Take(manifest) => {
                let content: u64 = manifest.sha256.parse().expect("a list");
                prop_assert_eq!(self.accepted.get(&manifest.version), Some(&content));
                let is_new = replica.content != Some(content);
                replica.has(manifest.version)?;
                replica.slot.takes(manifest.version, &replica.view, &wanted());
                replica.slot.uses(&wanted(), in_use(Some(content), is_new), None, 0);
                replica.content = Some(content);
            }
            Step::Confirmed(checked) => {
                replica.slot.confirm(checked);
                replica.slot.uses(&wanted(), in_use(replica.content, false), None, 0);
            }
            Step::Ask | Step::Wait => {}
        }
        Ok(())
    }

    /// Asks the CRM, if it is this replica's turn.
    fn ask(&mut self, at: usize) {
        let (now, crm, replica) = (self.now, self.crm, &mut self.replicas[at]);
        replica.view.publishes = replica.lease.publishes(now);
        if replica.slot.step(&wanted(), &replica.view, replica.id, now) != Step::Ask {
            return;
        }
        let epoch = replica.view.epoch(now);
        replica.slot.comes_from(Origin::Crm(epoch));
        let is_new = replica.content.replace(crm) != Some(crm);
        replica.slot.uses(&wanted(), in_use(Some(crm), is_new), None, 1);
    }

    async fn look(&mut self, at: usize, arrival: Arrival) -> Result<(), TestCaseError> {
        let (now, replica) = (self.now, &mut self.replicas[at]);
        let Some((epoch, _)) = replica.lease.publishes(now) else { return Ok(()) };
        match replica.slot.duty(&wanted(), &replica.view, epoch) {
            Some(Duty::Publish(publication)) => self.publish(at, epoch, &publication, arrival).await,
            Some(Duty::Keep(manifest, said)) => {
                let kept = self.site.server.keep("crm", &manifest, said).await.expect("an answer");
                self.replicas[at].slot.kept(said, kept);
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn publish(
        &mut self,
        at: usize,
        epoch: u64,
        publication: &Publication,
        arrival: Arrival,
    ) -> Result<(), TestCaseError> {
        let replica = &mut self.replicas[at];
        let Some(version) = replica.lease.next_version(replica.id, epoch, replica.slot.taken().0) else {
            return Ok(());
        };
        let content = publication.content.header().taken;
        if arrival == Arrival::Late {
            replica.late = Some((version, content));
            return Ok(());
        }
        let switched = self.switch(version, content).await?;
        let (now, replica) = (self.now, &mut self.replicas[at]);
        match (arrival, switched) {
            (Arrival::Heard, Switched::Done) => {
                replica.slot.published(version, publication);
                replica.has(version)?;
                self.read(at).await?;
            }
            (Arrival::Heard, Switched::Refused) => {
                let id = replica.id;
                replica.lease.refused(now);
                self.server().release(id).await.expect("an answer");
                self.read(at).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A switch reaches the server.
    async fn switch(&mut self, version: Version, content: u64) -> Result<Switched, TestCaseError> {
        let lease: Vec<Option<String>> = redis::cmd("HMGET")
            .arg(key("lease"))
            .arg(&["id", "epoch"])
            .query(&mut self.redis)
            .expect("an answer");
        let is_holders = lease == [Some(version.holder.to_string()), Some(version.epoch.to_string())];
        let before = self.site.entries().await.get("crm").map(|entry| entry.version);
        let manifest =
            Manifest { version, fingerprint: 7, sha256: content.to_string(), ..Manifest::default() };
        let switched = self.site.publish(&manifest).await;
        if switched == Switched::Done {
            prop_assert!(is_holders, "{:?} was taken from a replica without the lease", version);
            prop_assert!(before < Some(version), "{:?} after {:?}", version, before);
            let known = *self.accepted.entry(version).or_insert(content);
            prop_assert_eq!(known, content, "two lists as {:?}", version);
        }
        Ok(switched)
    }

    /// The server loses nothing any more. However it was before: after some renewals all have the CRM's list.
    pub(super) async fn settles(&mut self) -> Result<(), TestCaseError> {
        self.act(Act::Wait).await?;
        for _ in 0..4 {
            for at in 0..REPLICAS {
                for act in [Act::Read(at), Act::Hold(at), Act::Ask(at), Act::Look(at)] {
                    self.act(act).await?;
                }
            }
        }
        for at in 0..REPLICAS {
            self.act(Act::Read(at)).await?;
            prop_assert_eq!(self.replicas[at].content, Some(self.crm), "replica {}", at);
        }
        Ok(())
    }
}

/// What becomes of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Heard,
    Unheard,
    Late,
}
