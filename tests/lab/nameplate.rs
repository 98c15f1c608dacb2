//! The program under test: the real binary, with a configuration of the test's own.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, process};

use tempfile::TempDir;

use super::asterisk::tail;
use super::network::Network;
use super::terminal::Terminal;

/// How long the program may take for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration, for running commands in.
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    /// Writes `config` as `nameplate.toml` into a new folder.
    pub(crate) fn new(config: &str) -> Self {
        let folder = Self { dir: tempfile::tempdir().expect("a folder") };
        folder.configure(config);
        folder
    }

    /// Replaces the configuration. Its lists are kept beside it, so that each test has its own.
    pub(crate) fn configure(&self, config: &str) {
        self.write("nameplate.toml", format!("state_dir = \"state\"\n{config}"));
    }

    /// Writes a file beside the configuration.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// Where a file of the folder is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
        command.arg("--config").arg(self.path("nameplate.toml"));
        command.env_remove("NAMEPLATE_LOG").env_remove("HTTP_PROXY").env_remove("http_proxy");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().expect("nameplate")
    }

    /// Runs a command to its end, by a command that it is put behind, as `prlimit --nofile=64`, and with these variables.
    pub(crate) fn run_behind(
        &self,
        mut behind: Command,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Output {
        let command = self.command();
        behind.arg(command.get_program()).args(command.get_args()).args(arguments);
        behind.env_remove("NAMEPLATE_LOG").envs(environment.iter().copied());
        behind.stdin(Stdio::null()).output().expect("nameplate")
    }

    /// Starts a command, whose output is kept for whoever waits for it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> process::Child {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("nameplate")
    }

    /// Runs a command to its end, while the test's own servers go on; its status and all that it said.
    pub(crate) fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = tokio::task::block_in_place(|| self.run(arguments));
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a command to its end with this on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("nameplate");
        let mut stdin = process.stdin.take().expect("its input");
        std::thread::scope(|scope| {
            // Beside the reading, so that neither waits for the other with full pipes.
            scope.spawn(move || stdin.write_all(input.as_bytes()).expect("all is read"));
            process.wait_with_output().expect("nameplate")
        })
    }

    /// Starts a command on a terminal of its own, where it can be answered.
    pub(crate) fn spawn_on_terminal(&self, arguments: &str) -> Terminal {
        let program = env!("CARGO_BIN_EXE_nameplate");
        Terminal::start(&format!(
            "'{program}' --config '{}' {arguments}",
            self.path("nameplate.toml").display()
        ))
    }

    /// Runs a command to its end on a terminal of its own; gives what the terminal was sent.
    pub(crate) fn run_on_terminal(&self, arguments: &str) -> String {
        let program = env!("CARGO_BIN_EXE_nameplate");
        let command = format!("'{program}' --config '{}' {arguments}", self.path("nameplate.toml").display());
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("TERM", "xterm");
        script.env_remove("NAMEPLATE_LOG").stdin(Stdio::null());
        String::from_utf8_lossy(&script.output().expect("script").stdout).into_owned()
    }

    /// Starts the service.
    pub(crate) fn serve(self) -> Nameplate {
        self.serve_with(&[])
    }

    /// Starts the service on a host of its own, at the other end of this network.
    pub(crate) fn serve_in(self, network: &Network) -> Nameplate {
        self.serve_behind(network.inside())
    }

    /// Starts the service by a command that it is put behind, as `prlimit --nofile=64`.
    pub(crate) fn serve_behind(self, mut command: Command) -> Nameplate {
        let service = self.command();
        command.arg(service.get_program()).args(service.get_args());
        for (variable, _) in service.get_envs() {
            command.env_remove(variable);
        }
        self.start(command)
    }

    /// Starts the service with these variables in its environment.
    pub(crate) fn serve_with(self, environment: &[(&str, &str)]) -> Nameplate {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        self.start(command)
    }

    fn start(self, mut command: Command) -> Nameplate {
        let log = self.path("stderr");
        // Appended to, so that a second start in the same folder goes on in it.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&log).expect("a log");
        command.arg("serve").stdin(Stdio::null()).stderr(file);
        let process = command.spawn().expect("nameplate");
        Nameplate { folder: Some(self), log, process }
    }
}

/// The running service. Dropping it, also by a panic, kills it.
pub(crate) struct Nameplate {
    /// None only once it has been taken for a new start.
    folder: Option<Folder>,
    log: PathBuf,
    process: process::Child,
}

impl Nameplate {
    /// Starts the service with this configuration.
    pub(crate) fn serve(config: &str) -> Self {
        Folder::new(config).serve()
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has logged `text` for the `count`th time.
    ///
    /// # Panics
    /// With the whole log, when it has not after 30 s.
    pub(crate) async fn until_logged(&self, text: &str, count: usize) {
        self.until_logged_within(PATIENCE, text, count).await;
    }

    /// The same, with more patience.
    ///
    /// # Panics
    /// With the whole log, when it has not by then.
    pub(crate) async fn until_logged_within(&self, patience: Duration, text: &str, count: usize) {
        let begun = Instant::now();
        while self.log().matches(text).count() < count {
            assert!(
                begun.elapsed() < patience,
                "nameplate has not logged {count} × {text:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it is connected to Asterisk and knows somebody.
    pub(crate) async fn until_ready(&self) {
        self.until_logged("connected; answers go over", 1).await;
        self.until_logged("directory is in place", 1).await;
    }

    /// Sends a signal by its name: `TERM`, `HUP`, `STOP`, `CONT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
        // On a busy machine its threads may run on for a while.
        let begun = Instant::now();
        while name == "STOP" && !self.is_stopped() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_stopped(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("its threads");
        let mut states =
            threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        states.all(|state| state.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T')))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after 30 s.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("nameplate's status") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "nameplate has not ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it at once: a signal by its name takes some milliseconds more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Whether it runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// The folder with its configuration.
    pub(crate) fn folder(&self) -> &Folder {
        self.folder.as_ref().expect("its folder")
    }

    /// Starts it again in the same folder, whether it has ended or has to be killed. The log goes on.
    #[must_use]
    pub(crate) fn again(self) -> Self {
        self.again_with(&[])
    }

    /// The same, with these variables in its environment.
    #[must_use]
    pub(crate) fn again_with(mut self, environment: &[(&str, &str)]) -> Self {
        let folder = self.folder.take().expect("its folder");
        drop(self);
        folder.serve_with(environment)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nameplate {
    fn drop(&mut self) {
        // Not of one that is started again: its log goes on.
        if std::thread::panicking() && self.folder.is_some() {
            eprintln!("\n--- Nameplate's log ends with:\n{}", tail(&self.log(), 200));
        }
        // A stopped process is killed as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
