//! One connection as a machine without I/O. [`Session::handle`] takes one input and the time, and returns the outputs: frames to
//! write, calls to answer, tasks to start. `driver` has the socket, the timer and the tasks.
//!
//! - `phase`: from serving to the end
//! - [`Transport`]: whether requests go on the websocket or over HTTP
//! - `set_up`: the calls from before this connection, and Asterisk's version
//! - `backlog`: messages that wait on the socket after a pause
//! - `heartbeat`: pings, silence, late ticks
//! - `failures`: several failures in a row, which end the connection
//! - `requests`: the requests under way on the websocket
//! - `calls`: from a call's event to the response to its request

mod backlog;
mod calls;
mod failures;
mod heartbeat;
mod phase;
mod requests;
mod set_up;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;
use tracing::debug;

use super::error::ConnectionError;
use super::response::{ContinueResult, Failure};
use super::warnings::Warnings;
use super::wire::{self, Caller, Parameter};
use crate::call::{Edition, Handoff, Party};
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

/// Old versions ignore requests on the websocket. No response in this time means that requests go over HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// An event for the session.
#[derive(Debug)]
pub(super) enum Input<'a> {
    /// These messages wait on the socket, the oldest first. Each of them follows as [`Input::Message`].
    BacklogBegins(&'a [Message]),
    /// All messages of the backlog have followed.
    BacklogEnds,
    /// A message from Asterisk.
    Message(&'a Message),
    /// The socket is closed, or takes no data.
    Lost(ConnectionError),
    /// The name is looked up: the reply to [`Output::LookUp`].
    LookedUp { channel: String, handoff: Handoff },
    /// The lookup has failed, by a mistake in nameplate itself: the reply to [`Output::LookUp`].
    NotLookedUp { channel: String },
    /// The calls from before this connection, or why the set-up has failed.
    WaitingCalls(Result<Vec<String>, ConnectionError>),
    /// Asterisk's version: the reply to [`Output::LearnVersion`].
    Version(String),
    /// A request over HTTP has ended.
    HttpReport(Report),
    /// A task has ended. The session has to send the channels in `release` on to the priority behind their `Stasis()`.
    TaskEnded { task: TaskKind, release: Vec<String> },
    /// The time of [`Session::wake_at`] has come.
    Time,
    /// The service is stopped, or connects anew. `hand_over`: the next connection takes the application over.
    Stop { hand_over: bool },
}

/// The result of a request over HTTP, if it shows whether calls can be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The attempt to send a call on.
    Call { channel: String, result: ContinueResult },
    /// The check whether a call could be sent on.
    Check(ContinueResult),
    /// Any request that has failed.
    Failed(Failure),
}

/// The kinds of [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    Call,
    Check,
    Sweep,
}

/// What the driver has to do.
#[derive(Debug)]
pub(super) enum Output {
    /// Write one message, and flush: Asterisk does not read a second frame in the same TLS record.
    Send(Message),
    /// Look up the wanted name, and reply with [`Input::LookedUp`]. The reply may come later. `may_wait`: the call may wait for
    /// the search in the CRM.
    LookUp {
        channel: String,
        wanted: Party,
        country: Option<Country>,
        edition: Edition,
        caller: Caller<'static>,
        may_wait: bool,
    },
    /// Start a task over HTTP.
    Task(Task),
    /// Ask for Asterisk's version, and reply with [`Input::Version`].
    LearnVersion,
    /// The set-up is complete: announce the connection.
    Connected { version: String, transport: &'static str },
    /// The connection has ended. `keep_socket`: keep the socket open until the next connection is open, so that Asterisk keeps
    /// the application.
    End { how: Result<(), ConnectionError>, keep_socket: bool },
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// The probe on the websocket is under way. Until its response, requests go over HTTP, which works with all versions.
    Probing {
        until: Instant,
    },
    Websocket,
    Http,
}

/// Whether a sweep is running: a task that looks for calls which are left in the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sweep {
    Idle,
    Running,
    /// Another sweep has to follow this one.
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
    /// How often each channel asks again among the messages that wait. Only the last question is answered: the answer to another one would
    /// be taken for its answer.
    asked_again: HashMap<String, usize>,
    requests: Requests,
    failures: ConsecutiveFailures,
    /// Why calls can't be answered. Kept until the phase changes.
    refused: Option<ConnectionError>,
    sweep: Sweep,
    /// Calls whose name is being looked up.
    lookups: usize,
    /// Tasks under way.
    tasks: usize,
    outputs: Vec<Output>,
}

