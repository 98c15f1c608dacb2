//! What the replicas of a site know, as seen from outside while a test makes trouble.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nameplate::directory::list::file::ListFile;
use nameplate::share::version::{ReplicaId, Version};
use serde_json::Value;

use super::super::people::one_of_crowd;
use super::super::redis::Watched;
use super::{Member, PEOPLE, SITE};

/// How often each of them is asked, its disk is read, and the servers are.
const ASK: Duration = Duration::from_millis(100);
const DISK: Duration = Duration::from_millis(300);
const SERVERS: Duration = Duration::from_millis(50);
/// How long an answer may take before it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has been seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What must not be, in words.
    pub wrong: Vec<String>,
    /// Answers with a name.
    pub named: usize,
    /// The versions that a server had, with what was sealed under each.
    pub published: BTreeMap<String, Vec<u8>>,
    /// The CRM's hash of the list that replicas have had under each version.
    pub taken: HashMap<(u64, u64, u64), String>,
}

struct Shared {
    seen: Mutex<Seen>,
    /// When each replica was first seen to know each generation.
    arrivals: Vec<Mutex<BTreeMap<u32, Instant>>>,
    /// Whether the test has taken it away.
    away: Vec<AtomicBool>,
    is_over: AtomicBool,
}

/// Looks until it is dropped.
pub(crate) struct Witness {
    shared: Arc<Shared>,
    looking: Vec<JoinHandle<()>>,
}

