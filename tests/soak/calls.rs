//! Many calls, and what the service takes before and after.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::configuration::{config, folder};
use crate::lab::nameplate::Nameplate;
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::superoffice::StandIn;
use crate::lab::web;

/// As many as an office of 50 has in some years.
const CALLS: usize = 200_000;
/// Before the first look: all threads are started by then, and as many answers are kept as ever will be.
const WARM_UP: usize = 20_000;
/// Looks at the service, the first one not counted.
const LOOKS: usize = 10;
/// People in the CRM.
const PEOPLE: u32 = 20_000;
/// Calls under way at once.
const IN_FLIGHT: usize = 16;
/// Calls of one way in a row.
const TURN: usize = 500;
/// By how much the service may grow, in percent.
const ALLOWED: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service takes.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Resident memory, in kB.
    memory: u64,
    files: usize,
    threads: usize,
}

pub(crate) fn run(calls: Option<usize>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(soak(calls.unwrap_or(CALLS)));
}

async fn soak(calls: usize) {
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = Asterisk::start_with(&Setup {
        dialplan: &dialplan(&phone.uri()),
        verbose: false,
        ..Setup::default()
    });
    let crm = StandIn::start(crowd(PEOPLE)).await.expect("the stand-in");
    let service = start(&asterisk, &crm).await;
    let address = web::address(&service).await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");

    println!("{calls} calls on Asterisk {}, by ARI and FastAGI in turn", asterisk.version());
    let mut unnamed = place(&caller, &phone, WARM_UP).await;
    let before = look(&service, &asterisk).await;
    println!("{:>8} calls: {before:?}", 0);
    let begun = Instant::now();
    let mut after = before;
    for step in 1..=LOOKS {
        unnamed += place(&caller, &phone, calls / LOOKS).await;
        after = look(&service, &asterisk).await;
        println!("{:>8} calls: {after:?} after {:.0?}", calls / LOOKS * step, begun.elapsed());
    }
    check(before, after);
    answered(address, WARM_UP + calls / LOOKS * LOOKS, unnamed);
}

