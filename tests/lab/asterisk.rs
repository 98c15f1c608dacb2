//! A real Asterisk for one test: started in about a second, gone when the test is, even a killed one.
//!
//! `setup.sh` provides the root it lives in (made at the first use); each has its own directory below
//! that root's `/tmp` with configuration, logs, database and console socket, and ports of its own on
//! 127.0.0.1, so several run side by side. The shipped context of `asterisk-conf/` is always loaded.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use std::{env, io, process};

/// How long one may take to be fully booted. Alone it takes about a second.
const BOOT: Duration = Duration::from_secs(30);

/// What `Asterisk::start_with` makes one from; `Setup::default()` and what differs.
pub struct Setup<'a> {
    /// The test's own `extensions.conf`: the user's contexts. Calls enter at `from-trunk`.
    pub dialplan: &'a str,
    /// Name and password of each ARI user; `ari_user()` is the first.
    pub ari_users: &'a [(&'a str, &'a str)],
    /// Text put at the end of a configuration file, which may be a new one: `("http.conf", "tlsenable = yes")`.
    pub extra_conf: &'a [(&'a str, &'a str)],
    /// The dialplan in the log, priority by priority. Writing it takes longer than running it, so not
    /// where time is measured.
    pub verbose: bool,
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
            version: None,
        }
    }
}

/// A running Asterisk. Dropping it, also by a panic, ends it and removes its directory.
pub struct Asterisk {
    place: Place,
    sip: u16,
    http: u16,
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
        let (sip, http) = (free_udp_port(), free_tcp_port());
        let place = root.place();
        write_configuration(&place, setup, sip, http);
        let process = place.launch();
        let (name, password) = setup.ari_users.first().copied().unwrap_or_default();
        let user = (name.to_owned(), password.to_owned());
        let mut asterisk = Self { place, sip, http, user, process };
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

    /// `http://127.0.0.1:PORT`, without `/ari`.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
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

/// Where an Asterisk is installed: `/`, or a root in the cache.
#[derive(Clone)]
struct Root {
    path: PathBuf,
    /// The program as seen from inside the root.
    program: PathBuf,
    /// A developer without root's rights enters the root by a user namespace.
    mapped: bool,
}

impl Root {
    /// Asks `setup.sh`, once a version in each test program.
    fn of(version: Option<&str>) -> Self {
        static KNOWN: Mutex<Vec<(String, Root)>> = Mutex::new(Vec::new());
        let version =
            version.map_or_else(|| env::var("NAMEPLATE_LAB_VERSION").unwrap_or("22".into()), str::to_owned);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, root)) = known.iter().find(|(of, _)| *of == version) {
            return root.clone();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/setup.sh");
        let output = Command::new(&script).arg(&version).stderr(Stdio::inherit()).output().expect("setup.sh");
        assert!(output.status.success(), "{} {version} failed", script.display());
        let answer = String::from_utf8(output.stdout).expect("a path");
        let path = PathBuf::from(answer.lines().last().expect("setup.sh prints the root's path"));
        let installed = env::var_os("NAMEPLATE_ASTERISK").map(PathBuf::from);
        let program = installed.unwrap_or_else(|| "/usr/sbin/asterisk".into());
        let root = Self { path, program, mapped: !is_root() };
        known.push((version, root.clone()));
        root
    }

    /// A command that runs Asterisk, wherever it is.
    fn command(&self) -> Command {
        if self.path == Path::new("/") {
            return Command::new(&self.program);
        }
        let mut command;
        if self.mapped {
            command = Command::new("unshare");
            command.args(["--map-root-user", "chroot"]);
        } else {
            command = Command::new("chroot");
        }
        command.arg(&self.path).arg(&self.program);
        command
    }

    /// A new directory for one Asterisk.
    fn place(&self) -> Place {
        let tmp = self.path.join("tmp");
        remove_abandoned(&tmp);
        for attempt in 0_u32.. {
            let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
            // Short: a Unix socket's path has 107 bytes.
            let name = format!("nameplate-{}-{:x}", process::id(), now.wrapping_add(attempt));
            let host = tmp.join(&name);
            match fs::create_dir(&host) {
                Ok(()) => {
                    return Place { root: self.clone(), host, inside: Path::new("/tmp").join(name) };
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", host.display()),
            }
        }
        unreachable!("some name is free")
    }

    /// The directory of the modules as seen from inside, and the names of the modules in it.
    fn modules(&self) -> (PathBuf, Vec<String>) {
        let prefix = self.program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let triplet = format!("lib/{}-linux-gnu/asterisk/modules", env::consts::ARCH);
        let candidates = [triplet.as_str(), "lib/asterisk/modules", "lib64/asterisk/modules"];
        for inside in candidates.map(|below| prefix.join(below)) {
            let Ok(files) = fs::read_dir(self.on_host(&inside)) else {
                continue;
            };
            let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
            return (inside, names.filter_map(|name| Some(name.strip_suffix(".so")?.to_owned())).collect());
        }
        panic!("no Asterisk modules below {}", self.on_host(prefix).display());
    }

    /// Where the documentation in XML is: ARI and PJSIP do not load without it.
    fn data(&self) -> &'static str {
        let places = ["/usr/share/asterisk", "/var/lib/asterisk"];
        let has_it = |place: &&&str| self.on_host(Path::new(place)).join("documentation").exists();
        places.iter().find(has_it).copied().unwrap_or(places[1])
    }

