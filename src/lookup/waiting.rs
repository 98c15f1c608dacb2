//! The answer for a call that waits for a search in the CRM.

use std::sync::Arc;
use std::time::Duration;

use super::{Key, Pbx, Resolution, Resolver};
use crate::number::Country;
use crate::search::{Searching, Wait};

/// An answer, and how long it holds.
struct Answered {
    resolution: Arc<Resolution>,
    holds: Holds,
}

/// How long an answer holds.
pub(super) enum Holds {
    /// As long as the directory: the answer is kept.
    WithDirectory,
    /// For this call: a search has brought it, or it is no answer to keep.
    Now,
    /// Until a search brings a better one. The call may wait for it.
    UntilSearched(Option<Wait>),
}

impl Resolver {
    /// The answer of [`resolve`](Self::resolve), and the searches that may bring a better one, if the call may wait for them.
    #[must_use]
    pub fn resolve_or_wait(
        &self,
        pbx: &Pbx,
        country: Option<Country>,
        caller: &str,
    ) -> (Arc<Resolution>, Option<Wait>) {
        let answered = self.answer(pbx, country, caller, Searching::Starts);
        let wait = if let Holds::UntilSearched(wait) = answered.holds { wait } else { None };
        (answered.resolution, wait)
    }

    /// Waits for these searches of a caller, for at most `longest` from the call's beginning, and answers. A list, a style or
    /// numbers that must not be named count as they are after the wait. Starts no search.
    pub async fn resolve_after(
        &self,
        mut wait: Wait,
        longest: Duration,
        pbx: &Pbx,
        country: Option<Country>,
        caller: &str,
    ) -> Arc<Resolution> {
        loop {
            let are_more = wait.next(longest).await;
            let answered = self.answer(pbx, country, caller, Searching::Ended);
            if !(are_more && matches!(answered.holds, Holds::UntilSearched(_))) {
                return answered.resolution;
            }
        }
    }

    fn answer(&self, pbx: &Pbx, country: Option<Country>, caller: &str, searching: Searching) -> Answered {
        let country = country.unwrap_or(pbx.numbers.country);
        let epoch = self.current.load();
        let key = Key { pbx: pbx.id, country, caller: caller.to_owned() };
        if let Some(kept) = epoch.answers().get(&key) {
            return Answered { resolution: Arc::clone(kept), holds: Holds::WithDirectory };
        }
        let (resolution, holds) = epoch.resolve(pbx, country, caller, searching, None);
        let resolution = Arc::new(resolution);
        if matches!(holds, Holds::WithDirectory) {
            epoch.answers().put(key, Arc::clone(&resolution));
        }
        Answered { resolution, holds }
    }
}
