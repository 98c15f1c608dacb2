//! With the lines of `asterisk-conf/freepbx.md` a FreePBX has names wherever a call goes, and loses nothing by them.
//!
//! The PBX is a real Asterisk whose dialplan does around ours what was seen on FreePBX (`lab/freepbx.conf`): macros on 16,
//! Gosubs on 22.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::by_every_way;
use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, noted, notes};
use crate::lab::comparison::{AFTER_HALF_A_SECOND, AT_ONCE, PAIRS};
use crate::lab::freepbx::{self, FastAgi};
use crate::lab::sip::{Behaviour, Invite, Message, Phone};
use crate::lab::superoffice::Record;
use crate::lab::way::Way;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
/// FreePBX's 40 bytes would end in the middle of a letter.
const LONG: [&str; 2] = ["Bo Li", "Sørlandets og Bjørnøya Fiskerøkeri AS"];

/// Called numbers of routes to an extension, a ring group, a queue, and an outside number.
const INSIDE: [&str; 3] = ["22180101", "22180600", "22180400"];
const OUTSIDE: &str = "22180900";
/// Of a route that goes to one of two queues.
const BY_TAG: &str = "22180300";
/// Of routes that look up for themselves.
const BY_SOURCE: &str = "other22180800";
const BY_DESTINATION: &str = "other22180700";
const BY_THE_PLAIN_LINE: &str = "other22180500";

async fn lab(way: Way) -> (Lab, FastAgi) {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let server = FastAgi::start(&phone).await;
    let asterisk = freepbx::asterisk(way, &phone, &server);
    let mut records = fjord();
    records.push(Record::person(47, 22_334_477, (700, LONG[0]), (701, LONG[1])));
    // As the page says.
    let lab =
        Lab::configured(way, "tag = \"vip\"", "[names]\nmax_bytes = 40\n", turn, records, asterisk, phone)
            .await;
    (lab, server)
}

/// The name that the phone shows for such a call, while the service is there. On 16 an answer over HTTP takes up to 0.2 s by
/// itself: a call whose half second a busy machine has used up is placed again.
async fn shown(lab: &Lab, invite: Invite) -> String {
    for _ in 0..5 {
        let late = late(lab);
        let name = shown_at_last(lab, invite.clone()).await;
        if late == self::late(lab) {
            return name;
        }
    }
    panic!("five calls in a row had no answer:\n{}", lab.asterisk.log());
}

/// How many calls had no answer in time.
fn late(lab: &Lab) -> usize {
    lab.asterisk.until_written();
    lab.asterisk.log().matches("NAMEPLATE_STATUS=TIMEOUT").count()
}

/// The name that the phone shows for such a call.
async fn shown_at_last(lab: &Lab, invite: Invite) -> String {
    let (call, ring) = lab.ring(invite).await;
    let name = ring.name().to_owned();
    // A queue would go on, and ring again.
    drop(call);
    lab.asterisk.wait_idle();
    name
}

fn kari(to: &str) -> Invite {
    Invite::from("22334455").named("OSLO").to(to)
}

fn stranger(to: &str) -> Invite {
    Invite::from("22999999").named("OSLO TAXI").to(to)
}

fn withheld(to: &str) -> Invite {
    Invite { withheld: true, ..kari(to) }
}

