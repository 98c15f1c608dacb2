//! One websocket, from its handshake to its end.

mod calls;
mod end;
mod health;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error as SocketError, protocol::Message};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Settings;
use super::application::Application;
use super::call::Wish;
use super::error::ConnectionError;
use super::handshake::{Socket, open, trust};
use super::requests::{Purpose, Requests};
use super::rest::{Http, Turn};
use super::tasks::Tasks;
use super::verdict::Verdict;
use super::wire::{self, Parameter};
use crate::asterisk::link::Link;
use crate::resolver::Resolver;
use crate::secret::Secret;

/// How long the handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a write may take. Asterisk reads at once; a full buffer means that it is stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the connection is looked after: pings, overdue answers.
const TICK: Duration = Duration::from_secs(1);
/// Ticks from one ping to the next. Asterisk sends none on connections that come from outside.
const TICKS_PER_PING: u32 = 3;
/// Silence that ends a connection: two pings without an answer, and two seconds more. With the tick it is noticed
/// within 9 s that a host has vanished.
const SILENCE: Duration = Duration::from_secs(8);
/// How long a connection is set up before calls are served without knowing which ones wait.
const SET_UP: Duration = Duration::from_secs(2);
/// Versions without requests on the websocket ignore them silently: no answer in this time means HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A tick that is so late says that this process did not run.
const LATE: Duration = Duration::from_millis(500);
/// So many messages that wait at once are no rush: this process did not run.
const QUEUE: usize = 16;
/// The most that are taken at once.
const MOST_AT_ONCE: usize = 10_000;
/// A call that is older than the newest by so much has been released by the dialplan's bound of half a second.
const STALE: SignedDuration = SignedDuration::from_millis(600);

/// What is sent to learn whether all that waited has come, and how long the answer may take.
const AWAKE: &str = "awake";
const AWAKE_TIMEOUT: Duration = Duration::from_millis(100);

/// What connections leave that have ended.
#[derive(Default)]
pub(super) struct Left {
    /// Calls in hand, which are finished within a bounded time.
    pub(super) calls: JoinSet<()>,
    /// A socket whose queue is stuck. While it is open Asterisk has the application, and lets calls in, for the next
    /// connection; without it they would go on unnamed.
    socket: Option<Socket>,
    /// The password that was tried last.
    pub(super) password: Option<SecretString>,
}

impl Left {
    /// Whether there is another password now than the one that was tried last.
    pub(super) fn has_new_password(&self, now: &Secret) -> bool {
        let tried = self.password.as_ref().map(ExposeSecret::expose_secret);
        tried.is_some() && now.read().is_ok_and(|now| tried != Some(now.expose_secret()))
    }

    /// Finishes the calls in hand: there is no next connection.
    pub(super) async fn finish(mut self) {
        drop(self.socket);
        while self.calls.join_next().await.is_some() {}
    }
}

/// Connects, and serves calls until the connection ends or `shutdown`. `connected` is called once events
/// are filtered and it is known which way requests go.
pub(super) async fn serve(
    settings: &Settings,
    resolver: &Arc<Resolver>,
    link: &Arc<Link>,
    shutdown: &CancellationToken,
    left: &mut Left,
    connected: impl FnOnce(),
) -> Result<(), ConnectionError> {
    // Closed when the next one is open, which has the application then; or when that fails.
    let former = left.socket.take();
    let password = settings.password.read()?;
    left.password = Some(password.clone());
    let tls = trust(settings).await?;
    let (verdict, ends) = Verdict::new();
    let verdict = Arc::new(verdict);
    let http =
        Http::new(settings, password.clone(), &tls, Arc::clone(&verdict)).map_err(ConnectionError::of)?;
    let opening = async {
        // Whoever has the application and can't send calls on would hold them.
        ConnectionError::of_check(http.check(Turn::Patient).await)?;
        open(settings, &password, tls).await
    };
    let socket = tokio::select! {
        opened = timeout(CONNECT_TIMEOUT, opening) => {
            opened.map_err(|_| ConnectionError::TooSlow(CONNECT_TIMEOUT))??
        }
        () = shutdown.cancelled() => return Ok(()),
    };
    drop(former);
    let (application, to_release) =
        Application::new(settings.clone(), Arc::clone(resolver), Arc::clone(link), http, verdict);
    let tasks = Tasks::new(Arc::clone(&application));
    let mut connection = Connection {
        application,
        socket,
        way: Way::Unknown { until: Instant::now() + PROBE_TIMEOUT },
        requests: Requests::default(),
        to_release,
        ends,
        started: Some(HashSet::new()),
        tasks,
        heard: Instant::now(),
        since: None,
        missed: 0,
        stuck_at: None,
        was_late: false,
    };
    let ended = connection.serve(shutdown, connected).await;
    connection.end(&ended, left);
    ended
}

