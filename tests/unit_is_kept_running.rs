//! The shipped unit under a real systemd, on a clean Debian 12 and 13, with all of its sandbox: systemd knows when the service is
//! ready and how it is, gives it its credentials, starts it again when it hangs, and stops it while it is used. The service resolves
//! names and asks a CRM over TLS.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lab::call::fjord;
use crate::lab::certificate::Certificate;
use crate::lab::configuration::CRM_PASSWORD;
use crate::lab::package::{self, NEW};
use crate::lab::superoffice::StandIn;
use crate::lab::systemd::Debian;
use crate::lab::tls::Front;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// The service reads both secrets as credentials: their files are root's alone.
fn config(port: u16) -> String {
    format!(
        r#"
[numbers]
country = "NO"

[[source]]
name = "crm"
type = "superoffice"
api = "https://{}:{port}/SuperOffice/api"
ca_file = "authority.pem"
auth = {{ type = "basic", username = "nameplate", password_credential = "superoffice" }}
refresh = "1s"

[web]
listen = "127.0.0.1:8480"
token_credential = "web"
"#,
        Certificate::HOST
    )
}

/// What an administrator adds to the unit; a hung service is noticed sooner than with the shipped 20 s.
const DROP_IN: &str = "[Service]\nLoadCredential=superoffice:/etc/nameplate/superoffice.password\n\
                       LoadCredential=web:/etc/nameplate/web.token\nWatchdogSec=3\n";

/// A name server that knows one host.
struct NameServer {
    asked: Arc<AtomicUsize>,
}

impl NameServer {
    fn start(address: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((address, 53)).expect("port 53, for which root's rights are needed");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        // It ends with the process.
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = socket.send_to(&answer(&question[..length], address), client);
            }
        });
        Self { asked }
    }
}

/// RFC 1035 §4.1: the header, the question, and for type A the address.
fn answer(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let name = question[12..].iter().position(|length| *length == 0).expect("a name") + 13;
    let is_a = question[name..name + 2] == [0, 1];
    let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(&question[12..name + 4]);
    if is_a {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    answer
}

/// What the service answers to a request with this token.
fn lookup(token: &str) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/8480 &&
         printf 'GET /lookup?number=22334455 HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nAuthorization: Bearer {token}\\r\\nConnection: close\\r\\n\\r\\n' >&3 &&
         cat <&3"
    )
}

async fn is_kept_running(version: &'static str) {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let certificate = Certificate::signed(30);
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        let debian = Debian::boot(version, package::folder());
        let address = debian.link();
        let names = NameServer::start(address);
        let front = runtime.block_on(Front::start_at(address, &certificate, crm.address()));
        install(&debian, address, &front, &certificate);
        named_when_started(&debian, &names);
        says_how_it_is(&debian);
        started_again_when_it_hangs(&debian);
        stops_while_it_is_used(&debian);
    })
    .await
    .expect("all of it");
}

fn install(debian: &Debian, address: Ipv4Addr, front: &Front, certificate: &Certificate) {
    let SocketAddr::V4(front) = front.address() else { panic!("{}", front.address()) };
    let package = package::name(NEW);
    debian
        .good(&format!("dpkg --install /shared/{package} && echo 'nameserver {address}' >/etc/resolv.conf"));
    debian.write("/etc/nameplate/nameplate.toml", &config(front.port()));
    debian.write("/etc/nameplate/authority.pem", &certificate.authority);
    debian.write("/etc/nameplate/superoffice.password", CRM_PASSWORD);
    debian.write("/etc/nameplate/web.token", "of-the-web");
    debian.write("/etc/systemd/system/nameplate.service.d/credentials.conf", DROP_IN);
    debian.good(
        "cd /etc/nameplate && chgrp nameplate nameplate.toml authority.pem && chmod 0640 nameplate.toml authority.pem &&
         chmod 0600 superoffice.password web.token && systemctl daemon-reload",
    );
}

fn named_when_started(debian: &Debian, names: &NameServer) {
    debian.good("systemctl start nameplate");
    debian.until(&format!("grep -q '{KARI}' <<<\"$({})\"", lookup("of-the-web")));
    assert!(names.asked.load(Ordering::Relaxed) > 0, "the CRM's host was not looked up");
    let refused = debian.good(&lookup("of-nobody"));
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    // Ready means that the lists on disk are served: the first request after a start has its name.
    debian.until("test -s /var/lib/nameplate/lists/crm.list");
    for _ in 0..3 {
        let answer = debian.good(&format!("systemctl restart nameplate && {}", lookup("of-the-web")));
        assert!(answer.contains(KARI), "{answer}");
    }
    let exposure =
        "systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/nameplate.service";
    debian.good(exposure);
}

fn says_how_it_is(debian: &Debian) {
    debian.until("systemctl show nameplate --property StatusText | grep -qE 'StatusText=[0-9]+ numbers; crm [0-9]+ s old'");
}

fn started_again_when_it_hangs(debian: &Debian) {
    let before = debian.good("systemctl show nameplate --property MainPID --value");
    debian.good(&format!("kill -STOP {before}"));
    debian.until(&format!(
        "test $(systemctl show nameplate --property MainPID --value) != {before} && systemctl is-active nameplate &&
         journalctl --unit nameplate | grep -q 'Watchdog timeout'"
    ));
    let answer = debian.good(&lookup("of-the-web"));
    assert!(answer.contains(KARI), "{answer}");
}

fn stops_while_it_is_used(debian: &Debian) {
    let request = lookup("of-the-web").replace("Connection: close\\r\\n", "");
    let load =
        format!("for _ in {{1..40}}; do (while ( {request} ) >/dev/null 2>&1; do :; done) & done; sleep 1");
    debian.good(&format!("({load}; systemctl stop nameplate) 3>&- >/dev/null 2>&1"));
    let ended = debian
        .good("systemctl show nameplate --property Result --property ExecMainStatus --property ActiveState");
    assert_eq!(ended, "Result=success\nExecMainStatus=0\nActiveState=inactive");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_debian_12() {
    is_kept_running("12").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_debian_13() {
    is_kept_running("13").await;
}
