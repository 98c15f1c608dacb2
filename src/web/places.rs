//! The places of the server's connections. A connection whose client keeps it waiting gives its place to a new one, and
//! the connections of one address have half of all places at most: whoever holds connections, by malice or by a mistake,
//! does not hold up a call's lookup.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// How long a connection without a whole request has its place for sure: the request of a client in a hurry is under way.
const ARRIVAL: Duration = Duration::from_millis(20);
/// How long one with a whole request has it. Its answer takes a millisecond, and then it is the client who is slow.
const ANSWER: Duration = Duration::from_secs(1);

/// All places. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many there are.
    all: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// Each connection has a number of its own.
    last: u64,
    holders: Vec<Holder>,
}

/// A connection that has a place.
#[derive(Debug)]
struct Holder {
    id: u64,
    address: IpAddr,
    /// From then on the place may be taken away; none while the server itself has not looked at the connection yet.
    until: Option<Instant>,
    /// Ends the connection; none while it is being started.
    end: Option<AbortHandle>,
}

/// A connection's right to be served. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    places: Places,
}

impl Places {
    /// So many, at least two.
    pub(super) fn new(all: usize) -> Self {
        Self(Arc::new(Shared { all: all.max(2), taken: Mutex::default(), freed: Notify::new() }))
    }

    /// A place for a connection from `address`. Where none is free for it, the connection that has kept the server waiting
    /// longest is ended; as long as there is none, this waits, a second at most unless the machine is overloaded.
    pub(super) async fn take(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        loop {
            let freed = self.0.freed.notified();
            let next = match self.try_take(address) {
                Ok(place) => return place,
                Err(next) => next,
            };
            match next {
                Some(next) => drop(timeout_at(next, freed).await),
                None => freed.await,
            }
        }
    }

    /// A place, or when the next one may be taken away.
    fn try_take(&self, address: IpAddr) -> Result<Place, Option<Instant>> {
        let (all, of_one_address) = (self.0.all, self.0.all / 2);
        let mut taken = self.taken();
        let mut ended = None;
        let own = taken.holders.iter().filter(|holder| holder.address == address).count();
        if own >= of_one_address || taken.holders.len() >= all {
            let may_go = |holder: &&Holder| own < of_one_address || holder.address == address;
            let idle =
                taken.holders.iter().filter(may_go).filter_map(|holder| Some((holder.until?, holder.id)));
            let Some((until, id)) = idle.min() else { return Err(None) };
            if until > Instant::now() {
                return Err(Some(until));
            }
            ended = taken.remove(id).and_then(|holder| holder.end);
        }
        taken.last += 1;
        let id = taken.last;
        taken.holders.push(Holder { id, address, until: None, end: None });
        drop(taken);
        // What it drops frees its place, which is another's already.
        if let Some(ended) = ended {
            ended.abort();
        }
        Ok(Place { id, places: self.clone() })
    }

    /// What ends the connection with this place.
    pub(super) fn ends_by(&self, id: u64, end: AbortHandle) {
        if let Some(holder) = self.taken().holder(id) {
            holder.end = Some(end);
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn holder(&mut self, id: u64) -> Option<&mut Holder> {
        self.holders.iter_mut().find(|holder| holder.id == id)
    }

    fn remove(&mut self, id: u64) -> Option<Holder> {
        let place = self.holders.iter().position(|holder| holder.id == id)?;
        Some(self.holders.swap_remove(place))
    }
}

impl Place {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// All that has come is read. Unless it was a whole request, the client keeps the server waiting.
    pub(super) fn waits(&self) {
        self.keep(|until| until.unwrap_or_else(|| Instant::now() + ARRIVAL));
    }

    /// A whole request has come.
    pub(super) fn asks(&self) {
        self.keep(|_| Instant::now() + ANSWER);
    }

    fn keep(&self, until: impl FnOnce(Option<Instant>) -> Instant) {
        if let Some(holder) = self.places.taken().holder(self.id) {
            holder.until = Some(until(holder.until));
        }
        // Whoever waits for a place learns when this one may be taken away.
        self.places.0.freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.id);
        self.places.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = 8;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_has_half_of_the_places_and_takes_none_of_anothers() {
        let places = Places::new(2 * HALF);
        let mut greedy = Vec::new();
        for _ in 0..HALF {
            greedy.push(places.take(address(1)).await);
        }
        greedy.iter().for_each(Place::asks);
        let begun = Instant::now();
        let other = places.take(address(2)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        other.waits();
        // One more of the first takes the place of one of its own, when that has had its time.
        greedy.push(places.take(address(1)).await);
        assert!(begun.elapsed() >= ANSWER);
        let taken = places.taken();
        assert!(taken.holders.iter().any(|holder| holder.id == other.id));
        assert_eq!(taken.holders.len(), HALF + 1);
        drop(taken);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_the_server_has_not_looked_at_keeps_its_place() {
        let places = Places::new(2 * HALF);
        let mut held = Vec::new();
        for _ in 0..HALF {
            held.push(places.take(address(1)).await);
        }
        let wait = tokio::time::timeout(Duration::from_mins(1), places.take(address(1))).await;
        assert!(wait.is_err());
        held[7].waits();
        let place = tokio::time::timeout(ARRIVAL * 2, places.take(address(1))).await.unwrap();
        assert!(places.taken().holder(held[7].id).is_none() && places.taken().holder(place.id).is_some());
        // A place that is given back is there at once.
        drop(place);
        let begun = Instant::now();
        drop(places.take(address(1)).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
