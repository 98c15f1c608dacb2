//! File descriptors. Each connection, each list and each open file takes one. Without a free one the service can neither
//! accept a call nor read a password. So it raises its limit to the number that it may need; if the system does not allow
//! that, it accepts fewer connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::config::Config;
use crate::lists::configured;
use crate::web;

/// Open with any configuration: the log, the runtime, the listening sockets, connections to the control socket, and files
/// that are read now and then.
const ALWAYS: usize = 100;
/// For one PBX: its websocket and the previous one, requests over HTTP, and connections that the client opens without need.
const OF_A_PBX: usize = 40;
/// For one list: its file, the file that replaces it and a copy of that, the earlier losses, a list that is held back, and the
/// connection to its source.
const OF_A_LIST: usize = 7;
/// So many connections are accepted, even with too few files.
const LEAST: usize = 8;

/// The most connections that are accepted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// FastAGI sessions.
    pub sessions: usize,
    /// Connections of `[web]`.
    pub web: usize,
}

impl ConnectionLimits {
    /// All that `config` allows.
    fn wanted(config: &Config) -> Self {
        let sessions = config.agi.as_ref().map_or(0, |agi| agi.max_sessions);
        Self { sessions, web: config.web.as_ref().map_or(0, |_| web::CONNECTIONS) }
    }

    fn all(self) -> usize {
        self.sessions + self.web
    }

    /// These limits, reduced to so many files: half for each, unless one of them needs less.
    fn within(self, files: usize) -> Self {
        if self.all() <= files {
            return self;
        }
        let web = self.web.min((files / 2).max(files.saturating_sub(self.sessions)));
        let sessions = self.sessions.min(files - web);
        Self { sessions: sessions.max(LEAST.min(self.sessions)), web: web.max(LEAST.min(self.web)) }
    }
}

/// Raises this process's limit of open files to the number that `config` may need, and returns how many connections fit.
/// Logs a warning where the system does not allow enough.
pub fn limit_connections(config: &Config) -> ConnectionLimits {
    let (other, wanted) = (without_connections(config), ConnectionLimits::wanted(config));
    let needed = other + wanted.all();
    let allowed = raise(needed);
    let limits = wanted.within(allowed.saturating_sub(other));
    if allowed < needed {
        warn!(
            needed,
            allowed,
            sessions = limits.sessions,
            web = limits.web,
            "this process may open fewer files than it may need: raise its hard limit (`LimitNOFILE` of its systemd \
             unit, `ulimit -Hn`); until then it takes in fewer connections"
        );
    }
    limits
}

/// How many files the service may have open at once with `config`.
#[must_use]
pub fn needed(config: &Config) -> usize {
    without_connections(config) + ConnectionLimits::wanted(config).all()
}

/// The same without the connections that are accepted.
fn without_connections(config: &Config) -> usize {
    ALWAYS + config.asterisks.len() * OF_A_PBX + configured(&config.sources).len() * OF_A_LIST
}

/// The hard limit of open files of a process, this one without an id; none if there is none, or if it can't be read.
#[must_use]
pub fn hard_limit(process: Option<u32>) -> Option<usize> {
    let Some(id) = process else {
        return getrlimit(Resource::Nofile).maximum.and_then(|most| usize::try_from(most).ok());
    };
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Raises the limit to `needed` if it is lower, at most to the hard limit. Returns the new limit.
fn raise(needed: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(needed).unwrap_or(u64::MAX);
    // None: there is no limit.
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let Some(now) = limit.current.filter(|now| *now < most) else {
        return limit.current.map_or(usize::MAX, |now| usize::try_from(now).unwrap_or(usize::MAX));
    };
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    usize::try_from(if raised.is_ok() { most } else { now }).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_shared_and_each_gets_a_minimum() {
        let wanted = ConnectionLimits { sessions: 1000, web: 256 };
        assert_eq!(wanted.within(5000), wanted);
        assert_eq!(wanted.within(1000), ConnectionLimits { sessions: 744, web: 256 });
        assert_eq!(wanted.within(100), ConnectionLimits { sessions: 50, web: 50 });
        assert_eq!(wanted.within(0), ConnectionLimits { sessions: LEAST, web: LEAST });
        let few = ConnectionLimits { sessions: 20, web: 256 };
        assert_eq!(few.within(200), ConnectionLimits { sessions: 20, web: 180 });
        assert_eq!(
            ConnectionLimits { sessions: 1000, web: 0 }.within(100),
            ConnectionLimits { sessions: 100, web: 0 }
        );
        assert_eq!(
            ConnectionLimits { sessions: 0, web: 256 }.within(100),
            ConnectionLimits { sessions: 0, web: 100 }
        );
    }
}
