//! No call stays in our application. Neither `Stasis()` nor ARI has a time limit: without a bound in the dialplan, a call
//! that we do not send on would wait for ever.

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
/// The longest wait. The caller hears silence meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// After this time a call that can't be sent on is given up. The next connection looks for the call.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// The time between the two lists of a sweep: longer than the service of any call takes.
const LATER: Duration = Duration::from_secs(1);

/// Where a call is that has to be sent on.
enum Location {
    /// In our application; its mode and its caller are known.
    Ours { mode: StasisMode, caller: Caller<'static> },
    /// In our application; nothing else is known.
    Listed,
    /// The caller has hung up, or the call is in another application or in the dialplan.
    Gone,
    /// Asterisk has not said; the reason.
    Unknown(String),
}

impl Application {
    /// Sends a call on to the priority behind its `Stasis()`. Tries again until the call has gone on, for at most
    /// [`GIVEN_UP`], or until the end of requests. `look_first`: the call may have gone on already, even to another Stasis application, so
    /// look where it is before each attempt.
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

    /// Makes one attempt to send a call on. Returns why the attempt failed; none if the call has gone on.
    async fn send_on_unless_gone(&self, channel: &str, look_first: bool) -> Option<String> {
        match if look_first { self.look(channel).await } else { Location::Listed } {
            Location::Gone => None,
            Location::Unknown(what) => Some(what),
            Location::Ours { .. } | Location::Listed => match self.http.send_on(channel, &[]).await {
                ContinueResult::Done | ContinueResult::CallerGone | ContinueResult::LeftStasis => None,
                ContinueResult::NotACaller => Some("it is being placed, not received (412)".into()),
                ContinueResult::NoSuchLabel => {
                    Some("Asterisk does not find the label, although the request has none".into())
                }
                ContinueResult::Failed(failure) => Some(failure.to_string()),
            },
        }
    }

    /// Waits before the next attempt for a call. From the first wait on, the call holds one of a few permits.
    async fn wait<'a>(&'a self, permit: &mut Option<SemaphorePermit<'a>>, backoff: &mut Backoff) {
        if permit.is_none() {
            // The semaphore is never closed.
            *permit = self.retried.acquire().await.ok();
        }
        sleep(backoff.next_wait()).await;
    }

    /// Releases a call whose label Asterisk has not found. This is no fault of the dialplan if the caller hangs up at that
    /// moment: the channel is then in another context, which does not have the label.
    pub(super) async fn label_missing(&self, channel: &str) -> NextStep {
        if matches!(self.look(channel).await, Location::Gone) {
            debug!(pbx = %self.settings.name, %channel, "the caller hung up during the lookup");
            return NextStep::Nothing;
        }
        self.warnings.label_missing(channel);
        NextStep::Release
    }

    /// Serves a call that came into the application before this connection.
    pub(super) async fn recover(&self, channel: &str) -> NextStep {
        let seen = timeout(GIVEN_UP, self.look_until_seen(channel));
        match self.end_of_requests.run_until_cancelled(seen).await {
            Some(Ok(Location::Ours { mode, caller })) => self.serve(mode, channel, &caller, false).await,
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

    /// Looks where a call is, until Asterisk answers.
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

    /// The calls that are left in the application: Asterisk lists them now, and again [`LATER`]. By then a call that is
    /// served has gone on.
    pub(super) async fn left_behind(&self) -> Vec<String> {
        let Some(before) = self.list().await else { return Vec::new() };
        sleep(LATER).await;
        let Some(mut left) = self.list().await else { return Vec::new() };
        left.retain(|channel| before.contains(channel));
        left
    }

    /// The channels in the application. None: Asterisk does not answer.
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
            // An unanswered request may hold a thread of Asterisk's for ever: it is not repeated.
            if matches!(failure, Failure::Late(_)) || begun.elapsed() >= GIVEN_UP {
                warn!(pbx = %self.settings.name, "can't ask which calls are left in the application: {failure}");
                return None;
            }
            self.end_of_requests.run_until_cancelled(sleep(backoff.next_wait())).await?;
        }
    }

    /// Looks where a call is. A blind `continue` could take the call out of another application.
    async fn look(&self, channel: &str) -> Location {
        let snapshot = match self.http.channel(channel).await {
            Ok(snapshot) => snapshot,
            Err(failure) if failure.is_no_channel() => return Location::Gone,
            Err(failure) => return Location::Unknown(failure.to_string()),
        };
        match serde_json::from_str::<wire::Channel<'_>>(&snapshot) {
            Ok(snapshot) => match snapshot.location(&self.settings.app) {
                SnapshotLocation::Ours(app_data) => {
                    let arguments = app_data.split(',').skip(1);
                    let unknown_country = |country: &str| self.warnings.country(country);
                    let mode = StasisMode::of(arguments.clone(), unknown_country);
                    let dialled = StasisMode::dialled(arguments).to_owned();
                    Location::Ours { mode, caller: snapshot.caller.dialling(&dialled) }
                }
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

    /// Looks for a call in Asterisk's list of our application.
    async fn look_in_list(&self, channel: &str) -> Location {
        let app = &self.settings.app;
        match self.http.get::<ApplicationInfo>(Turn::Queued, &format!("applications/{app}")).await {
            Ok(application) if application.channel_ids.iter().any(|id| id == channel) => Location::Listed,
            Ok(_) => Location::Gone,
            Err(failure) => Location::Unknown(failure.to_string()),
        }
    }
}
