//! `nameplate check`: whether the service could run with this configuration. It sends nothing over the network.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use secrecy::SecretString;

use super::Exit;
use crate::config::Config;
use crate::lists::configured;
use crate::lists::snapshot::Snapshot;
use crate::lists::store::Store;
use crate::observe::logging::{self, LogLevel};
use crate::owner::{self, User};
use crate::secret::{Secret, SecretError};
use crate::source::{self, Fetched, Kind, Progress, Source};
use crate::tls;

pub(super) fn run(config: &Config) -> anyhow::Result<Exit> {
    let _logging = logging::start(config.log, LogLevel::Error);
    config.check_for_service()?;
    tls::install();
    // Root has more rights than the service's user.
    match owner::other_owner(&config.state_dir) {
        Some((user, group)) => owner::as_user(user, group, || check(config, Some(user)))
            .with_context(|| format!("can't try as {user}, to whom state_dir belongs"))?,
        None => check(config, None),
    }
}

/// Checks all that the service needs, as the user `tried_as` if root started the command.
fn check(config: &Config, tried_as: Option<User>) -> anyhow::Result<Exit> {
    let mut findings = Findings { out: io::stdout().lock(), failed: false };
    if let Some(user) = tried_as {
        let what = format!("as {user}");
        match fs::File::open(&config.path) {
            Ok(_) => findings.good(&what, "what follows is tried as the user to whom state_dir belongs")?,
            Err(error) => findings.bad(&what, &format!("can't read {}: {error}", config.path.display()))?,
        }
    }
    let (sources, asterisks) = (config.sources.len(), config.asterisks.len());
    let country = config.pbx.numbers.country.as_str();
    let summary = format!("country {country}, sources: {sources}, Asterisks: {asterisks}");
    findings.good(&config.path.display().to_string(), &summary)?;
    for source in &config.sources {
        check_source(source, &mut findings)?;
    }
    for asterisk in &config.asterisks {
        findings.secret(&format!("[[asterisk]] {}: password", asterisk.name), &asterisk.password)?;
        findings.ca_file(&format!("[[asterisk]] {}", asterisk.name), asterisk.ca_file.as_deref())?;
    }
    for notice in config.notices() {
        findings.notice(&notice)?;
    }
    if let Some(web) = &config.web {
        let what = format!("[web] {}", web.listen());
        match web.token() {
            Some(token) => findings.header(&format!("{what}: token"), token)?,
            None => findings.good(&what, "no token is asked for")?,
        }
    }
    let what = format!("state_dir {}", config.state_dir.display());
    if let Err(error) = owner::check(&config.state_dir) {
        findings.bad(&what, &error.to_string())?;
    }
    match try_to_write(&config.state_dir) {
        Ok(text) => findings.good(&what, text)?,
        Err(error) => findings.bad(&what, &format!("can't write there: {error}"))?,
    }
    check_lists(config, &mut findings)?;
    Ok(if findings.failed { Exit::Failure } else { Exit::Success })
}

/// The findings, a line each.
struct Findings<W> {
    out: W,
    /// Whether one is a failure.
    failed: bool,
}

impl<W: Write> Findings<W> {
    fn good(&mut self, what: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "ok      {what}: {text}")
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "note    {text}")
    }

    fn bad(&mut self, what: &str, error: &str) -> io::Result<()> {
        self.failed = true;
        writeln!(self.out, "FAILED  {what}: {error}")
    }

    /// Checks that the file of trusted certificates can be read, if there is one.
    fn ca_file(&mut self, what: &str, path: Option<&Path>) -> io::Result<()> {
        let Some(path) = path else { return Ok(()) };
        match tls::client(Some(path)) {
            Ok(_) => self.good(&format!("{what}: ca_file"), &path.display().to_string()),
            Err(error) => self.bad(&format!("{what}: ca_file"), &error.to_string()),
        }
    }

    /// Checks that a secret can be read. The secret is not shown.
    fn secret(&mut self, what: &str, secret: &Secret) -> io::Result<()> {
        self.read(what, secret, secret.read())
    }

    /// The same for a secret that is sent in a header.
    fn header(&mut self, what: &str, secret: &Secret) -> io::Result<()> {
        self.read(what, secret, secret.read_for_header())
    }

    fn read(
        &mut self,
        what: &str,
        secret: &Secret,
        read: Result<SecretString, SecretError>,
    ) -> io::Result<()> {
        match (read, secret) {
            (Err(error), _) => self.bad(what, &error.to_string()),
            (Ok(_), Secret::Given(_)) => self.good(what, "stands in the configuration"),
            (Ok(_), Secret::File(path)) => self.good(what, &format!("in {}", path.display())),
            (Ok(_), Secret::Env(name)) => self.good(what, &format!("in the variable {name}")),
            (Ok(_), Secret::Credential(name)) => self.good(what, &format!("the credential {name}")),
        }
    }
}

