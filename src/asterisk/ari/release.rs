//! No call stays in our application: neither `Stasis()` nor ARI has a time limit, so a call that is not sent
//! on by us, and has no bound of the dialplan's, would wait for ever.

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::answer::{Failure, Outcome};
use super::application::{Application, Then};
use super::call::Wish;
use super::rest::Turn;
use super::wire::{self, ApplicationInfo, Caller, Whereabouts};
use crate::backoff::Backoff;

/// The first wait after a request that failed; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A caller hears silence meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A call that could not be sent on in this time is given up. The next connection looks for it.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// Longer than any call that is served stays in the application.
const LATER: Duration = Duration::from_secs(1);

/// Where a call is that should be sent on.
enum Sight {
    /// In our application, with this wish and caller.
    Ours { wish: Wish, caller: Caller<'static> },
    /// In our application; that is all there is to know.
    Listed,
    /// Hung up, or gone on: another application, the dialplan.
    Gone,
    /// Asterisk did not say.
    Unknown(String),
}

impl Application {
    /// Sends a call on to the priority behind its `Stasis()`, again and again until Asterisk has answered, the call has had its
    /// time, or nothing more is to be asked. `doubtful`: it may have gone on already, and be in somebody else's application.
    pub(super) async fn release(&self, channel: &str, doubtful: bool) {
        let sent_on = timeout(GIVEN_UP, self.try_to_send_on(channel, doubtful));
        if !matches!(self.over.run_until_cancelled(sent_on).await, Some(Ok(()))) {
            self.warnings.given_up(channel);
        }
    }

    async fn try_to_send_on(&self, channel: &str, mut doubtful: bool) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut permit = None;
        while let Some(why) = self.send_on_unless_gone(channel, doubtful).await {
            doubtful = true;
            self.warnings.release(channel, &why);
            self.wait(&mut permit, &mut backoff).await;
        }
    }

    /// Sends a call on, once. Why it could not be; none where it could, or where it has gone.
    async fn send_on_unless_gone(&self, channel: &str, doubtful: bool) -> Option<String> {
        match if doubtful { self.look(channel).await } else { Sight::Listed } {
            Sight::Gone => None,
            Sight::Unknown(what) => Some(what),
            Sight::Ours { .. } | Sight::Listed => match self.http.send_on(channel, &[]).await {
                Outcome::Done | Outcome::CallerGone | Outcome::LeftStasis => None,
                Outcome::NotACaller => Some("it is being placed, not received (412)".into()),
                Outcome::NoSuchPlace => Some("Asterisk misses a label that nobody named".into()),
                Outcome::Failed(failure) => Some(failure.to_string()),
            },
        }
    }

    /// Waits before a call is tried once more. From the first such wait on it holds one of a few permits.
    async fn wait<'a>(&'a self, permit: &mut Option<SemaphorePermit<'a>>, backoff: &mut Backoff) {
        if permit.is_none() {
            // The semaphore is never closed.
            *permit = self.retried.acquire().await.ok();
        }
        sleep(backoff.next_wait()).await;
    }

    /// Sends on a call whose place Asterisk has not found. A caller who hangs up at that moment is in another context
    /// already, which has no such place either: that is nobody's mistake.
    pub(super) async fn misplaced(&self, channel: &str) -> Then {
        if let Sight::Gone = self.look(channel).await {
            debug!(pbx = %self.settings.name, %channel, "the caller hung up during the lookup");
            return Then::Nothing;
        }
        self.warnings.place();
        Then::Release
    }

    /// Serves a call that was in the application before this connection.
    pub(super) async fn recover(&self, channel: &str) -> Then {
        let seen = timeout(GIVEN_UP, self.look_until_seen(channel));
        match self.over.run_until_cancelled(seen).await {
            Some(Ok(Sight::Ours { wish, caller })) => self.serve(wish, channel, &caller).await,
            Some(Ok(Sight::Listed)) => Then::Release,
            Some(Ok(Sight::Gone)) => {
                debug!(pbx = %self.settings.name, %channel, "a waiting call has gone on");
                Then::Nothing
            }
            Some(Ok(Sight::Unknown(_)) | Err(_)) | None => {
                self.warnings.given_up(channel);
                Then::Nothing
            }
        }
    }

    /// Looks where a call is, until Asterisk has said.
    async fn look_until_seen(&self, channel: &str) -> Sight {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut permit = None;
        loop {
            match self.look(channel).await {
                Sight::Unknown(what) => self.warnings.release(channel, &what),
                seen => return seen,
            }
            self.wait(&mut permit, &mut backoff).await;
        }
    }

    /// The calls that are left in the application: those that Asterisk lists now and [`LATER`] too, when any that is
    /// served otherwise has gone on.
    pub(super) async fn left_behind(&self) -> Vec<String> {
        let Some(before) = self.list().await else { return Vec::new() };
        sleep(LATER).await;
        let Some(mut left) = self.list().await else { return Vec::new() };
        left.retain(|channel| before.contains(channel));
        left
    }

    /// The channels in the application. None: Asterisk does not say.
    async fn list(&self) -> Option<Vec<String>> {
        let begun = Instant::now();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let path = format!("applications/{}", self.settings.app);
        loop {
            let failure = match self.http.get::<ApplicationInfo>(Turn::Now, &path).await {
                Ok(application) => return Some(application.channel_ids),
                Err(failure) if failure.is_no_application() => return Some(Vec::new()),
                Err(failure) => failure,
            };
            // One that is not answered may hold a thread of Asterisk's for ever.
            if matches!(failure, Failure::Late(_)) || begun.elapsed() >= GIVEN_UP {
                warn!(pbx = %self.settings.name, "can't ask for calls that are left: {failure}");
                return None;
            }
            self.over.run_until_cancelled(sleep(backoff.next_wait())).await?;
        }
    }

    /// Looks where a call is. A `continue` would take it out of anybody's application.
    async fn look(&self, channel: &str) -> Sight {
        let snapshot = match self.http.channel(channel).await {
            Ok(snapshot) => snapshot,
            Err(failure) if failure.is_no_channel() => return Sight::Gone,
            Err(failure) => return Sight::Unknown(failure.to_string()),
        };
        match serde_json::from_str::<wire::Channel<'_>>(&snapshot) {
            Ok(snapshot) => match snapshot.whereabouts(&self.settings.app) {
                Whereabouts::Ours(app_data) => Sight::Ours {
                    wish: Wish::of_app_data(app_data, |country| self.warnings.country(country)),
                    caller: snapshot.caller.into_owned(),
                },
                Whereabouts::Elsewhere => Sight::Gone,
                Whereabouts::Unsaid => self.look_in_list(channel).await,
            },
            Err(error) => {
                let what = wire::complaint(&error);
                self.warnings.unread("a waiting call", &what);
                self.look_in_list(channel).await
            }
        }
    }

    /// Whether Asterisk lists a call in our application.
    async fn look_in_list(&self, channel: &str) -> Sight {
        let app = &self.settings.app;
        match self.http.get::<ApplicationInfo>(Turn::Wait, &format!("applications/{app}")).await {
            Ok(application) if application.channel_ids.iter().any(|id| id == channel) => Sight::Listed,
            Ok(_) => Sight::Gone,
            Err(failure) => Sight::Unknown(failure.to_string()),
        }
    }
}
