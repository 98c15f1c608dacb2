//! A stranger rings as without us: with the name that the provider sent, or with none.

use crate::by_every_way;
use crate::lab::call::{Lab, fjord, noted};
use crate::lab::sip::Invite;

/// Extension 100 looks the caller up, 200 does not.
fn with_and_without(phone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => 100,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Log(NOTICE,after ${{CALLERID(num)}}: ${{NAMEPLATE_STATUS}})\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => 200,1,Dial(PJSIP/operator/{phone},30)\n"
    )
}

by_every_way! {
    async fn with_the_name_that_the_provider_sent(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), with_and_without).await;
        for (digits, provider, status) in [
            ("22999999", Some("OSLO TAXI"), "NOTFOUND"),
            ("+46812345678", Some(r#"Zoë "Zo" O'Brien, <1>"#), "NOTFOUND"),
            ("22999998", None, "NOTFOUND"),
            // Nothing that can be looked up, though it is not withheld.
            ("unknown", Some("Unknown"), "SKIPPED"),
        ] {
            let invite = Invite::from(digits);
            let invite = provider.map_or(invite.clone(), |name| invite.named(name));
            let (_, without) = lab.ring(invite.clone().to("200")).await;
            let (_, with) = lab.ring(invite).await;
            let shown = |ring: &crate::lab::sip::Ring| (ring.from.display.clone(), ring.number().to_owned());
            assert_eq!(shown(&with), shown(&without), "{digits}");
            assert_eq!(with.asserted_identity(), without.asserted_identity(), "{digits}");
            noted(&lab.asterisk, &format!("after {digits}: {status}"), 1).await;
        }
    }
}
