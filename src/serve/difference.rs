//! What another configuration changes, in words, and what has to stay as long as the service runs.

use crate::asterisk::{agi, ari};
use crate::config::Config;
use crate::name::Style;
use crate::source;
use crate::web;

/// What another configuration changes.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// A line for each change.
    pub(super) lines: Vec<String>,
    /// Whether a source has changed, or their order.
    pub(super) sources: bool,
    /// Whether lists become a directory in another way.
    pub(super) rules: bool,
    /// Whether names are written in another way.
    pub(super) style: bool,
    /// Whether other numbers must not be named.
    pub(super) suppressed: bool,
}

/// Gives `new` the settings of `old` that can't change while the service runs: where it listens, where its files are, and the
/// form of the log. Returns a line for each.
pub(super) fn keep_what_stays(old: &Config, new: &mut Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut stays = |what: &str, now: String| lines.push(format!("{what} stays {now}"));
    if old.state_dir != new.state_dir {
        stays("state_dir", old.state_dir.display().to_string());
        new.state_dir.clone_from(&old.state_dir);
    }
    if old.log.format != new.log.format {
        stays("[log] format", format!("{:?}", old.log.format).to_lowercase());
        new.log.format = old.log.format;
    }
    match (&old.agi, &mut new.agi) {
        (Some(old), Some(new)) if old.listen != new.listen => {
            stays("[agi] listen", format!("{}, with its `allow`", old.listen));
            let (listen, is_default, allow) = (old.listen, old.is_default, old.allow.clone());
            *new = agi::Settings { listen, is_default, allow, ..new.clone() };
        }
        (None, agi @ Some(_)) => {
            stays("[agi]", "off".into());
            *agi = None;
        }
        (Some(old), agi @ None) => {
            stays("[agi]", format!("on, at {}", old.listen));
            *agi = Some(old.clone());
        }
        _ => {}
    }
    match (&old.web, &mut new.web) {
        // A token that is not wanted on loopback may be the only guard at the address in use.
        (Some(old), Some(new)) if old.listen() != new.listen() => {
            stays("[web] listen", format!("{}, with its token", old.listen()));
            *new = old.clone();
        }
        (None, web @ Some(_)) => {
            stays("[web]", "off".into());
            *web = None;
        }
        (Some(old), web @ None) => {
            stays("[web]", format!("on, at {}", old.listen()));
            *web = Some(old.clone());
        }
        _ => {}
    }
    if old.share != new.share {
        stays("[share]", if old.share.is_some() { "as it was".into() } else { "off".into() });
        new.share.clone_from(&old.share);
    }
    new.rules.keeps_hidden = new.web.is_some();
    lines
}

impl Difference {
    /// What is different in `new`.
    pub(super) fn of(old: &Config, new: &Config) -> Self {
        let mut difference = Self {
            lines: Vec::new(),
            sources: old.sources != new.sources,
            rules: old.rules != new.rules,
            style: old.style != new.style,
            suppressed: old.suppressed != new.suppressed,
        };
        for (what, is_changed) in [
            ("[log] level", old.log.level != new.log.level),
            ("[log] mask", old.log.mask != new.log.mask),
            ("[numbers]", old.pbx != new.pbx),
            ("[names]", without_prefixes(&old.style) != without_prefixes(&new.style)),
            ("[names] shared_numbers", old.rules.shared != new.rules.shared),
            ("[ranges]", old.rules.ranges != new.rules.ranges),
            ("[[suppress]]", old.suppressed != new.suppressed),
            ("[agi]", old.agi != new.agi),
            ("[web] token", of_web(old, |web| web.token()) != of_web(new, |web| web.token())),
            ("[web] history", of_web(old, |web| web.history) != of_web(new, |web| web.history)),
            ("[[web.user]]", of_web(old, |web| Some(&web.users)) != of_web(new, |web| Some(&web.users))),
            ("[web] certificate", of_web(old, |web| web.tls.as_ref()) != of_web(new, |web| web.tls.as_ref())),
        ] {
            if is_changed {
                difference.lines.push(format!("{what}: changed"));
            }
        }
        difference.add_sources(old, new);
        difference.add_pbxs(old, new);
        difference
    }

