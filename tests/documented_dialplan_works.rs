//! What `asterisk-conf/README.md` tells to try works as it stands there, and what it shows as wrong is wrong.

use std::time::{Duration, Instant};

use crate::by_every_way;
use crate::lab::call::{Lab, PATIENCE, fjord};
use crate::lab::nameplate::project;
use crate::lab::sip::Invite;
use crate::lab::way::Way;

/// The code block of the page that begins with `[context]`, and the console command in its first line's comment.
fn block(context: &str) -> (String, String) {
    let page = std::fs::read_to_string(project().join("asterisk-conf/README.md")).expect("the page");
    let start = page.find(&format!("\n[{context}]")).expect("the context") + 1;
    let block = page[start..].split("```").next().expect("its end").to_owned();
    let command = block.lines().next().and_then(|line| line.split('"').nth(1)).expect("a command").to_owned();
    (block, command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_phone() {
    let (dialplan, command) = block("nameplate-try");
    let lab = Lab::with_dialplan(fjord(), |_| dialplan).await;
    lab.asterisk.cli(&command);
    let expected = "FOUND: Kari Nordmann (Fjord Sjømat AS)";
    let begun = Instant::now();
    while !lab.asterisk.log().contains(expected) {
        assert!(begun.elapsed() < PATIENCE, "{}", lab.asterisk.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A dialplan with the line that the page shows as wrong, by this way, with this one of Dial()'s handlers.
fn with_handler(way: Way, handler: &str, phone: &str) -> String {
    let page = std::fs::read_to_string(project().join("asterisk-conf/README.md")).expect("the page");
    let wrong = page.lines().find(|line| line.contains("; WRONG")).expect("the line");
    let wrong = wrong.replace("PJSIP/operator", &format!("PJSIP/operator/{phone}"));
    let wrong = wrong.replace("B(nameplate^", &format!("{handler}(nameplate^"));
    let wrong = if way.is_agi() { wrong.replace("^lookup^", "^lookup-agi^") } else { wrong };
    format!("[from-trunk]\n{wrong}\n")
}

by_every_way! {
    async fn a_handler_of_dial_loses_the_call_once_the_service_hangs(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| with_handler(way, "B", phone)).await;
        // Which nobody notices before.
        let (call, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        assert_eq!(call.final_response(PATIENCE).await, Some(486));

        lab.nameplate.signal("STOP");
        let call = lab.caller.invite(Invite::from("22334455"));
        // Not the phone's answer: Asterisk has ended the call.
        assert_eq!(call.final_response(PATIENCE).await, Some(603));
    }
}

by_every_way! {
    async fn a_handler_of_the_phones_leg_has_no_name(way) {
        let lab = Lab::with_dialplan_by(way, fjord(), |phone| with_handler(way, "b", phone)).await;
        for signal in ["CONT", "STOP"] {
            lab.nameplate.signal(signal);
            let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
            assert_eq!(ring.name(), "OSLO", "{signal}");
            assert_eq!(call.final_response(PATIENCE).await, Some(486), "{signal}");
        }
    }
}
