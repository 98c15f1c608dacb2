//! The slots of the server, one for each connection. A connection whose client keeps the server waiting loses its slot to a
//! new connection, one that rests between two requests first of all. The connections of one address have at most half of the
//! slots. So a client that holds connections open, by malice or by mistake, does not hold up the lookup of a call.
//!
//! A stream of events lasts as long as its page is open. Streams keep their slots, and have at most half of all slots, those of one
//! address a quarter; connections for requests share the others.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// The time for which a connection without a whole request keeps its slot: a request may come in two packets.
const ARRIVAL: Duration = Duration::from_millis(20);
/// The time for which a connection with a whole request keeps its slot. An answer takes a millisecond, so later the client is
/// slow.
const ANSWER: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// The slot of the connection that this task serves.
    static OWN: Arc<Slot>;
}

/// Serves a connection with this slot.
pub(super) async fn with<T>(slot: Arc<Slot>, serving: impl Future<Output = T>) -> T {
    OWN.scope(slot, serving).await
}

/// The answer to the request of this task comes late on purpose. From now on the next connection may take its slot.
pub(super) fn may_wait() {
    // Tests of a router have no slot.
    let _ = OWN.try_with(|slot| slot.may_go());
}

/// All slots. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The number of slots.
    all: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// The id of the last connection.
    last: u64,
    /// Connections for requests.
    holders: Vec<Holder>,
    /// Streams: the id and the address of each.
    streams: Vec<(u64, IpAddr)>,
}

/// A connection that has a slot.
#[derive(Debug)]
struct Holder {
    id: u64,
    address: IpAddr,
    /// From this time on a new connection may take the slot. None while the server has not yet looked at the connection.
    until: Option<Instant>,
    /// Whether it has been answered, and the next request has not come.
    rests: bool,
    /// Ends the connection. None while the connection is being started.
    end: Option<AbortHandle>,
}

/// The slot of one connection. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    slots: Slots,
    /// What has happened since [`Slot::take_step`].
    step: AtomicU8,
}

/// A step of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing that counts.
    None = 0,
    /// A request has come, and is not answered yet.
    Asked = 1,
    /// A request is answered.
    Answered = 2,
    /// The answer is a stream.
    Streams = 3,
}

impl Slots {
    /// So many slots, at least two.
    pub(super) fn new(all: usize) -> Self {
        Self(Arc::new(Shared { all: all.max(2), taken: Mutex::default(), freed: Notify::new() }))
    }

    /// A slot for a connection from `address`. If no slot is free for this address, the connection that has kept the server
    /// waiting longest is ended. If there is none such, this waits: one second at most unless the machine is overloaded.
    pub(super) async fn take(&self, address: IpAddr) -> Slot {
        let address = address.to_canonical();
        loop {
            let freed = self.0.freed.notified();
            let next = match self.try_take(address) {
                Ok(slot) => return slot,
                Err(next) => next,
            };
            match next {
                Some(next) => drop(timeout_at(next, freed).await),
                None => freed.await,
            }
        }
    }

    /// A slot. Or the time from which the next slot may be taken; none if that is not known.
    fn try_take(&self, address: IpAddr) -> Result<Slot, Option<Instant>> {
        let mut taken = self.taken();
        let all = self.0.all - taken.streams.len();
        let of_one_address = all / 2;
        let mut ended = None;
        let own = taken.holders.iter().filter(|holder| holder.address == address).count();
        if own >= of_one_address || taken.holders.len() >= all {
            let may_go = |holder: &&Holder| own < of_one_address || holder.address == address;
            let idle = taken
                .holders
                .iter()
                .filter(may_go)
                .filter_map(|holder| Some((!holder.rests, holder.until?, holder.id)));
            let Some((_, until, id)) = idle.min() else { return Err(None) };
            if until > Instant::now() {
                return Err(Some(until));
            }
            ended = taken.remove(id).and_then(|holder| holder.end);
        }
        taken.last += 1;
        let id = taken.last;
        taken.holders.push(Holder { id, address, until: None, rests: false, end: None });
        drop(taken);
        // The connection that ends drops its slot, which takes the lock again.
        if let Some(ended) = ended {
            ended.abort();
        }
        Ok(Slot { id, slots: self.clone(), step: AtomicU8::new(0) })
    }

    /// Says how to end the connection with this id.
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
        let index = self.holders.iter().position(|holder| holder.id == id)?;
        Some(self.holders.swap_remove(index))
    }

    /// Removes a connection or a stream.
    fn remove_any(&mut self, id: u64) {
        if self.remove(id).is_none() {
            self.streams.retain(|(stream, _)| *stream != id);
        }
    }
}

impl Slot {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// All received bytes are read. Without a whole request the client now keeps the server waiting.
    pub(super) fn waits(&self) {
        self.keep(false, |until| until.unwrap_or_else(|| Instant::now() + ARRIVAL));
    }

    /// A whole request has come.
    pub(super) fn asks(&self) {
        self.step.store(Step::Asked as u8, Ordering::Relaxed);
        self.keep(false, |_| Instant::now() + ANSWER);
    }

