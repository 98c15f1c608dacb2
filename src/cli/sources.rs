//! `nameplate sources`

use std::io::{self, Write};

use anyhow::Context;
use jiff::Timestamp;

use super::Exit;
use crate::config::Config;
use crate::control::{self, Request};
use crate::logging;
use crate::refresh::places;
use crate::refresh::status::ListStatus;
use crate::refresh::store::{Kept, Store};

pub(super) fn run(config: &Config) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "error");
    let mut lists: Vec<ListStatus> = Vec::new();
    let asked = super::block_on(control::ask(&config.state_dir, &Request::Sources, |list| lists.push(list)))?;
    let asked = asked.with_context(|| {
        format!("can't ask the running service at {}", control::path(&config.state_dir).display())
    })?;
    let mut out = io::stdout().lock();
    if asked.is_none() {
        writeln!(out, "the service is not running; what is on disk:")?;
        lists = on_disk(config)?;
    }
    for list in lists {
        show(&list, &mut out)?;
    }
    Ok(Exit::Success)
}

/// What the files say.
fn on_disk(config: &Config) -> anyhow::Result<Vec<ListStatus>> {
    let store = Store::new(&config.state_dir);
    let mut lists = Vec::new();
    for place in places(&config.sources) {
        let source = config.sources.get(place.source).map(|source| source.name.clone()).unwrap_or_default();
        let mut status = ListStatus { list: place.name, source, ..ListStatus::default() };
        let (kept, error) = store.peek(&status.list);
        let header = kept.header();
        status.count = kept.len();
        status.unusable = store.unusable(&status.list, &header);
        status.taken = Some(header.taken).filter(|taken| *taken > 0);
        status.hash = header.hash;
        status.on_disk = error.is_none();
        status.last_error = error.map(|error| match kept {
            Kept::Nothing => error.to_string(),
            _ => format!("{error}; its copy is used"),
        });
        lists.push(status);
    }
    Ok(lists)
}

fn show(list: &ListStatus, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", list.list)?;
    let hash = if list.hash.is_empty() { "-" } else { &list.hash };
    writeln!(out, "  entries       {} (hash {hash})", list.count)?;
    writeln!(out, "  taken         {}", time(list.taken))?;
    writeln!(out, "  last success  {}", time(list.last_success))?;
    writeln!(out, "  next          {}", time(list.next))?;
    if let Some(tenant) = &list.tenant {
        let calls = if tenant.is_running { "" } else { ", in which it must not be called" };
        writeln!(out, "  tenant        {} is in state {}{calls}", tenant.name, tenant.state)?;
        writeln!(out, "  state until   {}", time(tenant.valid_until))?;
        writeln!(out, "  api           {}", tenant.api.as_deref().unwrap_or("-"))?;
    }
    if !list.on_disk && list.count > 0 {
        writeln!(out, "  in memory     it could not be written to disk")?;
    }
    if let Some(error) = &list.last_error {
        writeln!(out, "  last error    {error}")?;
    }
    if let Some(held) = &list.held {
        writeln!(
            out,
            "  held back     a list of {} entries, seen {} times; `nameplate refresh {} --accept` takes it",
            held.count, held.times, list.list
        )?;
    }
    for (remark, examples) in list.unusable.remarks() {
        writeln!(out, "  remark        {} {remark}: {}", examples.count, examples.first.join("; "))?;
    }
    for (reason, examples) in list.unusable.reasons() {
        writeln!(out, "  can't be used {} {reason}: {}", examples.count, examples.first.join("; "))?;
    }
    Ok(())
}

/// `2026-07-31T12:00:00Z (3 min ago)`
fn time(seconds: Option<u64>) -> String {
    let timestamp = seconds.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
    let Some(timestamp) = timestamp else { return "-".into() };
    let distance = Timestamp::now().duration_since(timestamp).as_secs();
    let (amount, unit) = match distance.unsigned_abs() {
        seconds @ 0..120 => (seconds, "s"),
        seconds @ 120..7200 => (seconds / 60, "min"),
        seconds @ 7200..172_800 => (seconds / 3600, "h"),
        seconds => (seconds / 86_400, "d"),
    };
    if distance < 0 {
        format!("{timestamp} (in {amount} {unit})")
    } else {
        format!("{timestamp} ({amount} {unit} ago)")
    }
}
