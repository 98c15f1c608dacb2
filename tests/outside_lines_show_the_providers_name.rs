//! On a leg to an outside line the callee sees what the provider sent, not the name from the CRM: with the pre-dial
//! handler that comes with the context.

use crate::by_every_way;
use crate::lab::call::{Lab, fjord};
use crate::lab::sip::Invite;

fn forwarding(phone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => 100,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => 300,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30,b(nameplate-outside^s^1))\n"
    )
}

by_every_way! {
    async fn with_the_pre_dial_handler(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), forwarding).await;
        let (_, inside) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(inside.name(), "Kari Nordmann (Fjord Sjømat AS)");
        let (_, outside) = lab.ring(Invite::from("22334455").named("OSLO").to("300")).await;
        assert_eq!(outside.name(), "OSLO");
        assert!(!outside.asserted_identity().unwrap_or_default().contains("Kari"));
        // Where the provider sent no name, there is none to show: the CRM's least of all.
        let (_, outside) = lab.ring(Invite::from("22334455").to("300")).await;
        assert_eq!(outside.name(), "");
        assert!(!outside.asserted_identity().unwrap_or_default().contains("Kari"));
    }
}
