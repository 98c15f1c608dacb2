//! The command line: arguments in, exit status out.
//!
//! Errors of a command come up as [`anyhow::Error`] and are written to stderr here, once.

mod check;
mod forget;
mod init;
mod lookup;
mod password;
mod progress;
mod refresh;
mod reload;
mod serve;
mod sources;
mod terminal;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use serde::de::DeserializeOwned;

use crate::config::{Config, ConfigError, DEFAULT_PATH};
use crate::control::{self, Request};
use crate::lists::lock::{Lock, Purpose};

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Success,
    /// The number has no name.
    Miss,
    /// A part of the command failed, and the output says which.
    Failure,
}

/// Exit status of a failure.
const FAILURE: u8 = 1;
/// Exit status of a configuration that can't be used, as clap's for wrong arguments.
const CONFIGURATION: u8 = 2;
/// Exit status of a lookup without a name.
const MISS: u8 = 3;

#[derive(Parser)]
#[command(name = "nameplate", version, about, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file
    #[arg(long, short, global = true, value_name = "FILE", default_value = DEFAULT_PATH, env = "NAMEPLATE_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service: keeps the caller ids fresh and answers Asterisk
    Serve,
    /// Looks whether calls will have names: asks SuperOffice, each Asterisk and this machine, and changes nothing
    Check(check::Arguments),
    /// Asks five questions, or takes flags, and writes the configuration and the files for the PBX
    Init(Box<init::Arguments>),
    /// Says who a number belongs to, and how that was found out
    Lookup(lookup::Arguments),
    /// Asks the sources now, and says what changed
    Refresh(refresh::Arguments),
    /// Has the running service read its configuration again, and says what changed
    Reload,
    /// Has a number not be named any more, and takes its record out of the lists
    Forget(forget::Arguments),
    /// Shows each list: its size, its last success, its next time, what went wrong
    Sources(sources::Arguments),
    /// Asks for a password, or reads it from stdin, and prints its hash for a [[web.user]]
    Password,
}

const LONG_ABOUT: &str = "\
Puts a name on every incoming phone call. Nameplate keeps the caller ids of SuperOffice CRM and of CSV files in \
memory, and when Asterisk says who is calling it answers with the person's and company's name.";

const AFTER_HELP: &str = "\
Examples:
  nameplate init
  nameplate --config nameplate.toml check
  nameplate --config nameplate.toml lookup '+47 22 33 44 55'
  nameplate lookup 22334455 --json --country SE
  nameplate lookup - < numbers.txt
  nameplate serve
  nameplate refresh sales --accept
  nameplate reload
  nameplate forget '+47 22 33 44 55'
  nameplate sources
  nameplate password

Exit status: 0 success; 1 failure; 2 wrong arguments or configuration; 3 no name for the number.
NAMEPLATE_LOG says how much is logged on stderr, instead of [log] level: error, warn, info, debug.";

/// An argument that contradicts the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// The command line as clap knows it: the manual pages and the completions are made of it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command that the arguments ask for.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = Arguments::parse_from(arguments);
    match execute(arguments) {
        Ok(Exit::Success) => ExitCode::SUCCESS,
        Ok(Exit::Miss) => ExitCode::from(MISS),
        Ok(Exit::Failure) => ExitCode::from(FAILURE),
        Err(error) => {
            // A closed stderr is ignored: there is no other place for the message.
            let _ = writeln!(std::io::stderr(), "nameplate: {error:#}");
            let settings = error.is::<ConfigError>() || error.is::<Usage>();
            ExitCode::from(if settings { CONFIGURATION } else { FAILURE })
        }
    }
}

fn execute(arguments: Arguments) -> anyhow::Result<Exit> {
    let config = || Config::read(&arguments.config);
    match arguments.command {
        // There is no configuration yet.
        Command::Init(init) => init::run(&init),
        Command::Password => password::run(),
        Command::Serve => serve::run(config()?),
        Command::Check(check) => check::run(&config()?, &check),
        Command::Lookup(lookup) => lookup::run(&config()?, &lookup),
        Command::Refresh(refresh) => refresh::run(&config()?, &refresh),
        // The service says what is wrong with the file, and logs that.
        Command::Reload => reload::run(&arguments.config, config()),
        Command::Forget(forget) => forget::run(&config()?, &forget),
        Command::Sources(sources) => sources::run(&config()?, &sources),
    }
}

/// The time in which the process that holds the lock has to end, or to answer on its control socket.
const STARTING: Duration = Duration::from_secs(20);
/// The interval of attempts.
const LOOK: Duration = Duration::from_millis(100);

/// Sends a request to the running service; `each` gets every object of the answer. Without a service returns the lock, with
/// which the command does the work itself.
async fn ask_or_lock<T: DeserializeOwned>(
    state_dir: &Path,
    request: &Request,
    purpose: Purpose,
    mut each: impl FnMut(T),
) -> anyhow::Result<Option<Lock>> {
    let begun = Instant::now();
    loop {
        let asked = control::ask(state_dir, request, &mut each).await;
        let asked = asked.with_context(|| {
            format!("can't ask the running service at {}", control::path(state_dir).display())
        })?;
        if asked.is_some() {
            return Ok(None);
        }
        let locked = Lock::take(state_dir, purpose);
        let holder =
            match locked.with_context(|| format!("state_dir {} can't be written", state_dir.display()))? {
                Ok(lock) => return Ok(Some(lock)),
                Err(holder) => holder,
            };
        // A service that starts opens its lists before its control socket.
        anyhow::ensure!(
            begun.elapsed() < STARTING,
            "{holder} writes below {}, and can't be asked: try again later",
            state_dir.display()
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// The most time at the end for work that can't be cancelled, such as a request to a dead name server.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// Does a command's work to its end. Background work gets a short time only.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }
}
