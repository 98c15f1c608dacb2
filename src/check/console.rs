//! On the PBX's own machine: Asterisk's console, and the files that it names. Nothing is changed. Elsewhere this is not known,
//! and the findings say the commands to type.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::asterisk::of_rights;
use super::dialplan;
use super::finding::Finding;
use crate::asterisk::ari;
use crate::config::Config;

/// The most time for one command of the console.
const LIMIT: Duration = Duration::from_secs(2);
/// Where Asterisk is installed, if it is not in the `PATH` of this user.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// HTTP sessions of one `[[asterisk]]`: its websocket, and the requests for calls at once.
const SESSIONS: usize = 33;
/// The sessions that Asterisk allows where `http.conf` does not say it.
const DEFAULT_SESSIONS: usize = 100;
const PLACE: &str = "Asterisk's console";

/// Whether the console of this PBX is on this machine.
pub(super) fn is_here(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_loopback = address.map_or(host == "localhost", |address| address.is_loopback());
    is_loopback && program().is_some()
}

/// The version of the Asterisk that is installed on this machine, which need not run; none if `url` is not an address of this
/// machine, or no Asterisk is installed.
pub async fn installed_version(url: &reqwest::Url) -> Option<String> {
    let program = program().filter(|_| is_here(url))?;
    let said = Console { program }.run(&["-V"]).await.ok()?;
    said.trim().strip_prefix("Asterisk ").map(str::to_owned)
}

/// The findings of this machine's Asterisk. The user needs the right to open its console.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let here: Vec<_> = config.asterisks.iter().filter(|asterisk| is_here(&asterisk.url)).collect();
    let by_agi = config.agi.as_ref().is_some_and(|agi| agi.listen.ip().is_loopback());
    let Some(program) = program().filter(|_| !here.is_empty() || by_agi) else { return elsewhere(config) };
    let console = Console { program };
    let settings = match console.ask("core show settings").await {
        Ok(settings) => settings,
        Err(why) => {
            let what =
                format!("it can't be asked ({why}), so the dialplan and Asterisk's files are not known");
            return vec![Finding::unknown(PLACE, what, "run `nameplate check` as root, while Asterisk runs")];
        }
    };
    let (context, http) =
        tokio::join!(console.ask("dialplan show nameplate"), console.ask("http show status"));
    let http = http.unwrap_or_default();
    // At another port of this machine another PBX may answer, through a tunnel.
    let of_console: Vec<_> = here.iter().copied().filter(|asterisk| listens(&http, asterisk)).collect();
    let here = if of_console.is_empty() { here } else { of_console };
    let mut findings = dialplan::findings(&context.unwrap_or_default(), config, &here);
    findings.extend(http_server(&http, &here));
    for asterisk in &here {
        findings.extend(rights(&console, asterisk).await);
    }
    findings.extend(session_limit(&file(&settings, "Configuration directory").join("http.conf"), here.len()));
    findings.push(live_dangerously(&file(&settings, "Configuration file")));
    findings
}

/// What has to be looked at on the PBX.
fn elsewhere(config: &Config) -> Vec<Finding> {
    if config.asterisks.is_empty() && config.agi.is_none() {
        return Vec::new();
    }
    vec![Finding::unknown(
        "the PBX's dialplan",
        "Asterisk's console is not on this machine, so the context nameplate, http.conf and live_dangerously are not known",
        "on the PBX: asterisk -rx \"dialplan show nameplate\"; asterisk -rx \"http show status\"; \
         grep live_dangerously /etc/asterisk/asterisk.conf",
    )]
}

/// Asterisk's program, if it is installed here.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    folders.map(|folder| folder.join("asterisk")).find(|program| program.is_file())
}

struct Console {
    program: PathBuf,
}

impl Console {
    /// The answer to a command; why there is none.
    async fn ask(&self, command: &str) -> Result<String, String> {
        self.run(&["-rx", command]).await
    }

    /// What Asterisk's program says; why it says nothing.
    async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut asterisk = Command::new(&self.program);
        asterisk.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(LIMIT, asterisk.output()).await;
        let output = output.map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))?;
        let output = output.map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        // Asterisk's program fails where the command fails: a context that is not there is an answer.
        if output.status.success() || answer.contains("There is no existence of") {
            return Ok(answer);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(if said.is_empty() { answer.trim().to_owned() } else { said })
    }
}

/// A path of `core show settings`.
fn file(settings: &str, key: &str) -> PathBuf {
    let lines = settings.lines().filter_map(|line| line.trim().split_once(':'));
    let mut found = lines.filter(|(name, _)| *name == key).map(|(_, path)| PathBuf::from(path.trim()));
    found.next().unwrap_or_default()
}

