//! This build of nameplate beside another one: both answer on the same Asterisk, the calls of each in turn.
//!
//! In a round each build gets [`CALLS`] calls by ARI and by FastAGI, shuffled. Printed is the ratio of the rounds' medians
//! from INVITE to INVITE: its median over the rounds, and the interval that holds the true median with at least 95 %
//! (the 4th and the 12th of 15: a sign test).

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use super::lab::asterisk::{Asterisk, Setup};
use super::lab::machine::free_tcp_port;
use super::lab::sip::{Behaviour, Caller, Invite, Phone};
use super::{NUMBERS, PATIENCE, TEARDOWN, copy, folder, memory, number, shipped, start};

/// Calls a round, a build and a way.
const CALLS: usize = 200;
const ROUNDS: usize = 15;

/// Extensions: this build and the other one, by each way.
const WAYS: [(&str, [&str; 2]); 2] = [("ARI", ["200", "300"]), ("FastAGI", ["201", "301"])];

pub(crate) async fn run(program: &str) {
    let port = free_tcp_port();
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let asterisk = Asterisk::start_with(&Setup {
        dialplan: &dialplan(&phone.uri(), port),
        verbose: false,
        ..Setup::default()
    });
    let ours = start(&asterisk, NUMBERS).await;
    // `$0` is the other program, and the first argument this build's, which it replaces.
    let mut instead = Command::new("sh");
    instead.args(["-c", "shift; exec \"$0\" \"$@\"", program]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let other = folder(&asterisk, NUMBERS, "other", address).serve_behind(instead);
    other.until_ready().await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");

    let mut ratios = [Vec::new(), Vec::new()];
    // The first round warms up.
    for round in 0..=ROUNDS {
        let medians = round_of_calls(&caller, &phone).await;
        for (ratios, [ours, other]) in ratios.iter_mut().zip(medians) {
            if round > 0 {
                ratios.push(ours.as_secs_f64() / other.as_secs_f64());
            }
        }
    }
    println!("INVITE to INVITE, this build to {program}: ratio of medians, {ROUNDS} rounds of {CALLS} calls");
    for ((way, _), ratios) in WAYS.iter().zip(&mut ratios) {
        ratios.sort_unstable_by(f64::total_cmp);
        println!("{way:<8} {:.3} ({:.3} to {:.3})", ratios[ROUNDS / 2], ratios[3], ratios[ROUNDS - 4]);
    }
    println!("memory: {} MB, the other {} MB", memory(&ours), memory(&other));
}

/// The medians of one round: by each way, of this build and of the other one.
async fn round_of_calls(caller: &Caller, phone: &Phone) -> [[Duration; 2]; 2] {
    let mut order: Vec<_> = (0..4 * CALLS).map(|place| (place % 2, place / 2 % 2)).collect();
    fastrand::shuffle(&mut order);
    let mut times: [[Vec<Duration>; 2]; 2] = Default::default();
    for (way, build) in order {
        let extension = WAYS[way].1[build];
        let call = caller.invite(Invite::from(number(fastrand::u64(0..NUMBERS))).to(extension));
        let ring = phone.next_ring(PATIENCE).await.expect("every call rings");
        times[way][build].push(ring.received.duration_since(call.sent()));
        // A build that does nothing would be the fastest.
        assert!(!ring.name().is_empty(), "{extension}");
        assert_eq!(call.final_response(PATIENCE).await, Some(486));
        tokio::time::sleep(TEARDOWN).await;
    }
    times.map(|builds| {
        builds.map(|mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        })
    })
}

fn dialplan(phone: &str, port: u16) -> String {
    let mut user = "[from-trunk]\n".to_owned();
    for (extension, step) in [
        ("200", "nameplate,lookup"),
        ("201", "nameplate,lookup-agi"),
        ("300", "other,lookup"),
        ("301", "other,lookup-agi"),
    ] {
        let _ = writeln!(
            user,
            "exten => {extension},1,Gosub({step},1)\n same => n,Dial(PJSIP/operator/{phone},30)"
        );
    }
    format!("{user}\n{}\n{}", shipped(), copy("other", port))
}
