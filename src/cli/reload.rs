//! `nameplate reload`

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::lookup::printable;
use super::{Exit, Usage};
use crate::config::{self, Config, ConfigError};
use crate::control::{self, Request};
use crate::owner;
use crate::reload::Report;

/// `config`: the file at `path` as this command has read it.
pub(super) fn run(path: &Path, config: Result<Config, ConfigError>) -> anyhow::Result<Exit> {
    let state_dir =
        config.as_ref().map_or_else(|_| config::state_dir(path), |config| config.state_dir.clone());
    owner::check(&state_dir)?;
    let mut report: Option<Report> = None;
    let asked = control::ask(&state_dir, &Request::Reload, |answer| report = Some(answer));
    let socket = control::path(&state_dir);
    let asked = super::block_on(asked)?;
    let asked = asked.with_context(|| format!("can't ask the running service at {}", socket.display()))?;
    if asked.is_none() {
        config?;
        anyhow::bail!(
            "no service answers at {}: it is not running, or it was started with another `state_dir`, which SIGHUP reaches",
            socket.display()
        );
    }
    let report = report.context(
        "the service has given no report: it is stopping, or it is of a version that can't reload its configuration",
    )?;
    if let Some(error) = report.error {
        return Err(Usage(format!("the configuration in force stays: {error}")).into());
    }
    print(&report, &mut io::stdout().lock())?;
    Ok(Exit::Success)
}

fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} is in force", report.file.display())?;
    if report.changed.is_empty() && report.stays.is_empty() {
        writeln!(out, "  nothing has changed")?;
    }
    for line in &report.changed {
        writeln!(out, "  {}", printable(line))?;
    }
    if !report.stays.is_empty() {
        writeln!(out, "but until the next start")?;
    }
    for line in &report.stays {
        writeln!(out, "  {}", printable(line))?;
    }
    for notice in &report.notices {
        writeln!(out, "note: {}", printable(notice))?;
    }
    Ok(())
}
