//! Searches for strangers, shared for their hour: what one replica has found in the CRM, or has not, the others need not ask for.
//!
//! [`Exchange`] is between the searches of this service and its session with the server; no call touches it. A result is stored under a
//! name that only the key can make of its number, and sealed.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::Instant;

use super::error::ServerError;
use super::manifest::place;
use super::replica::Replica;
use super::seal::Key;
use super::server::Server;
use crate::entry::{Entry, Subscriber};
use crate::number::{Number, RecordNumber};

/// Results that may wait for the session, and for the searches of this service. The oldest one is dropped.
const QUEUE: usize = 256;
/// Names that may wait for the session: as many as the stream has events.
pub(super) const HEARD: usize = 1000;
/// Results that are read at once.
const BATCH: usize = 64;
/// The length of a stored result is a multiple of this, in bytes, so that it does not tell whether somebody was found.
const STEP: usize = 512;
/// The longest result that is stored, in bytes: some hundred people with one number.
const LONGEST: usize = 1 << 16;

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// Identifies the request to the CRM ([`Settings::fingerprint`](crate::source::Settings::fingerprint)).
    pub request: u64,
    /// The number that was searched for.
    pub number: Number,
    /// The entries with the number; none if the CRM does not have the number.
    pub entries: Vec<Entry>,
    /// Until when the result counts.
    pub until: Instant,
}

/// A result as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    request: u64,
    /// Packed.
    number: u64,
    /// Each subscriber, and whether the number is the likeliest one of its record.
    found: Vec<(Subscriber, bool)>,
}

impl Searched {
    /// The name of the result in the server.
    fn name(&self, key: &Key, site: &str) -> String {
        name(key, site, self.request, self.number)
    }

    /// The result as it is stored under this name; none if it is too long.
    fn seal(&self, key: &Key, site: &str, name: &str) -> Option<Vec<u8>> {
        let found = self.entries.iter().cloned().map(|entry| {
            let Entry { person_id, person, mrmrs, company_id, company, likely, .. } = entry;
            (Subscriber { person_id, person, mrmrs, company_id, company }, likely)
        });
        let stored = Stored { request: self.request, number: self.number.packed(), found: found.collect() };
        let mut bytes = serde_json::to_vec(&stored).ok()?;
        // JSON ends before the blanks.
        bytes.resize(bytes.len().next_multiple_of(STEP), b' ');
        if bytes.len() > LONGEST {
            return None;
        }
        key.seal(&place_of(site, name), bytes).ok()
    }

    /// Opens what is stored under this name. None if another key has sealed it, or it is damaged.
    fn open(key: &Key, site: &str, name: &str, sealed: Vec<u8>, until: Instant) -> Option<Self> {
        let bytes = key.open(&place_of(site, name), sealed).ok()?;
        let Stored { request, number, found } = serde_json::from_slice(&bytes).ok()?;
        let number = Number::from_packed(number)?;
        let entry =
            |(subscriber, likely): (Subscriber, bool)| subscriber.entry(RecordNumber { number, likely });
        Some(Self { request, number, entries: found.into_iter().map(entry).collect(), until })
    }
}

fn name(key: &Key, site: &str, request: u64, number: Number) -> String {
    key.name(&format!("search/{site}/{request:016x}/{:016x}", number.packed()))
}

fn place_of(site: &str, name: &str) -> String {
    place(site, name, "search")
}

/// Between the searches of this service and its session with the server.
#[derive(Debug)]
pub struct Exchange {
    waiting: Mutex<Waiting>,
    /// Something waits.
    work: Notify,
    heard: broadcast::Sender<Searched>,
}

/// What the session has to send.
#[derive(Debug, Default)]
struct Waiting {
    searched: VecDeque<Searched>,
    forgotten: BTreeSet<(u64, Number)>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { waiting: Mutex::default(), work: Notify::new(), heard: broadcast::Sender::new(QUEUE) }
    }
}

