//! The connection to Asterisk comes back by itself, and what keeps it from coming is said in words.

use std::time::{Duration, Instant};

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, from_trunk};
use crate::lab::configuration::{config, folder};
use crate::lab::fate::{Calls, Fate};
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::proxy::Proxy;
use crate::lab::sip::{Behaviour, Invite, Phone};
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

mod alone {
    use super::*;

    /// After a stall TCP may bring what waits seconds later only. The websocket is renewed then, which no caller is to notice.
    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_gap_where_it_is_stuck() {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        // The number called tells calls apart.
        let dialplan = format!(
            "[from-trunk]\nexten => _X.,1,Gosub(nameplate,lookup,1)\n same => n,Dial(PJSIP/operator/sip:${{EXTEN}}@{},30)\n",
            phone.local_addr()
        );
        let asterisk =
            Asterisk::start_with(&Setup { dialplan: &dialplan, verbose: false, ..Setup::default() });
        let mut lab = Lab::around(Turn::alone().await, crowd(400), asterisk, phone).await;
        lab.nameplate.signal("TERM");
        lab.nameplate.ended().await;
        let there = lab.asterisk.http_url();
        let there = there.trim_start_matches("http://");
        let proxy = Proxy::start(0, there.parse().expect("an address")).await;
        let folder = folder(&lab.crm, &lab.asterisk);
        folder
            .configure(&lab.way.config(&lab.crm, &lab.asterisk).replace(there, &proxy.address().to_string()));
        lab.nameplate = folder.serve();
        lab.nameplate.until_ready().await;

        let begun = tokio::time::Instant::now();
        let place = async {
            let mut calls = Calls::new();
            for at in 0..400_u32 {
                tokio::time::sleep_until(begun + Duration::from_millis(10) * at).await;
                let number = (1_000_000 + at).to_string();
                let (caller, name) = one_of_crowd(at);
                let call = lab.caller.invite(Invite::from(caller).named("OSLO").to(&number));
                let (placed, known_as, unnamed) = (call.sent(), Some(name), "OSLO");
                let fate = Fate { placed, rung: None, answer: None, known_as, unnamed, given_up: false };
                calls.insert(number, (call, fate));
            }
            calls
        };
        let hold_up = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            lab.nameplate.signal("STOP");
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            // Some calls come while the next websocket is being opened.
            proxy.hold_up(Duration::from_millis(50));
            lab.nameplate.signal("CONT");
            Instant::now()
        };
        let (calls, going_on) = tokio::join!(place, hold_up);
        let fates = Fate::of_all(calls, &lab.phone, Instant::now() + PATIENCE).await;
        let is_named = |fate: &Fate| fate.rung.as_ref().map(|(_, name)| name) == fate.known_as.as_ref();
        assert!(fates.iter().all(|fate| fate.rung.is_some()), "every call rings");
        // While it was stopped the dialplan's bound has released them.
        assert!(fates.iter().filter(|fate| !is_named(fate)).count() > 50);
        let since: Vec<_> = fates.iter().filter(|fate| fate.placed >= going_on).collect();
        assert!(since.len() > 150, "{}", since.len());
        let unnamed = since.iter().filter(|fate| !is_named(fate));
        let unnamed: Vec<_> = unnamed.map(|fate| fate.placed.duration_since(going_on)).collect();
        let log = lab.nameplate.log();
        assert!(unnamed.is_empty(), "unnamed, so long after it went on: {unnamed:?}");
        assert_eq!(log.matches("not connected: messages that Asterisk sent").count(), 1, "{log}");
        assert_eq!(log.matches("connected; answers go over the websocket").count(), 2, "{log}");
        lab.asterisk.wait_idle();
    }

    by_every_way! {
        async fn sighup_does_no_harm_and_sigterm_finishes_calls_in_hand(way) {
            stopped_with_calls_in_hand(way).await;
        }
    }
}

async fn stopped_with_calls_in_hand(way: Way) {
    // Those in hand are answered within the dialplan's half second.
    let mut lab = Lab::alone_by(way, fjord(), |phone| from_trunk("Gosub(nameplate,lookup,1)", phone)).await;
    lab.nameplate.signal("HUP");
    lab.nameplate.until_logged("the configuration is reloaded", 1).await;
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
