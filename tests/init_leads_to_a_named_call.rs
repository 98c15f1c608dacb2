//! From `nameplate init`, with flags or with answers on a terminal, and the steps that it prints, to a call with its name.
//! Nothing is overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use nameplate::config::Config;

use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{Turn, fjord, from_trunk, ring};
use crate::lab::configuration::CRM_PASSWORD;
use crate::lab::nameplate::Folder;
use crate::lab::sip::{Behaviour, Caller, Invite, Phone};
use crate::lab::superoffice::StandIn;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// A folder without a configuration, and the CRM's password beside it.
fn empty() -> Folder {
    let folder = Folder::new("");
    fs::remove_file(folder.path("nameplate.toml")).unwrap();
    folder.write("given.password", format!("{CRM_PASSWORD}\n"));
    folder
}

/// Runs `init` for this folder with these further flags.
fn init(folder: &Folder, flags: &[&str]) -> Output {
    init_with(folder, flags, &[])
}

/// The same, with these variables.
fn init_with(folder: &Folder, flags: &[&str], environment: &[(&str, &str)]) -> Output {
    init_behind(folder, Command::new("env"), flags, environment)
}

/// The same, behind this command.
fn init_behind(folder: &Folder, behind: Command, flags: &[&str], environment: &[(&str, &str)]) -> Output {
    let path = |name: &str| folder.path(name).display().to_string();
    let (own, state, password) = (path(""), path("state"), path("given.password"));
    let mut arguments = vec![
        "init",
        "--folder",
        &own,
        "--state-dir",
        &state,
        "--password-file",
        &password,
        "--country",
        "NO",
    ];
    arguments.extend(flags);
    tokio::task::block_in_place(|| folder.run_behind(behind, environment, &arguments))
}

fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

/// Does the steps for the PBX, as they are printed.
fn do_steps(said: &str, folder: &Folder, asterisk: &Asterisk) {
    fs::create_dir_all(folder.path("bin")).unwrap();
    asterisk.write_program(&folder.path("bin"));
    let steps = said.split("On the PBX, as root (sudo -i):\n").nth(1).expect("the steps");
    let steps: Vec<_> = steps.lines().take_while(|line| line.starts_with("  ")).collect();
    assert!(steps.len() >= 3, "{said}");
    let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
    for step in steps {
        let done = Command::new("sh").args(["-c", step]).env("PATH", &path).output().unwrap();
        assert!(done.status.success(), "{step}: {}", said_of(&done));
    }
}

