//! `nameplate sources`

mod share;

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::Context;
use jiff::Timestamp;

use super::Exit;
use super::lookup::printable;
use crate::config::Config;
use crate::control::{self, Request};
use crate::lists::configured;
use crate::lists::guard::{self, HeldList};
use crate::lists::lock::{Lock, Purpose};
use crate::lists::snapshot::Snapshot;
use crate::lists::status::{ListStatus, time_span};
use crate::lists::store::Store;
use crate::observe::logging::{self, LogLevel};
use crate::owner;
use crate::share::life::ReplicaStatus;

/// The most characters of a hash that are shown.
const LONGEST_HASH: usize = 80;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Remove the files of lists that are no longer in the configuration, which stay for 30 days otherwise
    #[arg(long)]
    purge: bool,
    /// One JSON object: the lists, and the replicas
    #[arg(long, conflicts_with = "purge")]
    json: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Error);
    let state_dir = &config.state_dir;
    owner::check(state_dir)?;
    let mut lists: Vec<ListStatus> = Vec::new();
    let asked = super::block_on(control::ask(state_dir, &Request::Sources, |list| lists.push(list)))?;
    let asked = asked.with_context(|| {
        format!("can't ask the running service at {}", control::path(state_dir).display())
    })?;
    let replicas = if asked.is_some() { replicas(config)? } else { Vec::new() };
    let names = configured(&config.sources).into_iter().map(|list| list.name);
    // A service that runs with another configuration still uses its lists.
    let used = names.chain(lists.iter().map(|list| list.list.clone())).collect();
    let mut out = io::stdout().lock();
    if arguments.purge {
        return purge(config, asked.is_some(), &used, &mut out);
    }
    let why_not = asked.is_none().then(|| why_not_asked(config));
    if why_not.is_some() {
        lists = on_disk(config);
    }
    if arguments.json {
        let all = serde_json::json!({ "running": asked.is_some(), "lists": lists, "replicas": replicas });
        writeln!(out, "{all}")?;
        return Ok(Exit::Success);
    }
    if let Some(why_not) = why_not {
        writeln!(out, "{why_not}; what is on disk:")?;
    }
    for list in lists {
        show(&list, config, &mut out)?;
    }
    share::show_replicas(&replicas, &mut out)?;
    show_removed(config, &used, &mut out)?;
    Ok(Exit::Success)
}

/// The replicas, as the running service knows them. A service of a version that knows none names none.
fn replicas(config: &Config) -> anyhow::Result<Vec<ReplicaStatus>> {
    let mut replicas = Vec::new();
    let asked = control::ask(&config.state_dir, &Request::Replicas, |replica| replicas.push(replica));
    super::block_on(asked)?.context("can't ask the running service for the replicas")?;
    Ok(replicas)
}

/// Why the running service was not asked.
fn why_not_asked(config: &Config) -> String {
    let socket = control::path(&config.state_dir);
    match Lock::holder(&config.state_dir) {
        None => "the service is not running".to_owned(),
        Some(holder) if holder.is_service() => format!(
            "the service runs, {holder}, and can't be asked just now, for its socket {} is missing: it is made again within a minute",
            socket.display()
        ),
        Some(holder) => {
            format!(
                "{holder} is writing the lists, and a service that was started meanwhile waits until that is done"
            )
        }
    }
}

/// Removes the files of lists that are not in use.
fn purge(
    config: &Config,
    is_asked: bool,
    used: &BTreeSet<String>,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let state_dir = &config.state_dir;
    // Without an answer of the service any list may be in use.
    let _lock = if is_asked {
        None
    } else {
        let locked = Lock::take(state_dir, Purpose::Refresh);
        let locked = locked.with_context(|| format!("state_dir {} can't be written", state_dir.display()))?;
        let busy =
            |holder| anyhow::anyhow!("{holder} writes below {}, and can't be asked", state_dir.display());
        Some(locked.map_err(busy)?)
    };
    let removed = Store::new(state_dir).purge(used)?;
    for list in &removed {
        writeln!(out, "{list}: its files are removed")?;
    }
    if removed.is_empty() {
        writeln!(out, "there is no list on disk that is not in the configuration")?;
    }
    Ok(Exit::Success)
}

/// The state of the lists by their files.
fn on_disk(config: &Config) -> Vec<ListStatus> {
    let store = Store::new(&config.state_dir);
    let mut lists = Vec::new();
    for list in configured(&config.sources) {
        let Some(source) = config.sources.get(list.source) else { continue };
        let fingerprint = source.fingerprint(list.id);
        let mut status = ListStatus { list: list.name, source: list.source_name, ..ListStatus::default() };
        let (snapshot, error) = store.peek(&status.list);
        let header = snapshot.header();
        status.count = snapshot.len();
        status.unusable = store.unusable(&status.list, &header);
        status.taken = Some(header.taken).filter(|taken| *taken > 0);
        status.hash = header.hash;
        status.on_disk = error.is_none();
        status.last_error = error.map(|error| match snapshot {
            Snapshot::Absent => error.to_string(),
            _ => format!("{error}; its copy is used"),
        });
        status.held = store.held(&status.list, fingerprint).map(|held| held.held);
        lists.push(status);
    }
    lists
}

