//! A stand-in for SuperOffice's server: `POST {api}/v1/Agents/Pocket/GetMyCallerIDs` as its public
//! reference describes it, with its odd ways, and with the ways in which servers fail.
//!
//! It speaks HTTP/1.1 on a socket of its own rather than through a framework, because a server that
//! is to break off in the middle of an answer has to own its bytes.
//!
//! In reading order:
//! - [`record`]: what the CRM knows, and the collection it becomes;
//! - [`http`]: requests read, answers written;
//! - [`fault`]: how to fail;
//! - [`pocket`]: the Pocket agent, which is what an honest server does;
//! - [`phonesearch`]: the search for a number;
//! - [`credential`]: who is let in;
//! - [`login`]: the login host of the cloud;
//! - [`server`]: connections, and what an honest server answers;
//! - this file: what a test can tell the server at run time.
//!
//! Other agents join in [`pocket`]'s place beside it.

pub(crate) mod credential;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod login;
pub(crate) mod phonesearch;
pub(crate) mod pocket;
pub(crate) mod record;

mod checks;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use credential::Credential;
pub(crate) use fault::Fault;
pub(crate) use http::{Answer, Request};
pub(crate) use phonesearch::Hit;
pub(crate) use record::{Collection, Record};

/// The path under which an installation on a company's own server has its API.
const BASE: &str = "/SuperOffice/api";

/// How "the same set as your `LastHash`" is said. The reference says `null`; clients have to
/// understand all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// 200 with the JSON value `null`.
    #[default]
    Null,
    /// 200 with nothing in it.
    Empty,
    /// 204.
    NoContent,
}

/// A server on a free port of 127.0.0.1; gone when dropped, open connections too.
pub(crate) struct StandIn {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
    /// Keeps the port while nothing listens.
    place: Option<TcpSocket>,
}

struct Shared {
    setting: Mutex<Setting>,
    /// How many requests have come.
    count: watch::Sender<usize>,
    /// `http://127.0.0.1:PORT`
    origin: String,
}

/// All that a test can change while the server runs.
struct Setting {
    credential: Credential,
    /// `SO-AppToken`, where it is wanted.
    app_token: Option<String>,
    collection: Collection,
    /// Further users, each with what it knows.
    users: Vec<(Credential, Collection)>,
    selections: BTreeMap<u64, Collection>,
    search: phonesearch::Search,
    login: login::Login,
    /// Whether answers are compressed for who takes that.
    gzip: bool,
    unchanged: Unchanged,
    delay: Duration,
    fault: Option<Fault>,
    /// How often `fault` is still to happen; `None`: until it is healed.
    times: Option<usize>,
    requests: Vec<Request>,
}

impl StandIn {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts a server that knows `records` and lets in the user `nameplate` with the password
    /// `pass:wørd`.
    pub(crate) async fn start(records: Vec<Record>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let setting = Setting {
            // A colon in the password and a letter beyond ASCII: RFC 7617 §2 allows both.
            credential: Credential::basic("nameplate", "pass:wørd"),
            app_token: None,
            collection: Collection::new(records),
            users: Vec::new(),
            selections: BTreeMap::new(),
            search: phonesearch::Search::default(),
            login: login::Login::default(),
            gzip: false,
            unchanged: Unchanged::default(),
            delay: Duration::ZERO,
            fault: None,
            times: None,
            requests: Vec::new(),
        };
        let shared = Arc::new(Shared {
            setting: Mutex::new(setting),
            count: watch::Sender::new(0),
            origin: format!("http://{address}"),
        });
        let server = tokio::spawn(server::serve(shared.clone(), listener));
        Ok(Self { shared, address, server: Some(server), place: None })
    }

    /// What belongs into a configuration's `api`.
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// What belongs into a configuration's `host`.
    pub(crate) fn host(&self) -> String {
        self.shared.origin.clone()
    }

    /// Changes what the login host does, or looks at what it has done.
    pub(crate) fn login<T>(&self, look: impl FnOnce(&mut login::Login) -> T) -> T {
        look(&mut self.shared.setting().login)
    }

    /// From now on `SO-AppToken` has to be this.
    pub(crate) fn set_app_token(&self, token: &str) {
        self.shared.setting().app_token = Some(token.to_owned());
    }

