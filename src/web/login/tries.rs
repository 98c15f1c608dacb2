//! Tries to log in, one after another. Each wrong one makes the next ones wait, of everybody a little and of its own address more.
//!
//! A stranger with many addresses must not lock out the people who may log in: of the tries that wait, the one whose address was
//! wrong least often comes first, and among equals chance decides. Who has the token does not wait here at all.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The wait for all after a wrong try: two wrong tries a second, over all addresses.
const OF_ALL: Duration = Duration::from_millis(500);
/// The wait for an address after its first wrong try. Each further one doubles it.
const OF_ONE: Duration = Duration::from_millis(500);
/// The longest wait for an address. Behind a proxy everybody may have the same one.
const LONGEST: Duration = Duration::from_secs(2);
/// The most time that a try waits for its turn.
const PATIENCE: Duration = Duration::from_millis(3_500);
/// The time after which the wrong tries of an address are forgotten.
const MEMORY: Duration = Duration::from_mins(15);
/// The most addresses that are remembered.
const ADDRESSES: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// All tries.
#[derive(Debug)]
pub(super) struct Tries {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// When the next try may be looked at; none while one is being looked at.
    free: Option<Instant>,
    wrong: LruCache<IpAddr, Wrong>,
    waiting: Vec<Waiting>,
    /// The id of the last try.
    last: u64,
}

/// The wrong tries of an address.
#[derive(Clone, Copy, Debug)]
struct Wrong {
    times: u32,
    last: Instant,
}

/// A try that waits for its turn.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: u64,
    address: IpAddr,
    /// Decides among equals.
    chance: u64,
}

/// The turn of one try. It counts as wrong unless it is said to be right.
#[derive(Debug)]
pub(super) struct Turn {
    tries: Arc<Tries>,
    address: IpAddr,
    right: bool,
}

/// What a waiting try waits for.
enum Next {
    /// Its turn has come.
    Now,
    /// At this time it may be its turn.
    At(Instant),
    /// Another try is being looked at.
    Unknown,
}

