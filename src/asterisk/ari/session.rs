//! One connection as a machine without I/O. [`Session::handle`] takes one input and the time, and returns the outputs: frames to
//! write, calls to answer, tasks to start. `driver` has the socket, the timer and the tasks.
//!
//! - `phase`: serving, and the ways out of it
//! - [`Way`]: how requests go
//! - `set_up`: the calls from before this connection, and Asterisk's version
//! - `queue`: what waits on the socket after a pause
//! - `pulse`: pings, silence, late ticks
//! - `row`: failures in a row, which end the connection
//! - `requests`: those under way on the websocket
//! - `calls`: from a call's event to the answer about its request

mod calls;
mod phase;
mod pulse;
mod queue;
mod requests;
mod row;
mod set_up;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;
use tracing::debug;

use super::answer::{Failure, Outcome};
use super::error::ConnectionError;
use super::warnings::Warnings;
use super::wire::{self, Caller, Parameter};
use crate::call::Handoff;
use crate::number::Country;
#[cfg(test)]
pub(super) use calls::MAX_TASKS;
pub(super) use calls::{Job, Task};
use phase::Phase;
use pulse::Pulse;
use queue::Queue;
use requests::{Purpose, Requests};
use row::Row;
use set_up::{SetUp, Version};

/// Versions without requests on the websocket ignore them silently: no answer in this time means HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What happens to a connection.
#[derive(Debug)]
pub(super) enum Input<'a> {
    /// Several messages wait on the socket, the oldest first. Each of them follows as [`Input::Message`].
    QueueBegins(&'a [Message]),
    /// All of them were given.
    QueueEnds,
    /// A message from Asterisk.
    Message(&'a Message),
    /// The socket is closed, or takes no data.
    Lost(ConnectionError),
    /// The handoff of a call: the reply to [`Output::Answer`].
    Answer { channel: String, handoff: Handoff },
    /// The calls from before this connection, or why the set-up failed.
    Waiting(Result<Vec<String>, ConnectionError>),
    /// Asterisk's version: the reply to [`Output::LearnVersion`].
    Version(String),
    /// The end of a request over HTTP.
    OverHttp(Report),
    /// A task has ended. These channels are to be sent on to the priority behind their `Stasis()`.
    Ended { task: TaskKind, release: Vec<String> },
    /// The time that [`Session::wake_at`] names has come.
    Time,
    /// The service stops.
    Stop,
}

/// The end of a request over HTTP, as far as it says whether calls can be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// A call was sent on, or not.
    Call { channel: String, outcome: Outcome },
    /// The question whether a call could be.
    Check(Outcome),
    /// Any request has failed.
    Failed(Failure),
}

/// The kinds of [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    Call,
    Check,
    Search,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// One message, flushed alone: Asterisk leaves a second frame of one TLS record unread.
    Send(Message),
    /// The name of this caller is wanted, as [`Input::Answer`]. It may come later.
    Answer { channel: String, country: Option<Country>, caller: Caller<'static> },
    /// To be done over HTTP, beside this connection.
    Task(Task),
    /// Asterisk's version is wanted.
    LearnVersion,
    /// Calls are answered, and it is known how.
    Connected { version: String, way: &'static str },
    /// The connection is over. `keep_socket`: until the next one is open, Asterisk has the application by this socket.
    End { how: Result<(), ConnectionError>, keep_socket: bool },
}

/// How requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The probe is under way; until it is answered HTTP works everywhere.
    Unknown {
        until: Instant,
    },
    Websocket,
    Http,
}

/// Whether calls that are left in the application are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    No,
    UnderWay,
    /// Another one is wanted after this one.
    Twice,
}

/// One connection, from the open websocket to its end.
#[derive(Debug)]
pub(super) struct Session {
    warnings: Arc<Warnings>,
    phase: Phase,
    way: Way,
    set_up: SetUp,
    version: Version,
    pulse: Pulse,
    queue: Queue,
    requests: Requests,
    row: Row,
    /// Why calls can't be answered, until the phase changes.
    refused: Option<ConnectionError>,
    search: Search,
    /// Calls whose place is awaited.
    answers: usize,
    /// Tasks under way.
    tasks: usize,
    outputs: Vec<Output>,
}

impl Session {
    /// A connection whose websocket is open, and the first outputs.
    pub(super) fn begin(warnings: Arc<Warnings>, now: Instant) -> (Self, Vec<Output>) {
        let mut session = Self {
            warnings,
            phase: Phase::Serving,
            way: Way::Unknown { until: now + PROBE_TIMEOUT },
            set_up: SetUp::begin(now),
            version: Version::NotAsked,
            pulse: Pulse::new(now),
            queue: Queue::default(),
            requests: Requests::default(),
            row: Row::new(now),
            refused: None,
            search: Search::No,
            answers: 0,
            tasks: 0,
            outputs: Vec::new(),
        };
        session.request(Purpose::Probe, &[], now);
        let outputs = std::mem::take(&mut session.outputs);
        (session, outputs)
    }

