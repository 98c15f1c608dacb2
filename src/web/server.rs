//! Connections. Each carries one request and is bounded in time and size, so that whoever holds one, by
//! malice or by a mistake, does not hold up a call's lookup.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use futures_util::poll;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::places::{Place, Places};

/// How long a request may take until its head is whole. A dialplan sends it in one packet.
const HEAD: Duration = Duration::from_secs(1);
/// How long a connection may take from its first byte to its last. A call's lookup takes a millisecond.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a connection may still take when the service stops.
const DRAIN: Duration = Duration::from_secs(1);
/// The longest request line with all headers; what is longer is answered 431.
const MAX_HEAD: usize = 16 << 10;
/// The wait after the system can't give a connection, as when no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `listener` until `shutdown`, at most `most` connections at once; returns when none is left.
pub(super) async fn run(listener: TcpListener, router: Router, most: usize, shutdown: CancellationToken) {
    let places = Places::new(most);
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let place = places.take(peer.ip()).await;
                    let id = place.id();
                    let served = serve(stream, router.clone(), Arc::new(place), shutdown.clone());
                    places.ends_by(id, connections.spawn(served).abort_handle());
                }
                Err(error) => {
                    warn!("web: can't accept a connection: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    // Nobody new while the last ones finish.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn serve(stream: TcpStream, router: Router, place: Arc<Place>, shutdown: CancellationToken) {
    // An answer is one small write: it need not wait for another.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let asked = Arc::clone(&place);
    let service = service_fn(move |request| {
        asked.asks();
        router.call(request)
    });
    // One request for each connection: Asterisk's CURL() would keep its own open for as long as the call's
    // thread lives (a handle for each thread, `func_curl.c`), and a rush of calls would use up the places.
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // As a rule the request is there already, and so is its answer.
    if let Poll::Ready(ended) = poll!(connection.as_mut()) {
        return report(ended);
    }
    place.waits();
    let ended = tokio::select! {
        ended = timeout(LONGEST, connection.as_mut()) => ended,
        () = shutdown.cancelled() => timeout(DRAIN, connection.as_mut()).await,
    };
    match ended {
        Ok(ended) => report(ended),
        Err(_) => debug!("web: a connection was too slow"),
    }
}

/// Whoever sends nonsense or goes away is no matter of ours. The text holds nothing of the request.
fn report(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!("web: a connection failed: {error}");
    }
}
