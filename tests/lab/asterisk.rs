//! A real Asterisk for one test: started in about a second, gone when the test is, even a killed one.
//!
//! `setup.sh` provides the root it lives in (made at the first use); each has its own directory below
//! that root's `/tmp` with configuration, logs, database and console socket, and ports of its own on
//! 127.0.0.1, so several run side by side. The shipped context of `asterisk-conf/` is always loaded.
//!
//! - `place`: where it is installed, and its own directory
//! - `configuration`: what is written there

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

mod configuration;
mod place;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use super::machine::{free_tcp_port, free_udp_port};
use super::muffler::Muffler;
use place::{Place, Root};

/// How long one may take to be fully booted. Alone it takes about a second.
const BOOT: Duration = Duration::from_secs(30);

/// What `Asterisk::start_with` makes one from; `Setup::default()` and what differs.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The test's own `extensions.conf`: the user's contexts. Calls enter at `from-trunk`.
    pub dialplan: &'a str,
    /// Name and password of each ARI user; `ari_user()` is the first.
    pub ari_users: &'a [(&'a str, &'a str)],
    /// Text put at the end of a configuration file, which may be a new one: `("http.conf", "tlsenable = yes")`.
    /// `@DIR@` in it is where they are.
    pub extra_conf: &'a [(&'a str, &'a str)],
    /// The dialplan in the log, priority by priority. Writing it takes longer than running it, so not
    /// where time is measured.
    pub verbose: bool,
    /// Whether it answers no requests on the websocket, as before 20.14, 21.9 and 22.4.
    pub muffled: bool,
    /// `22` or `16`, as `setup.sh` knows them; by default `NAMEPLATE_LAB_VERSION`, else 22.
    pub version: Option<&'a str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            dialplan: "",
            ari_users: &[("nameplate", "lab-password")],
            extra_conf: &[],
            verbose: true,
            muffled: false,
            version: None,
        }
    }
}

/// A running Asterisk. Dropping it, also by a panic, ends it and removes its directory.
pub struct Asterisk {
    place: Place,
    sip: u16,
    http: u16,
    /// In front of its HTTP server.
    muffler: Option<Muffler>,
    agi: u16,
    user: (String, String),
    /// Asterisk lives for as long as this process holds the pipe to its standard input.
    process: Child,
}

impl Asterisk {
    /// Starts one with the test's dialplan and waits until it is fully booted.
    ///
    /// # Panics
    /// With the tail of Asterisk's log, when that takes longer than 30 s or it ends.
    pub fn start(dialplan: &str) -> Self {
        Self::start_with(&Setup { dialplan, ..Setup::default() })
    }

    /// As `start`, with more of it chosen.
    pub fn start_with(setup: &Setup<'_>) -> Self {
        let root = Root::of(setup.version);
        // A port is free when we look and may be another's when Asterisk binds it.
        for _ in 0..3 {
            if let Some(asterisk) = Self::attempt(&root, setup) {
                return asterisk;
            }
        }
        panic!("three times in a row another program took the ports meant for Asterisk");
    }

    /// None when a port was taken meanwhile.
    fn attempt(root: &Root, setup: &Setup<'_>) -> Option<Self> {
        let (sip, http, agi) = (free_udp_port(), free_tcp_port(), free_tcp_port());
        let place = root.place();
        configuration::write(&place, setup, sip, http, agi);
        let process = place.launch();
        let (name, password) = setup.ari_users.first().copied().unwrap_or_default();
        let user = (name.to_owned(), password.to_owned());
        let muffler = setup.muffled.then(|| Muffler::before((Ipv4Addr::LOCALHOST, http).into()));
        let mut asterisk = Self { place, sip, http, muffler, agi, user, process };
        asterisk.wait_booted();
        let clash =
            ["Address already in use", "Address in use"].iter().any(|words| asterisk.log().contains(words));
        (!clash).then_some(asterisk)
    }

