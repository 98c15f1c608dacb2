//! `make demo`: the main job on a real Asterisk, from the CRM's record to the name on a softphone.
//!
//! Eight calls, each shown while it happens: what the trunk sent, how it was read, what the softphone
//! showed, and what the lookup added to the time from the caller's INVITE to the phone's. Ends with
//! status 1 if a line is not as expected; leaves nothing running.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod lab;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::asterisk::{Asterisk, Setup};
use lab::baresip::Baresip;
use lab::call::{PATIENCE, fjord};
use lab::configuration::folder;
use lab::nameplate::Nameplate;
use lab::people::{Entry, people, records};
use lab::sip::{Behaviour, Caller, Invite, Phone};
use lab::superoffice::StandIn;
use serde_json::Value;

/// Calls of each kind whose times are compared.
const PAIRS: usize = 25;

/// One line of the table.
struct Line {
    what: &'static str,
    invite: Invite,
    /// What the softphone has to show.
    expected: String,
    /// What is right to be read: the number in E.164, none where nothing may be looked up.
    number: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    println!("\nSuperOffice → nameplate → Asterisk → a softphone\n");
    let people = people(2026, 1_200);

    let begun = Instant::now();
    step("Asterisk");
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let softphone = Baresip::start(lab::machine::softphone_root().as_deref()).await.expect("baresip");
    let asterisk = Asterisk::start_with(&Setup {
        dialplan: &dialplan(&phone.uri(), &softphone.uri()),
        verbose: false,
        ..Setup::default()
    });
    done(&format!("{} on {}, in {:.1} s", asterisk.version(), asterisk.sip(), begun.elapsed().as_secs_f64()));

    step("SuperOffice");
    let crm = StandIn::start([fjord(), records(&people)].concat()).await.expect("the stand-in");
    done(&format!("a stand-in with {} caller ids from 12 countries", people.len() + fjord().len()));

    step("nameplate");
    let begun = Instant::now();
    let nameplate = folder(&crm, &asterisk).serve();
    nameplate.until_ready().await;
    done(&format!(
        "{} numbers in the directory, connected to Asterisk, in {:.1} s",
        numbers(&nameplate.log()),
        begun.elapsed().as_secs_f64()
    ));

    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    let lines = lines(&people);
    println!("\n{}", row(&["", "the trunk sent", "read as", "the softphone showed", "ms added"]));
    let mut failed = 0;
    for line in &lines {
        // The table grows while it happens.
        print!("{}", begin(&[line.what, &sent(&line.invite)]));
        let _ = std::io::stdout().flush();
        let read = how_it_was_read(&nameplate, line).await;
        let shown = show(&caller, &softphone, &line.invite).await;
        let added = milliseconds_added(&caller, &phone, &line.invite).await;
        let right = shown == line.expected && read.is_some();
        failed += usize::from(!right);
        let read = read.unwrap_or_else(|| "(wrong)".into());
        println!("{} {}", end(&[&read, &shown, &format!("{added:5.2}")]), mark(right));
        if !right {
            println!("   expected: {} and {:?}", line.expected, line.number);
        }
    }
    println!("\nms added: median of {PAIRS} calls with the lookup less {PAIRS} without, taken in turn.");
    asterisk.wait_idle();
    let warnings = nameplate.log().matches(" WARN ").count();
    if failed == 0 && warnings == 0 {
        println!("All {} calls rang as they should.\n", lines.len());
        ExitCode::SUCCESS
    } else {
        println!("{failed} calls and {warnings} warnings are not as expected.\n{}", nameplate.log());
        ExitCode::FAILURE
    }
}

/// Extension 100 looks up and rings our phone, 200 rings it without, 300 looks up and rings the softphone.
fn dialplan(phone: &str, softphone: &str) -> String {
    format!(
        "[from-trunk]\n\
         exten => 100,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Dial(PJSIP/operator/{phone},30)\n\
         exten => 200,1,Dial(PJSIP/operator/{phone},30)\n\
         exten => 300,1,Gosub(nameplate,lookup,1)\n\
         \x20same => n,Dial(PJSIP/operator/{softphone},30)\n"
    )
}

