//! A list of a million entries on its way to eight replicas: `cargo bench --bench share [-- ENTRIES REPLICAS]`.
//!
//! Real services, a real Redis, and a CRM that writes its answer while it is read. The CRM's list changes, the holder is told to ask, and
//! the clock runs from the moment at which the holder has the new list in use until each replica has it in use. A reader is asked for
//! numbers all the time. Beside it, in the same run: one service alone with the same list, which is what each of them did without a
//! server. All processes share the machine.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    // Of the lab only a part is used.
    dead_code,
    unused_imports
)]

mod crm;
#[path = "../tests/lab/mod.rs"]
mod lab;
mod memory;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crm::{Crm, number};
use lab::redis::Redis;

const ENTRIES: u64 = 1_000_000;
const REPLICAS: usize = 8;
const ROUNDS: u64 = 3;
const SITE: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let entries = numbers.next().unwrap_or(ENTRIES);
    let replicas = numbers.next().map_or(REPLICAS, |replicas| usize::try_from(replicas).expect("replicas"));
    let crm = Crm::start(entries);
    let redis = Redis::start(SITE);

    let alone = Service::start(crm.address, None);
    alone.until("directory is in place", 1);
    let before = alone.memory("VmRSS");
    println!("one service alone, {entries} entries: {before} MB");
    drop(alone);

    // The first one has the lease.
    let mut services = vec![Service::start(crm.address, Some(&redis.url()))];
    services[0].until("is published for all replicas", 1);
    services.extend((1..replicas).map(|_| Service::start(crm.address, Some(&redis.url()))));
    for service in &services {
        service.until("directory is in place", 1);
    }
    println!("{replicas} replicas have the first list; the server: {}", used(&redis));

    for round in 1..=ROUNDS {
        thread::sleep(Duration::from_secs(3));
        let asker = &services[1];
        let rest = asker.ask_for(Duration::from_secs(2), entries);
        services.iter().for_each(Service::forget_peak);
        let there = services[0].count("directory is in place");
        crm.epoch.store(round, Ordering::SeqCst);
        let mut refresh = services[0].refresh();
        services[0].until("directory is in place", there + 1);
        let begun = Instant::now();
        let mut times = Vec::new();
        let mut asked = Vec::new();
        while times.len() < services.len() {
            asked.extend(asker.ask_for(Duration::from_millis(20), entries));
            let done = |service: &&Service| service.count("directory is in place") > there;
            let arrived = services.iter().filter(done).count();
            times.resize(arrived, begun.elapsed());
            assert!(begun.elapsed() < PATIENCE, "a replica has no list");
        }
        let _ = refresh.wait();
        let mut rest = rest;
        rest.sort_unstable();
        asked.sort_unstable();
        let quantile = |times: &[Duration], percent: usize| {
            times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e6
        };
        let peaks: Vec<_> = services.iter().map(|service| service.memory("VmHWM")).collect();
        println!(
            "round {round}: the first of {} others has it after {:.1} s, the last after {:.1} s; lookups at a reader p50 {:.0} µs, p99 {:.0} µs \
             (at rest {:.0}, {:.0}); peak memory of the holder {} MB, of the readers {} to {} MB",
            replicas - 1,
            times.get(1).map_or(0.0, Duration::as_secs_f64),
            times.last().map_or(0.0, Duration::as_secs_f64),
            quantile(&asked, 50),
            quantile(&asked, 99),
            quantile(&rest, 50),
            quantile(&rest, 99),
            peaks[0],
            peaks[1..].iter().min().unwrap_or(&0),
            peaks[1..].iter().max().unwrap_or(&0)
        );
    }
}

/// What the server says of its memory.
fn used(redis: &Redis) -> String {
    let memory: String = redis.run(&["INFO", "memory"]);
    memory.lines().find(|line| line.starts_with("used_memory_human")).unwrap_or_default().trim().to_owned()
}

/// The program, its log in a file.
struct Service {
    process: Child,
    folder: tempfile::TempDir,
    web: SocketAddr,
}

impl Service {
    fn start(crm: SocketAddr, server: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let web = free_port();
        let share = server.map_or(String::new(), |url| {
            fs::write(folder.path().join("share.key"), [7; 32]).expect("a key");
            format!(
                "[share]\nurl = \"{url}\"\nusername = \"nameplate\"\npassword = \"{}\"\nkey_file = \"share.key\"\nsite = \"{SITE}\"\n",
                lab::redis::PASSWORD
            )
        });
        let config = format!(
            "state_dir = \"state\"\n[numbers]\ncountry = \"NO\"\n[web]\nlisten = \"{web}\"\n{share}[[source]]\nname = \"crm\"\n\
             type = \"superoffice\"\napi = \"http://{crm}/api\"\nrefresh = \"1h\"\nmax_answer = \"8GB\"\ntimeout = \"30m\"\n\
             auth = {{ type = \"basic\", username = \"u\", password = \"p\" }}\n"
        );
        fs::write(folder.path().join("nameplate.toml"), config).expect("a configuration");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let process = command(folder.path()).arg("serve").stderr(log).spawn().expect("nameplate");
        Self { process, folder, web }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log")
    }

    fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    fn until(&self, text: &str, count: usize) {
        let begun = Instant::now();
        while self.count(text) < count {
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Has the CRM asked.
    fn refresh(&self) -> Child {
        command(self.folder.path()).arg("refresh").stdout(Stdio::null()).spawn().expect("refresh")
    }

    /// A line of the process's status, in MB.
    fn memory(&self, line: &str) -> u64 {
        memory::of(self.process.id(), line)
    }

    /// Lets the peak begin anew.
    fn forget_peak(&self) {
        memory::forget_peak(self.process.id());
    }

    /// The times of lookups, one after the other, at a pace that leaves the machine to the replicas.
    fn ask_for(&self, time: Duration, entries: u64) -> Vec<Duration> {
        let begun = Instant::now();
        let mut times = Vec::new();
        while begun.elapsed() < time {
            thread::sleep(Duration::from_millis(1));
            times.push(self.ask(number(fastrand::u64(0..entries))));
        }
        times
    }

    fn ask(&self, number: u64) -> Duration {
        let request = format!(
            "GET /lookup?number=%2B47{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.web).expect("the web server");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let took = begun.elapsed();
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
        took
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    command.arg("--config").arg(folder.join("nameplate.toml")).stdin(Stdio::null());
    command
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port")
}
