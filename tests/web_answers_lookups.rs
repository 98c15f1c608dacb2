//! Whatever can ask over HTTP gets the name: a script, FreePBX's lookup source, a dialplan's `CURL()`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Turn, from_trunk, ring};
use crate::lab::configuration::{csv_folder, superoffice_alone};
use crate::lab::nameplate::{Folder, Nameplate, project};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone, Ring};
use crate::lab::web;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

fn folder(web: &str) -> Folder {
    csv_folder(&format!("[web]\n{web}"), "")
}

/// The service with a list of its own and nothing but the web server, which suffices as a way in.
async fn service() -> Nameplate {
    let nameplate = folder(r#"listen = "127.0.0.1:0""#).serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

#[tokio::test(flavor = "multi_thread")]
async fn as_text_and_as_the_command_lines_json() {
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    for number in ["22334455", "+4722334455", "%2B47%2022%2033%2044%2055", "004722334455"] {
        let answer = web::get(address, &format!("/lookup?number={number}"), "");
        assert_eq!((answer.status, answer.body.as_str()), (200, KARI), "{number}");
        assert!(answer.head.contains("text/plain; charset=utf-8"), "{}", answer.head);
    }
    let stranger = web::get(address, "/lookup?number=22999999", "");
    assert_eq!((stranger.status, stranger.body.as_str()), (404, ""));
    let swede = web::get(address, "/lookup?number=22334455&country=SE", "");
    assert_eq!(swede.status, 404);

    for (number, status) in [("22334455", 200), ("22999999", 404), ("anonymous", 404)] {
        let path = format!("/lookup?number={number}");
        let answer = web::get(address, &path, "Accept: application/json\r\n");
        assert_eq!(answer.status, status);
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        let output = nameplate.folder().run(&["lookup", number, "--json"]).stdout;
        let mut on_the_command_line = serde_json::from_slice::<Value>(&output).unwrap();
        // How it came about is for the administrator alone: it names what every list holds.
        assert!(on_the_command_line.as_object_mut().unwrap().remove("explanation").is_some());
        assert_eq!(said, on_the_command_line);
    }
    // Numbers are masked in the log, names are not in it.
    let log = nameplate.log();
    assert!(!log.contains("22334455") && !log.contains("Kari"), "{log}");
    assert!(log.contains("lookup over HTTP"), "{log}");
}

/// The dialplan of `docs/http-api.md`, for this server and this phone.
fn dialplan(address: SocketAddr, phone: &str) -> String {
    let page = std::fs::read_to_string(project().join("docs/http-api.md")).expect("the page");
    let block = page.split("```").find(|block| block.contains("Set(CRM=${CURL(")).expect("the dialplan");
    assert!(block.contains("127.0.0.1:8480") && block.contains("PJSIP/operator"), "{block}");
    let block = block.replace("127.0.0.1:8480", &address.to_string());
    format!("[from-trunk]{}", block.replace("PJSIP/operator", &format!("PJSIP/operator/{phone}")))
}

struct Calls {
    caller: Caller,
    phone: Phone,
    asterisk: Asterisk,
}

impl Calls {
    async fn through(dialplan: impl FnOnce(&str) -> String) -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let asterisk = Asterisk::start(&dialplan(&phone.uri()));
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        Self { caller, phone, asterisk }
    }

    async fn ring(&self, invite: Invite) -> (Duration, Ring) {
        let (call, ring) = ring(&self.caller, &self.phone, invite, || self.asterisk.log()).await;
        (ring.received.duration_since(call.sent()), ring)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_curl_of_a_real_asterisk() {
    let _turn = Turn::beside().await;
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    let calls = Calls::through(|phone| dialplan(address, phone)).await;
    for number in ["22334455", "+4722334455"] {
        let (_, ring) = calls.ring(Invite::from(number).named("OSLO")).await;
        assert_eq!(ring.name(), KARI, "{}", calls.asterisk.log());
    }
    // Of a stranger, and of one whose number is withheld, nothing is changed.
    let (_, ring) = calls.ring(Invite::from("22999999").named("OSLO")).await;
    assert_eq!(ring.name(), "OSLO");
    let withheld = Invite { withheld: true, ..Invite::from("22334455").named("OSLO") };
    let (_, ring) = calls.ring(withheld).await;
    assert_eq!(ring.name(), "Anonymous");
    nameplate.until_logged("lookup over HTTP", 3).await;
    assert_eq!(nameplate.log().matches("lookup over HTTP").count(), 3, "{}", nameplate.log());

    // Hung, the service costs CURL()'s own bound of a second; gone, nothing. A busy machine adds to both.
    nameplate.signal("STOP");
    let (took, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
    assert_eq!(ring.name(), "OSLO");
    assert!(took < Duration::from_secs(3), "{took:?}");
    drop(nameplate);
    let (took, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
    assert_eq!(ring.name(), "OSLO");
    assert!(took < Duration::from_millis(900), "{took:?}");
    calls.asterisk.wait_idle();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plain_line_shows_the_name_too() {
    let _turn = Turn::beside().await;
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    let line = format!("Set(CALLERID(name)=${{CURL(http://{address}/lookup?number=${{CALLERID(num)}})}})");
    let calls = Calls::through(|phone| from_trunk(&line, phone)).await;
    // Its plus sign is not encoded, and arrives as a blank.
    for number in ["22334455", "+4722334455"] {
        let (_, ring) = calls.ring(Invite::from(number)).await;
        assert_eq!(ring.name(), KARI, "{}", calls.asterisk.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_never_shown_as_a_name() {
    let _turn = Turn::beside().await;
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    let calls =
        Calls::through(|phone| dialplan(address, phone).replace("?number=", "?country=XX&number=")).await;
    let refused = web::get(address, "/lookup?country=XX&number=1", "");
    assert_eq!((refused.status, refused.body.as_str()), (400, ""));
    assert!(refused.head.contains("nameplate-error: `country`: \"xx\" is not a country"), "{}", refused.head);
    let (_, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
    assert_eq!(ring.name(), "OSLO");
    // Nor where the dialplan asks nothing else.
    let line = format!(
        "Set(CALLERID(name)=${{CURL(http://{address}/lookup?country=XX&number=${{CALLERID(num)}})}})"
    );
    let calls = Calls::through(|phone| from_trunk(&line, phone)).await;
    let (_, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
    assert!(["", "22334455"].contains(&ring.name()), "{}", ring.name());
}

/// FreeSWITCH's `mod_cidlookup`: digits only, no header but libcurl's. It looks at no status: up to 10,240 bytes of a body are a
/// name, but for an empty one, `UNKNOWN` and `UNAVAILABLE`.
#[tokio::test(flavor = "multi_thread")]
async fn what_freeswitch_sends() {
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    let taken = |number: &str| {
        let agent = "User-Agent: freeswitch-cidlookup/1.0\r\nAccept: */*";
        let head = format!("GET /lookup?number={number} HTTP/1.1\r\nHost: {address}\r\n{agent}\r\n\r\n");
        let answer = web::request(address, &head);
        // It follows a redirection.
        assert!(!(300..400).contains(&answer.status), "{answer:?}");
        answer.body
    };
    for number in ["4722334455", "22334455", "004722334455"] {
        assert_eq!(taken(number), KARI, "{number}");
    }
    // A stranger, no digits at all, more of them than a query holds.
    for number in ["4722999999", "22999999", "", &"4".repeat(600)] {
        assert_eq!(taken(number), "", "{number}");
    }
    // Before there is a directory.
    let starting = Folder::new(&format!("{}[web]\nlisten = \"127.0.0.1:0\"\n", superoffice_alone("api = \"http://127.0.0.1:9/api\"\nauth = { type = \"basic\", username = \"a\", password = \"b\" }"))).serve();
    let address = web::address(&starting).await;
    let answer = web::get(address, "/lookup?number=4722334455", "");
    assert_eq!((answer.status, answer.body.as_str()), (503, ""));
}

/// FreePBX's CID lookup source of type HTTP, with the path `/lookup` and a password: `CURL()` with both in the address.
#[tokio::test(flavor = "multi_thread")]
async fn what_freepbx_sends() {
    let _turn = Turn::beside().await;
    let folder = folder("listen = \"127.0.0.1:0\"\ntoken = \"s3cret\"");
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    let address = web::address(&nameplate).await;
    for (password, name) in [("s3cret", KARI), ("wrong", "")] {
        let url = format!("http://nameplate:{password}@{address}//lookup?number=${{CALLERID(num)}}");
        let line = format!("Set(CALLERID(name)=${{CURL({url})}})");
        let calls = Calls::through(|phone| from_trunk(&line, phone)).await;
        let (_, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), name, "{}", calls.asterisk.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut nameplate = folder(&format!("listen = \"{address}\"")).serve();
    assert_eq!(nameplate.ended().await.code(), Some(1));
    let log = nameplate.log();
    assert!(log.contains(&format!("[web] listen = \"{address}\": can't listen there")), "{log}");
    assert!(log.contains("in use"), "{log}");
}

#[test]
fn beyond_loopback_it_wants_a_token_that_can_be_read() {
    let open = folder(r#"listen = "0.0.0.0:0""#).run(&["serve"]);
    assert_eq!(open.status.code(), Some(2));
    let said = String::from_utf8_lossy(&open.stderr);
    assert!(said.contains("beyond loopback, where `token` is required"), "{said}");

    let missing = folder("listen = \"0.0.0.0:0\"\ntoken_file = \"web.token\"").run(&["serve"]);
    assert_eq!(missing.status.code(), Some(1));
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(said.contains("[web]: can't read the secret in") && said.contains("web.token"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_the_token_opens() {
    let folder = folder("listen = \"0.0.0.0:0\"\ntoken_file = \"web.token\"");
    folder.write("web.token", "s3cret-token\n");
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    let mut address = web::address(&nameplate).await;
    address.set_ip([127, 0, 0, 1].into());
    let get = |headers: &str| {
        let head = "GET /lookup?number=22334455 HTTP/1.1\r\nHost: pbx.example\r\n";
        web::request(address, &format!("{head}{headers}\r\n"))
    };
    assert_eq!(get("").status, 401);
    assert_eq!(get("Authorization: Bearer s3cret\r\n").status, 401);
    assert_eq!(get("Authorization: Bearer s3cret-token\r\n").body, KARI);
    assert!(!nameplate.log().contains("s3cret"), "{}", nameplate.log());

    let calls = Calls::through(|phone| {
        let header = "Set(CURLOPT(httpheader)=Authorization: Bearer s3cret-token)\n same => n,Set(CRM=";
        dialplan(address, phone).replace("Set(CRM=", header)
    })
    .await;
    let (_, ring) = calls.ring(Invite::from("22334455").named("OSLO")).await;
    assert_eq!(ring.name(), KARI, "{}", calls.asterisk.log());
}

/// Connections that say nothing, or begin a request and do not end it.
fn idle(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let begun = |connection: usize| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        if connection.is_multiple_of(2) {
            stream.write_all(b"GET /lookup?number=22334455 HTTP/1.1\r\nHost: loc").expect("it is taken");
        }
        stream
    };
    (0..count).map(begun).collect()
}

/// Before, 300 of them kept a lookup waiting for 5 s, and 600 for 10 s.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_connections_keeps_no_lookup_waiting() {
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    for count in [300, 600, 1_500] {
        let held = idle(address, count);
        for path in ["/lookup?number=22334455", "/healthz", "/lookup?number=22334455"] {
            let begun = Instant::now();
            let answer = web::get(address, path, "");
            assert_eq!(answer.status, 200, "{path} beside {count}: {answer:?}");
            assert!(begun.elapsed() < Duration::from_secs(4), "{path} beside {count}: {:?}", begun.elapsed());
        }
        drop(held);
    }
}

/// A rush of lookups is no attack: nobody's connection is taken away for the next one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_rush_of_lookups_has_all_its_names() {
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    // What has come while the service was stopped is there all at once.
    nameplate.signal("STOP");
    let request = format!("GET /lookup?number=22334455 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut waiting: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(address).expect("a connection");
            stream.write_all(request.as_bytes()).expect("it is taken");
            stream
        })
        .collect();
    nameplate.signal("CONT");
    for (place, stream) in waiting.iter_mut().enumerate() {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.ends_with(KARI), "{place}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_whole_request_ends_after_a_second() {
    let nameplate = service().await;
    let address = web::address(&nameplate).await;
    let mut held = idle(address, 2);
    for stream in &mut held {
        let begun = Instant::now();
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        // With whatever is said of it.
        let _ = stream.read_to_end(&mut Vec::new());
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}
