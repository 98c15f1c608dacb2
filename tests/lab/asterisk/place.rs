//! Where an Asterisk is installed, and the directory that each has for itself.

#![allow(clippy::expect_used, clippy::panic, reason = "a test without its lab has failed")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use std::{env, io, process};

use crate::lab::machine;

/// The name of each directory begins so; the test's process id comes next.
const PREFIX: &str = "nameplate-";

/// Where an Asterisk is installed: `/`, or a root in the cache.
#[derive(Clone)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    /// The program as seen from inside the root.
    program: PathBuf,
    /// A developer without root's rights enters the root by a user namespace.
    mapped: bool,
}

impl Root {
    /// Asks `setup.sh`, once a version in each test program.
    pub(super) fn of(version: Option<&str>) -> Self {
        static KNOWN: Mutex<Vec<(String, Root)>> = Mutex::new(Vec::new());
        let version =
            version.map_or_else(|| env::var("NAMEPLATE_LAB_VERSION").unwrap_or("22".into()), str::to_owned);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, root)) = known.iter().find(|(of, _)| *of == version) {
            return root.clone();
        }
        let path = machine::installed(&version);
        let installed = env::var_os("NAMEPLATE_ASTERISK").map(PathBuf::from);
        let program = installed.unwrap_or_else(|| "/usr/sbin/asterisk".into());
        let root = Self { path, program, mapped: !machine::is_root() };
        known.push((version, root.clone()));
        root
    }

    /// A command that runs Asterisk, wherever it is.
    pub(super) fn command(&self) -> Command {
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
    pub(super) fn place(&self) -> Place {
        let tmp = self.path.join("tmp");
        machine::remove_abandoned(&tmp, PREFIX);
        for attempt in 0_u32.. {
            let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
            // Short: a Unix socket's path has 107 bytes.
            let name = format!("{PREFIX}{}-{:x}", process::id(), now.wrapping_add(attempt));
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
    pub(super) fn modules(&self) -> (PathBuf, Vec<String>) {
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
    pub(super) fn data(&self) -> &'static str {
        let places = ["/usr/share/asterisk", "/var/lib/asterisk"];
        let has_it = |place: &&&str| self.on_host(Path::new(place)).join("documentation").exists();
        places.iter().find(has_it).copied().unwrap_or(places[1])
    }

    fn on_host(&self, inside: &Path) -> PathBuf {
        self.path.join(inside.strip_prefix("/").unwrap_or(inside))
    }
}

/// One Asterisk's directory, by its two names.
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) host: PathBuf,
    pub(super) inside: PathBuf,
}

impl Place {
    /// Asterisk in a PID namespace, whose first process lives as long as we hold its standard input:
    /// whatever ends the test ends Asterisk and its AGI scripts, SIGKILL included, and removes the directory (kept with
    /// `NAMEPLATE_LAB_KEEP`). (A parent's death signal would not do: it is sent when the parent's *thread* ends.)
    pub(super) fn launch(&self) -> Child {
        let config = self.inside.join("asterisk.conf");
        let asterisk = self.root.command();
        let script = r#"("$@" </dev/null; echo "$?" >"$DIR/ended") & read -r _
            kill -KILL -1; wait; [ -n "$NAMEPLATE_LAB_KEEP" ] || rm -rf "$DIR""#;
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
