//! Connections. Each one carries one request, with limits of time and size.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, Request};
use futures_util::poll;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::login::Peer;
use super::slots::{Slot, Slots};
use super::tls::Certificate;

/// The most time for the head of a request. A dialplan sends it in one packet.
const HEAD: Duration = Duration::from_secs(1);
/// The most time for a connection. A lookup takes a millisecond.
const LONGEST: Duration = Duration::from_secs(5);
/// The most time for a connection after the shutdown.
const DRAIN: Duration = Duration::from_secs(1);
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
                    let connection = Connection { peer: peer.ip(), router: router.clone(), slot, shutdown };
                    let task = match certificate.acceptor() {
                        None => connections.spawn(connection.serve(stream)),
                        Some(acceptor) => connections.spawn(connection.serve_tls(stream, acceptor)),
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
        let asked = Arc::clone(&slot);
        let service = service_fn(move |mut request: Request<Incoming>| {
            asked.asks();
            // A lookup does not pay for what a login needs.
            if request.method() != Method::GET {
                request.extensions_mut().insert(Peer(peer));
            }
            router.call(request)
        });
        // One request for each connection. Asterisk's CURL() would keep its connection open as long as the thread of the call lives
        // (a handle for each thread, `func_curl.c`), and many calls at once would use up the slots.
        let connection = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(MAX_HEAD)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // Usually the request is there already, and this sends the answer.
        if let Poll::Ready(ended) = poll!(connection.as_mut()) {
            return report(ended);
        }
        slot.waits();
        let ended = tokio::select! {
            ended = timeout(LONGEST, connection.as_mut()) => ended,
            () = shutdown.cancelled() => timeout(DRAIN, connection.as_mut()).await,
        };
        match ended {
            Ok(ended) => report(ended),
            Err(_) => debug!("web: a connection was too slow"),
        }
    }
}

/// Logs how a connection has failed. That is no fault of the service. The text has nothing of the request.
fn report(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!("web: a connection failed: {error}");
    }
}