    /// The request need not be answered at once: its client is still sending it, or is kept waiting. A new connection may soon take the
    /// slot, so that many such connections of one address do not hold up the others.
    pub(super) fn may_go(&self) {
        self.keep(false, |_| Instant::now() + ARRIVAL);
    }

    /// The request has its answer, which is on its way.
    pub(super) fn answers(&self) {
        let _ = self.step.compare_exchange(
            Step::Asked as u8,
            Step::Answered as u8,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// The answer is sent, and the client may ask again. Until then a new connection may take the slot.
    pub(super) fn rests(&self) {
        self.keep(true, |_| Instant::now());
    }

    /// The answer will be a stream. False: there are enough of them.
    #[must_use]
    pub(super) fn streams(&self) -> bool {
        let mut taken = self.slots.taken();
        let most = self.slots.0.all / 2;
        let Some(address) = taken.holder(self.id).map(|holder| holder.address) else { return false };
        let own = taken.streams.iter().filter(|(_, of)| *of == address).count();
        if taken.streams.len() >= most || own >= most.div_ceil(2) {
            return false;
        }
        taken.remove(self.id);
        taken.streams.push((self.id, address));
        drop(taken);
        self.step.store(Step::Streams as u8, Ordering::Relaxed);
        true
    }

    /// What has happened since this was asked last.
    pub(super) fn take_step(&self) -> Step {
        match self.step.swap(0, Ordering::Relaxed) {
            1 => Step::Asked,
            2 => Step::Answered,
            3 => Step::Streams,
            _ => Step::None,
        }
    }

    fn keep(&self, rests: bool, until: impl FnOnce(Option<Instant>) -> Instant) {
        if let Some(holder) = self.slots.taken().holder(self.id) {
            (holder.rests, holder.until) = (rests, Some(until(holder.until)));
        }
        // A connection that waits for a slot has to know this time.
        self.slots.0.freed.notify_one();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().remove_any(self.id);
        self.slots.0.freed.notify_one();
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
    async fn one_address_has_half_of_the_slots_and_takes_none_of_anothers() {
        let slots = Slots::new(2 * HALF);
        let mut greedy = Vec::new();
        for _ in 0..HALF {
            greedy.push(slots.take(address(1)).await);
        }
        greedy.iter().for_each(Slot::asks);
        let begun = Instant::now();
        let other = slots.take(address(2)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        other.waits();
        // One more of the first address takes a slot of its own address, when the time of that slot has passed.
        greedy.push(slots.take(address(1)).await);
        assert!(begun.elapsed() >= ANSWER);
        let taken = slots.taken();
        assert!(taken.holders.iter().any(|holder| holder.id == other.id));
        assert_eq!(taken.holders.len(), HALF + 1);
        drop(taken);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_the_server_has_not_looked_at_keeps_its_slot() {
        let slots = Slots::new(2 * HALF);
        let mut held = Vec::new();
        for _ in 0..HALF {
            held.push(slots.take(address(1)).await);
        }
        let wait = tokio::time::timeout(Duration::from_mins(1), slots.take(address(1))).await;
        assert!(wait.is_err());
        held[7].waits();
        let slot = tokio::time::timeout(ARRIVAL * 2, slots.take(address(1))).await.unwrap();
        assert!(slots.taken().holder(held[7].id).is_none() && slots.taken().holder(slot.id).is_some());
        // A slot that is dropped is free at once.
        drop(slot);
        let begun = Instant::now();
        drop(slots.take(address(1)).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_rests_between_two_requests_goes_first() {
        let slots = Slots::new(2 * HALF);
        let mut held = Vec::new();
        for _ in 0..HALF {
            held.push(slots.take(address(1)).await);
        }
        held.iter().for_each(Slot::asks);
        tokio::time::advance(ANSWER * 2).await;
        // All may go by now, and this one is the last that has asked.
        held[5].asks();
        held[5].rests();
        let begun = Instant::now();
        let new = slots.take(address(1)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(slots.taken().holder(held[5].id).is_none() && slots.taken().holder(held[0].id).is_some());
        // One that asks again does not rest.
        new.asks();
        new.rests();
        new.asks();
        drop(slots.take(address(1)).await);
        assert!(slots.taken().holder(new.id).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn streams_leave_half_of_the_slots_to_requests() {
        let slots = Slots::new(4 * HALF);
        let mut streams = Vec::new();
        for last in 1..=2 {
            for _ in 0..HALF {
                let slot = slots.take(address(last)).await;
                assert!(slot.streams());
                streams.push(slot);
            }
            let slot = slots.take(address(last)).await;
            assert!(!slot.streams(), "one address has a quarter of all slots");
        }
        assert!(!slots.take(address(3)).await.streams());
        // Each address has half of what is left, and no stream goes for it.
        let mut requests = Vec::new();
        for last in [1, 2] {
            for _ in 0..HALF {
                requests.push(slots.take(address(last)).await);
            }
        }
        requests.iter().for_each(Slot::asks);
        tokio::time::advance(ANSWER).await;
        let _new = slots.take(address(3)).await;
        {
            let taken = slots.taken();
            assert_eq!((taken.streams.len(), taken.holders.len()), (2 * HALF, 2 * HALF));
        }
        streams.clear();
        assert!(slots.take(address(1)).await.streams());
    }
}
