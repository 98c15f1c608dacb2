//! Asterisk that refuses the service while it is connected costs no call: the service lets go of the application, so that
//! `Stasis()` lets calls pass at once, says why, and takes it back as soon as it could answer again.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Lab, Turn, fjord, noted};
use crate::lab::configuration::folder;
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;
use crate::lab::web;
use crate::{by_every_way_of_ari, by_these_ways};

mod silence;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
/// A refusal is noticed within a few seconds where nobody calls, and the machine may be slow.
const NOTICED: Duration = Duration::from_secs(30);
/// The longest wait after a refusal is 30 s.
const SLOWLY: Duration = Duration::from_secs(60);
/// The dialplan's bound is 500 ms. Of several calls one is faster, unless each waits for it.
const AT_ONCE: Duration = Duration::from_millis(400);

/// What is called: the shipped context, and the direct style, which nothing bounds.
const LOOKUP: &str = "100";
const DIRECT: &str = "200";

/// The whole system, with the web server switched on, and this at the end of configuration files.
async fn lab(way: Way, extra_conf: &[(&str, &str)]) -> (Lab, SocketAddr) {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let dial = format!("same => n,Dial(PJSIP/operator/{},30)", phone.uri());
    let dialplan = format!(
        "[from-trunk]\nexten => {LOOKUP},1,Gosub(nameplate,lookup,1)\n same => n,Log(NOTICE,after ${{NAMEPLATE_STATUS}}.)\n {dial}\n\
         exten => {DIRECT},1,Stasis(nameplate)\n {dial}\n"
    );
    let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, extra_conf, ..Setup::default() });
    let section = "[web]\nlisten = \"127.0.0.1:0\"\n";
    let lab = Lab::configured(way, "", section, turn, fjord(), asterisk, phone).await;
    let address = web::address(&lab.nameplate).await;
    (lab, address)
}

/// Changes a file of Asterisk's configuration, and reloads this module.
fn change(asterisk: &Asterisk, file: &str, change: impl Fn(&str) -> String, module: &str) {
    let path = asterisk.dir().join(file);
    let text = fs::read_to_string(&path).expect("it is there");
    let changed = change(&text);
    assert_ne!(text, changed, "{file}");
    fs::write(&path, changed).expect("it is written");
    tokio::task::block_in_place(|| asterisk.cli(&format!("module reload {module}")));
}

fn kari(number: &str) -> Invite {
    Invite::from("22334455").named("OSLO").to(number)
}

/// Places calls to both, one after the other: the names at the phone, and the shortest time until it rang.
async fn ring(lab: &Lab, number: &str) -> (Vec<String>, Duration) {
    let (mut names, mut shortest) = (Vec::new(), Duration::MAX);
    for _ in 0..3 {
        let (call, ring) = lab.ring(kari(number)).await;
        shortest = shortest.min(ring.received.duration_since(call.sent()));
        names.push(ring.name().to_owned());
    }
    (names, shortest)
}

/// Calls go on at once, as they came.
async fn passes_at_once(lab: &Lab) {
    for number in [LOOKUP, DIRECT] {
        let (names, shortest) = ring(lab, number).await;
        assert_eq!(names, ["OSLO"; 3], "{number}: {}", lab.nameplate.log());
        assert!(shortest < AT_ONCE, "{number}: it rang after {shortest:?}");
    }
    noted(&lab.asterisk, "after UNAVAILABLE.", 3).await;
}

/// Calls have their names: one of three at least, since the machine may be too busy for half a second.
async fn has_names(lab: &Lab) {
    for number in [LOOKUP, DIRECT] {
        let names = ring(lab, number).await.0;
        assert!(names.iter().any(|name| name == KARI), "{number}: {names:?}\n{}", lab.nameplate.log());
    }
}

/// The service says that it is refused, and why.
async fn says(lab: &Lab, web: SocketAddr, reason: &str, what_to_do: &str) {
    lab.nameplate.until_logged_within(NOTICED, &format!("not connected: {what_to_do}"), 1).await;
    let answer = web::get(web, "/readyz", "");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains(&format!("asterisk pbx1 is refused: {what_to_do}")), "{}", answer.body);
    let metric = |name: &str| web::metric(web, &format!("nameplate_asterisk_{name}"));
    assert_eq!(metric("connected{pbx=\"pbx1\"}"), 0.0);
    assert_eq!(metric(&format!("refused{{pbx=\"pbx1\",reason=\"{reason}\"}}")), 1.0);
}

