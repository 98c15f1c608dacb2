//! Whichever module of Asterisk is missing, every call rings, and a withheld caller is not looked up. Where the bound could
//! not be kept, or the answer not be read, the lookup is skipped. `asterisk-conf/README.md` lists what is needed.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{PATIENCE, Turn, fjord, noted, notes};
use crate::lab::configuration::{folder, onsite, superoffice};
use crate::lab::nameplate::{Nameplate, project};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone, Ring};
use crate::lab::superoffice::StandIn;

/// What the shipped contexts call, and the module that has it; "" is Asterisk's core.
const USED: [(&str, &str); 27] = [
    ("AGI", "res_agi"),
    ("CALLERID", "func_callerid"),
    ("CHANNEL", "func_channel"),
    ("CONNECTEDLINE", "func_callerid"),
    ("CUT", "func_cut"),
    ("ExecIf", "app_exec"),
    ("FILTER", "func_strings"),
    ("GLOBAL", "func_global"),
    ("Gosub", "app_stack"),
    ("Goto", ""),
    ("GotoIf", ""),
    ("IFMODULE", "func_module"),
    ("ISNULL", "func_logic"),
    ("LEN", "func_strings"),
    ("LOCAL", "app_stack"),
    ("MSet", ""),
    ("NoOp", ""),
    ("Return", "app_stack"),
    ("STACK_PEEK", "app_stack"),
    ("STRFTIME", "func_strings"),
    ("Set", ""),
    ("Stasis", "app_stasis"),
    ("TIMEOUT", "func_timeout"),
    ("TryExec", "app_exec"),
    // What those need themselves.
    ("AGI", "res_speech"),
    ("Stasis", "res_ari"),
    ("Stasis", "res_stasis"),
];

/// Modules whose functions are seen anew by each call: a running Asterisk may lose them.
const REMOVED: [&str; 5] = ["func_timeout", "func_logic", "func_callerid", "func_strings", "func_channel"];
/// Asterisk is started without these.
const NEVER_LOADED: [&str; 9] = [
    "func_cut",
    "func_global",
    "func_module",
    "app_exec",
    "app_stasis",
    "res_ari",
    "res_stasis",
    "res_agi",
    "res_speech",
];

/// Extensions begin with the way's digit.
const WAYS: [(&str, &str); 4] =
    [("1", "lookup"), ("2", "lookup-replicas"), ("3", "lookup-agi"), ("4", "lookup-agi-replicas")];

/// Whether callers have names by this way without this module.
fn is_named(missing: &str, way: &str) -> bool {
    let is_agi = way.starts_with("lookup-agi");
    match missing {
        "" | "func_logic" => true,
        "res_agi" | "res_speech" | "func_strings" => !is_agi,
        "app_stasis" | "res_ari" | "res_stasis" => is_agi,
        _ => false,
    }
}

/// Whether a person who is called is found by the same way without this module.
fn is_called_found(missing: &str, way: &str) -> bool {
    let is_agi = way.starts_with("lookup-agi");
    match missing {
        "" | "func_logic" | "func_callerid" => true,
        "res_agi" | "res_speech" => !is_agi,
        "app_stasis" | "res_ari" | "res_stasis" => is_agi,
        _ => false,
    }
}

/// A PBX whose callers choose a way by the extension's first digit, and a service that answers them all.
struct Site {
    nameplate: Nameplate,
    caller: Caller,
    phone: Phone,
    asterisk: Asterisk,
    _crm: StandIn,
    _turn: Turn,
}

impl Site {
    /// On this version, started without this module.
    async fn without(missing: &str, version: &str) -> Self {
        let turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let noload = format!("noload = {missing}.so");
        let setup = Setup {
            dialplan: &dialplan(&phone.uri()),
            extra_conf: if missing.is_empty() { &[] } else { &[("modules.conf", noload.as_str())] },
            version: Some(version),
            ..Setup::default()
        };
        let asterisk = Asterisk::start_with(&setup);
        let crm = StandIn::start(fjord()).await.expect("the stand-in");
        let folder = folder(&crm, &asterisk);
        folder.configure(&config(&crm, &asterisk));
        let nameplate = folder.serve();
        nameplate.until_logged("FastAGI server listens", 1).await;
        nameplate.until_logged("directory is in place", 1).await;
        if !["res_ari", "res_stasis"].contains(&missing) {
            nameplate.until_logged("connected; answers go over", 2).await;
        }
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        Self { nameplate, caller, phone, asterisk, _crm: crm, _turn: turn }
    }

