//! Results that are shared with the other replicas.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tracing::debug;

use super::worker::Judge;
use super::{CACHED_FOR, Cache, CachedSearch, lock};
use crate::directory::suppressed::Suppressed;
use crate::entry::Entry;
use crate::number::Number;
use crate::observe::mask;
use crate::share::replica::Replica;
use crate::share::searches::Searched;

/// The searches of a source among those of the replicas.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) replica: Arc<Replica>,
    /// Identifies the request to the CRM.
    pub(super) request: u64,
}

impl Shared {
    /// Has the other replicas know a result.
    pub(super) fn publish(&self, number: Number, entries: Vec<Entry>, until: Instant) {
        self.replica.exchange.publish(Searched { request: self.request, number, entries, until });
    }

    /// Has the server forget the results of numbers that must not be named. `known` are those of this service's results.
    pub(super) fn forget(&self, suppressed: &Suppressed, known: &[Number]) {
        let known = known.iter().copied().filter(|number| suppressed.has(*number));
        for number in suppressed.numbers().chain(known) {
            self.replica.exchange.forget(self.request, number);
        }
    }

    /// Takes the results of the other replicas, and never returns.
    pub(super) fn take(
        &self,
        judge: Judge,
        cache: Cache,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let (request, mut results) = (self.request, self.replica.exchange.subscribe());
        async move {
            loop {
                match results.recv().await {
                    Ok(searched) if searched.request == request => take(searched, &judge, &cache),
                    // Those that were missed are searched for once more.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        }
    }
}

/// Takes a result, unless this service has one of its own.
fn take(searched: Searched, judge: &Judge, cache: &Cache) {
    let Searched { number, entries, until, .. } = searched;
    let now = Instant::now();
    let until = until.min(now + CACHED_FOR);
    let Ok(directory) = judge.directory(&entries) else { return };
    let somebody = directory.is_some();
    let mut cache = lock(cache);
    match cache.peek(&number) {
        Some(CachedSearch::Found { until, .. } | CachedSearch::NotFound { until }) if *until > now => return,
        // The search under way may find another reading of the digits.
        Some(CachedSearch::Pending(_)) if !somebody => return,
        _ => {}
    }
    cache.put(number, CachedSearch::of(directory, until));
    drop(cache);
    let source = &judge.origin.source;
    debug!(%source, caller = %mask::Number(&number.to_string()), somebody, "another replica has searched");
}
