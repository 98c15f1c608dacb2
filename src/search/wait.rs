//! A call that waits for its search: in the order of the sources, for at most the `search_wait` of each.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

/// The longest `search_wait`. The dialplan ends a lookup after half a second, and the answer has to be there before.
pub const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// No call waits behind so many searches in the queue. Each takes two requests, 120 ms apart, so its own would take too long.
pub(super) const SEARCHES_AHEAD: usize = 2;
/// The most calls that wait for one source. A further one does not wait.
pub(super) const MAX_WAITING: usize = 256;

/// The searches that a call waits for.
#[derive(Debug, Default)]
pub struct Wait {
    /// In the order of the sources.
    searches: Vec<Awaited>,
}

/// A search that a call waits for.
#[derive(Debug)]
struct Awaited {
    /// Closed at the end of the search.
    end: watch::Receiver<()>,
    /// When the call began to wait.
    begun: Instant,
    /// The source's `search_wait`.
    longest: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Wait {
    pub(super) fn add(
        &mut self,
        end: watch::Receiver<()>,
        begun: Instant,
        longest: Duration,
        permit: OwnedSemaphorePermit,
    ) {
        self.searches.push(Awaited { end, begun, longest, _permit: permit });
    }

    /// Waits until one more search has ended, in the order of the sources, or has taken too long: longer than its source's
    /// `search_wait`, or than `longest`, both from the call's beginning. Returns whether there are others.
    pub async fn next(&mut self, longest: Duration) -> bool {
        if !self.searches.is_empty() {
            let mut search = self.searches.remove(0);
            let until = search.begun + search.longest.min(longest);
            // Nothing is ever sent: the channel is closed at the end.
            let _ = timeout_at(until, search.end.changed()).await;
        }
        !self.searches.is_empty()
    }
}
