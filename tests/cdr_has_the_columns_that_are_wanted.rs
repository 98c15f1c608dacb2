//! The recipes of `asterisk-conf/README.md` for the records of calls, typed in as they stand there: name, company and ids in columns
//! of one's own, or no name of the CRM in the record at all.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::by_these_ways;
use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord};
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::project;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::superoffice::StandIn;
use crate::lab::way::Way;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// The one block of the page with these words in it.
fn recipe(words: &str) -> String {
    let page = std::fs::read_to_string(project().join("asterisk-conf/README.md")).expect("the page");
    let mut blocks = page.split("```").skip(1).step_by(2).filter(|block| block.contains(words));
    let block = blocks.next().unwrap_or_else(|| panic!("no block has {words}")).to_owned();
    assert!(blocks.next().is_none(), "two blocks have {words}");
    block
}

/// A recipe for the lab's trunk and this phone.
fn dialplan(words: &str, phone: &str) -> String {
    let recipe = recipe(words);
    assert!(recipe.contains("[from-provider]") && recipe.contains("PJSIP/operator,"), "{recipe}");
    recipe
        .replace("[from-provider]", "[from-trunk]")
        .replace("PJSIP/operator,", &format!("PJSIP/operator/{phone},"))
}

/// A lab with this dialplan, and a service with a web server.
async fn lab(way: Way, behaviour: Behaviour, words: &str) -> Lab {
    let turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let phone = Phone::bind(behaviour).await.expect("a phone");
    let port = free_tcp_port();
    let own = dialplan(words, &phone.uri()).replace("127.0.0.1:8480", &format!("127.0.0.1:{port}"));
    let columns = recipe("[mappings]");
    let extra_conf = &[("cdr_custom.conf", columns.trim())];
    let asterisk = way.asterisk_with(&Setup { dialplan: &own, extra_conf, ..Setup::default() });
    asterisk.cli("module load cdr_custom.so");
    let folder = way.folder(&crm, &asterisk);
    folder.configure(&format!("{}[web]\nlisten = \"127.0.0.1:{port}\"\n", way.config(&crm, &asterisk)));
    let nameplate = folder.serve();
    way.until_ready(&nameplate).await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    Lab { nameplate, caller, phone, asterisk, crm, way, turn }
}

/// The lines of this file of records, once there are so many.
async fn until_recorded(lab: &Lab, file: &str, lines: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let records = lab.asterisk.records(file);
        if records.lines().count() >= lines {
            return records.lines().map(str::to_owned).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{file}: {records}\n{}", lab.asterisk.log());
        sleep(Duration::from_millis(10)).await;
    }
}

by_these_ways! {
    async fn with_name_company_and_ids_in_columns_of_their_own(way) {
        let lab = lab(way, Behaviour::Decline486, "nameplate-cdr,s,1").await;
        let mut records = Vec::new();
        for (at, (digits, name)) in [("22334455", KARI), ("22999999", "OSLO")].into_iter().enumerate() {
            let (_, ring) = lab.ring(Invite::from(digits).named("OSLO")).await;
            assert_eq!(ring.name(), name);
            lab.asterisk.wait_idle();
            records = until_recorded(&lab, "cdr-custom/crm.csv", at + 1).await;
        }
        assert_eq!(
            records,
            [
                format!("\"22334455\",\"{KARI}\",\"Fjord Sjømat AS\",\"654\",\"243\""),
                "\"22999999\",\"\",\"\",\"\",\"\"".to_owned(),
            ],
            "{}", lab.asterisk.log(),
        );

        // Hung, the service costs the caller nothing more than the lookup's half second: the company is asked for afterwards.
        lab.nameplate.signal("STOP");
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        lab.nameplate.signal("CONT");
        lab.asterisk.wait_idle();
    }
    websocket = Websocket, http_on_16 = HttpOn16, agi = Agi, agi_on_16 = AgiOn16
}

by_these_ways! {
    async fn without_the_name_while_the_phone_shows_it(way) {
        // One call is taken, one is declined.
        for behaviour in [Behaviour::Decline486, Behaviour::Answer200] {
            let lab = lab(way, behaviour, "nameplate-shown^s^1").await;
            let withheld = Invite { withheld: true, ..Invite::from("22334455").named("OSLO") };
            let calls =
                [(Invite::from("22334455").named("OSLO"), KARI), (Invite::from("22999999").named("OSLO"), "OSLO"), (withheld, "Anonymous")];
            for (at, (invite, name)) in calls.into_iter().enumerate() {
                let (call, ring) = lab.ring(invite).await;
                assert_eq!(ring.name(), name);
                drop(call);
                lab.asterisk.wait_idle();
                let records = until_recorded(&lab, "cdr-csv/Master.csv", at + 1).await;
                assert!(!records[at].contains("Kari"), "{records:?}");
                if name != "Anonymous" {
                    assert!(records[at].contains("OSLO"), "{records:?}");
                }
            }
        }
    }
    websocket = Websocket, http_on_16 = HttpOn16, agi = Agi, agi_on_16 = AgiOn16
}
