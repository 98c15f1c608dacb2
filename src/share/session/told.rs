//! The session's part in what replicas tell each other: what is held back and who takes it, forgotten numbers, signs of life.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::Session;
use crate::lists::guard::HeldList;
use crate::observe::panics;
use crate::share::error::ServerError;
use crate::share::forgotten::Decisions;
use crate::share::format::FORMATS;
use crate::share::held::{Accepted, HeldBack};
use crate::share::life::{INTERVAL, Sign};
use crate::share::replica::{Listed, Wish, locked};

/// How often forgotten numbers are replaced at most, while others replace them, too. Then there is another time.
const TRIES: usize = 10;

impl Session<'_> {
    /// Passes a wish on to the other replicas.
    pub(super) async fn pass(&self, wish: Wish) -> Result<(), ServerError> {
        let mut server = self.server.clone();
        match wish {
            Wish::Ask(list) => server.want(&list).await,
            Wish::Accept { list, id, request, until } if Instant::now() < until => {
                server.accept(&list, id, request).await
            }
            // The command has said that there was no answer.
            Wish::Accept { .. } => Ok(()),
            Wish::Forgotten => self.follow_forgotten().await,
        }
    }

    /// Says what the holder of this epoch holds back, so that all replicas show it.
    pub(super) async fn hold_back(
        &self,
        listed: &Listed,
        epoch: u64,
        held: Option<HeldList>,
    ) -> Result<(), ServerError> {
        let (list, site) = (&listed.wanted.list, &self.replica.settings.site);
        let sealed = held.map(|held| {
            let back = HeldBack { by: self.replica.name.clone(), held };
            back.seal(&self.key, site, list).map_err(|_| ServerError::List("it can't be sealed".to_owned()))
        });
        let sealed = sealed.transpose()?;
        let who = (epoch, self.replica.id);
        if self.server.clone().hold_back(list, who, sealed.as_deref()).await? {
            self.read().await?;
        }
        Ok(())
    }

    /// Accepts the list with this id, if this replica is the holder, and tells the replica that wants it what came of it.
    pub(super) fn accept(&self, list: &str, id: u64, request: u64) {
        if self.replica.view.borrow().epoch(Instant::now()).is_none() {
            return;
        }
        let Some(result) = self.service.handle.accept(list, id) else { return };
        info!(%list, "another replica has a person's order to take the list that is held back");
        let mut server = self.server.clone();
        // It takes as long as the refresh that is under way, and the session has other things to do.
        drop(tokio::spawn(async move {
            let Ok(result) = result.await else { return };
            let answer = Accepted::of(result.outcome.as_ref());
            if let Err(error) = server.answer(request, answer).await {
                debug!("the other replica does not hear what came of its order: {error}");
            }
        }));
    }

    /// Takes over which numbers must not be named, and tells the server what it does not know.
    pub(super) async fn follow_forgotten(&self) -> Result<(), ServerError> {
        // Until the first answer about the lease the server is not known to be ours.
        if !self.replica.view.borrow().is_up {
            return Ok(());
        }
        let (mut server, site) = (self.server.clone(), &self.replica.settings.site);
        for _ in 0..TRIES {
            let stored = server.forgotten().await?;
            let opened = stored.clone().and_then(|sealed| Decisions::open(&self.key, site, sealed).ok());
            let there = opened.unwrap_or_default();
            let news = locked(&self.replica.memory).forgotten().news(&there);
            if !news.is_empty() {
                self.follow(news).await;
            }
            let mut all = there.clone();
            all.take(locked(&self.replica.memory).forgotten());
            if all == there {
                break;
            }
            let sealed = all.seal(&self.key, site);
            let sealed = sealed.map_err(|_| ServerError::List("it can't be sealed".to_owned()))?;
            if server.replace_forgotten(stored.as_deref(), &sealed).await? {
                break;
            }
        }
        Ok(())
    }

    /// Follows the decisions of other replicas here. Without success they are followed at the next time.
    async fn follow(&self, news: Decisions) {
        if let Err(error) = self.service.follow(news.numbers().collect()).await {
            return warn!("numbers that were forgotten at another replica can't be written down: {error}");
        }
        let replica = Arc::clone(self.replica);
        // A panic is in the log.
        let _ = panics::blocking(move || locked(&replica.memory).follows(&news)).await;
    }

    /// Shows that this replica lives, and looks after what the others have decided.
    pub(super) async fn live(&self) -> Result<Infallible, ServerError> {
        let mut views = self.replica.view.subscribe();
        // It is never closed.
        let _ = views.wait_for(|view| view.is_up).await;
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.show_life().await?;
            self.follow_forgotten().await?;
        }
    }

    async fn show_life(&self) -> Result<(), ServerError> {
        let lists = self.replica.lists();
        let version = |listed: &Listed| {
            let (taken, _) = locked(&listed.slot).taken();
            Some((listed.wanted.list.clone(), taken?))
        };
        let sign = Sign {
            name: self.replica.name.clone(),
            nameplate: env!("CARGO_PKG_VERSION").to_owned(),
            formats: FORMATS.collect(),
            lists: lists.iter().filter_map(version).collect(),
        };
        let before = *locked(&self.replica.before);
        let sealing = (&*self.key, self.replica.settings.site.as_str());
        let signs = self.server.clone().live(sealing, self.replica.id, &sign, before).await?;
        *locked(&self.replica.before) = None;
        self.replica.view.send_modify(|view| view.signs = Some(Arc::new(signs)));
        Ok(())
    }
}
