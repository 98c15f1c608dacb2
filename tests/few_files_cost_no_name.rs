//! A limit on open files costs no name: it is raised to what may be needed, and where that is not allowed the service says
//! so and takes in fewer connections, so that there is one for who asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lab::configuration::csv_folder;
use crate::lab::machine::free_tcp_port;
use crate::lab::nameplate::Nameplate;
use crate::lab::web;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// The service with these limits, soft and hard, and the address of its FastAGI server.
async fn service(soft: usize, hard: usize) -> (Nameplate, SocketAddr) {
    let agi: SocketAddr = ([127, 0, 0, 1], free_tcp_port()).into();
    let config = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"web.token\"\n[agi]\nlisten = \"{agi}\"\nmax_sessions = 2000"
    );
    let folder = csv_folder(&config, "");
    folder.write("web.token", "token");
    let mut limits = Command::new("prlimit");
    limits.arg(format!("--nofile={soft}:{hard}"));
    let nameplate = folder.serve_behind(limits);
    nameplate.until_logged("directory is in place", 1).await;
    (nameplate, agi)
}

/// The name that a FastAGI session gives; none where it is closed.
fn by_agi(agi: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(agi).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let block = "agi_network: yes\nagi_network_script: lookup\nagi_callerid: 22334455\nagi_callingpres: 0\nagi_threadid: 1\n\n";
    stream.write_all(block.as_bytes()).ok()?;
    let mut said = Vec::new();
    while !said.ends_with(b"\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        said.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&said).into_owned())
}

/// So many connections that say nothing, again and again until the test ends.
struct Flood(Arc<AtomicBool>);

impl Flood {
    fn start(to: SocketAddr, count: usize) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        std::thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                let held: Vec<_> = (0..count).filter_map(|_| TcpStream::connect(to).ok()).collect();
                std::thread::sleep(Duration::from_millis(700));
                drop(held);
            }
        });
        Self(ended)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All of them, and none waits for long.
fn lookups_have_names(address: SocketAddr, count: u32) {
    let mut took = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        let answer = web::get(address, "/lookup?number=22334455", "Authorization: Bearer token\r\n");
        assert_eq!((answer.status, answer.body.as_str()), (200, KARI), "{}", answer.head);
        took += begun.elapsed();
        // Over the time in which a token is used without a look at its file.
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(took < count * Duration::from_millis(400), "{count} lookups: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_limit_is_raised_to_what_may_be_needed() {
    let (nameplate, agi) = service(64, 8_192).await;
    let address = web::address(&nameplate).await;
    let _flood = Flood::start(agi, 500);
    tokio::task::block_in_place(|| {
        lookups_have_names(address, 8);
        let said = by_agi(agi).expect("one session of 2,000");
        assert!(said.contains(KARI), "{said}");
    });
    let log = nameplate.log();
    assert!(!log.contains("Too many open files") && !log.contains("fewer files"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_that_is_not_allowed_it_is_said_and_there_is_room_for_who_asks() {
    let (nameplate, agi) = service(200, 200).await;
    let address = web::address(&nameplate).await;
    let _floods = [Flood::start(agi, 300), Flood::start(address, 300)];
    tokio::task::block_in_place(|| lookups_have_names(address, 30));
    let log = nameplate.log();
    assert!(
        log.contains("this process may open fewer files than it may need") && log.contains("LimitNOFILE"),
        "{log}"
    );
    assert!(!log.contains("Too many open files"), "{log}");
}
