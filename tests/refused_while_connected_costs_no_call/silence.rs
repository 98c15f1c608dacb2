//! An Asterisk that does not answer one kind of question is not refused: its calls are served.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{has_names, lab};
use crate::by_every_way_of_ari;

/// What stands in front of an Asterisk that never answers a question about an application, as one whose threads wait for
/// each other (asterisk/asterisk issue 2170).
async fn mute_about_applications(behind: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((front, _)) = listener.accept().await {
            tokio::spawn(async move { hand_on(front, behind).await.ok() });
        }
    });
    address
}

/// Hands on what comes, but for such questions. A request comes in one piece.
async fn hand_on(front: TcpStream, behind: SocketAddr) -> std::io::Result<()> {
    let back = TcpStream::connect(behind).await?;
    let (mut from_front, mut to_front) = front.into_split();
    let (mut from_back, mut to_back) = back.into_split();
    let there = async {
        let mut piece = vec![0; 1 << 16];
        loop {
            let size = from_front.read(&mut piece).await?;
            if size == 0 {
                return Ok(());
            }
            if String::from_utf8_lossy(&piece[..size]).contains(" /ari/applications/") {
                std::future::pending::<()>().await;
            }
            to_back.write_all(&piece[..size]).await?;
        }
    };
    tokio::select! {
        ended = there => ended,
        ended = tokio::io::copy(&mut from_back, &mut to_front) => ended.map(drop),
    }
}

by_every_way_of_ari! {
    async fn calls_are_served_while_asterisk_does_not_say_which_ones_wait(way) {
        let (mut lab, _) = lab(way, &[]).await;
        lab.nameplate.signal("TERM");
        lab.nameplate.ended().await;
        let mute = mute_about_applications(lab.asterisk.http()).await;
        let folder = way.folder(&lab.crm, &lab.asterisk);
        let here = lab.asterisk.http().to_string();
        folder.configure(&way.config(&lab.crm, &lab.asterisk).replace(&here, &mute.to_string()));
        lab.nameplate = folder.serve();
        way.until_ready(&lab.nameplate).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(8) {
            has_names(&lab).await;
        }
        let log = lab.nameplate.log();
        assert!(!log.contains("not connected:"), "{log}");
        assert_eq!(log.matches("Asterisk has not said within 2s which calls wait").count(), 1, "{log}");
        lab.asterisk.wait_idle();
    }
}
