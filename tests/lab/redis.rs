//! A real Redis or Valkey, private, on loopback: nothing of it is on disk.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nameplate::secret::Secret;
use nameplate::share::{Servers, Settings};
use redis::{Commands, Connection, FromRedisValue};
use tempfile::TempDir;

use super::certificate::Certificate;
use super::machine::free_tcp_port;
use super::nameplate::project;

/// How long it may take to start, and an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The password of the user `nameplate`.
pub(crate) const PASSWORD: &str = "pass:wørd";
/// That of the test itself, and that of the other servers and the sentinels.
const ADMINISTRATOR: &str = "admin";

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Debian's `redis-tools`.
    Redis,
    /// That of Debian 13.
    Valkey,
}

/// A running server with the user `nameplate`, who has the rights of docs/replicas.md; killed when dropped.
pub(crate) struct Redis {
    folder: TempDir,
    engine: Engine,
    port: u16,
    /// For those who speak TLS, if it does.
    tls_port: Option<u16>,
    arguments: &'static [&'static str],
    process: Child,
}

impl Engine {
    /// The program, installed by `setup.sh` if it is not there yet.
    fn program(self) -> PathBuf {
        static PROGRAMS: Mutex<Vec<(Engine, PathBuf)>> = Mutex::new(Vec::new());
        let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, program)) = programs.iter().find(|(engine, _)| *engine == self) {
            return program.clone();
        }
        let name = format!("{self:?}").to_lowercase();
        let script = project().join("tests/lab/setup.sh");
        let output = Command::new(script).arg(&name).stderr(Stdio::inherit()).output().expect("setup.sh");
        assert!(output.status.success(), "setup.sh {name} failed");
        let answer = String::from_utf8(output.stdout).expect("a path");
        let program = PathBuf::from(answer.lines().last().expect("setup.sh prints the program's path"));
        programs.push((self, program.clone()));
        program
    }
}

/// The rights of the line of docs/replicas.md that makes the user, for this site, with this name.
fn acl(site: &str, user: &str) -> String {
    let page = fs::read_to_string(project().join("docs/replicas.md")).expect("docs/replicas.md");
    let begin = "ACL SETUSER nameplate ";
    let line =
        page.lines().find_map(|line| line.trim_start().strip_prefix(begin)).expect("a line with the user");
    let line = line.replace("oslo", site).replace(">PASSWORD", &format!(">{PASSWORD}"));
    format!("{user} {}", line.trim())
}

/// Further users with the rights of `nameplate`, from `nameplate-0` on: a test cuts one replica off by its user.
const USERS: usize = 8;

/// The configuration of one for a site.
fn configuration(site: &str) -> String {
    let further = (0..USERS).map(|place| acl(site, &format!("nameplate-{place}")));
    let users: String =
        further.chain([acl(site, "nameplate")]).map(|user| format!("user {user}\n")).collect();
    format!(
        "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nmasterauth {ADMINISTRATOR}\nmasteruser peer\n\
         user default on >{ADMINISTRATOR} ~* &* +@all\nuser peer on >{ADMINISTRATOR} ~* &* +@all\n{users}"
    )
}

impl Redis {
    /// Starts Debian 12's for a site.
    pub(crate) fn start(site: &str) -> Self {
        Self::start_of(Engine::Redis, site)
    }

    /// Starts one for a site.
    pub(crate) fn start_of(engine: Engine, site: &str) -> Self {
        Self::with(engine, &configuration(site), &[], None)
    }

    /// Starts one that also speaks TLS, with clients that show a certificate of the same authority. Returns its URL, too.
    pub(crate) fn with_tls(engine: Engine, site: &str, certificate: &Certificate) -> (Self, String) {
        let redis = Self::with(engine, &configuration(site), &[], Some(certificate));
        let url = redis.url();
        (redis, url)
    }

