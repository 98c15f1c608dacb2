//! A person takes a list that is held back: here, or at the replica that decides.

use super::{ListSource, RefreshError, Refresher, now};
use crate::lists::guard::HeldList;
use crate::lists::outcome::RefreshOutcome;
use crate::share::held::Accepted;
use crate::share::list::SharedList;
use crate::source::SourceError;

impl<S: ListSource> Refresher<S> {
    /// Accepts the list that is held back, if it is the one with the id `shown`. If none is held back and none was shown,
    /// fetches the list and accepts it as it is. Where another replica decides, it is asked to accept the list that it holds back.
    pub async fn accept(&mut self, shown: Option<u64>) -> Result<RefreshOutcome, RefreshError> {
        let result = match self.source.shared().filter(|shared| shared.is_decided_elsewhere()).cloned() {
            Some(shared) => self.accept_elsewhere(&shared, shown).await,
            None => self.accept_or_fetch(shown).await,
        };
        self.tell_of(&result);
        result
    }

    /// Accepts the list with this id that is held back, and no other one: an order of another replica.
    pub async fn accept_this(&mut self, id: u64) -> Result<RefreshOutcome, RefreshError> {
        let result = match self.held().map(|held| held.id) {
            None => Ok(RefreshOutcome::NothingHeld),
            Some(_) => self.accept_or_fetch(Some(id)).await,
        };
        self.tell_of(&result);
        result
    }

    async fn accept_elsewhere(
        &mut self,
        shared: &SharedList,
        shown: Option<u64>,
    ) -> Result<RefreshOutcome, RefreshError> {
        let Some(held) = shared.held_elsewhere().map(|back| back.held.id) else {
            return Ok(RefreshOutcome::NothingHeld);
        };
        let is_shown = shown.is_none_or(|shown| shown == held);
        match if is_shown { shared.accept_elsewhere(held).await? } else { Accepted::Another } {
            Accepted::Taken => self.fetch(false).await,
            Accepted::Nothing => Ok(RefreshOutcome::NothingHeld),
            Accepted::Another => Ok(shared.held_elsewhere().map_or(RefreshOutcome::NothingHeld, |back| {
                let HeldList { count, changes, losses, .. } = back.held;
                let known = self.snapshot().len();
                RefreshOutcome::Held { count, known, more: None, changes, losses, another: true }
            })),
            Accepted::Failed => {
                let why = "the replica that asks for all could not take it; its log says more";
                Err(SourceError::Replicas(why.to_owned()).into())
            }
        }
    }

    async fn accept_or_fetch(&mut self, shown: Option<u64>) -> Result<RefreshOutcome, RefreshError> {
        match (self.held().map(|held| held.id), shown) {
            (Some(held), Some(shown)) if held != shown => Ok(self.state.still_held()),
            (Some(_), _) => {
                if let Some(shared) = self.source.shared() {
                    shared.is_accepted_here();
                }
                let accepted = self.on_disk(|state| state.take_held(now())).await?;
                self.unusable = self.state.unusable().clone();
                accepted.map_err(RefreshError::HeldUnreadable)
            }
            // The list that was shown is no longer held back, and the next one was not shown.
            (None, Some(_)) => self.fetch(false).await,
            (None, None) => self.fetch(true).await,
        }
    }
}