    /// A further user, who knows other persons and companies.
    pub(crate) fn add_user(&self, credential: Credential, records: Vec<Record>) {
        self.shared.setting().users.push((credential, Collection::new(records)));
    }

    /// The persons and companies of a selection.
    pub(crate) fn set_selection(&self, id: u64, records: Vec<Record>) {
        self.shared.setting().selections.insert(id, Collection::new(records));
    }

    /// Changes who is found by a search, and how it is answered.
    pub(crate) fn search<T>(&self, look: impl FnOnce(&mut phonesearch::Search) -> T) -> T {
        look(&mut self.shared.setting().search)
    }

    /// What has been searched for so far.
    pub(crate) fn searched(&self) -> Vec<String> {
        let is_search = |request: &Request| request.path.ends_with(phonesearch::PHONE_SEARCH);
        let requests = self.requests().into_iter().filter(is_search);
        requests.map(|request| request.query.unwrap_or_default()).collect()
    }

    /// Answers are compressed from now on, for who says that it takes that.
    pub(crate) fn set_gzip(&self) {
        self.shared.setting().gzip = true;
    }

    /// The credential that is let in.
    pub(crate) fn credential(&self) -> Credential {
        self.shared.setting().credential.clone()
    }

    /// From now on this one.
    pub(crate) fn set_credential(&self, credential: Credential) {
        self.shared.setting().credential = credential;
    }

    /// The CRM's data changes, and with it the hash.
    pub(crate) fn set_records(&self, records: Vec<Record>) {
        let collection = Collection::new(records);
        self.shared.setting().collection = collection;
    }

    /// The hash of the set as it is now.
    pub(crate) fn hash(&self) -> String {
        self.shared.setting().collection.hash().to_owned()
    }

    /// How "unchanged" is said from now on.
    pub(crate) fn set_unchanged(&self, unchanged: Unchanged) {
        self.shared.setting().unchanged = unchanged;
    }

    /// Each answer is held back for so long.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.shared.setting().delay = delay;
    }

    /// Every request fails, until [`StandIn::heal`].
    pub(crate) fn fail(&self, fault: Fault) {
        let mut setting = self.shared.setting();
        (setting.fault, setting.times) = (Some(fault), None);
    }

    /// The next `times` requests fail, then all is well again.
    pub(crate) fn fail_next(&self, times: usize, fault: Fault) {
        let mut setting = self.shared.setting();
        (setting.fault, setting.times) = (Some(fault), Some(times));
    }

    /// No more faults and no delay.
    pub(crate) fn heal(&self) {
        let mut setting = self.shared.setting();
        (setting.fault, setting.delay) = (None, Duration::ZERO);
    }

    /// Nothing listens any more, open connections break: "connection refused" from now on.
    pub(crate) async fn go_down(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
            // Nobody else is to have the port meanwhile.
            self.place = place(self.address).ok();
        }
    }

    /// Listens again, on the same port.
    pub(crate) async fn come_up(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            let socket = self.place.take().map_or_else(|| place(self.address), Ok)?;
            let listener = socket.listen(1_024)?;
            self.server = Some(tokio::spawn(server::serve(self.shared.clone(), listener)));
        }
        Ok(())
    }

    /// All requests so far, whatever they asked for and whatever became of them.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.setting().requests.clone()
    }

    /// How many requests have come so far.
    pub(crate) fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// Waits until `count` requests have come in all; false when they have not within `wait`.
    pub(crate) async fn until_count(&self, count: usize, wait: Duration) -> bool {
        let mut counts = self.shared.count.subscribe();
        let reached = counts.wait_for(|&now| now >= count);
        matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_)))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Shared {
    fn setting(&self) -> MutexGuard<'_, Setting> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, request: Request) -> usize {
        let mut setting = self.setting();
        setting.requests.push(request);
        let count = setting.requests.len();
        drop(setting);
        self.count.send_replace(count);
        count - 1
    }
}

impl Setting {
    fn next_fault(&mut self) -> Option<Fault> {
        match &mut self.times {
            None => self.fault.clone(),
            Some(0) => None,
            Some(left) => {
                *left -= 1;
                self.fault.clone()
            }
        }
    }
}

/// A place at this address, where nothing listens yet.
fn place(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
