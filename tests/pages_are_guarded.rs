//! A stranger gets the login page or 401, and no name, on every path but `/healthz`. No page of another site gives orders, also in
//! the browser of somebody who is logged in. With a certificate the pages speak TLS, and take a new one as soon as it is there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::lab::browser::Browser;
use crate::lab::certificate::Certificate;
use crate::lab::configuration::{crm_alone, crm_folder, csv_folder};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::people::crowd;
use crate::lab::superoffice::{Fault, StandIn};
use crate::lab::visitor::{PASSWORD, log_in, users};
use crate::lab::web::{self, Answer};

const WEB: &str = "[web]\nlisten = \"127.0.0.1:0\"\n";
const TOKEN: &str = "0123456789abcdef";
const HTML: &str = "Accept: text/html\r\n";
const PATIENCE: Duration = Duration::from_secs(30);

async fn service(folder: Folder) -> (Nameplate, SocketAddr) {
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    let address = web::address(&nameplate).await;
    (nameplate, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_login_on_every_path_but_one() {
    let (_nameplate, address) = service(csv_folder(&format!("{WEB}token = \"{TOKEN}\"\n"), "")).await;
    let pages = ["/", "/find?q=kari", "/find?q=22334455", "/status"];
    let others = [
        "/calls/events",
        "/lookup?number=22334455",
        "//lookup?number=22334455",
        "/metrics",
        "/readyz",
        "/nothing",
        "/find?q=kari&part=hits",
        "/live.js",
        "/find.js",
        "/status.js",
        "/status/refresh",
        "/logout",
    ];
    let says_nothing = |answer: &Answer| {
        ["Kari", "Fjord", "22334455", "nameplate_", "vip"].iter().all(|name| !answer.body.contains(name))
    };
    for path in pages.iter().chain(&others) {
        for headers in ["", HTML, "Authorization: Bearer wrong\r\n", "Cookie: nameplate_session=wrong\r\n"] {
            let answer = web::get(address, path, headers);
            assert!(says_nothing(&answer), "{path} {headers}: {answer:?}");
            if headers == HTML && !others.contains(path) {
                assert!(
                    answer.status == 303 && answer.head.contains("location: /login?to="),
                    "{path}: {answer:?}"
                );
            } else if answer.status != 303 {
                assert_eq!(answer.status, 401, "{path} {headers}: {answer:?}");
            }
        }
    }
    assert_eq!(web::get(address, "/healthz", "").status, 200);
    assert_eq!(
        web::get(address, "/lookup?number=22334455", &format!("Authorization: Bearer {TOKEN}\r\n")).status,
        200
    );

    let browser = Browser::start().await;
    browser.open(&format!("http://{address}/find?q=22334455")).await;
    assert!(browser.url().await.contains("/login?to=") && !browser.source().await.contains("Kari"));
    browser.write("#password", "wrong").await;
    browser.click(".door button").await;
    browser.until("document.querySelector('.note.bad')").await;
    browser.write("#password", TOKEN).await;
    browser.click(".door button").await;
    browser.until("location.pathname === '/find' && document.querySelector('.explained')").await;
    assert!(browser.text(".explained").await.contains("Kari Nordmann"));
    browser.end().await;
}

/// The cookie that an answer sets, in small letters.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn post(address: SocketAddr, path: &str, headers: &str, form: &str) -> Answer {
    let length = form.len();
    web::request(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n{headers}\r\n{form}"
        ),
    )
}

/// Two people press the button, or one does it twice, while a refresh is under way. The list that comes after the accepted one was shown to
/// nobody.
#[tokio::test(flavor = "multi_thread")]
async fn from_a_list_that_nobody_was_shown() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1h\"");
    let (nameplate, address) = service(crm_folder(&format!("{config}\n{WEB}token = \"{TOKEN}\"\n"))).await;
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    let page = web::get(address, "/status", &format!("{HTML}{headers}")).body;
    let (_, rest) = page.split_once("name=\"forgery\" value=\"").expect("a form");
    let forgery = rest.split('"').next().expect("its value");
    // For whoever looks at this page `check` asks SuperOffice once.
    assert!(crm.until_count(2, PATIENCE).await);
    crm.set_records(crowd(5));
    let (_, said) = nameplate.folder().said(&["refresh"]);
    assert!(said.contains("is held back"), "{said}");
    let held = std::fs::read(nameplate.folder().path("state/lists/crm.guard")).expect("what is held back");
    let held: serde_json::Value = serde_json::from_slice(&held).expect("JSON");
    let held = held["held"]["id"].as_u64().expect("its id");

    // This refresh fails at last, and the list stays held back.
    let asked = crm.count();
    crm.set_delay(Duration::from_secs(5));
    crm.fail_next(1, Fault::status(503));
    let press = |path: &'static str| {
        let (headers, form) = (headers.clone(), format!("list=crm&held={held}&forgery={forgery}"));
        std::thread::spawn(move || post(address, path, &headers, &form).status)
    };
    let mut pressed = vec![press("/status/refresh")];
    assert!(crm.until_count(asked + 1, PATIENCE).await);
    pressed.extend([press("/status/accept"), press("/status/accept")]);
    nameplate.until_logged("a list that is held back is accepted", 2).await;
    crm.set_delay(Duration::ZERO);
    crm.set_records(crowd(1));
    let answers: Vec<_> = pressed.into_iter().map(|pressed| pressed.join().expect("an answer")).collect();
    assert_eq!(answers, [303; 3], "{}", nameplate.log());

    nameplate.until_logged("a list of 1 entries is held back", 1).await;
    let metrics = web::get(address, "/metrics", &headers).body;
    assert!(metrics.contains("\nnameplate_directory_numbers 5\n"), "{metrics}");
}

