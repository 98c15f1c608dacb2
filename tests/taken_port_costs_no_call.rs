//! A port that another program has costs no call: whatever else is served goes on, the log, `/readyz` and `/metrics` say so,
//! and the port is taken as soon as it is free. And whoever looks for that other program at a port of ours is sent away at once.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::lab::call::{Lab, Turn, fjord, from_trunk};
use crate::lab::comparison::AT_ONCE;
use crate::lab::configuration::csv_folder;
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::Nameplate;
use crate::lab::network::Network;
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;
use crate::lab::web::{self, get, metric};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
const FREE: &str = "FastAGI server listens";

/// A port that is somebody else's while this lives.
fn taken() -> (TcpListener, SocketAddr) {
    let holder = TcpListener::bind(("127.0.0.1", free_tcp_port())).expect("a port");
    let address = holder.local_addr().expect("bound");
    (holder, address)
}

/// ARI for extension 100, FastAGI for 200; `sections` are made for FastAGI's address.
async fn lab(sections: impl FnOnce(SocketAddr) -> String) -> (Lab, TcpListener) {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = from_trunk("Gosub(nameplate,lookup,1)", &phone.uri())
        + &format!(
            "exten => 200,1,Gosub(nameplate,lookup-agi,1)\n same => n,Dial(PJSIP/operator/{0},30)\n same => n,Hangup()\n\
             exten => 300,1,AGI(agi://127.0.0.1:4577/dialparties.agi,101)\n same => n,Dial(PJSIP/operator/{0},30)\n same => n,Hangup()\n",
            phone.uri()
        );
    let asterisk = Way::Websocket.asterisk(&dialplan);
    let holder = TcpListener::bind(asterisk.agi()).expect("FastAGI's port");
    let sections = sections(asterisk.agi());
    let lab = Lab::configured(Way::Websocket, "", &sections, turn, fjord(), asterisk, phone).await;
    (lab, holder)
}

