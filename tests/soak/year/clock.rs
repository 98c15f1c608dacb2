//! The clock on the wall, which goes as fast as tokio's paused one. It is libfaketime's, so the program's own code reads it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::lab::nameplate::project;

/// The file that libfaketime reads at each look at the clock: by how much the clock is ahead.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";
/// When the program was started, in seconds since 1970, by the machine's own clock.
const BEGUN: &str = "NAMEPLATE_SOAK_BEGUN";

/// The clock of this process.
pub(super) struct Clock {
    file: PathBuf,
    /// When tokio's clock stood at `start`, by the machine's own clock.
    begun: f64,
    running: std::time::Instant,
    start: Instant,
    /// Seconds since 1970.
    wall_at_start: i64,
    /// By how much it is set wrong, in seconds.
    wrong: AtomicI64,
}

/// Runs this program once more, with a clock that can be set; `time_zone` is that of an office. None: it has one already.
pub(super) fn start_again(time_zone: &str) -> Option<bool> {
    if std::env::var_os(FILE).is_some() {
        return None;
    }
    let setup =
        Command::new(project().join("tests/lab/setup.sh")).arg("faketime").stderr(Stdio::inherit()).output();
    let library = String::from_utf8(setup.expect("setup.sh").stdout).expect("a path");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clock");
    fs::write(&file, "+0\n").expect("a file");
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(std::env::args_os().skip(1)).env("TZ", time_zone);
    again.env("LD_PRELOAD", library.trim()).env(FILE, &file).env(BEGUN, begun.to_string());
    // The clock of tokio and of the system's own waits stays as it is, and so do the times of files.
    again.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_NO_CACHE", "1").env("NO_FAKE_STAT", "1");
    Some(again.status().expect("this program").success())
}

impl Clock {
    /// A clock that shows `wall_at_start`, in seconds since 1970, now.
    pub(super) fn new(wall_at_start: i64) -> Self {
        let file = PathBuf::from(std::env::var_os(FILE).expect("the file of the clock"));
        let begun =
            std::env::var(BEGUN).ok().and_then(|begun| begun.parse().ok()).expect("the time of the start");
        let (running, start) = (std::time::Instant::now(), Instant::now());
        let clock = Self { file, begun, running, start, wall_at_start, wrong: AtomicI64::new(0) };
        clock.show();
        let shown = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        assert!(
            shown.abs_diff(wall_at_start.unsigned_abs()) < 60,
            "libfaketime does not set the clock: {shown}"
        );
        clock
    }

    /// How long the year goes on already.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment so long after the start.
    pub(super) fn at(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// The right time, in seconds since 1970.
    pub(super) fn right(&self) -> i64 {
        self.wall_at_start + i64::try_from(self.elapsed().as_secs()).expect("a year")
    }

    /// Sets it wrong by so many seconds.
    pub(super) fn set_wrong(&self, seconds: i64) {
        self.wrong.store(seconds, Ordering::Relaxed);
        self.show();
    }

    /// By how much it is wrong, in seconds.
    pub(super) fn wrong(&self) -> i64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Makes the clock on the wall show what it is to show now.
    pub(super) fn show(&self) {
        let machine = self.begun + self.running.elapsed().as_secs_f64();
        let shown = (self.right() + self.wrong()) as f64;
        // Renamed, so that nobody reads half of it.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{:+.3}\n", shown - machine)).expect("a file");
        fs::rename(&new, &self.file).expect("a file");
    }
}
