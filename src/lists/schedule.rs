//! The service's refreshes of one list: when they happen, and what the log says of them.

mod elsewhere;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::events::RefreshResult;
use super::outcome::RefreshOutcome;
use super::publisher::Change;
use super::refresh::{ListSource, RefreshError, Refresher, now};
use super::status::ListStatus;
use super::suppression::Cleared;
use crate::backoff::{Backoff, jittered};
use crate::observe::metrics;
use crate::observe::panics;
use crate::share::list::SharedList;
use crate::source::Retry;

pub use elsewhere::Elsewhere;

/// The first wait after a failure. It doubles up to the list's interval.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// SuperOffice flags an answer that takes longer as slow (`NsApiSlow`).
const SLOW: Duration = Duration::from_secs(5);
/// The factor by which the interval of a slow list grows.
const SLOW_FACTOR: u32 = 4;
/// The longest wait after a failure, however long the list's interval is.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What an order wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Refresh the list.
    Refresh,
    /// Accept the list that is held back, or the list that arrives.
    Accept,
    /// Accept the list with this id, which a person was shown. If it is no longer held back, refresh the list.
    AcceptShown(u64),
    /// Accept the list with this id that is held back, and no other one.
    AcceptThis(u64),
}

/// An order to refresh now.
pub struct Order {
    /// What it wants.
    pub act: Act,
    /// Takes the result.
    pub reply: oneshot::Sender<RefreshResult>,
}

/// Takes what was taken out of a list and its files.
pub type Clearing = oneshot::Sender<Cleared>;

/// What a schedule refreshes, and how often. A reload of the configuration replaces it.
#[derive(Clone, Debug)]
pub struct ListSettings<S> {
    /// Where the list comes from.
    pub source: S,
    /// Identifies the request ([`Settings::fingerprint`](crate::source::Settings::fingerprint)).
    pub fingerprint: u64,
    /// The interval of refreshes.
    pub refresh: Duration,
    /// The interval of complete fetches.
    pub full_refresh: Duration,
}

/// The schedule of one list.
pub struct Schedule<S> {
    /// Refreshes the list.
    pub refresher: Refresher<S>,
    /// The interval of refreshes.
    pub refresh: Duration,
    /// The settings; none when the list is no longer in the configuration. The same settings again mean that secrets may have
    /// changed.
    pub settings: watch::Receiver<Option<Arc<ListSettings<S>>>>,
    /// Takes the list's name and its new snapshot.
    pub changed: mpsc::Sender<Change>,
    /// Orders to refresh now.
    pub orders: mpsc::Receiver<Order>,
    /// Orders to take numbers that must not be named out of the list and its files.
    pub clearings: mpsc::Receiver<Clearing>,
    /// The list's state, for commands.
    pub status: Arc<Mutex<ListStatus>>,
    /// The list's metrics.
    pub metrics: metrics::List,
    /// What another replica holds back.
    pub elsewhere: Elsewhere,
}

/// What follows a refresh.
enum Next {
    Refresh(Option<Order>),
    /// The list is no longer in the configuration.
    End,
}

