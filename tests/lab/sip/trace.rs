//! The latest datagrams of an endpoint, for whoever reads why a test has failed, and the latest messages, for tests.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::message::Message;

/// How many are kept.
const KEPT: usize = 60;

/// How many messages are kept.
const HEARD: usize = 500;

/// The latest messages from Asterisk.
#[derive(Default)]
pub(crate) struct Heard(Mutex<VecDeque<Message>>);

impl Heard {
    /// Keeps a message.
    pub(crate) fn keep(&self, message: &Message) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == HEARD {
            latest.pop_front();
        }
        latest.push_back(message.clone());
    }

    /// All that are kept.
    pub(crate) fn all(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Those of one call.
    pub(crate) fn of(&self, call_id: &str) -> Vec<Message> {
        self.all().into_iter().filter(|message| message.text("Call-ID") == call_id).collect()
    }
}

/// What an endpoint received and sent.
pub(crate) struct Trace {
    begun: Instant,
    latest: Mutex<VecDeque<(Instant, &'static str, Vec<u8>)>>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { begun: Instant::now(), latest: Mutex::default() }
    }
}

impl Trace {
    /// Keeps a datagram from Asterisk.
    pub(crate) fn received(&self, datagram: &[u8]) {
        self.keep("from Asterisk", datagram);
    }

    /// Keeps a datagram to Asterisk.
    pub(crate) fn sent(&self, datagram: &[u8]) {
        self.keep("to Asterisk", datagram);
    }

    /// Prints all that is kept, if the test has just failed.
    pub(crate) fn print_on_panic(&self, endpoint: &str) {
        if std::thread::panicking() {
            eprintln!("\n--- SIP, seen by the {endpoint} (the latest {KEPT} messages at most):\n{self}");
        }
    }

    fn keep(&self, direction: &'static str, datagram: &[u8]) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == KEPT {
            latest.pop_front();
        }
        latest.push_back((Instant::now(), direction, datagram.to_vec()));
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, direction, datagram) in &*self.latest.lock().unwrap_or_else(PoisonError::into_inner) {
            let text = String::from_utf8_lossy(datagram);
            // Without the description of the media.
            let head = text.split("\r\n\r\n").next().unwrap_or_default().replace('\r', "");
            let at = at.duration_since(self.begun).as_secs_f64();
            writeln!(f, "{at:.3} s, {direction}:\n    {}", head.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}