fn lines(people: &[Entry]) -> Vec<Line> {
    let person = |country: &str| {
        let named = |entry: &&Entry| entry.record.person_id != 0 && full_name(entry).len() <= 44;
        people.iter().filter(|entry| entry.country == country).find(named).expect("a person")
    };
    let line = |what, digits: &str, expected: &str, number: &str| Line {
        what,
        invite: Invite::from(digits),
        expected: expected.to_owned(),
        number: Some(number.to_owned()),
    };
    let (swede, italian, briton) = (person("SE"), person("IT"), person("GB"));
    let stranger = line("a stranger", "22999999", "OSLO TAXI", "+4722999999");
    let withheld = Line {
        invite: Invite { withheld: true, ..Invite::from("22334455").named("Kari Nordmann") },
        number: None,
        ..line("withheld", "", "Anonymous", "")
    };
    vec![
        line("national", "22334455", "Kari Nordmann (Fjord Sjømat AS)", "+4722334455"),
        line("with +", &swede.e164, &full_name(swede), &swede.e164),
        line("with 00", &italian.e164.replacen('+', "00", 1), &full_name(italian), &italian.e164),
        line("without plus", &briton.e164[1..], &full_name(briton), &briton.e164),
        line("a company's", "22334400", "Fjord Sjømat AS", "+4722334400"),
        line("two colleagues'", "22334460", "Fjord Sjømat AS", "+4722334460"),
        Line { invite: stranger.invite.clone().named("OSLO TAXI"), ..stranger },
        withheld,
    ]
}

fn full_name(entry: &Entry) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{} ({})", part(&entry.record.person_name), part(&entry.record.contact_name))
}

fn sent(invite: &Invite) -> String {
    if invite.withheld { "(withheld)".into() } else { String::from_utf8_lossy(&invite.number).into_owned() }
}

/// Asks the program how it reads the caller's digits; none where that is not as expected.
async fn how_it_was_read(nameplate: &Nameplate, line: &Line) -> Option<String> {
    let Some(number) = &line.number else {
        return Some("not looked up".into());
    };
    let config = nameplate.folder().path("nameplate.toml");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_nameplate"))
        .arg("--config")
        .arg(config)
        .args(["lookup", "--json", &sent(&line.invite)])
        .output()
        .await
        .ok()?;
    let resolution: Value = serde_json::from_slice(&output.stdout).ok()?;
    let readings = resolution["readings"].as_array()?;
    let reading = readings.iter().find(|reading| reading["found"] == true).or(readings.first())?;
    let read = reading["number"].as_str()?;
    let rule = reading["rule"].as_str()?.replace('_', " ");
    (read == number).then(|| format!("{read} ({rule})"))
}

/// Calls the softphone; what it shows.
async fn show(caller: &Caller, softphone: &Baresip, invite: &Invite) -> String {
    let call = caller.invite(invite.clone().to("300"));
    let incoming = softphone.next_incoming(PATIENCE).await;
    let _ = softphone.hangup().await;
    call.ended(PATIENCE).await;
    incoming.map_or_else(|| "(it did not ring)".into(), |incoming| incoming.name)
}

/// What the lookup adds to the time from INVITE to INVITE, in ms.
async fn milliseconds_added(caller: &Caller, phone: &Phone, invite: &Invite) -> f64 {
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..PAIRS {
        for (extension, times) in [("100", &mut with), ("200", &mut without)] {
            let call = caller.invite(invite.clone().to(extension));
            let Some(ring) = phone.next_ring(PATIENCE).await else { continue };
            times.push(ring.received.duration_since(call.sent()));
            call.ended(PATIENCE).await;
        }
    }
    (median(&mut with) - median(&mut without)) * 1000.0
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}

/// How many numbers the service says that it knows.
fn numbers(log: &str) -> &str {
    log.split_once("numbers=").map_or("", |(_, text)| text).split_whitespace().next().unwrap_or_default()
}

const WIDTHS: [usize; 5] = [17, 17, 38, 46, 8];

fn cell(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}

fn begin(cells: &[&str]) -> String {
    cells.iter().zip(WIDTHS).map(|(text, width)| cell(text, width)).collect()
}

fn end(cells: &[&str]) -> String {
    cells.iter().zip(&WIDTHS[2..]).map(|(text, width)| cell(text, *width)).collect()
}

fn row(cells: &[&str]) -> String {
    let text = begin(cells);
    format!("{text}\n{}", "─".repeat(WIDTHS.iter().sum::<usize>() + 2))
}

fn mark(right: bool) -> &'static str {
    match (right, std::io::stdout().is_terminal()) {
        (true, true) => "\x1b[32m✓\x1b[0m",
        (true, false) => "✓",
        (false, true) => "\x1b[31m✗\x1b[0m",
        (false, false) => "✗",
    }
}

fn step(what: &str) {
    print!("  {} ", cell(what, 12));
    let _ = std::io::stdout().flush();
}

fn done(what: &str) {
    println!("{what}");
}
