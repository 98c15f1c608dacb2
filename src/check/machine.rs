//! This machine: the running service, the ports, the limit of open files.

use std::io::ErrorKind;
use std::net::SocketAddr;

use super::finding::Finding;
use crate::config::Config;
use crate::control::{self, Request};
use crate::lists::lock::Lock;
use crate::lists::status::ListStatus;
use crate::{files, listen};

/// The service of a `state_dir`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    /// Whether it answers commands.
    pub(super) answers: bool,
    /// Its process id, if it is known.
    process: Option<u32>,
}

/// Asks the running service whether it runs, and reports a service that hangs.
pub(super) async fn service(config: &Config) -> (Service, Option<Finding>) {
    let holder = Lock::holder(&config.state_dir).filter(|holder| holder.is_service());
    let process = holder.and_then(|holder| holder.process());
    let asked = control::ask(&config.state_dir, &Request::Sources, |_: ListStatus| ()).await;
    let place = control::path(&config.state_dir).display().to_string();
    match asked {
        Ok(Some(())) => {
            let id = process.map_or_else(String::new, |id| format!(" (process {id})"));
            let found = Finding::ok(place, format!("the service runs{id}"));
            (Service { answers: true, process }, Some(found))
        }
        Ok(None) => (Service { answers: false, process }, None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let what = format!("this user may not ask the running service: {error}");
            let found =
                Finding::unknown(place, what, "run `nameplate check` as root, or as the service's user");
            (Service { answers: false, process }, Some(found))
        }
        Err(error) => {
            let meaning = "the service may hang: then calls wait half a second, and ring without names";
            let found = Finding::error(place, error.to_string(), meaning, "systemctl restart nameplate");
            (Service { answers: false, process }, Some(found))
        }
    }
}

/// The ports of `[agi]` and `[web]`.
pub(super) fn ports(config: &Config, service: Service) -> Vec<Finding> {
    let agi =
        config.agi.as_ref().map(|agi| ("agi", agi.listen, "calls by FastAGI ring at once, without names"));
    let web = config.web.as_ref().map(|web| ("web", web.listen(), "nobody gets a name over HTTP"));
    let sections = [agi, web].into_iter().flatten();
    sections.map(|(section, address, meaning)| port(section, address, meaning, service)).collect()
}

fn port(section: &str, address: SocketAddr, meaning: &str, service: Service) -> Finding {
    let place = format!("[{section}] {address}");
    if address.port() == 0 {
        return Finding::ok(place, "the system chooses the port");
    }
    let Some(why) = listen::why_not(address) else {
        return match service.answers {
            // Another configuration, or not yet.
            true => Finding::warning(
                place,
                "the port is free, though the service runs",
                meaning,
                "systemctl restart nameplate; the log says why it does not listen",
            ),
            false => Finding::ok(place, "the port is free"),
        };
    };
    let holds = service.process.and_then(|process| listen::is_held_by(process, address.port()));
    if holds.unwrap_or(service.answers) {
        return Finding::ok(place, "our running service listens there");
    }
    Finding::error(place, why, meaning, "ss -ltnp shows the other program; stop it, or take another `listen`")
}

/// The limit of open files: that of the running service, else that of this command.
pub(super) fn open_files(config: &Config, service: Service) -> Finding {
    let needed = files::needed(config);
    let process = service.process.filter(|_| service.answers);
    let whose = if process.is_some() { "the service" } else { "a service with the limits of this command" };
    match files::hard_limit(process) {
        Some(allowed) if allowed < needed => Finding::warning(
            "open files",
            format!("{whose} may open {allowed} files, and may need {needed}"),
            "in a rush some calls ring without names",
            "raise `LimitNOFILE` of its systemd unit, or `ulimit -Hn`",
        ),
        _ => Finding::ok("open files", format!("{whose} may open as many as it may need: {needed}")),
    }
}
