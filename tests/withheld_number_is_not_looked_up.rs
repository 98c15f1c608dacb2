//! A withheld number is skipped in the dialplan: we never see it, though the trunk tells Asterisk.

use crate::lab::call::{Lab, fjord, from_trunk, noted};
use crate::lab::sip::Invite;
use crate::{by_every_way, by_every_way_of_ari};

fn withheld(number: &str) -> Invite {
    Invite { withheld: true, ..Invite::from(number).named("Kari Nordmann") }
}

by_every_way! {
    async fn by_the_shipped_context(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| {
            from_trunk(
                "Gosub(nameplate,lookup,1)\nLog(NOTICE,after ${CALLERID(num)} ${CALLERID(num-pres)} ${NAMEPLATE_STATUS})",
                phone,
            )
        })
        .await;
        let (_, ring) = lab.ring(withheld("22334455")).await;
        assert_eq!(ring.name(), "Anonymous");
        // The trunk did tell the number: that it was not looked up is our doing.
        noted(&lab.asterisk, "after 22334455 prohib", 1).await;
        noted(&lab.asterisk, " SKIPPED", 1).await;
        let log = lab.asterisk.log();
        assert!(!log.contains("Stasis(\"") && !log.contains("AGI(\""), "the call must not be handed over:\n{log}");
        let log = lab.nameplate.log();
        assert!(!log.contains(" call "), "{log}");
        // The same caller, not withheld: proof that the log would have shown it.
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        noted(&lab.asterisk, " FOUND", 1).await;
        let handed_over = if way.is_agi() { "AGI(\"" } else { "Stasis(\"" };
        let log = lab.asterisk.log();
        assert_eq!(log.matches(handed_over).count(), 1, "{log}");
        lab.nameplate.until_logged(" call ", 1).await;
        let log = lab.nameplate.log();
        assert_eq!(log.matches(" call ").count(), 1, "{log}");
    }
}

by_every_way_of_ari! {
    async fn by_the_direct_style(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| from_trunk("Stasis(nameplate)", phone)).await;
        let (_, ring) = lab.ring(withheld("22334455")).await;
        let asserted = ring.asserted_identity().unwrap_or_default();
        assert!(!asserted.contains("Fjord"), "{asserted}");
        // The same caller, not withheld: proof that it would have been found.
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        // The phone may be faster than the log.
        lab.nameplate.until_logged(" call ", 1).await;
        let log = lab.nameplate.log();
        assert_eq!(log.matches(" call ").count(), 1, "{log}");
    }
}
