//! `nameplate refresh [NAME] [--accept]`

use std::io::{self, Write};

use anyhow::Context;

use super::Exit;
use crate::config::Config;
use crate::control::{self, Refreshed, Request};
use crate::refresh::keeper::Outcome;
use crate::refresh::{alone, places};
use crate::source::UnusableRecords;
use crate::{logging, tls};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A source, or one list of it; all where none is named
    name: Option<String>,
    /// Take the list that comes, even if it is empty or has shrunk to less than half
    #[arg(long)]
    accept: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "error");
    tls::install();
    let places = places(&config.sources);
    let known = || places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &arguments.name {
        let source = |place: &crate::refresh::Place| {
            config.sources.get(place.source).is_some_and(|source| source.name == *name)
        };
        let there = places.iter().any(|place| place.name == *name || source(place));
        anyhow::ensure!(there, "there is no source or list `{name}`; there are {}", known());
    }
    writeln!(io::stdout(), "asking {} …", arguments.name.clone().unwrap_or_else(known))?;
    let mut failed = false;
    super::runtime()?.block_on(async {
        let request = Request::Refresh { name: arguments.name.clone(), accept: arguments.accept };
        let asked = control::ask(&config.state_dir, &request, |refreshed: Refreshed| {
            let result = refreshed.outcome.ok_or_else(|| refreshed.error.unwrap_or_default());
            failed |= !tell(&refreshed.list, &result, None);
        });
        let asked = asked.await.with_context(|| {
            format!("can't ask the running service at {}", control::path(&config.state_dir).display())
        })?;
        if asked.is_some() {
            return Ok(());
        }
        let (sources, name) = (&config.sources, arguments.name.as_deref());
        alone::refresh(sources, &config.state_dir, name, arguments.accept, |list, result, unusable| {
            failed |= !tell(list, &result, Some(unusable));
        })
        .await
    })?;
    Ok(if failed { Exit::Failure } else { Exit::Success })
}

/// Says what came of a list; whether it is in use now.
fn tell(list: &str, result: &Result<Outcome, String>, unusable: Option<&UnusableRecords>) -> bool {
    let mut out = io::stdout().lock();
    // When nobody reads, the exit status still tells.
    let _ = match result {
        Ok(Outcome::Unchanged) => writeln!(out, "{list}: unchanged"),
        Ok(Outcome::New { count, changes }) => writeln!(out, "{list}: {count} entries: {changes}"),
        Ok(Outcome::Held { count, known, more }) => {
            let until =
                more.map_or_else(String::new, |more| format!(", until it has come {more} times more"));
            writeln!(
                out,
                "{list}: a list of {count} entries is held back{until}; {known} stay in use. \
                 `nameplate refresh {list} --accept` takes it"
            )
        }
        Err(error) => writeln!(out, "{list}: failed, what is known stays: {error}"),
    };
    for (reason, examples) in unusable.into_iter().flat_map(UnusableRecords::reasons) {
        let _ = writeln!(out, "  can't be used: {} {reason}: {}", examples.count, examples.first.join("; "));
    }
    matches!(result, Ok(Outcome::Unchanged | Outcome::New { .. }))
}