    /// Starts one with this configuration and these arguments.
    fn with(
        engine: Engine,
        config: &str,
        arguments: &'static [&'static str],
        certificate: Option<&Certificate>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_tcp_port();
        let at = folder.path().display();
        let mut config = format!("bind 127.0.0.1\nport {port}\ndir {at}\n{config}");
        let tls_port = certificate.map(|_| free_tcp_port());
        if let (Some(certificate), Some(port)) = (certificate, tls_port) {
            fs::write(folder.path().join("server.pem"), &certificate.with_key).expect("a file");
            fs::write(folder.path().join("authority.pem"), &certificate.authority).expect("a file");
            config += &format!(
                "tls-port {port}\ntls-cert-file {at}/server.pem\ntls-key-file {at}/server.pem\n\
                 tls-ca-cert-file {at}/authority.pem\ntls-auth-clients yes\ntls-replication yes\n"
            );
        }
        fs::write(folder.path().join("redis.conf"), config).expect("a file");
        let process = spawn(engine, &folder, arguments);
        let mut redis = Self { folder, engine, port, tls_port, arguments, process };
        redis.until_ready();
        redis
    }

    fn until_ready(&mut self) {
        let begun = Instant::now();
        while self.connect().is_err() {
            assert!(begun.elapsed() < PATIENCE, "{:?} does not answer:\n{}", self.engine, self.log());
            assert!(
                matches!(self.process.try_wait(), Ok(None)),
                "{:?} has ended:\n{}",
                self.engine,
                self.log()
            );
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
        self.process = spawn(self.engine, &self.folder, self.arguments);
        self.until_ready();
    }

    /// Where it listens, without TLS.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The settings of a replica of a site with this key, for a test that speaks with the server itself.
    pub(crate) fn settings(&self, site: &str, key: Secret) -> Settings {
        Settings {
            servers: Servers::One(self.url().parse().expect("a URL")),
            username: Some("nameplate".into()),
            password: Some(Secret::Given(PASSWORD.into())),
            ca_file: None,
            client: None,
            key,
            site: site.into(),
        }
    }

    /// What belongs into a configuration's `[share]`.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls_port.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.known_port())
    }

    /// The port by which the other servers and the sentinels know it.
    fn known_port(&self) -> u16 {
        self.tls_port.unwrap_or(self.port)
    }

    /// The same for its administrator.
    pub(crate) fn administrators_url(&self) -> String {
        // A sentinel has no users.
        let user = if self.arguments.is_empty() { format!(":{ADMINISTRATOR}@") } else { String::new() };
        format!("redis://{user}127.0.0.1:{}", self.port)
    }

    /// Connects as its administrator.
    pub(crate) fn connect(&self) -> redis::RedisResult<Connection> {
        let client = redis::Client::open(self.administrators_url())?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        redis::cmd("PING").exec(&mut connection)?;
        Ok(connection)
    }

    /// Does a command as its administrator.
    pub(crate) fn run<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let (name, arguments) = command.split_first().expect("a command");
        let begun = Instant::now();
        loop {
            let answer =
                self.connect().and_then(|mut there| redis::cmd(name).arg(arguments).query(&mut there));
            match answer {
                // A server that becomes a master or a copy ends all its connections.
                Err(error) if error.is_io_error() && begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                answer => return answer.expect("an answer"),
            }
        }
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

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn spawn(engine: Engine, folder: &TempDir, arguments: &[&str]) -> Child {
    let log =
        fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).expect("a log");
    let mut command = Command::new(engine.program());
    command.arg(folder.path().join("redis.conf")).args(arguments).stdin(Stdio::null());
    command.stderr(log.try_clone().expect("a log")).stdout(log).spawn().expect("a server")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Three servers, of which one is the master, and three sentinels that make another one the master where it is gone.
pub(crate) struct Watched {
    /// The servers.
    pub servers: Vec<Redis>,
    /// The sentinels. They know the master as `names`.
    pub sentinels: Vec<Redis>,
}

impl Watched {
    /// Starts them for a site.
    pub(crate) fn start(engine: Engine, site: &str) -> Self {
        Self::start_with(engine, site, None)
    }