fn said_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// From flags to a call, on an Asterisk without our user. `port`: where FastAGI is asked.
async fn leads_to_a_call(version: &str, lookup: &str) {
    let _turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let asterisk = Asterisk::start_with(&Setup {
        version: Some(version),
        dialplan: &from_trunk(&format!("Gosub(nameplate,{lookup},1)"), &phone.uri()),
        ari_users: &[("somebody-else", "secret")],
        ..Setup::default()
    });
    let folder = empty();
    let asterisk_folder = asterisk.dir().display().to_string();
    let output = init(
        &folder,
        &[
            "--yes",
            "--api",
            &crm.api_url(),
            "--asterisk",
            &asterisk.http_url(),
            "--asterisk-folder",
            &asterisk_folder,
        ],
    );
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("it answers: entries: 4"), "{said}");
    assert!(said.contains(&format!("same => n,Gosub(nameplate,{lookup},1)")), "{said}");
    // Asterisk's password is made, and is not shown.
    if lookup == "lookup" {
        let password = fs::read_to_string(folder.path("ari.password")).unwrap();
        assert!(password.trim().len() == 32 && !said.contains(password.trim()), "{said}");
        assert!(said.contains("Asterisk refuses the user or the password (401)"), "{said}");
    } else {
        // Tests run side by side: each has a port of its own.
        for name in ["nameplate.toml", "asterisk/extensions_nameplate.conf"] {
            let text = fs::read_to_string(folder.path(name)).unwrap();
            assert!(text.contains("127.0.0.1:4577"), "{text}");
            folder.write(name, text.replace("127.0.0.1:4577", &asterisk.agi().to_string()));
        }
    }
    do_steps(&said, &folder, &asterisk);
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    let ready = if lookup == "lookup" { "connected; answers go over" } else { "FastAGI server listens" };
    nameplate.until_logged(ready, 1).await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    let (_, ring) = ring(&caller, &phone, Invite::from("22334455"), || asterisk.log()).await;
    assert_eq!(ring.name(), KARI);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_lead_to_a_call_by_ari() {
    leads_to_a_call("22", "lookup").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_asterisk_is_asked_to_use_fastagi() {
    leads_to_a_call("16", "lookup-agi").await;
}

/// As Asterisk comes, its HTTP server is off. Its program says its version all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_asterisk_without_http_is_asked_to_use_fastagi() {
    for (version, by_agi) in [("16", true), ("22", false)] {
        let asterisk = Asterisk::start_with(&Setup { version: Some(version), ..Setup::default() });
        let folder = empty();
        fs::create_dir_all(folder.path("bin")).unwrap();
        asterisk.write_program(&folder.path("bin"));
        let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
        let nobody = ["--yes", "--api", "http://127.0.0.1:9/api", "--asterisk", "http://127.0.0.1:9"];
        let output = init_with(&folder, &nobody, &[("PATH", &path)]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.contains("Gosub(nameplate,lookup-agi,1)"), by_agi, "{said}");
        let config = Config::read(&folder.path("nameplate.toml")).unwrap();
        assert_eq!((config.agi.is_some(), config.asterisks.is_empty()), (by_agi, by_agi), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_on_a_terminal_do_the_same() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = empty();
    let arguments = format!(
        "init --folder '{}' --state-dir '{}'",
        folder.path("").display(),
        folder.path("state").display()
    );
    let (shown, status) = tokio::task::block_in_place(|| {
        let mut terminal = folder.spawn_on_terminal(&arguments);
        terminal.answer("1. Country of the PBX (ISO 3166) [NO]: ", "Norway");
        terminal.answer("1. Country of the PBX (ISO 3166) [NO]: ", "");
        terminal.answer("2. SuperOffice on a server of your own, or in its cloud [own]: ", "own");
        terminal.answer("3. Address of the WebAPI", &crm.api_url());
        terminal.answer("   User [nameplate]: ", "");
        terminal.answer("   Password (not shown): ", CRM_PASSWORD);
        terminal
            .answer("4. Address of Asterisk's HTTP server [http://127.0.0.1:8088]: ", "http://127.0.0.1:9");
        terminal.answer("5. ARI or FastAGI (its version can't be seen from here) [ari]: ", "fastagi");
        terminal.end()
    });
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains(CRM_PASSWORD), "{shown}");
    assert_eq!(fs::read_to_string(folder.path("superoffice.password")).unwrap().trim(), CRM_PASSWORD);
    let config = Config::read(&folder.path("nameplate.toml")).unwrap();
    assert!(config.agi.is_some() && config.asterisks.is_empty());
    assert_eq!(config.pbx.numbers.country.as_str(), "NO");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let folder = empty();
    let flags = [
        "--api",
        "http://127.0.0.1:9/api",
        "--username",
        "x",
        "--asterisk",
        "http://127.0.0.1:9",
        "--way",
        "ari",
    ];
    folder.write("ari.password", "mine");
    let asterisk = tempfile::tempdir().unwrap();
    let asterisk_folder = asterisk.path().display().to_string();
    let installing = [&flags[..], &["--install-asterisk", "--asterisk-folder", &asterisk_folder]].concat();
    fs::write(asterisk.path().join("ari_nameplate.conf"), "mine").unwrap();
    let before = files(&folder.path(""));
    let output = init(&folder, &installing);
    let refused = said(&output);
    assert_eq!(output.status.code(), Some(1), "{refused}");
    for file in [folder.path("ari.password"), asterisk.path().join("ari_nameplate.conf")] {
        assert!(refused.contains(&file.display().to_string()), "{refused}");
    }
    assert_eq!(files(&folder.path("")), before);
    assert_eq!(files(asterisk.path()), ["ari_nameplate.conf"]);

    for file in [folder.path("ari.password"), asterisk.path().join("ari_nameplate.conf")] {
        fs::remove_file(file).unwrap();
    }
    let output = init(&folder, &installing);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(files(asterisk.path()), ["ari_nameplate.conf", "extensions_nameplate.conf"]);
    assert!(
        said(&output)
            .contains(&format!("echo '#tryinclude ari_nameplate.conf' >> {asterisk_folder}/ari.conf"))
    );
    assert!(!said(&output).contains("  cp "), "{}", said(&output));
    let password = fs::read_to_string(folder.path("ari.password")).unwrap();
    let ari = fs::read_to_string(asterisk.path().join("ari_nameplate.conf")).unwrap();
    assert!(ari.contains(&format!("password = {password}")), "{ari}");
    for name in ["nameplate.toml", "superoffice.password", "ari.password", "asterisk/ari_nameplate.conf"] {
        let mode = fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{name}");
    }
    // A second time.
    let config = fs::read_to_string(folder.path("nameplate.toml")).unwrap();
    let output = init(&folder, &flags);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(fs::read_to_string(folder.path("nameplate.toml")).unwrap(), config);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_told_what_is_missing_and_nothing_is_written() {
    for (flags, missing) in [
        (&["--username", "x"][..], "--api or --tenant is missing"),
        (&["--api", "http://127.0.0.1:9/api"], "--username is missing"),
        (&["--api", "127.0.0.1", "--username", "x"], "--api: "),
        (&["--api", "http://127.0.0.1:9/api", "--username", "x"], "--asterisk is missing"),
        (
            &["--api", "http://127.0.0.1:9/api", "--username", "x", "--asterisk", "http://127.0.0.1:9"],
            "--way is missing",
        ),
    ] {
        let folder = empty();
        let output = init(&folder, flags);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(missing), "{missing}: {}", said(&output));
        assert_eq!(files(&folder.path("")), ["given.password"]);
    }
}

/// With a strict umask, as hardened machines have it, the service and Asterisk can still read the files.
#[tokio::test(flavor = "multi_thread")]
async fn groups_may_read_the_files_whatever_the_umask_is() {
    let (folder, asterisk) = (empty(), tempfile::tempdir().unwrap());
    let mut strict = Command::new("sh");
    strict.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    let to = asterisk.path().display().to_string();
    let mut flags = vec!["--yes", "--api", "http://127.0.0.1:9/api", "--asterisk", "http://127.0.0.1:9"];
    flags.extend(["--asterisk-folder", &to, "--install-asterisk"]);
    let output = init_behind(&folder, strict, &flags, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["nameplate.toml", "ari.password", "superoffice.password"] {
        assert_eq!(mode(&folder.path(name)), 0o640, "{name}");
    }
    assert_eq!(mode(&folder.path("asterisk")), 0o750);
    let installed = files(asterisk.path());
    assert!(installed.len() >= 2, "{installed:?}");
    for name in installed {
        assert_eq!(mode(&asterisk.path().join(&name)), 0o640, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pbx_whose_name_is_not_known_is_an_error() {
    let folder = empty();
    // RFC 6761: no name below `invalid` is ever known.
    let flags = ["--yes", "--api", "http://127.0.0.1:9/api", "--asterisk", "http://pbx.invalid:8088"];
    let output = init(&folder, &flags);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("pbx.invalid") && said.contains("give its address"), "{said}");
    assert_eq!(files(&folder.path("")), ["given.password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_of_the_cloud_has_its_three_secrets() {
    let folder = empty();
    for name in ["token", "secret"] {
        folder.write(name, name);
    }
    folder.write("key", fs::read("tests/data/test-only-partner-key.pem").unwrap());
    let path = |name: &str| folder.path(name).display().to_string();
    let (token, secret, key) = (path("token"), path("secret"), path("key"));
    let mut flags = vec!["--yes", "--tenant", "Cust12345", "--way", "agi", "--system-token-file", &token];
    flags.extend(["--client-secret-file", &secret, "--private-key-file", &key]);
    flags.extend(["--host", "http://127.0.0.1:9"]);
    let output = init(&folder, &flags);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let check = folder.run(&["check", "--offline"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pbx_on_another_machine_gets_the_files_first() {
    // Networks for documentation, of RFC 5737 and RFC 3849: no machine has them. Only scp takes IPv6 in brackets.
    for (pbx, way, hosts, by_ari) in [
        ("http://192.0.2.7:8088", "ari", Some(("192.0.2.7", "192.0.2.7")), true),
        ("http://192.0.2.7:8088", "agi", Some(("192.0.2.7", "192.0.2.7")), false),
        ("http://[2001:db8::7]:8088", "ari", Some(("2001:db8::7", "[2001:db8::7]")), true),
        ("http://127.0.0.1:9", "ari", None, true),
        ("http://[::1]:9", "ari", None, true),
    ] {
        let folder = empty();
        let crm = ["--yes", "--api", "http://127.0.0.1:9/api", "--way", way];
        let output = init(&folder, &[&crm[..], &["--asterisk", pbx]].concat());
        let said = said(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let (ours, etc) =
            (folder.path("asterisk").display().to_string(), folder.path("").display().to_string());
        let (ssh, scp) = hosts.unwrap_or_default();
        let copy = format!("ssh root@{ssh} mkdir -p {etc} && scp -r {ours} 'root@{scp}:{etc}/'");
        assert_eq!(said.contains(&copy), hosts.is_some(), "{copy}\n{said}");
        assert_eq!(
            said.contains("HTTP server has to listen for this machine"),
            hosts.is_some() && by_ari,
            "{said}"
        );
    }
}