    /// Takes one input, and returns what is to be done, in this order. Nothing comes behind [`Output::End`] but tasks for calls
    /// that are still given.
    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) -> Vec<Output> {
        if matches!(self.phase, Phase::Ended) {
            self.take_after_the_end(input);
        } else {
            self.take(input, now);
            self.advance(now);
        }
        std::mem::take(&mut self.outputs)
    }

    /// When [`Input::Time`] is wanted. None: never.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let serving = || {
            let way = if let Way::Unknown { until } = self.way { Some(until) } else { None };
            let times = [Some(self.pulse.next_tick()), way, self.set_up.late_at(), self.queue.given_up_at()];
            times.into_iter().flatten().min()
        };
        match &self.phase {
            Phase::Serving => serving(),
            Phase::Stopping { until } | Phase::LettingGo { until, .. } | Phase::Closing { until, .. } => {
                Some(*until)
            }
            Phase::Ended => None,
        }
    }

    fn take(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::QueueBegins(messages) => {
                if let Some(ping) = self.queue.begin(messages) {
                    self.outputs.push(Output::Send(ping));
                }
            }
            Input::QueueEnds => {
                if self.queue.end(now, &self.warnings) {
                    // A context of somebody's own may have no bound, or a longer one.
                    self.search();
                }
            }
            Input::Message(message) => {
                self.pulse.heard(now);
                match message {
                    Message::Text(text) => self.event(text, now),
                    Message::Close(_) => self.lost(ConnectionError::closed()),
                    Message::Pong(word) => self.queue.pong(word),
                    _ => {}
                }
            }
            Input::Lost(error) => self.lost(error),
            Input::Answer { channel, handoff } => self.answer(channel, handoff, now),
            Input::Waiting(Ok(channels)) => self.recover(channels),
            Input::Waiting(Err(error)) => {
                self.set_up = SetUp::Known;
                self.refuse(Some(error));
            }
            Input::Version(version) => self.version = Version::Known(version),
            Input::OverHttp(Report::Call { channel, outcome }) => {
                let refused = self.row.of_call(&channel, &outcome, now);
                self.refuse(refused);
            }
            Input::OverHttp(Report::Check(outcome)) => {
                let refused = self.row.of_check(outcome, now);
                self.refuse(refused);
            }
            Input::OverHttp(Report::Failed(failure)) => self.refuse(row::refusal(&failure)),
            Input::Ended { task, release } => self.ended(task, release, now),
            Input::Time => self.time(now),
            Input::Stop => self.stop(now),
        }
    }

    /// The time has come for something.
    fn time(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Serving) {
            return;
        }
        if self.queue.given_up_at().is_some_and(|until| now >= until) {
            // The next connection has no queue, and asks for the calls that wait.
            return self.lost(ConnectionError::Behind);
        }
        if let Way::Unknown { until } = self.way
            && now >= until
        {
            self.way = Way::Http;
        }
        self.wait_no_longer(now);
        if now >= self.pulse.next_tick() {
            self.tick(now);
        }
    }

    /// Whether requests go on the websocket.
    fn is_on_websocket(&self) -> bool {
        self.way == Way::Websocket && !matches!(self.phase, Phase::Closing { .. } | Phase::Ended)
    }

    /// Whether a call waits for its answer, or for Asterisk's answer to that.
    fn awaits_an_answer(&self) -> bool {
        self.answers > 0 || self.requests.any_call()
    }

    fn is_busy(&self) -> bool {
        self.awaits_an_answer() || self.tasks > 0
    }

    /// Sends a request on the websocket.
    fn request(&mut self, purpose: Purpose, parameters: &[Parameter<'_>], now: Instant) {
        match self.requests.write(purpose, parameters, now) {
            Ok(frame) => self.outputs.push(Output::Send(Message::text(frame))),
            Err(error) => self.lost(ConnectionError::Lost(wire::complaint(&error))),
        }
    }

    fn spawn(&mut self, channel: String, job: Job) {
        self.tasks += 1;
        self.outputs.push(Output::Task(Task::Call { channel, job }));
    }

    /// Looks for calls that are left in the application, one search at a time.
    fn search(&mut self) {
        if self.search == Search::No {
            self.search = Search::UnderWay;
            self.tasks += 1;
            self.outputs.push(Output::Task(Task::Search));
        } else {
            self.search = Search::Twice;
        }
    }

    /// A task has ended.
    fn ended(&mut self, task: TaskKind, release: Vec<String>, now: Instant) {
        self.tasks = self.tasks.saturating_sub(1);
        for channel in release {
            self.release(channel, now);
        }
        if task == TaskKind::Search && std::mem::replace(&mut self.search, Search::No) == Search::Twice {
            self.search();
        }
    }

    /// Pings, overdue answers, and the question whether calls could be sent on.
    fn tick(&mut self, now: Instant) {
        let due = match self.pulse.tick(now) {
            pulse::Tick::Late => return,
            pulse::Tick::Silent => return self.lost(ConnectionError::Silent(pulse::SILENCE)),
            pulse::Tick::Due { ping } => ping,
        };
        for purpose in self.requests.take_overdue(now) {
            self.unanswered(purpose, now);
        }
        if due {
            self.outputs.push(Output::Send(Message::Ping("nameplate".into())));
        }
        if due || self.row.is_in_doubt() {
            self.check(now);
        }
    }

    /// Asks, on the way that calls go, whether one could be sent on: a refusal is to be noticed before a caller waits for it.
    fn check(&mut self, now: Instant) {
        match self.way {
            Way::Websocket => self.request(Purpose::Check, &[], now),
            Way::Http => {
                self.tasks += 1;
                self.outputs.push(Output::Task(Task::Check));
            }
            Way::Unknown { .. } => debug!(pbx = self.warnings.pbx(), "it is not known yet how requests go"),
        }
    }
}
