//! `nameplate check`: whether calls will have names.

use std::fs::File;
use std::io::{self, Write};

use anyhow::Context;

use super::Exit;
use crate::check::{self, Finding, Level};
use crate::config::Config;
use crate::observe::logging::{self, LogLevel};
use crate::owner::{self, User};
use crate::tls;

#[derive(Default, clap::Args)]
pub(super) struct Arguments {
    /// Try the configuration, its secrets and its files only: ask nobody
    #[arg(long)]
    offline: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Error);
    config.check_for_service()?;
    tls::install();
    print(config, arguments)
}

/// Looks, and prints the findings.
pub(super) fn print(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    // With this user's own rights: the service's user may not open Asterisk's console.
    let mut findings =
        if arguments.offline { Vec::new() } else { super::block_on(check::on_the_pbx(config))? };
    // Root has more rights than the service's user.
    findings.extend(match owner::other_owner(&config.state_dir) {
        Some((user, group)) => owner::as_user(user, group, || look(config, arguments, Some(user)))
            .with_context(|| format!("can't try as {user}, to whom state_dir belongs"))?,
        None => look(config, arguments, None),
    }?);
    let findings = check::sorted(findings);
    let mut out = io::stdout().lock();
    for finding in &findings {
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string(finding)?)?;
        } else {
            writeln!(out, "{finding}")?;
        }
    }
    let has_failed = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if has_failed { Exit::Failure } else { Exit::Success })
}

/// Looks as the user `tried_as`, if root started the command.
fn look(config: &Config, arguments: &Arguments, tried_as: Option<User>) -> anyhow::Result<Vec<Finding>> {
    let mut findings: Vec<_> = tried_as.map(|user| of_user(config, user)).into_iter().collect();
    findings.extend(super::block_on(async {
        if arguments.offline { check::offline(config).await } else { check::online(config).await }
    })?);
    Ok(findings)
}

/// Whether this user can read the configuration.
fn of_user(config: &Config, user: User) -> Finding {
    let place = format!("as {user}");
    match File::open(&config.path) {
        Ok(_) => Finding::ok(place, "what follows is tried as the user to whom state_dir belongs"),
        Err(error) => {
            let path = config.path.display();
            let what = format!("can't read {path}: {error}");
            Finding::error(place, what, "the service does not start", format!("chown root:{user} {path}"))
        }
    }
}
