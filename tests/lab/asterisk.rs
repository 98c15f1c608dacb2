//! A real Asterisk for one test: started in about a second, gone when the tests are, even killed ones.
//!
//! `setup.sh` provides the root it lives in (made at the first use); each has its own directory below
//! that root's `/tmp` with configuration, logs, database and console socket, and ports of its own on
//! 127.0.0.1, so several run side by side. The shipped context of `asterisk-conf/` is always loaded.
//! A test that chooses no more than the dialplan, and leaves Asterisk as it was, leaves it to the next test.
//!
//! - `place`: where it is installed, and its own directory
//! - `configuration`: what is written there
//! - `instance`: the running process
//! - `idle`: those that wait for the next test

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

mod configuration;
mod idle;
mod instance;
mod place;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use super::call::PATIENCE;
use super::muffler::Muffler;
use idle::Kind;
use instance::Instance;
use place::Root;

/// The commands that change nothing of Asterisk.
const LOOKS: [&str; 4] = ["core show ", "core waitfullybooted", "ari show ", "dialplan show"];

/// What `Asterisk::start_with` makes one from; `Setup::default()` and what differs.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
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

/// A running Asterisk. Dropped, it ends, or waits for the next test; after a panic it prints its log first.
pub(crate) struct Asterisk {
    /// None only while it is dropped.
    instance: Option<Instance>,
    /// What it is to the next test; None where this test has chosen more than a dialplan.
    kind: Option<Kind>,
    /// Whether the test has given it a command that may change it.
    is_altered: AtomicBool,
    /// In front of its HTTP server.
    muffler: Option<Muffler>,
    user: (String, String),
}

impl Asterisk {
    /// Starts one with the test's dialplan and waits until it is fully booted.
    ///
    /// # Panics
    /// With the tail of Asterisk's log, when that takes longer than 30 s or it ends.
    pub(crate) fn start(dialplan: &str) -> Self {
        Self::start_with(&Setup { dialplan, ..Setup::default() })
    }

    /// As `start`, with more of it chosen.
    pub(crate) fn start_with(setup: &Setup<'_>) -> Self {
        let root = Root::of(setup.version);
        let kind = Kind::of(&root, setup);
        let instance = kind.as_ref().and_then(|kind| idle::take(kind, setup));
        let instance = instance.unwrap_or_else(|| Instance::start(&root, setup));
        let (name, password) = setup.ari_users.first().copied().unwrap_or_default();
        let user = (name.to_owned(), password.to_owned());
        let muffler = setup.muffled.then(|| Muffler::before((Ipv4Addr::LOCALHOST, instance.http).into()));
        Self { instance: Some(instance), kind, is_altered: AtomicBool::new(false), muffler, user }
    }

    fn instance(&self) -> &Instance {
        self.instance.as_ref().expect("it is not dropped yet")
    }

    /// Where the PJSIP transport (UDP) listens.
    pub(crate) fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.instance().sip).into()
    }

    /// Where its HTTP server listens.
    pub(crate) fn http(&self) -> SocketAddr {
        let own = (Ipv4Addr::LOCALHOST, self.instance().http).into();
        self.muffler.as_ref().map_or(own, Muffler::address)
    }

    /// `http://127.0.0.1:PORT`, without `/ari`.
    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.http())
    }

    /// Where the shipped context looks for FastAGI's server.
    pub(crate) fn agi(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.instance().agi).into()
    }

    /// Where it looks for the second of two servers.
    pub(crate) fn second_agi(&self) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, 2), self.instance().agi).into()
    }

    /// Name of the first ARI user.
    pub(crate) fn ari_user(&self) -> &str {
        &self.user.0
    }

    /// Password of the first ARI user.
    pub(crate) fn ari_password(&self) -> &str {
        &self.user.1
    }

    /// What the console answers to a command (`asterisk -rx`).
    pub(crate) fn cli(&self, command: &str) -> String {
        if !LOOKS.iter().any(|look| command.starts_with(look)) {
            self.is_altered.store(true, Ordering::Relaxed);
        }
        self.instance().cli(command)
    }

    /// Writes a program `asterisk` into a folder, which opens this Asterisk's console as the installed one does on a PBX. Its
    /// files have the names that the test sees.
    pub(crate) fn write_program(&self, folder: &Path) {
        let place = &self.instance().place;
        let command = place.root.command();
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let words: Vec<_> = words.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let (words, inside, host) = (words.join(" "), place.inside.display(), place.host.display());
        let script = format!(
            "#!/bin/sh\nanswer=$({words} -C {inside}/asterisk.conf \"$@\")\nstatus=$?\n\
             printf '%s\\n' \"$answer\" | sed 's#{inside}#{host}#g'\nexit $status\n"
        );
        let program = folder.join("asterisk");
        fs::write(&program, script).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// The test's whole log so far: notices, warnings, errors, and the dialplan as it runs (verbose 3).
    pub(crate) fn log(&self) -> String {
        self.instance().log()
    }

    /// Waits until all that it has to log by now is in its log, which has to be verbose.
    ///
    /// # Panics
    /// When it is not after 15 s.
    pub(crate) fn until_written(&self) {
        self.instance().until_written();
    }

    /// Its records of ended calls, as `cdr_csv` writes them: a line each.
    pub(crate) fn cdrs(&self) -> String {
        self.records("cdr-csv/Master.csv")
    }

    /// What is in this file of its `log` so far.
    pub(crate) fn records(&self, file: &str) -> String {
        let records = fs::read(self.dir().join("log").join(file)).unwrap_or_default();
        String::from_utf8_lossy(&records).into_owned()
    }

    /// The same, once there is one: it is written when the channel has gone.
    ///
    /// # Panics
    /// When there is none within 15 s.
    pub(crate) fn until_recorded(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
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
    pub(crate) fn version(&self) -> String {
        let answer = self.cli("core show version");
        answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    /// How many channels there are.
    pub(crate) fn channels_left(&self) -> usize {
        self.instance().channels_left()
    }

    /// Waits until there is no channel any more.
    ///
    /// # Panics
    /// With the list of them, when there still are some after 15 s.
    pub(crate) fn wait_idle(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.channels_left() > 0 {
            assert!(Instant::now() < deadline, "channels left:\n{}", self.cli("core show channels verbose"));
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has noticed that a service is gone: no application of ours is connected any more.
    ///
    /// # Panics
    /// When one still is after 15 s.
    pub(crate) fn wait_without_apps(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.instance().has_apps() {
            assert!(Instant::now() < deadline, "still connected:\n{}", self.cli("ari show apps"));
            sleep(Duration::from_millis(10));
        }
    }

    /// Its own directory as seen from the test: configuration, logs, spool.
    pub(crate) fn dir(&self) -> &Path {
        &self.instance().place.host
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        if panicking() {
            eprintln!("\n--- Asterisk's log ends with:\n{}", tail(&instance.log(), 200));
        }
        let is_as_it_was = !panicking() && !self.is_altered.load(Ordering::Relaxed);
        if let (true, Some(kind)) = (is_as_it_was, self.kind.take()) {
            idle::leave(kind, instance);
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}