/// What is done to the user, refuses, and is mended by the opposite.
async fn is_refused(way: Way, edit: impl Fn(&str) -> String, reason: &str, what_to_do: &str) {
    let (lab, web) = lab(way, &[]).await;
    has_names(&lab).await;
    change(&lab.asterisk, "ari.conf", edit, "res_ari.so");
    says(&lab, web, reason, what_to_do).await;
    passes_at_once(&lab).await;
    lab.asterisk.wait_idle();
    // Said once, not at every attempt.
    assert_eq!(lab.nameplate.log().matches("not connected:").count(), 1);
}

by_every_way_of_ari! {
    async fn its_user_is_removed(way) {
        let gone = |conf: &str| conf.replace("[nameplate]", "[somebody]");
        is_refused(way, gone, "unauthorized", "Asterisk refuses the user or the password (401)").await;
    }
    async fn its_user_may_only_read(way) {
        let only = |conf: &str| format!("{conf}read_only = yes\n");
        let said = "Asterisk forbids this user to do anything but read (403)";
        is_refused(way, only, "forbidden", said).await;
    }
}

// Asterisk 16 knows no such list.
by_these_ways! {
    async fn its_user_may_not_come_from_here(way) {
        let (lab, web) = lab(way, &[]).await;
        has_names(&lab).await;
        let denied = |conf: &str| format!("{conf}deny = 0.0.0.0/0.0.0.0\n");
        change(&lab.asterisk, "ari.conf", denied, "res_ari.so");
        if way == Way::Websocket {
            // What is asked on the websocket is not denied: the direct style asks over HTTP for its name, and goes on without.
            let (_, ring) = lab.ring(kari(DIRECT)).await;
            assert_eq!(ring.name(), "OSLO");
        }
        says(&lab, web, "forbidden", "Asterisk forbids what this user asks").await;
        passes_at_once(&lab).await;
        lab.asterisk.wait_idle();
    }
    by_ari = Websocket, by_ari_over_http = Http
}

by_every_way_of_ari! {
    async fn its_password_is_changed_and_given_later(way) {
        let (lab, web) = lab(way, &[]).await;
        has_names(&lab).await;
        let other = |conf: &str| conf.replace("= lab-password", "= another");
        change(&lab.asterisk, "ari.conf", other, "res_ari.so");
        // Whoever calls before it is noticed waits for the dialplan's bound at most.
        let (call, ring) = lab.ring(kari(LOOKUP)).await;
        let took = ring.received.duration_since(call.sent());
        assert!(took < Duration::from_millis(1_000), "{took:?}");
        says(&lab, web, "unauthorized", "Asterisk refuses the user or the password (401)").await;
        lab.nameplate.folder().write("ari.password", "another");
        lab.nameplate.until_logged_within(SLOWLY, "connected; answers go over", 2).await;
        assert_eq!(web::metric(web, "nameplate_asterisk_refused{pbx=\"pbx1\",reason=\"unauthorized\"}"), 0.0);
        has_names(&lab).await;
        lab.asterisk.wait_idle();
    }
    async fn a_password_that_was_changed_at_both_ends_costs_nobody_the_name(way) {
        let (lab, _) = lab(way, &[]).await;
        has_names(&lab).await;
        // Nobody asks meanwhile, not even the service.
        lab.nameplate.signal("STOP");
        lab.nameplate.folder().write("ari.password", "another");
        let other = |conf: &str| conf.replace("= lab-password", "= another");
        change(&lab.asterisk, "ari.conf", other, "res_ari.so");
        let call = lab.caller.invite(kari(DIRECT));
        sleep(Duration::from_millis(300)).await;
        assert_eq!(lab.phone.rings(), 6, "{:?}", call.progress());
        lab.nameplate.signal("CONT");
        let ring = lab.phone.next_ring(Duration::from_secs(10)).await;
        let ring = ring.unwrap_or_else(|| panic!("it does not ring: {}", lab.nameplate.log()));
        assert_eq!(ring.name(), KARI);
        let said = "Asterisk refuses the user or the password (401)";
        lab.nameplate.until_logged(said, 1).await;
        has_names(&lab).await;
        let log = lab.nameplate.log();
        assert_eq!(log.matches(said).count(), 1, "{log}");
        lab.asterisk.wait_idle();
    }
}

