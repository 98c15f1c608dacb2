//! No call stays in our application: neither `Stasis()` nor ARI has a time limit, so a call that is not sent
//! on by us, and has no bound of the dialplan's, would wait for ever.

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::application::{Application, NextStep};
use super::call::StasisMode;
use super::response::{ContinueResult, Failure};
use super::rest::Turn;
use super::wire::{self, ApplicationInfo, Caller, SnapshotLocation};
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
enum Location {
    /// In our application, with this wish and caller.
    Ours { mode: StasisMode, caller: Caller<'static> },
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
    pub(super) async fn release(&self, channel: &str, look_first: bool) {
        let sent_on = timeout(GIVEN_UP, self.try_to_send_on(channel, look_first));
        if !matches!(self.end_of_requests.run_until_cancelled(sent_on).await, Some(Ok(()))) {
            self.warnings.given_up(channel);
        }
    }

    async fn try_to_send_on(&self, channel: &str, mut look_first: bool) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut permit = None;
        while let Some(why) = self.send_on_unless_gone(channel, look_first).await {
            look_first = true;
            self.warnings.release(channel, &why);
            self.wait(&mut permit, &mut backoff).await;
        }
    }

    /// Sends a call on, once. Why it could not be; none where it could, or where it has gone.
    async fn send_on_unless_gone(&self, channel: &str, look_first: bool) -> Option<String> {
        match if look_first { self.look(channel).await } else { Location::Listed } {
            Location::Gone => None,
            Location::Unknown(what) => Some(what),
            Location::Ours { .. } | Location::Listed => match self.http.send_on(channel, &[]).await {
                ContinueResult::Done | ContinueResult::CallerGone | ContinueResult::LeftStasis => None,
                ContinueResult::NotACaller => Some("it is being placed, not received (412)".into()),
                ContinueResult::NoSuchLabel => Some("Asterisk misses a label that nobody named".into()),
                ContinueResult::Failed(failure) => Some(failure.to_string()),
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
    pub(super) async fn label_missing(&self, channel: &str) -> NextStep {
        if let Location::Gone = self.look(channel).await {
            debug!(pbx = %self.settings.name, %channel, "the caller hung up during the lookup");
            return NextStep::Nothing;
        }
        self.warnings.label_missing();
        NextStep::Release
    }

    /// Serves a call that was in the application before this connection.
    pub(super) async fn recover(&self, channel: &str) -> NextStep {
        let seen = timeout(GIVEN_UP, self.look_until_seen(channel));
        match self.end_of_requests.run_until_cancelled(seen).await {
            Some(Ok(Location::Ours { mode, caller })) => self.serve(mode, channel, &caller).await,
            Some(Ok(Location::Listed)) => NextStep::Release,
            Some(Ok(Location::Gone)) => {
                debug!(pbx = %self.settings.name, %channel, "a waiting call has gone on");
                NextStep::Nothing
            }
            Some(Ok(Location::Unknown(_)) | Err(_)) | None => {
                self.warnings.given_up(channel);
                NextStep::Nothing
            }
        }
    }

    /// Looks where a call is, until Asterisk has said.
    async fn look_until_seen(&self, channel: &str) -> Location {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut permit = None;
        loop {
            match self.look(channel).await {
                Location::Unknown(what) => self.warnings.release(channel, &what),
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
            let failure = match self.http.get::<ApplicationInfo>(Turn::Immediate, &path).await {
                Ok(application) => return Some(application.channel_ids),
                Err(failure) if failure.is_no_application() => return Some(Vec::new()),
                Err(failure) => failure,
            };
            // One that is not answered may hold a thread of Asterisk's for ever.
            if matches!(failure, Failure::Late(_)) || begun.elapsed() >= GIVEN_UP {
                warn!(pbx = %self.settings.name, "can't ask for calls that are left: {failure}");
                return None;
            }
            self.end_of_requests.run_until_cancelled(sleep(backoff.next_wait())).await?;
        }
    }

    /// Looks where a call is. A `continue` would take it out of anybody's application.
    async fn look(&self, channel: &str) -> Location {
        let snapshot = match self.http.channel(channel).await {
            Ok(snapshot) => snapshot,
            Err(failure) if failure.is_no_channel() => return Location::Gone,
            Err(failure) => return Location::Unknown(failure.to_string()),
        };
        match serde_json::from_str::<wire::Channel<'_>>(&snapshot) {
            Ok(snapshot) => match snapshot.location(&self.settings.app) {
                SnapshotLocation::Ours(app_data) => Location::Ours {
                    mode: StasisMode::of_app_data(app_data, |country| self.warnings.country(country)),
                    caller: snapshot.caller.into_owned(),
                },
                SnapshotLocation::Elsewhere => Location::Gone,
                SnapshotLocation::NotSaid => self.look_in_list(channel).await,
            },
            Err(error) => {
                let what = wire::complaint(&error);
                self.warnings.unread("a waiting call", &what);
                self.look_in_list(channel).await
            }
        }
    }

    /// Whether Asterisk lists a call in our application.
    async fn look_in_list(&self, channel: &str) -> Location {
        let app = &self.settings.app;
        match self.http.get::<ApplicationInfo>(Turn::Queued, &format!("applications/{app}")).await {
            Ok(application) if application.channel_ids.iter().any(|id| id == channel) => Location::Listed,
            Ok(_) => Location::Gone,
            Err(failure) => Location::Unknown(failure.to_string()),
        }
    }
}
