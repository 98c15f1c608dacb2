//! What the configuration names on this machine: secrets, certificates, CSV files, `state_dir`, the lists on disk. Nothing is
//! sent over the network.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;

use super::finding::Finding;
use super::share;
use crate::config::Config;
use crate::lists::configured;
use crate::lists::snapshot::Snapshot;
use crate::lists::store::Store;
use crate::owner;
use crate::secret::Secret;
use crate::source::{self, Fetched, Kind, Progress, Source, csv, superoffice};
use crate::tls;

/// The rights of users who are neither the owner of a file nor of its group.
const OTHERS: u32 = 0o007;
/// A token of fewer characters is said.
const LEAST_TOKEN: usize = 16;
/// What a fault of a source's own means.
const NO_LIST: &str = "its list does not come; the one on disk stays in use";
/// What a fault of a PBX's section means.
const NOT_CONNECTED: &str = "its calls ring at once, without names";

/// The findings, in the order of the configuration.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let (sources, asterisks) = (config.sources.len(), config.asterisks.len());
    let country = config.pbx.numbers.country.as_str();
    let summary = format!("country {country}, sources: {sources}, Asterisks: {asterisks}");
    let mut findings = vec![Finding::ok(config.path.display().to_string(), summary)];
    for source in &config.sources {
        let place = format!("[[source]] {}", source.name);
        match &source.kind {
            Kind::Csv(file) => findings.push(csv_file(&place, file).await),
            Kind::SuperOffice(settings) => findings.extend(of_superoffice(&place, settings, source)),
        }
    }
    for asterisk in &config.asterisks {
        let place = format!("[[asterisk]] {}", asterisk.name);
        findings.extend(secret(&place, "password", &asterisk.password, false, NOT_CONNECTED));
        findings.extend(ca_file(&place, asterisk.ca_file.as_deref(), NOT_CONNECTED));
    }
    let (path, notices) = (config.path.display().to_string(), config.notices());
    findings.extend(notices.into_iter().map(|notice| {
        Finding::warning(&path, notice, "the service starts with it all the same", format!("change {path}"))
    }));
    if let Some(web) = &config.web {
        let place = format!("[web] {}", web.listen());
        match web.token() {
            Some(token) => {
                findings.extend(secret(&place, "token", token, true, "each lookup over HTTP is refused"));
                findings.extend(short_token(&place, token));
            }
            None => findings.push(Finding::ok(place, "no token is asked for")),
        }
    }
    findings.extend(config.share.iter().flat_map(share::of_files));
    findings.extend(state_dir(&config.state_dir));
    findings.extend(lists(config));
    findings
}

/// Whether a token could be guessed: nothing but its length keeps a patient client from it.
fn short_token(place: &str, token: &Secret) -> Option<Finding> {
    let characters = token.read().ok()?.expose_secret().chars().count();
    (characters < LEAST_TOKEN).then(|| {
        let what = format!("the token has {characters} characters: fewer than {LEAST_TOKEN} can be guessed");
        Finding::warning(place, what, "a stranger may read names", "openssl rand -base64 32 makes a token")
    })
}

async fn csv_file(place: &str, file: &csv::File) -> Finding {
    let path = file.path.display().to_string();
    match file.fetch("", &Progress::default()).await {
        Ok(Fetched::Entries(delivery)) => {
            let (entries, unusable) = (delivery.entries.len(), &delivery.unusable);
            let mut text = format!("{path}: entries: {entries}");
            for (remark, examples) in unusable.remarks() {
                text += &format!("; {} {remark} ({})", examples.count, examples.first.join("; "));
            }
            if unusable.total() == 0 {
                return Finding::ok(place, text);
            }
            text += &format!("; can't be used: {unusable}");
            Finding::error(
                place,
                text,
                "callers with these numbers have no name",
                "mend these lines of the file",
            )
        }
        // Without a stamp the file counts as changed.
        Ok(Fetched::Unchanged) => Finding::ok(place, path),
        Err(error) => Finding::error(place, error.to_string(), NO_LIST, format!("mend {path}, or `path`")),
    }
}

