//! Each Asterisk is asked by GET alone, and keeps the application with whichever service has it.

use std::time::Duration;

use tokio::time::timeout;

use super::finding::Finding;
use crate::asterisk::ari::{Inspection, Problem, Settings, inspect};

/// The most time for one Asterisk.
const LIMIT: Duration = Duration::from_secs(9);
const NOT_CONNECTED: &str = "its calls ring at once, without names";

/// Asks one Asterisk. `is_served`: the service of this `state_dir` runs. `has_console`: what ARI does not say is seen on the
/// console.
pub(super) async fn findings(settings: &Settings, is_served: bool, has_console: bool) -> Vec<Finding> {
    let place = format!("[[asterisk]] {}", settings.name);
    let inspection = match timeout(LIMIT, inspect(settings)).await {
        Ok(Ok(inspection)) => inspection,
        Ok(Err(problem)) => return vec![of_problem(&place, problem)],
        Err(_) => {
            let what = format!("Asterisk has not answered all questions within {} s", LIMIT.as_secs());
            return vec![Finding::error(&place, what, NOT_CONNECTED, "look into Asterisk's log")];
        }
    };
    let mut findings = vec![transport(&place, &inspection)];
    findings.extend(modules(&place, &inspection));
    findings.extend(rights(&place, settings, &inspection, has_console));
    findings.push(application(&place, settings, inspection.is_registered, is_served));
    if let Some(clock) = inspection.clock {
        let meaning = "records of calls and log lines can't be compared, and a clock that is then stepped back \
                       lengthens the half second of calls";
        findings.push(Finding::warning(&place, clock, meaning, "timedatectl set-ntp true, on both machines"));
    }
    findings
}

fn of_problem(place: &str, problem: Problem) -> Finding {
    Finding::error(place, problem.what, NOT_CONNECTED, problem.remedy)
}

/// The version, and the way of the requests.
fn transport(place: &str, inspection: &Inspection) -> Finding {
    let version = &inspection.version;
    let transport = match &inspection.transport {
        Ok(transport) => transport,
        Err(Problem { what, remedy }) => {
            return Finding::error(place, format!("Asterisk {version}: {what}"), NOT_CONNECTED, *remedy);
        }
    };
    let what = format!("Asterisk {version}; answers will go over {transport}");
    if inspection.delays_commands {
        let meaning = "each call waits up to 200 ms: this version delays commands to calls without media";
        let remedy = "ask by FastAGI: [agi], and Gosub(nameplate,lookup-agi,1) in the dialplan";
        return Finding::warning(place, what, meaning, remedy);
    }
    let why = if *transport == "HTTP" {
        "it answers no requests on the websocket, as versions before 22.4, 21.9 and 20.14"
    } else {
        "it answers requests there"
    };
    Finding::ok(place, format!("{what}, because {why}"))
}

fn modules(place: &str, inspection: &Inspection) -> Vec<Finding> {
    let Some(missing) = &inspection.missing else {
        let remedy =
            "on the PBX: asterisk -rx \"module show like res_ari\"; res_ari_asterisk.so lists them for ARI";
        return vec![Finding::unknown(place, "Asterisk does not list its modules", remedy)];
    };
    let commands = |names: &[&str]| {
        let commands: Vec<_> =
            names.iter().map(|name| format!("asterisk -rx \"module load {name}\"")).collect();
        format!("{}, and see that modules.conf loads them", commands.join("; "))
    };
    let lists = [
        (&missing.for_ari, NOT_CONNECTED),
        (&missing.for_the_context, "the shipped context skips lookups, or your Gosub ends the call"),
    ];
    let of_list = |(names, meaning): (&Vec<&str>, &str)| {
        let what = format!("modules that are needed do not run: {}", names.join(", "));
        (!names.is_empty()).then(|| Finding::error(place, what, meaning, commands(names)))
    };
    let findings: Vec<_> = lists.into_iter().filter_map(of_list).collect();
    if findings.is_empty() {
        return vec![Finding::ok(place, "all modules that are needed run")];
    }
    findings
}

fn rights(place: &str, settings: &Settings, inspection: &Inspection, has_console: bool) -> Option<Finding> {
    let user = &settings.username;
    match inspection.is_read_only {
        Some(is_read_only) => Some(of_rights(place, user, is_read_only)),
        None if has_console => None,
        None => {
            let what = format!("this version does not say whether the user {user} is read_only");
            let remedy = format!("on the PBX: asterisk -rx \"ari show user {user}\"");
            Some(Finding::unknown(place, what, remedy))
        }
    }
}

/// Whether the user may do more than read.
pub(super) fn of_rights(place: &str, user: &str, is_read_only: bool) -> Finding {
    if !is_read_only {
        return Finding::ok(place, format!("the user {user} may send calls on"));
    }
    let what = format!("the user {user} is read_only, and can't send calls on");
    let remedy = "set `read_only = no` in ari.conf, then asterisk -rx \"module reload res_ari\"";
    Finding::error(place, what, NOT_CONNECTED, remedy)
}

fn application(
    place: &str,
    settings: &Settings,
    is_registered: Result<bool, Problem>,
    is_served: bool,
) -> Finding {
    let app = &settings.app;
    match (is_registered, is_served) {
        (Ok(true), true) => {
            Finding::ok(place, format!("the app {app} is connected, and the service of this state_dir runs"))
        }
        (Ok(true), false) => {
            let what = format!("another program has the app {app}; no service runs with this state_dir");
            let meaning = "a service that starts here takes the calls over from it";
            let remedy = "give each copy an `app` of its own, or stop the other one; asterisk -rx \"ari show apps\" lists them";
            Finding::warning(place, what, meaning, remedy)
        }
        (Ok(false), false) => Finding::ok(place, format!("nobody has the app {app} yet")),
        (Ok(false), true) => {
            let what = format!("the service runs, and is not connected with the app {app}");
            let remedy = "journalctl -u nameplate -g 'not connected' -n 3";
            Finding::error(place, what, NOT_CONNECTED, remedy)
        }
        (Err(problem), _) => of_problem(place, problem),
    }
}
