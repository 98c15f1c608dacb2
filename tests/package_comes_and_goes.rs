//! The Debian package comes and goes on a clean Debian 12 and 13, with a real systemd: it installs and waits for its configuration,
//! the names stay over an upgrade and a downgrade, and a purge leaves nothing behind.
//!
//! The program in it is the one that all tests run. `make package` builds another one, on Debian 12.

use std::fs;

use crate::lab::nameplate::project;
use crate::lab::package::{self, NEW, OLD};
use crate::lab::systemd::Debian;

/// A service that needs no PBX and no CRM. `vip.csv` has Kari Nordmann.
const CONFIG: &str = r#"
[numbers]
country = "NO"

[[source]]
name = "vip"
type = "csv"
path = "vip.csv"

[web]
listen = "127.0.0.1:8480"
"#;

fn install(debian: &Debian, version: &str) {
    debian.good(&format!("dpkg --install /shared/{}", package::name(version)));
    assert_eq!(debian.good("dpkg-query --show --showformat '${Version}' nameplate"), version);
    // All files are there as they were packed.
    assert_eq!(debian.good("dpkg --verify nameplate"), "");
}

/// The name that the service gives Kari's number.
fn name(debian: &Debian) -> String {
    let answer = debian.until(
        "exec 3<>/dev/tcp/127.0.0.1/8480 &&
         printf 'GET /lookup?number=22334455 HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n' >&3 &&
         answer=$(cat <&3) && grep -q '200 OK' <<<\"$answer\" && tail -n 1 <<<\"$answer\"",
    );
    answer.lines().last().unwrap_or_default().to_owned()
}

/// Which process answers: an upgrade starts a new one.
fn main_process(debian: &Debian) -> String {
    debian.good("systemctl show nameplate --property MainPID --value")
}

/// Every file but what the system itself writes at any time.
fn all_files(debian: &Debian) -> String {
    debian.good(
        "find / -xdev \\( -path /shared -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /tmp \
         -o -path /var/tmp -o -path /root \\) -prune -o -print | LC_ALL=C sort; cut -d: -f1 /etc/passwd /etc/group",
    )
}

fn comes_and_goes(version: &str) {
    let debian = Debian::boot(version, package::folder());
    // What maintainers' scripts of others have at the first use only (copies of /etc/passwd, systemd's folders).
    debian.good("useradd --system somebody; userdel somebody; systemctl daemon-reload");
    let before = all_files(&debian);

    install(&debian, OLD);
    assert_eq!(
        debian.good("stat -c '%a %U:%G' /var/lib/nameplate /etc/nameplate"),
        "700 nameplate:nameplate\n750 root:nameplate"
    );
    assert_eq!(debian.good("systemctl is-enabled nameplate"), "enabled");
    assert_eq!(debian.good("nameplate --version"), format!("nameplate {}", env!("CARGO_PKG_VERSION")));
    let files = debian.good("dpkg --listfiles nameplate");
    for file in [
        "/usr/bin/nameplate",
        "/usr/lib/systemd/system/nameplate.service",
        "/usr/share/nameplate/nameplate.toml",
        "/usr/share/nameplate/asterisk-conf/extensions_nameplate.conf",
        "/usr/share/nameplate/grafana/nameplate.json",
        "/usr/share/nameplate/prometheus/nameplate.rules.yml",
        "/usr/share/man/man1/nameplate.1.gz",
        "/usr/share/man/man1/nameplate-lookup.1.gz",
        "/usr/share/man/man5/nameplate.toml.5.gz",
        "/usr/share/bash-completion/completions/nameplate",
        "/usr/share/zsh/vendor-completions/_nameplate",
        "/usr/share/fish/vendor_completions.d/nameplate.fish",
        "/usr/share/doc/nameplate/docs/operations.md",
        "/usr/share/doc/nameplate/copyright",
        "/usr/share/doc/nameplate/changelog.gz",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} is not in the package:\n{files}");
    }
    assert!(!files.lines().any(|line| line.starts_with("/etc")), "{files}");
    // The example answers as it is.
    let example = "nameplate --config /usr/share/nameplate/nameplate.toml lookup 22334455 | head -n 1";
    assert_eq!(debian.good(example), "Kari Nordmann (Fjord Sjømat AS)");

    // Without a configuration a start does nothing, and is no failure.
    assert_eq!(debian.good("systemctl start nameplate; systemctl is-failed nameplate || true"), "inactive");
    debian.write("/etc/nameplate/nameplate.toml", CONFIG);
    debian.good(
        "chgrp nameplate /etc/nameplate/nameplate.toml && chmod 0640 /etc/nameplate/nameplate.toml &&
         cp /usr/share/nameplate/vip.csv /etc/nameplate/ && systemctl start nameplate",
    );
    assert_eq!(name(&debian), "Kari Nordmann (Fjord Sjømat AS)");
    assert_eq!(
        debian.good("stat -c %U /proc/$(systemctl show nameplate --property MainPID --value)"),
        "nameplate"
    );

    // The list is on disk, and its source is gone: what is served now comes from the files of /var/lib/nameplate.
    debian.until("test -s /var/lib/nameplate/lists/vip.list");
    debian.good("rm /etc/nameplate/vip.csv");
    for version in [NEW, OLD, NEW] {
        let process = main_process(&debian);
        install(&debian, version);
        assert_ne!(main_process(&debian), process, "it runs on as it was");
        assert_eq!(name(&debian), "Kari Nordmann (Fjord Sjømat AS)", "after {version} came");
    }

    debian.good("dpkg --remove nameplate");
    assert_eq!(debian.good("systemctl is-active nameplate || true"), "inactive");
    debian.good("test -s /var/lib/nameplate/lists/vip.list && test -s /etc/nameplate/nameplate.toml");
    install(&debian, NEW);
    assert_eq!(name(&debian), "Kari Nordmann (Fjord Sjømat AS)", "after it was removed");

    // The administrator's file stays, and with it the group that may read it.
    debian.good("dpkg --purge nameplate && ! test -e /var/lib/nameplate");
    assert_eq!(debian.good("stat -c '%a %U:%G' /etc/nameplate/nameplate.toml"), "640 root:nameplate");

    install(&debian, NEW);
    debian.good("rm /etc/nameplate/nameplate.toml && dpkg --purge nameplate");
    let (before, after) = (lines(&before), lines(&all_files(&debian)));
    let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    assert!(left.is_empty() && gone.is_empty(), "left: {left:?}\ngone: {gone:?}");
}

/// A minimal Debian 13 is without the programs that remove a user. A purge gets to its end all the same.
#[test]
fn a_purge_needs_no_other_package() {
    let debian = Debian::boot("13", package::folder());
    install(&debian, NEW);
    debian.good("rm -f /usr/sbin/userdel && dpkg --purge nameplate && ! test -e /var/lib/nameplate");
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn on_debian_12() {
    comes_and_goes("12");
}

#[test]
fn on_debian_13() {
    comes_and_goes("13");
}

#[test]
fn its_changelog_begins_with_the_version_of_the_program() {
    let changelog = fs::read_to_string(project().join("packaging/debian/changelog")).unwrap();
    let wanted = format!("nameplate ({}) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&wanted), "{changelog}");
}
