//! The ports of `[agi]` and `[web]`. A port may be taken by another program for a while, and a machine that boots may get
//! its address late. So a failure to listen is tried again for ever, and the rest of the service runs meanwhile.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tracing::{error, info};

use crate::observe::metrics;

/// The wait between two attempts.
const AGAIN: Duration = Duration::from_secs(3);
/// The same failure is logged again after so many attempts: once a minute.
const LOGGED_AGAIN: u32 = 20;
/// Connections that may wait to be accepted; the system's own limit is `net.core.somaxconn` (4096). With the usual 128,
/// calls that come while the service hangs would soon fill the backlog, and the dialplan's bound does not remove them from
/// it. Each further call would stay in `AGI()` for the 2 s that Asterisk tries to connect, which no bound of the dialplan
/// ends.
const BACKLOG: u32 = 4_096;

/// A section of the configuration that listens on a port, or will do so once the port is free.
#[derive(Debug)]
pub struct Port<Open, Listener> {
    open: Open,
    listener: anyhow::Result<Listener>,
    counted: metrics::Port,
}

impl<Listener, Open: Fn() -> anyhow::Result<Listener>> Port<Open, Listener> {
    /// Makes the first attempt.
    pub fn open(counted: metrics::Port, open: Open) -> Self {
        let listener = open();
        Self { open, listener, counted }
    }

    /// Why the first attempt has failed.
    pub fn failure(&self) -> Option<&anyhow::Error> {
        self.listener.as_ref().err()
    }

    /// Waits until an attempt succeeds.
    pub async fn listener(self) -> Listener {
        let Self { open, mut listener, counted } = self;
        let mut logged = String::new();
        let mut attempts = 0;
        loop {
            match listener {
                Ok(listener) => {
                    counted.taken();
                    return listener;
                }
                Err(error) => {
                    counted.failed();
                    let failure = format!("{error:#}");
                    if failure != logged || attempts % LOGGED_AGAIN == 0 {
                        let seconds = AGAIN.as_secs();
                        error!(
                            "{failure}; it is tried again every {seconds} s, and all else is served meanwhile"
                        );
                        (logged, attempts) = (failure, 0);
                    }
                }
            }
            attempts += 1;
            sleep(AGAIN).await;
            listener = open();
        }
    }
}

/// Listens on the address of a section of the configuration. `what`: the server, for the log.
pub fn listen(section: &str, what: &str, wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = bind(wanted).map_err(|error| {
        let advice = advice(error.kind());
        let what = format!("[{section}] listen = \"{wanted}\": can't listen there{advice}");
        anyhow::Error::new(error).context(what)
    })?;
    let address = listener.local_addr().context("its address")?;
    info!(%address, "{what} listens");
    Ok(listener)
}

/// What an administrator can do about a failure.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => {
            ", another program has the port, or nameplate itself runs already (`ss -ltnp` shows which)"
        }
        ErrorKind::AddrNotAvailable => ", this machine does not have the address, or not yet",
        ErrorKind::PermissionDenied => ", ports below 1024 are for root: take another",
        _ => "",
    }
}

fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    let socket = if wanted.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: the port is free at once after a kill.
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    socket.listen(BACKLOG)
}

/// Why the port of a section can't be listened on now, with advice; none if it is free. Nothing is listened on.
pub fn why_not(wanted: SocketAddr) -> Option<String> {
    let socket = || -> io::Result<()> {
        let socket = if wanted.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(wanted)
    };
    let error = socket().err()?;
    Some(format!("can't listen there{}: {error}", advice(error.kind())))
}

/// Whether a process listens on this port; none if this user can't see it.
#[must_use]
pub fn is_held_by(process: u32, port: u16) -> Option<bool> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let sockets: Vec<_> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{process}/net/{table}")));
    let mut lines = tables.iter().flatten().flat_map(|table| table.lines());
    Some(lines.any(|line| {
        // `0: 0100007F:11E1 00000000:0000 0A …`: the local address, the remote one, the state, and the inode as the tenth.
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let is_port = fields.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")));
        let listens = fields.get(3) == Some(&"0A");
        let inode = fields.get(9).copied().unwrap_or_default();
        is_port && listens && sockets.contains(&format!("socket:[{inode}]"))
    }))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::observe::metrics::{Form, Metrics};

    #[tokio::test]
    async fn calls_connect_at_once_while_none_is_accepted() {
        let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let calls = somaxconn.trim().parse().unwrap_or(128).min(300);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for call in 0..calls {
            // With a full backlog the first packet gets no answer, and TCP sends it again after a second.
            let connected = timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("call {call} waits")).unwrap());
        }
    }

    #[test]
    fn a_failure_to_listen_is_reported_with_advice() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _inside = runtime.enter();
        let message =
            |wanted: &str| format!("{:#}", listen("agi", "it", wanted.parse().unwrap()).unwrap_err());
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let in_use = message(&taken.to_string());
        assert!(
            in_use.starts_with(&format!(
                "[agi] listen = \"{taken}\": can't listen there, another program has the port"
            )),
            "{in_use}"
        );
        assert!(in_use.contains("in use"), "{in_use}");
        // RFC 5737's network for documentation: no machine has it.
        let not_here = message("192.0.2.1:4577");
        assert!(not_here.contains("this machine does not have the address, or not yet"), "{not_here}");
        assert!(advice(ErrorKind::PermissionDenied).contains("below 1024"));
    }

    #[tokio::test]
    async fn the_holder_of_a_port_is_seen_and_a_free_port_is_not_taken() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let this = std::process::id();
        assert_eq!(is_held_by(this, taken.port()), Some(true));
        assert!(why_not(taken).unwrap().contains("another program has the port"));
        drop(holder);
        assert_eq!(is_held_by(this, taken.port()), Some(false));
        assert_eq!(why_not(taken), None);
        drop(std::net::TcpListener::bind(taken).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_port_is_tried_until_it_is_free() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let metrics = Metrics::new();
        let port = Port::open(metrics.port("agi"), || listen("agi", "it", address));
        assert!(port.failure().is_some());
        let begun = tokio::time::Instant::now();
        let (listener, ()) = tokio::join!(port.listener(), async {
            sleep(AGAIN * 2 + Duration::from_millis(1)).await;
            let text = metrics.write(Form::Plain).unwrap();
            assert!(text.contains("nameplate_listening{section=\"agi\"} 0"), "{text}");
            drop(holder);
        });
        assert_eq!(begun.elapsed().as_secs(), AGAIN.as_secs() * 3);
        assert_eq!(listener.local_addr().unwrap(), address);
        let text = metrics.write(Form::Plain).unwrap();
        assert!(text.contains("nameplate_listening{section=\"agi\"} 1"), "{text}");
        assert!(text.contains("nameplate_listen_failures_total{section=\"agi\"} 3"), "{text}");
    }
}
