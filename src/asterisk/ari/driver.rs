//! Drives a session: owns the socket, the timer and the tasks, and executes the session's outputs.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as SocketError, protocol::Message};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::Settings;
use super::application::Application;
use super::error::ConnectionError;
use super::handshake::{Socket, open, trust};
use super::rest::{Http, Reports, Turn};
use super::session::{Input, Output, Report, Session};
use super::tasks::{Ended, LateAnswer, Tasks, Waiting};
use crate::asterisk::pbx_status::PbxStatus;
use crate::calls::{Leg, Outcome};
use crate::lookup::Resolver;
use crate::observe::panics;
use crate::secret::Secret;

/// The most time for the check and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most time for a write. Asterisk reads at once: if the socket's buffer is full, Asterisk is stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// The most messages that are read at once.
const MAX_AT_ONCE: usize = 10_000;

/// What is left of ended connections.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Calls in hand; each ends within a bounded time.
    pub(super) calls: JoinSet<()>,
    /// A socket whose backlog is stuck. While it is open, Asterisk keeps the application, and lets calls in for the next
    /// connection. If it were closed, calls would go on without names.
    socket: Option<Socket>,
    /// The password of the last attempt.
    password: Option<SecretString>,
}

impl Leftovers {
    /// Whether the password has changed since the last attempt.
    pub(super) fn has_new_password(&self, now: &Secret) -> bool {
        let tried = self.password.as_ref().map(ExposeSecret::expose_secret);
        tried.is_some() && now.read().is_ok_and(|now| tried != Some(now.expose_secret()))
    }

    /// Finishes the calls in hand, when there is no next connection.
    pub(super) async fn finish(mut self) {
        drop(self.socket);
        while self.calls.join_next().await.is_some() {}
    }
}

/// What ends a connection that is well. The calls in hand are finished.
pub(super) struct Ends {
    /// The service is stopped, or the PBX is another one from now on.
    pub(super) stop: CancellationToken,
    /// The next connection takes the application over: the socket stays open until then.
    pub(super) hand_over: CancellationToken,
}

impl Ends {
    pub(super) fn new(shutdown: &CancellationToken) -> Self {
        Self { stop: shutdown.child_token(), hand_over: CancellationToken::new() }
    }
}

/// What all connections with a PBX share.
pub(super) struct Service<'a> {
    pub(super) resolver: &'a Arc<Resolver>,
    pub(super) pbx_status: &'a Arc<PbxStatus>,
    /// The settings of the moment.
    pub(super) settings: &'a watch::Receiver<Arc<Settings>>,
}

/// Connects, and serves calls until the connection ends or `ends` says so. `connected` is called when the set-up is complete: the
/// events are filtered, and the transport of requests is known.
pub(super) async fn serve(
    settings: &Arc<Settings>,
    service: &Service<'_>,
    ends: &Ends,
    leftovers: &mut Leftovers,
    connected: impl FnOnce(),
) -> Result<(), ConnectionError> {
    // Closed after the new websocket is open and has the application, or after a failure.
    let former = leftovers.socket.take();
    let password = settings.password.read()?;
    leftovers.password = Some(password.clone());
    let tls = trust(settings).await?;
    let end_of_requests = CancellationToken::new();
    let (reports, reported) = Reports::new(end_of_requests.clone());
    let http = Http::new(settings, password.clone(), &tls, reports).map_err(ConnectionError::of)?;
    let opening = async {
        // Before the websocket: an application that can't send calls on would hold them.
        ConnectionError::of_check(http.check(Turn::Unbounded).await)?;
        open(settings, &password, tls).await
    };
    let socket = tokio::select! {
        opened = timeout(CONNECT_TIMEOUT, opening) => {
            opened.map_err(|_| ConnectionError::TooSlow(CONNECT_TIMEOUT))??
        }
        () = ends.stop.cancelled() => return Ok(()),
        () = ends.hand_over.cancelled() => return Ok(()),
    };
    drop(former);
    let application = Application::new(
        Arc::clone(settings),
        service.settings.clone(),
        Arc::clone(service.resolver),
        Arc::clone(service.pbx_status),
        http,
        end_of_requests,
    );
    let (session, outputs) = Session::begin(Arc::clone(&application.warnings), Instant::now());
    let tasks = Tasks::new(Arc::clone(&application));
    let mut driver = Driver { application, session, socket, tasks, is_learning: false };
    let ConnectionEnd { how, keep_socket } = driver.drive(outputs, reported, ends, connected).await;
    let Driver { socket, tasks, .. } = driver;
    // While the socket is open, calls come in, and wait for the next connection.
    leftovers.socket = keep_socket.then_some(socket);
    leftovers.calls.spawn(tasks.finish());
    how
}

