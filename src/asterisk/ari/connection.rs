//! One websocket, from its handshake to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Settings;
use super::application::{Application, Setup};
use super::call::{Place, Wish};
use super::error::ConnectionError;
use super::rest::{Http, Outcome, continue_path};
use super::wire::{self, Parameter, RestRequest};
use crate::asterisk::link::Link;
use crate::resolver::Resolver;

/// How long the handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a write may take. Asterisk reads at once; a full buffer means that it is stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the connection is looked after: pings, overdue answers.
const TICK: Duration = Duration::from_secs(1);
/// Ticks from one ping to the next. Asterisk sends none on connections that come from outside.
const TICKS_PER_PING: u32 = 3;
/// Silence that ends a connection: three pings without an answer.
const SILENCE: Duration = Duration::from_secs(9);
/// Versions without requests on the websocket ignore them silently: no answer in this time means HTTP.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// An answer that is later than this is not waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long calls in hand may take when the service stops.
const DRAIN: Duration = Duration::from_secs(2);
/// Calls that are served over HTTP at once; one more is left to the dialplan's bound.
const MAX_TASKS: usize = 2_000;
/// Events are a few kilobytes.
const MAX_MESSAGE: usize = 1 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects, and serves calls until the connection ends or `shutdown`. `connected` is called once events
/// are filtered and it is known which way requests go.
pub(super) async fn serve(
    settings: &Settings,
    resolver: &Arc<Resolver>,
    link: &Arc<Link>,
    shutdown: &CancellationToken,
    connected: impl FnOnce(),
) -> Result<(), ConnectionError> {
    let password = settings.password.read()?;
    let socket = tokio::select! {
        opened = timeout(CONNECT_TIMEOUT, open(settings, &password)) => {
            opened.map_err(|_| ConnectionError::TooSlow(CONNECT_TIMEOUT))??
        }
        () = shutdown.cancelled() => return Ok(()),
    };
    let http =
        Http::new(settings, password).map_err(|error| ConnectionError::Unreachable(error.to_string()))?;
    let application = Application::new(settings.clone(), Arc::clone(resolver), Arc::clone(link), http);
    let application = Arc::new(application);
    let mut connection = Connection {
        application,
        socket,
        way: Way::Unknown { until: Instant::now() + PROBE_TIMEOUT },
        pending: HashMap::new(),
        last_request: 0,
        tasks: JoinSet::new(),
        heard: Instant::now(),
    };
    let ended = connection.serve(shutdown, connected).await;
    // What is served over HTTP does not need the websocket.
    let finished = async { while connection.tasks.join_next().await.is_some() {} };
    if timeout(DRAIN, finished).await.is_err() {
        connection.tasks.abort_all();
    }
    ended
}

async fn open(settings: &Settings, password: &SecretString) -> Result<Socket, ConnectionError> {
    let mut url = settings.url.clone();
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    // Between these schemes a change always works.
    let _ = url.set_scheme(scheme);
    url.set_path(&format!("{}/ari/events", settings.url.path().trim_end_matches('/')));
    url.query_pairs_mut().append_pair("app", &settings.app).append_pair("subscribeAll", "false");
    let mut request = url.as_str().into_client_request()?;
    // In the header: an `api_key` in the address would end up in logs.
    let credential = BASE64.encode(format!("{}:{}", settings.username, password.expose_secret()));
    let mut header = HeaderValue::try_from(format!("Basic {credential}"))
        .map_err(|error| ConnectionError::Unreachable(error.to_string()))?;
    header.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, header);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(16 << 10)
        .write_buffer_size(0);
    let (socket, _) = connect_async_with_config(request, Some(config), true).await?;
    Ok(socket)
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
}

/// A request on the websocket whose answer is awaited.
struct Pending {
    purpose: Purpose,
    sent: Instant,
}

enum Purpose {
    /// Does Asterisk answer on the socket at all?
    Probe,
    /// A call is sent to its place in the dialplan.
    Handoff { channel: String },
    /// A call is sent on to the next priority, because its handoff failed.
    Plain { channel: String },
}