impl Witness {
    pub(super) fn of(members: &[Member], watched: &Watched) -> Self {
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            arrivals: members.iter().map(|_| Mutex::default()).collect(),
            away: members.iter().map(|_| AtomicBool::new(false)).collect(),
            is_over: AtomicBool::new(false),
        });
        let mut looking = Vec::new();
        for (place, member) in members.iter().enumerate() {
            let (shared, web) = (Arc::clone(&shared), member.web);
            looking.push(thread::spawn(move || ask_on(place, web, &shared)));
        }
        let (of_disks, states) =
            (Arc::clone(&shared), members.iter().map(|member| member.state.clone()).collect());
        looking.push(thread::spawn(move || read_disks(states, &of_disks)));
        for server in &watched.servers {
            let (shared, url) = (Arc::clone(&shared), server.administrators_url());
            looking.push(thread::spawn(move || look_at_server(&url, &shared)));
        }
        Self { shared, looking }
    }

    /// When this replica was first seen to know this generation or a later one.
    pub(super) fn arrival(&self, place: usize, generation: u32) -> Option<Instant> {
        locked(&self.shared.arrivals[place]).range(generation..).map(|(_, at)| *at).min()
    }

    pub(super) fn set_away(&self, place: usize, is_away: bool) {
        self.shared.away[place].store(is_away, Ordering::SeqCst);
    }

    pub(super) fn is_away(&self, place: usize) -> bool {
        self.shared.away[place].load(Ordering::SeqCst)
    }

    pub(super) fn seen(&self) -> Seen {
        locked(&self.shared.seen).clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for looking in self.looking.drain(..) {
            drop(looking.join());
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn goes_on(&self, pause: Duration) -> bool {
        thread::sleep(pause);
        !self.is_over.load(Ordering::Relaxed)
    }

    fn wrong(&self, what: String) {
        eprintln!("{what}");
        locked(&self.seen).wrong.push(what);
    }
}

/// The number of the person whose name changes.
pub(super) fn last_number() -> String {
    one_of_crowd(PEOPLE - 1).0
}

/// What the replica answers to a path; none while it does not.
pub(super) fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    // A whole answer: a killed program leaves a half one.
    (head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 404 ")).then(|| body.trim().to_owned())
}

/// The name of this number; empty for none.
pub(super) fn ask(address: SocketAddr, number: &str) -> Option<String> {
    get(address, &format!("/lookup?number={number}"))
}

/// The generation in a name.
fn generation(name: &str) -> Option<u32> {
    name.strip_prefix("Version ")?.split_whitespace().next()?.parse().ok()
}

fn ask_on(place: usize, web: SocketAddr, shared: &Shared) {
    let (number, last) = (one_of_crowd(0), last_number());
    // Before its first list it knows nobody.
    let (mut has_list, mut newest) = (false, 0);
    while shared.goes_on(ASK) {
        // What was asked while it was taken away does not count.
        let is_away = || shared.away[place].load(Ordering::SeqCst);
        if is_away() {
            continue;
        }
        let names = (ask(web, &number.0), ask(web, &last));
        let (false, (Some(fixed), Some(changing))) = (is_away(), names) else { continue };
        match generation(&changing) {
            Some(known) if known >= newest => {
                if known > newest {
                    locked(&shared.arrivals[place]).insert(known, Instant::now());
                }
                (has_list, newest) = (true, known);
            }
            Some(known) => {
                shared.wrong(format!("replica {place} went back from generation {newest} to {known}"));
            }
            None if has_list => shared.wrong(format!("replica {place} answers {changing:?} to {last}")),
            None => continue,
        }
        if fixed == number.1 {
            locked(&shared.seen).named += 1;
        } else {
            shared.wrong(format!("replica {place} answers {fixed:?} to {}", number.0));
        }
    }
}

/// The id of the replica that runs, as the servers have it.
pub(super) fn id(state: &Path) -> Option<String> {
    let known: Value = serde_json::from_slice(&std::fs::read(state.join("share.json")).ok()?).ok()?;
    serde_json::from_value::<ReplicaId>(known["id"].clone()).ok().map(|id| id.to_string())
}

/// The version that a replica has on disk, with the CRM's hash of the list beside it; none if the list is another one.
fn on_disk(state: &Path) -> Option<((u64, u64, u64), String)> {
    let known: Value = serde_json::from_slice(&std::fs::read(state.join("share.json")).ok()?).ok()?;
    let taken = &known["lists"]["crm"];
    let Version { epoch, holder, sequence } = serde_json::from_value(taken["version"].clone()).ok()?;
    let file = ListFile::open(&state.join("lists/crm.list")).ok()?;
    let header = file.header();
    (taken["at"].as_u64() == Some(header.taken)).then(|| ((epoch, holder.0, sequence), header.hash.clone()))
}

/// What two looks have found counts: the list and its version are written one after the other.
fn read_disks(states: Vec<PathBuf>, shared: &Shared) {
    let mut before: Vec<_> = states.iter().map(|_| None).collect();
    while shared.goes_on(DISK) {
        for (place, state) in states.iter().enumerate() {
            let now = on_disk(state);
            if now.is_some()
                && now == before[place]
                && let Some((version, hash)) = now.clone()
            {
                let known = locked(&shared.seen).taken.entry(version).or_insert_with(|| hash.clone()).clone();
                if known != hash {
                    shared.wrong(format!("replica {place} has another list than the others as {version:?}"));
                }
            }
            before[place] = now;
        }
    }
}

fn look_at_server(url: &str, shared: &Shared) {
    let mut connection = None;
    while shared.goes_on(SERVERS) {
        if connection.is_none() {
            connection =
                redis::Client::open(url).and_then(|client| client.get_connection_with_timeout(PATIENCE)).ok();
        }
        let Some(server) = &mut connection else { continue };
        let _ = server.set_read_timeout(Some(PATIENCE));
        let mut get = redis::cmd("HMGET");
        get.arg(format!("{{np:{SITE}}}:list:crm")).arg(&["epoch", "holder", "sequence", "manifest"]);
        let fields: redis::RedisResult<Vec<Option<Vec<u8>>>> = get.query(server);
        match fields {
            Ok(fields) => note_published(fields, shared),
            Err(_) => connection = None,
        }
    }
}

fn note_published(fields: Vec<Option<Vec<u8>>>, shared: &Shared) {
    let Some(fields) = fields.into_iter().collect::<Option<Vec<_>>>() else { return };
    let [epoch, holder, sequence, sealed] = &fields[..] else { return };
    let version = [epoch, holder, sequence].map(|part| String::from_utf8_lossy(part)).join(".");
    // Nobody seals the same twice.
    let known =
        locked(&shared.seen).published.entry(version.clone()).or_insert_with(|| sealed.clone()).clone();
    if known != *sealed {
        shared.wrong(format!("two lists were published as {version}"));
    }
}
