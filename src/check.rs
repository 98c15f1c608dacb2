//! Looks whether calls will have names, and says what is wrong, what it means, and what mends it.
//!
//! - [`Finding`]: one line of the result
//! - [`offline`]: `files`, what the configuration names on this machine
//! - [`online`]: the same, and `source`, `asterisk`, `share` and `machine`: everything is asked side by side, each within 10 s
//! - [`on_the_pbx`]: `console` and `dialplan`, for the PBX's own machine
//!
//! Nothing is changed: SuperOffice is asked once for each list, and Asterisk by GET alone. In the replicas' server one key of the check's own
//! is written and deleted.

mod asterisk;
mod console;
mod dialplan;
mod files;
mod finding;
mod machine;
mod share;
mod source;

use futures_util::future::join_all;

use crate::config::Config;
pub use console::installed_version;
pub use finding::{Finding, Level};

/// The findings with the worst last, each of them once.
#[must_use]
pub fn sorted(findings: Vec<Finding>) -> Vec<Finding> {
    let mut sorted: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        // ARI and the console may say the same.
        if !sorted.contains(&finding) {
            sorted.push(finding);
        }
    }
    sorted.sort_by_key(|finding| finding.level);
    sorted
}

/// What the configuration names on this machine. Nothing is sent over the network.
pub async fn offline(config: &Config) -> Vec<Finding> {
    files::findings(config).await
}

/// The same, and what SuperOffice, the replicas' server, each Asterisk and this machine say. Ten seconds at most.
pub async fn online(config: &Config) -> Vec<Finding> {
    let of_files = files::findings(config);
    let of_sources = join_all(config.sources.iter().map(source::findings));
    let of_machine = async {
        let (service, found) = machine::service(config).await;
        let mut findings: Vec<_> = found.into_iter().collect();
        findings.extend(machine::ports(config, service));
        findings.push(machine::open_files(config, service));
        (service, findings)
    };
    let of_share = share::findings(config);
    let (mut findings, of_sources, of_share, (service, of_machine)) =
        tokio::join!(of_files, of_sources, of_share, of_machine);
    let asked = config
        .asterisks
        .iter()
        .map(|asterisk| asterisk::findings(asterisk, service.answers, console::is_here(&asterisk.url)));
    let of_asterisks = join_all(asked).await;
    findings.extend(of_sources.into_iter().chain(of_asterisks).flatten());
    findings.extend(of_share.into_iter().chain(of_machine));
    findings
}

/// What Asterisk's console and its files say, on the PBX's own machine. It needs the right to open the console: root's, or that
/// of Asterisk's user.
pub async fn on_the_pbx(config: &Config) -> Vec<Finding> {
    console::findings(config).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of the service may await it.
    #[allow(dead_code)]
    fn the_collection_can_move_between_threads(config: &Config) -> impl Send {
        async move { (online(config).await, on_the_pbx(config).await, offline(config).await) }
    }

    #[test]
    fn the_worst_is_last_and_what_is_said_twice_stands_once() {
        let bad = Finding::error("[web]", "taken", "no lookups", "take another");
        let good = Finding::ok("[agi]", "free");
        let sorted = sorted(vec![bad.clone(), good.clone(), bad.clone()]);
        assert_eq!(sorted, [good, bad]);
    }
}
