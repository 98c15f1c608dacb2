//! What a lookup adds to a call, and how many fit into a second: `cargo bench --bench calls [-- CALLS]`.
//!
//! A caller and a phone of our own, a real Asterisk between them. The ways are taken in turn, call by call and shuffled, in one run:
//! no lookup, a constant name, nameplate by ARI and by FastAGI, and as the floor a bare responder for each
//! (`responder`), behind a copy of the shipped context and behind a minimal one. Measured from the caller's INVITE to
//! the phone's; printed is what each way adds to a call without lookup, and what each step of the shipped context takes
//! (`steps`). Then every way with 32 calls in flight, and the service's memory.
//!
//! `cargo bench --bench calls -- against PROGRAM` compares with another build of nameplate instead (`against`).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    // Of the lab only a part is used, and its own tests are not run here.
    dead_code,
    unused_imports
)]

mod against;
#[path = "../../tests/lab/mod.rs"]
mod lab;
mod responder;
mod steps;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lab::asterisk::{Asterisk, Setup};
use lab::machine::free_tcp_port;
use lab::nameplate::{Folder, Nameplate};
use lab::sip::{Behaviour, Caller, Invite, Phone};
use steps::Steps;

/// Numbers in the directory.
const NUMBERS: u64 = 100_000;
/// Calls a way, one at a time.
const CALLS: usize = 2_000;
/// Calls in flight at once.
const IN_FLIGHT: usize = 32;
/// Calls over which the memory must not grow.
const ENDURANCE: usize = 100_000;
/// From the end of one call to the next.
const TEARDOWN: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// What is called, and its extension.
const WAYS: [(&str, &str); 10] = [
    ("no lookup", "100"),
    ("a constant name", "101"),
    ("nameplate, ARI", "200"),
    ("nameplate, FastAGI", "201"),
    ("bare responder, ARI, shipped context", "300"),
    ("bare responder, FastAGI, shipped context", "301"),
    ("bare responder, ARI, minimal context", "400"),
    ("bare responder, FastAGI, minimal context", "401"),
    ("no lookup, again", "102"),
    ("bare responder, ARI, shipped, steps timed", "500"),
];

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "bare") {
        return responder::run(&arguments[at + 1..]);
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "against") {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let program = arguments.get(at + 1).expect("against PROGRAM");
        return runtime.block_on(against::run(program));
    }
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(bench(calls));
}

async fn bench(calls: usize) {
    let bare_agi = free_tcp_port();
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = Asterisk::start_with(&Setup {
        dialplan: &dialplan(&phone.uri(), bare_agi),
        verbose: false,
        ..Setup::default()
    });
    let empty = start(&asterisk, 0).await;
    println!("memory with an empty directory: {} MB", memory(&empty));
    drop(empty);
    let service = start(&asterisk, NUMBERS).await;
    let user = format!("{}:{}", asterisk.ari_user(), asterisk.ari_password());
    let _bare = responder::Running::start(&asterisk.http_url(), &user, bare_agi);
    while !asterisk.cli("ari show apps").contains("bare") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The filter is set by then.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");

    one_at_a_time(&caller, &phone, calls).await;
    println!("of the last way, what each step of the context takes, p50:");
    println!("{}", Steps::of(shipped()).table(&asterisk.log()));
    in_flight(&caller, &phone, calls).await;
    asterisk.wait_idle();

    println!();
    let before = memory(&service);
    for way in ["200", "201"] {
        rush(&caller, &phone, way, ENDURANCE / 2).await;
    }
    println!("memory with {NUMBERS} numbers: {before} MB, after {ENDURANCE} calls {} MB", memory(&service));
}