by_every_way! {
    async fn a_call_has_its_name_wherever_it_goes(way) {
        let (lab, server) = lab(way).await;
        for to in INSIDE {
            assert_eq!(shown(&lab, kari(to)).await, KARI, "{to}");
            assert_eq!(shown(&lab, stranger(to)).await, "OSLO TAXI", "{to}");
            assert_eq!(shown(&lab, withheld(to)).await, "OSLO", "{to}");
        }
        noted(&lab.asterisk, "route of 22334455 FOUND", 3).await;
        noted(&lab.asterisk, "route of 22999999 NOTFOUND", 3).await;
        noted(&lab.asterisk, "route of 22334455 SKIPPED", 3).await;
        noted(&lab.asterisk, &format!("cnam {KARI}."), 4).await;
        // FreePBX's own DB() works afterwards.
        assert!(notes(&lab.asterisk).contains("written 101") && !lab.asterisk.log().contains("Dangerous function"));
        let records = lab.asterisk.until_recorded();
        assert!(records.contains(&format!("\"\"\"{KARI}\"\" <22334455>\"")), "{records}");

        // Outside, the callee sees what the provider sent.
        assert_eq!(shown(&lab, kari(OUTSIDE)).await, "OSLO");
        assert_eq!(shown(&lab, stranger(OUTSIDE)).await, "OSLO TAXI");

        assert_eq!(shown(&lab, kari(BY_TAG)).await, KARI);
        assert_eq!(shown(&lab, stranger(BY_TAG)).await, "OSLO TAXI");
        noted(&lab.asterisk, "queue 600 for 22334455", 1).await;
        noted(&lab.asterisk, "queue 601 for 22999999", 1).await;

        for to in ["+4722180101", "kontonr4711", "7", "s", "22180109"] {
            assert_eq!(shown(&lab, kari(to)).await, KARI, "{to}");
        }
        noted(&lab.asterisk, "route of called number and caller", 1).await;

        // 40 bytes, and no half letter at their end.
        let long = format!("{} ({})", LONG[0], LONG[1]);
        assert!(!long.is_char_boundary(40));
        let name = shown(&lab, Invite::from("22334477").to(INSIDE[0])).await;
        assert!(name.len() <= 40 && name.starts_with(LONG[0]) && name.ends_with("…)"), "{name}");

        a_mailbox_has_the_name(&lab, way).await;
        single_routes_have_names(&lab).await;
        assert!(server.lives(), "{:?}", server.asked());
        assert!(server.asked().len() >= 3);
    }
}

/// Of a trunk with FreePBX's own context: by a CID lookup source, by a Custom Destination, by the plain line, and without any.
async fn single_routes_have_names(lab: &Lab) {
    lab.asterisk.until_written();
    let skipped = lab.asterisk.log().matches("route of 22334455 SKIPPED").count();
    let routes = [BY_SOURCE, BY_DESTINATION, BY_THE_PLAIN_LINE].map(|to| (to, KARI));
    for (to, name) in routes.into_iter().chain([("other22180101", "OSLO")]) {
        assert_eq!(shown(lab, kari(to)).await, name, "{to}");
        assert_eq!(shown(lab, stranger(to)).await, "OSLO TAXI", "{to}");
        // The route has allowed it by then; the provider has not.
        assert_eq!(shown(lab, withheld(to)).await, "OSLO", "{to}");
    }
    lab.asterisk.until_written();
    let log = lab.asterisk.log();
    assert_eq!(log.matches("route of 22334455 SKIPPED").count(), skipped * 2, "{log}");
}

async fn a_mailbox_has_the_name(lab: &Lab, way: Way) {
    let late_before = late(lab);
    let (call, _) = lab.ring(kari("22180102")).await;
    let begun = Instant::now();
    let mailbox = lab.asterisk.dir().join("spool/voicemail/default/102");
    // What Asterisk 16 would write is noted: Debian's has no VoiceMail().
    let is_old = matches!(way, Way::HttpOn16 | Way::AgiOn16);
    let noted = || notes(&lab.asterisk).contains(&format!("mailbox for \"{KARI}\" <22334455>"));
    let written = || is_old || holds(&mailbox, &format!("callerid=\"{KARI}\" <22334455>"));
    while !(noted() && written()) && late(lab) == late_before {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.asterisk.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(call);
    lab.asterisk.wait_idle();
    if late(lab) > late_before {
        Box::pin(a_mailbox_has_the_name(lab, way)).await;
    }
}

/// Whether a file below this folder holds the text: a message's, while it is recorded and later.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, text);
        }
        path.extension().is_some_and(|extension| extension == "txt")
            && fs::read_to_string(path).is_ok_and(|written| written.contains(text))
    })
}

