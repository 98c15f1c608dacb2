//! What makes a new Asterisk one of those that answer no requests on the websocket (before 20.14, 21.9 and 22.4): it
//! stands in front of its HTTP server, and swallows them.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Hands on everything but requests on the websocket. Gone when dropped.
pub(crate) struct Muffler {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Muffler {
    /// In front of this HTTP server.
    pub(crate) fn before(http: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("bound");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let server = tokio::spawn(async move {
            while let Ok((front, _)) = listener.accept().await {
                // Either side may end it.
                tokio::spawn(async move { hand_on(front, http).await.ok() });
            }
        });
        Self { address, server }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Muffler {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hand_on(front: TcpStream, http: SocketAddr) -> io::Result<()> {
    let back = TcpStream::connect(http).await?;
    // As if it were not there.
    front.set_nodelay(true)?;
    back.set_nodelay(true)?;
    let ((mut from_front, mut to_front), (mut from_back, mut to_back)) =
        (front.into_split(), back.into_split());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from_front.read_u8().await?);
    }
    to_back.write_all(&head).await?;
    let is_websocket = String::from_utf8_lossy(&head).to_ascii_lowercase().contains("upgrade: websocket");
    let there = async {
        if is_websocket {
            return frames(&mut from_front, &mut to_back).await;
        }
        copy(&mut from_front, &mut to_back).await.map(drop)
    };
    tokio::select! {
        ended = copy(&mut from_back, &mut to_front) => ended.map(drop),
        ended = there => ended,
    }
}

/// Hands on frames (RFC 6455 §5.2) that are no requests.
async fn frames(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> io::Result<()> {
    loop {
        let mut frame = vec![from.read_u8().await?, from.read_u8().await?];
        let more = match frame[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut length = vec![0; more];
        from.read_exact(&mut length).await?;
        let long = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        let payload = if more == 0 { usize::from(frame[1] & 0x7f) } else { long };
        frame.extend(length);
        let mut key = [0; 4];
        from.read_exact(&mut key).await?;
        frame.extend(key);
        let mut masked = vec![0; payload];
        from.read_exact(&mut masked).await?;
        let plain: Vec<_> = masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frame.extend(masked);
        if !String::from_utf8_lossy(&plain).contains("\"RESTRequest\"") {
            to.write_all(&frame).await?;
        }
    }
}