by_every_way_of_ari! {
    async fn a_module_is_unloaded(way) {
        let (lab, web) = lab(way, &[]).await;
        has_names(&lab).await;
        lab.asterisk.cli("module unload res_ari_channels.so");
        says(&lab, web, "module", "Asterisk can't send calls on (404): load res_ari_channels.so").await;
        passes_at_once(&lab).await;
        lab.asterisk.cli("module load res_ari_channels.so");
        lab.nameplate.until_logged_within(SLOWLY, "connected; answers go over", 2).await;
        has_names(&lab).await;
        lab.asterisk.wait_idle();
    }
    async fn one_that_is_needed_at_the_next_connect_only(way) {
        let (mut lab, _) = lab(way, &[]).await;
        lab.asterisk.cli("module unload res_ari_applications.so");
        // Calls do not need it.
        has_names(&lab).await;
        lab.nameplate = lab.nameplate.again();
        let said = "load res_ari_applications.so";
        lab.nameplate.until_logged_within(NOTICED, said, 1).await;
        let web = web::address(&lab.nameplate).await;
        assert!(web::get(web, "/readyz", "").body.contains(said));
        passes_at_once(&lab).await;
        lab.asterisk.wait_idle();
    }
}

by_every_way_of_ari! {
    async fn ari_is_disabled(way) {
        let (lab, web) = lab(way, &[]).await;
        has_names(&lab).await;
        let off = |conf: &str| conf.replacen("enabled = yes", "enabled = no", 1);
        change(&lab.asterisk, "ari.conf", off, "res_ari.so");
        goes_on(&lab, &[LOOKUP; 10]).await;
        if way != Way::Websocket {
            says(&lab, web, "handoffs", "three handoffs in a row have failed: Asterisk answers 404: ARI is not enabled").await;
        }
        lab.asterisk.wait_idle();
    }
    async fn the_http_server_is_disabled(way) {
        let (lab, web) = lab(way, &[("http.conf", BRIEFLY)]).await;
        has_names(&lab).await;
        let off = |conf: &str| conf.replacen("enabled = yes", "enabled = no", 1);
        change(&lab.asterisk, "http.conf", off, "http");
        until_closed().await;
        goes_on(&lab, &[LOOKUP; 10]).await;
        if way != Way::Websocket {
            says(&lab, web, "handoffs", "three handoffs in a row have failed").await;
        }
        lab.asterisk.wait_idle();
    }
    async fn all_sessions_are_used_up(way) {
        let limit = format!("{BRIEFLY}\nsessionlimit = 12\nsession_inactivity = 60000");
        let (lab, web) = lab(way, &[("http.conf", &limit)]).await;
        has_names(&lab).await;
        until_closed().await;
        let others = fill(&lab.asterisk).await;
        goes_on(&lab, &[LOOKUP, LOOKUP, DIRECT, LOOKUP, LOOKUP, DIRECT]).await;
        if way == Way::Websocket {
            // It needs no further one. (The direct style asks over HTTP for its name.)
            assert!(ring(&lab, LOOKUP).await.0.iter().any(|name| name == KARI), "{}", lab.nameplate.log());
        } else {
            let said = "three handoffs in a row have failed: Asterisk's HTTP server closes the connection without an answer";
            says(&lab, web, "handoffs", said).await;
            drop(others);
            lab.nameplate.until_logged_within(SLOWLY, "connected; answers go over", 2).await;
            has_names(&lab).await;
        }
        lab.asterisk.wait_idle();
    }
}

/// Asterisk closes connections that are not used for half a second.
const BRIEFLY: &str = "session_keep_alive = 500";

/// Waits until it has.
async fn until_closed() {
    sleep(Duration::from_secs(2)).await;
}

