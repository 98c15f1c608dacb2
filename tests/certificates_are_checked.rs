//! An Asterisk that speaks TLS is served over `https` and `wss` when its certificate is to be trusted; when it is not,
//! the log says what is wrong with it.

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Turn, from_trunk, ring};
use crate::lab::certificate::Certificate;
use crate::lab::configuration::csv_folder;
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::Nameplate;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// An Asterisk with this certificate, and the port of its HTTPS.
fn asterisk(version: &str, certificate: &Certificate, phone: &Phone) -> (Asterisk, u16) {
    let port = free_tcp_port();
    let tls = format!(
        "tlsenable = yes\ntlsbindaddr = 127.0.0.1:{port}\ntlscertfile = @DIR@/pbx.pem\ntlsprivatekey = @DIR@/pbx.pem"
    );
    let asterisk = Asterisk::start_with(&Setup {
        dialplan: &from_trunk("Gosub(nameplate,lookup,1)", &phone.uri()),
        version: Some(version),
        extra_conf: &[("http.conf", &tls), ("pbx.pem", &certificate.with_key)],
        ..Setup::default()
    });
    (asterisk, port)
}

/// The service, whose PBX is at `url`; `authority` is in `pbx.pem`.
fn nameplate(url: &str, authority: Option<&str>, asterisk: &Asterisk) -> Nameplate {
    let ca_file = if authority.is_some() { "ca_file = \"pbx.pem\"" } else { "" };
    let folder = csv_folder(
        &format!(
            "[[asterisk]]\nname = \"pbx1\"\nurl = \"{url}\"\nusername = \"nameplate\"\npassword = \"{}\"\n{ca_file}\n",
            asterisk.ari_password()
        ),
        "",
    );
    folder.write("pbx.pem", authority.unwrap_or_default());
    folder.serve()
}

async fn calls_have_names(version: &str, certificate: &Certificate) {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let (asterisk, port) = asterisk(version, certificate, &phone);
    let nameplate = nameplate(&format!("https://127.0.0.1:{port}"), Some(&certificate.authority), &asterisk);
    nameplate.until_ready().await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    for _ in 0..3 {
        let (_, ring) = ring(&caller, &phone, Invite::from("22334455"), || asterisk.log()).await;
        assert_eq!(ring.name(), KARI);
    }
    assert!(!nameplate.log().contains("WARN"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_signed_itself_is_trusted_where_it_is_given() {
    calls_have_names("22", &Certificate::self_signed(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_an_authority_that_is_given_is_trusted_also_over_http_alone() {
    calls_have_names("16", &Certificate::signed(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() {
    wrong_address("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_old_asterisk_is_said() {
    wrong_address("16").await;
}

async fn wrong_address(version: &str) {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let own = Certificate::self_signed(30);
    let (asterisk, port) = asterisk(version, &own, &phone);
    let plain = asterisk.http().port();
    for (url, authority, said) in [
        (
            format!("https://127.0.0.1:{port}"),
            None,
            "TLS: the server's certificate is signed by itself: give it as `ca_file`",
        ),
        (
            format!("https://localhost:{port}"),
            Some(own.authority.as_str()),
            "not for localhost: `url` needs a host that stands in it",
        ),
        (format!("https://127.0.0.1:{plain}"), None, "TLS: no TLS is spoken at this port"),
        (format!("http://127.0.0.1:{port}"), None, "or does this port speak https?"),
    ] {
        let nameplate = nameplate(&url, authority, &asterisk);
        nameplate.until_logged("not connected:", 1).await;
        let log = nameplate.log();
        assert!(log.contains(said), "{url}: {said}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_an_authority_that_nobody_knows_is_refused() {
    unknown_authority("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_an_authority_that_nobody_knows_is_refused_on_an_old_asterisk() {
    unknown_authority("16").await;
}

async fn unknown_authority(version: &str) {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let (asterisk, port) = asterisk(version, &Certificate::signed(30), &phone);
    let another = Certificate::signed(30);
    let nameplate = nameplate(&format!("https://127.0.0.1:{port}"), Some(&another.authority), &asterisk);
    nameplate.until_logged("not connected:", 1).await;
    let log = nameplate.log();
    // Two authorities of one name: the other one's signature does not match.
    assert!(log.contains("is not signed by whom it says: `ca_file` may be an older one"), "{log}");
    let folder = nameplate.folder();
    let without = std::fs::read_to_string(folder.path("nameplate.toml")).expect("it is there");
    folder.write("nameplate.toml", without.replace("ca_file", "# ca_file"));
    let nameplate = nameplate.again();
    nameplate.until_logged("TLS: nobody who is trusted here has signed the server's certificate", 1).await;
    assert!(!nameplate.log().contains("connected; answers"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_expired_is_refused_with_its_day() {
    expired("22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_expired_is_refused_with_its_day_on_an_old_asterisk() {
    expired("16").await;
}

async fn expired(version: &str) {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    for certificate in [Certificate::signed(0), Certificate::self_signed(0)] {
        let (asterisk, port) = asterisk(version, &certificate, &phone);
        let url = format!("https://127.0.0.1:{port}");
        let nameplate = nameplate(&url, Some(&certificate.authority), &asterisk);
        nameplate.until_logged("TLS: the server's certificate expired on 20", 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_certificates_is_found_by_check() {
    let folder = csv_folder(
        "[[asterisk]]\nname = \"pbx1\"\nurl = \"https://127.0.0.1:9\"\nusername = \"nameplate\"\npassword = \"x\"\nca_file = \"pbx.pem\"\n",
        "",
    );
    let check = || {
        let output = folder.run(&["check"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, said) = check();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("FAILED  [[asterisk]] pbx1: ca_file: can't read ca_file"), "{said}");
    folder.write("pbx.pem", Certificate::self_signed(30).authority);
    let (status, said) = check();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("ok      [[asterisk]] pbx1: ca_file: "), "{said}");
}
