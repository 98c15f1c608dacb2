//! A terminal with somebody at it who answers questions.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a question may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command on a terminal.
pub(crate) struct Terminal {
    script: Child,
    shown: String,
    more: Receiver<String>,
}

impl Terminal {
    /// Starts a command.
    pub(crate) fn start(command: &str) -> Self {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
        script
            .env("TERM", "xterm")
            .env("LANG", "nb_NO.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("NAMEPLATE_LOG");
        let mut script =
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script, of util-linux");
        let mut stdout = script.stdout.take().expect("its output");
        let (sender, more) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                if sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { script, shown: String::new(), more }
    }

    /// Waits for a question, and answers it.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        let begun = Instant::now();
        while !self.shown.rsplit('\n').next().is_some_and(|line| line.contains(question)) {
            let more = self.more.recv_timeout(PATIENCE.saturating_sub(begun.elapsed()));
            self.shown += &more.unwrap_or_else(|_| panic!("no question {question:?}:\n{}", self.shown));
        }
        let stdin = self.script.stdin.as_mut().expect("its input");
        writeln!(stdin, "{answer}").expect("a terminal");
        // The next question stands on a line of its own.
        self.shown.push('\n');
    }

    /// All that was shown, and the exit status.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        while let Ok(more) = self.more.recv_timeout(PATIENCE) {
            self.shown += &more;
        }
        let status = self.script.wait().expect("script");
        (self.shown, status.code())
    }
}