/// Takes all sessions of Asterisk's HTTP server, also one that is free a little later.
async fn fill(asterisk: &Asterisk) -> Vec<TcpStream> {
    // Whatever stands before it.
    let status = asterisk.cli("http show status");
    let bound = status.split("Bound to ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let (mut others, mut in_vain) = (Vec::new(), 0);
    while in_vain < 5 {
        let mut other = TcpStream::connect(bound.expect("an address")).await.expect("a session");
        // Whoever has begun has a minute to go on. One that is too much is closed meanwhile.
        let _ = other.write_all(b"GET ").await;
        if timeout(Duration::from_millis(200), other.read(&mut [0])).await.is_err() {
            others.push(other);
            in_vain = 0;
        } else {
            in_vain += 1;
            sleep(Duration::from_millis(200)).await;
        }
    }
    others
}

/// Calls ring. A few may wait for the dialplan's bound until it is noticed, where the way is one over HTTP; all others ring
/// at once, with their names or without. The first ones come together.
async fn goes_on(lab: &Lab, first: &[&str]) {
    let rung = lab.phone.rings();
    let calls: Vec<_> = first.iter().map(|number| lab.caller.invite(kari(number))).collect();
    for _ in &calls {
        let ring = lab.phone.next_ring(Duration::from_secs(10)).await;
        let missing = || calls.iter().map(|call| format!("{:?}\n", call.progress())).collect::<String>();
        assert!(ring.is_some(), "{}{}", missing(), lab.nameplate.log());
    }
    assert_eq!(lab.phone.rings(), rung + first.len());
    let (mut late, mut longest) = (0, Duration::ZERO);
    for _ in 0..20 {
        let (call, ring) = lab.ring(kari(LOOKUP)).await;
        let took = ring.received.duration_since(call.sent());
        late += usize::from(took > AT_ONCE);
        longest = longest.max(took);
        sleep(Duration::from_millis(50)).await;
    }
    // A few, and those of a busy machine; all of them where it is not noticed.
    assert!(late <= 8, "{late} of 20 waited, {longest:?} at most:\n{}", lab.nameplate.log());
    let (_, shortest) = ring(lab, DIRECT).await;
    assert!(shortest < AT_ONCE, "it rang after {shortest:?}");
}

by_every_way_of_ari! {
    async fn reloads_alone_refuse_nothing(way) {
        let (lab, _) = lab(way, &[]).await;
        let ended = std::sync::atomic::AtomicBool::new(false);
        let reloads = async {
            for _ in 0..15 {
                tokio::task::block_in_place(|| lab.asterisk.cli("module reload res_ari.so"));
                sleep(Duration::from_millis(50)).await;
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        let calls = async {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                has_names(&lab).await;
            }
        };
        tokio::join!(reloads, calls);
        assert!(!lab.nameplate.log().contains("not connected:"), "{}", lab.nameplate.log());
        lab.asterisk.wait_idle();
    }
    async fn another_service_is_not_touched(way) {
        let turn = Turn::beside().await;
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan = crate::lab::call::from_trunk("Gosub(nameplate,lookup-replicas,1)", &phone.uri());
        let users = &[("nameplate", "lab-password"), ("second", "second-password")];
        let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, ari_users: users, ..Setup::default() });
        let mut lab = Lab::configured(way, "", "", turn, fjord(), asterisk, phone).await;
        lab.nameplate.signal("TERM");
        lab.nameplate.ended().await;
        let start = async |which, user: &str, password: &str| {
            let folder = folder(&lab.crm, &lab.asterisk);
            let config = way.config_of_replica(which, &lab.crm, &lab.asterisk);
            folder.configure(&config.replace("\"nameplate\"\npassword_file = \"ari", &format!("\"{user}\"\npassword_file = \"ari")));
            folder.write("ari.password", password);
            let nameplate = folder.serve();
            way.until_ready(&nameplate).await;
            nameplate
        };
        let first = start(1, "nameplate", "lab-password").await;
        let second = start(2, "second", "second-password").await;
        change(&lab.asterisk, "ari.conf", |conf| conf.replace("[nameplate]", "[somebody]"), "res_ari.so");
        first.until_logged_within(NOTICED, "Asterisk refuses the user or the password (401)", 1).await;
        let (names, shortest) = ring(&lab, LOOKUP).await;
        assert!(names.iter().any(|name| name == KARI), "{names:?}\n{}\n{}", first.log(), second.log());
        assert!(shortest < AT_ONCE, "{shortest:?}");
        assert!(!second.log().contains("WARN"), "{}", second.log());
        lab.asterisk.wait_idle();
    }
}