    /// The same, where servers, sentinels and clients talk by TLS, all with certificates of one authority.
    pub(crate) fn start_with(engine: Engine, site: &str, certificate: Option<&Certificate>) -> Self {
        let server = || Redis::with(engine, &configuration(site), &[], certificate);
        let servers: Vec<_> = std::iter::repeat_with(server).take(3).collect();
        let port = servers[0].known_port();
        for copy in &servers[1..] {
            copy.run::<()>(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
        }
        for copy in &servers[1..] {
            let is_up = || copy.run::<String>(&["INFO", "replication"]).contains("master_link_status:up");
            until(is_up, || format!("the copy does not reach its master:\n{}", copy.log()));
        }
        let config = format!(
            "sentinel monitor names 127.0.0.1 {port} 2\nsentinel auth-user names peer\nsentinel auth-pass names {ADMINISTRATOR}\n\
             sentinel down-after-milliseconds names 1000\nsentinel failover-timeout names 5000\n"
        );
        let sentinel = || Redis::with(engine, &config, &["--sentinel"], certificate);
        let sentinels: Vec<_> = std::iter::repeat_with(sentinel).take(3).collect();
        for sentinel in &sentinels {
            let knows_all = || sentinel.run::<String>(&["INFO", "sentinel"]).contains("slaves=2,sentinels=3");
            until(knows_all, || format!("the sentinel does not know the others:\n{}", sentinel.log()));
        }
        Self { servers, sentinels }
    }

    /// The place of the server that the sentinels name as the master, as most of them say.
    pub(crate) fn master(&self) -> usize {
        let port = |sentinel: &Redis| {
            let named: Vec<String> = sentinel.run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "names"]);
            named[1].parse::<u16>().expect("a port")
        };
        let mut ports: Vec<_> = self.sentinels.iter().map(port).collect();
        ports.sort_unstable();
        self.servers.iter().position(|server| server.known_port() == ports[1]).expect("one of the servers")
    }

    /// Waits until the sentinels name another master than this one, which takes writes; its place.
    pub(crate) fn until_another(&self, old: usize) -> usize {
        let role = |place: usize| self.servers[place].run::<String>(&["INFO", "replication"]);
        let is_another = || self.master() != old && role(self.master()).contains("role:master");
        until(is_another, || format!("no failover:\n{}", self.sentinels[0].log()));
        self.master()
    }

    /// Waits until this server is a copy of the master, with all that it has.
    pub(crate) fn until_copied(&self, place: usize) {
        let server = &self.servers[place];
        let is_copy = || server.run::<String>(&["INFO", "replication"]).contains("master_link_status:up");
        until(is_copy, || format!("it is no copy:\n{}", server.log()));
    }

    /// Cuts this server off from the others and from the sentinels, or lets them come back. Clients stay.
    pub(crate) fn part(&self, place: usize, is_parted: bool) {
        let server = &self.servers[place];
        server.run::<()>(&["ACL", "SETUSER", "peer", if is_parted { "off" } else { "on" }]);
        if is_parted {
            server.run::<i64>(&["CLIENT", "KILL", "USER", "peer"]);
        }
    }

    /// From now on a master takes no writes without a copy, as docs/replicas.md advises.
    pub(crate) fn want_copies(&self) {
        for server in &self.servers {
            server.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1", "min-replicas-max-lag", "10"]);
        }
    }

    /// Lets a user in on all servers, or shuts the user out and ends the user's connections.
    pub(crate) fn allow(&self, user: &str, is_allowed: bool) {
        for server in &self.servers {
            server.run::<()>(&["ACL", "SETUSER", user, if is_allowed { "on" } else { "off" }]);
            if !is_allowed {
                server.run::<i64>(&["CLIENT", "KILL", "USER", user]);
            }
        }
    }

    /// What stands in `[share]` in place of `url`.
    pub(crate) fn section(&self) -> String {
        let urls: Vec<_> = self.sentinels.iter().map(|sentinel| format!("{:?}", sentinel.url())).collect();
        format!("sentinels = [{}]\nmaster = \"names\"", urls.join(", "))
    }
}

fn until(is_so: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(50));
    }
}
