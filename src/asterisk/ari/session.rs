//! One connection as a machine without I/O. [`Session::handle`] takes one input and the time, and returns the outputs: frames to
//! write, calls to answer, tasks to start. `driver` has the socket, the timer and the tasks.
//!
//! - [`Phase`]: serving, and the ways out of it
//! - [`Way`]: how requests go
//! - [`SetUp`]: whether the calls from before this connection are known
//! - `queue`: what waits on the socket after a pause
//! - `pulse`: pings, silence, late ticks
//! - `row`: failures in a row, which end the connection
//! - `requests`: those under way on the websocket
//! - `calls`: from a call's event to the answer about its request

mod calls;
mod pulse;
mod queue;
mod requests;
mod row;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::Message;
use tracing::{debug, info};

use super::answer::{Failure, Outcome};
use super::call::Place;
use super::error::ConnectionError;
use super::warnings::Warnings;
use super::wire::{self, Caller, Parameter};
use crate::number::Country;
#[cfg(test)]
pub(super) use calls::MAX_TASKS;
pub(super) use calls::{Job, Task};
use pulse::Pulse;
use queue::Queue;
use requests::{Purpose, Requests};
use row::Row;

/// How long a connection is set up before calls are served without knowing which ones wait.
const SET_UP: Duration = Duration::from_secs(2);
/// Versions without requests on the websocket ignore them silently: no answer in this time means HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long answers in hand, and the close frame's, may take when the service stops.
const CLOSE: Duration = Duration::from_millis(1_500);
/// How long calls in hand may take when the service is refused. Asterisk answers at once, also that it does not.
const LET_GO: Duration = Duration::from_millis(200);

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
    /// The place for a call: the reply to [`Output::Answer`].
    Answer { channel: String, place: Place },
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

/// How far a connection is on its way to the end.
#[derive(Debug)]
enum Phase {
    /// Calls are answered.
    Serving,
    /// The service stops: answers in hand are awaited until then.
    Stopping { until: Instant },
    /// Calls can't be answered. A websocket may still do what HTTP does not: calls in hand are sent on until then.
    LettingGo { until: Instant, why: ConnectionError },
    /// The close frame is sent, which takes the application away. Calls that come in between are served over HTTP.
    Closing { until: Instant, how: Result<(), ConnectionError> },
    /// Nothing more is taken.
    Ended,
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

/// Whether the calls from before this connection are known.
#[derive(Debug)]
enum SetUp {
    /// Asterisk is asked. `started`: the calls whose events came since, which are in hand.
    Asked { started: HashSet<String>, late_at: Instant },
    /// It has not answered in time. Calls are served all the same.
    Late { started: HashSet<String> },
    /// It has answered.
    Known,
}

/// Whether calls that are left in the application are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    No,
    UnderWay,
    /// Another one is wanted after this one.
    Twice,
}

