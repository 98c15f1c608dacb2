//! A line between two programs that a test can cut, or hold up.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// Hands on what comes, byte by byte, until it is cut. Gone when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<JoinSet<()>>,
    /// One line of so many is cut before the first answer is handed on; 0: none.
    one_in: AtomicUsize,
    /// When that was done.
    cuts: Mutex<Vec<Instant>>,
    /// Holds up the lines that are open.
    stuck: Notify,
    /// How long the next line takes to be opened.
    next: Mutex<Duration>,
}

impl Proxy {
    /// Listens on this port of 127.0.0.1, or on a free one for 0, in front of `behind`.
    pub(crate) async fn start(port: u16, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(serve(listener, behind, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every line that is open, on both sides. New ones are taken as before.
    pub(crate) fn cut(&self) {
        locked(&self.shared.lines).abort_all();
    }

    /// From now on one line in so many is cut when the first answer is on its way; 0: none.
    pub(crate) fn cut_one_in(&self, lines: usize) {
        self.shared.one_in.store(lines, Ordering::Relaxed);
    }

    /// On lines that are open now nothing comes from behind any more; the next one is open after this time only.
    pub(crate) fn hold_up(&self, next: Duration) {
        *locked(&self.shared.next) = next;
        self.shared.stuck.notify_waiters();
    }

    /// When single lines were cut.
    pub(crate) fn cuts(&self) -> Vec<Instant> {
        locked(&self.shared.cuts).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        self.cut();
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, behind: SocketAddr, shared: Arc<Shared>) {
    let mut count = 0_usize;
    while let Ok((mut front, _)) = listener.accept().await {
        count += 1;
        let one_in = shared.one_in.load(Ordering::Relaxed);
        let is_cut = one_in > 0 && count.is_multiple_of(one_in);
        let of_line = Arc::clone(&shared);
        let wait = std::mem::take(&mut *locked(&shared.next));
        let mut lines = locked(&shared.lines);
        while lines.try_join_next().is_some() {}
        lines.spawn(async move {
            tokio::time::sleep(wait).await;
            // Nobody there: whoever came is sent away.
            let Ok(mut back) = TcpStream::connect(behind).await else { return };
            // Packets of a few bytes are not to wait for one another.
            let _ = (front.set_nodelay(true), back.set_nodelay(true));
            if is_cut {
                let (mut from_front, _) = front.split();
                let (from_back, mut to_back) = back.split();
                tokio::select! {
                    _ = copy(&mut from_front, &mut to_back) => {}
                    _ = from_back.readable() => {}
                }
                locked(&of_line.cuts).push(Instant::now());
                return;
            }
            tokio::select! {
                _ = copy_bidirectional(&mut front, &mut back) => return,
                () = of_line.stuck.notified() => {}
            }
            // Until the front is closed.
            let _ = copy(&mut front, &mut back).await;
        });
    }
}
