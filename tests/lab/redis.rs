//! A real Redis, private, on loopback: nothing of it is on disk.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use redis::{Commands, Connection, FromRedisValue};
use tempfile::TempDir;

use super::certificate::Certificate;
use super::machine::free_tcp_port;
use super::nameplate::project;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// The password of the user `nameplate`.
pub(crate) const PASSWORD: &str = "pass:wørd";

/// A running Redis with the user `nameplate`, who has the rights of docs/replicas.md; killed when dropped.
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    process: Child,
}

/// A Redis with a copy, and a sentinel that makes the copy the master where the master is gone.
pub(crate) struct Watched {
    /// The master at first.
    pub master: Redis,
    /// Its copy.
    pub copy: Redis,
    /// The sentinel's address.
    pub sentinel: String,
    _sentinel: Redis,
}

impl Watched {
    /// Starts them for a site. The sentinel knows the master as `names`.
    pub(crate) fn start(site: &str) -> Self {
        let master = Redis::start(site);
        let copy = Redis::start(site);
        copy.run::<()>(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
        let begun = Instant::now();
        while !copy.run::<String>(&["INFO", "replication"]).contains("master_link_status:up") {
            assert!(begun.elapsed() < PATIENCE, "the copy does not reach its master:\n{}", copy.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let port = master.port;
        let sentinel = Redis::with(
            &format!(
                "sentinel monitor names 127.0.0.1 {port} 1\nsentinel down-after-milliseconds names 1000\n\
                 sentinel failover-timeout names 5000\n"
            ),
            &["--sentinel"],
        );
        let begun = Instant::now();
        // It asks the master for its copies.
        while !sentinel.run::<String>(&["INFO", "sentinel"]).contains("slaves=1") {
            assert!(begun.elapsed() < PATIENCE, "the sentinel does not know the copy:\n{}", sentinel.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { master, copy, sentinel: sentinel.url(), _sentinel: sentinel }
    }
}

/// The program, installed by `setup.sh` if it is not there yet.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = project().join("tests/lab/setup.sh");
        let output = Command::new(script).arg("redis").stderr(Stdio::inherit()).output().expect("setup.sh");
        assert!(output.status.success(), "setup.sh redis failed");
        let answer = String::from_utf8(output.stdout).expect("a path");
        PathBuf::from(answer.lines().last().expect("setup.sh prints the program's path"))
    })
}

/// The line of docs/replicas.md that makes the user, for this site.
fn acl(site: &str) -> String {
    let page = fs::read_to_string(project().join("docs/replicas.md")).expect("docs/replicas.md");
    let line = page
        .lines()
        .find(|line| line.trim_start().starts_with("ACL SETUSER nameplate "))
        .expect("a line with the user");
    let line = line.replace("oslo", site).replace(">PASSWORD", &format!(">{PASSWORD}"));
    line.trim().trim_start_matches("ACL SETUSER ").to_owned()
}

/// The configuration of one for a site.
fn configuration(site: &str) -> String {
    let user = acl(site);
    format!(
        "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nuser default on nopass ~* &* +@all\nuser {user}\n"
    )
}

impl Redis {
    /// Starts one for a site.
    pub(crate) fn start(site: &str) -> Self {
        Self::with(&configuration(site), &[])
    }

    /// Starts one that also speaks TLS, with clients that show a certificate of the same authority. Returns its URL, too.
    pub(crate) fn with_tls(site: &str, certificate: &Certificate) -> (Self, String) {
        let port = free_tcp_port();
        let files = tempfile::tempdir().expect("a folder").keep();
        fs::write(files.join("server.pem"), &certificate.with_key).expect("a file");
        fs::write(files.join("authority.pem"), &certificate.authority).expect("a file");
        let at = files.display();
        let tls = format!(
            "tls-port {port}\ntls-cert-file {at}/server.pem\ntls-key-file {at}/server.pem\ntls-ca-cert-file {at}/authority.pem\n\
             tls-auth-clients yes\n"
        );
        let redis = Self::with(&(configuration(site) + &tls), &[]);
        // They are read at the start.
        let _ = fs::remove_dir_all(files);
        (redis, format!("rediss://127.0.0.1:{port}"))
    }

    /// Starts one with this configuration and these arguments.
    fn with(config: &str, arguments: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_tcp_port();
        let place = folder.path().display();
        let config = format!("bind 127.0.0.1\nport {port}\ndir {place}\n{config}");
        fs::write(folder.path().join("redis.conf"), config).expect("a file");
        let process = spawn(&folder, arguments);
        let mut redis = Self { folder, port, process };
        redis.until_ready();
        redis
    }

    fn until_ready(&mut self) {
        let begun = Instant::now();
        while self.connect().is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server does not answer:\n{}", self.log());
            assert!(matches!(self.process.try_wait(), Ok(None)), "redis-server has ended:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Starts it again, empty.
    pub(crate) fn again(&mut self) {
        self.process = spawn(&self.folder, &[]);
        self.until_ready();
    }

    /// What belongs into a configuration's `[share]`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    /// Does a command as its administrator.
    pub(crate) fn run<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.connect().expect("a connection");
        let (name, arguments) = command.split_first().expect("a command");
        redis::cmd(name).arg(arguments).query(&mut connection).expect("an answer")
    }

    /// The names of the keys that fit.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        self.run(&["KEYS", pattern])
    }

    /// The bytes of a key.
    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        self.connect().expect("a connection").get(key).expect("its bytes")
    }

    /// Puts other bytes in the place of a key's; its life stays.
    pub(crate) fn replace(&self, key: &str, bytes: &[u8]) {
        let mut connection = self.connect().expect("a connection");
        redis::cmd("SET").arg(key).arg(bytes).arg("KEEPTTL").exec(&mut connection).expect("a key");
    }

    /// The fields of a hash.
    pub(crate) fn pairs(&self, key: &str) -> Vec<(String, Vec<u8>)> {
        self.connect().expect("a connection").hgetall(key).expect("a hash")
    }

    /// Writes a field of a hash.
    pub(crate) fn put(&self, (key, field): (&str, &str), bytes: &[u8]) {
        self.connect().expect("a connection").hset::<_, _, _, ()>(key, field, bytes).expect("a hash");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn spawn(folder: &TempDir, arguments: &[&str]) -> Child {
    let log = fs::File::create(folder.path().join("log")).expect("a log");
    let mut command = Command::new(program());
    command.arg(folder.path().join("redis.conf")).args(arguments).stdin(Stdio::null());
    command.stderr(log.try_clone().expect("a log")).stdout(log).spawn().expect("redis-server")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
