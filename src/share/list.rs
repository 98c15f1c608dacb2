//! A shared list, for its schedule: when the next one is there, and where it comes from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::ServerError;
use super::manifest::Manifest;
use super::pack::{self, Owner};
use super::replica::{Replica, ShareStatus, Wish, locked};
use super::slot::{InUse, Origin, Slot, Step, Wanted};
use crate::observe::panics;
use crate::source::{Delivery, Fetched, SourceError};

/// The longest wait for the holder to ask the CRM, after an order.
pub(super) const HOLDER: Duration = Duration::from_secs(20);
/// The longest wait of a replica before it takes a list of several chunks: not all take it at the same moment.
const SPREAD: Duration = Duration::from_secs(1);
/// Chunks that are on the way at once.
const IN_FLIGHT: usize = 4;

/// A list of the configuration that the replicas share. A clone is the same list.
#[derive(Clone)]
pub struct SharedList {
    pub(super) replica: Arc<Replica>,
    pub(super) wanted: Wanted,
    pub(super) slot: Arc<Mutex<Slot>>,
}

impl std::fmt::Debug for SharedList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedList").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// Whether both are the same list of the same replica.
impl PartialEq for SharedList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.replica, &other.replica) && self.wanted == other.wanted
    }
}

impl SharedList {
    pub(super) fn step(&self) -> Step {
        let view = self.replica.view.borrow().clone();
        locked(&self.slot).step(&self.wanted, &view, self.replica.id, Instant::now())
    }