fn check_source(source: &source::Settings, findings: &mut Findings<impl Write>) -> anyhow::Result<()> {
    let what = format!("[[source]] {}", source.name);
    match &source.kind {
        Kind::Csv(file) => {
            let path = file.path.display().to_string();
            match super::block_on(file.fetch("", &Progress::default()))? {
                Ok(Fetched::Entries(delivery)) => {
                    let (entries, unusable) = (delivery.entries.len(), &delivery.unusable);
                    let mut text = format!("{path}: entries: {entries}");
                    for (remark, examples) in unusable.remarks() {
                        text += &format!("; {} {remark} ({})", examples.count, examples.first.join("; "));
                    }
                    match unusable.total() {
                        0 => findings.good(&what, &text)?,
                        _ => findings.bad(&what, &format!("{text}; can't be used: {unusable}"))?,
                    }
                }
                Ok(Fetched::Unchanged) => {}
                Err(error) => findings.bad(&what, &error.to_string())?,
            }
        }
        Kind::SuperOffice(settings) => {
            let app_token = settings.app_token.as_ref().map(|token| ("app_token", token));
            for (key, secret) in settings.credential.secrets().into_iter().chain(app_token) {
                let what = format!("{what}: {key}");
                match key {
                    "ticket" | "token" | "cookie" | "client_secret" | "app_token" => {
                        findings.header(&what, secret)?;
                    }
                    _ => findings.secret(&what, secret)?,
                }
            }
            findings.ca_file(&what, settings.ca_file.as_deref())?;
            if let Err(error) = Source::new(source) {
                findings.bad(&what, &format!("{error:#}"))?;
            }
        }
    }
    Ok(())
}

/// Checks the lists on disk. A damaged one would have to be fetched again.
fn check_lists(config: &Config, findings: &mut Findings<impl Write>) -> io::Result<()> {
    let store = Store::new(&config.state_dir);
    for list in configured(&config.sources) {
        let what = format!("list {}", list.name);
        match store.peek(&list.name) {
            (snapshot, None) if snapshot.is_empty() => {}
            (snapshot, None) => {
                let mut text = format!("entries: {}", snapshot.len());
                for (remark, examples) in store.unusable(&list.name, &snapshot.header()).remarks() {
                    text += &format!("; {} {remark}", examples.count);
                }
                findings.good(&what, &text)?;
            }
            (Snapshot::Absent, Some(error)) => findings.bad(&what, &error.to_string())?,
            (snapshot, Some(error)) => {
                findings.bad(&what, &format!("{error}; its copy has {} entries", snapshot.len()))?;
            }
        }
    }
    Ok(())
}

/// Checks that this user can write into `folder`, or create it.
fn try_to_write(folder: &Path) -> io::Result<&'static str> {
    // A folder without the right to read it is not a missing one: that is an error.
    let is_there = folder.try_exists()?;
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is no folder", there.display()),
        ));
    }
    let (lists, lock) = (folder.join("lists"), folder.join("lock"));
    if lock.exists() {
        OpenOptions::new()
            .write(true)
            .open(&lock)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", lock.display())))?;
    }
    let there = if lists.is_dir() { &lists } else { there };
    let probe = there.join(format!(".nameplate-check-{}", std::process::id()));
    drop(OpenOptions::new().write(true).create_new(true).open(&probe)?);
    fs::remove_file(probe)?;
    Ok(if is_there { "can be written" } else { "can be made" })
}
