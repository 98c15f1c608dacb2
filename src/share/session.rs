//! The session with the server: it renews the lease, reads what the server has, and publishes what the holder has to. After a failure
//! it connects anew.

mod publishing;
mod told;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::ServerError;
use super::lease::Answer;
use super::replica::{Listed, Replica, Wish, locked};
use super::seal::Key;
use super::searches::{self, HEARD};
use super::server::{Event, Server};
use crate::backoff::Backoff;
use crate::lists::forgetting::Forgetting;
use crate::observe::panics;

/// The first wait after a failure, and the longest: short, because a new server is there some seconds after a failover.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The interval in which the entries are read without an event.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// A connection that has been of use for so long has lasted: a new failure is none of those before.
const LASTING: Duration = Duration::from_secs(30);
/// The most time to give the lease back at the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Talks with the server until the shutdown, and gives the lease back then. `service` has the lists, and follows the other replicas.
pub async fn run(
    replica: Arc<Replica>,
    mut wished: mpsc::Receiver<Wish>,
    service: Forgetting,
    shutdown: CancellationToken,
) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let talk = async {
        loop {
            let begun = Instant::now();
            let Err(error) = session(&replica, &service, &mut wished).await;
            locked(&replica.lease).failed(Instant::now());
            replica.failed(&error.to_string());
            if begun.elapsed() > LASTING {
                backoff.reset();
            }
            sleep(backoff.next_wait()).await;
        }
    };
    let talk = Box::pin(talk);
    tokio::select! {
        () = shutdown.cancelled() => {}
        never = talk => match never {},
    }
    if replica.view.borrow().publishes.is_some() {
        let release = async {
            let mut server = replica.connector.connect().await?;
            server.release(replica.id).await
        };
        // Without it the lease ends by itself.
        let _ = timeout(FAREWELL, release).await;
    }
}

/// One connection to the server, until it fails.
async fn session(
    replica: &Arc<Replica>,
    service: &Forgetting,
    wished: &mut mpsc::Receiver<Wish>,
) -> Result<Infallible, ServerError> {
    let secret = replica.settings.key.clone();
    let key = panics::blocking(move || Key::read(&secret)).await;
    let key = Arc::new(key.map_err(|panicked| ServerError::List(panicked.to_string()))??);
    *locked(&replica.key) = Some(Arc::clone(&key));
    let server = replica.connector.connect().await?;
    *locked(&replica.server) = Some(server.clone());
    let (changed, mut changes) = mpsc::channel(1);
    let (searched, mut searches) = mpsc::channel(HEARD);
    let session = Session { replica, service, server, key, changed, searched };
    // Before the first attempt to get the lease: its epoch is higher than all that are there.
    session.read().await?;
    tokio::select! {
        ended = session.renew() => ended,
        ended = session.listen() => ended,
        ended = session.read_again(&mut changes) => ended,
        ended = session.look_after_lists() => ended,
        ended = session.pass_on(wished) => ended,
        ended = searches::exchange(replica, session.server.clone(), &session.key, &mut searches) => ended,
        ended = session.live() => ended,
        never = session.lasts() => match never {},
    }
}

struct Session<'a> {
    replica: &'a Arc<Replica>,
    service: &'a Forgetting,
    server: Server,
    key: Arc<Key>,
    /// Wakes [`Self::read_again`].
    changed: mpsc::Sender<()>,
    /// The names of searches that have a result.
    searched: mpsc::Sender<String>,
}

