//! Whatever stands in one record of SuperOffice's answer, all others are taken, from lists and from searches; what is no list
//! is none, and of its words nothing is shown.

use std::fs;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::lab::call::fjord;
use crate::lab::configuration::{CRM_PASSWORD, crm_alone, crm_folder};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::superoffice::{Answer, Fault, StandIn};
use crate::lab::web;

fn person(number: u32, name: &str) -> String {
    format!(
        r#"{{"PhoneNumber":{number},"DialInPrefix":47,"PersonId":{number},"PersonName":"{name}","Mrmrs":"","ContactId":0,"ContactName":""}}"#
    )
}

/// Kari, whatever this is, and Ola.
fn between(record: impl AsRef<[u8]>) -> Vec<u8> {
    let begin = format!(r#"{{"CallerIDHash":"h","CallerIDs":[{},"#, person(22_334_455, "Kari"));
    let end = format!(",{}]}}", person(22_334_457, "Ola"));
    [begin.as_bytes(), record.as_ref(), end.as_bytes()].concat()
}

fn answers(body: impl Into<Vec<u8>>) -> Fault {
    Fault::Answer(Answer::json(200, body.into()))
}

/// A folder for this CRM, with a web server.
fn folder(crm: &StandIn) -> Folder {
    crm_folder(&format!("{}\n[web]\nlisten = \"127.0.0.1:0\"\n", crm_alone(crm)))
}

/// The names of three numbers at a first start.
async fn names(answer: impl Into<Vec<u8>>) -> [String; 3] {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    crm.fail(answers(answer));
    let folder = folder(&crm);
    let asked = tokio::task::spawn_blocking(move || {
        folder.run_with_input(&["lookup", "-"], "22334455\n22334456\n22334457")
    });
    let output = asked.await.expect("a lookup");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let mut names = said.lines().map(|line| line.split_once('\t').expect("a tab").1.to_owned());
    let error = String::from_utf8_lossy(&output.stderr);
    std::array::from_fn(|_| names.next().unwrap_or_else(|| panic!("{said}{error}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_character_that_is_none_is_replaced() {
    for (name, shown) in [
        (&br"Per \ud83d"[..], "Per \u{fffd}"),
        (br"Per \udc00 Berg", "Per \u{fffd} Berg"),
        (br"Per \u12", "Per \u{fffd}"),
        (b"Per M\xf8ller", "Per M\u{fffd}ller"),
        (b"Per\x01\x02 \x1f Berg", "Per Berg"),
        (b"Per\r\nBerg", "Per Berg"),
        (br#"Per "P" Berg"#, "Per 'P' Berg"),
    ] {
        let nameless = person(22_334_456, "|");
        let (begin, end) = nameless.split_once('|').expect("a place");
        let record = [begin.as_bytes(), name, end.as_bytes()].concat();
        let found = names(between(record)).await;
        assert_eq!([&*found[0], &*found[2]], ["Kari", "Ola"], "{}", String::from_utf8_lossy(name));
        assert_eq!(found[1], shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_none_is_counted() {
    let per = |number: &str| person(1, "Per").replacen(":1,", &format!(":{number},"), 1);
    for record in [
        per("1e999"),
        per("-1e999"),
        per(&"9".repeat(1 << 20)),
        per("NaN"),
        per(""),
        per("22334456,\"PhoneNumber\":22334458"),
        per("22334456 \"x\":1"),
        per("22334456,\"PersonName\":\"Eva\""),
        per("22334456").replace("Per\",", "Per\""),
        per("22334456").replace('}', ""),
        "nonsense".to_owned(),
        format!("{}{}", "[".repeat(1 << 18), "]".repeat(1 << 18)),
    ] {
        let found = names(between(&record)).await;
        assert_eq!(found, ["Kari", "", "Ola"], "{}", &record[..record.len().min(200)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_another_form_is_read() {
    let all = between(person(22_334_456, "Per Å"));
    let text = String::from_utf8(all.clone()).expect("UTF-8");
    let utf16 =
        |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
    let marked = format!("\u{feff}{text}");
    for body in [
        marked.clone().into_bytes(),
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
        utf16(&text, u16::to_le_bytes),
        utf16(&text, u16::to_be_bytes),
        text.replace("\"h\"", "7").into_bytes(),
        text.replace("\"h\"", "{}").into_bytes(),
        text.replace("\"h\"", &format!("\"{}\"", "h".repeat(1 << 20))).into_bytes(),
        text.replace("\"h\"", "\"h\",\"CallerIDHash\":\"i\"").into_bytes(),
        [&all[..], b"\0\0\n"].concat(),
    ] {
        assert_eq!(names(body.clone()).await, ["Kari", "Per Å", "Ola"], "{}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_beyond_its_limit_is_none_and_the_list_is_written() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    for length in [4096, 4097, 1 << 20] {
        let text = String::from_utf8(between(person(22_334_456, "Per"))).expect("UTF-8");
        crm.fail(answers(text.replace("\"h\"", &format!("\"{}\"", "h".repeat(length)))));
        let nameplate = folder(&crm).serve();
        nameplate.until_logged("new list", 1).await;
        assert!(nameplate.folder().path("state/lists/crm.list").exists(), "{length}: {}", nameplate.log());
        assert!(!nameplate.log().contains("can't be written"), "{}", nameplate.log());
    }
}

/// The most memory that a process has had, in MB.
fn peak(nameplate: &Nameplate) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", nameplate.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("kB") / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn what_unfolds_to_one_huge_name_takes_no_memory() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    let answer = between(person(22_334_456, &"Per ".repeat(50 << 20)));
    crm.fail(Fault::Answer(Answer::json(200, answer).gzip()));
    let nameplate = folder(&crm).serve();
    nameplate.until_logged_within(Duration::from_mins(2), "directory is in place", 1).await;
    let address = web::address(&nameplate).await;
    for (number, name) in [("22334455", "Kari"), ("22334456", "Per Per"), ("22334457", "Ola")] {
        let answer = web::get(address, &format!("/lookup?number={number}"), "");
        assert!(answer.body.starts_with(name), "{answer:?}");
    }
    assert!(peak(&nameplate) < 100, "{} MB", peak(&nameplate));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_hit_of_a_search_costs_itself_only() {
    let hit = |name: &str| format!(r#"{{"Id":1,"Type":"Person","Name":"{name}","ExtraInfo":"22 54 45 45"}}"#);
    for strange in [
        hit("\\ud83d").replace("22 54 45 45", "x"),
        hit("Eva\",\"Name\":\"Berg"),
        r#"{"Id":1e999,"Type":"Person","Name":"Eva" "ExtraInfo":"22 54 45 45"}"#.to_owned(),
        "{\"Id\":\x01}".to_owned(),
    ] {
        let crm = StandIn::start(fjord()).await.expect("the stand-in");
        let body = format!("\u{feff}[{strange},{}]", hit("Per"));
        crm.search(|search| search.body = Some(body.into_bytes()));
        let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1s\"\nsearch_on_miss = true");
        let nameplate = crm_folder(&format!("{config}\n[web]\nlisten = \"127.0.0.1:0\"\n")).serve();
        let address = web::address(&nameplate).await;
        nameplate.until_logged("directory is in place", 1).await;
        let found = web::until(address, "/lookup?number=22544545", |answer| answer.status == 200).await;
        assert_eq!(found.body, "Per", "{strange}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_no_list_nothing_is_shown() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = folder(&crm).serve();
    nameplate.until_logged("directory is in place", 1).await;
    let basic = BASE64.encode(format!("nameplate:{CRM_PASSWORD}"));
    let echo = format!("Authorization: Basic {basic}, that is {CRM_PASSWORD}");
    let names = r#"{"Eva Berg":[{"EvaBerg":"Eva Berg","PersonName":"Eva Berg"}]}"#;
    let plain = |status, kind: &str, body: &str| Fault::Answer(Answer::new(status, kind, body.as_bytes()));
    let with_type =
        |kind: &str| serde_json::json!({ "ErrorType": kind, "ErrorMessage": "Eva Berg" }).to_string();
    for (fault, said) in [
        (
            plain(400, "text/html", &format!("<html><{basic}>{echo}</html>")),
            "400 Bad Request: a web page of ",
        ),
        (plain(401, "text/plain", &echo), "401 Unauthorized): text of "),
        (plain(500, "application/json", &format!("{{\"{basic}\":\"{echo}\"}}")), "JSON of "),
        (Fault::body(500, &with_type(&basic)), "500 Internal Server Error: `mask` hides its words"),
        (Fault::body(500, &with_type("EvaBerg")), "500 Internal Server Error: `mask` hides its words"),
        (Fault::body(500, &with_type("SoNotFoundException")), "(SoNotFoundException)"),
        (Fault::body(500, &format!("\u{feff}{}", with_type("SoNotFoundException"))), "(SoNotFoundException)"),
        (answers(format!("\u{feff}{names}")), "(CallerIDs is missing): JSON of "),
        (answers(format!(")]}}',\n{names}")), "(not JSON): text of "),
        (answers(format!("cb({names})")), "(not JSON): text of "),
        (answers("<CallerIDs><EvaBerg>Eva Berg</EvaBerg></CallerIDs>"), "(not JSON): XML of "),
        (answers(echo.clone()), "(not JSON): text of "),
        (answers(r#"{"Message":"Eva Berg has no access"}"#), "with a message in place of caller ids"),
        (answers(r#"["Eva Berg"]"#), "(JSON of another form): JSON of "),
    ] {
        crm.fail(fault);
        let heard = tokio::task::block_in_place(|| {
            let commands =
                [&["refresh", "--accept"][..], &["sources"]].map(|command| nameplate.folder().run(command));
            commands.map(|output| [output.stdout, output.stderr].concat()).concat()
        });
        let heard = nameplate.log() + &String::from_utf8_lossy(&heard);
        assert!(heard.contains(said), "{said}\n{heard}");
        for hidden in [&basic[..8], CRM_PASSWORD, "Basic", "Eva", "Berg", "CallerIDs>"] {
            assert!(!heard.contains(hidden), "{hidden}\n{heard}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mask_words_are_shown_and_still_no_password() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    let basic = BASE64.encode(format!("nameplate:{CRM_PASSWORD}"));
    let page =
        format!("<html><pre>Bad Gateway\u{1b}\n{CRM_PASSWORD} Authorization: Basic {basic}\n{basic}</pre>");
    crm.fail(Fault::Answer(Answer::new(502, "text/html", page.as_bytes())));
    let nameplate = crm_folder(&format!("log.mask = false\n{}", crm_alone(&crm))).serve();
    nameplate.until_logged("Bad Gateway\\u{1b}", 1).await;
    let log = nameplate.log();
    assert!(!log.contains(&basic[..8]) && !log.contains(CRM_PASSWORD), "{log}");
}

/// An answer that breaks off is no list, wherever that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_is_none() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = folder(&crm).serve();
    nameplate.until_logged("directory is in place", 1).await;
    let whole = between(person(22_334_456, "Per"));
    let text = String::from_utf8(whole.clone()).expect("UTF-8");
    let ends = [text.find("Kari").unwrap(), text.find(",{").unwrap(), whole.len() - 2, whole.len() - 1];
    for (round, end) in (1..).zip(ends) {
        crm.fail(answers(&whole[..end]));
        nameplate.until_logged(&format!("the answer broke off: after {end} bytes"), 1).await;
        crm.heal();
        nameplate.until_logged("answers again", round).await;
    }
    let names: Value = serde_json::from_slice(
        &tokio::task::block_in_place(|| nameplate.folder().run(&["lookup", "--json", "22334455"])).stdout,
    )
    .expect("JSON");
    assert_eq!(names["name"], "Kari Nordmann (Fjord Sjømat AS)");
}
