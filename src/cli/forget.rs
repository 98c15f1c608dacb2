//! `nameplate forget NUMBER`, `--undo NUMBER` and `--list`

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::Context;

use super::lookup::printable;
use super::{Exit, Usage, ask_or_lock};
use crate::config::Config;
use crate::control::Request;
use crate::directory::suppressed::number;
use crate::lists::configured;
use crate::lists::forgotten::{Forgotten, written};
use crate::lists::lock::Purpose;
use crate::lists::store::Store;
use crate::lists::suppression::{self, Cleared, Others, Report};
use crate::number::Number;
use crate::observe::logging::{self, LogLevel};
use crate::owner;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The number that must not be named: with a plus, or as it is dialled in the configured country
    // A minus in front must not become an option.
    #[arg(
        value_name = "NUMBER",
        required_unless_present = "list",
        conflicts_with = "list",
        allow_hyphen_values = true
    )]
    number: Option<String>,
    /// Let the number be named again, after the next refresh
    #[arg(long, conflicts_with = "list")]
    undo: bool,
    /// Show the numbers that were forgotten
    #[arg(long)]
    list: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Error);
    let Some(text) = &arguments.number else {
        let mut out = io::stdout().lock();
        for number in Forgotten::read(&config.state_dir)?.numbers() {
            writeln!(out, "{number}")?;
        }
        return Ok(Exit::Success);
    };
    let number = number(text, config.pbx.numbers.country).map_err(|error| Usage(error.to_string()))?;
    owner::check(&config.state_dir)?;
    let report = super::block_on(change(config, number, arguments.undo))??;
    print(&report, number, arguments.undo, &mut io::stdout().lock())?;
    let is_done = report.lists.iter().all(|list| list.error.is_none());
    Ok(if is_done { Exit::Success } else { Exit::Failure })
}

/// Has the running service do it; without a service does it here.
async fn change(config: &Config, number: Number, undo: bool) -> anyhow::Result<Report> {
    let state_dir = &config.state_dir;
    let request = Request::Forget { number: written(number), undo };
    let mut report: Option<Report> = None;
    let lock = ask_or_lock(state_dir, &request, Purpose::Forget, |answer| report = Some(answer)).await?;
    let Some(_lock) = lock else {
        let report = report.context(
            "the service has given no report: it is stopping, or it is of a version that can't forget a number",
        )?;
        anyhow::ensure!(report.error.is_none(), "{}", report.error.unwrap_or_default());
        return Ok(report);
    };
    let in_use = configured(&config.sources).into_iter().map(|list| list.name);
    let mut lists: Vec<String> = in_use.collect();
    let known: BTreeSet<String> = lists.iter().cloned().collect();
    let removed = Store::new(state_dir).removed(&known)?;
    lists.extend(removed.into_iter().map(|removed| removed.list));
    suppression::change_alone(state_dir, &config.suppressed, (number, undo), lists.into_iter())
}

fn print(report: &Report, number: Number, undo: bool, out: &mut impl Write) -> io::Result<()> {
    match (undo, report.is_changed) {
        (false, true) => writeln!(out, "{number} is not named any more")?,
        (false, false) => writeln!(out, "{number} was forgotten before, and is not named")?,
        (true, true) if report.is_configured => {}
        (true, true) => writeln!(out, "{number} is named again after the next `nameplate refresh`")?,
        (true, false) => writeln!(out, "{number} was not forgotten: nothing has changed")?,
    }
    if report.is_configured && undo {
        writeln!(out, "{number} stays without a name: it is in [[suppress]] of the configuration")?;
    }
    match &report.others {
        Others::None => {}
        Others::Now => writeln!(out, "the other replicas do the same")?,
        Others::Later(why) => {
            writeln!(
                out,
                "the other replicas do the same when their server answers again: {}",
                printable(why)
            )?;
        }
    }
    report.lists.iter().try_for_each(|list| print_list(list, out))
}

fn print_list(cleared: &Cleared, out: &mut impl Write) -> io::Result<()> {
    let Cleared { list, records, others, damaged, error } = cleared;
    match records {
        0 => write!(out, "{list}: no record of it in the list and its copy")?,
        _ => write!(out, "{list}: {} taken out of the list and its copy", count(*records, "record"))?,
    }
    if *others > 0 {
        write!(out, ", {others} of what is held back or was lost")?;
    }
    if *damaged > 0 {
        write!(out, ", {} deleted", count(*damaged, "damaged file"))?;
    }
    writeln!(out)?;
    match error {
        Some(error) => writeln!(out, "{list}: files may still have the record: {}", printable(error)),
        None => Ok(()),
    }
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
