//! When the service was up, from outside: by what it answers itself, less what a test has done to it.
//!
//! `/readyz` is asked a hundred times a second. A time of being up begins when "ready" is received, which the service
//! says once it has names and its Asterisk is connected with its events filtered (by FastAGI: once it listens). It
//! ends when a test takes the service away ([`Uptime::away`], to be called before the signal is sent), or with the
//! last "ready" before an answer that is none. An answer that takes long does not end it: a service that hangs by
//! itself is at fault, and its calls are to count.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(10);
/// How long an answer may take: longer than any service is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until it is dropped.
pub(crate) struct Uptime {
    spans: Arc<Mutex<Spans>>,
    asking: Option<JoinHandle<()>>,
}

/// The times of being up, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    /// From the first "ready" to the last; in the last of them, where `is_open`, to now.
    times: Vec<(Instant, Instant)>,
    is_open: bool,
    /// The test has taken it away: what is answered does not count.
    is_away: bool,
    /// When single calls were taken from it.
    breaks: Vec<Instant>,
    /// How often it was taken away: an answer to a question from before does not count either.
    departures: usize,
    is_over: bool,
}

/// How the service was while a call was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// Up, from its beginning to its end.
    Up,
    /// Up at its beginning, and no longer at its end.
    Broken,
    /// Not up when it began.
    Down,
}

impl Uptime {
    /// Of the service whose web server is at `address`, whether it listens already or not.
    pub(crate) fn watch(address: SocketAddr) -> Self {
        let spans = Arc::new(Mutex::new(Spans::default()));
        let asked = Arc::clone(&spans);
        let asking = Some(thread::spawn(move || ask_on(address, &asked)));
        Self { spans, asking }
    }

    /// From this instant on the service is not up, because the test is about to see to it.
    pub(crate) fn away(&self) {
        locked(&self.spans).away(Instant::now());
    }

    /// The test has done what it does: from now on an answer counts again.
    pub(crate) fn back(&self) {
        locked(&self.spans).is_away = false;
    }

    /// Calls that were under way at these instants were taken from it; it is up all the same.
    pub(crate) fn broken(&self, at: &[Instant]) {
        locked(&self.spans).breaks.extend(at);
    }

    /// Waits until it is up.
    ///
    /// # Panics
    /// When it is not within 20 s.
    pub(crate) async fn until_up(&self) {
        let begun = Instant::now();
        while !locked(&self.spans).is_open {
            assert!(begun.elapsed() < 2 * PATIENCE, "the service is not ready");
            tokio::time::sleep(EVERY / 2).await;
        }
    }

    /// What is known so far.
    pub(crate) fn spans(&self) -> Spans {
        locked(&self.spans).clone()
    }
}

impl Drop for Uptime {
    fn drop(&mut self) {
        locked(&self.spans).is_over = true;
        drop(self.asking.take().map(JoinHandle::join));
    }
}

impl Spans {
    /// How the service was from `begin` to `end`.
    pub(crate) fn during(&self, begin: Instant, end: Instant) -> During {
        let at = self.times.iter().rposition(|(first, _)| *first <= begin);
        let Some(at) = at else { return During::Down };
        let last = self.times[at].1;
        let is_going_on = self.is_open && at + 1 == self.times.len();
        let is_broken = self.breaks.iter().any(|at| (begin..=end).contains(at));
        match () {
            () if begin > last && !is_going_on => During::Down,
            () if is_broken || end > last && !is_going_on => During::Broken,
            () => During::Up,
        }
    }

    /// For how long it had been up then; zero where it was not.
    pub(crate) fn before(&self, at: Instant) -> Duration {
        let begun = self.times.iter().rfind(|(first, _)| *first <= at);
        begun.map_or(Duration::ZERO, |(first, _)| at.duration_since(*first))
    }

    fn away(&mut self, now: Instant) {
        if let (true, Some((_, last))) = (self.is_open, self.times.last_mut()) {
            *last = now;
        }
        (self.is_open, self.is_away) = (false, true);
        self.departures += 1;
    }

    /// An answer has come, to a question that was asked after so many departures.
    fn answered(&mut self, is_ready: bool, departures: usize, now: Instant) {
        if self.is_away || departures != self.departures {
            return;
        }
        match (is_ready, self.is_open, self.times.last_mut()) {
            (true, true, Some((_, last))) => *last = now,
            (true, ..) => self.times.push((now, now)),
            (false, ..) => {}
        }
        self.is_open = is_ready;
    }
}

fn locked(spans: &Mutex<Spans>) -> MutexGuard<'_, Spans> {
    spans.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask_on(address: SocketAddr, spans: &Mutex<Spans>) {
    loop {
        let departures = {
            let spans = locked(spans);
            if spans.is_over {
                return;
            }
            spans.departures
        };
        let is_ready = is_ready(address).unwrap_or(false);
        locked(spans).answered(is_ready, departures, Instant::now());
        thread::sleep(EVERY);
    }
}

/// None when there is no answer.
fn is_ready(address: SocketAddr) -> Option<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.starts_with("HTTP/1.1 200 "))
}

mod checks {
    use super::*;

    #[test]
    fn a_call_is_up_broken_or_down() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut spans = Spans::default();
        assert_eq!(spans.during(at(1), at(2)), During::Down);
        spans.answered(false, 0, at(5));
        spans.answered(true, 0, at(10));
        // Until something else is known.
        assert_eq!(spans.during(at(15), at(17)), During::Up);
        spans.answered(true, 0, at(20));
        spans.answered(false, 0, at(30));
        for (begin, end, during) in [
            (9, 12, During::Down),
            (10, 20, During::Up),
            // It may have ended any time after the last "ready".
            (19, 21, During::Broken),
            (21, 22, During::Down),
        ] {
            assert_eq!(spans.during(at(begin), at(end)), during, "{begin} to {end}");
        }
        spans.breaks.push(at(15));
        assert_eq!(spans.during(at(14), at(15)), During::Broken);
        assert_eq!(spans.during(at(16), at(20)), During::Up);
        assert_eq!(spans.during(at(9), at(20)), During::Down);
    }

    #[test]
    fn who_is_taken_away_is_up_until_then() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut spans = Spans::default();
        spans.answered(true, 0, at(10));
        spans.away(at(28));
        // One that still lives says so; one that was asked before answers late.
        spans.answered(true, 1, at(29));
        spans.is_away = false;
        spans.answered(true, 0, at(31));
        assert_eq!(spans.during(at(27), at(28)), During::Up);
        assert_eq!(spans.during(at(27), at(32)), During::Broken);
        assert_eq!(spans.during(at(32), at(33)), During::Down);
        spans.answered(true, 1, at(40));
        assert_eq!(spans.during(at(39), at(41)), During::Down);
        assert_eq!(spans.during(at(40), at(41)), During::Up);
        assert_eq!(spans.during(at(27), at(28)), During::Up);
    }
}
