//! Whoever connects to the FastAGI port and says nothing, too much or half of it costs no call its name while a place is
//! free (`max_sessions`); where none is, calls go on at once, and have names again as soon as one is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::by_these_ways;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, from_trunk, noted, notes};
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
const PLACES: usize = 8;
/// A session that says nothing keeps its place so long.
const HELD: Duration = Duration::from_secs(1);

async fn lab(way: Way, turn: Turn) -> Lab {
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan =
        from_trunk("Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS}.)", &phone.uri());
    let asterisk = way.asterisk(&dialplan);
    // Behind the listening address in `[agi]`.
    let places = format!("max_sessions = {PLACES}\n");
    Lab::configured(way, "", &places, turn, fjord(), asterisk, phone).await
}

/// What a client does after connecting.
#[derive(Clone, Copy)]
enum Nuisance {
    Dribbles,
    Floods,
    Vanishes,
}

impl Nuisance {
    /// Again and again.
    async fn go_on(self, agi: SocketAddr) {
        loop {
            if let Ok(mut stream) = TcpStream::connect(agi).await {
                self.once(&mut stream).await.ok();
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until the server closes, or it has had enough itself.
    async fn once(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Dribbles => loop {
                stream.write_all(b"a").await?;
                sleep(Duration::from_millis(20)).await;
            },
            Self::Floods => loop {
                stream.write_all(&b"agi_callerid: 22334455\n".repeat(1_000)).await?;
            },
            Self::Vanishes => stream.write_all(b"agi_network: yes\nagi_callerid: 2233").await,
        }
    }
}

by_these_ways! {
    async fn with_places_left(way) {
        let lab = lab(way, Turn::beside().await).await;
        let mut nuisances = JoinSet::new();
        for nuisance in [Nuisance::Dribbles, Nuisance::Floods, Nuisance::Vanishes] {
            nuisances.spawn(nuisance.go_on(lab.asterisk.agi()));
        }
        for _ in 0..20 {
            let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
            assert_eq!(ring.name(), KARI, "{}", lab.nameplate.log());
        }
        noted(&lab.asterisk, "after FOUND.", 20).await;
        lab.asterisk.wait_idle();
    }
    agi = Agi, agi_on_16 = AgiOn16
}

by_these_ways! {
    async fn with_none(way) {
        let lab = lab(way, Turn::beside().await).await;
        let mut held = None;
        // On a busy machine a call may come too late to find all places taken.
        for _ in 0..20 {
            let begun = Instant::now();
            let idle = take_all_places(lab.asterisk.agi()).await;
            let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
            if begun.elapsed() < HELD {
                held = Some((idle, ring));
                break;
            }
        }
        let (idle, ring) = held.expect("a call within a second");
        assert_eq!(ring.name(), "OSLO");
        noted_last(&lab, "after UNAVAILABLE.").await;
        lab.nameplate.until_logged("8 sessions are under way, which is all that `max_sessions` allows", 1).await;

        // They are closed in their turn, and not by us.
        for mut stream in idle {
            stream.read_to_end(&mut Vec::new()).await.expect("it is closed");
        }
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), KARI);
        noted_last(&lab, "after FOUND.").await;
    }
    agi = Agi, agi_on_16 = AgiOn16
}

/// Clients that say nothing, as many as there are places; a further one is closed at once.
async fn take_all_places(agi: SocketAddr) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..PLACES {
        idle.push(TcpStream::connect(agi).await.expect("a connection"));
    }
    let mut further = TcpStream::connect(agi).await.expect("a connection");
    let closed = timeout(HELD, further.read(&mut [0])).await;
    assert!(closed.is_ok(), "a client has a place, though there is none left");
    idle
}

/// Waits until this is the last note of the dialplan's.
async fn noted_last(lab: &Lab, note: &str) {
    let begun = Instant::now();
    while notes(&lab.asterisk).lines().last().is_none_or(|last| !last.contains(note)) {
        assert!(begun.elapsed() < PATIENCE, "the last note is not {note:?}:\n{}", notes(&lab.asterisk));
        sleep(Duration::from_millis(10)).await;
    }
}
