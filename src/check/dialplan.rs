//! The context `nameplate`, as `dialplan show nameplate` lists it.

use super::finding::Finding;
use crate::asterisk::ari::{self, PROTOCOL};
use crate::call::Edition;
use crate::config::Config;
use crate::source::Tags;

const PLACE: &str = "the context nameplate";
const COPY: &str = "copy asterisk-conf/extensions_nameplate.conf to /etc/asterisk, `#tryinclude` it in extensions.conf, \
                    then asterisk -rx \"dialplan reload\"";
/// What each lookup needs: the answers lead there, and the end of the half second.
const NEEDED: [&str; 5] = ["'_=.'", "[kept]", "'notfound'", "'skipped'", "'T'"];

/// The findings of the context, for the PBXs of this machine.
pub(super) fn findings(shown: &str, config: &Config, here: &[&ari::Settings]) -> Vec<Finding> {
    if !shown.contains("Context 'nameplate'") {
        let meaning = "calls have no names, and Gosub(nameplate,lookup,1) ends the call";
        return vec![Finding::error(PLACE, "it is not loaded", meaning, COPY)];
    }
    let mut findings = vec![version(shown)];
    if config.sources.iter().any(|source| source.tags != Tags::default()) {
        findings.extend(tags(shown));
    }
    for asterisk in here {
        findings.extend(app(shown, asterisk));
    }
    if let Some(agi) = &config.agi {
        findings.extend(port(shown, agi.listen.port()));
    }
    findings
}

/// Whether it is the context of this version.
fn version(shown: &str) -> Finding {
    let missing: Vec<_> = NEEDED.iter().copied().filter(|needed| !shown.contains(needed)).collect();
    let other = handoffs(shown).find(|(_, version)| *version != PROTOCOL);
    let what = match (missing.as_slice(), other) {
        ([], None) => {
            return Finding::ok(PLACE, format!("it is loaded, with version {PROTOCOL} of the protocol"));
        }
        (_, Some((_, version))) => {
            format!("it is of another version: its Stasis() says {version}, and this service {PROTOCOL}")
        }
        (missing, None) => format!("it is of another version, or changed: it lacks {}", missing.join(", ")),
    };
    Finding::error(PLACE, what, "calls ring without names, or wait longer than half a second", COPY)
}

/// Whether it knows tags.
fn tags(shown: &str) -> Option<Finding> {
    if [',', ')'].iter().any(|end| shown.contains(&format!(",{}{end}", Edition::TAGS))) {
        return None;
    }
    let what = "a source has a `tag`, and the context is of a version that knows none";
    let meaning = "names are shown, and NAMEPLATE_TAG and NAMEPLATE_CERTAINTY stay empty";
    Some(Finding::warning(PLACE, what, meaning, COPY))
}

/// Whether it asks our application.
fn app(shown: &str, asterisk: &ari::Settings) -> Option<Finding> {
    let mut apps: Vec<_> = handoffs(shown).map(|(app, _)| app).collect();
    if apps.contains(&asterisk.app.as_str()) {
        return None;
    }
    apps.dedup();
    let what =
        format!("it asks the apps {}, and `app` of {} is {}", apps.join(", "), asterisk.name, asterisk.app);
    let remedy = "write the same app into the context's Stasis() and into `app`";
    Some(Finding::error(PLACE, what, "no call of this PBX comes to the service", remedy))
}

/// Whether it asks at the port of `[agi]`.
fn port(shown: &str, port: u16) -> Option<Finding> {
    let mut asked: Vec<_> = shown.lines().filter_map(agi_server).collect();
    if asked.iter().any(|server| server.ends_with(&format!(":{port}"))) {
        return None;
    }
    asked.dedup();
    let what = format!("its AGI() asks at {}, and [agi] listens on port {port}", asked.join(", "));
    let remedy = "write the same port into the context's AGI() lines and into `listen` of [agi]";
    Some(Finding::error(PLACE, what, "calls by FastAGI ring without names", remedy))
}

/// The application and the protocol's version of each `Stasis(app,handoff,version,…)`.
fn handoffs(shown: &str) -> impl Iterator<Item = (&str, &str)> {
    shown.lines().filter_map(|line| {
        let mut arguments = line.split_once(". Stasis(")?.1.split(',');
        let app = arguments.next()?;
        (arguments.next()? == "handoff").then_some((app, arguments.next()?.trim_end_matches(')')))
    })
}

/// `127.0.0.1:4577` of `AGI(agi://127.0.0.1:4577/handoff,…)`.
fn agi_server(line: &str) -> Option<&str> {
    line.split_once("AGI(agi://")?.1.split(['/', ',', ')']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "[ Context 'nameplate' created by 'pbx_config' ]\n  'T' => 1. Set(A=B)   [extensions_nameplate.conf:102]\n                    3. Stasis(nameplate,handoff,1,${ARG1})        [extensions_nameplate.conf:43]\n                    3. AGI(agi://127.0.0.1:4577/handoff,${ARG1})  [extensions_nameplate.conf:67]\n  'notfound' =>     1. NoOp()\n  'skipped' => 1. NoOp()\n  '_=.' => 1. NoOp()\n     [kept]         4. NoOp()\n";

    #[test]
    fn the_contexts_version_apps_and_ports_are_read() {
        use crate::check::finding::Level;
        assert_eq!(handoffs(SHOWN).collect::<Vec<_>>(), [("nameplate", "1")]);
        assert_eq!(version(SHOWN).level, Level::Ok);
        assert!(version(&SHOWN.replace("handoff,1", "handoff,2")).what.contains("its Stasis() says 2"));
        assert!(version(&SHOWN.replace("[kept]", "")).what.contains("it lacks [kept]"));
        assert!(tags(SHOWN).unwrap().what.contains("knows none"));
        assert_eq!(tags(&SHOWN.replace("${ARG1})", "${ARG1},tags)")), None);
        assert_eq!(port(SHOWN, 4577), None);
        assert!(port(SHOWN, 4573).unwrap().what.contains("asks at 127.0.0.1:4577"));
    }
}
