//! The session with the server: it renews the lease, reads what the server has, and publishes what the holder has to. After a failure
//! it connects anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::ServerError;
use super::lease::Answer;
use super::list::now_in_millis;
use super::manifest::Manifest;
use super::pack::{self, Owner};
use super::replica::{Listed, Replica, locked};
use super::seal::Key;
use super::searches::{self, HEARD};
use super::server::{Event, Server, Switched};
use super::slot::{Duty, Kept, Publication};
use super::version::Version;
use crate::backoff::Backoff;
use crate::observe::panics;

/// The first wait after a failure, and the longest: short, because a new server is there some seconds after a failover.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The interval in which the entries are read without an event, and in which the holder looks after its chunks.
const READ_AGAIN: Duration = Duration::from_secs(30);
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// The most time to give the lease back at the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// Chunks that are packed and not sent yet.
const PACKED: usize = 2;

/// Talks with the server until the shutdown, and gives the lease back then.
pub async fn run(replica: Arc<Replica>, mut wished: mpsc::Receiver<String>, shutdown: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    let mut said = Vec::new();
    let talk = async {
        loop {
            let begun = Instant::now();
            let Err(error) = session(&replica, &mut wished).await;
            locked(&replica.lease).failed(Instant::now());
            replica.failed(&error.to_string(), &mut said);
            if begun.elapsed() > READ_AGAIN {
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
    wished: &mut mpsc::Receiver<String>,
) -> Result<Infallible, ServerError> {
    let secret = replica.settings.key.clone();
    let key = panics::blocking(move || Key::read(&secret)).await;
    let key = Arc::new(key.map_err(|panicked| ServerError::List(panicked.to_string()))??);
    *locked(&replica.key) = Some(Arc::clone(&key));
    let server = replica.connector.connect().await?;
    let (changed, mut changes) = mpsc::channel(1);
    let (searched, mut searches) = mpsc::channel(HEARD);
    let session = Session { replica, server, key, changed, searched };
    // Before the first attempt to get the lease: its epoch is higher than all that are there.
    session.read().await?;
    tokio::select! {
        ended = session.renew() => ended,
        ended = session.listen() => ended,
        ended = session.read_again(&mut changes) => ended,
        ended = session.look_after_lists() => ended,
        ended = session.pass_on(wished) => ended,
        ended = searches::exchange(replica, session.server.clone(), &session.key, &mut searches) => ended,
    }
}

struct Session<'a> {
    replica: &'a Arc<Replica>,
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
                        server.release(self.replica.id).await?;
                        locked(&self.replica.lease).rest(Instant::now());
                        self.replica.answered(|view| view.holder = None);
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
            self.replica.answered(|view| view.holder = holder);
            if let Some(epoch) = has.filter(|_| has != had) {
                info!(site = %self.replica.settings.site, epoch, "this replica asks the CRM for all replicas now");
                self.read_soon();
                self.replica.work.notify_one();
            } else if had.is_some() && has.is_none() {
                info!(site = %self.replica.settings.site, "another replica asks the CRM now");
            }
        }
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
            // Either way: now.
            let _ = timeout(READ_AGAIN, changes.recv()).await;
            self.read().await?;
        }
    }

    /// Listens to events, on a connection of its own: the server holds the answer back until there is one.
    async fn listen(&self) -> Result<Infallible, ServerError> {
        let mut server = self.replica.connector.connect_for_events().await?;
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
                        if let Some(listed) = self.replica.listed(&list) {
                            locked(&listed.slot).want();
                            // Its schedule looks again.
                            self.replica.view.send_modify(|_| {});
                        }
                    }
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

    /// Passes wishes on to the holder.
    async fn pass_on(&self, wished: &mut mpsc::Receiver<String>) -> Result<Infallible, ServerError> {
        let mut server = self.server.clone();
        while let Some(list) = wished.recv().await {
            server.want(&list).await?;
        }
        std::future::pending().await
    }

    /// Publishes what the holder has to publish, and keeps what is published alive.
    async fn look_after_lists(&self) -> Result<Infallible, ServerError> {
        let mut ticks = interval(LOOK_AFTER);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let keeps_all = tokio::select! {
                _ = ticks.tick() => true,
                () = self.replica.work.notified() => false,
            };
            for listed in self.replica.lists() {
                let view = self.replica.view.borrow().clone();
                let Some(epoch) = view.epoch(Instant::now()).filter(|_| view.is_up) else { break };
                let duty = locked(&listed.slot).duty(&listed.wanted, &view, epoch);
                match duty {
                    Some(Duty::Publish(publication)) => self.publish(&listed, &publication, epoch).await?,
                    Some(Duty::Keep(manifest, said)) if keeps_all || said.is_some() => {
                        let mut server = self.server.clone();
                        let kept = server.keep(&listed.wanted.list, &manifest, said).await?;
                        locked(&listed.slot).kept(said, kept);
                        match kept {
                            Kept::Whole => {}
                            Kept::Missing => self.replica.work.notify_one(),
                            Kept::Other => self.read_soon(),
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    async fn publish(
        &self,
        listed: &Listed,
        publication: &Publication,
        epoch: u64,
    ) -> Result<(), ServerError> {
        let list = &listed.wanted.list;
        let (here, _) = locked(&listed.slot).taken();
        let version = locked(&self.replica.lease).next_version(self.replica.id, epoch, here);
        let Some(version) = version else { return Ok(()) };
        let manifest = self.send(list, version, publication).await?;
        let manifest = Manifest {
            fingerprint: listed.wanted.fingerprint,
            by: self.replica.name.clone(),
            unusable: publication.unusable.clone(),
            ..manifest
        };
        let sealed = manifest.seal(&self.key, &self.replica.settings.site, list);
        let sealed = sealed.map_err(|_| ServerError::List("it can't be sealed".to_owned()))?;
        // Packing takes its time.
        let may_publish = locked(&self.replica.lease).publishes(Instant::now());
        if may_publish.is_none_or(|(now, _)| now != epoch) {
            return Ok(());
        }
        let checked = now_in_millis();
        match self.server.clone().switch(list, version, &sealed, checked).await? {
            Switched::Done => {
                let (entries, bytes) = (manifest.entries, manifest.bytes);
                info!(%list, %version, entries, bytes, "the list is published for all replicas");
                let taken = locked(&listed.slot).published(version, publication);
                locked(&self.replica.memory).took(list, taken);
                self.read().await
            }
            Switched::Refused => {
                info!(%list, %version, "the list is not published: another replica has published since");
                // The lease is asked for anew, with a higher epoch than all that are there.
                self.server.clone().release(self.replica.id).await?;
                locked(&self.replica.lease).refused(Instant::now());
                self.replica.answered(|_| {});
                self.read().await?;
                self.replica.lease_changed.notify_one();
                Ok(())
            }
        }
    }

    /// Sends the chunks of a list.
    async fn send(
        &self,
        list: &str,
        version: Version,
        publication: &Publication,
    ) -> Result<Manifest, ServerError> {
        let mut server = self.replica.connector.connect_for_chunks().await?;
        let (chunk, chunks) = mpsc::channel::<pack::Chunk>(PACKED);
        let (key, site) = (Arc::clone(&self.key), self.replica.settings.site.clone());
        let (list, content) = (list.to_owned(), publication.content.clone());
        let packing = panics::blocking(move || {
            let owner = Owner { key: &key, site: &site, list: &list, version };
            pack::pack(owner, &content, |packed| {
                chunk.blocking_send(packed).map_err(|_| std::io::ErrorKind::Interrupted.into())
            })
        });
        let sending = async move {
            // After a failure nobody takes the chunks any more, and the packing ends.
            let mut chunks = chunks;
            while let Some(packed) = chunks.recv().await {
                server.put_chunk(&packed.name, &packed.bytes).await?;
            }
            Ok::<_, ServerError>(())
        };
        let (packed, sent) = tokio::join!(packing, sending);
        sent?;
        let packed = packed.map_err(|panicked| ServerError::List(panicked.to_string()))?;
        packed.map_err(|error| ServerError::List(error.to_string()))
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
