//! Names are written as `[names]` says; and where it says so, a call keeps the name that it brings along.

use crate::by_every_way;
use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Lab, Turn, fjord, noted};
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::superoffice::Record;
use crate::lab::way::Way;

const KEEP: &str = "[names]\nkeep_existing = true\n";

/// Extension 100 asks by the shipped context, 200 in a line of its own; the first notes what came of it.
fn noting(way: Way, phone: &str) -> String {
    let own = if way.is_agi() { "AGI(agi://127.0.0.1:4577/lookup)" } else { "Stasis(nameplate)" };
    format!(
        "[from-trunk]\n\
         exten => 100,1,Set(TIMEOUT(absolute)=60)\n\
         \x20same => n,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Log(NOTICE,${{CALLERID(num)}} ${{NAMEPLATE_STATUS}} ${{NAMEPLATE_PERSON_ID}} ${{NAMEPLATE_CONTACT_ID}} ${{CALLERID(name)}} limited ${{IF($[${{TIMEOUT(absolute)}} > 50]?yes:no)}} ${{CDR(dst)}})\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => 200,1,{own}\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n"
    )
}

async fn keeping(way: Way) -> Lab {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = way.asterisk(&noting(way, &phone.uri()));
    Lab::configured(way, "", KEEP, turn, fjord(), asterisk, phone).await
}

by_every_way! {
    async fn a_call_keeps_its_name_where_that_is_wanted(way) {
        let lab = keeping(way).await;
        // The calls have a limit of their own, and end where those do.
        let dst = "done";
        // Longer than the handoff's room, with what names of ours never hold.
        let long = "Zoë: [O'Brien], $5; the provider's own name, as long as it likes";
        for (existing, shown) in [
            (Some("OSLO TAXI"), "OSLO TAXI"),
            (Some(long), long),
            (None, "Kari Nordmann (Fjord Sjømat AS)"),
            (Some("22334455"), "Kari Nordmann (Fjord Sjømat AS)"),
            (Some("Anonymous"), "Kari Nordmann (Fjord Sjømat AS)"),
            (Some("Ukjent"), "Kari Nordmann (Fjord Sjømat AS)"),
            (Some("WIRELESS CALLER"), "Kari Nordmann (Fjord Sjømat AS)"),
        ] {
            for extension in ["100", "200"] {
                let invite = Invite::from("22334455").to(extension);
                let invite = existing.map_or(invite.clone(), |name| invite.named(name));
                let (_, ring) = lab.ring(invite).await;
                assert_eq!(ring.name(), shown, "{existing:?} {extension}");
            }
        }
        // Who it is, is known all the same, and the call's own limit is what it was.
        noted(&lab.asterisk, &format!("22334455 FOUND 654 243 OSLO TAXI limited yes {dst}"), 1).await;
        noted(&lab.asterisk, &format!("22334455 FOUND 654 243 Kari Nordmann (Fjord Sjømat AS) limited yes {dst}"), 5).await;
        // A company has no person.
        let (_, ring) = lab.ring(Invite::from("22334400").named("OSLO TAXI")).await;
        assert_eq!(ring.name(), "OSLO TAXI");
        noted(&lab.asterisk, &format!("22334400 FOUND  243 OSLO TAXI limited yes {dst}"), 1).await;
        let (_, ring) = lab.ring(Invite::from("22999999").named("OSLO TAXI")).await;
        assert_eq!(ring.name(), "OSLO TAXI");
        noted(&lab.asterisk, &format!("22999999 NOTFOUND   OSLO TAXI limited yes {dst}"), 1).await;
        lab.asterisk.wait_idle();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_templates_in_the_language_of_the_source() {
    let names = "[names]\nperson = \"{person}, {company} by {source}\"\nmax_bytes = 34\nascii = true\n";
    let in_two = |code: &str| format!("NO:\"Bærum Sjømat og Ærfugl AS\";{code}:\"Baerum Seafood\"");
    let records = vec![
        Record::person(47, 22_334_455, (654, "Жанна Øye"), (243, &in_two("US"))),
        // The source's language is English.
        Record::company(47, 22_334_400, (244, &in_two("SW"))),
    ];
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = Asterisk::start(&noting(Way::Websocket, &phone.uri()));
    let lab =
        Lab::configured(Way::Websocket, "prefix = \"VIP \"", names, turn, records, asterisk, phone).await;
    for (number, shown) in
        [("22334455", "VIP Zhanna Oye, Baerum S... by crm"), ("22334400", "VIP Baerum Sjomat og AErfugl AS")]
    {
        let (_, ring) = lab.ring(Invite::from(number).named("OSLO TAXI")).await;
        assert_eq!(ring.name(), shown, "{number}");
    }
}
