//! `nameplate check`: whether the service could run with this configuration. It asks nobody over the network.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::Exit;
use crate::asterisk::agi;
use crate::config::Config;
use crate::refresh::places;
use crate::refresh::store::{Kept, Store};
use crate::secret::Secret;
use crate::source::{self, Fetched, Kind, Progress, Source};
use crate::{logging, tls};

pub(super) fn run(config: &Config) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, "error");
    config.check_for_service()?;
    tls::install();
    let mut report = Report { out: io::stdout().lock(), failed: false };
    let (sources, asterisks) = (config.sources.len(), config.asterisks.len());
    let country = config.pbx.numbers.country.as_str();
    let summary = format!("country {country}, sources: {sources}, Asterisks: {asterisks}");
    report.good(&config.path.display().to_string(), &summary)?;
    for source in &config.sources {
        check_source(source, &mut report)?;
    }
    for asterisk in &config.asterisks {
        report.secret(&format!("[[asterisk]] {}: password", asterisk.name), &asterisk.password)?;
        report.ca_file(&format!("[[asterisk]] {}", asterisk.name), asterisk.ca_file.as_deref())?;
    }
    if let Some(what) = config.agi.as_ref().and_then(agi::Settings::default_has_moved) {
        report.good("[agi]", &what)?;
    }
    if let Some(web) = &config.web {
        let what = format!("[web] {}", web.listen());
        match web.token() {
            Some(token) => report.secret(&format!("{what}: token"), token)?,
            None => report.good(&what, "no token is asked for")?,
        }
    }
    let what = format!("state_dir {}", config.state_dir.display());
    match try_to_write(&config.state_dir) {
        Ok(said) => report.good(&what, said)?,
        Err(error) => report.bad(&what, &format!("can't write there: {error}"))?,
    }
    check_lists(config, &mut report)?;
    Ok(if report.failed { Exit::Failure } else { Exit::Success })
}

/// What has been seen, a line each.
struct Report<W> {
    out: W,
    failed: bool,
}

impl<W: Write> Report<W> {
    fn good(&mut self, what: &str, said: &str) -> io::Result<()> {
        writeln!(self.out, "ok      {what}: {said}")
    }

    fn bad(&mut self, what: &str, error: &str) -> io::Result<()> {
        self.failed = true;
        writeln!(self.out, "FAILED  {what}: {error}")
    }

    /// Whether the certificates of a server can be read, where they are given.
    fn ca_file(&mut self, what: &str, path: Option<&Path>) -> io::Result<()> {
        let Some(path) = path else { return Ok(()) };
        match tls::client(Some(path)) {
            Ok(_) => self.good(&format!("{what}: ca_file"), &path.display().to_string()),
            Err(error) => self.bad(&format!("{what}: ca_file"), &error.to_string()),
        }
    }

    /// Whether a secret can be read; nothing of it is shown.
    fn secret(&mut self, what: &str, secret: &Secret) -> io::Result<()> {
        match (secret.read(), secret) {
            (Err(error), _) => self.bad(what, &error.to_string()),
            (Ok(_), Secret::Given(_)) => self.good(what, "stands in the configuration"),
            (Ok(_), Secret::File(path)) => self.good(what, &format!("in {}", path.display())),
            (Ok(_), Secret::Env(name)) => self.good(what, &format!("in the variable {name}")),
        }
    }
}

fn check_source(source: &source::Settings, report: &mut Report<impl Write>) -> anyhow::Result<()> {
    let what = format!("[[source]] {}", source.name);
    match &source.kind {
        Kind::Csv(file) => {
            let path = file.path.display().to_string();
            match super::block_on(file.fetch("", &Progress::default()))? {
                Ok(Fetched::Entries(delivery)) => {
                    let (entries, unusable) = (delivery.entries.len(), &delivery.unusable);
                    let mut said = format!("{path}: entries: {entries}");
                    for (remark, examples) in unusable.remarks() {
                        said += &format!("; {} {remark} ({})", examples.count, examples.first.join("; "));
                    }
                    match unusable.total() {
                        0 => report.good(&what, &said)?,
                        _ => report.bad(&what, &format!("{said}; can't be used: {unusable}"))?,
                    }
                }
                Ok(Fetched::Unchanged) => {}
                Err(error) => report.bad(&what, &error.to_string())?,
            }
        }
        Kind::SuperOffice(settings) => {
            let app_token = settings.app_token.as_ref().map(|token| ("app_token", token));
            for (key, secret) in settings.credential.secrets().into_iter().chain(app_token) {
                report.secret(&format!("{what}: {key}"), secret)?;
            }
            report.ca_file(&what, settings.ca_file.as_deref())?;
            if let Err(error) = Source::new(source) {
                report.bad(&what, &format!("{error:#}"))?;
            }
        }
    }
    Ok(())
}

/// The lists that are there already: one that can't be read would be asked for anew.
fn check_lists(config: &Config, report: &mut Report<impl Write>) -> io::Result<()> {
    let store = Store::new(&config.state_dir);
    for place in places(&config.sources) {
        let what = format!("list {}", place.name);
        match store.peek(&place.name) {
            (kept, None) if kept.is_empty() => {}
            (kept, None) => {
                let mut said = format!("entries: {}", kept.len());
                for (remark, examples) in store.unusable(&place.name, &kept.header()).remarks() {
                    said += &format!("; {} {remark}", examples.count);
                }
                report.good(&what, &said)?;
            }
            (Kept::Nothing, Some(error)) => report.bad(&what, &error.to_string())?,
            (kept, Some(error)) => {
                report.bad(&what, &format!("{error}; its copy has {} entries", kept.len()))?;
            }
        }
    }
    Ok(())
}

/// Whether this user can write into `folder`, or make it.
fn try_to_write(folder: &Path) -> io::Result<&'static str> {
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is no folder", there.display()),
        ));
    }
    let lists = folder.join("lists");
    let there = if lists.is_dir() { &lists } else { there };
    let probe = there.join(format!(".nameplate-check-{}", std::process::id()));
    drop(OpenOptions::new().write(true).create_new(true).open(&probe)?);
    fs::remove_file(probe)?;
    Ok(if folder.exists() { "can be written" } else { "can be made" })
}
