//! One connection as a machine without I/O. [`Session::handle`] takes one input and the time, and returns the outputs: frames to
//! write, calls to answer, tasks to start. `driver` has the socket, the timer and the tasks.
//!
//! - `phase`: serving, and the ways out of it
//! - [`Transport`]: how requests go
//! - `set_up`: the calls from before this connection, and Asterisk's version
//! - `queue`: what waits on the socket after a pause
//! - `pulse`: pings, silence, late ticks
//! - `row`: failures in a row, which end the connection
//! - `requests`: those under way on the websocket
//! - `calls`: from a call's event to the answer about its request

mod backlog;
mod calls;
mod failures;
mod heartbeat;
mod phase;
mod requests;
mod set_up;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;
use tracing::debug;

use super::error::ConnectionError;
use super::response::{ContinueResult, Failure};
use super::warnings::Warnings;
use super::wire::{self, Caller, Parameter};
use crate::call::Handoff;
use crate::number::Country;
use backlog::Backlog;
#[cfg(test)]
pub(super) use calls::MAX_TASKS;
pub(super) use calls::{Job, Task};
use failures::ConsecutiveFailures;
use heartbeat::Heartbeat;
use phase::Phase;
use requests::{RequestKind, Requests};
use set_up::{SetUp, Version};

/// Versions without requests on the websocket ignore them silently: no answer in this time means HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What happens to a connection.
#[derive(Debug)]
pub(super) enum Input<'a> {
    /// Several messages wait on the socket, the oldest first. Each of them follows as [`Input::Message`].
    BacklogBegins(&'a [Message]),
    /// All of them were given.
    BacklogEnds,
    /// A message from Asterisk.
    Message(&'a Message),
    /// The socket is closed, or takes no data.
    Lost(ConnectionError),
    /// The handoff of a call: the reply to [`Output::LookUp`].
    LookedUp { channel: String, handoff: Handoff },
    /// The calls from before this connection, or why the set-up failed.
    WaitingCalls(Result<Vec<String>, ConnectionError>),
    /// Asterisk's version: the reply to [`Output::LearnVersion`].
    Version(String),
    /// The end of a request over HTTP.
    HttpReport(Report),
    /// A task has ended. These channels are to be sent on to the priority behind their `Stasis()`.
    TaskEnded { task: TaskKind, release: Vec<String> },
    /// The time that [`Session::wake_at`] names has come.
    Time,
    /// The service stops.
    Stop,
}

/// The end of a request over HTTP, as far as it says whether calls can be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// A call was sent on, or not.
    Call { channel: String, result: ContinueResult },
    /// The question whether a call could be.
    Check(ContinueResult),
    /// Any request has failed.
    Failed(Failure),
}

/// The kinds of [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    Call,
    Check,
    Sweep,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// One message, flushed alone: Asterisk leaves a second frame of one TLS record unread.
    Send(Message),
    /// The name of this caller is wanted, as [`Input::LookedUp`]. It may come later.
    LookUp { channel: String, country: Option<Country>, caller: Caller<'static> },
    /// To be done over HTTP, beside this connection.
    Task(Task),
    /// Asterisk's version is wanted.
    LearnVersion,
    /// Calls are answered, and it is known how.
    Connected { version: String, transport: &'static str },
    /// The connection is over. `keep_socket`: until the next one is open, Asterisk has the application by this socket.
    End { how: Result<(), ConnectionError>, keep_socket: bool },
}

/// How requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// The probe is under way; until it is answered HTTP works everywhere.
    Probing {
        until: Instant,
    },
    Websocket,
    Http,
}

/// Whether calls that are left in the application are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sweep {
    Idle,
    Running,
    /// Another one is wanted after this one.
    Repeat,
}

