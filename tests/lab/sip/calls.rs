//! The calls of one endpoint, each woken in its time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use super::clock::{Clock, TICK};

/// What an endpoint remembers of one call.
pub(crate) trait Timed {
    /// When [`Timed::wake`] wants to be called.
    fn due(&self) -> Option<Instant>;

    /// The time of [`Timed::due`] has come: what is to be sent. `None`: the call can be forgotten.
    fn wake(&mut self, now: Instant) -> Option<Vec<Vec<u8>>>;
}

/// Calls by Call-ID.
pub(crate) struct Calls<C> {
    by_id: HashMap<String, C>,
    clock: Clock,
}

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), clock: Clock::default() }
    }
}

impl<C: Timed> Calls<C> {
    /// One more.
    pub(crate) fn add(&mut self, call_id: &str, call: C) {
        if let Some(due) = call.due() {
            self.clock.set(due, call_id);
        }
        self.by_id.insert(call_id.to_owned(), call);
    }

    /// One of them.
    pub(crate) fn get(&self, call_id: &str) -> Option<&C> {
        self.by_id.get(call_id)
    }

    /// All of them.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut C> {
        self.by_id.values_mut()
    }

    /// Does something for a call, if there is one, and sends what comes of it.
    pub(crate) fn with(
        &mut self,
        call_id: &str,
        act: impl FnOnce(&mut C, Instant) -> Vec<Vec<u8>>,
        send: impl Fn(&C, &[u8]),
    ) {
        let Some(call) = self.by_id.get_mut(call_id) else { return };
        let before = call.due();
        for datagram in act(call, Instant::now()) {
            send(call, &datagram);
        }
        let after = call.due();
        if let Some(at) = after.filter(|_| after != before) {
            self.clock.set(at, call_id);
        }
    }

    /// Wakes a call whose time has come. False: there is none.
    pub(crate) fn wake_next(&mut self, now: Instant, send: impl Fn(&C, &[u8])) -> bool {
        let Some((at, call_id)) = self.clock.due(now) else { return false };
        let mut is_over = false;
        let wake = |call: &mut C, now| {
            if call.due() != Some(at) {
                return Vec::new();
            }
            let datagrams = call.wake(now);
            is_over = datagrams.is_none();
            datagrams.unwrap_or_default()
        };
        self.with(&call_id, wake, send);
        if is_over {
            self.by_id.remove(&call_id);
        }
        true
    }
}

/// Hears what comes to `socket`, and looks at the clock now and then, until it is dropped.
pub(crate) async fn listen(
    socket: UdpSocket,
    on_datagram: impl Fn(&[u8], SocketAddr, Instant),
    on_tick: impl Fn(Instant),
) {
    let mut buffer = vec![0; 65_535];
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => if let Ok((length, peer)) = received {
                on_datagram(&buffer[..length], peer, Instant::now());
            },
            _ = tick.tick() => on_tick(Instant::now()),
        }
    }
}
