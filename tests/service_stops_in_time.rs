//! SIGTERM ends the service in time, whatever it is waiting for: 5 s for calls in hand, then 2 s at most.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::lab::call::fjord;
use crate::lab::configuration::{crm_alone, crm_folder, onsite, superoffice_alone};
use crate::lab::nameplate::Nameplate;
use crate::lab::network::resolving_at;
use crate::lab::superoffice::{Fault, StandIn};

/// What is promised, and some slack for a busy machine. A dead resolver alone would take minutes.
const IN_TIME: Duration = Duration::from_secs(7 + 8);

async fn stops(nameplate: &mut Nameplate) {
    let begun = Instant::now();
    nameplate.signal("TERM");
    let status = nameplate.ended().await;
    assert!(begun.elapsed() < IN_TIME, "{:?}\n{}", begun.elapsed(), nameplate.log());
    assert_eq!(status.code(), Some(0), "{}", nameplate.log());
    assert!(nameplate.log().contains("stopped"), "{}", nameplate.log());
}

/// A resolver that takes questions and answers none, at an address of its own.
fn dead_resolver() -> UdpSocket {
    // All of 127.0.0.0/8 is this machine's.
    let tried = (1..=200).find_map(|_| {
        let address = Ipv4Addr::new(127, 66, fastrand::u8(..), fastrand::u8(1..255));
        UdpSocket::bind((address, 53)).ok()
    });
    let socket = tried.expect("port 53 of an address, for which root's rights are needed");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_resolver_does_not_answer() {
    let resolver = dead_resolver();
    let folder = crm_folder(&superoffice_alone(&onsite("http://crm.nowhere.example/api")));
    let command = resolving_at(resolver.local_addr().unwrap(), &folder.path(""));
    let mut nameplate = folder.serve_behind(command);
    tokio::task::block_in_place(|| resolver.recv(&mut [0; 512])).expect("a question");
    stops(&mut nameplate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_crm_does_not_answer() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.fail(Fault::Silent);
    let mut nameplate = crm_folder(&crm_alone(&crm)).serve();
    assert!(crm.until_count(1, Duration::from_secs(30)).await);
    stops(&mut nameplate).await;
}

/// The service waits for the command's end before it asks for lists itself.
#[tokio::test(flavor = "multi_thread")]
async fn while_a_command_refreshes() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.fail(Fault::Silent);
    let folder = crm_folder(&crm_alone(&crm));
    let mut command = folder.spawn(&["refresh"]);
    assert!(crm.until_count(1, Duration::from_secs(30)).await);
    let mut nameplate = folder.serve();
    nameplate.until_logged("no list is asked for before `nameplate refresh`", 1).await;
    stops(&mut nameplate).await;
    command.kill().and_then(|()| command.wait()).expect("it ends");
}
