//! A known caller's name is on the phone, however the trunk writes the number.

use crate::by_every_way;
use crate::lab::baresip::Baresip;
use crate::lab::call::{Lab, PATIENCE, fjord, from_trunk};
use crate::lab::sip::Invite;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

by_every_way! {
    async fn however_the_trunk_writes_the_number(way) {
        let lab = Lab::start_by(way, fjord()).await;
        for (digits, name) in [
            ("22334455", KARI),
            ("+4722334455", KARI),
            ("004722334455", KARI),
            ("4722334455", KARI),
            // A company's own number.
            ("22334400", "Fjord Sjømat AS"),
            // Two colleagues share it: the company is right for both.
            ("22334460", "Fjord Sjømat AS"),
        ] {
            let (_, ring) = lab.ring(Invite::from(digits)).await;
            assert_eq!(ring.name(), name, "{digits}");
            assert_eq!(ring.number(), digits);
            let asserted = ring.asserted_identity().unwrap_or_default();
            assert!(asserted.contains(name), "{asserted}");
        }
        lab.asterisk.wait_idle();
    }
}

by_every_way! {
    async fn the_name_replaces_the_providers(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), KARI);
    }
}

by_every_way! {
    async fn a_real_softphone_shows_it(way) {
        let softphone = Baresip::start(crate::lab::machine::softphone_root().as_deref()).await.expect("baresip");
        let uri = softphone.uri();
        let lab = Lab::with_dialplan_by(way, fjord(), |_| from_trunk("Gosub(nameplate,lookup,1)", &uri)).await;
        let call = lab.caller.invite(Invite::from("+4722334455"));
        let incoming = softphone.next_incoming(PATIENCE).await;
        let incoming = incoming.unwrap_or_else(|| panic!("no call:\n{}", softphone.log()));
        assert_eq!(incoming.name, KARI);
        assert!(incoming.uri.contains("+4722334455"), "{}", incoming.uri);
        softphone.hangup().await.expect("baresip");
        assert!(call.ended(PATIENCE).await.is_some());
    }
}

by_every_way! {
    async fn a_trunk_of_another_country_says_so_in_its_line(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk("Gosub(nameplate,lookup,1(SE))", phone)).await;
        // Sweden's own 22334455 is nobody's number here; Norway's is written internationally there.
        let (_, ring) = lab.ring(Invite::from("22334455").named("as it came")).await;
        assert_eq!(ring.name(), "as it came");
        let (_, ring) = lab.ring(Invite::from("004722334455")).await;
        assert_eq!(ring.name(), KARI);
    }
}
