//! Asterisks that a test has left as they were: the next test of the same kind takes one, instead of a second's start.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::instance::Instance;
use super::place::Root;
use super::{Setup, configuration};

/// How many wait at most.
const MOST: usize = 8;
/// How long calls and services of the test that leaves it may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

static IDLE: Mutex<Vec<(Kind, Instance)>> = Mutex::new(Vec::new());

/// Tests of one kind differ in their dialplan only.
#[derive(PartialEq, Eq)]
pub(super) struct Kind {
    root: PathBuf,
    is_verbose: bool,
}

impl Kind {
    /// None: this test chooses more, so nobody else can have its Asterisk.
    pub(super) fn of(root: &Root, setup: &Setup<'_>) -> Option<Self> {
        let is_usual = setup.ari_users == Setup::default().ari_users && setup.extra_conf.is_empty();
        is_usual.then(|| Self { root: root.path.clone(), is_verbose: setup.verbose })
    }
}

/// One that waits, with this test's dialplan and an empty log.
pub(super) fn take(kind: &Kind, setup: &Setup<'_>) -> Option<Instance> {
    let instance = {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|(of, _)| of == kind)?;
        idle.swap_remove(at).1
    };
    configuration::write_dialplan(&instance.place, setup.dialplan, instance.agi);
    let answer = instance.cli("dialplan reload");
    assert!(answer.contains("Dialplan reloaded"), "dialplan reload: {answer}");
    if kind.is_verbose {
        // Not what the test before has left to be written.
        instance.until_written();
    }
    // Asterisk appends to both.
    for log in ["log/full", "log/cdr-csv/Master.csv"] {
        let log = instance.place.host.join(log);
        if fs::exists(&log).is_ok_and(|exists| exists) {
            let emptied = OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(0));
            emptied.expect("a log of Asterisk's");
        }
    }
    Some(instance)
}

/// Leaves one to the next test. It ends instead where calls or services are left in it.
pub(super) fn leave(kind: Kind, instance: Instance) {
    if !is_left_alone(&instance) {
        return;
    }
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    idle.push((kind, instance));
    let ended = (idle.len() > MOST).then(|| idle.remove(0));
    drop(idle);
    drop(ended);
}

fn is_left_alone(instance: &Instance) -> bool {
    let begun = Instant::now();
    loop {
        if !instance.has_apps() && instance.channels_left() == 0 {
            return true;
        }
        if begun.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
}