struct Connection {
    application: Arc<Application>,
    socket: Socket,
    way: Way,
    /// By request id.
    pending: HashMap<u64, Pending>,
    last_request: u64,
    /// Calls that are served over HTTP.
    tasks: JoinSet<()>,
    /// When the last message came, whatever it was.
    heard: Instant,
}

impl Connection {
    async fn serve(
        &mut self,
        shutdown: &CancellationToken,
        connected: impl FnOnce(),
    ) -> Result<(), ConnectionError> {
        self.request(Purpose::Probe, "GET", "asterisk/info", &[]).await?;
        let application = Arc::clone(&self.application);
        let mut setup = Box::pin(application.set_up());
        let mut connected = Some(connected);
        let mut ready = None;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                message = self.socket.next() => self.take(message).await?,
                done = &mut setup, if ready.is_none() => ready = Some(self.recover(done?)),
                _ = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.look_after(ticks).await?;
                }
                () = shutdown.cancelled() => return self.close().await,
            }
            if let (Some(version), Way::Websocket | Way::Http) = (&ready, self.way)
                && let Some(connected) = connected.take()
            {
                let way = if self.way == Way::Websocket { "the websocket" } else { "HTTP" };
                info!(pbx = %self.application.settings.name, %version, "connected; answers go over {way}");
                connected();
            }
        }
    }

    /// Takes what came on the socket.
    async fn take(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), ConnectionError> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(ConnectionError::Lost(error.to_string())),
            None => return Err(ConnectionError::Lost("Asterisk closed it".into())),
        };
        self.heard = Instant::now();
        match message {
            Message::Text(text) => self.take_event(&text).await,
            Message::Close(_) => Err(ConnectionError::Lost("Asterisk closed it".into())),
            _ => Ok(()),
        }
    }

    async fn take_event(&mut self, text: &str) -> Result<(), ConnectionError> {
        let begun = std::time::Instant::now();
        let event: wire::Message<'_> = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(error) => {
                // The text may hold a caller's number: only the reader's complaint is logged.
                warn!(pbx = %self.application.settings.name, "an event can't be read: {error}");
                return Ok(());
            }
        };
        match event.kind.as_ref() {
            "StasisStart" => {
                let Some(channel) = event.channel else { return Ok(()) };
                let wish = Wish::of(event.args.iter().map(String::as_str));
                self.start(wish, &channel.id, &channel.caller.number, begun).await
            }
            "RESTResponse" => {
                let id = event.request_id.and_then(|id| id.parse().ok());
                let Some(pending) = id.and_then(|id: u64| self.pending.remove(&id)) else {
                    debug!(pbx = %self.application.settings.name, "an answer to no request, or a late one");
                    return Ok(());
                };
                let status = event.status_code.unwrap_or(0);
                self.answered(pending, status, &event.message_body.unwrap_or_default()).await
            }
            "ApplicationReplaced" => Err(ConnectionError::Replaced),
            _ => Ok(()),
        }
    }

    /// A call has come.
    async fn start(
        &mut self,
        wish: Wish,
        channel: &str,
        caller: &str,
        begun: std::time::Instant,
    ) -> Result<(), ConnectionError> {
        match wish {
            Wish::Handoff { country } if self.way == Way::Websocket => {
                let application = Arc::clone(&self.application);
                let resolution = application.resolver.resolve(&application.settings.pbx, country, caller);
                let place = Place::of(&resolution);
                let purpose = Purpose::Handoff { channel: channel.to_owned() };
                self.request(purpose, "POST", &continue_path(channel), &place.parameters()).await?;
                application.report(&resolution, begun);
                Ok(())
            }
            _ => {
                self.spawn(wish, channel.to_owned(), caller.to_owned());
                Ok(())
            }
        }
    }

    /// Serves a call over HTTP, beside this connection.
    fn spawn(&mut self, wish: Wish, channel: String, caller: String) {
        let application = Arc::clone(&self.application);
        while self.tasks.try_join_next().is_some() {}
        if self.tasks.len() >= MAX_TASKS {
            warn!(pbx = %application.settings.name, "{MAX_TASKS} calls are in hand already: one is left to the dialplan's bound");
            return application.link.metrics.unserved();
        }
        self.tasks.spawn(async move { application.serve_over_http(wish, &channel, &caller).await });
    }

    /// Sends a request on the websocket.
    async fn request(
        &mut self,
        purpose: Purpose,
        method: &'static str,
        uri: &str,
        query_strings: &[Parameter<'_>],
    ) -> Result<(), ConnectionError> {
        self.last_request += 1;
        let id = self.last_request.to_string();
        let request = RestRequest {
            kind: "RESTRequest",
            transaction_id: "nameplate",
            request_id: &id,
            method,
            uri,
            query_strings,
        };
        let text =
            serde_json::to_string(&request).map_err(|error| ConnectionError::Lost(error.to_string()))?;
        self.send(Message::text(text)).await?;
        self.pending.insert(self.last_request, Pending { purpose, sent: Instant::now() });
        Ok(())
    }

    /// Writes one frame and flushes it: Asterisk leaves a second frame of one TLS record unread.
    async fn send(&mut self, message: Message) -> Result<(), ConnectionError> {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ConnectionError::Lost(error.to_string())),
            Err(_) => Err(ConnectionError::Stuck),
        }
    }

    /// An answer has come.
    async fn answered(&mut self, pending: Pending, status: u16, body: &str) -> Result<(), ConnectionError> {
        let pbx = &self.application.settings.name;
        match pending.purpose {
            Purpose::Probe => {
                debug!(%pbx, status, "requests are answered on the websocket");
                self.way = Way::Websocket;
                Ok(())
            }
            Purpose::Handoff { channel } => {
                if self.application.has_gone_on(Outcome::of(status, body)) {
                    return Ok(());
                }
                let uri = continue_path(&channel);
                self.request(Purpose::Plain { channel }, "POST", &uri, &[]).await
            }
            Purpose::Plain { channel } => {
                if let Outcome::Failed(what) = Outcome::of(status, body) {
                    warn!(%pbx, %channel, "the call can't be sent on: {what}");
                }
                Ok(())
            }
        }
    }

    /// Pings, overdue answers, silence.
    async fn look_after(&mut self, ticks: u32) -> Result<(), ConnectionError> {
        if self.heard.elapsed() >= SILENCE {
            return Err(ConnectionError::Silent(SILENCE));
        }
        if let Way::Unknown { until } = self.way
            && Instant::now() >= until
        {
            self.way = Way::Http;
        }
        let pbx = &self.application.settings.name;
        self.pending.retain(|_, pending| {
            let overdue = pending.sent.elapsed() >= ANSWER_TIMEOUT;
            if overdue && !matches!(pending.purpose, Purpose::Probe) {
                warn!(%pbx, "Asterisk did not answer a request within {ANSWER_TIMEOUT:?}");
            }
            !overdue
        });
        while self.tasks.try_join_next().is_some() {}
        if ticks.is_multiple_of(TICKS_PER_PING) {
            self.send(Message::Ping("nameplate".into())).await
        } else {
            Ok(())
        }
    }

    /// Serves the calls that were in the application before this connection: nothing is replayed to it.
    /// Gives the version.
    fn recover(&mut self, setup: Setup) -> String {
        if !setup.waiting.is_empty() {
            info!(pbx = %self.application.settings.name, calls = setup.waiting.len(), "calls were waiting in the application");
        }
        for channel in setup.waiting {
            let application = Arc::clone(&self.application);
            self.tasks.spawn(async move { application.recover(&channel).await });
        }
        setup.version
    }

    /// Closes the connection. First the answers in hand, then the close frame: it takes the application
    /// away, so no further call waits for us. Calls that came meanwhile are served over HTTP.
    async fn close(&mut self) -> Result<(), ConnectionError> {
        let deadline = Instant::now() + DRAIN;
        let mut closing = false;
        while Instant::now() < deadline {
            let answered = self.pending.values().all(|pending| matches!(pending.purpose, Purpose::Probe));
            if !closing && answered {
                self.way = Way::Http;
                self.send(Message::Close(None)).await?;
                closing = true;
            }
            match tokio::time::timeout_at(deadline, self.socket.next()).await {
                Ok(Some(Ok(message))) if !message.is_close() => self.take(Some(Ok(message))).await?,
                _ => break,
            }
        }
        Ok(())
    }
}