impl<S: ListSource + Clone> Schedule<S> {
    /// Refreshes at once, then on schedule and on order. Returns when the list is no longer in the configuration.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_WAIT, self.refresh);
        let mut reported: Option<String> = None;
        let mut settings = self.settings.borrow_and_update().clone();
        self.refresher.tell_source(false);
        // At once, where the source does not know better.
        let mut order = match self.next(None, Duration::ZERO, &mut settings).await {
            Next::Refresh(order) => order,
            Next::End => return self.end(None),
        };
        // One may be held back since before the start.
        self.show_whether_held();
        loop {
            let begun = Instant::now();
            let result = self.refresh_unless_changed(order.as_mut(), settings.as_ref()).await;
            let mut wait = Duration::ZERO;
            if !matches!(result, Err(RefreshError::Interrupted)) {
                let took = self.refresher.answered_in().unwrap_or_else(|| begun.elapsed());
                wait = self.wait_after(&result, took, &mut backoff);
                self.report(&result, wait, &mut reported);
                self.note(&result, wait);
                self.count(&result);
                if let Ok(RefreshOutcome::New { .. }) = &result {
                    let list = self.refresher.name().to_owned();
                    // The channel is closed only when the service stops.
                    let _ = self.changed.send(Change::List(list, self.refresher.snapshot().clone())).await;
                }
                if let Some(order) = order.take() {
                    let elsewhere = self.elsewhere.held;
                    self.status().show(elsewhere);
                    // If the command is gone, no one reads the reply.
                    let _ = order.reply.send(RefreshResult::of(&self.refresher, &result));
                }
            }
            let before = self.refresh;
            match self.next(result.as_ref().err(), wait, &mut settings).await {
                Next::Refresh(next) => order = order.or(next),
                Next::End => return self.end(order),
            }
            if before != self.refresh {
                backoff = Backoff::new(FIRST_WAIT, self.refresh);
            }
        }
    }

    /// Refreshes. Other settings interrupt a fetch, and not the work on a list that has arrived.
    async fn refresh_unless_changed(
        &mut self,
        order: Option<&mut Order>,
        settings: Option<&Arc<ListSettings<S>>>,
    ) -> Result<RefreshOutcome, RefreshError> {
        let (interrupt, mut latest) = (self.refresher.interrupt().clone(), self.settings.clone());
        let settings = settings.cloned();
        let watch = async move {
            while latest.changed().await.is_ok() {
                if !is_same(settings.as_ref(), latest.borrow_and_update().as_ref()) {
                    interrupt.cancel();
                }
            }
            std::future::pending::<Infallible>().await
        };
        // A panic leaves nothing half done: the list in use is only ever replaced as a whole.
        let refresh = panics::contained(self.refresh(order));
        tokio::select! {
            result = refresh => result.unwrap_or_else(|panicked| Err(panicked.into())),
            never = watch => match never {},
        }
    }

    /// Waits for the next refresh: for its time, for an order, or for settings that ask for one.
    async fn next(
        &mut self,
        failed: Option<&RefreshError>,
        wait: Duration,
        settings: &mut Option<Arc<ListSettings<S>>>,
    ) -> Next {
        let mut until = Instant::now() + wait;
        let mut is_watched = true;
        loop {
            let known = self.elsewhere.held;
            tokio::select! {
                biased;
                changed = self.settings.changed(), if is_watched => match changed {
                    Ok(()) => {
                        let latest = self.settings.borrow_and_update().clone();
                        let Some(latest) = latest else { return Next::End };
                        let before = self.refresh;
                        if self.takes(&latest, failed, settings) {
                            return Next::Refresh(None);
                        }
                        let sooner = jittered(self.refresh);
                        if self.refresh < before && Instant::now() + sooner < until {
                            until = Instant::now() + sooner;
                            self.status().next = Some(now() + sooner.as_secs());
                        }
                    }
                    // The service is stopping.
                    Err(_) => is_watched = false,
                },
                Some(reply) = self.clearings.recv() => self.clear(reply).await,
                Some(order) = self.orders.recv() => return Next::Refresh(Some(order)),
                () = elsewhere::other_than(self.refresher.source().shared(), known) => self.note_elsewhere(),
                () = self.refresher.source().due(until) => return Next::Refresh(None),
            }
        }
    }

    /// Takes numbers that must not be named out of the list and its files.
    async fn clear(&mut self, reply: Clearing) {
        let cleared = self.refresher.take_out_suppressed().await;
        if cleared.records > 0 {
            let list = self.refresher.name().to_owned();
            // The channel is closed only when the service stops.
            let _ = self.changed.send(Change::List(list, self.refresher.snapshot().clone())).await;
        }
        self.status().note(&self.refresher);
        // If the command is gone, no one reads the reply.
        let _ = reply.send(cleared);
    }

    /// Takes the latest settings. Whether they ask for a refresh now.
    fn takes(
        &mut self,
        latest: &Arc<ListSettings<S>>,
        failed: Option<&RefreshError>,
        settings: &mut Option<Arc<ListSettings<S>>>,
    ) -> bool {
        if is_same(settings.as_ref(), Some(latest)) {
            // An unchanged credential that was refused is not sent again before its time: the source sees to that.
            return failed.is_some_and(RefreshError::is_about_credential);
        }
        let before = settings.replace(Arc::clone(latest));
        let ListSettings { source, fingerprint, refresh, full_refresh } = &**latest;
        self.refresher.reconfigure(source.clone(), *fingerprint, *full_refresh);
        self.refresh = *refresh;
        self.metrics.set_refresh(*refresh);
        self.status().note(&self.refresher);
        let asks_the_same = before.is_some_and(|before| before.fingerprint == *fingerprint);
        !asks_the_same || failed.is_some()
    }

    /// Answers the orders of a list that is no longer in the configuration.
    fn end(mut self, order: Option<Order>) {
        self.orders.close();
        let waiting = std::iter::from_fn(|| self.orders.try_recv().ok());
        for order in order.into_iter().chain(waiting) {
            let why = "it is no longer in the configuration";
            let _ = order.reply.send(RefreshResult::failed(self.refresher.name().to_owned(), why));
        }
    }

    async fn refresh(&mut self, order: Option<&mut Order>) -> Result<RefreshOutcome, RefreshError> {
        let act = order.map(|order| {
            if order.act == Act::Accept
                && let Some(shown) = self.status().shown.take()
            {
                // Other settings may interrupt the order: then it is the same list again that is to be accepted.
                order.act = Act::AcceptShown(shown);
            }
            order.act
        });
        match act {
            Some(Act::Accept) => self.refresher.accept(None).await,
            Some(Act::AcceptShown(id)) => self.refresher.accept(Some(id)).await,
            Some(Act::AcceptThis(id)) => self.refresher.accept_this(id).await,
            Some(Act::Refresh) | None => self.refresher.refresh().await,
        }
    }

    fn status(&self) -> MutexGuard<'_, ListStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_after(
        &self,
        result: &Result<RefreshOutcome, RefreshError>,
        took: Duration,
        backoff: &mut Backoff,
    ) -> Duration {
        match result {
            Ok(_) => {
                backoff.reset();
                let slow = took > SLOW;
                if slow {
                    info!(list = %self.refresher.name(), ?took, "a slow answer: the wait for the next one is {SLOW_FACTOR} times longer");
                }
                jittered(if slow { self.refresh * SLOW_FACTOR } else { self.refresh })
            }
            Err(error) => {
                let wait = match error.retry() {
                    Retry::Refused | Retry::TooSlow => self.refresh,
                    Retry::After(wait) => wait,
                    Retry::Soon => Duration::ZERO,
                };
                backoff.next_wait().max(wait.min(LONGEST_WAIT))
            }
        }
    }

    /// Logs a failure once: the same line after each attempt would hide the others.
    fn report(
        &self,
        result: &Result<RefreshOutcome, RefreshError>,
        wait: Duration,
        reported: &mut Option<String>,
    ) {
        let list = self.refresher.name();
        let text = match result {
            Ok(RefreshOutcome::Held { count, known, more, changes, losses, .. }) => {
                let until = match more {
                    Some(more) => format!("until it has come {more} times more"),
                    None if *count > 0 => "until an order takes it, because it has no name".to_owned(),
                    None => "until an order takes it, because it is empty".to_owned(),
                };
                format!(
                    "a list of {count} entries is held back, {known} are known: {until}; `nameplate refresh {list} --accept` takes it now: {changes}; {losses}"
                )
            }
            Ok(RefreshOutcome::NothingHeld) => return,
            Ok(outcome) => {
                if reported.take().is_some() {
                    info!(%list, "answers again");
                }
                return debug!(%list, ?wait, "{outcome:?}");
            }
            Err(error) => format!("refresh failed, what is known stays: {error}"),
        };
        if reported.as_ref() == Some(&text) {
            debug!(%list, ?wait, "again: {text}");
        } else {
            warn!(%list, known = self.refresher.snapshot().len(), ?wait, "{text}");
        }
        *reported = Some(text);
    }

    fn count(&self, result: &Result<RefreshOutcome, RefreshError>) {
        self.show_whether_held();
        match result {
            Ok(RefreshOutcome::NothingHeld) => {}
            Ok(RefreshOutcome::New { .. }) => self.metrics.taken(),
            Ok(RefreshOutcome::Unchanged) => self.metrics.unchanged(),
            Ok(RefreshOutcome::Held { .. }) => self.metrics.held(),
            Err(_) => self.metrics.failed(),
        }
    }

    fn show_whether_held(&self) {
        // What was held back here, while another replica decides, does not count.
        let is_decided_elsewhere =
            self.refresher.source().shared().is_some_and(SharedList::is_decided_elsewhere);
        let is_held = !is_decided_elsewhere && self.refresher.held().is_some();
        self.metrics.set_held(is_held || self.elsewhere.held.is_some());
    }

    /// Updates the list's state for commands.
    fn note(&self, result: &Result<RefreshOutcome, RefreshError>, wait: Duration) {
        let mut status = self.status();
        status.note(&self.refresher);
        status.next = Some(now() + wait.as_secs());
        match result {
            // Nobody was asked.
            Ok(RefreshOutcome::NothingHeld) => {}
            Ok(_) => (status.last_success, status.last_error) = (Some(now()), None),
            Err(error) => status.last_error = Some(format!("{error}")),
        }
    }
}

/// Whether both are the same settings.
fn is_same<S>(one: Option<&Arc<ListSettings<S>>>, other: Option<&Arc<ListSettings<S>>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[cfg(test)]
mod tests;