    fn on_host(&self, inside: &Path) -> PathBuf {
        self.path.join(inside.strip_prefix("/").unwrap_or(inside))
    }
}

/// One Asterisk's directory, by its two names.
struct Place {
    root: Root,
    host: PathBuf,
    inside: PathBuf,
}

impl Place {
    /// Asterisk in a PID namespace, whose first process lives as long as we hold its standard input:
    /// whatever ends the test ends Asterisk and its AGI scripts, SIGKILL included. (A parent's death
    /// signal would not do: it is sent when the parent's *thread* ends.)
    fn launch(&self) -> Child {
        let config = self.inside.join("asterisk.conf");
        let asterisk = self.root.command();
        let script = r#"("$@" </dev/null; echo "$?" >"$DIR/ended") & read -r _; :"#;
        let mut command = Command::new("unshare");
        if self.root.mapped {
            command.arg("--map-root-user");
        }
        command.args(["--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"]);
        if self.root.mapped && self.root.path != Path::new("/") {
            // In our namespace already.
            command.arg("chroot").arg(&self.root.path).arg(&self.root.program);
        } else {
            command.arg(asterisk.get_program()).args(asterisk.get_args());
        }
        command.args([OsStr::new("-C"), config.as_os_str(), OsStr::new("-f")]);
        if !self.root.mapped {
            // Debian's would change to its own user, who owns nothing here.
            command.args(["-U", "root"]);
        }
        let console = File::create(self.host.join("console")).expect("console");
        command
            .env("DIR", &self.host)
            .stdin(Stdio::piped())
            .stdout(console.try_clone().expect("console"))
            .stderr(console)
            .spawn()
            .expect("unshare")
    }
}

fn write_configuration(place: &Place, setup: &Setup<'_>, sip: u16, http: u16) {
    for directory in ["lib", "spool", "run", "log/cdr-csv", "agi-bin"] {
        fs::create_dir_all(place.host.join(directory)).expect("a directory for Asterisk");
    }
    let (modules, names) = place.root.modules();
    let levels = if setup.verbose { "notice,warning,error,verbose(3)" } else { "notice,warning,error" };
    let fill = |template: &str| {
        template
            .replace("@LEVELS@", levels)
            .replace("@VERBOSE@", if setup.verbose { "3" } else { "0" })
            .replace("@DIR@", &place.inside.to_string_lossy())
            .replace("@MODULES@", &modules.to_string_lossy())
            .replace("@DATA@", place.root.data())
            .replace("@SIP_PORT@", &sip.to_string())
            .replace("@HTTP_PORT@", &http.to_string())
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("asterisk-conf/extensions_nameplate.conf");
    let shipped = fs::read_to_string(&shipped).expect("the shipped dialplan");
    let mut files = vec![
        ("asterisk.conf", fill(include_str!("asterisk/asterisk.conf"))),
        ("modules.conf", spelled_out(include_str!("asterisk/modules.conf"), &names)),
        ("logger.conf", fill(include_str!("asterisk/logger.conf"))),
        ("http.conf", fill(include_str!("asterisk/http.conf"))),
        ("rtp.conf", fill(include_str!("asterisk/rtp.conf"))),
        ("cdr.conf", fill(include_str!("asterisk/cdr.conf"))),
        ("pjsip.conf", fill(include_str!("asterisk/pjsip.conf"))),
        ("ari.conf", ari_conf(setup.ari_users)),
        ("extensions_nameplate.conf", shipped),
        ("extensions.conf", format!("#include \"extensions_nameplate.conf\"\n{}\n", setup.dialplan)),
    ];
    for (name, text) in setup.extra_conf {
        match files.iter_mut().find(|(file, _)| file == name) {
            Some((_, present)) => present.extend(["\n", text, "\n"]),
            None => files.push((name, (*text).to_owned())),
        }
    }
    for (name, text) in files {
        fs::write(place.host.join(name), text).expect("Asterisk's configuration");
    }
}

fn ari_conf(users: &[(&str, &str)]) -> String {
    let mut conf = "[general]\nenabled = yes\n".to_owned();
    for (name, password) in users {
        let _ = write!(conf, "\n[{name}]\ntype = user\npassword = {password}\npassword_format = plain\n");
    }
    conf
}

/// `noload = cel_*` as one line for each such module: Asterisk knows no patterns here, and warns of
/// modules that it does not have.
fn spelled_out(conf: &str, modules: &[String]) -> String {
    let mut lines = String::new();
    for line in conf.lines() {
        let Some(wanted) = line.strip_prefix("noload = ") else {
            let _ = writeln!(lines, "{line}");
            continue;
        };
        let matches = |name: &&String| match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *name == wanted,
        };
        for name in modules.iter().filter(matches) {
            let _ = writeln!(lines, "noload = {name}.so");
        }
    }
    lines
}

/// Directories of tests that were killed: an hour old, and the test's process is no more.
fn remove_abandoned(tmp: &Path) {
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let test = name.strip_prefix("nameplate-").and_then(|rest| rest.split('-').next());
        let gone = test
            .and_then(|id| id.parse::<u32>().ok())
            .is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists());
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if gone && age.is_some_and(|age| age > Duration::from_secs(60 * 60)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
    socket.local_addr().expect("bound").port()
}

fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free TCP port");
    listener.local_addr().expect("bound").port()
}

fn is_root() -> bool {
    // No unsafe, hence no geteuid: our own process's directory is owned by who we are.
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn tail(text: &str, lines: usize) -> String {
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}
