//! The sessions: who has logged in, and until when. They are in memory alone, so that a restart ends all of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::time::Instant;

use super::key::secret_text;

/// The time after which a session ends.
pub(super) const LONGEST: Duration = Duration::from_hours(12);
/// The most sessions. A further one ends the oldest.
const MOST: usize = 1_000;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever has the token with this mark.
    Token([u8; 32]),
    /// The user with this name, as long as the hash of the password is this one.
    User {
        /// The name.
        name: String,
        /// The hash.
        hash: String,
    },
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) owner: Owner,
    /// The token against forgery.
    pub(super) forgery: String,
    began: Instant,
}

/// All sessions, by a digest of the cookie: what is in memory opens nothing.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    /// Begins a session. Returns the content of its cookie.
    pub(super) fn begin(&self, owner: Owner) -> String {
        let cookie = secret_text();
        let mut sessions = self.locked();
        sessions.retain(|_, session| session.began.elapsed() < LONGEST);
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.began).map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        let session = Session { owner, forgery: secret_text(), began: Instant::now() };
        sessions.insert(id(&cookie), session);
        cookie
    }

    /// The session of this cookie, if it has not ended.
    pub(super) fn get(&self, cookie: &str) -> Option<Session> {
        let session = self.locked().get(&id(cookie)).cloned();
        session.filter(|session| session.began.elapsed() < LONGEST)
    }

    /// Ends the session of this cookie.
    pub(super) fn end(&self, cookie: &str) {
        self.locked().remove(&id(cookie));
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id(cookie: &str) -> [u8; 32] {
    let mut id = [0; 32];
    id.copy_from_slice(digest(&SHA256, cookie.as_bytes()).as_ref());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_twelve_hours_or_when_it_is_ended() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin(Owner::Token([1; 32])), sessions.begin(Owner::Token([2; 32])));
        assert_eq!(sessions.get(&one).unwrap().owner, Owner::Token([1; 32]));
        assert_ne!(sessions.get(&one).unwrap().forgery, sessions.get(&other).unwrap().forgery);
        assert!(sessions.get("").is_none());
        sessions.end(&other);
        assert!(sessions.get(&other).is_none());
        tokio::time::advance(LONGEST.checked_sub(Duration::from_secs(1)).unwrap()).await;
        assert!(sessions.get(&one).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(sessions.get(&one).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_and_the_oldest_goes_first() {
        let sessions = Sessions::default();
        let first = sessions.begin(Owner::Token([0; 32]));
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = sessions.begin(Owner::Token([0; 32]));
        tokio::time::advance(Duration::from_secs(1)).await;
        (2..=MOST).for_each(|_| drop(sessions.begin(Owner::Token([0; 32]))));
        assert!(sessions.get(&first).is_none() && sessions.get(&second).is_some());
        assert_eq!(sessions.locked().len(), MOST);
    }
}
