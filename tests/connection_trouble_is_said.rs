//! What keeps the service from a PBX that is there is said in words, and the connection is made once it is mended.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Lab, Turn, asterisk_of, fjord, from_trunk};
use crate::lab::configuration::folder;
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::superoffice::StandIn;

/// The longest wait after a refusal, and a little.
const SLOWLY: Duration = Duration::from_secs(40);

/// On this version of Asterisk, with this in its configuration.
async fn lab_with(version: &str, extra_conf: &[(&str, &str)]) -> Lab {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dialplan = &from_trunk("Gosub(nameplate,lookup,1)", &phone.uri());
    let asterisk =
        Asterisk::start_with(&Setup { dialplan, version: Some(version), extra_conf, ..Setup::default() });
    Lab::around(turn, fjord(), asterisk, phone).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_again_slowly_and_read_anew() {
    wrong_password("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_again_slowly_and_read_anew_by_an_old_asterisk() {
    wrong_password("16").await;
}

async fn wrong_password(version: &str) {
    let turn = Turn::beside().await;
    let asterisk = asterisk_of(version, "");
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = folder(&crm, &asterisk);
    folder.write("ari.password", "an old one");
    let nameplate = folder.serve();
    let refused = "not connected: Asterisk refuses the user or the password (401): compare with ari.conf";
    nameplate.until_logged(refused, 1).await;
    // From here on it waits, and nobody is to wait for it.
    drop(turn);
    let begun = Instant::now();
    nameplate.folder().write("ari.password", asterisk.ari_password());
    nameplate.until_logged_within(SLOWLY, "connected; answers go over", 1).await;
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(14), "tried again after {took:?}");
    assert_eq!(nameplate.log().matches("not connected:").count(), 1, "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_read() {
    may_only_read("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_an_old_asterisk_who_may_only_read() {
    may_only_read("16").await;
}

async fn may_only_read(version: &str) {
    let _turn = Turn::beside().await;
    // At the end of the user's section.
    let extra_conf = &[("ari.conf", "read_only = yes")];
    let asterisk = Asterisk::start_with(&Setup { version: Some(version), extra_conf, ..Setup::default() });
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = folder(&crm, &asterisk).serve();
    nameplate.until_logged("Asterisk forbids this user to do anything but read (403)", 1).await;
    // Not again and again.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = nameplate.log();
    assert_eq!(log.matches("not connected:").count(), 1, "{log}");
    assert!(!log.contains("connected; answers"), "{log}");
    // It never had the application, which would have held calls.
    assert!(!asterisk.log().contains("Stasis app 'nameplate'"), "{}", asterisk.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_sessionlimit() {
    sessions_are_used_up("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_sessionlimit_of_an_old_asterisk() {
    sessions_are_used_up("16").await;
}

async fn sessions_are_used_up(version: &str) {
    let conf = ("http.conf", "sessionlimit = 5\nsession_inactivity = 60000");
    let lab = lab_with(version, &[conf]).await;
    // The service is away, and somebody else takes what there is.
    let nameplate = folder(&lab.crm, &lab.asterisk);
    lab.nameplate.signal("KILL");
    let mut others = Vec::new();
    // Asterisk lets the killed service's sessions go a little later, and closes at once what is too much.
    loop {
        let mut other = TcpStream::connect(lab.asterisk.http()).await.expect("a session");
        let is_open = timeout(Duration::from_millis(300), other.read(&mut [0])).await.is_err();
        match (is_open, others.len()) {
            (true, _) => others.push(other),
            (false, 5) => break,
            (false, _) => {}
        }
    }
    let nameplate = nameplate.serve();
    nameplate.until_logged("is `sessionlimit` of http.conf reached", 1).await;
    assert!(!nameplate.log().contains("connected; answers"), "{}", nameplate.log());

    drop(others);
    nameplate.until_ready().await;
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asterisk_that_is_booting() {
    boots_slowly("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_asterisk_that_is_booting() {
    boots_slowly("16").await;
}

/// Its HTTP server is there long before its dialplan is read, and turns everybody away until all is.
async fn boots_slowly(version: &str) {
    let slow = ("extensions.conf", "#exec \"/bin/sleep 4\"");
    let lab = lab_with(version, &[("asterisk.conf", "execincludes = yes"), slow]).await;
    lab.asterisk.cli("core restart now");
    lab.nameplate.until_logged("not connected: Asterisk is not ready (503)", 1).await;
    lab.nameplate.until_logged("connected; answers go over", 2).await;
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
}
