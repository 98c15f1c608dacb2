//! No call stays in our application: neither `Stasis()` nor ARI has a time limit, so a call that is not sent
//! on by us, and has no bound of the dialplan's, would wait for ever.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use tracing::debug;

use super::application::Application;
use super::call::Wish;
use super::rest::{HttpError, Outcome, Turn, continue_path};
use super::tasks::{Job, contained};
use super::wire::{self, ApplicationInfo, Caller, Whereabouts};
use crate::backoff::Backoff;

/// The first wait after a request that failed; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A caller hears silence meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

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
    /// Sends a call on to the priority behind its `Stasis()`. On the websocket where requests are answered
    /// there: a plain `continue` is queued by Asterisk and holds up nothing. Else over HTTP.
    pub(super) async fn release(&self, channel: &str) {
        if !self.release_on_websocket(channel) {
            self.release_over_http(channel, false).await;
        }
    }

    /// Sends a call on over HTTP, again and again until Asterisk has answered. `doubtful`: it may have gone
    /// on already, and be in somebody else's application.
    pub(super) async fn release_over_http(&self, channel: &str, mut doubtful: bool) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut warned = false;
        loop {
            let in_our_hands = if doubtful { self.look(channel).await } else { Sight::Listed };
            let failure = match in_our_hands {
                Sight::Gone => return,
                Sight::Unknown(what) => what,
                Sight::Ours { .. } | Sight::Listed => {
                    match self.http.post(&continue_path(channel), &[]).await {
                        Outcome::Failed(what) => what,
                        Outcome::Done | Outcome::CallerGone | Outcome::NoSuchPlace => return,
                    }
                }
            };
            doubtful = true;
            if warned {
                debug!(pbx = %self.settings.name, %channel, "the call still can't be sent on: {failure}");
            } else {
                self.warnings.release(channel, &failure);
            }
            warned = true;
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Serves a call that was in the application before this connection.
    pub(super) async fn recover(&self, channel: &str) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            match self.look(channel).await {
                Sight::Ours { wish, caller } => return self.serve_over_http(wish, channel, &caller).await,
                Sight::Listed => return self.release(channel).await,
                Sight::Gone => {
                    return debug!(pbx = %self.settings.name, %channel, "a waiting call has gone on");
                }
                Sight::Unknown(what) => {
                    self.warnings.release(channel, &what);
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// Serves the calls that are left in the application: those that Asterisk lists now and [`LATER`] too, when whatever is
    /// served otherwise has gone on.
    pub(super) async fn search(&self) {
        while self.searches.goes_on() {
            let before: HashSet<String> = self.list().await.into_iter().collect();
            tokio::time::sleep(LATER).await;
            let left = self.list().await.into_iter().filter(|channel| before.contains(channel));
            let left: Vec<_> = left.collect();
            join_all(left.iter().map(|channel| contained(self, channel, Job::Recover))).await;
        }
    }

    /// The channels in the application, once Asterisk says.
    async fn list(&self) -> Vec<String> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let path = format!("applications/{}", self.settings.app);
            match self.http.get::<ApplicationInfo>(Turn::Now, &path).await {
                Ok(application) => return application.channel_ids,
                Err(HttpError::Status { status: 404, .. }) => return Vec::new(),
                Err(error) => {
                    debug!(pbx = %self.settings.name, "can't ask for calls that are left: {error}");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    /// Looks where a call is. A `continue` would take it out of anybody's application.
    async fn look(&self, channel: &str) -> Sight {
        let snapshot = match self.http.channel(channel).await {
            Ok(snapshot) => snapshot,
            Err(HttpError::Status { status: 404, .. }) => return Sight::Gone,
            Err(error) => return Sight::Unknown(error.to_string()),
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
            Err(error) => Sight::Unknown(error.to_string()),
        }
    }
}
