//! SIGHUP and `nameplate reload` take a changed configuration, and no call is lost, late or without its name meanwhile. What
//! can't change while the service runs is said, and the rest is taken. A file that can't be used changes nothing.

use std::time::{Duration, Instant};

use crate::lab::call::{Lab, PATIENCE, fjord};
use crate::lab::configuration::{CRM_PASSWORD, CSV_ONLY, crm_alone, crm_folder, csv_folder};
use crate::lab::nameplate::Nameplate;
use crate::lab::sip::Invite;
use crate::lab::superoffice::{Credential, Record, StandIn};
use crate::lab::web::{self, get};
use crate::{by_every_way, by_every_way_of_ari};

mod alone;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
const VIP: &str = "\n[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"\n";
const OLA: &str = "number,person,company\n+46980319262,Åsa Öberg,Älvsby Förlag AB\n";
/// Beside what is tested: without a way in a configuration is refused.
const WEB: &str = "\n[web]\nlisten = \"127.0.0.1:0\"\n";

/// `nameplate reload`: its status, and all that it says.
fn reload(nameplate: &Nameplate) -> (Option<i32>, String) {
    // The stand-in goes on meanwhile.
    let output = tokio::task::block_in_place(|| nameplate.folder().run(&["reload"]));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Writes the configuration and has it taken.
fn take(nameplate: &Nameplate, config: &str) -> String {
    nameplate.folder().configure(config);
    let (status, said) = reload(nameplate);
    assert_eq!(status, Some(0), "{said}\n{}", nameplate.log());
    said
}

/// The configuration with `lines` in its `[numbers]`.
fn with_numbers(config: &str, lines: &str) -> String {
    config.replacen("country = \"NO\"", &format!("country = \"NO\"\n{lines}"), 1)
}

/// How often the service has connected with Asterisk.
fn connections(nameplate: &Nameplate) -> usize {
    nameplate.log().matches("connected; answers go over").count()
}

by_every_way! {
    async fn names_and_numbers_of_the_next_call(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let config = way.config(&lab.crm, &lab.asterisk);
        let before = connections(&lab.nameplate);
        let (_, ring) = lab.ring(Invite::from("922334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);

        let changed = with_numbers(&config, "strip_prefixes = [\"9\"]");
        let said = take(&lab.nameplate, &(changed.clone() + "\n[names]\nperson = \"{company}, {person}\"\n"));
        assert!(said.contains("[numbers]: changed") && said.contains("[names]: changed"), "{said}");
        for number in ["922334455", "22334455"] {
            let (_, ring) = lab.ring(Invite::from(number).named("OSLO")).await;
            assert_eq!(ring.name(), "Fjord Sjømat AS, Kari Nordmann", "{number}");
        }
        // The numbers of this PBX alone.
        let own = "numbers = { strip_prefixes = [\"8\"] }";
        let own = if way.is_agi() { changed + own } else { changed.replace("[[asterisk]]", &format!("[[asterisk]]\n{own}")) };
        take(&lab.nameplate, &own);
        for (number, name) in [("922334455", "OSLO"), ("822334455", KARI)] {
            let (_, ring) = lab.ring(Invite::from(number).named("OSLO")).await;
            assert_eq!(ring.name(), name, "{number}");
        }
        assert_eq!(connections(&lab.nameplate), before, "{}", lab.nameplate.log());
        lab.asterisk.wait_idle();
    }
}

by_every_way! {
    async fn a_source_that_comes_and_goes(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let config = way.config(&lab.crm, &lab.asterisk);
        lab.nameplate.folder().write("vip.csv", OLA);
        let asa = || Invite::from("0046980319262").named("OSLO");
        let (_, ring) = lab.ring(asa()).await;
        assert_eq!(ring.name(), "OSLO");
        let said = take(&lab.nameplate, &(config.clone() + VIP));
        assert!(said.contains("[[source]] `vip`: added"), "{said}");
        lab.nameplate.until_logged("new list: 1 new", 1).await;
        lab.nameplate.until_logged("numbers=4", 1).await;
        let (_, ring) = lab.ring(asa()).await;
        assert_eq!(ring.name(), "Åsa Öberg (Älvsby Förlag AB)");
        // Gone at once, with the report.
        let said = take(&lab.nameplate, &config);
        assert!(said.contains("[[source]] `vip`: removed"), "{said}");
        for (invite, name) in [(asa(), "OSLO"), (Invite::from("22334455"), KARI)] {
            let (_, ring) = lab.ring(invite).await;
            assert_eq!(ring.name(), name);
        }
    }
}

by_every_way! {
    async fn a_broken_file_changes_nothing(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let config = way.config(&lab.crm, &lab.asterisk);
        let before = connections(&lab.nameplate);
        for (broken, why) in [
            (config.replace("country = \"NO\"", "country = \"Norway\""), "`country`: "),
            (config.clone() + "\n[names]\nperson = \"{company}\"\nfoo = 1\n", "unknown key `foo`"),
            (config.clone() + "\n[[[", "nameplate.toml:"),
        ] {
            lab.nameplate.folder().configure(&broken);
            let (status, said) = reload(&lab.nameplate);
            assert_eq!(status, Some(2), "{said}");
            assert!(said.contains("the configuration in force stays: ") && said.contains(why), "{said}");
        }
        let logged = "can't be used, so the configuration in force stays";
        lab.nameplate.until_logged(logged, 3).await;
        lab.nameplate.signal("HUP");
        lab.nameplate.until_logged(logged, 4).await;
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);
        assert_eq!(connections(&lab.nameplate), before);
        // Mended, it is taken by a signal, too.
        lab.nameplate.folder().configure(&(config + "\n[names]\nperson = \"{company}\"\n"));
        lab.nameplate.signal("HUP");
        lab.nameplate.until_logged("the configuration is reloaded", 1).await;
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Fjord Sjømat AS");
    }
}

by_every_way_of_ari! {
    async fn a_pbx_that_is_removed_and_added(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let config = way.config(&lab.crm, &lab.asterisk);
        let (without, _) = config.split_once("[[asterisk]]").expect("a PBX");
        // It can't begin to listen now; for the service the configuration is complete.
        let said = take(&lab.nameplate, &format!("{without}{WEB}"));
        assert!(said.contains("[[asterisk]] `pbx1`: removed") && said.contains("[web] stays off"), "{said}");
        lab.nameplate.until_logged("disconnected", 1).await;
        lab.asterisk.wait_without_apps();
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        let said = take(&lab.nameplate, &config);
        assert!(said.contains("[[asterisk]] `pbx1`: added"), "{said}");
        lab.nameplate.until_logged("connected; answers go over", 2).await;
        let (_, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), KARI);
        assert!(!lab.nameplate.log().contains("ERROR"), "{}", lab.nameplate.log());
    }
}

by_every_way_of_ari! {
    async fn a_password_file_that_was_wrong(way) {
        let mut lab = Lab::start_by(way, fjord()).await;
        lab.nameplate.signal("TERM");
        lab.nameplate.ended().await;
        let folder = way.folder(&lab.crm, &lab.asterisk);
        folder.write("ari.password", "wrong");
        lab.nameplate = folder.serve();
        lab.nameplate.until_logged("refuses the user or the password (401)", 1).await;
        lab.nameplate.folder().write("ari.password", lab.asterisk.ari_password());
        let begun = Instant::now();
        let (status, said) = reload(&lab.nameplate);
        assert!(status == Some(0) && said.contains("nothing has changed"), "{said}");
        way.until_ready(&lab.nameplate).await;
        // Without the reload it is tried again after 15 s at the earliest.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), KARI);
    }
}

/// A service whose CRM is asked once an hour, and by order.
async fn hourly(crm: &StandIn, further: &str) -> (Nameplate, String) {
    let config = crm_alone(crm).replace("refresh = \"1s\"", "refresh = \"1h\"") + further;
    let nameplate = crm_folder(&config).serve();
    nameplate.until_logged("directory is in place", 1).await;
    (nameplate, config)
}

fn lookup(address: std::net::SocketAddr, number: &str) -> (u16, String) {
    let answer = get(address, &format!("/lookup?number={number}"), "");
    (answer.status, answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_asked_for_only_where_the_question_has_changed() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let other = Record::person(47, 22_500_000, (1, "Ola Hansen"), (0, ""));
    crm.add_user(Credential::basic("other", CRM_PASSWORD), [fjord(), vec![other]].concat());
    let (nameplate, config) = hourly(&crm, WEB).await;
    let address = web::address(&nameplate).await;
    assert_eq!(crm.count(), 1);
    nameplate.folder().write("vip.csv", OLA);
    for changed in [
        config.clone(),
        config.clone() + VIP,
        VIP.to_owned() + &config,
        config.clone() + "[names]\nshared_numbers = \"none\"\n[ranges]\nguess = true\n",
        config.replace("password_file = \"superoffice.password\"", &format!("password = \"{CRM_PASSWORD}\"")),
        config.replace("refresh = \"1h\"", "refresh = \"2h\"\ntimeout = \"1m\""),
        config.clone(),
    ] {
        let said = take(&nameplate, &changed);
        assert_eq!((crm.count(), lookup(address, "22334455").0), (1, 200), "{said}");
    }
    // The list of another user: the old one's stays until it has come.
    crm.set_delay(Duration::from_secs(2));
    take(
        &nameplate,
        &config.replace("username = \"nameplate\", password_file", "username = \"other\", password_file"),
    );
    assert!(crm.until_count(2, PATIENCE).await);
    assert_eq!((lookup(address, "22334455").0, lookup(address, "22500000").0), (200, 404));
    web::until(address, "/lookup?number=22500000", |answer| answer.status == 200).await;
    assert_eq!(crm.count(), 2);
    // A list in hand is given up for one of another question.
    crm.set_delay(Duration::from_secs(600));
    take(&nameplate, &config);
    assert!(crm.until_count(3, PATIENCE).await);
    crm.set_delay(Duration::ZERO);
    take(&nameplate, &config.replace("refresh = \"1h\"", "refresh = \"1h\"\nlanguage = \"nb\""));
    assert!(crm.until_count(4, PATIENCE).await);
    web::until(address, "/lookup?number=22500000", |answer| answer.status == 404).await;
    let sources = tokio::task::block_in_place(|| nameplate.folder().run(&["sources"]));
    let said = String::from_utf8_lossy(&sources.stdout).into_owned();
    assert!(said.contains("entries       4"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_tried_again_when_it_has_changed() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1h\"");
    let folder = crm_folder(&config);
    folder.write("superoffice.password", "wrong");
    let nameplate = folder.serve();
    nameplate.until_logged("refresh failed", 1).await;
    let asked = crm.count();
    for _ in 0..5 {
        assert_eq!(reload(&nameplate).0, Some(0));
    }
    assert_eq!(crm.count(), asked, "a wrong password sent again and again locks the account");
    nameplate.folder().write("superoffice.password", CRM_PASSWORD);
    assert_eq!(reload(&nameplate).0, Some(0));
    nameplate.until_logged("directory is in place numbers=3", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_said_and_the_rest_is_taken() {
    let nameplate =
        csv_folder("[web]\nlisten = \"127.0.0.1:0\"\n[agi]\nlisten = \"127.0.0.1:0\"\n", "").serve();
    let address = web::address(&nameplate).await;
    web::until(address, "/lookup?number=22334455", |answer| answer.status == 200).await;
    let path = nameplate.folder().path("nameplate.toml");
    let write = |text: &str| std::fs::write(&path, text).expect("a file");
    // The command finds the service by `state_dir`, so another one is for a signal.
    let rest = "[log]\nformat = \"json\"\n[names]\nperson = \"{person}\"\n[agi]\nlisten = \"127.0.0.1:1\"\n";
    write(&format!("state_dir = \"other\"\n{CSV_ONLY}{rest}"));
    nameplate.signal("HUP");
    nameplate.until_logged("the configuration is reloaded", 1).await;
    let log = nameplate.log();
    for what in [
        "state_dir stays",
        "[log] format stays text",
        "[agi] listen stays 127.0.0.1:0",
        "[web] stays on, at 127.0.0.1:0",
    ] {
        assert!(log.contains(&format!("is as it was until the next start: {what}")), "{what}:\n{log}");
    }
    assert_eq!(lookup(address, "22334455"), (200, "Kari Nordmann".into()));

    // Another address without a token: the token of the address in use stays.
    let token = |lines: &str| format!("state_dir = \"state\"\n{CSV_ONLY}{lines}");
    write(&token("[web]\nlisten = \"127.0.0.1:0\"\ntoken = \"s3cret\"\n"));
    assert_eq!(reload(&nameplate).0, Some(0));
    assert_eq!(lookup(address, "22334455").0, 401);
    let shown = get(address, "/lookup?number=22334455", "Authorization: Bearer s3cret\r\n");
    assert_eq!(shown.status, 200);
    write(&token("[web]\nlisten = \"127.0.0.2:0\"\n"));
    let (status, said) = reload(&nameplate);
    assert!(status == Some(0) && said.contains("but until the next start\n"), "{said}");
    assert!(said.contains("[web] listen stays 127.0.0.1:0, with its token"), "{said}");
    assert_eq!(lookup(address, "22334455").0, 401);
    write(&token("[web]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n"));
    nameplate.folder().write("token", "third\n");
    let (_, said) = reload(&nameplate);
    assert!(said.contains("[web] token: changed"), "{said}");
    let shown = |token: &str| {
        get(address, "/lookup?number=22334455", &format!("Authorization: Bearer {token}\r\n")).status
    };
    assert_eq!((shown("s3cret"), shown("third")), (401, 200));
    // A file of a secret is read anew, though the configuration is the same.
    nameplate.folder().write("token", "fourth\n");
    assert_eq!(reload(&nameplate).0, Some(0));
    assert_eq!((shown("third"), shown("fourth")), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_and_the_mask_of_the_log() {
    let nameplate = csv_folder(WEB, "").serve();
    let address = web::address(&nameplate).await;
    web::until(address, "/lookup?number=22334455", |answer| answer.status == 200).await;
    let config = format!("{CSV_ONLY}{WEB}");
    let refused = "so the configuration in force stays";
    for (times, log, expected) in [
        (1, "level = \"info\"", Some("lookup over HTTP caller=••••")),
        (2, "level = \"warn\"", None),
        (3, "level = \"debug\"\nmask = false", Some("lookup over HTTP caller=22334455")),
        (4, "level = \"error\"", None),
    ] {
        take(&nameplate, &format!("{config}[log]\n{log}\n"));
        let before = nameplate.log().len();
        lookup(address, "22334455");
        tokio::task::block_in_place(|| nameplate.folder().run(&["refresh"]));
        // What is logged at any level, behind the lookup.
        nameplate.folder().configure("broken");
        assert_eq!(reload(&nameplate).0, Some(2));
        nameplate.until_logged(refused, times).await;
        let logged = nameplate.log()[before..].to_owned();
        let line = logged.lines().find(|line| line.contains("lookup over HTTP"));
        assert_eq!(line.is_some(), expected.is_some(), "{log}: {logged}");
        assert!(expected.is_none_or(|expected| logged.contains(expected)), "{log}: {logged}");
        assert_eq!(logged.contains("DEBUG"), log.contains("debug"), "{log}: {logged}");
    }

    let nameplate = csv_folder(WEB, "").serve_with(&[("NAMEPLATE_LOG", "info")]);
    nameplate.until_logged("directory is in place", 1).await;
    let said = take(&nameplate, &format!("{config}[log]\nlevel = \"error\"\n"));
    assert!(said.contains("[log] level: the variable NAMEPLATE_LOG is set"), "{said}");
    nameplate.until_logged("the configuration is reloaded", 1).await;
}

#[test]
fn without_a_service_there_is_nothing_to_reload() {
    let folder = csv_folder(WEB, "");
    std::fs::create_dir(folder.path("state")).expect("a folder");
    let said = |status| {
        let output = folder.run(&["reload"]);
        assert_eq!(output.status.code(), Some(status));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = said(1);
    assert!(error.contains("no service answers at") && error.contains("state/control.sock"), "{error}");
    folder.configure("[numbers]\ncountry = \"Norway\"\n");
    let error = said(2);
    assert!(error.contains("`country`: "), "{error}");
}
