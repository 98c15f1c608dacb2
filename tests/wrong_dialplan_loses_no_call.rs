//! A dialplan that does not fit the service loses no call: what is wrong is reported, and the call goes on.

use crate::by_every_way_of_ari;
use crate::lab::call::{Lab, fjord, from_trunk, noted};
use crate::lab::sip::Invite;
use crate::lab::way::Way;

const AFTER: &str = "\nLog(NOTICE,after ${EXTEN})";

async fn calls_go_on_after(way: Way, stasis: &str) -> Lab {
    let priorities = format!("{stasis}{AFTER}");
    let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk(&priorities, phone)).await;
    for _ in 0..2 {
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
    }
    noted(&lab.asterisk, "after 100", 2).await;
    lab
}

by_every_way_of_ari! {
    async fn a_context_without_a_place_for_the_name(way) {
        let lab = calls_go_on_after(way, "Stasis(nameplate,handoff,1,)").await;
        lab.nameplate.until_logged("has no place for the name", 1).await;
        let log = lab.nameplate.log();
        assert_eq!(log.matches("has no place for the name").count(), 1, "{log}");
    }
}

by_every_way_of_ari! {
    async fn arguments_of_another_version(way) {
        let lab = calls_go_on_after(way, "Stasis(nameplate,handoff,99,NO)").await;
        lab.nameplate.until_logged("arguments of another version", 1).await;
    }
}