fn show(list: &ListStatus, config: &Config, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", list.list)?;
    writeln!(out, "  entries       {} (hash {})", list.count, hash(&list.hash))?;
    writeln!(out, "  taken         {}", time(list.taken))?;
    writeln!(out, "  last success  {}", time(list.last_success))?;
    writeln!(out, "  next          {}", time(list.next))?;
    if let Some(tenant) = &list.tenant {
        let calls = if tenant.is_running { "" } else { ", in which it must not be called" };
        let (name, state) = (printable(&tenant.name), printable(&tenant.state));
        writeln!(out, "  tenant        {name} is in state {state}{calls}")?;
        writeln!(out, "  state until   {}", time(tenant.valid_until))?;
        writeln!(out, "  api           {}", printable(tenant.api.as_deref().unwrap_or("-")))?;
    }
    if let Some(share) = &list.share {
        share::show(share, out)?;
    }
    if !list.on_disk && list.count > 0 {
        writeln!(out, "  in memory     it could not be written to disk")?;
    }
    if let Some(error) = &list.last_error {
        writeln!(out, "  last error    {}", printable(error))?;
    }
    let lost = Store::new(&config.state_dir).lost(&list.list);
    if !lost.list.is_empty() {
        let (count, since, of) = (lost.list.len(), time(Some(lost.since)), lost.of);
        let days = guard::MEMORY / (24 * 3600);
        writeln!(
            out,
            "  lost          {count} entries of {of} numbers since {since}; they count for {days} days when a list is judged"
        )?;
    }
    if let Some((held, by)) = list.held_back() {
        show_held(&list.list, held, by, config, out)?;
    }
    for (remark, examples) in list.unusable.remarks() {
        writeln!(
            out,
            "  remark        {} {remark}: {}",
            examples.count,
            printable(&examples.first.join("; "))
        )?;
    }
    for (reason, examples) in list.unusable.reasons() {
        let first = printable(&examples.first.join("; "));
        writeln!(out, "  can't be used {} {}: {first}", examples.count, printable(reason))?;
    }
    Ok(())
}

/// Shows a list that is held back, at another machine if it is `by` one.
fn show_held(
    list: &str,
    held: &HeldList,
    by: Option<&str>,
    config: &Config,
    out: &mut impl Write,
) -> io::Result<()> {
    let path = Store::new(&config.state_dir).held_path(list);
    let at = by.map_or_else(String::new, |by| format!("at {}: ", printable(by)));
    writeln!(
        out,
        "  held back     {at}a list of {} entries, seen {} times; `nameplate refresh {list} --accept` takes it",
        held.count, held.times
    )?;
    let came = time(Some(held.came));
    match by {
        Some(_) => writeln!(out, "    it came     {came}")?,
        None if path.exists() => writeln!(out, "    it came     {came}: {}", path.display())?,
        None => writeln!(out, "    it came     {came}: in memory")?,
    }
    writeln!(out, "    changes     {}", held.changes)?;
    let why = if held.losses.named == 0 {
        "no list without any name"
    } else {
        "no list without more than half of them"
    };
    writeln!(out, "    why         {}; {why} is taken at once", held.losses)
}

/// Shows the lists on disk that are no longer in the configuration.
fn show_removed(config: &Config, used: &BTreeSet<String>, out: &mut impl Write) -> anyhow::Result<()> {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    for removed in Store::new(&config.state_dir).removed(used)? {
        let since = removed.since.map_or_else(String::new, |since| format!(" since {}", time(Some(since))));
        writeln!(out, "{}", removed.list)?;
        writeln!(
            out,
            "  removed       it is not in the configuration{since}; its files stay for {} days, or until `nameplate sources --purge`",
            removed.days_left(now)
        )?;
    }
    Ok(())
}

/// A hash for the terminal. It is the CRM's text, so it is cut and cleaned.
fn hash(hash: &str) -> String {
    if hash.is_empty() {
        return "-".into();
    }
    let begin: String = hash.chars().take(LONGEST_HASH).collect();
    printable(&begin) + if begin.len() == hash.len() { "" } else { "…" }
}

/// `2026-07-31T12:00:00Z (3 min ago)`
fn time(seconds: Option<u64>) -> String {
    let timestamp = seconds.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
    let Some(timestamp) = timestamp else { return "-".into() };
    let distance = Timestamp::now().duration_since(timestamp).as_secs();
    let time_span = time_span(distance.unsigned_abs());
    if distance < 0 {
        format!("{timestamp} (in {time_span})")
    } else {
        format!("{timestamp} ({time_span} ago)")
    }
}