impl Exchange {
    /// Has the other replicas know a result. Without the server it is dropped, sooner or later.
    pub fn publish(&self, searched: Searched) {
        let mut waiting = self.waiting();
        if waiting.searched.len() >= QUEUE {
            waiting.searched.pop_front();
        }
        waiting.searched.push_back(searched);
        drop(waiting);
        self.work.notify_one();
    }

    /// Has the server forget the result for a number.
    pub fn forget(&self, request: u64, number: Number) {
        let mut waiting = self.waiting();
        waiting.searched.retain(|searched| (searched.request, searched.number) != (request, number));
        waiting.forgotten.insert((request, number));
        drop(waiting);
        self.work.notify_one();
    }

    /// The results of the other replicas from now on, and those of the last hour at each connection to the server. Those of this service
    /// come back, too.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Searched> {
        self.heard.subscribe()
    }

    /// As if another replica had searched.
    #[cfg(test)]
    pub(crate) fn hear(&self, searched: Searched) {
        self.heard.send(searched).unwrap();
    }

    /// Whether anybody wants results.
    pub(super) fn is_used(&self) -> bool {
        self.heard.receiver_count() > 0
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits. What is to be forgotten waits until the server has confirmed it.
    async fn send(&self, server: &mut Server, key: &Key, site: &str) -> Result<(), ServerError> {
        loop {
            let searched = self.waiting().searched.pop_front();
            let Some(searched) = searched else { break };
            let name = searched.name(key, site);
            let life = searched.until.saturating_duration_since(Instant::now());
            if let Some(sealed) = searched.seal(key, site, &name).filter(|_| !life.is_zero()) {
                server.put_search(&name, &sealed, life).await?;
            }
        }
        let forgotten: Vec<_> = self.waiting().forgotten.iter().copied().collect();
        for (request, number) in forgotten {
            server.remove_search(&name(key, site, request, number)).await?;
            self.waiting().forgotten.remove(&(request, number));
        }
        Ok(())
    }

    /// Reads results, and passes them on to the searches of this service.
    async fn take(
        &self,
        server: &mut Server,
        key: &Key,
        site: &str,
        names: &[String],
    ) -> Result<(), ServerError> {
        for (name, stored) in names.iter().zip(server.searches(names).await?) {
            let opened = stored
                .and_then(|(sealed, left)| Searched::open(key, site, name, sealed, Instant::now() + left));
            if let Some(searched) = opened {
                // Without a receiver nobody wants it.
                let _ = self.heard.send(searched);
            }
        }
        Ok(())
    }
}

/// Sends and takes results as long as the connection lasts. `names` are those that the events of the server have brought.
pub(super) async fn exchange(
    replica: &Replica,
    mut server: Server,
    key: &Key,
    names: &mut mpsc::Receiver<String>,
) -> Result<Infallible, ServerError> {
    let (exchange, site) = (&replica.exchange, replica.settings.site.as_str());
    let mut heard = Vec::new();
    loop {
        exchange.send(&mut server, key, site).await?;
        tokio::select! {
            () = exchange.work.notified() => {}
            // The session has the sender.
            _ = names.recv_many(&mut heard, BATCH) => {
                exchange.take(&mut server, key, site, &heard).await?;
                heard.clear();
            }
        }
    }
}

impl Server {
    /// Stores a result, and tells the other replicas.
    async fn put_search(&mut self, name: &str, sealed: &[u8], life: Duration) -> Result<(), ServerError> {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut put = redis::pipe();
        put.cmd("SET").arg(self.search(name)).arg(sealed).arg("PX").arg(life);
        put.cmd("XADD").arg(self.keys.named("events")).arg("MAXLEN").arg("~").arg(HEARD).arg("*");
        put.arg("searched").arg(name);
        put.exec_async(&mut self.connection).await?;
        Ok(())
    }