/// Serves a page of somebody else, which posts a form as soon as it is open.
fn trap(target: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let page = format!(
        "<!doctype html><form method=post action=\"{target}\"><input name=list value=\"\"></form>\
         <script>document.forms[0].submit()</script>"
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A browser opens connections that it does not use.
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn from_orders_that_no_person_has_given() {
    let (nameplate, address) = service(csv_folder(&format!("{WEB}{}", users()), "")).await;
    const ORDERED: &str = "a refresh is ordered";
    let orders = || nameplate.log().matches(ORDERED).count();
    let login = format!("name=ase&password={}", PASSWORD.replace(' ', "+"));
    // Whoever has no session is refused.
    for (headers, form) in
        [("", ""), ("Cookie: nameplate_session=x\r\n", "forgery=x"), ("Origin: http://evil.example\r\n", "")]
    {
        let answer = post(address, "/status/refresh", headers, form);
        assert!([401, 403].contains(&answer.status), "{headers}{form}: {answer:?}");
    }
    let done = post(address, "/login", HTML, &login);
    assert_eq!(done.status, 303, "{done:?}");
    for attribute in ["httponly", "samesite=strict"] {
        assert!(done.head.contains(attribute), "{done:?}");
    }
    assert!(cookie(&done).starts_with("nameplate_session="), "{done:?}");
    assert_eq!(orders(), 0);

    let browser = Browser::start().await;
    let site = format!("http://{address}");
    log_in(&browser, &site, "ase").await;
    let ask = |forgery: &str| {
        format!(
            "fetch('/status/refresh', {{ method: 'POST', body: new URLSearchParams({{ forgery: {forgery} }}) }}).then((answer) => answer.status)"
        )
    };
    for wrong in ["''", "'x'", "document.querySelector('[name=forgery]').value.slice(1)"] {
        assert_eq!(browser.says::<u16>(&ask(wrong)).await, 403, "{wrong}");
    }
    // Another port of this machine is of the same site, and the cookie may go with it.
    let trap = trap(&format!("{site}/status/refresh"));
    for host in ["127.0.0.1", "localhost"] {
        browser.open(&format!("http://{host}:{}/", trap.port())).await;
        browser.until(&format!("location.origin === '{site}'")).await;
        assert!(browser.text("body").await.contains("another origin"));
    }
    assert_eq!(orders(), 0, "{}", nameplate.log());
    // The same with the page's own token is an order.
    browser.open(&format!("{site}/status")).await;
    assert_eq!(browser.says::<u16>(&ask("document.querySelector('[name=forgery]').value")).await, 200);
    nameplate.until_logged(ORDERED, 1).await;
    assert_eq!(orders(), 1, "{}", nameplate.log());
    browser.end().await;
}

/// Whether a client that trusts this certificate alone is content with the server.
async fn is_trusted(address: SocketAddr, certificate: &Certificate) -> bool {
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(certificate.authority.as_bytes()) {
        roots.add(one.expect("a certificate")).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
}

async fn until_trusted(address: SocketAddr, certificate: &Certificate) {
    let begun = Instant::now();
    while !is_trusted(address, certificate).await {
        assert!(begun.elapsed() < PATIENCE, "the certificate is not in use");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls_with_a_certificate_that_may_change() {
    let (first, second) = (Certificate::signed(30), Certificate::signed(30));
    let folder = csv_folder(&format!("{WEB}certificate = \"web.pem\"\nkey = \"web.pem\"\n{}", users()), "");
    folder.write("web.pem", &first.with_key);
    let (nameplate, address) = service(folder).await;
    assert!(is_trusted(address, &first).await && !is_trusted(address, &second).await);

    let browser = Browser::trusting_anybody().await;
    let site = format!("https://{address}");
    log_in(&browser, &site, "kari").await;
    let cookies = browser.cookies().await;
    let session = cookies.as_array().into_iter().flatten().find(|cookie| cookie["httpOnly"] == true);
    assert!(
        session.is_some_and(|cookie| cookie["secure"] == true && cookie["sameSite"] == "Strict"),
        "{cookies}"
    );

    // A pair that can't be used leaves the old one in use.
    nameplate.folder().write("web.pem", "no certificate");
    nameplate.until_logged("[web] the new certificate can't be used, so the old one stays", 1).await;
    assert!(is_trusted(address, &first).await);
    nameplate.folder().write("web.pem", &second.with_key);
    until_trusted(address, &second).await;
    assert!(!is_trusted(address, &first).await);
    // Whoever has logged in stays so.
    browser.open(&format!("{site}/find?q=22334455")).await;
    assert!(browser.text(".explained").await.contains("Kari Nordmann"));
    browser.end().await;
}