fn of_superoffice(place: &str, settings: &superoffice::Settings, source: &source::Settings) -> Vec<Finding> {
    let app_token = settings.app_token.as_ref().map(|token| ("app_token", token));
    let mut findings = Vec::new();
    for (key, given) in settings.credential.secrets().into_iter().chain(app_token) {
        let in_a_header = matches!(key, "ticket" | "token" | "cookie" | "client_secret" | "app_token");
        findings.extend(secret(place, key, given, in_a_header, NO_LIST));
    }
    findings.extend(ca_file(place, settings.ca_file.as_deref(), NO_LIST));
    if let Err(error) = Source::new(source) {
        findings.push(Finding::error(
            place,
            format!("{error:#}"),
            "the service does not start",
            "mend `proxy`",
        ));
    }
    findings
}

/// Whether the file of trusted certificates can be read, if there is one.
pub(super) fn ca_file(place: &str, path: Option<&Path>, meaning: &str) -> Option<Finding> {
    let path = path?;
    let place = format!("{place}: ca_file");
    Some(match tls::client(Some(path)) {
        Ok(_) => Finding::ok(place, path.display().to_string()),
        Err(error) => Finding::error(place, error.to_string(), meaning, "write PEM certificates into it"),
    })
}

/// Whether a secret can be read, and by whom. The secret is not shown.
pub(super) fn secret(
    place: &str,
    key: &str,
    secret: &Secret,
    in_a_header: bool,
    meaning: &str,
) -> Vec<Finding> {
    let place = format!("{place}: {key}");
    let read = if in_a_header { secret.read_for_header() } else { secret.read() };
    if let Err(error) = read {
        let remedy = match secret {
            Secret::Given(_) => format!("mend `{key}`"),
            Secret::File(path) => format!("write it into {}, readable by the service's user", path.display()),
            Secret::Env(name) => format!("set {name} in the service's environment"),
            Secret::Credential(name) => format!("give it to the unit: LoadCredential={name}:FILE"),
        };
        return vec![Finding::error(place, error.to_string(), meaning, remedy)];
    }
    place_of(&place, secret)
}

/// Where a secret that can be read is, and who else can read it.
pub(super) fn place_of(place: &str, secret: &Secret) -> Vec<Finding> {
    match secret {
        Secret::Given(_) => vec![Finding::ok(place, "stands in the configuration")],
        Secret::Env(name) => vec![Finding::ok(place, format!("in the variable {name}"))],
        Secret::Credential(name) => vec![Finding::ok(place, format!("the credential {name}"))],
        Secret::File(path) => {
            let found = Finding::ok(place, format!("in {}", path.display()));
            [Some(found), open_to_others(place, path)].into_iter().flatten().collect()
        }
    }
}

/// A warning for a file with a secret that every user of this machine can read.
fn open_to_others(place: &str, path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let what = format!("others can read {} (mode {:o})", path.display(), mode & 0o777);
        let meaning = "every user of this machine can log in with it";
        Finding::warning(place, what, meaning, format!("chmod o= {}", path.display()))
    })
}

fn state_dir(folder: &Path) -> Vec<Finding> {
    let place = format!("state_dir {}", folder.display());
    let meaning = "after a restart names are missing until the sources have answered";
    let remedy = format!("let the service's user write there: chown -R nameplate: {}", folder.display());
    let mut findings = Vec::new();
    if let Err(error) = owner::check(folder) {
        findings.push(Finding::error(
            place.clone(),
            error.to_string(),
            meaning,
            "run it as that user, or as root",
        ));
    }
    findings.push(match try_to_write(folder) {
        Ok(text) => Finding::ok(place, text),
        Err(error) => Finding::error(place, format!("can't write there: {error}"), meaning, remedy),
    });
    findings
}

/// The lists on disk. A damaged one has to be fetched again.
fn lists(config: &Config) -> Vec<Finding> {
    let store = Store::new(&config.state_dir);
    let mut findings = Vec::new();
    for list in configured(&config.sources) {
        let place = format!("list {}", list.name);
        let (meaning, remedy) = (
            "its names are missing until the source has answered",
            format!("nameplate refresh {}", list.name),
        );
        findings.push(match store.peek(&list.name) {
            (snapshot, None) if snapshot.is_empty() => continue,
            (snapshot, None) => {
                let mut text = format!("entries: {}", snapshot.len());
                for (remark, examples) in store.unusable(&list.name, &snapshot.header()).remarks() {
                    text += &format!("; {} {remark}", examples.count);
                }
                Finding::ok(place, text)
            }
            (Snapshot::Absent, Some(error)) => Finding::error(place, error.to_string(), meaning, remedy),
            (snapshot, Some(error)) => {
                let what = format!("{error}; its copy has {} entries", snapshot.len());
                Finding::error(place, what, "the copy is used, which may be older", remedy)
            }
        });
    }
    findings
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
