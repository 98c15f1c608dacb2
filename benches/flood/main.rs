//! How many calls a second one service carries, and the processor time that each takes: `cargo bench --bench flood [-- CALLS]`.
//!
//! No Asterisk: it would be the narrowest place by far. This program speaks as Asterisk does, on the websocket of ARI (`pbx`) and as a
//! client of FastAGI (`agi`), with 32 calls in flight. Asked in turn, in the same run, are nameplate and the least that can answer, each
//! a process of its own. All share the processors, so calls a second are of a machine that also plays the PBX; processor time
//! is that of the process alone.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod agi;
mod pbx;
#[path = "../calls/responder.rs"]
mod responder;

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pbx::Pbx;

/// Calls a round.
const CALLS: usize = 20_000;
const ROUNDS: usize = 7;
/// Calls that wait for an answer at once.
pub(crate) const IN_FLIGHT: usize = 32;
/// Numbers of the list, which callers have by chance.
const NUMBERS: u64 = 10_000;
/// As Linux counts processor time, for every architecture that Debian has.
const TICKS_A_SECOND: f64 = 100.0;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "bare") {
        return responder::run(&arguments[at + 1..]);
    }
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(bench(calls));
}

async fn bench(calls: usize) {
    let [mut ours, mut bare] = [Pbx::start().await, Pbx::start().await];
    let [our_agi, bare_agi] = [free_port(), free_port()];
    let folder = tempfile::tempdir().expect("a folder");
    let nameplate = Process(nameplate(folder.path(), &ours.url, our_agi));
    let responder = responder::Running::start(&bare.url, "u:p", bare_agi);
    ours.connected().await;
    bare.connected().await;
    agi::until_answered(our_agi).await;
    agi::until_answered(bare_agi).await;

    println!("{calls} calls a round, {IN_FLIGHT} in flight; median of {ROUNDS} rounds");
    let ways = ["nameplate, ARI", "bare, ARI", "nameplate, FastAGI", "bare, FastAGI"];
    let mut figures: Vec<Vec<Figure>> = vec![Vec::new(); ways.len()];
    for round in 0..ROUNDS {
        for step in 0..ways.len() {
            // Each begins as often as the others.
            let way = (round + step) % ways.len();
            let process = if way.is_multiple_of(2) { nameplate.0.id() } else { responder.id() };
            let (begun, used) = (Instant::now(), processor_time(process));
            match way {
                0 => ours.flood(calls).await,
                1 => bare.flood(calls).await,
                2 => agi::flood(our_agi, calls).await,
                _ => agi::flood(bare_agi, calls).await,
            }
            let a_call = |seconds: f64| seconds / f64::from(u32::try_from(calls).expect("fewer calls"));
            figures[way].push(Figure {
                calls_a_second: 1.0 / a_call(begun.elapsed().as_secs_f64()),
                micros: a_call(processor_time(process) - used) * 1e6,
            });
        }
    }
    println!("{:<20} | {:>14} | {:>22}", "", "calls a second", "processor µs a call");
    let medians = figures.iter_mut().map(|figures| Figure::median(figures));
    let medians: Vec<_> = medians.collect();
    for (way, median) in ways.iter().zip(&medians) {
        println!("{way:<20} | {:>14.0} | {:>22.0}", median.calls_a_second, median.micros);
    }
    println!(
        "nameplate beside bare: ARI {:.2} of its calls, {:.2} of its time; FastAGI {:.2} and {:.2}",
        medians[0].calls_a_second / medians[1].calls_a_second,
        medians[0].micros / medians[1].micros,
        medians[2].calls_a_second / medians[3].calls_a_second,
        medians[2].micros / medians[3].micros,
    );
}

#[derive(Clone, Copy)]
struct Figure {
    calls_a_second: f64,
    /// Processor time of a call, in µs.
    micros: f64,
}

impl Figure {
    /// The median of each figure.
    fn median(figures: &mut [Self]) -> Self {
        figures.sort_unstable_by(|one, other| one.calls_a_second.total_cmp(&other.calls_a_second));
        let calls_a_second = figures[figures.len() / 2].calls_a_second;
        figures.sort_unstable_by(|one, other| one.micros.total_cmp(&other.micros));
        Self { calls_a_second, micros: figures[figures.len() / 2].micros }
    }
}

/// The processor time that a process has used, in seconds.
fn processor_time(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process");
    // The name, in parentheses, may have blanks. Behind it `utime` and `stime` are the 12th and the 13th field.
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u32 = [11, 12].map(|field| fields[field].parse::<u32>().expect("ticks")).iter().sum();
    f64::from(ticks) / TICKS_A_SECOND
}

/// The program, as it is run: its log goes to a file.
fn nameplate(folder: &Path, url: &str, agi: u16) -> Child {
    let mut list = "number,person,company\n".to_owned();
    for place in 0..NUMBERS {
        let _ = writeln!(list, "+47{},Person Number {place},Company {} AS", 40_000_000 + place, place / 4);
    }
    fs::write(folder.join("list.csv"), list).expect("a list");
    let config = format!(
        "state_dir = \"state\"\n[numbers]\ncountry = \"NO\"\n[[source]]\nname = \"list\"\ntype = \"csv\"\npath = \"list.csv\"\n\
         [[asterisk]]\nname = \"pbx\"\nurl = \"{url}\"\nusername = \"u\"\npassword = \"p\"\n[agi]\nlisten = \"127.0.0.1:{agi}\"\n"
    );
    fs::write(folder.join("nameplate.toml"), config).expect("a configuration");
    let log = fs::File::create(folder.join("log")).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    command.arg("--config").arg(folder.join("nameplate.toml")).arg("serve").stdin(Stdio::null()).stderr(log);
    command.spawn().expect("the program")
}

/// A number of the list.
pub(crate) fn number() -> u64 {
    40_000_000 + fastrand::u64(0..NUMBERS)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

/// The most time that anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
