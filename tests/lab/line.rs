//! A line to a Redis that a test can cut, and that stops where a certain command is on its way.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long a trap may wait for its command.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the command stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// Before the server has it.
    Command,
    /// The server has done it, and its answer is not handed on.
    Answer,
}

/// Hands on what comes. Gone when dropped.
pub(crate) struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    behind: SocketAddr,
    /// A part of the command, and where it is to stay.
    trap: Mutex<Option<(Vec<u8>, Trap)>>,
    lines: Mutex<JoinSet<()>>,
    is_cut: AtomicBool,
    is_caught: watch::Sender<bool>,
}

impl Line {
    /// A line to this port of 127.0.0.1.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            behind: (Ipv4Addr::LOCALHOST, port).into(),
            trap: Mutex::default(),
            lines: Mutex::default(),
            is_cut: AtomicBool::new(false),
            is_caught: watch::Sender::new(false),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    /// What belongs into a configuration's `[share]`.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The next command with these bytes stays there, until [`Self::go_on`].
    pub(crate) fn trap(&self, bytes: impl Into<Vec<u8>>, at: Trap) {
        *locked(&self.shared.trap) = Some((bytes.into(), at));
    }

    /// Waits until a command is caught.
    ///
    /// # Panics
    /// When none is after 30 s.
    pub(crate) async fn caught(&self) {
        let mut is_caught = self.shared.is_caught.subscribe();
        let caught = tokio::time::timeout(PATIENCE, is_caught.wait_for(|is_caught| *is_caught)).await;
        assert!(caught.is_ok(), "no such command has come");
    }

    /// Hands on what is caught.
    pub(crate) fn go_on(&self) {
        self.shared.is_caught.send_replace(false);
    }

    /// Ends all lines, with what is caught in them, and takes no new one.
    pub(crate) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::Relaxed);
        *locked(&self.shared.trap) = None;
        locked(&self.shared.lines).abort_all();
        self.go_on();
    }

    /// Takes new lines again.
    pub(crate) fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.server.abort();
        locked(&self.shared.lines).abort_all();
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((front, _)) = listener.accept().await {
        if shared.is_cut.load(Ordering::Relaxed) {
            continue;
        }
        let mut lines = locked(&shared.lines);
        while lines.try_join_next().is_some() {}
        let of_line = Arc::clone(&shared);
        lines.spawn(async move {
            // Nobody there: whoever came is sent away.
            let Ok(back) = TcpStream::connect(of_line.behind).await else { return };
            let _ = (front.set_nodelay(true), back.set_nodelay(true));
            let ((from_front, to_front), (from_back, to_back)) = (front.into_split(), back.into_split());
            let is_mute = AtomicBool::new(false);
            tokio::join!(
                commands(from_front, to_back, &of_line, &is_mute),
                answers(from_back, to_front, &of_line, &is_mute)
            );
        });
    }
}

impl Shared {
    /// Whether these bytes are what the trap waits for.
    fn catches(&self, bytes: &[u8]) -> Option<Trap> {
        let mut trap = locked(&self.trap);
        let is_it =
            |(wanted, _): &mut (Vec<u8>, Trap)| bytes.windows(wanted.len()).any(|part| part == wanted);
        Some(trap.take_if(is_it)?.1)
    }

    /// Waits for the test.
    async fn stay(&self) {
        self.is_caught.send_replace(true);
        let _ = self.is_caught.subscribe().wait_for(|is_caught| !is_caught).await;
    }
}

async fn commands(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, is_mute: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        match shared.catches(&bytes[..length]) {
            Some(Trap::Command) => shared.stay().await,
            Some(Trap::Answer) => is_mute.store(true, Ordering::Relaxed),
            None => {}
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, is_mute: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if is_mute.swap(false, Ordering::Relaxed) {
            shared.stay().await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
