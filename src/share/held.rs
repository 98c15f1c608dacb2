//! A list that the holder's guard holds back, at the other replicas: they show it, and carry a person's word to the holder.

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::list::{HOLDER, SharedList};
use super::manifest::place;
use super::replica::{Wish, locked};
use super::seal::{Key, Unopened};
use super::slot::{Origin, Step};
use crate::lists::guard::HeldList;
use crate::lists::outcome::RefreshOutcome;
use crate::source::SourceError;

/// A list that is held back, as the server has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// The name of the machine that holds it back.
    pub by: String,
    /// The list.
    pub held: HeldList,
}

impl HeldBack {
    /// The description as it is stored.
    pub fn seal(&self, key: &Key, site: &str, list: &str) -> Result<Vec<u8>, Unopened> {
        let bytes = serde_json::to_vec(self).map_err(|_| Unopened)?;
        key.seal(&place(site, list, "held"), bytes)
    }

    /// Opens the description of a list that is held back.
    pub fn open(key: &Key, site: &str, list: &str, sealed: Vec<u8>) -> Result<Self, Unopened> {
        let opened = key.open(&place(site, list, "held"), sealed)?;
        serde_json::from_slice(&opened).map_err(|_| Unopened)
    }
}

/// The holder's answer to an order to accept the list that it holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The holder has taken the list.
    Taken,
    /// The holder holds nothing back.
    Nothing,
    /// The holder holds another list back.
    Another,
    /// The holder could not take the list.
    Failed,
}

impl Accepted {
    const ALL: [Self; 4] = [Self::Taken, Self::Nothing, Self::Another, Self::Failed];

    /// The answer in the form in which it is sent.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Nothing => "nothing",
            Self::Another => "another",
            Self::Failed => "failed",
        }
    }

    /// Reads [`Self::word`].
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.word() == word)
    }

    /// What came of the order at the holder.
    #[must_use]
    pub fn of(outcome: Option<&RefreshOutcome>) -> Self {
        match outcome {
            Some(RefreshOutcome::New { .. }) => Self::Taken,
            Some(RefreshOutcome::Held { .. }) => Self::Another,
            Some(RefreshOutcome::Unchanged | RefreshOutcome::NothingHeld) => Self::Nothing,
            None => Self::Failed,
        }
    }
}

impl SharedList {
    /// Whether another replica asks the CRM for this list, and decides what is taken.
    #[must_use]
    pub fn is_decided_elsewhere(&self) -> bool {
        let is_up = self.replica.view.borrow().is_up;
        is_up && self.step() != Step::Ask
    }

    /// The list that another replica, which decides, holds back.
    #[must_use]
    pub fn held_elsewhere(&self) -> Option<HeldBack> {
        if !self.is_decided_elsewhere() {
            return None;
        }
        let view = self.replica.view.borrow();
        view.entries.get(&self.wanted.list).and_then(|entry| entry.held.clone())
    }

    /// Returns when that is another list than the one with the id `known`.
    pub async fn until_held_elsewhere_is_not(&self, known: Option<u64>) {
        let mut views = self.replica.view.subscribe();
        loop {
            views.borrow_and_update();
            if self.held_elsewhere().map(|back| back.held.id) != known {
                return;
            }
            // It is never closed: this list has its sender.
            let _ = views.changed().await;
        }
    }

    /// What is held back here, after each refresh. `is_answered`: the CRM, or a person, has had a word.
    pub fn holds(&self, held: Option<HeldList>, is_answered: bool) {
        locked(&self.slot).holds(held, is_answered);
        self.replica.work.notify_one();
    }

    /// A person takes the list that is held back here: that counts as the CRM's word.
    pub fn is_accepted_here(&self) {
        let epoch = self.replica.view.borrow().epoch(Instant::now());
        locked(&self.slot).comes_from(Origin::Crm(epoch));
    }

    /// Has the holder accept the list with this id that it holds back. After [`Accepted::Taken`] the list is in the server, after
    /// [`Accepted::Another`] the other one is known here.
    ///
    /// # Errors
    /// If the holder does not answer in time.
    pub async fn accept_elsewhere(&self, id: u64) -> Result<Accepted, SourceError> {
        let until = Instant::now() + HOLDER;
        let (request, answer) = self.replica.expect_answer();
        let wish = Wish::Accept { list: self.wanted.list.clone(), id, request, until };
        // The schedule follows one order after the other, so the queue is short.
        let _ = self.replica.wishes.try_send(wish);
        let answer = timeout_at(until, answer).await;
        self.replica.forget_answer(request);
        let Ok(Ok(answer)) = answer else { return Err(self.no_answer("has not answered")) };
        match answer {
            Accepted::Taken => {
                let published = timeout_at(until, self.until_published());
                published
                    .await
                    .map_err(|_| self.no_answer("has taken the list, and has not published it"))?;
            }
            Accepted::Another => {
                // It may have gone meanwhile.
                let _ = timeout_at(until, self.until_held_elsewhere_is_not(Some(id))).await;
            }
            Accepted::Nothing | Accepted::Failed => {}
        }
        Ok(answer)
    }

    async fn until_published(&self) {
        let mut views = self.replica.view.subscribe();
        loop {
            views.borrow_and_update();
            if matches!(self.step(), Step::Take(_)) {
                return;
            }
            let _ = views.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_are_sent() {
        for answer in Accepted::ALL {
            assert_eq!(Accepted::read(answer.word()), Some(answer));
        }
        assert_eq!(Accepted::read("maybe"), None);
    }

    #[test]
    fn a_description_is_opened_as_that_of_its_list_only() {
        let key = Key::read(&crate::secret::Secret::Given("07".repeat(32).into())).unwrap();
        let held = HeldList { count: 5, id: 9, ..HeldList::default() };
        let back = HeldBack { by: "pbx1".into(), held };
        let sealed = back.seal(&key, "oslo", "crm").unwrap();
        assert_eq!(HeldBack::open(&key, "oslo", "crm", sealed.clone()), Ok(back));
        assert_eq!(HeldBack::open(&key, "oslo", "crm-7", sealed), Err(Unopened));
    }
}