impl Tries {
    pub(super) fn new() -> Self {
        let state = State {
            free: Some(Instant::now()),
            wrong: LruCache::new(ADDRESSES),
            waiting: Vec::new(),
            last: 0,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Waits for the turn of a try from this address; none if it does not come within 3.5 s.
    pub(super) async fn turn(self: &Arc<Self>, address: IpAddr) -> Option<Turn> {
        let address = network(address);
        let deadline = Instant::now() + PATIENCE;
        let place = Place::new(self, address);
        loop {
            let changed = self.changed.notified();
            let next = match self.locked().next(place.id) {
                Next::Now => return Some(Turn { tries: Arc::clone(self), address, right: false }),
                Next::At(time) => time.min(deadline),
                Next::Unknown => deadline,
            };
            if timeout_at(next, changed).await.is_err() && Instant::now() >= deadline {
                return None;
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the try with this id waits for. If its turn has come, it is taken.
    fn next(&mut self, id: u64) -> Next {
        let now = Instant::now();
        match self.free {
            None => return Next::Unknown,
            Some(free) if free > now => return Next::At(free),
            Some(_) => {}
        }
        let ranks: Vec<_> =
            self.waiting.iter().map(|waiting| (self.rank(waiting, now), waiting.id)).collect();
        let ready = ranks.iter().filter(|((_, _, from), _)| *from <= now).min();
        match ready {
            Some((_, first)) if *first == id => {
                self.free = None;
                self.waiting.retain(|waiting| waiting.id != id);
                Next::Now
            }
            // The first one takes its turn in this moment, and says when it ends.
            Some(_) => Next::Unknown,
            None => ranks.iter().map(|((_, _, from), _)| *from).min().map_or(Next::Unknown, Next::At),
        }
    }

    /// How often the address was wrong, the chance, and from when on its try may be looked at.
    fn rank(&self, waiting: &Waiting, now: Instant) -> (u32, u64, Instant) {
        let wrong = self.wrong.peek(&waiting.address).filter(|wrong| wrong.last + MEMORY > now);
        let (times, from) = wrong.map_or((0, now), |wrong| (wrong.times, wrong.last + wait(wrong.times)));
        (times, waiting.chance, from)
    }
}

/// The wait for an address that was wrong so many times.
fn wait(times: u32) -> Duration {
    (OF_ONE * 2_u32.saturating_pow(times.saturating_sub(1).min(8))).min(LONGEST)
}

/// The place of a try among those that wait.
struct Place<'a> {
    tries: &'a Tries,
    id: u64,
}

impl<'a> Place<'a> {
    fn new(tries: &'a Tries, address: IpAddr) -> Self {
        let mut state = tries.locked();
        state.last += 1;
        let id = state.last;
        state.waiting.push(Waiting { id, address, chance: fastrand::u64(..) });
        Self { tries, id }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.tries.locked().waiting.retain(|waiting| waiting.id != self.id);
        self.tries.changed.notify_waiters();
    }
}

impl Turn {
    /// The try is right: nobody waits for it, and its address was never wrong.
    pub(super) fn succeed(mut self) {
        self.right = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.tries.locked();
        if self.right {
            state.wrong.pop(&self.address);
            state.free = Some(now);
        } else {
            let before = state.wrong.peek(&self.address).filter(|wrong| wrong.last + MEMORY > now);
            let times = before.map_or(1, |wrong| wrong.times.saturating_add(1));
            state.wrong.put(self.address, Wrong { times, last: now });
            state.free = Some(now + OF_ALL);
        }
        drop(state);
        self.tries.changed.notify_waiters();
    }
}

/// The address that counts: of IPv6 the network of 64 bits, of which anybody with one address has all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// How long a wrong try from this address has to wait for its turn.
    async fn wrong(tries: &Arc<Tries>, from: IpAddr) -> Option<Duration> {
        let begun = Instant::now();
        tries.turn(from).await.map(drop).map(|()| begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn each_wrong_try_makes_its_address_wait_longer_and_the_others_a_little() {
        let tries = Arc::new(Tries::new());
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(wrong(&tries, address(1)).await.unwrap().as_millis());
        }
        assert_eq!(waits, [0, 500, 1_000, 2_000, 2_000]);
        assert_eq!(wrong(&tries, address(2)).await.unwrap().as_millis(), 500);
        assert_eq!(wrong(&tries, address(3)).await.unwrap().as_millis(), 500);
        // A right one costs nobody anything, and is forgiven.
        tries.turn(address(1)).await.unwrap().succeed();
        assert_eq!(wrong(&tries, address(1)).await.unwrap().as_millis(), 0);
        tokio::time::advance(MEMORY).await;
        assert_eq!(wrong(&tries, address(2)).await.unwrap().as_millis(), 0);
        assert_eq!(wrong(&tries, address(2)).await.unwrap().as_millis(), 500);
    }

    #[tokio::test(start_paused = true)]
    async fn one_try_at_a_time() {
        let tries = Arc::new(Tries::new());
        let first = tries.turn(address(1)).await.unwrap();
        let begun = Instant::now();
        assert!(tries.turn(address(2)).await.is_none());
        assert_eq!(begun.elapsed(), PATIENCE);
        assert!(tries.locked().waiting.is_empty());
        first.succeed();
        assert!(tries.turn(address(2)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_many_addresses_does_not_lock_out_a_new_one() {
        let tries = Arc::new(Tries::new());
        let flood = (0..200).map(|n| {
            let tries = Arc::clone(&tries);
            tokio::spawn(async move {
                loop {
                    drop(tries.turn(address(n)).await);
                }
            })
        });
        let flood: Vec<_> = flood.collect();
        // Each of them was wrong once.
        while tries.locked().wrong.len() < 200 {
            tokio::time::sleep(OF_ALL).await;
        }
        for _ in 0..10 {
            let begun = Instant::now();
            tries.turn(address(250)).await.expect("a turn").succeed();
            assert!(begun.elapsed() <= OF_ALL, "{:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(123)).await;
        }
        flood.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        assert_eq!(network(one), network("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert_ne!(network(one), network("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), address(1));
    }
}