    fn add_sources(&mut self, old: &Config, new: &Config) {
        let named = |source: &source::Settings| source.name.clone();
        let changed = |before: &source::Settings, after: &source::Settings| {
            let prefix = |config: &Config| config.style.prefixes.get(&after.name).cloned();
            // The group is a matter of the order.
            let is_same = source::Settings { group: after.group, ..before.clone() } == *after;
            (!is_same || prefix(old) != prefix(new)).then(|| "changed".to_owned())
        };
        self.add("[[source]]", &old.sources, &new.sources, named, changed);
        if old.sources.iter().map(named).ne(new.sources.iter().map(named)) {
            let stay = |of: &[source::Settings], other: &[source::Settings]| -> Vec<String> {
                of.iter().map(named).filter(|name| other.iter().any(|other| other.name == *name)).collect()
            };
            if stay(&old.sources, &new.sources) != stay(&new.sources, &old.sources) {
                self.lines.push("[[source]]: their order has changed".into());
            }
        }
    }

    fn add_pbxs(&mut self, old: &Config, new: &Config) {
        let named = |pbx: &ari::Settings| pbx.name.clone();
        let changed = |before: &ari::Settings, after: &ari::Settings| {
            let connection =
                if before.keeps_connection(after) { "its connection stays" } else { "it is connected again" };
            (before != after).then(|| format!("changed; {connection}"))
        };
        self.add("[[asterisk]]", &old.asterisks, &new.asterisks, named, changed);
    }

    /// Adds a line for each table that is gone, new or changed.
    fn add<T>(
        &mut self,
        section: &str,
        old: &[T],
        new: &[T],
        named: impl Fn(&T) -> String,
        changed: impl Fn(&T, &T) -> Option<String>,
    ) {
        let mut add = |name: String, what: &str| self.lines.push(format!("{section} `{name}`: {what}"));
        for gone in old.iter().map(&named).filter(|name| !new.iter().any(|new| named(new) == *name)) {
            add(gone, "removed");
        }
        for table in new {
            let name = named(table);
            match old.iter().find(|old| named(old) == name) {
                None => add(name, "added"),
                Some(before) => {
                    if let Some(what) = changed(before, table) {
                        add(name, &what);
                    }
                }
            }
        }
    }
}

/// A part of `[web]`; none without the section.
fn of_web<'c, T>(config: &'c Config, part: impl Fn(&'c web::Settings) -> T) -> Option<T> {
    config.web.as_ref().map(part)
}

