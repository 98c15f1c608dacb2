//! A dialplan routes a call by the tag of its caller's list, and greets by name only a caller whose name is certain. A context
//! and a service of neighbouring versions work together.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_tungstenite::connect_async;

use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Lab, Turn, fjord, noted, ring};
use crate::lab::configuration::{crm_folder, onsite, superoffice_alone};
use crate::lab::nameplate::project;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::way::Way;
use crate::lab::web;
use crate::{by_every_way, by_these_ways};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
/// Her ids leave the tag no room beside a name of 56 bytes.
const LONG: [&str; 2] = ["Anne-Sofie Bjørnstad", "Sørlandets og Bjørnøya Fiskerøkeri AS"];

/// What the dialplan knows after a lookup.
const NOTE: &str = "Log(NOTICE,${CALLERID(num)} ${NAMEPLATE_STATUS} ${NAMEPLATE_PERSON_ID}/${NAMEPLATE_CONTACT_ID} certainty=${NAMEPLATE_CERTAINTY} tag=${NAMEPLATE_TAG} name=${CALLERID(name)}.)";

/// The dialplan of the page `asterisk-conf/README.md` that routes by tag, with notes in place of its queues.
fn documented(phone: &str) -> String {
    let page = fs::read_to_string(project().join("asterisk-conf/README.md")).unwrap();
    let start = page.find("\n[from-provider-tags]").expect("the context") + 1;
    let block =
        page[start..].split("```").next().expect("its end").replace("[from-provider-tags]", "[from-trunk]");
    let lookup = "Gosub(nameplate,lookup,1)";
    assert!(
        block.contains(lookup) && block.contains("Queue(vip)") && block.contains("Queue(operators)"),
        "{block}"
    );
    let block = block.replace(lookup, &format!("{lookup}\n same => n,{NOTE}"));
    let dial = format!("Dial(PJSIP/operator/{phone},30)");
    let queue = |name: &str| format!("Log(NOTICE,${{CALLERID(num)}} to queue {name})\n same => n,{dial}");
    let block = block.replace("Queue(vip)", &queue("vip")).replace("Queue(operators)", &queue("operators"));
    // The block's own greeting has no sound in the lab.
    block.replace("Playback(greetings/", "Log(NOTICE,greets ")
}

/// A lab with the CRM's caller ids, tagged `crm`, a file tagged `vip`, and one without a tag.
async fn tagged(way: Way, sections: &str, dialplan: impl FnOnce(&str) -> String) -> (Lab, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let source = |name: &str, tag: &str, rows: &str| {
        let path = files.path().join(format!("{name}.csv"));
        fs::write(&path, format!("number,person,company,mrmrs,person_id,contact_id\n{rows}")).unwrap();
        format!("[[source]]\nname = \"{name}\"\ntype = \"csv\"\npath = \"{}\"\n{tag}\n", path.display())
    };
    let [person, company] = LONG;
    let vip = format!("22334470,{person},{company},,4294967295,4294967294\n+4681234567,Åsa Öberg,,,7,\n");
    let sections = sections.to_owned()
        + &source("vip", "tag = \"v-i_p-89\"", &vip)
        + &source("plain", "", &format!("22334480,{person},{company},,4294967295,4294967294\n"))
        + "[ranges]\nknown = { \"+47 2251 8000-8099\" = \"contact 243\" }\n";
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = way.asterisk(&dialplan(&phone.uri()));
    let lab = Lab::configured(way, "tag = \"vip\"", &sections, turn, fjord(), asterisk, phone).await;
    // Each file may be in the directory a moment later.
    lab.nameplate.until_logged("numbers=6", 1).await;
    (lab, files)
}