/// Each way in turn, in another order each time, so that whatever the machine and the call before do happens to all.
async fn one_at_a_time(caller: &Caller, phone: &Phone, calls: usize) {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); WAYS.len()];
    let mut random = fastrand::Rng::with_seed(1);
    let mut order: Vec<usize> = (0..WAYS.len()).collect();
    for _ in 0..calls {
        random.shuffle(&mut order);
        for &place in &order {
            let (way, extension) = WAYS[place];
            let call = caller.invite(Invite::from(number(random.u64(0..NUMBERS))).to(extension));
            let ring = phone.next_ring(PATIENCE).await.expect("every call rings");
            times[place].push(ring.received.duration_since(call.sent()));
            // A way that does nothing would be the fastest.
            let named = !ring.name().is_empty();
            assert_eq!(named, !way.starts_with("no lookup"), "{way}: {:?}", ring.name());
            assert_eq!(call.final_response(PATIENCE).await, Some(486));
            // Asterisk takes the call down, which is not to be the next one's delay.
            tokio::time::sleep(TEARDOWN).await;
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let quantile =
        |way: usize, percent: usize| times[way][(calls * percent / 100).min(calls - 1)].as_secs_f64() * 1e3;
    println!("{calls} calls a way, one at a time: ms from INVITE to INVITE, and what that is over no lookup");
    println!("{:<42} | {:>6} | {:>7} {:>7} {:>7}", "", "p50", "+p50", "+p90", "+p99");
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let over = |percent| quantile(way, percent) - quantile(0, percent);
        println!(
            "{name:<42} | {:>6.2} | {:>+7.3} {:>+7.3} {:>+7.3}",
            quantile(way, 50),
            over(50),
            over(90),
            over(99)
        );
    }
    let over = |way: usize| quantile(way, 50) - quantile(0, 50);
    println!(
        "nameplate over the bare responder, p50: ARI {:.2}, FastAGI {:.2}",
        over(2) / over(4),
        over(3) / over(5)
    );
    println!(
        "the shipped context over a minimal one, p50: ARI {:.2}, FastAGI {:.2}",
        over(4) / over(6),
        over(5) / over(7)
    );
}

/// Calls a second with [`IN_FLIGHT`] of them under way, the ways in turn and shuffled, several rounds.
async fn in_flight(caller: &Caller, phone: &Phone, calls: usize) {
    const ROUNDS: usize = 15;
    let calls = calls / 5;
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); WAYS.len()];
    let mut order: Vec<usize> = (0..WAYS.len()).collect();
    for _ in 0..ROUNDS {
        fastrand::shuffle(&mut order);
        for &place in &order {
            let begun = Instant::now();
            rush(caller, phone, WAYS[place].1, calls).await;
            #[expect(clippy::cast_precision_loss, reason = "thousands of calls")]
            rates[place].push(calls as f64 / begun.elapsed().as_secs_f64());
        }
    }
    rates.iter_mut().for_each(|rates| rates.sort_unstable_by(f64::total_cmp));
    println!("{IN_FLIGHT} calls in flight: calls a second, median of {ROUNDS} rounds");
    for (rates, (name, _)) in rates.iter().zip(WAYS) {
        println!("{name:<42} | {:>6.0}", rates[ROUNDS / 2]);
    }
    let share = |ours: usize, bare: usize| 100.0 * rates[ours][ROUNDS / 2] / rates[bare][ROUNDS / 2];
    println!("nameplate of the bare responder's: ARI {:.0} %, FastAGI {:.0} %", share(2, 4), share(3, 5));
}

async fn rush(caller: &Caller, phone: &Phone, extension: &str, calls: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let one_after_another = || async {
        let mut random = fastrand::Rng::new();
        while next.fetch_add(1, Ordering::Relaxed) < calls {
            let call = caller.invite(Invite::from(number(random.u64(0..NUMBERS))).to(extension));
            assert_eq!(call.final_response(PATIENCE).await, Some(486), "{extension}");
            // What has rung is forgotten.
            while phone.next_ring(Duration::ZERO).await.is_some() {}
        }
    };
    futures_util::future::join_all((0..IN_FLIGHT).map(|_| one_after_another())).await;
}

