//! A server whose clock is wrong: the time in its answers is changed on the way.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Where this server of HTTP answers with another date: 2026-07-31.
pub(crate) async fn before(behind: SocketAddr) -> SocketAddr {
    changed(behind, b"\r\nDate: ", b"Fri, 31 Jul 2026 12:00:00 GMT").await
}

/// Where this Redis answers with another time: 2026-07-31.
pub(crate) async fn of_redis(behind: SocketAddr) -> SocketAddr {
    changed(behind, b"\r\nserver_time_usec:", b"1785499200000000").await
}

/// Where this server answers with `text` behind `header`.
async fn changed(behind: SocketAddr, header: &'static [u8], text: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a connection");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(behind).await.expect("a connection");
            let ((mut from_near, mut to_near), (mut from_far, mut to_far)) =
                (near.into_split(), far.into_split());
            tokio::spawn(async move { copy(&mut from_near, &mut to_far).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from_far.read(&mut bytes).await {
                    if let Some(at) = bytes[..length].windows(header.len()).position(|found| found == header)
                    {
                        bytes[at + header.len()..][..text.len()].copy_from_slice(text);
                    }
                    to_near.write_all(&bytes[..length]).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    address
}