/// The way that requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The probe is under way; until it is answered HTTP works everywhere.
    Unknown {
        until: Instant,
    },
    Websocket,
    Http,
    /// The close frame is sent: over HTTP, and never back to the websocket.
    Closing,
}

struct Connection {
    application: Arc<Application>,
    socket: Socket,
    way: Way,
    requests: Requests,
    /// Channels that are to be sent on by a plain `continue`.
    to_release: mpsc::Receiver<String>,
    /// Why this connection can't answer calls, as soon as it can't.
    ends: mpsc::Receiver<ConnectionError>,
    /// Channels whose events came before it was known which ones wait; none is remembered after that.
    started: Option<HashSet<String>>,
    /// Calls that are served over HTTP.
    tasks: Tasks,
    /// When the last message came, whatever it was.
    heard: Instant,
    /// While many messages are taken at once: calls that are older, by Asterisk's clock, are no longer waiting.
    since: Option<Timestamp>,
    /// How many of those there were.
    missed: usize,
    /// When the connection is given up: it is asked whether all that waited on it has come.
    stuck_at: Option<Instant>,
    /// The last tick came too late, because this process did not run.
    was_late: bool,
}

/// What a websocket has received: None at its end.
type Received = Option<Result<Message, SocketError>>;

/// When a call came, if that is what was received.
fn time(received: &Received) -> Option<Timestamp> {
    let Some(Ok(Message::Text(text))) = received else { return None };
    serde_json::from_str::<wire::Message<'_>>(text).ok()?.time()
}

