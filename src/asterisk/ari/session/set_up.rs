//! The set-up of a connection: the calls from before the connection, and Asterisk's version. New calls are served meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::calls::Job;
use super::{Output, Session, Transport};

/// The most channels that are remembered until the list of waiting calls comes.
const MAX_STARTED: usize = 10_000;
/// The most time for the list of waiting calls. After it the set-up goes on without the list.
const SET_UP: Duration = Duration::from_secs(2);

/// Whether the calls from before this connection are known.
#[derive(Debug)]
pub(super) enum SetUp {
    /// Asterisk is asked. `started`: the calls whose events have come since; they are in hand.
    Asked { started: HashSet<String>, late_at: Instant },
    /// The list has not come in time. Calls are served without it.
    Late { started: HashSet<String> },
    /// The list has come.
    Known,
}

/// What is known of Asterisk's version.
#[derive(Debug)]
pub(super) enum Version {
    NotAsked,
    Asked,
    Known(String),
    /// The log has announced the connection, with the version.
    Announced,
}

impl SetUp {
    pub(super) fn begin(now: Instant) -> Self {
        Self::Asked { started: HashSet::new(), late_at: now + SET_UP }
    }

    /// When the set-up goes on without the list of waiting calls.
    pub(super) fn late_at(&self) -> Option<Instant> {
        if let Self::Asked { late_at, .. } = self { Some(*late_at) } else { None }
    }

    /// A call's event has come.
    pub(super) fn started(&mut self, channel: &str) {
        if let Self::Asked { started, .. } | Self::Late { started } = self
            && started.len() < MAX_STARTED
        {
            started.insert(channel.to_owned());
        }
    }
}

impl Session {
    /// Goes on without the list of waiting calls, if its time is over.
    pub(super) fn wait_no_longer(&mut self, now: Instant) {
        if let SetUp::Asked { started, late_at } = &mut self.set_up
            && now >= *late_at
        {
            self.warnings.no_list(SET_UP);
            self.set_up = SetUp::Late { started: std::mem::take(started) };
            self.learn_version();
        }
    }

    /// Serves the calls from before this connection: Asterisk does not repeat their events.
    pub(super) fn recover(&mut self, waiting: Vec<String>) {
        let started = match std::mem::replace(&mut self.set_up, SetUp::Known) {
            SetUp::Asked { started, .. } | SetUp::Late { started } => started,
            SetUp::Known => HashSet::new(),
        };
        // Calls whose events have come since are in hand.
        let waiting: Vec<_> = waiting.into_iter().filter(|channel| !started.contains(channel)).collect();
        if !waiting.is_empty() {
            info!(pbx = self.warnings.pbx(), calls = waiting.len(), "calls were waiting in the application");
        }
        for channel in waiting {
            self.spawn(channel, Job::Recover);
        }
        self.learn_version();
    }

    /// Asks for Asterisk's version, after the list of waiting calls: these callers come first.
    pub(super) fn learn_version(&mut self) {
        if matches!(self.version, Version::NotAsked) {
            self.version = Version::Asked;
            self.outputs.push(Output::LearnVersion);
        }
    }

    /// Announces the connection when its version and its transport are known.
    pub(super) fn announce(&mut self) {
        let transport = match self.transport {
            Transport::Probing { .. } => return,
            Transport::Websocket => "the websocket",
            Transport::Http => "HTTP",
        };
        match std::mem::replace(&mut self.version, Version::Announced) {
            Version::Known(version) => self.outputs.push(Output::Connected { version, transport }),
            other => self.version = other,
        }
    }
}
