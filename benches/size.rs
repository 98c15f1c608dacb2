//! How the service carries many records: `cargo bench --bench size [-- 1000000 10000000]`.
//!
//! The real binary, asked over its web server, and a CRM that generates its answer while it is read. Printed for each
//! size: memory at its peak and afterwards (first list; a refresh while the old directory is served), how long the
//! refresh took, the lookups' p50 and p99 at rest and during the refresh, the page `Find`: the time and the memory of its
//! index, and the p50 and p99 of questions, and the time from start to a directory that comes from disk (median of five starts).

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod crm;
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

/// How long lookups are measured at rest.
const AT_REST: Duration = Duration::from_secs(3);
/// Starts whose median is taken.
const STARTS: usize = 5;

fn main() {
    let mut sizes: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100_000, 1_000_000, 10_000_000];
    }
    println!(
        "{:>10} | {:>9} {:>9} | {:>9} {:>9} {:>7} | {:>8} {:>8} | {:>8} {:>8} | {:>7} {:>7} {:>8} {:>8} | {:>8}",
        "records",
        "first MB",
        "then MB",
        "peak MB",
        "then MB",
        "took s",
        "rest p50",
        "p99 µs",
        "busy p50",
        "p99 µs",
        "find s",
        "find MB",
        "find p50",
        "p99 ms",
        "start ms"
    );
    for size in sizes {
        println!("{}", measure(size));
    }
}

fn measure(size: u64) -> String {
    let crm = Crm::start(size);
    let folder = tempfile::tempdir().expect("a folder");
    let web = free_port();
    let config = format!(
        "state_dir = \"state\"\n[numbers]\ncountry = \"NO\"\n[web]\nlisten = \"{web}\"\n[[source]]\nname = \"crm\"\n\
         type = \"superoffice\"\napi = \"http://{}/api\"\nrefresh = \"1h\"\nmax_answer = \"8GB\"\ntimeout = \"30m\"\n\
         auth = {{ type = \"basic\", username = \"u\", password = \"p\" }}\n",
        crm.address
    );
    fs::write(folder.path().join("nameplate.toml"), config).expect("a configuration");

    let service = Service::start(folder.path());
    service.until("directory is in place", 1);
    let first_peak = service.memory("VmHWM");
    thread::sleep(Duration::from_secs(3));
    let first_then = service.memory("VmRSS");

    let mut asker = Asker::new(web, size);
    let rest = asker.ask_while(|begun| begun.elapsed() < AT_REST);
    service.forget_peak();
    crm.epoch.fetch_add(1, Ordering::SeqCst);
    let begun = Instant::now();
    let mut refresh = Command::new(env!("CARGO_BIN_EXE_nameplate"))
        .arg("--config")
        .arg(folder.path().join("nameplate.toml"))
        .arg("refresh")
        .stdout(Stdio::null())
        .spawn()
        .expect("refresh");
    let busy = asker.ask_while(|_| {
        // Until the new directory is in place, which is after the command has ended.
        !(matches!(refresh.try_wait(), Ok(Some(_))) && service.has("directory is in place", 2))
    });
    let took = begun.elapsed();
    let peak = service.memory("VmHWM");
    thread::sleep(Duration::from_secs(3));
    let then = service.memory("VmRSS");
    let begun = Instant::now();
    asker.until_found();
    let built = begun.elapsed();
    thread::sleep(Duration::from_secs(3));
    let index = service.memory("VmRSS").saturating_sub(then);
    let mut found: Vec<_> = (0..300).map(|_| asker.find()).collect();
    found.sort_unstable();
    drop(service);

    crm.epoch.store(u64::MAX, Ordering::SeqCst);
    let mut starts: Vec<_> = (0..STARTS).map(|_| start_from_disk(folder.path())).collect();
    starts.sort_unstable();
    format!(
        "{size:>10} | {first_peak:>9} {first_then:>9} | {peak:>9} {then:>9} {:>7.1} | {:>8.0} {:>8.0} | {:>8.0} {:>8.0} | {:>7.1} {index:>7} {:>8.1} {:>8.1} | {:>8}",
        took.as_secs_f64(),
        micros(&rest, 50),
        micros(&rest, 99),
        micros(&busy, 50),
        micros(&busy, 99),
        built.as_secs_f64(),
        micros(&found, 50) / 1e3,
        micros(&found, 99) / 1e3,
        starts[STARTS / 2].as_millis()
    )
}

/// From the start of the process to its directory, while the CRM does not answer.
fn start_from_disk(folder: &Path) -> Duration {
    let begun = Instant::now();
    let service = Service::start(folder);
    service.until("lists=from disk", 1);
    begun.elapsed()
}

fn micros(times: &[Duration], percent: usize) -> f64 {
    times
        .get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
        .map_or(0.0, Duration::as_secs_f64)
        * 1e6
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port")
}

/// The program, its log in a file.
struct Service {
    process: Child,
    log: std::path::PathBuf,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let log = folder.join("log");
        let process = Command::new(env!("CARGO_BIN_EXE_nameplate"))
            .arg("--config")
            .arg(folder.join("nameplate.toml"))
            .arg("serve")
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("nameplate");
        Self { process, log }
    }

    fn has(&self, text: &str, count: usize) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|log| log.matches(text).count() >= count)
    }

    fn until(&self, text: &str, count: usize) {
        let begun = Instant::now();
        while !self.has(text, count) {
            assert!(begun.elapsed() < Duration::from_secs(900), "{}", fs::read_to_string(&self.log).unwrap());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A line of the process's status, in MB.
    fn memory(&self, line: &str) -> u64 {
        memory::of(self.process.id(), line)
    }

    /// Lets the peak begin anew.
    fn forget_peak(&self) {
        memory::forget_peak(self.process.id());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks for numbers over HTTP, each over a connection of its own, as a dialplan's `CURL()` does.
struct Asker {
    web: SocketAddr,
    random: fastrand::Rng,
    size: u64,
}

impl Asker {
    fn new(web: SocketAddr, size: u64) -> Self {
        Self { web, random: fastrand::Rng::with_seed(1), size }
    }

    /// The times of all lookups, shortest first.
    fn ask_while(&mut self, mut more: impl FnMut(Instant) -> bool) -> Vec<Duration> {
        let begun = Instant::now();
        let mut times = Vec::new();
        while times.len() % 64 != 0 || more(begun) {
            // A pace that leaves the machine's two cores to the refresh.
            thread::sleep(Duration::from_micros(200));
            times.push(self.ask());
        }
        times.sort_unstable();
        times
    }

    fn ask(&mut self) -> Duration {
        let number = number(self.random.u64(0..self.size));
        self.asked(&format!("/lookup?number=%2B47{number}")).0
    }

    /// Asks for people, as somebody does who types: a word of many, a few letters, a number's first digits.
    fn find(&mut self) -> Duration {
        let place = self.random.u64(0..self.size);
        let question = match self.random.u32(0..5) {
            0 => format!("number+{place}"),
            1 => "per".to_owned(),
            2 => format!("comp+{}", self.random.u64(0..10)),
            3 => number(place).to_string()[..5].to_owned(),
            _ => format!("pers+numb+comp+{}", self.random.u64(10..100)),
        };
        let (took, answer) = self.asked(&format!("/find?part=hits&q={question}"));
        assert!(answer.contains(" AS"), "{question}: {answer}");
        took
    }

    /// Asks until the index is there.
    fn until_found(&self) {
        while !self.asked("/find?part=hits&q=person").1.contains(" AS") {
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn asked(&self, path: &str) -> (Duration, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.web).expect("the web server");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let took = begun.elapsed();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        (took, answer)
    }
}
