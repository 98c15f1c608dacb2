//! Connections, with limits of time and size. A client may send its next request on the same connection: Asterisk's `CURL()` keeps
//! its connection as long as the thread of the call lives. One that rests is the first to go when slots are wanted.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use axum::response::Response;
use futures_util::TryFutureExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::login::Peer;
use super::pages;
use super::slots::{self, Slot, Slots, Step};
use super::tls::Certificate;

/// The most time for the head of a request, and from one request to the next. A dialplan sends a head in one packet.
const HEAD: Duration = Duration::from_secs(1);
/// The most time for a request and its answer. A lookup takes a millisecond.
const LONGEST: Duration = Duration::from_secs(5);
/// The most time for a connection after the shutdown.
const DRAIN: Duration = Duration::from_secs(1);
/// An answer of so many bytes is sent at once.
const SMALL: u64 = 64 << 10;
/// The longest head, in bytes: the request line and all headers. A longer one is answered 431.
const MAX_HEAD: usize = 16 << 10;
/// The pause after a failure to accept. The usual cause is a lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves at most `most` connections of `listener` at once, until `shutdown`. Returns when the last connection has ended.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    certificate: Certificate,
    most: usize,
    shutdown: CancellationToken,
) {
    let slots = Slots::new(most);
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let slot = slots.take(peer.ip()).await;
                    let id = slot.id();
                    let (slot, shutdown) = (Arc::new(slot), shutdown.clone());
                    // An answer is one small write. It must not wait for the next write.
                    let _ = stream.set_nodelay(true);
                    let own = Arc::clone(&slot);
                    let connection = Connection { peer: peer.ip(), router: router.clone(), slot, shutdown };
                    let task = match certificate.acceptor() {
                        None => connections.spawn(slots::with(own, connection.serve(stream))),
                        Some(acceptor) => {
                            connections.spawn(slots::with(own, connection.serve_tls(stream, acceptor)))
                        }
                    };
                    slots.ends_by(id, task.abort_handle());
                }
                Err(error) => {
                    warn!("web: can't accept a connection: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    let serving = async { tokio::join!(accepting, certificate.keep_fresh()) };
    shutdown.run_until_cancelled(serving).await;
    // No new connections while the last ones finish.
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// A connection that is being served.
struct Connection {
    peer: IpAddr,
    router: Router,
    slot: Arc<Slot>,
    shutdown: CancellationToken,
}

impl Connection {
    /// Serves a connection that speaks TLS.
    async fn serve_tls(self, stream: TcpStream, acceptor: TlsAcceptor) {
        self.slot.waits();
        match timeout(HEAD, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => debug!("web: a connection has failed to speak TLS: {error}"),
            Err(_) => debug!("web: a connection was too slow to speak TLS"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self { peer, router, slot, shutdown } = self;
        let router = TowerToHyperService::new(router);
        let asked = &slot;
        let service = service_fn(move |mut request: Request<Incoming>| {
            asked.asks();
            // A lookup does not pay for what a login or a stream needs.
            if request.method() != Method::GET {
                asked.may_go();
                request.extensions_mut().insert(Peer(peer));
            } else if pages::is_stream(request.uri().path()) {
                request.extensions_mut().insert(Arc::clone(asked));
            }
            router.call(request).map_ok(|mut answer| {
                if is_small(&answer) {
                    asked.answers();
                }
                keep_private(answer.headers_mut());
                answer
            })
        });
        // hyper's own limit for a head would set a timer for each request.
        let connection = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .header_read_timeout(None)
            // An answer is small: one piece of memory costs the system less than two.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut limit = Limit::new();
        let mut is_new = true;
        let mut serving = poll_fn(|context| {
            // Usually the request is there already, and this sends the answer.
            let polled = connection.as_mut().poll(context).map(Ended::ByItself);
            let step = slot.take_step();
            if polled.is_ready() {
                return polled;
            }
            match step {
                Step::Answered => slot.rests(),
                Step::None if is_new => slot.waits(),
                Step::None | Step::Asked | Step::Streams => {}
            }
            is_new = false;
            limit.poll(step, context).map(|()| Ended::TooSlow)
        });
        let ended = shutdown.run_until_cancelled(&mut serving).await;
        drop(serving);
        match ended {
            Some(Ended::ByItself(ended)) => report(ended),
            Some(Ended::TooSlow) => debug!("web: a connection was too slow"),
            // A stream has no end of its own.
            None if limit.is_off => {}
            None => {
                connection.as_mut().graceful_shutdown();
                match timeout(DRAIN, connection).await {
                    Ok(ended) => report(ended),
                    Err(_) => debug!("web: a connection was too slow"),
                }
            }
        }
    }
}

/// How a connection has ended.
enum Ended {
    ByItself(Result<(), hyper::Error>),
    TooSlow,
}

/// The time that a connection has: for the head of the next request, or for the request that is being served.
struct Limit {
    until: Instant,
    /// The connection streams, and has no limit.
    is_off: bool,
    alarm: Pin<Box<Sleep>>,
}

impl Limit {
    fn new() -> Self {
        let alarm = Box::pin(sleep(HEAD));
        Self { until: alarm.deadline(), is_off: false, alarm }
    }

    /// Ready when the time is over. An alarm that is too early is set anew when it goes off, and not with each request.
    fn poll(&mut self, step: Step, context: &mut Context<'_>) -> Poll<()> {
        match step {
            Step::Streams => self.is_off = true,
            Step::Asked => self.until = Instant::now() + LONGEST,
            Step::Answered => self.until = Instant::now() + HEAD,
            Step::None => {}
        }
        if self.is_off {
            return Poll::Pending;
        }
        if self.until < self.alarm.deadline() {
            self.alarm.as_mut().reset(self.until);
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            if self.until <= self.alarm.deadline() {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(self.until);
        }
        Poll::Pending
    }
}

/// No client may keep an answer: it is personal data, or a state that changes.
fn keep_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Whether an answer fits into the buffers of the connection, so that it is sent at once.
fn is_small(answer: &Response) -> bool {
    answer.body().size_hint().exact().is_some_and(|bytes| bytes <= SMALL)
}

/// Logs how a connection has failed. That is no fault of the service. The text has nothing of the request.
fn report(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!("web: a connection failed: {error}");
    }
}
