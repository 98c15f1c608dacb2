//! A Debian of its own with a real systemd as its first process: the package is installed on it, and its unit started.
//! Whatever ends the test ends it, and nothing of it stays.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test without its lab has failed")]

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::nameplate::project;
use super::network;

/// How long a Debian may take for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

fn script() -> PathBuf {
    project().join("tests/lab/systemd.sh")
}

/// A running Debian. Dropping it, also by a panic, ends it.
pub(crate) struct Debian {
    /// It lives as long as this one's standard input is open.
    script: Child,
    /// The process id of its systemd, as this machine sees it.
    systemd: String,
}

impl Debian {
    /// Boots Debian 12 or 13, with `folder` as its `/shared`. It takes some seconds, and the first time a minute.
    ///
    /// # Panics
    /// When it has not booted after a minute.
    pub(crate) fn boot(version: &str, folder: &Path) -> Self {
        let mut command = Command::new(script());
        command.args(["boot", version]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().expect("systemd.sh");
        let mut systemd = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut systemd).unwrap();
        let debian = Self { script, systemd: systemd.trim_end().to_owned() };
        assert!(!debian.systemd.is_empty(), "Debian {version} has not booted: see what systemd.sh says");
        debian
    }

    /// Writes a file on it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let mut command = Command::new(script());
        let lines = format!("mkdir -p $(dirname {path}) && cat >{path}");
        command.args(["run", &self.systemd, "bash", "-c", &lines]).stdin(Stdio::piped());
        let mut process = command.spawn().expect("systemd.sh");
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(process.wait().unwrap().success(), "{path} can't be written");
    }

    /// Links it with this machine; gives this machine's address on the link.
    pub(crate) fn link(&self) -> Ipv4Addr {
        network::link_to_process(&self.systemd)
    }

    /// Runs lines of bash on it as root.
    pub(crate) fn run(&self, lines: &str) -> Output {
        let mut command = Command::new(script());
        command.args(["run", &self.systemd, "bash", "-c", lines]).stdin(Stdio::null());
        command.output().expect("systemd.sh")
    }

    /// The same; gives what they have said on standard output, less the line break at its end.
    ///
    /// # Panics
    /// When their exit status is not 0.
    pub(crate) fn good(&self, lines: &str) -> String {
        let output = self.run(lines);
        let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{lines}\n{said}\n{errors}\n{}", self.journal());
        said
    }

    /// Waits until these lines end with status 0; gives what they have said.
    ///
    /// # Panics
    /// When they have not after a minute.
    pub(crate) fn until(&self, lines: &str) -> String {
        let begun = Instant::now();
        loop {
            let output = self.run(lines);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{lines}\n{output:?}\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the service has logged, for a test that fails.
    fn journal(&self) -> String {
        let output =
            self.run("systemctl status nameplate --no-pager; journalctl -u nameplate --no-pager -n 50");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