impl Connection {
    async fn serve(
        &mut self,
        shutdown: &CancellationToken,
        connected: impl FnOnce(),
    ) -> Result<(), ConnectionError> {
        self.request(Purpose::Probe, &[]).await?;
        let application = Arc::clone(&self.application);
        let mut setup = Box::pin(application.set_up());
        let mut learning = Box::pin(application.learn_version());
        let mut connected = Some(connected);
        let (mut recovered, mut version) = (false, None);
        let mut late = Box::pin(sleep(SET_UP));
        let mut is_late = false;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                message = self.socket.next() => self.take_all(message).await?,
                Some(channel) = self.to_release.recv() => self.release(channel).await?,
                Some(reason) = self.ends.recv(), if !self.is_silent() => {
                    self.let_go().await;
                    return Err(reason);
                }
                waiting = &mut setup, if !recovered => {
                    recovered = true;
                    match waiting {
                        Ok(waiting) => self.recover(waiting),
                        Err(error) => {
                            self.let_go().await;
                            return Err(error);
                        }
                    }
                }
                () = &mut late, if !recovered && !is_late => {
                    is_late = true;
                    application.warnings.no_list(SET_UP);
                }
                // Callers who have waited long enough come first.
                learnt = &mut learning, if (recovered || is_late) && version.is_none() => version = Some(learnt),
                due = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.look_after(ticks, due).await?;
                }
                // The next connection has no queue, and those who wait are asked for.
                () = sleep_until(self.stuck_at.unwrap_or_else(Instant::now)), if self.stuck_at.is_some() => {
                    return Err(ConnectionError::Behind);
                }
                () = shutdown.cancelled() => {
                    self.close(end::CLOSE).await;
                    return Ok(());
                }
            }
            if let (Some(version), Way::Websocket | Way::Http) = (&version, self.way)
                && let Some(connected) = connected.take()
            {
                let way = if self.way == Way::Websocket { "the websocket" } else { "HTTP" };
                connected();
                info!(pbx = %self.application.settings.name, %version, "connected; answers go over {way}");
            }
        }
    }

    /// Takes what came on the socket, and what waits behind it.
    ///
    /// After a stop of this process, or of its machine, that may be thousands of calls. Those that the dialplan's bound
    /// has released meanwhile are not answered: Asterisk takes one request after the other, and would be as late for the
    /// calls that come now.
    async fn take_all(&mut self, first: Received) -> Result<(), ConnectionError> {
        // As a rule nothing waits.
        let Some(second) = first.as_ref().and_then(|_| self.socket.next().now_or_never()) else {
            return self.take(first).await;
        };
        let mut waiting = vec![first, second];
        while waiting.len() < MOST_AT_ONCE
            && matches!(waiting.last(), Some(Some(Ok(_))))
            && let Some(next) = self.socket.next().now_or_never()
        {
            waiting.push(next);
        }
        // A few are answered as fast as they are judged.
        if waiting.len() < QUEUE {
            for message in waiting {
                self.take(message).await?;
            }
            return Ok(());
        }
        self.since = waiting.iter().rev().find_map(time).and_then(|newest| newest.checked_sub(STALE).ok());
        let is_behind =
            self.since.is_some_and(|since| waiting.iter().find_map(time).is_some_and(|first| first < since));
        if is_behind {
            // More of the queue may be stuck: TCP tries ever less often to send to whoever takes nothing, and its next
            // attempt may be seconds away.
            self.send(Message::Ping(AWAKE.into())).await?;
        }
        for message in waiting {
            self.take(message).await?;
        }
        self.since = None;
        if is_behind {
            self.stuck_at = Some(Instant::now() + AWAKE_TIMEOUT);
        }
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            self.application.warnings.behind(missed);
            // A context of somebody's own may have no bound, or a longer one.
            self.tasks.search();
        }
        Ok(())
    }

    /// Takes what came on the socket.
    async fn take(&mut self, message: Received) -> Result<(), ConnectionError> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(ConnectionError::Lost(error.to_string())),
            None => return Err(ConnectionError::Lost("Asterisk closed it".into())),
        };
        self.heard = Instant::now();
        match message {
            Message::Text(text) => self.take_event(&text).await,
            Message::Close(_) => Err(ConnectionError::Lost("Asterisk closed it".into())),
            Message::Pong(word) if word == AWAKE.as_bytes() => {
                self.stuck_at = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn take_event(&mut self, text: &str) -> Result<(), ConnectionError> {
        let begun = std::time::Instant::now();
        let event: wire::Message<'_> = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => {
                let what = wire::complaint(&error);
                self.application.warnings.unread("an event", &what);
                // It may have been a call's, which would wait for ever.
                self.tasks.search();
                return Ok(());
            }
        };
        match event.kind.as_ref() {
            "StasisStart" => {
                let is_stale = self.since.is_some_and(|since| event.time().is_some_and(|time| time < since));
                let Some(channel) = event.channel else {
                    self.application.warnings.unread("an event", "it names no channel");
                    self.tasks.search();
                    return Ok(());
                };
                let warnings = &self.application.warnings;
                let arguments = event.args.iter().map(String::as_str);
                let wish = Wish::of(arguments, |country| warnings.country(country));
                // The others have no bound.
                if is_stale && matches!(wish, Wish::Handoff { .. }) {
                    self.missed += 1;
                    self.application.link.metrics.unserved();
                    return Ok(());
                }
                self.start(wish, &channel.id, channel.caller, begun).await
            }
            "RESTResponse" => {
                let id = event.request_id.unwrap_or_default();
                let Some(purpose) = self.requests.answered(&id) else {
                    debug!(pbx = %self.application.settings.name, "an answer to no request, or a late one");
                    return Ok(());
                };
                let status = event.status_code.unwrap_or(0);
                self.answered(purpose, status, &event.message_body.unwrap_or_default()).await
            }
            "ApplicationReplaced" => Err(ConnectionError::Replaced),
            _ => Ok(()),
        }
    }

    /// Sends a request on the websocket.
    async fn request(
        &mut self,
        purpose: Purpose,
        parameters: &[Parameter<'_>],
    ) -> Result<(), ConnectionError> {
        let frame = self.requests.write(purpose, parameters);
        self.send(Message::text(frame.map_err(|error| ConnectionError::Lost(wire::complaint(&error)))?)).await
    }

    /// Writes one frame and flushes it: Asterisk leaves a second frame of one TLS record unread.
    async fn send(&mut self, message: Message) -> Result<(), ConnectionError> {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ConnectionError::Lost(error.to_string())),
            Err(_) => Err(ConnectionError::Stuck),
        }
    }

    /// Goes another way from now on. There is none back from closing.
    fn go(&mut self, way: Way) {
        if self.way != Way::Closing {
            self.way = way;
            self.application.use_websocket(way == Way::Websocket);
        }
    }
}
