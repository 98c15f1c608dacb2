//! A path between two hosts that can be cut: what is under way on it vanishes, without a FIN and without an RST, as
//! when the other host loses its power.
//!
//! The program under test runs in a network namespace of its own, which a pair of veth links to the machine; at the
//! machine's end a relay stands for the PBX's host. It needs root's rights, or sudo.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::machine::is_root;

/// The name of each namespace begins so; the test's process id comes next.
const PREFIX: &str = "nameplate-";

/// A namespace and the path to it. Dropping it, also by a panic, takes both away.
pub(crate) struct Network {
    namespace: String,
    /// The machine's end.
    link: String,
    /// The machine's address on it: RFC 2544's network for tests of network devices.
    address: Ipv4Addr,
    relays: Vec<JoinHandle<()>>,
}

impl Network {
    /// A path that is whole.
    pub(crate) fn new() -> Self {
        remove_abandoned();
        let Ends { made, link, inside, address, theirs } = Ends::new();
        let namespace = format!("{PREFIX}{}-{made}", process::id());
        ip(&format!("netns add {namespace}"));
        let network = Self { namespace, link: link.clone(), address, relays: Vec::new() };
        let namespace = &network.namespace;
        ip(&format!("link add {link} type veth peer name {inside} netns {namespace}"));
        ip(&format!("addr add {address}/30 dev {link}"));
        ip(&format!("link set {link} up"));
        ip(&format!("-n {namespace} addr add {theirs}/30 dev {inside}"));
        ip(&format!("-n {namespace} link set {inside} up"));
        ip(&format!("-n {namespace} link set lo up"));
        network
    }

    /// Where the program in the namespace reaches what listens at `to` on this machine.
    pub(crate) async fn relay(&mut self, to: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind((self.address, 0)).await.expect("the machine's end of the path");
        let address = listener.local_addr().expect("bound");
        self.relays.push(tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    // As if it were not there.
                    let _ = near.set_nodelay(true).and(far.set_nodelay(true));
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
        address
    }

    /// From now on nothing arrives at either end, and neither is told.
    pub(crate) fn cut(&self) {
        ip(&format!("link set {} down", self.link));
    }

    /// The path is whole again.
    pub(crate) fn mend(&self) {
        ip(&format!("link set {} up", self.link));
    }

    /// What a command is put behind to run in the namespace.
    pub(crate) fn inside(&self) -> Command {
        let mut command = as_root("ip");
        command.args(["netns", "exec", &self.namespace]);
        command
    }
}

/// A path to the network namespace of this process; gives the machine's address on it. The path goes with the namespace.
pub(crate) fn link_to_process(id: &str) -> Ipv4Addr {
    let Ends { link, inside, address, theirs, .. } = Ends::new();
    ip(&format!("link add {link} type veth peer name {inside} netns {id}"));
    ip(&format!("addr add {address}/30 dev {link}"));
    ip(&format!("link set {link} up"));
    for arguments in [format!("addr add {theirs}/30 dev {inside}"), format!("link set {inside} up")] {
        let mut command = as_root("nsenter");
        command.args(["--net", "--target", id, "ip"]).args(arguments.split(' '));
        assert!(command.status().expect("nsenter").success(), "ip {arguments}");
    }
    address
}

/// Both ends of a path: their names and their addresses.
struct Ends {
    /// How many were made before by this process.
    made: u32,
    link: String,
    inside: String,
    address: Ipv4Addr,
    theirs: Ipv4Addr,
}

impl Ends {
    /// Tests that run side by side do not meet: /30 networks out of 198.18.0.0/15.
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let place = (process::id() * 4 + made) % (1 << 15);
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + place * 4;
        let (link, inside) = (format!("np{place}a"), format!("np{place}b"));
        Self { made, link, inside, address: Ipv4Addr::from(base + 1), theirs: Ipv4Addr::from(base + 2) }
    }
}

/// A command to be put in front of a program: for that, names of hosts are looked up at `server` only, and an answer is
/// waited for for minutes. `folder` is the test's own.
pub(crate) fn resolving_at(server: SocketAddr, folder: &Path) -> Command {
    assert_eq!(server.port(), 53, "a resolver asks at no other port");
    let file = folder.join("resolv.conf");
    let text = format!("nameserver {}\noptions timeout:30 attempts:5\n", server.ip());
    std::fs::write(&file, text).expect("a file");
    let mut command = as_root("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""]).arg(file);
    command
}

impl Drop for Network {
    fn drop(&mut self) {
        for relay in &self.relays {
            relay.abort();
        }
        // The pair of veth goes with the namespace.
        let _ = as_root("ip").args(["netns", "del", &self.namespace]).status();
    }
}

fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

fn ip(arguments: &str) {
    let output =
        as_root("ip").args(arguments.split(' ')).output().expect("iproute2, which setup.sh installs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Removes the namespaces of tests that were killed.
fn remove_abandoned() {
    let Ok(list) = as_root("ip").args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let test = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if test.is_some_and(|id| id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists()) {
            let _ = as_root("ip").args(["netns", "del", name]).output();
        }
    }
}
