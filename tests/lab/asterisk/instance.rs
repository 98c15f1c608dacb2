//! The running process of an Asterisk, and its console.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::place::{Place, Root};
use super::{Setup, configuration, tail};
use crate::lab::call::PATIENCE;
use crate::lab::machine::{free_tcp_port, free_udp_port};

/// How long one may take to be fully booted. Alone it takes about a second.
const BOOT: Duration = Duration::from_secs(30);

/// Dropped, it ends, and its directory is removed.
pub(super) struct Instance {
    pub(super) place: Place,
    /// Where PJSIP listens.
    pub(super) sip: u16,
    /// Where its HTTP server listens.
    pub(super) http: u16,
    /// Where its dialplan looks for FastAGI's server.
    pub(super) agi: u16,
    /// Asterisk lives for as long as this process holds the pipe to its standard input.
    process: Child,
}

impl Instance {
    /// Starts one and waits until it is fully booted.
    pub(super) fn start(root: &Root, setup: &Setup<'_>) -> Self {
        // A port is free when we look and may be another's when Asterisk binds it.
        for _ in 0..3 {
            if let Some(instance) = Self::attempt(root, setup) {
                return instance;
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
        let mut instance = Self { place, sip, http, agi, process };
        instance.wait_booted();
        let clash =
            ["Address already in use", "Address in use"].iter().any(|words| instance.log().contains(words));
        (!clash).then_some(instance)
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

    /// What the console answers to a command (`asterisk -rx`).
    pub(super) fn cli(&self, command: &str) -> String {
        let config = self.place.inside.join("asterisk.conf");
        let mut asterisk = self.place.root.command();
        asterisk.args([OsStr::new("-C"), config.as_os_str(), OsStr::new("-rx"), OsStr::new(command)]);
        let output = asterisk.stdin(Stdio::null()).output().expect("asterisk -rx");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// The log since the test began.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.place.host.join("log/full")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until all that it has to log by now is in its log, where the log has the dialplan as it runs: a thread of its own writes it.
    pub(super) fn until_written(&self) {
        let mark = format!("mark-{:08x}", fastrand::u32(..));
        self.cli(&format!("dialplan set global LOGGED {mark}"));
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(&mark) {
            assert!(Instant::now() < deadline, "{mark} is not in the log:\n{}", tail(&self.log(), 40));
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether an application of ours is connected.
    pub(super) fn has_apps(&self) -> bool {
        self.cli("ari show apps").lines().any(|line| line.trim_start().starts_with("nameplate"))
    }

    /// How many channels there are.
    pub(super) fn channels_left(&self) -> usize {
        let answer = self.cli("core show channels count");
        let active = answer.lines().find(|line| line.contains("active channel"));
        let count = active.and_then(|line| line.split_whitespace().next()?.parse().ok());
        count.unwrap_or_else(|| panic!("core show channels count: {answer}"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The end of the pipe ends the first process of the PID namespace, and with it all others, once it has
        // removed the directory.
        drop(self.process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(3);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            sleep(Duration::from_millis(5));
        }
    }
}