/// How a connection has ended.
struct ConnectionEnd {
    how: Result<(), ConnectionError>,
    keep_socket: bool,
}

struct Driver {
    application: Arc<Application>,
    session: Session,
    socket: Socket,
    tasks: Tasks,
    /// Whether the request for Asterisk's version is under way.
    is_learning: bool,
}

/// What the websocket has received; None at its end.
type Received = Option<Result<Message, SocketError>>;

impl Driver {
    async fn drive(
        &mut self,
        outputs: Vec<Output>,
        mut reported: mpsc::Receiver<Report>,
        ends: &Ends,
        connected: impl FnOnce(),
    ) -> ConnectionEnd {
        let application = Arc::clone(&self.application);
        let mut set_up = pin!(application.set_up());
        let mut learning = pin!(application.learn_version());
        let mut alarm = pin!(sleep_until(Instant::now()));
        let mut connected = Some(connected);
        let (mut is_set_up, mut is_stopping) = (false, false);
        let mut done = self.perform(outputs, std::time::Instant::now()).await;
        loop {
            match done {
                ControlFlow::Continue(None) => {}
                ControlFlow::Continue(Some(Connected { version, transport })) => {
                    if let Some(connected) = connected.take() {
                        connected();
                    }
                    info!(pbx = %application.settings.name, %version, "connected; answers go over {transport}");
                }
                ControlFlow::Break(end) => return end,
            }
            let wake_at = self.session.wake_at();
            if let Some(at) = wake_at
                && alarm.deadline() != at
            {
                alarm.as_mut().reset(at);
            }
            let input = tokio::select! {
                message = self.socket.next() => {
                    done = self.take(message).await;
                    continue;
                }
                Some(report) = reported.recv() => Input::HttpReport(report),
                ended = self.tasks.next_ended() => match ended {
                    Ended::Task { task, release } => Input::TaskEnded { task, release },
                    Ended::Wait(late) => {
                        done = self.give_late(*late).await;
                        continue;
                    }
                },
                waiting = &mut set_up, if !is_set_up => {
                    is_set_up = true;
                    Input::WaitingCalls(waiting)
                }
                version = &mut learning, if self.is_learning => {
                    self.is_learning = false;
                    Input::Version(version)
                }
                () = &mut alarm, if wake_at.is_some() => Input::Time,
                () = ends.stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    Input::Stop { hand_over: false }
                }
                () = ends.hand_over.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    Input::Stop { hand_over: true }
                }
            };
            done = self.give(input).await;
        }
    }

    async fn give(&mut self, input: Input<'_>) -> ControlFlow<ConnectionEnd, Option<Connected>> {
        let begun = std::time::Instant::now();
        let outputs = self.session.handle(input, Instant::now());
        self.perform(outputs, begun).await
    }

    /// Gives the answer of a call that has waited for the search in the CRM.
    async fn give_late(&mut self, late: LateAnswer) -> ControlFlow<ConnectionEnd, Option<Connected>> {
        let LateAnswer { channel, called, handoff, answer, begun } = late;
        let done = self.give(Input::LookedUp { channel: channel.clone(), handoff }).await;
        let leg = Leg { channel: &channel, called: &called, ..Leg::default() };
        self.application.pbx_status.answered(&answer, begun, leg);
        done
    }

    /// Takes a message from the socket, and all messages that wait behind it.
    async fn take(&mut self, first: Received) -> ControlFlow<ConnectionEnd, Option<Connected>> {
        let mut messages = Vec::new();
        let mut lost = None;
        let mut next = Some(first);
        while let Some(received) = next {
            match received {
                Some(Ok(message)) => messages.push(message),
                Some(Err(error)) => lost = Some(ConnectionError::Lost(error.to_string())),
                None => lost = Some(ConnectionError::closed()),
            }
            let goes_on = lost.is_none() && messages.len() < MAX_AT_ONCE;
            next = if goes_on { self.socket.next().now_or_never() } else { None };
        }
        let mut connected = None;
        // Usually there is only one message.
        if messages.len() > 1 {
            connected = self.give(Input::BacklogBegins(&messages)).await?;
        }
        for message in &messages {
            connected = connected.or(self.give(Input::Message(message)).await?);
        }
        if messages.len() > 1 {
            connected = connected.or(self.give(Input::BacklogEnds).await?);
        }
        if let Some(error) = lost {
            connected = connected.or(self.give(Input::Lost(error)).await?);
        }
        ControlFlow::Continue(connected)
    }

    /// Executes the session's outputs. `begun`: when its input came.
    async fn perform(
        &mut self,
        mut outputs: Vec<Output>,
        begun: std::time::Instant,
    ) -> ControlFlow<ConnectionEnd, Option<Connected>> {
        let mut connected = None;
        let mut answered = None;
        let mut is_stuck = false;
        while !outputs.is_empty() {
            for output in std::mem::take(&mut outputs) {
                match output {
                    // Each further write would take its whole time.
                    Output::Send(_) if is_stuck => {}
                    Output::Send(message) => {
                        if let Err(error) = self.write(message).await {
                            is_stuck = true;
                            outputs.extend(self.session.handle(Input::Lost(error), Instant::now()));
                        }
                    }
                    Output::LookUp { channel, wanted, country, edition, caller, may_wait } => {
                        let looking_up = || self.application.answer_or_wait(caller.wanting(wanted, country));
                        let Ok((answer, wait)) = panics::contained_now(looking_up) else {
                            let leg = caller.leg(&channel, wanted);
                            self.application.pbx_status.unserved(Outcome::Unavailable, leg);
                            let input = Input::NotLookedUp { channel };
                            outputs.extend(self.session.handle(input, Instant::now()));
                            continue;
                        };
                        if let Some(wait) = wait.filter(|_| may_wait) {
                            self.tasks.wait(Waiting {
                                channel,
                                country,
                                edition,
                                caller,
                                answer,
                                wait,
                                begun,
                            });
                            continue;
                        }
                        let told = (answer.clone(), channel.clone(), caller.dialled);
                        let input = Input::LookedUp { channel, handoff: answer.handoff(edition) };
                        outputs.extend(self.session.handle(input, Instant::now()));
                        answered = Some(told);
                    }
                    Output::Task(task) => self.tasks.spawn(task),
                    Output::LearnVersion => self.is_learning = true,
                    Output::Connected { version, transport } => {
                        self.application.pbx_status.set_peer(&version, transport);
                        connected = Some(Connected { version, transport });
                    }
                    Output::End { how, keep_socket } => {
                        return ControlFlow::Break(ConnectionEnd { how, keep_socket });
                    }
                }
            }
        }
        // After the answer is sent: logging takes time.
        if let Some((answer, channel, dialled)) = answered {
            let leg = Leg { channel: &channel, called: &dialled, ..Leg::default() };
            self.application.pbx_status.answered(&answer, begun, leg);
        }
        ControlFlow::Continue(connected)
    }

    async fn write(&mut self, message: Message) -> Result<(), ConnectionError> {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ConnectionError::Lost(error.to_string())),
            Err(_) => Err(ConnectionError::Stuck),
        }
    }
}

/// The set-up is complete: calls are answered from now on.
struct Connected {
    version: String,
    transport: &'static str,
}
