//! Whether Asterisk is heard: pings, silence, and the ticks in between.

use std::time::Duration;

use tokio::time::Instant;

/// How often the connection is looked after: pings, overdue answers.
const TICK: Duration = Duration::from_secs(1);
/// Ticks from one ping to the next. Asterisk sends none on connections that come from outside.
const TICKS_PER_PING: u32 = 3;
/// Silence that ends a connection: two pings without an answer, and two seconds more. With the tick it is noticed
/// within 9 s that a host has vanished.
pub(super) const SILENCE: Duration = Duration::from_secs(8);
/// A tick that is so late says that this process was paused.
const LATE: Duration = Duration::from_millis(500);

/// When Asterisk was heard, and when it is looked after next.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When the last message came, of any kind.
    heard: Instant,
    next_tick: Instant,
    ticks: u32,
    /// The last tick was late.
    was_late: bool,
}

/// What a tick finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// This process was paused, so silence proves nothing: what has come meanwhile is read first.
    Late,
    /// Nothing was heard for [`SILENCE`].
    Silent,
    /// `ping`: one is due.
    Due { ping: bool },
}

impl Heartbeat {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, next_tick: now, ticks: 0, was_late: false }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn next_tick(&self) -> Instant {
        self.next_tick
    }

    /// The next tick has come.
    pub(super) fn tick(&mut self, now: Instant) -> Tick {
        // Two in a row are no pause.
        self.was_late = now.saturating_duration_since(self.next_tick) >= LATE && !self.was_late;
        self.next_tick = now + TICK;
        self.ticks = self.ticks.wrapping_add(1);
        match () {
            () if self.was_late => Tick::Late,
            () if now.saturating_duration_since(self.heard) >= SILENCE => Tick::Silent,
            () => Tick::Due { ping: self.ticks.is_multiple_of(TICKS_PER_PING) },
        }
    }

    /// Whether a ping was not answered.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) > TICK * (TICKS_PER_PING + 1)
    }
}