impl Session {
    /// A session for an open websocket, and its first outputs.
    pub(super) fn begin(warnings: Arc<Warnings>, now: Instant) -> (Self, Vec<Output>) {
        let mut session = Self {
            warnings,
            phase: Phase::Serving,
            transport: Transport::Probing { until: now + PROBE_TIMEOUT },
            set_up: SetUp::begin(now),
            version: Version::NotAsked,
            heartbeat: Heartbeat::new(now),
            backlog: Backlog::default(),
            asked_again: HashMap::new(),
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

    /// Takes one input, and returns the outputs, to be executed in this order. After [`Output::End`] there are only tasks, for
    /// calls that still come in.
    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) -> Vec<Output> {
        if matches!(self.phase, Phase::Ended) {
            self.take_after_the_end(input);
        } else {
            self.take(input, now);
            self.advance(now);
        }
        std::mem::take(&mut self.outputs)
    }

    /// When the session needs [`Input::Time`]. None: never.
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
            Phase::Stopping { until, .. } | Phase::LettingGo { until, .. } | Phase::Closing { until, .. } => {
                Some(*until)
            }
            Phase::Ended => None,
        }
    }

    fn take(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::BacklogBegins(messages) => {
                if self.heartbeat.since_message(now) >= backlog::PAUSE {
                    self.asked_again = backlog::asked_again(messages);
                }
                if let Some(ping) = self.backlog.begin(messages) {
                    self.outputs.push(Output::Send(ping));
                }
            }
            Input::BacklogEnds => {
                self.asked_again.clear();
                if self.backlog.end(now, &self.warnings) {
                    // A user's own context may have no bound, or a longer one.
                    self.sweep();
                }
            }
            Input::Message(message) => {
                self.heartbeat.message_received(now);
                match message {
                    Message::Text(text) => self.event(text, now),
                    Message::Close(_) => self.lost(ConnectionError::closed()),
                    Message::Pong(word) => self.backlog.pong(word),
                    _ => {}
                }
            }
            Input::Lost(error) => self.lost(error),
            Input::LookedUp { channel, handoff } => self.looked_up(channel, handoff, now),
            Input::NotLookedUp { channel } => self.not_looked_up(channel, now),
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
            Input::Stop { hand_over } => self.stop(hand_over, now),
        }
    }

    /// Does what is due now.
    fn time(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Serving) {
            return;
        }
        if self.backlog.given_up_at().is_some_and(|until| now >= until) {
            // The next connection has no backlog, and asks for the waiting calls.
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

    /// Whether requests for calls go on the websocket.
    fn is_on_websocket(&self) -> bool {
        self.transport == Transport::Websocket && !matches!(self.phase, Phase::Closing { .. } | Phase::Ended)
    }

    /// Whether a call waits for its name, or for the response to its request.
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

    /// Starts a sweep, or notes that another one has to follow: only one runs at a time.
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

    /// Once a second: overdue responses, a ping, the check whether calls could be sent on.
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

    /// Checks, by the transport of calls, whether a call could be sent on. So a refusal is noticed before a caller has to wait.
    fn check(&mut self, now: Instant) {
        match self.transport {
            Transport::Websocket => self.request(RequestKind::Check, &[], now),
            Transport::Http => {
                self.tasks += 1;
                self.outputs.push(Output::Task(Task::Check));
            }
            Transport::Probing { .. } => {
                debug!(pbx = self.warnings.pbx(), "it is not known yet how requests go");
            }
        }
    }
}