/// What is known of Asterisk's version.
#[derive(Debug)]
enum Version {
    NotAsked,
    Asked,
    Known(String),
    /// The connection was announced with it.
    Said,
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
            set_up: SetUp::Asked { started: HashSet::new(), late_at: now + SET_UP },
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
            let late = if let SetUp::Asked { late_at, .. } = &self.set_up { Some(*late_at) } else { None };
            [Some(self.pulse.next_tick()), way, late, self.queue.given_up_at()].into_iter().flatten().min()
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
            Input::Answer { channel, place } => self.answer(channel, place, now),
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
            Input::Stop => {
                if matches!(self.phase, Phase::Serving) {
                    self.phase = Phase::Stopping { until: now + CLOSE };
                }
            }
        }
    }

    /// No call is forgotten: the others go over HTTP.
    fn take_after_the_end(&mut self, input: Input<'_>) {
        match input {
            Input::Answer { channel, place } => self.spawn(channel, Job::SendTo(place)),
            Input::Ended { release, .. } => {
                for channel in release {
                    self.spawn(channel, Job::Release { doubtful: false });
                }
            }
            _ => {}
        }
    }

    /// Calls can't be answered, for this reason. The first one counts.
    fn refuse(&mut self, why: Option<ConnectionError>) {
        if self.refused.is_none() {
            self.refused = why;
        }
    }

    /// Goes on to the next phase where it is time.
    fn advance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Serving) {
            // While a ping is not answered either, there is nothing to be said of requests.
            if !self.pulse.is_silent(now)
                && let Some(why) = self.refused.take()
            {
                self.phase = Phase::LettingGo { until: now + LET_GO, why };
            } else {
                self.announce();
            }
        }
        let is_over = match &self.phase {
            Phase::Serving | Phase::Ended => false,
            Phase::Stopping { until } => now >= *until || !self.awaits_an_answer(),
            Phase::LettingGo { until, .. } => now >= *until || self.way != Way::Websocket || !self.is_busy(),
            Phase::Closing { until, .. } => now >= *until,
        };
        if !is_over {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Stopping { until } => self.close(until.max(now), Ok(())),
            Phase::LettingGo { why, .. } => self.close(now + CLOSE, Err(why)),
            Phase::Closing { how, .. } => self.end(how),
            Phase::Serving | Phase::Ended => {}
        }
    }

    /// Sends the close frame: no further call waits for us then. Until the answer to it, calls may come.
    fn close(&mut self, until: Instant, how: Result<(), ConnectionError>) {
        self.outputs.push(Output::Send(Message::Close(None)));
        self.phase = Phase::Closing { until, how };
    }

    /// The socket is gone.
    fn lost(&mut self, error: ConnectionError) {
        let how = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Serving => Err(error),
            Phase::Stopping { .. } => Ok(()),
            Phase::LettingGo { why, .. } => Err(why),
            Phase::Closing { how, .. } => how,
            Phase::Ended => return,
        };
        self.end(how);
    }

    fn end(&mut self, how: Result<(), ConnectionError>) {
        self.phase = Phase::Ended;
        // Otherwise the next connection is made at once, and asks which calls still wait.
        if how.as_ref().map_or_else(|error| error.refusal().is_some(), |()| true) {
            for channel in self.requests.take_all().into_iter().filter_map(Purpose::channel) {
                self.spawn(channel, Job::Release { doubtful: true });
            }
        }
        // Asterisk may have let one in while it closed, and told nobody. The next connection is far.
        if matches!(how, Err(ConnectionError::Handoffs(_))) {
            self.search();
        }
        let keep_socket = matches!(how, Err(ConnectionError::Behind));
        self.outputs.push(Output::End { how, keep_socket });
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
        if let SetUp::Asked { started, late_at } = &mut self.set_up
            && now >= *late_at
        {
            self.warnings.no_list(SET_UP);
            self.set_up = SetUp::Late { started: std::mem::take(started) };
            self.learn_version();
        }
        if now >= self.pulse.next_tick() {
            self.tick(now);
        }
    }

    /// Calls that were in the application before this connection are served: nothing is replayed to it.
    fn recover(&mut self, waiting: Vec<String>) {
        let started = match std::mem::replace(&mut self.set_up, SetUp::Known) {
            SetUp::Asked { started, .. } | SetUp::Late { started } => started,
            SetUp::Known => HashSet::new(),
        };
        // Those that came since are in hand.
        let waiting: Vec<_> = waiting.into_iter().filter(|channel| !started.contains(channel)).collect();
        if !waiting.is_empty() {
            info!(pbx = self.warnings.pbx(), calls = waiting.len(), "calls were waiting in the application");
        }
        for channel in waiting {
            self.spawn(channel, Job::Recover);
        }
        self.learn_version();
    }

    /// Callers who have waited long enough come first: the version is asked for when they are known.
    fn learn_version(&mut self) {
        if let Version::NotAsked = self.version {
            self.version = Version::Asked;
            self.outputs.push(Output::LearnVersion);
        }
    }

    fn announce(&mut self) {
        let way = match self.way {
            Way::Unknown { .. } => return,
            Way::Websocket => "the websocket",
            Way::Http => "HTTP",
        };
        match std::mem::replace(&mut self.version, Version::Said) {
            Version::Known(version) => self.outputs.push(Output::Connected { version, way }),
            other => self.version = other,
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
