//! A bare `Stasis(nameplate)` in a user's own context works too, with a warning where it costs the call its
//! `DB()`.

use crate::by_every_way_of_ari;
use crate::lab::call::{Lab, fjord, from_trunk, noted};
use crate::lab::sip::Invite;
use crate::lab::way::Way;

by_every_way_of_ari! {
    async fn with_one_warning_where_it_costs_something(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| {
            from_trunk("Stasis(nameplate)\nLog(NOTICE,after ${EXTEN} ${CALLERID(name)}.)", phone)
        })
        .await;
        for _ in 0..2 {
            let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
            assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        }
        let (_, ring) = lab.ring(Invite::from("22999999").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        noted(&lab.asterisk, "after 100 Kari Nordmann (Fjord Sjømat AS).", 2).await;
        noted(&lab.asterisk, "after 100 OSLO.", 1).await;
        lab.nameplate.until_logged(" call ", 3).await;
        let log = lab.nameplate.log();
        assert_eq!(log.matches("can't use DB()").count(), usize::from(way != Way::HttpOn16), "{log}");
    }
}