/// The service on this PBX by both ways, with a list that is asked for each second.
async fn start(asterisk: &Asterisk, crm: &StandIn) -> Nameplate {
    let folder = folder(crm, asterisk);
    let agi = asterisk.agi();
    let ways = format!("[agi]\nlisten = \"{agi}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    folder.configure(&(config(&crm.api_url(), &asterisk.http_url()) + &ways));
    let service = folder.serve();
    service.until_ready().await;
    service.until_logged("FastAGI server listens", 1).await;
    service
}

fn dialplan(phone: &str) -> String {
    let dial = format!("same => n,Dial(PJSIP/operator/{phone},30)");
    format!(
        "[from-trunk]\n\
         exten => 200,1,Gosub(nameplate,lookup,1)\n {dial}\n\
         exten => 201,1,Gosub(nameplate,lookup-agi,1)\n {dial}\n"
    )
}

/// Places so many calls of random people, half of them by each way; gives how many rang without their name. Each one is answered.
async fn place(caller: &Caller, phone: &Phone, calls: usize) -> usize {
    let (next, rung, unnamed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let one_after_another = || async {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= calls {
                return;
            }
            let extension = if (at / TURN).is_multiple_of(2) { "200" } else { "201" };
            let number = one_of_crowd(fastrand::u32(..PEOPLE)).0;
            let call = caller.invite(Invite::from(number).to(extension));
            assert_eq!(call.final_response(PATIENCE).await, Some(486), "{extension}");
            while let Some(is_named) = rings(phone, Duration::ZERO).await {
                rung.fetch_add(1, Ordering::Relaxed);
                unnamed.fetch_add(usize::from(!is_named), Ordering::Relaxed);
            }
        }
    };
    futures_util::future::join_all((0..IN_FLIGHT).map(|_| one_after_another())).await;
    let (mut rung, mut unnamed) = (rung.into_inner(), unnamed.into_inner());
    while rung < calls {
        let is_named = rings(phone, PATIENCE).await;
        unnamed += usize::from(is_named == Some(false));
        assert!(is_named.is_some(), "{rung} of {calls} calls rang");
        rung += 1;
    }
    unnamed
}

/// Whether a call that has rung by then has its name; none where none has rung.
///
/// # Panics
/// Where it has another name than its caller's.
async fn rings(phone: &Phone, wait: Duration) -> Option<bool> {
    let ring = phone.next_ring(wait).await?;
    let at = ring.number().parse::<u32>().ok().and_then(|number| number.checked_sub(FIRST));
    let expected = at.map(|at| one_of_crowd(at).1);
    let is_named = expected.as_deref() == Some(ring.name());
    assert!(is_named || ring.name().is_empty(), "{} rang as {:?}", ring.number(), ring.name());
    Some(is_named)
}

/// The first number of [`crowd`].
const FIRST: u32 = 90_000_000;

/// What the service takes once no call is left: the median of several looks, because a refresh may be under way.
async fn look(service: &Nameplate, asterisk: &Asterisk) -> Taken {
    tokio::task::block_in_place(|| asterisk.wait_idle());
    let mut looks = Vec::new();
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        looks.push(taken(service));
    }
    let median = |of: fn(&Taken) -> u64| {
        let mut values: Vec<_> = looks.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let small = |value: u64| usize::try_from(value).expect("small");
    Taken {
        memory: median(|taken| taken.memory),
        files: small(median(|taken| taken.files as u64)),
        threads: small(median(|taken| taken.threads as u64)),
    }
}

fn taken(service: &Nameplate) -> Taken {
    let place = format!("/proc/{}", service.id());
    let count = |what: &str| fs::read_dir(format!("{place}/{what}")).expect("it runs").count();
    let status = fs::read_to_string(format!("{place}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let memory = line.trim().trim_end_matches(" kB").parse().expect("kB");
    Taken { memory, files: count("fd"), threads: count("task") }
}

/// # Panics
/// Where the service takes more than before, and more than is allowed.
fn check(before: Taken, after: Taken) {
    for (what, before, after) in [
        ("kB of memory", before.memory, after.memory),
        ("open files", before.files as u64, after.files as u64),
        ("threads", before.threads as u64, after.threads as u64),
    ] {
        let percent = after as f64 / before as f64 * 100.0 - 100.0;
        println!("{what}: {before}, then {after} ({percent:+.1} %)");
        // Rounded up: one of the threads for blocking work comes and goes.
        let most = (before * (100 + ALLOWED)).div_ceil(100);
        assert!(after <= most, "{what}: {after}, and {most} are allowed");
    }
}

/// # Panics
/// Where the service has not counted so many calls as found, or where more than one of a thousand rang without its name. On a busy
/// machine a call may wait longer than the dialplan's half second.
fn answered(address: SocketAddr, calls: usize, unnamed: usize) {
    println!("{calls} calls rang, {unnamed} of them without their name");
    assert!(unnamed * 1_000 <= calls, "{unnamed} of {calls} calls have no name");
    let mut found = 0.0;
    for pbx in ["pbx1", "agi"] {
        let counted = |outcome: &str| {
            web::metric(address, &format!("nameplate_calls_total{{pbx=\"{pbx}\",outcome=\"{outcome}\"}}"))
        };
        assert!(counted("found") > 0.0, "{pbx}");
        assert!(counted("notfound") + counted("skipped") < 0.5, "{pbx}");
        found += counted("found");
        assert!(web::metric(address, &format!("nameplate_asterisk_reconnects_total{{pbx=\"{pbx}\"}}")) < 0.5);
    }
    assert!((found - calls as f64).abs() <= unnamed as f64, "{found} are counted of {calls} calls");
}
