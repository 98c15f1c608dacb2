//! How many lookups over HTTP the service answers: `cargo bench --bench web`, with Debian's `wrk`.
//!
//! Beside it, in the same run, axum alone answers each request with a fixed name. Both are processes of their own; the rounds
//! alternate. The numbers are 1,000 of a list of 10,000, by chance: callers who call again. Printed is each round, and the median of
//! the ratios.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

const ROUNDS: usize = 15;
/// The people of the list.
const PEOPLE: u32 = 10_000;
/// As long as the names of the list.
const NAME: &str = "Person Number 12345 (Company 3086 AS)";
/// What `wrk` asks: a number of the list, by chance.
const QUESTIONS: &str = "math.randomseed(1)\nrequest = function()\n  return wrk.format(\"GET\", \"/lookup?number=\" .. (40000000 + math.random(0, 999)))\nend\n";

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, word, address] = &arguments[..]
        && word == "bare"
    {
        return bare(address.parse().expect("an address"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("questions.lua");
    fs::write(&script, QUESTIONS).expect("a script");
    let (ours, bare) = (free_port(), free_port());
    let _nameplate = nameplate(folder.path(), ours);
    let this = std::env::current_exe().expect("this program");
    let _bare = Process::start(Command::new(this).args(["bare", &bare.to_string()]));
    for address in [ours, bare] {
        until_answered(address);
    }
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        // Whichever comes first finds another machine than the other one.
        let (ours, bare) = if round % 2 == 0 {
            let ours = requests(&script, ours);
            (ours, requests(&script, bare))
        } else {
            let bare = requests(&script, bare);
            (requests(&script, ours), bare)
        };
        println!("nameplate {ours:>8.0} a second, axum alone {bare:>8.0}, ratio {:.2}", ours / bare);
        ratios.push(ours / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio: median {:.2}, from {:.2} to {:.2}", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
}

/// The program, with a list of its own.
fn nameplate(folder: &Path, address: SocketAddr) -> Process {
    let mut people = "number,person,company\n".to_owned();
    for person in 0..PEOPLE {
        let _ =
            writeln!(people, "+47{},Person Number {person},Company {} AS", 40_000_000 + person, person / 4);
    }
    fs::write(folder.join("people.csv"), people).expect("a list");
    let config = format!(
        "state_dir = \"state\"\n[numbers]\ncountry = \"NO\"\n[web]\nlisten = \"{address}\"\n[[source]]\nname = \"people\"\n\
         type = \"csv\"\npath = \"people.csv\"\n"
    );
    fs::write(folder.join("nameplate.toml"), config).expect("a configuration");
    let log = fs::File::create(folder.join("log")).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    command.arg("--config").arg(folder.join("nameplate.toml")).arg("serve").stderr(log);
    Process::start(&mut command)
}

/// Waits until each request has a name.
fn until_answered(address: SocketAddr) {
    let begun = Instant::now();
    let asked = |address| -> std::io::Result<String> {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(
            b"GET /lookup?number=40000001 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    while !asked(address).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(begun.elapsed() < Duration::from_mins(1), "{address}: {:?}", asked(address));
        thread::sleep(Duration::from_millis(20));
    }
}

/// The requests that are answered in a second.
fn requests(script: &Path, address: SocketAddr) -> f64 {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c16", "-d2s", "-s"]).arg(script).arg(format!("http://{address}"));
    let output = wrk.output().expect("wrk: apt install wrk");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    let found = said.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{said}"))
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port")
}

struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("a process"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// axum alone.
fn bare(address: SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let router = Router::new().route("/lookup", get(async || NAME));
        let listener = tokio::net::TcpListener::bind(address).await.expect("the port");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}