by_every_way! {
    async fn a_dialplan_has_the_tag_and_the_certainty(way) {
        let (lab, _files) = tagged(way, "", documented).await;
        let [person, _] = LONG;
        for (digits, note, queue) in [
            ("22334455", format!("FOUND 654/243 certainty=exact tag=vip name={KARI}."), "vip"),
            ("22334400", "FOUND /243 certainty=exact tag=vip name=Fjord Sjømat AS.".to_owned(), "vip"),
            // The whole tag is there, and the name has what is left: 47 bytes.
            ("22334470", format!("FOUND 4294967295/4294967294 certainty=exact tag=v-i_p-89 name={person} (Sørlandets og Bjør…)."), "operators"),
            // Without a tag the name has its 56 bytes.
            ("22334480", format!("FOUND 4294967295/4294967294 certainty=exact tag= name={person} (Sørlandets og Bjørnøya Fis…)."), "operators"),
            // A zero too many.
            ("+460081234567", "FOUND 7/ certainty=reading tag=v-i_p-89 name=Åsa Öberg.".to_owned(), "operators"),
            ("22518042", "FOUND /243 certainty=range tag=vip name=~Fjord Sjømat AS.".to_owned(), "vip"),
            ("22999999", "NOTFOUND / certainty= tag= name=OSLO.".to_owned(), "operators"),
            ("unknown", "SKIPPED / certainty= tag= name=OSLO.".to_owned(), "operators"),
        ] {
            lab.ring(Invite::from(digits).named("OSLO")).await;
            noted(&lab.asterisk, &format!("{digits} {note}"), 1).await;
            noted(&lab.asterisk, &format!("{digits} to queue {queue}"), 1).await;
        }
        // Only a caller who is certain is greeted.
        noted(&lab.asterisk, "greets 654", 1).await;
        noted(&lab.asterisk, "greets 7", 0).await;
        lab.asterisk.wait_idle();
    }
}

by_every_way! {
    async fn a_call_that_keeps_its_name_has_them_too(way) {
        let keep = "[names]\nkeep_existing = true\n";
        let (lab, _files) = tagged(way, keep, documented).await;
        for (digits, note) in [
            ("22334455", "FOUND 654/243 certainty=exact tag=vip name=OSLO TAXI."),
            ("22334480", "FOUND 4294967295/4294967294 certainty=exact tag= name=OSLO TAXI."),
            ("+460081234567", "FOUND 7/ certainty=reading tag=v-i_p-89 name=OSLO TAXI."),
        ] {
            lab.ring(Invite::from(digits).named("OSLO TAXI")).await;
            noted(&lab.asterisk, &format!("{digits} {note}"), 1).await;
        }
    }
}

/// Two lookups of one call: the second is of the number that was called.
fn twice(phone: &str) -> String {
    format!(
        "[from-trunk]\nexten => _X.,1,Gosub(nameplate,lookup,1)\n same => n,Set(CALLERID(num)=${{EXTEN}})\n \
         same => n,Gosub(nameplate,lookup,1)\n same => n,{NOTE}\n same => n,Dial(PJSIP/operator/{phone},30)\n"
    )
}

by_every_way! {
    async fn a_second_lookup_forgets_the_first(way) {
        let (lab, _files) = tagged(way, "", twice).await;
        for (second, note) in [
            ("22999999", format!("NOTFOUND / certainty= tag= name={KARI}.")),
            ("112", format!("SKIPPED / certainty= tag= name={KARI}.")),
        ] {
            lab.ring(Invite::from("22334455").to(second)).await;
            noted(&lab.asterisk, &format!("{second} {note}"), 1).await;
        }
    }
}

/// The context of the version before, beside today's, and calls that go by it.
fn before(way: Way, phone: &str) -> String {
    let old = fs::read_to_string(project().join("tests/data/extensions_nameplate_before_tags.conf")).unwrap();
    let old = old.split("[nameplate-outside]").next().unwrap().replace("[nameplate]", "[nameplate-before]");
    let entry = if way.is_agi() { "lookup-agi" } else { "lookup" };
    format!(
        "{old}\n[from-trunk]\nexten => _X.,1,Gosub(nameplate-before,{entry},1)\n same => n,{NOTE}\n \
         same => n,Dial(PJSIP/operator/{phone},30)\n"
    )
}

by_every_way! {
    async fn a_context_of_before_is_answered_as_before(way) {
        let (lab, _files) = tagged(way, "", |phone| before(way, phone)).await;
        for (digits, note) in [
            ("22334455", format!("FOUND 654/243 certainty= tag= name={KARI}.")),
            ("+460081234567", "FOUND 7/ certainty= tag= name=Åsa Öberg.".to_owned()),
            ("22518042", "FOUND /243 certainty= tag= name=~Fjord Sjømat AS.".to_owned()),
            ("22999999", "NOTFOUND / certainty= tag= name=OSLO.".to_owned()),
            ("unknown", "SKIPPED / certainty= tag= name=OSLO.".to_owned()),
        ] {
            lab.ring(Invite::from(digits).named("OSLO")).await;
            noted(&lab.asterisk, &format!("{digits} {note}"), 1).await;
        }
    }
}

