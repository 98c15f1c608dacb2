//! The connection to Asterisk comes back by itself, and what keeps it from coming is said in words.

use std::time::{Duration, Instant};

use crate::lab::call::{Lab, PATIENCE, fjord, from_trunk};
use crate::lab::configuration::{config, folder};
use crate::lab::sip::Invite;
use crate::lab::way::Way;
use crate::{by_every_way, by_every_way_of_ari};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

by_every_way_of_ari! {
    async fn after_asterisk_was_restarted(way) {
        let lab = Lab::start_by(way, fjord()).await;
        // Takes the websocket, and the application with its event filter, away.
        lab.asterisk.cli("core restart now");
        lab.nameplate.until_logged("not connected:", 1).await;
        lab.nameplate.until_logged("connected; answers go over", 2).await;
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);
    }
}

by_every_way_of_ari! {
    async fn a_second_copy_is_reported_and_left_alone(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let second = folder(&lab.crm, &lab.asterisk).serve();
        second.until_ready().await;
        lab.nameplate.until_logged("another copy has taken over the application", 1).await;
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);
        assert_eq!(lab.nameplate.log().matches("ERROR").count(), 1, "{}", lab.nameplate.log());
        assert!(!second.log().contains("ERROR"), "{}", second.log());
        drop(second);
        let left = Instant::now();
        // It looks every second or two whether the other is there still.
        lab.nameplate.until_logged("connected; answers go over", 2).await;
        let took = left.elapsed();
        assert!(took < Duration::from_secs(6), "{took:?}");
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);
    }
}

by_every_way_of_ari! {
    async fn a_call_that_a_killed_second_copy_has_left_is_served(way) {
        // The direct style, where no bound of ours releases it.
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk("Stasis(nameplate)", phone)).await;
        let second = folder(&lab.crm, &lab.asterisk).serve();
        second.until_ready().await;
        lab.nameplate.until_logged("another copy has taken over the application", 1).await;
        second.signal("STOP");
        let call = lab.caller.invite(Invite::from("22334455"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(lab.phone.rings(), 0, "{:?}", call.progress());
        let killed = Instant::now();
        second.signal("KILL");
        let ring = lab.phone.next_ring(Duration::from_secs(10)).await.expect("it rings");
        assert_eq!(ring.name(), KARI);
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_there() {
    let lab = Lab::start(fjord()).await;
    let lost = folder(&lab.crm, &lab.asterisk);
    // Port 9 (discard) is nobody's on a test machine.
    lost.configure(&config(&lab.crm.api_url(), "http://127.0.0.1:9"));
    let lost = lost.serve();
    lost.until_logged("not connected: can't reach Asterisk's HTTP server", 1).await;
    // The directory is loaded all the same.
    lost.until_logged("directory is in place", 1).await;
}

by_every_way_of_ari! {
    async fn calls_that_waited_for_it_are_served(way) {
        // The direct style, where no bound of ours releases them.
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk("Stasis(nameplate)", phone)).await;
        lab.nameplate.signal("STOP");
        let call = lab.caller.invite(Invite::from("22334455"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(lab.phone.rings(), 0);
        let again = folder(&lab.crm, &lab.asterisk);
        lab.nameplate.signal("KILL");
        let again = again.serve();
        again.until_logged("calls were waiting", 1).await;
        let ring = lab.phone.next_ring(PATIENCE).await;
        assert!(ring.is_some(), "{:?}\n{}", call.progress(), again.log());
        // Looked up, not only sent on: its snapshot says that it is ours.
        again.until_logged("caller=", 1).await;
    }
}

by_every_way! {
    async fn sighup_does_no_harm_and_sigterm_finishes_calls_in_hand(way) {
        stopped_with_calls_in_hand(way).await;
    }
}

async fn stopped_with_calls_in_hand(way: Way) {
    // Those in hand are answered within the dialplan's half second.
    let mut lab = Lab::alone_by(way, fjord(), |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await;
    lab.nameplate.signal("HUP");
    lab.nameplate.until_logged("SIGHUP is ignored", 1).await;
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), KARI);

    // Calls come while it stops: each rings, those that it took with their names.
    let calls: Vec<_> = (0..50).map(|_| lab.caller.invite(Invite::from("22334455").named("OSLO"))).collect();
    lab.nameplate.signal("TERM");
    assert!(lab.nameplate.ended().await.success(), "{}", lab.nameplate.log());
    let mut named = 0;
    for _ in &calls {
        let ring = lab.phone.next_ring(PATIENCE).await.expect("every call rings");
        assert!([KARI, "OSLO"].contains(&ring.name()), "{}", ring.name());
        named += usize::from(ring.name() == KARI);
    }
    assert_eq!(lab.nameplate.log().matches("status=Found").count(), named + 1, "{}", lab.nameplate.log());
    lab.asterisk.wait_idle();
}
