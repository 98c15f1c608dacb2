//! The session's part in publishing: what the holder publishes, and keeps alive.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Session;
use crate::observe::panics;
use crate::share::error::ServerError;
use crate::share::format::FORMATS;
use crate::share::list::now_in_millis;
use crate::share::manifest::Manifest;
use crate::share::pack::{self, Owner};
use crate::share::replica::{Listed, locked};
use crate::share::server::Switched;
use crate::share::slot::{Duty, Kept, Publication};
use crate::share::version::Version;

/// The interval in which the holder looks after its chunks.
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// Chunks that are packed and not sent yet.
const PACKED: usize = 2;

impl Session<'_> {
    /// Publishes what the holder has to publish, and keeps what is published alive.
    pub(super) async fn look_after_lists(&self) -> Result<Infallible, ServerError> {
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
                let view = self.replica.view.borrow().clone();
                let held = locked(&listed.slot).held_to_say(&listed.wanted, &view, epoch);
                if let Some(held) = held {
                    self.hold_back(&listed, epoch, held).await?;
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
        // A connection may have ended while chunks were sent.
        self.clear_unpublished().await?;
        let (here, _) = locked(&listed.slot).taken();
        let version = locked(&self.replica.lease).next_version(self.replica.id, epoch, here);
        let Some(version) = version else { return Ok(()) };
        let sent = self.send(list, version, publication).await;
        if !matches!(sent, Ok(Ok(_))) {
            // The server may be gone: then before the next publication.
            let _ = self.clear_unpublished().await;
        }
        let manifest = match sent? {
            Ok(manifest) => manifest,
            Err(error) => {
                warn!(%list, "the list can't be published: {error}. The lease is left to another replica; the list in use stays");
                locked(&listed.slot).not_published(publication);
                self.leave_lease().await?;
                self.replica.lease_changed.notify_one();
                return Ok(());
            }
        };
        let manifest = Manifest {
            fingerprint: listed.wanted.fingerprint,
            by: self.replica.name.clone(),
            unusable: publication.unusable.clone(),
            left_out: publication.left_out,
            ..manifest
        };
        let sealed = manifest.seal(&self.key, &self.replica.settings.site, list);
        let sealed = sealed.map_err(|_| ServerError::List("it can't be sealed".to_owned()))?;
        // Packing takes its time.
        let may_publish = locked(&self.replica.lease).publishes(Instant::now());
        if may_publish.is_none_or(|(now, _)| now != epoch) {
            return self.clear_unpublished().await;
        }
        let before = self.chunks_there(list);
        let checked = now_in_millis();
        let format = self.format();
        locked(&self.replica.leftovers).settles();
        match self.server.clone().switch(list, version, &sealed, format, checked).await? {
            Switched::Done => {
                let (entries, bytes) = (manifest.entries, manifest.bytes);
                info!(%list, %version, entries, bytes, "the list is published for all replicas");
                let taken = locked(&listed.slot).published(version, publication);
                locked(&self.replica.memory).took(list, taken);
                let unread = locked(&self.replica.leftovers).replaces(list, before.clone());
                self.server.clone().clear(&unread, &before).await?;
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
                self.server.clone().clear(&manifest.chunks, &[]).await
            }
        }
    }

    /// The chunks of the version that the server has of a list, as far as it was read here.
    fn chunks_there(&self, list: &str) -> Vec<String> {
        let entries = Arc::clone(&self.replica.view.borrow().entries);
        let manifest = entries.get(list).and_then(|entry| entry.manifest.as_ref().ok());
        manifest.map_or_else(Vec::new, |manifest| manifest.chunks.clone())
    }

    /// Removes the chunks that were sent for nothing.
    async fn clear_unpublished(&self) -> Result<(), ServerError> {
        let unpublished = locked(&self.replica.leftovers).unpublished();
        self.server.clone().clear(&unpublished, &[]).await?;
        locked(&self.replica.leftovers).settles();
        Ok(())
    }

    /// The format that all living replicas read.
    fn format(&self) -> u32 {
        let view = self.replica.view.borrow();
        view.signs.as_ref().map_or(*FORMATS.start(), |signs| signs.format(Instant::now()))
    }

    /// Sends the chunks of a list. The inner error is this machine's, not the server's: the list can't be read, or sealed.
    async fn send(
        &self,
        list: &str,
        version: Version,
        publication: &Publication,
    ) -> Result<io::Result<Manifest>, ServerError> {
        let mut server = self.server.for_chunks().await?;
        let (chunk, chunks) = mpsc::channel::<pack::Chunk>(PACKED);
        let (key, site) = (Arc::clone(&self.key), self.replica.settings.site.clone());
        let (list, content) = (list.to_owned(), publication.content.clone());
        let leftovers = &self.replica.leftovers;
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
                locked(leftovers).sends(&packed.name);
                server.put_chunk(&packed.name, &packed.bytes).await?;
            }
            Ok::<_, ServerError>(())
        };
        let (packed, sent) = tokio::join!(packing, sending);
        sent?;
        Ok(packed.unwrap_or_else(|panicked| Err(io::Error::other(panicked))))
    }
}
