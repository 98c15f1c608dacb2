//! What `[agi]` and `[web]` listen on. A port that can't be had is tried again and again, and keeps nothing else of the
//! service from being served: another program may have it until it is stopped, and a machine that boots may get its
//! address a little later.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tracing::{error, info};

use crate::observe::metrics;

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(3);
/// A failure that goes on is said again after so many attempts, a minute.
const SAID_AGAIN: u32 = 20;
/// Connections that may wait to be accepted, as far as the system lets them (`net.core.somaxconn`, 4096). With the usual
/// 128, calls that came while the service hung would soon fill it, given up as they are, and each further one would be
/// held in `AGI()` for the 2 s that Asterisk tries to connect: no bound of the dialplan ends that.
const BACKLOG: u32 = 4_096;

/// A section of the configuration that listens, once what it listens with can be had.
#[derive(Debug)]
pub struct Port<Open, Listener> {
    open: Open,
    now: anyhow::Result<Listener>,
    counted: metrics::Port,
}

impl<Listener, Open: Fn() -> anyhow::Result<Listener>> Port<Open, Listener> {
    /// Tries it at once.
    pub fn open(counted: metrics::Port, open: Open) -> Self {
        let now = open();
        Self { open, now, counted }
    }

    /// Why it does not listen yet.
    pub fn failure(&self) -> Option<&anyhow::Error> {
        self.now.as_ref().err()
    }

    /// Waits until it listens.
    pub async fn listener(self) -> Listener {
        let Self { open, mut now, counted } = self;
        let mut said = String::new();
        let mut attempts = 0;
        loop {
            match now {
                Ok(listener) => {
                    counted.taken();
                    return listener;
                }
                Err(error) => {
                    counted.failed();
                    let what = format!("{error:#}");
                    if what != said || attempts % SAID_AGAIN == 0 {
                        let seconds = AGAIN.as_secs();
                        error!(
                            "{what}; it is tried again every {seconds} s, and all else is served meanwhile"
                        );
                        (said, attempts) = (what, 0);
                    }
                }
            }
            attempts += 1;
            sleep(AGAIN).await;
            now = open();
        }
    }
}

/// Listens where a section of the configuration says.
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

/// What to do about it.
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
    // As `TcpListener::bind` does, so that a port is free again at once after a kill.
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::observe::metrics::Metrics;

    #[tokio::test]
    async fn calls_connect_at_once_although_nobody_accepts() {
        let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let calls = somaxconn.trim().parse().unwrap_or(128).min(300);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for call in 0..calls {
            // Where there is no room, the first attempt gets no answer, and the next one comes after a second.
            let connected = timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("call {call} waits")).unwrap());
        }
    }

    #[test]
    fn what_keeps_it_from_listening_is_said_with_what_to_do() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _inside = runtime.enter();
        let said = |wanted: &str| format!("{:#}", listen("agi", "it", wanted.parse().unwrap()).unwrap_err());
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let in_use = said(&taken.to_string());
        assert!(
            in_use.starts_with(&format!(
                "[agi] listen = \"{taken}\": can't listen there, another program has the port"
            )),
            "{in_use}"
        );
        assert!(in_use.contains("in use"), "{in_use}");
        // RFC 5737's network for documentation: no machine of ours.
        let not_here = said("192.0.2.1:4577");
        assert!(not_here.contains("this machine does not have the address, or not yet"), "{not_here}");
        assert!(advice(ErrorKind::PermissionDenied).contains("below 1024"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_is_tried_until_it_can_be_had() {
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let metrics = Metrics::new();
        let port = Port::open(metrics.port("agi"), || listen("agi", "it", address));
        assert!(port.failure().is_some());
        let begun = tokio::time::Instant::now();
        let (listener, ()) = tokio::join!(port.listener(), async {
            sleep(AGAIN * 2 + Duration::from_millis(1)).await;
            let text = metrics.write().unwrap();
            assert!(text.contains("nameplate_listening{section=\"agi\"} 0"), "{text}");
            drop(holder);
        });
        assert_eq!(begun.elapsed().as_secs(), AGAIN.as_secs() * 3);
        assert_eq!(listener.local_addr().unwrap(), address);
        let text = metrics.write().unwrap();
        assert!(text.contains("nameplate_listening{section=\"agi\"} 1"), "{text}");
        assert!(text.contains("nameplate_listen_failures_total{section=\"agi\"} 3"), "{text}");
    }
}