    fn wait_booted(&mut self) {
        let deadline = Instant::now() + BOOT;
        let socket = self.place.host.join("run/asterisk.ctl");
        loop {
            // The command itself waits; before there is a console socket it fails at once.
            if socket.exists() && self.cli("core waitfullybooted").contains("fully booted") {
                return;
            }
            let ended =
                self.place.host.join("ended").exists() || !matches!(self.process.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                let console = fs::read_to_string(self.place.host.join("console")).unwrap_or_default();
                let what = if ended { "ended" } else { "is not fully booted" };
                panic!("Asterisk {what}:\n{}\n{}", tail(&console, 20), tail(&self.log(), 40));
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Where the PJSIP transport (UDP) listens.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.sip).into()
    }

    /// Where its HTTP server listens.
    pub fn http(&self) -> SocketAddr {
        let own = (Ipv4Addr::LOCALHOST, self.http).into();
        self.muffler.as_ref().map_or(own, Muffler::address)
    }

    /// `http://127.0.0.1:PORT`, without `/ari`.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http())
    }

    /// Where the shipped context looks for FastAGI's server.
    pub fn agi(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.agi).into()
    }

    /// Where it looks for the second of two servers.
    pub fn second_agi(&self) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, 2), self.agi).into()
    }

    /// Name of the first ARI user.
    pub fn ari_user(&self) -> &str {
        &self.user.0
    }

    /// Password of the first ARI user.
    pub fn ari_password(&self) -> &str {
        &self.user.1
    }

    /// What the console answers to a command (`asterisk -rx`).
    pub fn cli(&self, command: &str) -> String {
        let config = self.place.inside.join("asterisk.conf");
        let mut asterisk = self.place.root.command();
        asterisk.args([OsStr::new("-C"), config.as_os_str(), OsStr::new("-rx"), OsStr::new(command)]);
        let output = asterisk.stdin(Stdio::null()).output().expect("asterisk -rx");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// The whole log so far: notices, warnings, errors, and the dialplan as it runs (verbose 3).
    pub fn log(&self) -> String {
        let log = fs::read(self.place.host.join("log/full")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Its records of ended calls, as `cdr_csv` writes them: a line each.
    pub fn cdrs(&self) -> String {
        let records = fs::read(self.place.host.join("log/cdr-csv/Master.csv")).unwrap_or_default();
        String::from_utf8_lossy(&records).into_owned()
    }

    /// The same, once there is one: it is written when the channel has gone.
    ///
    /// # Panics
    /// When there is none within 5 s.
    pub fn until_recorded(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let records = self.cdrs();
            if records.ends_with('\n') {
                return records;
            }
            assert!(Instant::now() < deadline, "no call is recorded: {records}\n{}", tail(&self.log(), 40));
            sleep(Duration::from_millis(10));
        }
    }

    /// As `core show version` has it: `22.10.1…`.
    pub fn version(&self) -> String {
        let answer = self.cli("core show version");
        answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    /// How many channels there are.
    pub fn channels_left(&self) -> usize {
        let answer = self.cli("core show channels count");
        let active = answer.lines().find(|line| line.contains("active channel"));
        let count = active.and_then(|line| line.split_whitespace().next()?.parse().ok());
        count.unwrap_or_else(|| panic!("core show channels count: {answer}"))
    }

    /// Waits until there is no channel any more.
    ///
    /// # Panics
    /// With the list of them, when there still are some after 5 s.
    pub fn wait_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.channels_left() > 0 {
            assert!(Instant::now() < deadline, "channels left:\n{}", self.cli("core show channels verbose"));
            sleep(Duration::from_millis(20));
        }
    }

    /// Its own directory as seen from the test: configuration, logs, spool.
    pub fn dir(&self) -> &Path {
        &self.place.host
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        // The end of the pipe ends the first process of the PID namespace, and with it all others:
        // when `wait` returns, none is left.
        drop(self.process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(3);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            sleep(Duration::from_millis(5));
        }
        if env::var_os("NAMEPLATE_LAB_KEEP").is_some() {
            eprintln!("lab: kept {}", self.place.host.display());
        } else if let Err(error) = fs::remove_dir_all(&self.place.host) {
            eprintln!("lab: {}: {error}", self.place.host.display());
        }
    }
}

fn tail(text: &str, lines: usize) -> String {
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}
