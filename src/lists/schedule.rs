//! The service's refreshes of one list: when they happen, and what the log says of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::events::RefreshResult;
use super::outcome::RefreshOutcome;
use super::refresh::{ListSource, RefreshError, Refresher, now};
use super::snapshot::Snapshot;
use super::status::ListStatus;
use crate::backoff::{Backoff, jittered};
use crate::observe::metrics;
use crate::observe::panics;
use crate::source::Retry;

/// The first wait after a failure. It doubles up to the list's interval.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// SuperOffice flags an answer that takes longer as slow (`NsApiSlow`).
const SLOW: Duration = Duration::from_secs(5);
/// The factor by which the interval of a slow list grows.
const SLOW_FACTOR: u32 = 4;
/// The longest wait after a failure, however long the list's interval is.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// An order to refresh now.
pub struct Order {
    /// Accept the list that is held back, or the list that arrives.
    pub accept: bool,
    /// Takes the result.
    pub reply: oneshot::Sender<RefreshResult>,
}

/// The schedule of one list.
pub struct Schedule<S> {
    /// Refreshes the list.
    pub refresher: Refresher<S>,
    /// The list's position in the configuration.
    pub place: usize,
    /// The interval of refreshes.
    pub refresh: Duration,
    /// Takes the list's position and its new snapshot.
    pub changed: mpsc::Sender<(usize, Snapshot)>,
    /// Orders to refresh now.
    pub orders: mpsc::Receiver<Order>,
    /// The list's state, for commands.
    pub status: Arc<Mutex<ListStatus>>,
    /// The list's metrics.
    pub metrics: metrics::List,
}

impl<S: ListSource> Schedule<S> {
    /// Refreshes at once, then on schedule and on order. Never returns.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_WAIT, self.refresh);
        let mut reported: Option<String> = None;
        let mut order: Option<Order> = None;
        // One may be held back since before the start.
        self.metrics.set_held(self.refresher.held().is_some());
        loop {
            let begun = Instant::now();
            // A panic leaves nothing half done: the list in use is only ever replaced as a whole.
            let result = panics::contained(self.refresh(order.as_ref())).await;
            let result = result.unwrap_or_else(|panicked| Err(panicked.into()));
            let took = self.refresher.answered_in().unwrap_or_else(|| begun.elapsed());
            let wait = self.wait_after(&result, took, &mut backoff);
            self.report(&result, wait, &mut reported);
            self.note(&result, wait);
            self.count(&result);
            if let Ok(RefreshOutcome::New { .. }) = &result {
                // The channel is closed only when the service stops.
                let _ = self.changed.send((self.place, self.refresher.snapshot().clone())).await;
            }
            if let Some(order) = order.take() {
                self.status().show();
                // If the command is gone, no one reads the reply.
                let _ = order.reply.send(RefreshResult::of(&self.refresher, &result));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Some(next) = self.orders.recv() => order = Some(next),
            }
        }
    }

    async fn refresh(&mut self, order: Option<&Order>) -> Result<RefreshOutcome, RefreshError> {
        match order {
            Some(order) if order.accept => {
                let shown = self.status().shown.take();
                self.refresher.accept(shown).await
            }
            _ => self.refresher.refresh().await,
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
        self.metrics.set_held(self.refresher.held().is_some());
        match result {
            Ok(RefreshOutcome::New { .. }) => self.metrics.taken(),
            Ok(RefreshOutcome::Unchanged) => self.metrics.unchanged(),
            Ok(RefreshOutcome::Held { .. }) => self.metrics.held(),
            Err(_) => self.metrics.failed(),
        }
    }

    /// Updates the list's state for commands.
    fn note(&self, result: &Result<RefreshOutcome, RefreshError>, wait: Duration) {
        let mut status = self.status();
        status.note(&self.refresher);
        status.next = Some(now() + wait.as_secs());
        match result {
            Ok(_) => (status.last_success, status.last_error) = (Some(now()), None),
            Err(error) => status.last_error = Some(format!("{error}")),
        }
    }
}

#[cfg(test)]
mod tests;