/// What the service of the version before answers a caller: the extension and the label for ARI, the line for FastAGI.
fn answer_of_before(number: &str) -> (String, &'static str, String) {
    match number {
        "22334455" => (format!("=654:243:{KARI}"), "found", format!("FOUND:654:243:{KARI}")),
        // It keeps the call's name.
        "22334400" => ("=:243:".into(), "kept", "FOUND::243:".into()),
        _ => ("notfound".into(), "notfound", "NOTFOUND:::".into()),
    }
}

by_these_ways! {
    async fn a_service_of_before_gives_its_names(way) {
        let _turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let asterisk = way.asterisk(&documented(&phone.uri()));
        let service = if way.is_agi() {
            let listener = TcpListener::bind(asterisk.agi()).await.unwrap();
            tokio::spawn(agi_service(listener))
        } else {
            let service = tokio::spawn(ari_service(asterisk.http(), asterisk.ari_user().into(), asterisk.ari_password().into()));
            until_connected(&asterisk).await;
            service
        };
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        for (digits, note) in [
            ("22334455", format!("FOUND 654/243 certainty= tag= name={KARI}.")),
            ("22334400", "FOUND /243 certainty= tag= name=OSLO.".to_owned()),
            ("22999999", "NOTFOUND / certainty= tag= name=OSLO.".to_owned()),
        ] {
            let (call, _) = ring(&caller, &phone, Invite::from(digits).named("OSLO"), || asterisk.log()).await;
            noted(&asterisk, &format!("{digits} {note}"), 1).await;
            noted(&asterisk, &format!("{digits} to queue operators"), 1).await;
            drop(call);
        }
        asterisk.wait_idle();
        service.abort();
    }
    websocket = Websocket, http_on_16 = HttpOn16, agi = Agi, agi_on_16 = AgiOn16
}

async fn until_connected(asterisk: &Asterisk) {
    while !asterisk.cli("ari show apps").contains("nameplate") {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Answers the calls of Asterisk's events as the service of the version before.
async fn ari_service(address: SocketAddr, user: String, password: String) {
    let url = format!("ws://{address}/ari/events?app=nameplate&api_key={user}:{password}");
    let (mut socket, _) = connect_async(url).await.unwrap();
    let credential = BASE64.encode(format!("{user}:{password}"));
    while let Some(Ok(message)) = socket.next().await {
        let Ok(event) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
        if event["type"] != "StasisStart" {
            continue;
        }
        let channel = event["channel"]["id"].as_str().unwrap();
        let (extension, label, _) = answer_of_before(event["channel"]["caller"]["number"].as_str().unwrap());
        let body = serde_json::json!({ "extension": extension, "label": label }).to_string();
        let request = format!(
            "POST /ari/channels/{channel}/continue HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {credential}\r\n\
             Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = tokio::task::spawn_blocking(move || web::request(address, &request)).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// Answers calls by FastAGI as the service of the version before.
async fn agi_service(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        agi_session(stream).await.unwrap();
    }
}

async fn agi_session(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut number = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if let Some(value) = line.strip_prefix("agi_callerid: ") {
            value.trim_end().clone_into(&mut number);
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let (_, _, answer) = answer_of_before(&number);
    stream.write_all(format!("SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"{answer}\"\n").as_bytes()).await?;
    stream.read_line(&mut String::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_has_a_tag_of_its_own() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    let kari = Record::person(47, 22_334_455, (654, "Kari Nordmann"), (243, "Fjord Sjømat AS"));
    let ola = Record::person(47, 22_334_460, (655, "Ola Hansen"), (243, "Fjord Sjømat AS"));
    // Kari is in both.
    crm.set_selection(12, vec![kari.clone(), ola]);
    crm.set_selection(7, vec![kari]);
    let tags = |lines: &str| {
        let folder = crm_folder(&superoffice_alone(&format!("{}\n{lines}", onsite(&crm.api_url()))));
        ["22334455", "22334460"].map(|number| {
            let output = folder.run(&["lookup", number, "--json"]);
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(json["status"], "found", "{json}");
            json["tag"].clone()
        })
    };
    assert_eq!(tags("selections = [12, { id = 7, tag = \"vip\" }]"), [Value::from("vip"), Value::Null]);
    let both = "tag = \"all\"\nselections = [12, { id = 7, tag = \"vip\" }]";
    assert_eq!(tags(both), ["vip", "all"]);
    assert_eq!(tags("tag = \"all\"\nselections = [7, { id = 12 }]"), ["all", "all"]);
}
