//! When a list is asked for, and what is said of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::events::Refreshed;
use super::refresh::{Keeper, Outcome, Question, now};
use super::status::ListStatus;
use super::store::Kept;
use crate::backoff::{Backoff, jittered};
use crate::observe::metrics;
use crate::observe::panics;
use crate::source::superoffice::error::FetchError;

/// The first wait after a failure; it doubles up to the list's own schedule.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// An answer that takes longer is one that SuperOffice flags as slow (`NsApiSlow`).
const SLOW: Duration = Duration::from_secs(5);
/// How much more rarely a slow list is asked for.
const SLOW_FACTOR: u32 = 4;
/// However rare a list's schedule: after a refusal it is asked for again within this time.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// An order to ask now.
pub struct Order {
    /// Take whatever list comes.
    pub accept: bool,
    /// Where it goes what came of it.
    pub reply: oneshot::Sender<Refreshed>,
}

/// One list's schedule.
pub struct Schedule<Q> {
    /// The list.
    pub keeper: Keeper<Q>,
    /// Its place among all lists.
    pub place: usize,
    /// How often it is asked for.
    pub refresh: Duration,
    /// Where new lists go.
    pub changed: mpsc::Sender<(usize, Kept)>,
    /// Orders to ask now.
    pub orders: mpsc::Receiver<Order>,
    /// What is known of it, for others to see.
    pub status: Arc<Mutex<ListStatus>>,
    /// What is counted of it.
    pub metrics: metrics::List,
}

impl<Q: Question> Schedule<Q> {
    /// Asks at once, then on schedule or when ordered, for ever.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_WAIT, self.refresh);
        let mut reported: Option<String> = None;
        let mut order: Option<Order> = None;
        loop {
            let begun = Instant::now();
            // The list in use is replaced by a whole one only, so that a refresh leaves nothing half done.
            let result = panics::contained(self.ask(order.as_ref())).await;
            let result = result.unwrap_or_else(|panicked| Err(panicked.into()));
            let took = self.keeper.answered_in().unwrap_or_else(|| begun.elapsed());
            let wait = self.wait_after(&result, took, &mut backoff);
            self.report(&result, wait, &mut reported);
            self.note(&result, wait);
            self.count(&result);
            if let Ok(Outcome::New { .. }) = &result {
                // Nobody receives only when the service is stopping.
                let _ = self.changed.send((self.place, self.keeper.kept().clone())).await;
            }
            if let Some(order) = order.take() {
                self.status().show();
                // Who ordered it may have gone.
                let _ = order.reply.send(Refreshed::of(&self.keeper, &result));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Some(next) = self.orders.recv() => order = Some(next),
            }
        }
    }

    async fn ask(&mut self, order: Option<&Order>) -> anyhow::Result<Outcome> {
        match order {
            Some(order) if order.accept => {
                let shown = self.status().shown.take();
                self.keeper.accept(shown).await
            }
            _ => self.keeper.refresh().await,
        }
    }

    fn status(&self) -> MutexGuard<'_, ListStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_after(
        &self,
        result: &anyhow::Result<Outcome>,
        took: Duration,
        backoff: &mut Backoff,
    ) -> Duration {
        match result {
            Ok(_) => {
                backoff.reset();
                let slow = took > SLOW;
                if slow {
                    info!(list = %self.keeper.name(), ?took, "a slow answer: it is asked {SLOW_FACTOR} times more rarely");
                }
                jittered(if slow { self.refresh * SLOW_FACTOR } else { self.refresh })
            }
            Err(error) => {
                let error = error.downcast_ref::<FetchError>();
                let rest = match error {
                    // Trying a refused password again soon locks the account in many a domain; and a server that
                    // does not get done in minutes is not helped by the same question once more.
                    Some(
                        FetchError::Refused { .. }
                        | FetchError::Login { .. }
                        | FetchError::Silent(_)
                        | FetchError::OutOfTime(_),
                    ) => self.refresh,
                    error => error.and_then(FetchError::retry_after).unwrap_or_default(),
                };
                backoff.next_wait().max(rest.min(LONGEST_REST))
            }
        }
    }

    /// Says what went wrong, once: the same failure at each try would bury the others.
    fn report(&self, result: &anyhow::Result<Outcome>, wait: Duration, reported: &mut Option<String>) {
        let list = self.keeper.name();
        let said = match result {
            Ok(Outcome::Held { count, known, more, changes, losses, .. }) => {
                let until = match more {
                    Some(more) => format!("until it has come {more} times more"),
                    None if *count > 0 => "for one without names is never taken by itself".to_owned(),
                    None => "for an empty one is never taken by itself".to_owned(),
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
            Err(error) => format!("refresh failed, what is known stays: {error:#}"),
        };
        if reported.as_ref() == Some(&said) {
            debug!(%list, ?wait, "again: {said}");
        } else {
            warn!(%list, known = self.keeper.kept().len(), ?wait, "{said}");
        }
        *reported = Some(said);
    }

    fn count(&self, result: &anyhow::Result<Outcome>) {
        match result {
            Ok(Outcome::New { .. }) => self.metrics.taken(),
            Ok(Outcome::Unchanged) => self.metrics.unchanged(),
            Ok(Outcome::Held { .. }) => self.metrics.held(),
            Err(_) => self.metrics.failed(),
        }
    }

    /// Writes down what others may see.
    fn note(&self, result: &anyhow::Result<Outcome>, wait: Duration) {
        let mut status = self.status();
        status.note(&self.keeper);
        status.next = Some(now() + wait.as_secs());
        match result {
            Ok(_) => (status.last_success, status.last_error) = (Some(now()), None),
            Err(error) => status.last_error = Some(format!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests;
