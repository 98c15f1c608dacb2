//! `nameplate check` asks SuperOffice, each Asterisk, Asterisk's console, the replicas' server and this machine. It says what is wrong, what it means
//! for calls and what mends it, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::lab::another_date;
use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Turn, asterisk_of, fjord};
use crate::lab::certificate::Certificate;
use crate::lab::configuration::{config, crm_folder, onsite, superoffice};
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::Folder;
use crate::lab::superoffice::login::TENANT;
use crate::lab::superoffice::{Answer, Credential, Fault, Record, StandIn};
use crate::lab::tls::Front;
use found::{Found, check, check_on_the_pbx, check_with_program};

#[path = "check_goes_and_looks/found.rs"]
mod found;
#[path = "check_goes_and_looks/share.rs"]
mod share;

/// The secrets are the service's alone.
fn closed(crm: &StandIn, asterisk: &Asterisk) -> Folder {
    let folder = crate::lab::configuration::folder(crm, asterisk);
    for secret in ["superoffice.password", "ari.password"] {
        fs::set_permissions(folder.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// Only `[web]` beside this source.
fn with_source(lines: &str) -> Folder {
    crm_folder(&(superoffice(lines) + "[web]\nlisten = \"127.0.0.1:0\"\n"))
}

const PBX: &str = "[[asterisk]] pbx1";
const CRM: &str = "[[source]] crm";

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_wrong_and_nothing_changed() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let asterisk = Asterisk::start("");
    let folder = closed(&crm, &asterisk);
    let sections = format!(
        "\n[agi]\nlisten = \"{}\"\n[web]\nlisten = \"127.0.0.1:{}\"\n",
        asterisk.agi(),
        free_tcp_port()
    );
    folder.configure(&(config(&crm.api_url(), &asterisk.http_url()) + &sections));
    let found = check_on_the_pbx(&folder, &asterisk);
    for (place, what) in [
        (CRM, "it answers: entries: 4, in "),
        (PBX, "answers will go over the websocket, because it answers requests there"),
        (PBX, "all modules that are needed run"),
        (PBX, "the user nameplate may send calls on"),
        (PBX, "nobody has the app nameplate yet"),
        ("the context nameplate", "it is loaded, with version 1 of the protocol"),
        ("Asterisk's HTTP server", "it listens where pbx1 is asked"),
        ("[agi] 127.0.0.1:", "the port is free"),
        ("[web] 127.0.0.1:", "the port is free"),
        ("open files", "as many as it may need"),
        ("state_dir ", "can be made"),
    ] {
        found.has("ok", place, what);
    }
    let conf = asterisk.dir().join("asterisk.conf").display().to_string();
    found.has("ok", &conf, "live_dangerously is off");
    assert_eq!((found.count("warning"), found.count("error")), (0, 0), "{}", found.all());
    assert_eq!(found.status(), Some(0));
    assert!(!found.all().contains(asterisk.ari_password()), "{}", found.all());
    // One question, and no application is left.
    assert_eq!(crm.count(), 1);
    asterisk.wait_without_apps();
    assert!(!folder.path("state").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_asks_nobody() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = with_source(&onsite(&crm.api_url()));
    let status = tokio::task::block_in_place(|| folder.run(&["check", "--offline"])).status;
    assert_eq!((status.code(), crm.count()), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_is_said_last_in_one_line() {
    let folder = with_source(&onsite("http://127.0.0.1:9/api"));
    let output = tokio::task::block_in_place(|| folder.run(&["check"]));
    let said = String::from_utf8_lossy(&output.stdout);
    let levels: Vec<_> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let place = |level: &str| levels.iter().position(|found| *found == level).expect(level);
    assert!(place("ok") < place("warning") && place("warning") < place("error"), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error    [[source]] crm: can't reach it"), "{said}");
    assert!(last.contains(" — its list does not come;") && last.contains(" — compare `api`"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_superoffice_is_said() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = with_source(&onsite(&crm.api_url()));
    for (fault, what) in [
        (Fault::status(401), "it refuses the credential (401"),
        (Fault::status(500), "it answers 500"),
        (Fault::login_page(), "the answer is no collection of caller ids"),
        (Fault::null(), "the call failed inside SuperOffice"),
        (Fault::retry_after(503, "7"), "it answers 503"),
    ] {
        crm.fail(fault);
        let found = check(&folder);
        found.has("error", CRM, what);
        assert_eq!(found.status(), Some(1), "{}", found.all());
    }
    crm.heal();
    folder.write("superoffice.password", "x");
    check(&folder).has("error", CRM, "it refuses the credential (401");
    for (api, what) in [
        ("http://nobody.invalid/api".to_owned(), "its name can't be resolved"),
        (format!("http://{}/elsewhere", crm.address()), "it answers 404"),
    ] {
        check(&with_source(&onsite(&api))).has("error", CRM, what);
    }
    let front = Front::start(&Certificate::signed(30), crm.address()).await;
    let api = format!("https://{}/SuperOffice/api", front.address());
    check(&with_source(&onsite(&api))).has("error", CRM, "TLS: no trusted authority has signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superoffice_that_does_not_answer_is_waited_for_less_than_ten_seconds() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.fail(Fault::Silent);
    check(&with_source(&onsite(&crm.api_url()))).has("error", CRM, "it has not begun to answer within 9 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_lists_and_records_that_cannot_be_used_are_warnings() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    let folder = with_source(&onsite(&crm.api_url()));
    let found = check(&folder);
    found.has("warning", CRM, "the window is empty: this user has no activities with anybody, 365 days back");
    assert_eq!(found.status(), Some(0), "{}", found.all());
    crm.set_selection(7, fjord());
    crm.set_selection(8, Vec::new());
    let selections = format!("{}\nselections = [7, 8, 9]", onsite(&crm.api_url()));
    let found = check(&with_source(&selections));
    found.has("ok", "[[source]] crm, selection 7", "entries: 4");
    found.has("warning", "[[source]] crm, selection 8", "the selection is empty");
    let mut records = fjord();
    records.push(Record::person(47, 0, (9, "Nobody"), (0, "")));
    crm.set_records(records);
    found.has("error", "[[source]] crm, selection 9", "");
    check(&folder).has("warning", CRM, "1 records can't be used: 1 zero");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_a_warning() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let answer = Answer::json(200, &br#"{"CallerIDHash":"1","CallerIDs":[]}"#[..]);
    crm.fail(Fault::Answer(answer.with("Date", "Fri, 31 Jul 2026 12:00:00 GMT")));
    check(&with_source(&onsite(&crm.api_url()))).has("warning", CRM, "ahead of the server's: set it (NTP)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_not_asterisks_is_a_warning() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let asterisk = Asterisk::start("");
    let folder = closed(&crm, &asterisk);
    folder.configure(&config(
        &crm.api_url(),
        &format!("http://{}", another_date::before(asterisk.http()).await),
    ));
    let found = check(&folder);
    found.has("warning", PBX, "ahead of the server's: set it (NTP)");
    assert_eq!(found.status(), Some(0), "{}", found.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_tenant_is_said() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.set_credential(Credential::Bearer("8A:x".into()));
    crm.set_app_token("app token");
    let folder = with_source(&format!(
        "tenant = \"{TENANT}\"\nhost = \"{}\"\napp_token = \"app token\"\nauth = {{ type = \"bearer\", token = \"8A:x\" }}",
        crm.host()
    ));
    check(&folder).has("ok", CRM, "the tenant Cust12345 is in state Running");
    crm.login(|login| login.state = "OfflineMaintenance");
    check(&folder).has("error", CRM, "the tenant Cust12345 is in state OfflineMaintenance and not running");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_of_the_requests_is_that_of_the_session() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let muffled = Asterisk::start_with(&Setup { muffled: true, ..Setup::default() });
    let found = check(&closed(&crm, &muffled));
    found.has("ok", PBX, "answers will go over HTTP, because it answers no requests on the websocket");
    let old = asterisk_of("16", "");
    let found = check(&closed(&crm, &old));
    found.has("warning", PBX, "Asterisk 16.28.0");
    found.has("warning", PBX, "answers will go over HTTP");
    assert_eq!(found.status(), Some(0), "{}", found.all());
    // Asterisk 16 says it on its console only.
    let found = check_on_the_pbx(&closed(&crm, &old), &old);
    found.has("ok", PBX, "the user nameplate may send calls on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asterisk_refuses_is_said() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    for version in ["22", "16"] {
        let reader = Asterisk::start_with(&Setup {
            version: Some(version),
            extra_conf: &[("ari.conf", "read_only = yes")],
            ..Setup::default()
        });
        let folder = closed(&crm, &reader);
        let found = if version == "22" { check(&folder) } else { check_on_the_pbx(&folder, &reader) };
        found.has("error", PBX, "the user nameplate is read_only, and can't send calls on");
        assert_eq!(found.status(), Some(1));
        folder.write("ari.password", "another");
        check(&folder).has("error", PBX, "Asterisk refuses the user or the password (401)");
    }
    let off =
        Asterisk::start_with(&Setup { extra_conf: &[("http.conf", "enabled = no")], ..Setup::default() });
    let found = check_on_the_pbx(&closed(&crm, &off), &off);
    found.has("error", PBX, "can't reach Asterisk's HTTP server");
    found.has("error", "Asterisk's HTTP server", "it is off");
    let asterisk = Asterisk::start("");
    let folder = closed(&crm, &asterisk);
    folder.configure(&config(&crm.api_url(), &format!("http://127.0.0.1:{}", free_tcp_port())));
    let found = check_on_the_pbx(&folder, &asterisk);
    found.has("error", "Asterisk's HTTP server", "Enabled and Bound to 127.0.0.1:");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_do_not_run_are_named() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let modules = "noload = func_cut.so\nnoload = res_ari_applications.so";
    let asterisk =
        Asterisk::start_with(&Setup { extra_conf: &[("modules.conf", modules)], ..Setup::default() });
    let found = check(&closed(&crm, &asterisk));
    found.has("error", PBX, "modules that are needed do not run: res_ari_applications.so");
    found.has("error", PBX, "modules that are needed do not run: func_cut.so");
    let modules = "noload = res_ari_asterisk.so";
    let asterisk =
        Asterisk::start_with(&Setup { extra_conf: &[("modules.conf", modules)], ..Setup::default() });
    check(&closed(&crm, &asterisk)).has("unknown", PBX, "Asterisk does not list its modules");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_its_application() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let asterisk = Asterisk::start("");
    let web = format!("\n[web]\nlisten = \"127.0.0.1:{}\"\n", free_tcp_port());
    let folder = closed(&crm, &asterisk);
    folder.configure(&(config(&crm.api_url(), &asterisk.http_url()) + &web));
    let nameplate = folder.serve();
    nameplate.until_ready().await;
    nameplate.until_logged("web server listens", 1).await;
    let found = check(nameplate.folder());
    found.has("ok", PBX, "the app nameplate is connected, and the service of this state_dir runs");
    found.has("ok", "[web] 127.0.0.1:", "our running service listens there");
    found.has("ok", "open files", "the service may open as many as it may need");
    // What the service has not read yet.
    let another =
        config(&crm.api_url(), &asterisk.http_url()).replace("[[asterisk]]", "[[asterisk]]\napp = \"new\"");
    let changed = format!("{another}\n[web]\nlisten = \"127.0.0.1:{}\"\n", free_tcp_port());
    nameplate.folder().configure(&changed);
    let found = check(nameplate.folder());
    found.has("error", PBX, "the service runs, and is not connected with the app new");
    found.has("warning", "[web] 127.0.0.1:", "the port is free, though the service runs");
    // Another copy, which would take it.
    let other = closed(&crm, &asterisk);
    other.configure(&(config(&crm.api_url(), &asterisk.http_url()) + &web));
    let found = check(&other);
    found.has("warning", PBX, "another program has the app nameplate");
    found.has("error", "[web] 127.0.0.1:", "can't listen there, another program has the port");
    let log = nameplate.log();
    assert!(!log.contains("taken over") && !log.contains("not connected"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dialplan_lacks_is_said_on_the_pbx() {
    let _turn = Turn::beside().await;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let asterisk = Asterisk::start_with(&Setup {
        extra_conf: &[("asterisk.conf", "live_dangerously = yes"), ("http.conf", "sessionlimit = 20")],
        ..Setup::default()
    });
    let folder = closed(&crm, &asterisk);
    let config =
        config(&crm.api_url(), &asterisk.http_url()).replace("[[asterisk]]", "[[asterisk]]\napp = \"other\"");
    folder.configure(&format!("{config}\n[agi]\nlisten = \"127.0.0.1:{}\"\n", free_tcp_port()));
    let found = check_on_the_pbx(&folder, &asterisk);
    let context = "the context nameplate";
    found.has(
        "error",
        context,
        "it asks the apps nameplate, nameplate-1, nameplate-2, and `app` of pbx1 is other",
    );
    found.has("error", context, "its AGI() asks at 127.0.0.1:");
    found.has("warning", "/", "live_dangerously is on");
    found.has("warning", "/", "sessionlimit is 20, and Nameplate takes up to 33 sessions");
    asterisk.cli("dialplan remove extension skipped@nameplate");
    let found = check_on_the_pbx(&folder, &asterisk);
    found.has("error", context, "it is of another version, or changed: it lacks 'skipped'");
    asterisk.cli("dialplan remove context nameplate");
    check_on_the_pbx(&folder, &asterisk).has("error", context, "it is not loaded");
    // Without Asterisk's console nothing of that is known.
    folder.write("bin/asterisk", "#!/bin/sh\necho 'Unable to connect to remote asterisk' >&2\nexit 1\n");
    check_with_program(&folder).has("unknown", "Asterisk's console", "it can't be asked (Unable to connect");
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_looked_at_too() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = with_source(&onsite(&crm.api_url()));
    let config = fs::read_to_string(folder.path("nameplate.toml")).unwrap();
    folder.write("nameplate.toml", config.replace("[web]\n", "[web]\ntoken = \"fifteen-letters\"\n"));
    fs::set_permissions(folder.path("superoffice.password"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut few = Command::new("prlimit");
    few.arg("--nofile=64:64");
    let found = Found::of(tokio::task::block_in_place(|| folder.run_behind(few, &[], &["check", "--json"])));
    found.has("warning", "open files", "may open 64 files, and may need");
    found.has("warning", "[[source]] crm: password", "(mode 644)");
    found.has("warning", "[web] 127.0.0.1", "the token has 15 characters: fewer than 16 can be guessed");
    assert_eq!(found.status(), Some(0), "{}", found.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_is_an_error() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = with_source(&onsite(&crm.api_url()));
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate.signal("STOP");
    check(nameplate.folder()).has("error", "/", "it is stopped, or hangs");
}