by_every_way! {
    async fn an_extension_sees_the_person_called(way) {
        let (lab, _server) = lab(way).await;
        lab.phone.behave(Behaviour::Ring180);
        let is_old = matches!(way, Way::HttpOn16 | Way::AgiOn16);
        let status = if is_old { "SKIPPED" } else { "FOUND" };
        let (call, _ring) = lab.ring(Invite::dialling("022334455")).await;
        noted(&lab.asterisk, &format!("dials 22334455 {status} TI\n"), 1).await;
        assert_eq!(call.ringing(PATIENCE).await, Some(180));
        let shown: Vec<_> = call.heard().iter().filter_map(Message::asserted_identity).collect();
        assert_eq!(shown.iter().any(|shown| shown.contains(KARI)), !is_old, "{shown:?}");
    }
}

by_every_way! {
    async fn a_service_that_hangs_or_is_gone_loses_no_call(way) {
        let (mut lab, server) = lab(way).await;
        lab.nameplate.signal("STOP");
        let comparison = lab.compare(&kari("22180101"), AFTER_HALF_A_SECOND).await;
        comparison.assert("OSLO", Duration::from_millis(150));
        noted(&lab.asterisk, "route of 22334455 TIMEOUT", PAIRS).await;
        for to in [INSIDE[1], INSIDE[2], OUTSIDE, BY_SOURCE, BY_DESTINATION] {
            assert_eq!(shown_at_last(&lab, kari(to)).await, "OSLO", "{to}");
        }
        noted(&lab.asterisk, "route of 22334455 TIMEOUT", PAIRS + 5).await;
        given_up_during_the_lookup(&lab, way, INSIDE[0]).await;
        given_up_during_the_lookup(&lab, way, BY_SOURCE).await;

        lab.nameplate.kill();
        lab.asterisk.wait_without_apps();
        let comparison = lab.compare(&kari("22180101"), AT_ONCE).await;
        comparison.assert("OSLO", Duration::from_millis(150));
        for to in [INSIDE[1], INSIDE[2], OUTSIDE, "kontonr4711"] {
            assert_eq!(shown_at_last(&lab, kari(to)).await, "OSLO", "{to}");
        }
        assert!(server.lives(), "{:?}", server.asked());

        // One file is missing, then both.
        empty(&lab.asterisk, "extensions_nameplate.conf");
        for to in [INSIDE[0], "s", "7", BY_SOURCE, BY_DESTINATION] {
            assert_eq!(shown_at_last(&lab, kari(to)).await, "OSLO", "{to}");
        }
        fs::remove_file(lab.asterisk.dir().join("extensions_nameplate_freepbx.conf")).expect("it was there");
        lab.asterisk.cli("dialplan reload");
        for to in [INSIDE[0], INSIDE[1], "s", "7", "kontonr4711", BY_SOURCE] {
            assert_eq!(shown_at_last(&lab, kari(to)).await, "OSLO", "{to}");
        }
    }
}

fn empty(asterisk: &Asterisk, file: &str) {
    fs::write(asterisk.dir().join(file), "").expect("a file of Asterisk's");
    asterisk.cli("dialplan reload");
}

/// Callers hang up while the service hangs: FreePBX's own `h` runs, and nothing is left.
async fn given_up_during_the_lookup(lab: &Lab, way: Way, to: &str) {
    // As the dialplan's log has it.
    let enters = if way.is_agi() { "] AGI(" } else { "] Stasis(" };
    let entered = || lab.asterisk.log().matches(enters).count();
    let hung_up = || lab.asterisk.log().matches("hung up by 22334400").count();
    let (before, begun) = (hung_up(), Instant::now());
    for _ in 0..3 {
        let others = entered();
        let call = lab.caller.invite(Invite::from("22334400").to(to));
        while entered() == others && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        call.cancel();
        assert_eq!(call.final_response(PATIENCE).await, Some(487), "{to}");
    }
    lab.asterisk.wait_idle();
    while hung_up() < before + 6 && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Verbose has each line of the dialplan as well.
    assert_eq!(hung_up(), before + 6, "{to}");
}