async fn name(lab: &Lab, to: &str) -> String {
    lab.ring(Invite::from("22334455").named("OSLO").to(to)).await.1.name().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fastagi() {
    let (lab, holder) =
        lab(|agi| format!("[agi]\nlisten = \"{agi}\"\n[web]\nlisten = \"127.0.0.1:0\"\n")).await;
    let agi = lab.asterisk.agi();
    assert_eq!(name(&lab, "100").await, KARI);
    // Whoever has the port does not answer: the dialplan's bound holds.
    assert_eq!(name(&lab, "200").await, "OSLO");
    lab.nameplate
        .until_logged(&format!("ERROR [agi] listen = \"{agi}\": can't listen there, another"), 1)
        .await;
    let web = web::address(&lab.nameplate).await;
    let ready = get(web, "/readyz", "");
    assert_eq!(ready.status, 200);
    assert!(
        ready.body.contains("asterisk agi is unreachable: its port can't be listened on"),
        "{}",
        ready.body
    );
    assert_eq!(metric(web, "nameplate_listening{section=\"agi\"}"), 0.0);
    assert_eq!(metric(web, "nameplate_listening{section=\"web\"}"), 1.0);
    assert_eq!(metric(web, "nameplate_asterisk_connected{pbx=\"agi\"}"), 0.0);
    assert!(metric(web, "nameplate_listen_failures_total{section=\"agi\"}") >= 1.0);

    drop(holder);
    lab.nameplate.until_logged(FREE, 1).await;
    assert_eq!(name(&lab, "200").await, KARI);
    assert_eq!(web::until(web, "/readyz", |answer| answer.body == "ready\n").await.status, 200);
    assert_eq!(metric(web, "nameplate_listening{section=\"agi\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_web_server() {
    let (holder, address) = taken();
    let (lab, _agi) = lab(|_| format!("[web]\nlisten = \"{address}\"\n")).await;
    lab.nameplate
        .until_logged(&format!("ERROR [web] listen = \"{address}\": can't listen there, another"), 1)
        .await;
    assert_eq!(name(&lab, "100").await, KARI);
    drop(holder);
    assert_eq!(web::address(&lab.nameplate).await, address);
    assert_eq!(get(address, "/readyz", "").body, "ready\n");
    assert!(metric(address, "nameplate_listen_failures_total{section=\"web\"}") >= 1.0);
    assert_eq!(metric(address, "nameplate_listening{section=\"web\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_a_token_that_cannot_be_read_yet() {
    let (lab, _agi) = lab(|_| "[web]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"web.token\"\n".into()).await;
    lab.nameplate.until_logged("ERROR [web]: can't read the secret in", 1).await;
    assert_eq!(name(&lab, "100").await, KARI);
    lab.nameplate.folder().write("web.token", "s3cret\n");
    let address = web::address(&lab.nameplate).await;
    assert_eq!(get(address, "/readyz", "").status, 401);
    assert_eq!(get(address, "/readyz", "Authorization: Bearer s3cret\r\n").body, "ready\n");
}

/// An address that a machine which boots gets a little later.
#[tokio::test(flavor = "multi_thread")]
async fn of_an_address_that_comes_later() {
    let network = Network::new();
    let agi = "[agi]\nlisten = \"192.0.2.9:4577\"\nallow = [\"192.0.2.0/24\"]\n";
    let nameplate = csv_folder(&format!("[web]\nlisten = \"127.0.0.1:0\"\n{agi}"), "").serve_in(&network);
    nameplate.until_logged("this machine does not have the address, or not yet", 1).await;
    nameplate.until_logged("directory is in place", 1).await;
    let mut ip = network.inside();
    let added = ip.args(["ip", "addr", "add", "192.0.2.9/32", "dev", "lo"]).status();
    assert!(added.is_ok_and(|status| status.success()));
    nameplate.until_logged("FastAGI server listens address=192.0.2.9:4577", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_ends_only_where_nothing_is_left_to_serve() {
    let (_holder, one) = taken();
    let (_other, two) = taken();
    let mut nameplate =
        csv_folder(&format!("[agi]\nlisten = \"{one}\"\n[web]\nlisten = \"{two}\"\n"), "").serve();
    assert_eq!(nameplate.ended().await.code(), Some(1));
    for what in [format!("[agi] listen = \"{one}\": can't"), format!("[web] listen = \"{two}\": can't")] {
        assert!(nameplate.log().contains(&what), "{}", nameplate.log());
    }
    // Either alone is something to serve.
    for (agi, web) in [(one.to_string(), "127.0.0.1:0"), ("127.0.0.1:0".into(), two.to_string().as_str())] {
        let mut nameplate =
            csv_folder(&format!("[agi]\nlisten = \"{agi}\"\n[web]\nlisten = \"{web}\"\n"), "").serve();
        nameplate.until_logged("it is tried again every 3 s", 1).await;
        nameplate.until_logged("directory is in place", 1).await;
        assert!(nameplate.is_running());
        nameplate.signal("TERM");
        assert!(nameplate.ended().await.success(), "{}", nameplate.log());
    }
}

/// As FreePBX does, which has a FastAGI server of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_of_another_server_is_said_and_its_call_goes_on() {
    let (lab, holder) =
        lab(|agi| format!("[agi]\nlisten = \"{agi}\"\n[web]\nlisten = \"127.0.0.1:0\"\n")).await;
    drop(holder);
    lab.nameplate.until_logged(FREE, 1).await;
    let web = web::address(&lab.nameplate).await;
    assert_eq!(metric(web, "nameplate_agi_foreign_scripts_total"), 0.0);
    let comparison = lab.compare(&Invite::from("22334455").named("OSLO").to("300"), AT_ONCE).await;
    comparison.assert("OSLO", Duration::from_millis(100));
    lab.nameplate
        .until_logged("a call wants the script `dialparties.agi`, which is none of nameplate's", 1)
        .await;
    assert_eq!(metric(web, "nameplate_agi_foreign_scripts_total"), 5.0);
    assert_eq!(metric(web, "nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"}"), 5.0);
    // Once, not five times.
    assert_eq!(lab.nameplate.log().matches("dialparties.agi").count(), 1, "{}", lab.nameplate.log());
    assert_eq!(name(&lab, "200").await, KARI);
}

/// A context of the version before says port 4573, where the service listens no longer.
#[tokio::test(flavor = "multi_thread")]
async fn the_default_that_has_moved_is_said_at_the_start() {
    let said = |nameplate: &Nameplate| nameplate.log().contains("[agi] has no `listen`");
    let silent = csv_folder("[agi]\nlisten = \"127.0.0.1:0\"\n", "").serve();
    silent.until_logged("directory is in place", 1).await;
    assert!(!said(&silent), "{}", silent.log());
    let folder = csv_folder("[agi]\nmax_sessions = 5\n[web]\nlisten = \"127.0.0.1:0\"\n", "");
    let checked = String::from_utf8_lossy(&folder.run(&["check"]).stdout).into_owned();
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    assert!(said(&nameplate), "{}", nameplate.log());
    for words in ["127.0.0.1:4577", "4573", "AGI(agi://127.0.0.1:4577/handoff,${ARG1})"] {
        assert!(nameplate.log().contains(words), "{words}: {}", nameplate.log());
        assert!(checked.contains(words), "{words}: {checked}");
    }
}
