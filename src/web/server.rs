//! Connections. Each carries one request and is bounded in time and size, so that whoever holds one, by
//! malice or by a mistake, does not hold up a call's lookup for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Connections at once; further ones wait with the system until one of these has ended.
const AT_ONCE: usize = 256;
/// How long a connection may take from its first byte to its last. A call's lookup takes a millisecond.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a connection may still take when the service stops.
const DRAIN: Duration = Duration::from_secs(1);
/// The longest request line with all headers; what is longer is answered 431.
const MAX_HEAD: usize = 16 << 10;
/// The wait after the system can't give a connection, as when no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `listener` until `shutdown`; returns when no connection is left.
pub(super) async fn run(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let connections = TaskTracker::new();
    let accepting = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, shutdown) = (router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        serve(stream, router, shutdown).await;
                        drop(place);
                    });
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

async fn serve(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    // An answer is one small write: it need not wait for another.
    let _ = stream.set_nodelay(true);
    // One request for each connection: Asterisk's CURL() would keep its own open for as long as the call's
    // thread lives (a handle for each thread, `func_curl.c`), and a rush of calls would use up the places.
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = timeout(LONGEST, connection.as_mut()) => ended,
        () = shutdown.cancelled() => timeout(DRAIN, connection.as_mut()).await,
    };
    match ended {
        Ok(Ok(())) => {}
        // Whoever sends nonsense or goes away is no matter of ours. The text holds nothing of the request.
        Ok(Err(error)) => debug!("web: a connection failed: {error}"),
        Err(_) => debug!("web: a connection was too slow"),
    }
}