/// The service with so many numbers, by both ways.
async fn start(asterisk: &Asterisk, numbers: u64) -> Nameplate {
    // As it is run: its log goes somewhere.
    let service = folder(asterisk, numbers, "nameplate", asterisk.agi()).serve();
    service.until_ready().await;
    service
}

/// The folder of a service with so many numbers, that answers for this application and listens at this address.
fn folder(asterisk: &Asterisk, numbers: u64, app: &str, agi: SocketAddr) -> Folder {
    let folder = Folder::new(&format!(
        "[log]\nmask = true\n[numbers]\ncountry = \"NO\"\n[[source]]\nname = \"list\"\ntype = \"csv\"\npath = \"list.csv\"\n\
         [[asterisk]]\nname = \"pbx1\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\napp = \"{app}\"\n[agi]\nlisten = \"{agi}\"\n",
        asterisk.http_url(),
        asterisk.ari_user(),
        asterisk.ari_password(),
    ));
    let mut list = "number,person,company,mrmrs,person_id,contact_id\n".to_owned();
    for place in 0..numbers.max(1) {
        let _ = writeln!(
            list,
            "{},Person Number {place},Company {} AS,,{},{}",
            number(place),
            place / 4,
            place + 1,
            place / 4 + 1
        );
    }
    folder.write("list.csv", list);
    folder
}

fn number(place: u64) -> String {
    format!("{}", 40_000_000 + place)
}

/// Resident, in MB.
fn memory(service: &Nameplate) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("kB") / 1024
}

fn dialplan(phone: &str, bare_agi: u16) -> String {
    let dial = format!("same => n,Dial(PJSIP/operator/{phone},30)");
    let mut user = "[from-trunk]\n".to_owned();
    for (extension, step) in [
        ("100", "NoOp()"),
        ("101", "Set(CALLERID(name)=Person Number 12345 (Company 3086 AS))"),
        ("102", "NoOp()"),
        ("200", "Gosub(nameplate,lookup,1)"),
        ("201", "Gosub(nameplate,lookup-agi,1)"),
        ("300", "Gosub(bare,lookup,1)"),
        ("301", "Gosub(bare,lookup-agi,1)"),
        ("400", "Gosub(minimal,lookup,1)"),
        ("401", "Gosub(minimal,lookup-agi,1)"),
    ] {
        let _ = writeln!(user, "exten => {extension},1,{step}\n {dial}");
    }
    let bare = copy("bare", bare_agi);
    let minimal = format!(
        "[minimal]\n\
         exten => lookup,1,Stasis(bare,handoff,1,)\n same => n,Return()\n\
         exten => _=.,1(found),Set(CALLERID(name)=${{CUT(EXTEN,:,3-)}})\n same => n,Return()\n\
         exten => lookup-agi,1,AGI(agi://127.0.0.1:{bare_agi}/handoff)\n\
         \x20same => n,Set(CALLERID(name)=${{CUT(NAMEPLATE_ANSWER,:,4-)}})\n same => n,Return()\n"
    );
    let (timed, logged) = Steps::of(&bare).dialplan();
    let _ = writeln!(user, "exten => 500,1,Gosub({},lookup,1)\n same => n,{logged}\n {dial}", steps::CONTEXT);
    format!("{user}\n{bare}\n{minimal}\n{timed}")
}

/// The shipped context under another name, for the application of that name and a FastAGI server at this port.
fn copy(name: &str, agi: u16) -> String {
    shipped()
        .replace("[nameplate]", &format!("[{name}]"))
        .replace("Stasis(nameplate,", &format!("Stasis({name},"))
        .replace("agi://127.0.0.1:4577/", &format!("agi://127.0.0.1:{agi}/"))
}

/// The context that users have.
fn shipped() -> &'static str {
    let shipped = include_str!("../../asterisk-conf/extensions_nameplate.conf");
    shipped.split("[nameplate-outside]").next().unwrap_or_default()
}