    async fn remove_search(&mut self, name: &str) -> Result<(), ServerError> {
        redis::cmd("DEL").arg(self.search(name)).exec_async(&mut self.connection).await?;
        Ok(())
    }

    /// The results with these names, and what is left of the life of each.
    async fn searches(&mut self, names: &[String]) -> Result<Vec<Option<(Vec<u8>, Duration)>>, ServerError> {
        let (mut get, mut lives) = (redis::cmd("MGET"), redis::pipe());
        for name in names {
            get.arg(self.search(name));
            lives.cmd("PTTL").arg(self.search(name));
        }
        let stored: Vec<Option<Vec<u8>>> = get.query_async(&mut self.connection).await?;
        let lives: Vec<i64> = lives.query_async(&mut self.connection).await?;
        let pairs = stored.into_iter().zip(lives).map(|(sealed, life)| {
            let life = u64::try_from(life).ok().filter(|life| *life > 0)?;
            Some((sealed?, Duration::from_millis(life)))
        });
        Ok(pairs.collect())
    }

    /// The names of the last results that were stored, the latest last.
    pub(super) async fn last_searches(&mut self) -> Result<Vec<String>, ServerError> {
        let mut last = redis::cmd("XREVRANGE");
        last.arg(self.keys.named("events")).arg("+").arg("-").arg("COUNT").arg(HEARD);
        let events: Vec<(String, Vec<String>)> = last.query_async(&mut self.connection).await?;
        let named = events.into_iter().rev().filter_map(|(_, fields)| match fields.as_slice() {
            [kind, name] if kind == "searched" => Some(name.clone()),
            _ => None,
        });
        Ok(named.collect())
    }

    fn search(&self, name: &str) -> String {
        self.keys.named(&format!("search:{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn searched(national: u64, names: &[&str]) -> Searched {
        let number = Number::new(47, national).unwrap();
        let entries = names.iter().map(|name| Entry::example(number, (7, name), (2, "Fjord Sjømat AS")));
        Searched { request: 9, number, entries: entries.collect(), until: Instant::now() }
    }

    #[test]
    fn a_result_is_opened_under_its_name_only_and_its_length_tells_nothing() {
        let key = Key::read(&Secret::Given("07".repeat(32).into())).unwrap();
        let (found, absent) = (searched(22_544_545, &["Per Strand", "Eva Berg"]), searched(22_999_999, &[]));
        let mut lengths = Vec::new();
        for searched in [&found, &absent] {
            let name = searched.name(&key, "oslo");
            let sealed = searched.seal(&key, "oslo", &name).unwrap();
            lengths.push(sealed.len());
            let open = |site, name: &str| Searched::open(&key, site, name, sealed.clone(), searched.until);
            assert_eq!(open("oslo", &name).as_ref(), Some(searched));
            assert_eq!((open("bergen", &name), open("oslo", "another")), (None, None));
        }
        assert_eq!(lengths[0], lengths[1]);
        assert_ne!(found.name(&key, "oslo"), absent.name(&key, "oslo"));
        assert_ne!(found.name(&key, "oslo"), found.name(&key, "bergen"));
        let other = Searched { request: 8, ..found.clone() };
        assert_ne!(found.name(&key, "oslo"), other.name(&key, "oslo"));
        let crowd = vec!["Per Strand"; 2_000];
        assert_eq!(searched(1, &crowd).seal(&key, "oslo", "name"), None);
    }

    #[test]
    fn without_a_session_little_is_kept_and_what_is_forgotten_is_not_sent() {
        let exchange = Exchange::default();
        for national in 1..=1_000 {
            exchange.publish(searched(national, &["Per Strand"]));
        }
        exchange.forget(9, Number::new(47, 1_000).unwrap());
        let waiting = exchange.waiting();
        assert_eq!((waiting.searched.len(), waiting.forgotten.len()), (QUEUE - 1, 1));
        assert!(waiting.searched.back().unwrap().number == Number::new(47, 999).unwrap());
    }
}
