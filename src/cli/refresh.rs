//! `nameplate refresh [NAME] [--accept]`

use std::io::{self, Write};

use super::lookup::printable;
use super::progress::Line;
use super::{Exit, ask_or_lock};
use crate::config::Config;
use crate::control::Request;
use crate::lists::events::{Event, RefreshResult};
use crate::lists::lock::Purpose;
use crate::lists::outcome::RefreshOutcome;
use crate::lists::store::Store;
use crate::lists::{configured, offline, suppression};
use crate::observe::logging::{self, LogLevel};
use crate::{owner, tls};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A source, or one list of it; all where none is named
    name: Option<String>,
    /// Take the list that is held back, as `sources` shows it; where none is, whatever list comes
    #[arg(long)]
    accept: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Error);
    tls::install();
    let lists = configured(&config.sources);
    let names = || lists.iter().map(|list| list.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &arguments.name {
        let there = lists.iter().any(|list| list.is_named(Some(name)));
        anyhow::ensure!(there, "there is no source or list `{name}`; there are {}", names());
    }
    owner::check(&config.state_dir)?;
    writeln!(io::stdout(), "asking {} …", arguments.name.clone().unwrap_or_else(names))?;
    let mut printer = Printer { shows_progress: Line::is_wanted(), ..Printer::default() };
    let done = super::block_on(refresh(config, arguments, &mut printer))?;
    // The next output, an error for example, begins on a new line.
    let _ = printer.line.clear(&mut io::stdout().lock());
    done?;
    Ok(if printer.failed { Exit::Failure } else { Exit::Success })
}

/// Orders the refresh from the running service; without a service refreshes here.
async fn refresh(config: &Config, arguments: &Arguments, printer: &mut Printer) -> anyhow::Result<()> {
    let (sources, state_dir, name) = (&config.sources, &config.state_dir, &arguments.name);
    let request =
        Request::Refresh { name: name.clone(), accept: arguments.accept, progress: printer.shows_progress };
    let lock = ask_or_lock(state_dir, &request, Purpose::Refresh, |event| printer.take(event)).await?;
    if let Some(lock) = lock {
        let store = Store::new(state_dir);
        store.suppress(suppression::all(state_dir, &config.suppressed)?);
        let tell = |event| printer.take(event);
        return offline::refresh(&lock, sources, &store, name.as_deref(), arguments.accept, tell).await;
    }
    anyhow::ensure!(printer.is_done, "the service has ended before it had asked for all");
    anyhow::ensure!(
        printer.lists > 0,
        "the running service knows no such list: it runs with another configuration (`nameplate reload` has it take this one)"
    );
    Ok(())
}

/// Prints the events of a refresh.
#[derive(Default)]
struct Printer {
    /// Whether progress is shown.
    shows_progress: bool,
    line: Line,
    /// The count of lists that are done.
    lists: usize,
    /// Whether a refresh failed, or its list is held back or not on disk.
    failed: bool,
    /// Whether the last event arrived.
    is_done: bool,
}

impl Printer {
    fn take(&mut self, event: Event) {
        // If stdout is closed, the exit status still has the result.
        let _ = self.print(event, &mut io::stdout().lock());
    }

    fn print(&mut self, event: Event, out: &mut impl Write) -> io::Result<()> {
        match event {
            Event::Progress { list, step } if self.shows_progress => self.line.show(list, step, out),
            Event::Progress { .. } => Ok(()),
            Event::Refreshed(refreshed) => {
                self.lists += 1;
                self.failed |= !matches!(
                    refreshed.outcome,
                    Some(RefreshOutcome::Unchanged | RefreshOutcome::New { .. })
                );
                self.failed |= refreshed.not_on_disk.is_some();
                self.line.end(&refreshed.list);
                self.line.clear(out)?;
                print_result(&refreshed, out)?;
                self.line.draw(out)
            }
            Event::Done {} => {
                self.is_done = true;
                Ok(())
            }
        }
    }
}

/// Prints the result for a list.
fn print_result(refreshed: &RefreshResult, out: &mut impl Write) -> io::Result<()> {
    let list = &refreshed.list;
    match &refreshed.outcome {
        Some(RefreshOutcome::Unchanged) => writeln!(out, "{list}: unchanged"),
        Some(RefreshOutcome::NothingHeld) => {
            writeln!(out, "{list}: nothing is held back: what is known stays")
        }
        Some(RefreshOutcome::New { count, changes }) => writeln!(out, "{list}: {count} entries: {changes}"),
        Some(RefreshOutcome::Held { count, known, more, changes, losses, another }) => {
            let until =
                more.map_or_else(String::new, |more| format!(", until it has come {more} times more"));
            if *another {
                writeln!(out, "{list}: not taken, for another list has come than the one that was shown:")?;
            }
            writeln!(
                out,
                "{list}: a list of {count} entries is held back{until}; {known} stay in use. \
                 `nameplate refresh {list} --accept` takes it: {changes}; {losses}"
            )
        }
        None => {
            let error = refreshed.error.as_deref().unwrap_or("no reason is given");
            writeln!(out, "{list}: failed, what is known stays: {}", printable(error))
        }
    }?;
    if let Some(error) = &refreshed.not_on_disk {
        writeln!(out, "{list}: not on disk: the list can't be written: {}", printable(error))?;
    }
    for (remark, examples) in refreshed.unusable.remarks() {
        writeln!(out, "  remark: {} {remark}: {}", examples.count, examples.first.join("; "))?;
    }
    for (reason, examples) in refreshed.unusable.reasons() {
        let first = printable(&examples.first.join("; "));
        writeln!(out, "  can't be used: {} {reason}: {first}", examples.count)?;
    }
    Ok(())
}