/// One connection, from the open websocket to its end.
#[derive(Debug)]
pub(super) struct Session {
    warnings: Arc<Warnings>,
    phase: Phase,
    transport: Transport,
    set_up: SetUp,
    version: Version,
    heartbeat: Heartbeat,
    backlog: Backlog,
    requests: Requests,
    failures: ConsecutiveFailures,
    /// Why calls can't be answered, until the phase changes.
    refused: Option<ConnectionError>,
    sweep: Sweep,
    /// Calls whose place is awaited.
    lookups: usize,
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
            transport: Transport::Probing { until: now + PROBE_TIMEOUT },
            set_up: SetUp::begin(now),
            version: Version::NotAsked,
            heartbeat: Heartbeat::new(now),
            backlog: Backlog::default(),
            requests: Requests::default(),
            failures: ConsecutiveFailures::new(now),
            refused: None,
            sweep: Sweep::Idle,
            lookups: 0,
            tasks: 0,
            outputs: Vec::new(),
        };
        session.request(RequestKind::Probe, &[], now);
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
            let transport =
                if let Transport::Probing { until } = self.transport { Some(until) } else { None };
            let times = [
                Some(self.heartbeat.next_tick()),
                transport,
                self.set_up.late_at(),
                self.backlog.given_up_at(),
            ];
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
            Input::BacklogBegins(messages) => {
                if let Some(ping) = self.backlog.begin(messages) {
                    self.outputs.push(Output::Send(ping));
                }
            }
            Input::BacklogEnds => {
                if self.backlog.end(now, &self.warnings) {
                    // A context of somebody's own may have no bound, or a longer one.
                    self.sweep();
                }
            }
            Input::Message(message) => {
                self.heartbeat.heard(now);
                match message {
                    Message::Text(text) => self.event(text, now),
                    Message::Close(_) => self.lost(ConnectionError::closed()),
                    Message::Pong(word) => self.backlog.pong(word),
                    _ => {}
                }
            }
            Input::Lost(error) => self.lost(error),
            Input::LookedUp { channel, handoff } => self.looked_up(channel, handoff, now),
            Input::WaitingCalls(Ok(channels)) => self.recover(channels),
            Input::WaitingCalls(Err(error)) => {
                self.set_up = SetUp::Known;
                self.refuse(Some(error));
            }
            Input::Version(version) => self.version = Version::Known(version),
            Input::HttpReport(Report::Call { channel, result }) => {
                let refused = self.failures.of_call(&channel, &result, now);
                self.refuse(refused);
            }
            Input::HttpReport(Report::Check(result)) => {
                let refused = self.failures.of_check(result, now);
                self.refuse(refused);
            }
            Input::HttpReport(Report::Failed(failure)) => self.refuse(failures::refusal(&failure)),
            Input::TaskEnded { task, release } => self.ended(task, release, now),
            Input::Time => self.time(now),
            Input::Stop => self.stop(now),
        }
    }

    /// The time has come for something.
    fn time(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Serving) {
            return;
        }
        if self.backlog.given_up_at().is_some_and(|until| now >= until) {
            // The next connection has no queue, and asks for the calls that wait.
            return self.lost(ConnectionError::Behind);
        }
        if let Transport::Probing { until } = self.transport
            && now >= until
        {
            self.transport = Transport::Http;
        }
        self.wait_no_longer(now);
        if now >= self.heartbeat.next_tick() {
            self.tick(now);
        }
    }

    /// Whether requests go on the websocket.
    fn is_on_websocket(&self) -> bool {
        self.transport == Transport::Websocket && !matches!(self.phase, Phase::Closing { .. } | Phase::Ended)
    }

    /// Whether a call waits for its answer, or for Asterisk's answer to that.
    fn awaits_an_answer(&self) -> bool {
        self.lookups > 0 || self.requests.any_call()
    }

    fn is_busy(&self) -> bool {
        self.awaits_an_answer() || self.tasks > 0
    }

    /// Sends a request on the websocket.
    fn request(&mut self, kind: RequestKind, parameters: &[Parameter<'_>], now: Instant) {
        match self.requests.write(kind, parameters, now) {
            Ok(frame) => self.outputs.push(Output::Send(Message::text(frame))),
            Err(error) => self.lost(ConnectionError::Lost(wire::complaint(&error))),
        }
    }

    fn spawn(&mut self, channel: String, job: Job) {
        self.tasks += 1;
        self.outputs.push(Output::Task(Task::Call { channel, job }));
    }

    /// Looks for calls that are left in the application, one search at a time.
    fn sweep(&mut self) {
        if self.sweep == Sweep::Idle {
            self.sweep = Sweep::Running;
            self.tasks += 1;
            self.outputs.push(Output::Task(Task::Sweep));
        } else {
            self.sweep = Sweep::Repeat;
        }
    }

    /// A task has ended.
    fn ended(&mut self, task: TaskKind, release: Vec<String>, now: Instant) {
        self.tasks = self.tasks.saturating_sub(1);
        for channel in release {
            self.release(channel, now);
        }
        if task == TaskKind::Sweep && std::mem::replace(&mut self.sweep, Sweep::Idle) == Sweep::Repeat {
            self.sweep();
        }
    }

    /// Pings, overdue answers, and the question whether calls could be sent on.
    fn tick(&mut self, now: Instant) {
        let due = match self.heartbeat.tick(now) {
            heartbeat::Tick::Late => return,
            heartbeat::Tick::Silent => return self.lost(ConnectionError::Silent(heartbeat::SILENCE)),
            heartbeat::Tick::Due { ping } => ping,
        };
        for kind in self.requests.take_overdue(now) {
            self.unanswered(kind, now);
        }
        if due {
            self.outputs.push(Output::Send(Message::Ping("nameplate".into())));
        }
        if due || self.failures.is_in_doubt() {
            self.check(now);
        }
    }

    /// Asks, on the way that calls go, whether one could be sent on: a refusal is to be noticed before a caller waits for it.
    fn check(&mut self, now: Instant) {
        match self.transport {
            Transport::Websocket => self.request(RequestKind::Check, &[], now),
            Transport::Http => {
                self.tasks += 1;
                self.outputs.push(Output::Task(Task::Check));
            }
            Transport::Probing { .. } => {
                debug!(pbx = self.warnings.pbx(), "it is not known yet how requests go")
            }
        }
    }
}
