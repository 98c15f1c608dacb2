//! With the service hung, calls ring within the dialplan's bound, as they came; when it wakes, calls have
//! names again, and nothing is left over from those that it slept through.

use std::time::Duration;

use crate::by_every_way;
use crate::lab::call::{Lab, fjord, from_trunk, noted};
use crate::lab::comparison::{AFTER_HALF_A_SECOND, PAIRS};
use crate::lab::sip::Invite;

by_every_way! {
    async fn it_rings_within_600_ms(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| {
            from_trunk(
                "Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS} limit=${TIMEOUT(absolute)}.)",
                phone,
            )
        })
        .await;
        lab.nameplate.signal("STOP");
        // With what the call takes anyway that is 600 ms after it came.
        let comparison = lab.compare(&Invite::from("22334455").named("OSLO"), AFTER_HALF_A_SECOND).await;
        comparison.assert("OSLO", Duration::from_millis(90));
        noted(&lab.asterisk, "after TIMEOUT limit=0.", PAIRS).await;

        lab.nameplate.signal("CONT");
        // It finds calls that have left: no reason for a complaint.
        if !way.is_agi() {
            lab.nameplate.until_logged("status=Found", PAIRS).await;
        }
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
        lab.asterisk.wait_idle();
    }
}
