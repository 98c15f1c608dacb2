//! With the service absent, stopped or restarted, calls ring at once; when it is back, they have names again.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, Turn, fjord, from_trunk, noted, ring};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};

const NOTED: &str = "Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS})";

by_every_way! {
    async fn nobody_has_ever_connected(way) {
        let _turn = Turn::alone().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan = &from_trunk(NOTED, &phone.uri());
        let asterisk = way.asterisk_with(&Setup { dialplan, verbose: false, ..Setup::default() });
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        let invite = Invite::from("22334455").named("OSLO");
        let (call, ring) = ring(&caller, &phone, invite, || asterisk.log()).await;
        assert_eq!(ring.name(), "OSLO");
        let took = ring.received.duration_since(call.sent());
        assert!(took < Duration::from_millis(300), "it rang after {took:?}");
        noted(&asterisk, "after UNAVAILABLE", 1).await;
    }
}

by_every_way! {
    async fn stopped_and_started_again(way) {
        let mut lab = Lab::alone_by(way, fjord(), |phone| from_trunk(NOTED, phone)).await;
        lab.nameplate.signal("TERM");
        assert!(lab.nameplate.ended().await.success(), "{}", lab.nameplate.log());
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        assert!(ring.received.duration_since(call.sent()) < Duration::from_millis(300));
        noted(&lab.asterisk, "after UNAVAILABLE", 1).await;

        lab.start_again().await;
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
    }
}

by_every_way! {
    async fn killed(way) {
        let lab = Lab::alone_by(way, fjord(), |phone| from_trunk(NOTED, phone)).await;
        lab.nameplate.signal("KILL");
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        assert!(ring.received.duration_since(call.sent()) < Duration::from_millis(600));
        lab.asterisk.wait_idle();
    }
}
