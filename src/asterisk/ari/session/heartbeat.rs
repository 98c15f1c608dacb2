//! Whether Asterisk is alive: pings, silence, and a tick each second.

use std::time::Duration;

use tokio::time::Instant;

/// The time between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// Ticks from one ping to the next. Asterisk itself sends no pings on a websocket that it has accepted.
const TICKS_PER_PING: u32 = 3;
/// The silence that ends a connection: two pings without a pong, and two seconds more. A host that vanishes is noticed within
/// 9 s.
pub(super) const SILENCE: Duration = Duration::from_secs(8);
/// If a tick is so late, this process was paused.
const LATE: Duration = Duration::from_millis(500);

/// When the last message came, and when the next tick is due.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the last message came, of any kind.
    last_message: Instant,
    next_tick: Instant,
    ticks: u32,
    /// The last tick was late.
    was_late: bool,
}

/// What a tick finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// This process was paused. Silence proves nothing: waiting messages are read first.
    Late,
    /// No message for [`SILENCE`].
    Silent,
    /// `ping`: a ping is due, too.
    Due { ping: bool },
}

impl Heartbeat {
    pub(super) fn new(now: Instant) -> Self {
        Self { last_message: now, next_tick: now, ticks: 0, was_late: false }
    }

    pub(super) fn message_received(&mut self, now: Instant) {
        self.last_message = now;
    }

    /// The time since the last message.
    pub(super) fn since_message(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_message)
    }

    pub(super) fn next_tick(&self) -> Instant {
        self.next_tick
    }

    /// The next tick has come.
    pub(super) fn tick(&mut self, now: Instant) -> Tick {
        // Two late ticks in a row are no pause.
        self.was_late = now.saturating_duration_since(self.next_tick) >= LATE && !self.was_late;
        self.next_tick = now + TICK;
        self.ticks = self.ticks.wrapping_add(1);
        match () {
            () if self.was_late => Tick::Late,
            () if now.saturating_duration_since(self.last_message) >= SILENCE => Tick::Silent,
            () => Tick::Due { ping: self.ticks.is_multiple_of(TICKS_PER_PING) },
        }
    }

    /// Whether a ping has no pong.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_message) > TICK * (TICKS_PER_PING + 1)
    }
}