/// The lines of `http show status` that say where Asterisk listens.
fn bound(status: &str) -> impl Iterator<Item = &str> {
    status.lines().map(str::trim).filter(|line| line.contains("Enabled and Bound to"))
}

/// Whether Asterisk listens on this PBX's port.
fn listens(status: &str, asterisk: &ari::Settings) -> bool {
    let port = asterisk.url.port_or_known_default().unwrap_or_default();
    bound(status).any(|line| line.ends_with(&format!(":{port}")))
}

fn http_server(status: &str, here: &[&ari::Settings]) -> Option<Finding> {
    let first = here.first()?;
    let place = "Asterisk's HTTP server";
    if listens(status, first) {
        return Some(Finding::ok(place, format!("it listens where {} is asked", first.name)));
    }
    let bound: Vec<_> = bound(status).collect();
    let what = match bound.as_slice() {
        [] => "it is off".to_owned(),
        bound => format!("{}, and `url` is {}", bound.join("; "), first.url),
    };
    let remedy = "set `enabled = yes`, `bindaddr` and `bindport` in http.conf, then asterisk -rx \"module reload http\"";
    Some(Finding::error(place, what, "calls ring at once, without names", remedy))
}

/// Whether the user may do more than read.
async fn rights(console: &Console, asterisk: &ari::Settings) -> Option<Finding> {
    let (place, user) = (format!("[[asterisk]] {}", asterisk.name), &asterisk.username);
    let shown = console.ask(&format!("ari show user {user}")).await.ok()?;
    let is_read_only =
        shown.lines().find_map(|line| line.trim().strip_prefix("Read only?:"))?.trim() == "Yes";
    Some(of_rights(&place, user, is_read_only))
}

/// `sessionlimit` of `http.conf`.
fn session_limit(path: &Path, asterisks: usize) -> Option<Finding> {
    if asterisks == 0 {
        return None;
    }
    let (place, needed) = (path.display().to_string(), asterisks * SESSIONS);
    let Ok(text) = std::fs::read_to_string(path) else {
        let remedy = format!("grep sessionlimit {place}");
        return Some(Finding::unknown(place, "it can't be read by this user", remedy));
    };
    let limit =
        setting(&text, "sessionlimit").and_then(|limit| limit.parse().ok()).unwrap_or(DEFAULT_SESSIONS);
    let what = format!("sessionlimit is {limit}, and Nameplate takes up to {needed} sessions");
    if limit >= needed {
        return Some(Finding::ok(place, what));
    }
    let meaning = "in a rush Asterisk closes connections, and calls ring without names";
    let remedy = format!("set `sessionlimit` to {needed} or more, then asterisk -rx \"module reload http\"");
    Some(Finding::warning(place, what, meaning, remedy))
}

/// `live_dangerously` of `asterisk.conf`.
fn live_dangerously(path: &Path) -> Finding {
    let place = path.display().to_string();
    let Ok(text) = std::fs::read_to_string(path) else {
        let remedy = format!("grep live_dangerously {place}");
        return Finding::unknown(place, "it can't be read by this user", remedy);
    };
    match setting(&text, "live_dangerously").as_deref() {
        Some("yes" | "true" | "1" | "on") => Finding::warning(
            place,
            "live_dangerously is on",
            "calls have names all the same, but who has ARI's password can run programs on the PBX",
            "set `live_dangerously = no`, and start Asterisk again",
        ),
        _ => Finding::ok(place, "live_dangerously is off"),
    }
}

/// A setting of one of Asterisk's files, in lower case. The last one counts.
fn setting(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split(';').next()?.split_once('='));
    let mut of_key = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key));
    of_key.next_back().map(|(_, value)| value.trim_start_matches('>').trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_without_its_comment() {
        let text = "[options]\n;live_dangerously = yes\nLive_Dangerously => Yes ; really\nother = 1\n";
        assert_eq!(setting(text, "live_dangerously").as_deref(), Some("yes"));
        assert_eq!(setting(text, "sessionlimit"), None);
    }

    #[test]
    fn paths_come_from_the_consoles_settings() {
        let settings = "* Directories\n  Configuration file:          /etc/a/asterisk.conf\n  Configuration directory:     /etc/a\n";
        assert_eq!(file(settings, "Configuration directory"), Path::new("/etc/a"));
        assert_eq!(file(settings, "Configuration file"), Path::new("/etc/a/asterisk.conf"));
    }
}