    /// Returns when the next list is there: it is in the server, the holder has confirmed the one in use, or this replica has to ask the
    /// CRM at `until`.
    pub async fn due(&self, until: Instant) {
        let mut views = self.replica.view.subscribe();
        loop {
            let view = views.borrow_and_update().clone();
            let next = {
                let slot = locked(&self.slot);
                slot.due(&self.wanted, &view, self.replica.id, until, Instant::now())
            };
            let Some(next) = next else { return };
            tokio::select! {
                // It is never closed: this list has its sender.
                _ = views.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// The next list: from the server, or from the CRM by `ask`.
    pub async fn fetch(
        &self,
        ask: impl Future<Output = Result<Fetched, SourceError>>,
    ) -> Result<Fetched, SourceError> {
        let mut step = self.step();
        if step == Step::Wait {
            // A command wants the list now.
            let is_up = self.replica.view.borrow().is_up;
            step = if is_up { self.ask_holder().await? } else { Step::Ask };
        }
        match step {
            Step::Take(manifest) => {
                let view = self.replica.view.borrow().clone();
                locked(&self.slot).takes(manifest.version, &view, &self.wanted);
                let taken = self.take(&manifest).await;
                taken.map(Fetched::Entries).map_err(|error| {
                    locked(&self.slot).failed(manifest.version);
                    SourceError::Replicas(format!("the list that {} has published: {error}", manifest.by))
                })
            }
            Step::Ask => {
                let epoch = self.replica.view.borrow().epoch(Instant::now());
                locked(&self.slot).comes_from(Origin::Crm(epoch));
                let fetched = ask.await;
                if fetched.is_err() && epoch.is_some() && locked(&self.slot).is_empty() {
                    // Another replica may have a list that the server has lost, or reach the CRM.
                    let failed = locked(&self.slot).could_not_be_taken();
                    self.replica.give_up(&self.wanted.list, failed);
                }
                fetched
            }
            Step::Confirmed(checked) => {
                locked(&self.slot).confirm(checked);
                Ok(Fetched::Unchanged)
            }
            Step::Wait => Err(self.no_answer("has not asked")),
        }
    }

    /// The holder has not done something in time.
    pub(super) fn no_answer(&self, what: &str) -> SourceError {
        let holder = self.replica.view.borrow().holder.clone();
        let holder = holder.unwrap_or_else(|| "the replica that asks".to_owned());
        let seconds = HOLDER.as_secs();
        SourceError::Replicas(format!("{holder} {what} within {seconds} s; its log says more"))
    }

    /// Has the holder ask the CRM, and waits for what comes of it.
    ///
    /// # Errors
    /// If it holds the list back that has come.
    async fn ask_holder(&self) -> Result<Step, SourceError> {
        let held = self.held_elsewhere();
        // The schedule never waits here for its own time, so the queue is short.
        let _ = self.replica.wishes.try_send(Wish::Ask(self.wanted.list.clone()));
        let mut views = self.replica.view.subscribe();
        let answer = async {
            loop {
                views.borrow_and_update();
                let step = self.step();
                if step != Step::Wait {
                    return Ok(step);
                }
                if let Some(back) = self.held_elsewhere().filter(|back| Some(back) != held.as_ref()) {
                    let by = back.by;
                    return Err(SourceError::Replicas(format!(
                        "{by} holds the list back that has come; `nameplate sources` shows it"
                    )));
                }
                // It is never closed: this list has its sender.
                let _ = views.changed().await;
            }
        };
        timeout(HOLDER, answer).await.unwrap_or(Ok(Step::Wait))
    }

    /// Takes a list from the server.
    async fn take(&self, manifest: &Arc<Manifest>) -> Result<Delivery, ServerError> {
        if manifest.chunks.len() > 1 {
            sleep(SPREAD.mul_f64(fastrand::f64())).await;
        }
        let server = locked(&self.replica.server).clone();
        let server = server.ok_or_else(|| ServerError::List("the server is not found yet".to_owned()))?;
        let server = server.for_chunks().await?;
        let chunks = stream::iter(manifest.chunks.clone()).map(|name| {
            let mut server = server.clone();
            async move { server.chunk(&name).await }
        });
        let chunks: Vec<Vec<u8>> = chunks.buffered(IN_FLIGHT).try_collect().await?;
        let key = locked(&self.replica.key).clone();
        let key = key.ok_or_else(|| ServerError::List("the key is not read yet".to_owned()))?;
        let (site, list) = (self.replica.settings.site.clone(), self.wanted.list.clone());
        let published = Arc::clone(manifest);
        let unpack = panics::blocking(move || {
            let owner = Owner { key: &key, site: &site, list: &list, version: published.version };
            let mut opened = Vec::with_capacity(chunks.len());
            for (number, bytes) in chunks.into_iter().enumerate() {
                let bytes = pack::open(owner, &published, number, bytes);
                opened.push(bytes.map_err(|error| (Some(number), error))?);
            }
            pack::unpack(&published, opened).map_err(|error| (None, error))
        });
        let unpacked = unpack.await.map_err(|panicked| ServerError::List(panicked.to_string()))?;
        match unpacked {
            Ok((header, entries)) => Ok(Delivery {
                entries,
                unusable: manifest.unusable.clone(),
                hash: header.hash,
                is_accepted: true,
                left_out: Some(manifest.left_out),
            }),
            Err((number, error)) => {
                // Where each chunk is what was published, and the whole is not: any of them.
                if let Some(name) = manifest.chunks.get(number.unwrap_or(0)) {
                    // The holder sees that it is missing, and publishes the list again.
                    server.clone().remove_chunk(name).await?;
                }
                Err(ServerError::List(error.to_string()))
            }
        }
    }

    /// The list in use, as it is after each refresh, and at the start.
    pub fn uses(&self, in_use: InUse) {
        let list = &self.wanted.list;
        let known = locked(&self.replica.memory).taken(list);
        let now = now_in_millis();
        let took = locked(&self.slot).uses(&self.wanted, in_use, known, now);
        if let Some(taken) = took {
            locked(&self.replica.memory).took(list, taken);
        }
        self.replica.work.notify_one();
    }

    /// Its state, for `nameplate sources`.
    #[must_use]
    pub fn status(&self) -> ShareStatus {
        let status = self.replica.status(&self.wanted.list, &self.slot);
        ShareStatus { held: self.held_elsewhere(), ..status }
    }
}

/// Milliseconds since 1970.
pub(super) fn now_in_millis() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}