    /// Places a call of each kind by each way at once. This is the `turn`th time.
    async fn calls_ring(&self, missing: &str, turn: usize) {
        let calls: Vec<_> = WAYS
            .iter()
            .flat_map(|(digit, _)| [known(digit), unknown(digit), withheld(digit)])
            .map(|invite| self.caller.invite(invite))
            .collect();
        for call in &calls {
            let extension = &call.invite().to;
            let answer = call.final_response(PATIENCE).await;
            assert_eq!(answer, Some(486), "{extension} without {missing}\n{}", self.asterisk.log());
            let ring = self.phone.ring_of(extension, PATIENCE).await.expect("it rang");
            let way = WAYS.iter().find(|(digit, _)| extension.starts_with(digit)).expect("a way").1;
            match extension.as_bytes()[1] {
                b'1' if is_named(missing, way) => self.has_name(missing, extension, ring).await,
                b'3' => assert_eq!(ring.name(), "Anonymous", "{extension} without {missing}"),
                _ => assert_eq!(ring.name(), "OSLO", "{extension} without {missing}"),
            }
        }
        self.calls_to_a_person_ring(missing).await;
        self.asterisk.wait_idle();
        for (digit, _) in WAYS {
            noted(&self.asterisk, &format!("after {digit}3 SKIPPED limit="), turn).await;
        }
    }

    /// A call to a person of the CRM by each way.
    async fn calls_to_a_person_ring(&self, missing: &str) {
        for (digit, way) in WAYS {
            let begun = Instant::now();
            let statuses = || -> Vec<String> {
                let notes = notes(&self.asterisk);
                let note = format!("called {digit}4 ");
                notes.lines().filter_map(|line| line.strip_prefix(&note)).map(str::to_owned).collect()
            };
            loop {
                let before = statuses().len();
                let call =
                    self.caller.invite(Invite::from("22999999").named("OSLO").to(&format!("{digit}4")));
                let answer = call.final_response(PATIENCE).await;
                assert_eq!(answer, Some(486), "{way} without {missing}\n{}", self.asterisk.log());
                self.phone.ring_of(&call.invite().to, PATIENCE).await.expect("it rang");
                let mut after = statuses();
                while after.len() == before && begun.elapsed() < PATIENCE {
                    sleep(Duration::from_millis(10)).await;
                    after = statuses();
                }
                let status = after.get(before).expect("a note");
                match status.as_str() {
                    "FOUND." => assert!(is_called_found(missing, way), "{way} without {missing}"),
                    // On a loaded machine.
                    "TIMEOUT." if is_called_found(missing, way) && begun.elapsed() < PATIENCE => continue,
                    status => {
                        assert!(!is_called_found(missing, way), "{way} without {missing}: {status}");
                        assert!(
                            ["SKIPPED.", "UNAVAILABLE."].contains(&status),
                            "{way} without {missing}: {status}"
                        );
                    }
                }
                break;
            }
        }
    }

    /// On a loaded machine twelve calls at once may take longer than the bound: then one alone has to have the name.
    async fn has_name(&self, missing: &str, extension: &str, mut ring: Ring) {
        let begun = Instant::now();
        while ring.name() == "OSLO" && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(50)).await;
            let call = self.caller.invite(known(&extension[..1]));
            assert_eq!(call.final_response(PATIENCE).await, Some(486), "{extension} without {missing}");
            ring = self.phone.ring_of(extension, PATIENCE).await.expect("it rang");
        }
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)", "{extension} without {missing}");
    }

    /// The same known callers while the service hangs.
    async fn calls_ring_while_it_hangs(&self, missing: &str) {
        self.nameplate.signal("STOP");
        let calls: Vec<_> = WAYS.iter().map(|(digit, _)| self.caller.invite(known(digit))).collect();
        for call in &calls {
            let extension = &call.invite().to;
            let answer = call.final_response(PATIENCE).await;
            assert_eq!(answer, Some(486), "{extension} without {missing}, hung\n{}", self.asterisk.log());
            let ring = self.phone.ring_of(extension, PATIENCE).await.expect("it rang");
            assert_eq!(ring.name(), "OSLO", "{extension} without {missing}, hung");
        }
        self.asterisk.wait_idle();
        self.nameplate.signal("CONT");
    }

    /// `others`: whether numbers that are not withheld have been looked up.
    fn withheld_number_is_unseen(&self, others: bool) {
        let log = self.nameplate.log();
        assert_eq!(log.contains("••55"), others, "{log}");
        assert!(!log.contains("••00"), "{log}");
    }

    fn cli_of_module(&self, command: &str, module: &str) {
        let said = self.asterisk.cli(&format!("module {command} {module}.so"));
        let done = if command == "load" { "Loaded" } else { "Unloaded" };
        assert!(said.contains(done), "module {command} {module}: {said}");
    }
}

