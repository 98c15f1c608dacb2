//! An Asterisk that speaks TLS is served over `https` and `wss`, and a SuperOffice is asked, when its certificate is to be
//! trusted; when it is not, the log says what is wrong with it: of both by the same rules, in the same words.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Turn, fjord, from_trunk, ring};
use crate::lab::certificate::Certificate;
use crate::lab::configuration::{crm_folder, csv_folder, onsite, superoffice_alone};
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::superoffice::StandIn;
use crate::lab::tls::Front;

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
            "not for localhost: the address needs a host that stands in it",
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
    assert!(
        log.contains("is not signed by the authority that it names: `ca_file` may be an older one"),
        "{log}"
    );
    let folder = nameplate.folder();
    let without = std::fs::read_to_string(folder.path("nameplate.toml")).expect("it is there");
    folder.write("nameplate.toml", without.replace("ca_file", "# ca_file"));
    let nameplate = nameplate.again();
    nameplate.until_logged("TLS: no trusted authority has signed the server's certificate", 1).await;
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
        let output = folder.run(&["check", "--offline"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, said) = check();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("error    [[asterisk]] pbx1: ca_file: can't read ca_file"), "{said}");
    folder.write("pbx.pem", Certificate::self_signed(30).authority);
    let (status, said) = check();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("ok       [[asterisk]] pbx1: ca_file: "), "{said}");
}

/// A SuperOffice with a certificate.
struct Crm {
    stand_in: StandIn,
    front: Front,
}

impl Crm {
    async fn with(certificate: &Certificate) -> Self {
        let stand_in = StandIn::start(fjord()).await.expect("the stand-in");
        let front = Front::start(certificate, stand_in.address()).await;
        Self { stand_in, front }
    }

    fn api(&self) -> String {
        let (own, front) = (self.stand_in.address().to_string(), self.front.address().to_string());
        self.stand_in.api_url().replace("http:", "https:").replace(&own, &front)
    }

    /// A folder for it; `trusted` is in its `ca_file`.
    fn folder(&self, trusted: Option<&str>) -> Folder {
        let ca_file = if trusted.is_some() { "\nca_file = \"crm.pem\"" } else { "" };
        let folder = crm_folder(&superoffice_alone(&(onsite(&self.api()) + ca_file)));
        folder.write("crm.pem", trusted.unwrap_or_default());
        folder
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_that_has_signed_itself_or_has_an_authority_is_trusted_where_that_is_given() {
    for certificate in [Certificate::self_signed(30), Certificate::signed(30)] {
        let crm = Crm::with(&certificate).await;
        let nameplate = crm.folder(Some(&certificate.authority)).serve();
        nameplate.until_logged("new list", 1).await;
        // By the command alone as well, and `check` finds nothing wrong with it.
        let folder = crm.folder(Some(&certificate.authority));
        for (command, said) in [
            ("refresh", "crm: 4 entries"),
            ("check", "ok       [[source]] crm: ca_file: "),
            ("check", "ok       [[source]] crm: it answers: entries: 4"),
        ] {
            let output = tokio::task::block_in_place(|| folder.run(&[command]));
            let out = String::from_utf8_lossy(&output.stdout).into_owned();
            // The PBX is not there.
            assert!((output.status.success() || command == "check") && out.contains(said), "{out}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_crms_is_said_in_the_same_words() {
    let own = Certificate::self_signed(30);
    let crm = Crm::with(&own).await;
    let expired = Certificate::self_signed(0);
    let expired_crm = Crm::with(&expired).await;
    let stranger = Crm::with(&Certificate::signed(30)).await;
    let plain = answers_in_clear().await;
    for (folder, said) in [
        (crm.folder(None), "TLS: the server's certificate is signed by itself: give it as `ca_file`"),
        (expired_crm.folder(Some(&expired.authority)), "TLS: the server's certificate expired on 20"),
        (stranger.folder(None), "TLS: no trusted authority has signed the server's certificate"),
        (
            crm_folder(&superoffice_alone(&onsite(&format!("https://{plain}/api")))),
            "TLS: no TLS is spoken at this port",
        ),
        (
            elsewhere_folder(&crm, &own.authority),
            "not for localhost: the address needs a host that stands in it",
        ),
    ] {
        let nameplate = folder.serve();
        nameplate.until_logged("refresh failed", 1).await;
        let log = nameplate.log();
        assert!(log.contains(said), "{said}\n{log}");
    }
}

/// A server that knows no TLS, as most do that are asked for it.
async fn answers_in_clear() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            // What is unread at the close would reset the connection, and the answer with it.
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    address
}

/// The same under another name than the certificate has.
fn elsewhere_folder(crm: &Crm, trusted: &str) -> Folder {
    let api = crm.api().replace("127.0.0.1", "localhost");
    let folder = crm_folder(&superoffice_alone(&(onsite(&api) + "\nca_file = \"crm.pem\"")));
    folder.write("crm.pem", trusted);
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crms_certificate_is_read_again_when_its_file_has_changed() {
    let certificate = Certificate::self_signed(30);
    let crm = Crm::with(&certificate).await;
    let nameplate = crm.folder(Some(&Certificate::self_signed(30).authority)).serve();
    nameplate.until_logged("refresh failed, what is known stays: TLS: ", 1).await;
    nameplate.folder().write("crm.pem", &certificate.authority);
    nameplate.until_logged("new list", 1).await;
    // Trust that is taken back ends with the connections that it made, and a file that is missing is said.
    nameplate.folder().write("crm.pem", Certificate::self_signed(30).authority);
    nameplate.until_logged("refresh failed, what is known stays: TLS: ", 2).await;
    std::fs::remove_file(nameplate.folder().path("crm.pem")).expect("it is there");
    nameplate.until_logged("refresh failed, what is known stays: can't read ca_file", 1).await;
    nameplate.folder().write("crm.pem", &certificate.authority);
    nameplate.until_logged("answers again", 2).await;
}

/// Names that are on disk are served, and the file may come later.
#[tokio::test(flavor = "multi_thread")]
async fn a_crms_file_that_is_missing_at_the_start_takes_no_name() {
    let certificate = Certificate::self_signed(30);
    let crm = Crm::with(&certificate).await;
    let nameplate = crm.folder(Some(&certificate.authority)).serve();
    nameplate.until_logged("new list", 1).await;
    std::fs::remove_file(nameplate.folder().path("crm.pem")).expect("it is there");
    let nameplate = nameplate.again();
    nameplate.until_logged("directory is in place numbers=3 lists=from disk", 1).await;
    nameplate.until_logged("can't read ca_file", 1).await;
    nameplate.folder().write("crm.pem", &certificate.authority);
    nameplate.until_logged("answers again", 1).await;
}
