//! `nameplate refresh [NAME] [--accept]`

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Exit;
use super::lookup::printable;
use super::progress::Line;
use crate::config::Config;
use crate::control::{self, Request};
use crate::lists::events::{News, Refreshed};
use crate::lists::lock::{Lock, Purpose};
use crate::lists::refresh::Outcome;
use crate::lists::{offline, places};
use crate::observe::logging;
use crate::{owner, tls};

/// How long whoever may write is given to be done, or to be ready to be asked.
const STARTING: Duration = Duration::from_secs(20);
/// How often it is tried.
const LOOK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A source, or one list of it; all where none is named
    name: Option<String>,
    /// Take the list that is held back, as `sources` shows it; where none is, whatever list comes
    #[arg(long)]
    accept: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "error");
    tls::install();
    let places = places(&config.sources);
    let known = || places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &arguments.name {
        let source = |place: &crate::lists::Place| {
            config.sources.get(place.source).is_some_and(|source| source.name == *name)
        };
        let there = places.iter().any(|place| place.name == *name || source(place));
        anyhow::ensure!(there, "there is no source or list `{name}`; there are {}", known());
    }
    owner::check(&config.state_dir)?;
    writeln!(io::stdout(), "asking {} …", arguments.name.clone().unwrap_or_else(known))?;
    let mut hearing = Hearing { shows: Line::is_wanted(), ..Hearing::default() };
    let heard = super::block_on(order(config, arguments, &mut hearing))?;
    // What is said next, an error it may be, begins on a line of its own.
    let _ = hearing.line.clear(&mut io::stdout().lock());
    heard?;
    Ok(if hearing.failed { Exit::Failure } else { Exit::Success })
}

/// Orders the lists from the running service, or asks for them alone.
async fn order(config: &Config, arguments: &Arguments, hearing: &mut Hearing) -> anyhow::Result<()> {
    let (sources, state_dir, name) = (&config.sources, &config.state_dir, &arguments.name);
    let request = Request::Refresh { name: name.clone(), accept: arguments.accept, progress: hearing.shows };
    let begun = Instant::now();
    loop {
        let asked = control::ask(state_dir, &request, |news| hearing.hear(news)).await;
        let asked = asked.with_context(|| {
            format!("can't ask the running service at {}", control::path(state_dir).display())
        })?;
        if asked.is_some() {
            break;
        }
        let locked = Lock::take(state_dir, Purpose::Refresh);
        let holder = match locked
            .with_context(|| format!("state_dir {} can't be written", state_dir.display()))?
        {
            Ok(lock) => {
                let hear = |news| hearing.hear(news);
                return offline::refresh(&lock, sources, state_dir, name.as_deref(), arguments.accept, hear)
                    .await;
            }
            Err(holder) => holder,
        };
        // A service that has just been started reads its lists before it can be asked.
        anyhow::ensure!(
            begun.elapsed() < STARTING,
            "{holder} writes below {}, and can't be asked: try again later",
            state_dir.display()
        );
        tokio::time::sleep(LOOK).await;
    }
    anyhow::ensure!(hearing.done, "the service has ended before it had asked for all");
    anyhow::ensure!(
        hearing.lists > 0,
        "the running service knows no such list: it was started with another configuration"
    );
    Ok(())
}

/// What is heard of the lists, and shown.
#[derive(Default)]
struct Hearing {
    /// Whether somebody watches how far it is.
    shows: bool,
    line: Line,
    /// How many lists have ended.
    lists: usize,
    /// Whether one of them is not in use as it is now.
    failed: bool,
    done: bool,
}

impl Hearing {
    fn hear(&mut self, news: News) {
        // When nobody reads, the exit status still tells.
        let _ = self.show(news, &mut io::stdout().lock());
    }

    fn show(&mut self, news: News, out: &mut impl Write) -> io::Result<()> {
        match news {
            News::Progress { list, step } if self.shows => self.line.show(list, step, out),
            News::Progress { .. } => Ok(()),
            News::Refreshed(refreshed) => {
                self.lists += 1;
                self.failed |= !matches!(refreshed.outcome, Some(Outcome::Unchanged | Outcome::New { .. }));
                self.line.end(&refreshed.list);
                self.line.clear(out)?;
                tell(&refreshed, out)?;
                self.line.draw(out)
            }
            News::Done {} => {
                self.done = true;
                Ok(())
            }
        }
    }
}

/// Says what came of a list.
fn tell(refreshed: &Refreshed, out: &mut impl Write) -> io::Result<()> {
    let list = &refreshed.list;
    match &refreshed.outcome {
        Some(Outcome::Unchanged) => writeln!(out, "{list}: unchanged"),
        Some(Outcome::New { count, changes }) => writeln!(out, "{list}: {count} entries: {changes}"),
        Some(Outcome::Held { count, known, more, changes, losses, another }) => {
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
    for (remark, examples) in refreshed.unusable.remarks() {
        writeln!(out, "  remark: {} {remark}: {}", examples.count, examples.first.join("; "))?;
    }
    for (reason, examples) in refreshed.unusable.reasons() {
        let first = printable(&examples.first.join("; "));
        writeln!(out, "  can't be used: {} {reason}: {first}", examples.count)?;
    }
    Ok(())
}
