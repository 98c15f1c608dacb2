//! The configuration of a private Asterisk: what all have, and what a test wants.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Setup;
use super::place::Place;

/// Writes the configuration of a [`Place`], with the test's own parts in it.
pub(super) fn write(place: &Place, setup: &Setup<'_>, sip: u16, http: u16, agi: u16) {
    for directory in ["lib", "spool", "run", "log/cdr-csv", "log/cdr-custom", "agi-bin"] {
        fs::create_dir_all(place.host.join(directory)).expect("a directory for Asterisk");
    }
    let (modules, names) = place.root.modules();
    let levels = if setup.verbose { "notice,warning,error,verbose(3)" } else { "notice,warning,error" };
    let fill = |template: &str| {
        template
            .replace("@LEVELS@", levels)
            .replace("@VERBOSE@", if setup.verbose { "3" } else { "0" })
            .replace("@DIR@", &place.inside.to_string_lossy())
            .replace("@MODULES@", &modules.to_string_lossy())
            .replace("@DATA@", place.root.data())
            .replace("@SIP_PORT@", &sip.to_string())
            .replace("@HTTP_PORT@", &http.to_string())
    };
    let mut files = vec![
        ("asterisk.conf", fill(include_str!("asterisk.conf"))),
        ("modules.conf", spelled_out(include_str!("modules.conf"), &names)),
        ("logger.conf", fill(include_str!("logger.conf"))),
        ("http.conf", fill(include_str!("http.conf"))),
        ("rtp.conf", fill(include_str!("rtp.conf"))),
        ("cdr.conf", fill(include_str!("cdr.conf"))),
        ("pjsip.conf", fill(include_str!("pjsip.conf"))),
        ("ari.conf", ari_conf(setup.ari_users)),
    ];
    files.extend(dialplan(setup.dialplan, agi));
    for (name, text) in setup.extra_conf {
        let text = fill(text);
        match files.iter_mut().find(|(file, _)| file == name) {
            Some((_, present)) => present.extend(["\n", &text, "\n"]),
            None => files.push((name, text)),
        }
    }
    for (name, text) in files {
        fs::write(place.host.join(name), text).expect("Asterisk's configuration");
    }
}

/// The shipped context and the test's own dialplan, as files of the dialplan's.
fn dialplan(own: &str, agi: u16) -> [(&'static str, String); 2] {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("asterisk-conf/extensions_nameplate.conf");
    let shipped = fs::read_to_string(&shipped).expect("the shipped dialplan");
    // As an administrator does it for a service elsewhere.
    let with_port = |dialplan: &str| {
        let dialplan = dialplan.replace("agi://127.0.0.1:4577/", &format!("agi://127.0.0.1:{agi}/"));
        dialplan.replace("agi://127.0.0.1:4574/", &format!("agi://127.0.0.2:{agi}/"))
    };
    let own = format!("#include \"extensions_nameplate.conf\"\n{}\n", with_port(own));
    [("extensions_nameplate.conf", with_port(&shipped)), ("extensions.conf", own)]
}

/// Writes another dialplan into a [`Place`] that has a configuration already.
pub(super) fn write_dialplan(place: &Place, own: &str, agi: u16) {
    for (name, text) in dialplan(own, agi) {
        fs::write(place.host.join(name), text).expect("a dialplan");
    }
}

fn ari_conf(users: &[(&str, &str)]) -> String {
    let mut conf = "[general]\nenabled = yes\n".to_owned();
    for (name, password) in users {
        let _ = write!(conf, "\n[{name}]\ntype = user\npassword = {password}\npassword_format = plain\n");
    }
    conf
}

/// `noload = cel_*` as one line for each such module: Asterisk knows no patterns here, and warns of
/// modules that it does not have.
fn spelled_out(conf: &str, modules: &[String]) -> String {
    let mut lines = String::new();
    for line in conf.lines() {
        let Some(wanted) = line.strip_prefix("noload = ") else {
            let _ = writeln!(lines, "{line}");
            continue;
        };
        let matches = |name: &&String| match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *name == wanted,
        };
        for name in modules.iter().filter(matches) {
            let _ = writeln!(lines, "noload = {name}.so");
        }
    }
    lines
}