fn without_prefixes(style: &Style) -> Style {
    Style { prefixes: std::collections::BTreeMap::new(), ..style.clone() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = r#"
        state_dir = "lists"
        [log]
        format = "text"
        [numbers]
        country = "NO"
        [names]
        max_bytes = 56
        [[source]]
        name = "vip"
        type = "csv"
        path = "vip.csv"
        [[source]]
        name = "all"
        type = "csv"
        path = "all.csv"
        [[asterisk]]
        name = "pbx1"
        url = "http://127.0.0.1:1"
        username = "nameplate"
        password = "secret"
        [agi]
        listen = "127.0.0.1:4577"
        [web]
        listen = "192.0.2.1:8480"
        token = "s3cret"
    "#;

    fn parse(text: &str) -> Config {
        Config::parse(Path::new("/etc/nameplate/nameplate.toml"), text).unwrap()
    }

    /// What is said of this change: what changes, then what stays.
    fn said(from: &str, to: &str) -> [String; 2] {
        assert!(CONFIG.contains(from), "{from}");
        let (old, mut new) = (parse(CONFIG), parse(&CONFIG.replace(from, to)));
        let stays = keep_what_stays(&old, &mut new);
        let changed = Difference::of(&old, &new).lines;
        [changed, stays].map(|lines| lines.join("; "))
    }

    #[test]
    fn each_change_is_said_once() {
        for (from, to, changed) in [
            ("text", "text", ""),
            ("max_bytes = 56", "max_bytes = 40", "[names]: changed"),
            ("[names]", "[[suppress]]\nnumbers = [\"22334455\"]\n[names]", "[[suppress]]: changed"),
            ("max_bytes = 56", "shared_numbers = \"none\"", "[names] shared_numbers: changed"),
            ("[names]", "[ranges]\nguess = true\n[names]", "[ranges]: changed"),
            (
                "format = \"text\"",
                "level = \"debug\"\nmask = false",
                "[log] level: changed; [log] mask: changed",
            ),
            ("path = \"vip", "path = \"new", "[[source]] `vip`: changed"),
            ("path = \"vip", "prefix = \"VIP \"\npath = \"vip", "[[source]] `vip`: changed"),
            ("path = \"vip", "tag = \"vip\"\npath = \"vip", "[[source]] `vip`: changed"),
            ("\"vip\"", "\"new\"", "[[source]] `vip`: removed; [[source]] `new`: added"),
            (
                "password = \"secret\"",
                "password = \"other\"",
                "[[asterisk]] `pbx1`: changed; its connection stays",
            ),
            (
                "username = \"nameplate\"",
                "username = \"other\"",
                "[[asterisk]] `pbx1`: changed; it is connected again",
            ),
            ("\"pbx1\"", "\"pbx2\"", "[[asterisk]] `pbx1`: removed; [[asterisk]] `pbx2`: added"),
            ("127.0.0.1:4577\"", "127.0.0.1:4577\"\nmax_sessions = 7", "[agi]: changed"),
            ("s3cret", "other", "[web] token: changed"),
            ("s3cret\"", "s3cret\"\nhistory = 5", "[web] history: changed"),
            ("s3cret\"", "s3cret\"\ncertificate = \"a\"\nkey = \"b\"", "[web] certificate: changed"),
            (
                "s3cret\"",
                "s3cret\"\n[[web.user]]\nname = \"kari\"\nrole = \"operator\"\npassword = \"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$+nhpXxqp0hyB4oYpoBMvZQ\"",
                "[[web.user]]: changed",
            ),
        ] {
            assert_eq!(said(from, to), [changed, ""], "{to}");
        }
        // A PBX has them from [numbers] unless it says otherwise, and sources have the country.
        let [changed, _] = said("\"NO\"", "\"SE\"");
        assert!(
            changed.starts_with("[numbers]: changed; [agi]: changed; [[source]] `vip`: changed"),
            "{changed}"
        );
        let source = |name: &str| {
            format!(
                "[[source]]\n        name = \"{name}\"\n        type = \"csv\"\n        path = \"{name}.csv\"\n        "
            )
        };
        let (both, turned) = (source("vip") + &source("all"), source("all") + &source("vip"));
        assert_eq!(said(&both, &turned), ["[[source]]: their order has changed", ""]);
    }

    #[test]
    fn what_has_to_stay_stays_and_is_said() {
        for (from, to, stays) in [
            ("\"lists\"", "\"others\"", "state_dir stays /etc/nameplate/lists"),
            ("\"text\"", "\"json\"", "[log] format stays text"),
            // Its own `allow` would let nobody in, or more than is meant for it.
            (
                "127.0.0.1:4577\"",
                "192.0.2.1:4577\"\nallow = [\"192.0.2.7\"]",
                "[agi] listen stays 127.0.0.1:4577, with its `allow`",
            ),
            ("[agi]\n        listen = \"127.0.0.1:4577\"", "", "[agi] stays on, at 127.0.0.1:4577"),
            ("[agi]", "[share]\nurl = \"redis://127.0.0.1\"\nkey = \"k\"\n[agi]", "[share] stays off"),
            // On loopback no token is wanted. The address in use is open to others.
            (
                "listen = \"192.0.2.1:8480\"\n        token = \"s3cret\"",
                "listen = \"127.0.0.1:8480\"",
                "[web] listen stays 192.0.2.1:8480, with its token",
            ),
            (
                "[web]\n        listen = \"192.0.2.1:8480\"\n        token = \"s3cret\"",
                "",
                "[web] stays on, at 192.0.2.1:8480",
            ),
        ] {
            assert_eq!(said(from, to), ["", stays], "{to}");
        }
        let without = CONFIG.split("[agi]").next().unwrap();
        let (old, mut new) = (parse(without), parse(CONFIG));
        assert_eq!(keep_what_stays(&old, &mut new), ["[agi] stays off", "[web] stays off"]);
        assert!(new.agi.is_none() && new.web.is_none());
    }
}