impl Session<'_> {
    /// Has the entries read soon. A full queue means that they will be.
    fn read_soon(&self) {
        let _ = self.changed.try_send(());
    }

    /// Has the result of a search read, if anybody wants it. Where too many wait, the caller is searched for once more.
    fn take_search(&self, name: String) {
        if self.replica.exchange.is_used() {
            let _ = self.searched.try_send(name);
        }
    }

    /// Gets and renews the lease.
    async fn renew(&self) -> Result<Infallible, ServerError> {
        let mut server = self.server.clone();
        loop {
            let (next, highest) = {
                let lease = locked(&self.replica.lease);
                (lease.next(), lease.highest())
            };
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.replica.lease_changed.notified() => {
                    if self.replica.gives_up.swap(false, Ordering::Relaxed) {
                        info!(site = %self.replica.settings.site, "the lease is left to another replica: this one has no list, and can't get one");
                        self.leave_lease().await?;
                    }
                    continue;
                }
            }
            let sent = Instant::now();
            let answer = server.hold(self.replica.id, highest, &self.key, &self.replica.name).await?;
            if answer == Answer::OtherKey {
                return Err(ServerError::OtherKey);
            }
            let (had, has, highest) = {
                let mut lease = locked(&self.replica.lease);
                let had = lease.publishes(sent).map(|(epoch, _)| epoch);
                lease.answered(&answer, sent, Instant::now());
                (had, lease.publishes(Instant::now()).map(|(epoch, _)| epoch), lease.highest())
            };
            let holder = server.holder().await?;
            locked(&self.replica.memory).saw(highest);
            self.replica.answered(|view| (view.holder_id, view.holder) = holder.unzip());
            if let Some(epoch) = has.filter(|_| has != had) {
                info!(site = %self.replica.settings.site, epoch, "this replica asks the CRM for all replicas now");
                self.read_soon();
                self.replica.work.notify_one();
            } else if had.is_some() && has.is_none() {
                info!(site = %self.replica.settings.site, "another replica asks the CRM now");
            }
        }
    }

    /// Leaves the lease to another replica for a while.
    async fn leave_lease(&self) -> Result<(), ServerError> {
        self.server.clone().release(self.replica.id).await?;
        locked(&self.replica.lease).rest(Instant::now());
        self.replica.answered(|view| (view.holder_id, view.holder) = (None, None));
        Ok(())
    }

    fn saw(&self, epoch: u64) {
        locked(&self.replica.lease).saw(epoch);
        locked(&self.replica.memory).saw(epoch);
    }

    /// Reads the entries of all lists.
    async fn read(&self) -> Result<(), ServerError> {
        let lists = self.replica.lists();
        let names: Vec<String> = lists.iter().map(|listed| listed.wanted.list.clone()).collect();
        let mut server = self.server.clone();
        let entries = server.entries(&self.key, &self.replica.settings.site, &names).await?;
        let is_holder = locked(&self.replica.lease).publishes(Instant::now()).is_some();
        for Listed { wanted, slot } in &lists {
            if let Some(entry) = entries.get(&wanted.list) {
                let epoch = locked(slot).epoch_for(entry.version, is_holder);
                self.saw(epoch);
            }
        }
        let entries = Arc::new(entries);
        // Until the first answer about the lease the server is not known to be ours.
        if self.replica.view.borrow().is_up {
            self.replica.answered(|view| view.entries = Arc::clone(&entries));
        } else {
            self.replica.view.send_modify(|view| view.entries = Arc::clone(&entries));
        }
        for Listed { wanted, slot } in lists {
            locked(&slot).reads();
            let view = self.replica.view.borrow().clone();
            if let Some(remark) = locked(&slot).remark(&wanted, &view) {
                let list = &wanted.list;
                warn!(%list, "the list of the other replicas is not taken, and this service asks for its own: {remark}");
            }
        }
        self.replica.work.notify_one();
        Ok(())
    }

    /// Reads them again after each event, and without one from time to time.
    async fn read_again(&self, changes: &mut mpsc::Receiver<()>) -> Result<Infallible, ServerError> {
        loop {
            // Each way: now.
            tokio::select! {
                _ = changes.recv() => {}
                () = self.replica.added.notified() => {}
                () = sleep(READ_AGAIN) => {}
            }
            self.read().await?;
        }
    }

    /// Listens to events, on a connection of its own: the server holds the answer back until there is one.
    async fn listen(&self) -> Result<Infallible, ServerError> {
        let mut server = self.server.for_events().await?;
        let mut last = server.last_event().await?;
        // What has happened since the entries were read.
        self.read_soon();
        if self.replica.exchange.is_used() {
            for name in server.last_searches().await? {
                self.take_search(name);
            }
        }
        loop {
            for event in server.next_events(&mut last).await? {
                match event {
                    Event::Changed => self.read_soon(),
                    Event::Searched(name) => self.take_search(name),
                    Event::Wanted(list) => {
                        let is_holder = self.replica.view.borrow().epoch(Instant::now()).is_some();
                        if let Some(listed) = self.replica.listed(&list).filter(|_| is_holder) {
                            locked(&listed.slot).want();
                            // Its schedule looks again.
                            self.replica.view.send_modify(|_| {});
                        }
                    }
                    Event::Accept { list, id, request } => self.accept(&list, id, request),
                    Event::Answer(request, answer) => self.replica.is_answered(request, answer),
                    // At once: the next event may be an order to ask the CRM.
                    Event::Forgotten => self.follow_forgotten().await?,
                }
            }
            // After a failover or `FLUSHALL` the ids may have begun again.
            let now = server.last_event().await?;
            if is_before(&now, &last) {
                last = now;
                self.read_soon();
            }
        }
    }

    /// Says when the connection has lasted.
    async fn lasts(&self) -> Infallible {
        // It is never closed.
        let _ = self.replica.view.subscribe().wait_for(|view| view.is_up).await;
        sleep(LASTING).await;
        self.replica.lasts();
        std::future::pending().await
    }

    /// Passes wishes on to the other replicas.
    async fn pass_on(&self, wished: &mut mpsc::Receiver<Wish>) -> Result<Infallible, ServerError> {
        while let Some(wish) = wished.recv().await {
            self.pass(wish).await?;
        }
        std::future::pending().await
    }
}

/// Whether an event's id is before another's.
fn is_before(one: &str, other: &str) -> bool {
    let parts = |id: &str| -> Option<(u64, u64)> {
        let (time, count) = id.split_once('-')?;
        Some((time.parse().ok()?, count.parse().ok()?))
    };
    parts(one) < parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_events_are_compared_as_numbers() {
        assert!(is_before("9-1", "10-0") && is_before("10-2", "10-10"));
        assert!(!is_before("10-0", "10-0") && !is_before("11-0", "10-9"));
    }
}
