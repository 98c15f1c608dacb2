//! With the service hung, calls ring within the dialplan's bound, as they came; when it wakes, calls have
//! names again, and nothing is left over from those that it slept through.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::call::{Lab, fjord, from_trunk, noted};
use crate::lab::sip::Invite;

by_every_way! {
    async fn it_rings_within_600_ms(way) {
        let lab = Lab::alone_by(way, fjord(), |phone| {
            from_trunk(
                "Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS} limit=${TIMEOUT(absolute)}.)",
                phone,
            )
        })
        .await;
        lab.nameplate.signal("STOP");
        for _ in 0..3 {
            let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
            let took = ring.received.duration_since(call.sent());
            assert!(took < Duration::from_millis(600), "it rang after {took:?}");
            assert_eq!(ring.name(), "OSLO");
        }
        noted(&lab.asterisk, "after TIMEOUT limit=0.", 3).await;

        lab.nameplate.signal("CONT");
        // It finds three calls that have left: no reason for a complaint.
        if !way.is_agi() {
            lab.nameplate.until_logged("status=Found", 3).await;
        }
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
        lab.asterisk.wait_idle();
    }
}