fn dialplan(phone: &str) -> String {
    let lookups = WAYS.map(|(digit, way)| {
        let called = way.replace("lookup", "called");
        format!(
            "exten => _{digit}X,1,Gosub(nameplate,{way},1)\n same => n,Goto(ring-${{EXTEN}},1)\n\
             exten => {digit}4,1,Gosub(nameplate,{called},1(22334460))\n\
             \x20same => n,Log(NOTICE,called ${{EXTEN}} ${{NAMEPLATE_CALLED_STATUS}}.)\n\
             \x20same => n,Goto(ring-${{EXTEN}},1)\n"
        )
    });
    format!(
        "[from-trunk]\n{}\
         exten => _[r]i[n]g-.,1,Log(NOTICE,after ${{EXTEN:5}} ${{NAMEPLATE_STATUS}} limit=${{TIMEOUT(absolute)}}.)\n\
         \x20same => n,Dial(PJSIP/operator/{},30)\n",
        lookups.concat(),
        phone.replace("operator@", "${EXTEN:5}@")
    )
}

fn config(crm: &StandIn, asterisk: &Asterisk) -> String {
    let pbx = |app: &str| {
        format!(
            "[[asterisk]]\nname = \"{app}\"\nurl = \"{}\"\nusername = \"nameplate\"\npassword_file = \"ari.password\"\napp = \"{app}\"\n",
            asterisk.http_url()
        )
    };
    let agi = format!("[agi]\nlisten = \"{}\"\n", asterisk.agi());
    superoffice(&onsite(&crm.api_url())) + &pbx("nameplate") + &pbx("nameplate-1") + &agi
}

fn known(way: &str) -> Invite {
    Invite::from("22334455").named("OSLO").to(&format!("{way}1"))
}

fn unknown(way: &str) -> Invite {
    Invite::from("22999999").named("OSLO").to(&format!("{way}2"))
}

/// Whom the CRM knows, too.
fn withheld(way: &str) -> Invite {
    Invite { withheld: true, ..Invite::from("22334400").named("OSLO").to(&format!("{way}3")) }
}

async fn calls_ring_without_each_on(version: &str) {
    let site = Site::without("", version).await;
    site.calls_ring("", 1).await;
    for (turn, missing) in (2..).zip(REMOVED) {
        site.cli_of_module("unload", missing);
        site.calls_ring(missing, turn).await;
        site.calls_ring_while_it_hangs(missing).await;
        site.cli_of_module("load", missing);
    }
    // The one exception, as README.md has it.
    site.cli_of_module("unload", "app_stasis");
    let call = site.caller.invite(known("1"));
    assert_eq!(call.final_response(PATIENCE).await, Some(603));
    site.asterisk.wait_idle();
    site.withheld_number_is_unseen(true);
}

async fn calls_ring_started_without_each_on(version: &str) {
    for missing in NEVER_LOADED {
        let site = Site::without(missing, version).await;
        site.calls_ring(missing, 1).await;
        site.calls_ring_while_it_hangs(missing).await;
        site.withheld_number_is_unseen(is_named(missing, "lookup") || is_named(missing, "lookup-agi"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_away_on_22() {
    calls_ring_without_each_on("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_away_on_16() {
    calls_ring_without_each_on("16").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn never_loaded_on_22() {
    calls_ring_started_without_each_on("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn never_loaded_on_16() {
    calls_ring_started_without_each_on("16").await;
}

/// Functions and applications that a dialplan's lines call.
fn called(dialplan: &str) -> Vec<&str> {
    let lines = dialplan.lines().filter(|line| !line.starts_with(';'));
    let before_brackets = lines.flat_map(|line| line.match_indices('(').map(move |(at, _)| &line[..at]));
    let names = before_brackets.filter_map(|before| {
        let part_of_name = |character: char| character.is_ascii_alphabetic() || character == '_';
        before.rsplit(|character| !part_of_name(character)).next()
    });
    // Labels are written small.
    names.filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase())).collect()
}

#[test]
fn all_that_the_context_uses_is_tried_and_listed() {
    let read = |file| std::fs::read_to_string(project().join("asterisk-conf").join(file)).expect("a file");
    let (context, page) = (read("extensions_nameplate.conf"), read("README.md"));
    let called = called(&context);
    assert!(called.contains(&"TIMEOUT") && called.contains(&"Stasis"), "{called:?}");
    for name in called {
        assert!(USED.iter().any(|(used, _)| *used == name), "{name} is not in USED");
    }
    for (name, module) in USED.into_iter().filter(|(_, module)| !module.is_empty()) {
        assert!(page.contains(&format!("`{module}`")), "{module}, which has {name}, is not in README.md");
    }
}
