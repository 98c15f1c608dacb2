//! What the lab needs of the machine: rights, ports, the programs that are installed for it; and what killed tests
//! have left on it.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::nameplate::project;

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    // No unsafe, hence no geteuid: our own process's directory is owned by who we are.
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// The root with this version of Asterisk, made by `setup.sh` if it is not there yet; `/` for the machine's own.
pub(crate) fn installed(version: &str) -> PathBuf {
    let script = project().join("tests/lab/setup.sh");
    let output = Command::new(&script).arg(version).stderr(Stdio::inherit()).output().expect("setup.sh");
    assert!(output.status.success(), "{} {version} failed", script.display());
    let answer = String::from_utf8(output.stdout).expect("a path");
    PathBuf::from(answer.lines().last().expect("setup.sh prints the root's path"))
}

/// Where the softphone is installed: the root with Asterisk 22, or the machine itself.
pub(crate) fn softphone_root() -> Option<PathBuf> {
    let root = installed("22");
    (root.join("usr/bin/baresip").exists() && root.parent().is_some()).then_some(root)
}

/// Nobody has it now; when it is taken, somebody may.
pub(crate) fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
    socket.local_addr().expect("bound").port()
}

/// A TCP port that was free just now. Not of those that the system gives to connections on their way out: whoever tries
/// again and again to reach one of them, while nobody listens there, is at last connected with himself and has taken it.
pub(crate) fn free_tcp_port() -> u16 {
    /// None is given twice: it may be used seconds later only.
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // The second is `Asterisk::second_agi`'s.
    let is_free =
        |port| ["127.0.0.1", "127.0.0.2"].iter().all(|host| TcpListener::bind((*host, port)).is_ok());
    let free = |port: &u16| !given.contains(port) && is_free(*port);
    let port = std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).take(1_000).find(free);
    let port = port.expect("a free TCP port");
    given.insert(port);
    port
}

/// Removes the directories `{prefix}{process id}-…` of tests that were killed: an hour old, and the test's process
/// is no more.
pub(crate) fn remove_abandoned(tmp: &Path, prefix: &str) {
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let test = name.strip_prefix(prefix).and_then(|rest| rest.split('-').next());
        let gone = test
            .and_then(|id| id.parse::<u32>().ok())
            .is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists());
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if gone && age.is_some_and(|age| age > Duration::from_secs(60 * 60)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

mod checks {
    use std::process;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_what_killed_tests_have_left_is_removed() {
        let tmp = tempfile::tempdir().unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let (ended, running) = (ended.id(), process::id());
        let names = [
            format!("lab-{ended}-old"),
            format!("lab-{ended}-new"),
            format!("lab-{running}-old"),
            format!("lab-other-{ended}-old"),
            "lab-of-mine-old".to_owned(),
        ];
        for name in &names {
            let path = tmp.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("log"), "").unwrap();
            let age = Duration::from_secs(if name.ends_with("old") { 2 * 60 * 60 } else { 0 });
            fs::File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        remove_abandoned(tmp.path(), "lab-");
        for (name, stays) in names.iter().zip([false, true, true, true, true]) {
            assert_eq!(tmp.path().join(name).exists(), stays, "{name}");
        }
    }
}
