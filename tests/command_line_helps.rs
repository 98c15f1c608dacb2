//! The command line can be used by a stranger: help, exit status, JSON as the contract has it, and errors that
//! say what to do.

use std::process::Output;

use serde_json::{Value, json};

use crate::lab::call::fjord;
use crate::lab::configuration::{CSV_ONLY, crm_alone, crm_folder, csv_folder};
use crate::lab::nameplate::{Folder, project};
use crate::lab::superoffice::StandIn;
use crate::lab::terminal::Terminal;

/// Kari Nordmann, and a line that can't be used.
fn vip() -> Folder {
    csv_folder("", "abc,Nobody,\n")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lookup_says_the_name_first_and_how_it_was_found() {
    let folder = vip();
    let found = folder.run(&["lookup", "0047 22 33 44 55"]);
    assert_eq!(found.status.code(), Some(0), "{}", err(&found));
    let said = out(&found);
    assert_eq!(said.lines().next(), Some("Kari Nordmann (Fjord Sjømat AS)"));
    assert!(said.contains("+4722334455 (international_prefix, in NO)"), "{said}");
    // The line that can't be used is named.
    assert!(err(&found).contains("line 3"), "{}", err(&found));

    let miss = folder.run(&["lookup", "22999999"]);
    assert_eq!(miss.status.code(), Some(3));
    assert!(out(&miss).contains("nobody has this number"), "{}", out(&miss));
}

#[test]
fn the_log_is_json_when_asked() {
    let folder = vip();
    folder.configure(&format!("[log]\nformat = \"json\"\n{CSV_ONLY}"));
    let said = err(&folder.run(&["lookup", "22334455"]));
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert_eq!((&lines[0]["level"], &lines[0]["list"]), (&json!("WARN"), &json!("vip")));
}

#[test]
fn lookup_speaks_json_also_for_a_miss() {
    let folder = vip();
    let mut found: Value =
        serde_json::from_slice(&folder.run(&["lookup", "--json", "22334455"]).stdout).unwrap();
    let explanation = found.as_object_mut().unwrap().remove("explanation").unwrap();
    assert_eq!(
        explanation,
        json!({
            "readings": [{
                "number": "+4722334455", "valid": true, "outside_line": false,
                "known": {"source": "vip", "verdict": "person"},
                "entries": [{
                    "list": "vip",
                    "person": {"id": null, "name": "Kari Nordmann"},
                    "company": {"id": null, "name": "Fjord Sjømat AS"},
                }],
            }],
            "rendering": {
                "key": "person", "template": "{person} ({company})",
                "full": "Kari Nordmann (Fjord Sjømat AS)", "bytes": 32, "max_bytes": 56,
            },
            "not_asked": [],
        })
    );
    assert_eq!(
        found,
        json!({
            "input": "22334455", "country": "NO", "status": "found",
            "name": "Kari Nordmann (Fjord Sjømat AS)", "certainty": "exact", "number": "+4722334455",
            "person": {"id": null, "name": "Kari Nordmann", "mrmrs": ""},
            "company": {"id": null, "name": "Fjord Sjømat AS"},
            "source": "vip", "tag": null, "shared": false,
            "readings": [{"number": "+4722334455", "rule": "national", "found": true}],
        })
    );
    let output = folder.run(&["lookup", "anonymous", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let miss: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&miss["status"], &miss["reason"]), (&json!("skipped"), &json!("anonymous")));
    assert_eq!(out(&output).lines().count(), 1);
}

#[test]
fn lookup_says_why_a_caller_is_skipped() {
    let folder = vip();
    folder.configure(&CSV_ONLY.replace("country = \"NO\"", "country = \"NO\"\ninternal = [\"2233xxxx\"]"));
    for (caller, why) in [
        ("anonymous", "(no name: the number is withheld"),
        ("112", "(no name: this is an emergency number or a short code"),
        ("101", "(no name: this is an extension of the PBX"),
        // Though the list knows the number.
        ("22334455", "(no name: this is an extension of the PBX"),
    ] {
        let output = folder.run(&["lookup", caller]);
        assert_eq!(output.status.code(), Some(3), "{caller}");
        assert!(out(&output).starts_with(why), "{caller}: {}", out(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lookup_needs_no_running_service() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = crm_folder(&crm_alone(&crm));
    let found =
        tokio::task::spawn_blocking(move || folder.run(&["lookup", "--json", "22334460"])).await.unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["name"], "Fjord Sjømat AS");
    assert_eq!(found["company"]["id"], 243);
    assert_eq!(found["person"], Value::Null);
}

#[test]
fn a_source_that_fails_fails_the_lookup_in_words() {
    let folder = Folder::new(CSV_ONLY);
    let failed = folder.run(&["lookup", "22334455"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(err(&failed).contains("source vip: can't read"), "{}", err(&failed));
}

#[test]
fn wrong_arguments_and_configurations_exit_with_2() {
    let folder = vip();
    for arguments in [&["lokup", "1"][..], &["lookup"], &["serve", "--nonsense"], &[]] {
        assert_eq!(folder.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    folder.write("nameplate.toml", CSV_ONLY.replace("country", "contry"));
    let wrong = folder.run(&["lookup", "22334455"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        err(&wrong).contains("nameplate.toml:3: unknown key `contry`: did you mean `country`?"),
        "{}",
        err(&wrong)
    );
    std::fs::remove_file(folder.path("nameplate.toml")).unwrap();
    let missing = folder.run(&["serve"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("can't read the configuration"), "{}", err(&missing));
}

#[test]
fn help_is_of_use_to_a_stranger() {
    let folder = vip();
    let help = out(&folder.run(&["--help"]));
    for word in [
        "serve",
        "lookup",
        "--config",
        "/etc/nameplate/nameplate.toml",
        "Exit status",
        "NAMEPLATE_LOG",
        "Examples",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let version = out(&folder.run(&["--version"]));
    assert_eq!(version.trim(), concat!("nameplate ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_example_configuration_works_as_it_is() {
    let example = project().join("packaging/nameplate.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"))
        .current_dir("/")
        .arg("--config")
        .arg(&example)
        .args(["lookup", "+47 22 33 44 55"])
        .output()
        .expect("nameplate");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output).lines().next(), Some("Kari Nordmann (Fjord Sjømat AS)"));
    assert_eq!(err(&output), "");
}

#[test]
fn what_the_example_has_in_comments_is_accepted_too() {
    let text = std::fs::read_to_string(project().join("packaging/nameplate.toml")).expect("the example");
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(text, uncommented);
    let config = nameplate::config::Config::parse(std::path::Path::new("nameplate.toml"), &uncommented);
    let config = config.unwrap_or_else(|error| panic!("{error}\n{uncommented}"));
    assert_eq!((config.sources.len(), config.asterisks.len()), (3, 1));
}

#[test]
fn the_binarys_allocator_is_set_to_give_memory_back() {
    let version = std::process::Command::new(env!("CARGO_BIN_EXE_nameplate"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "stats_print:true")
        .output()
        .expect("nameplate");
    let said = err(&version);
    for set in
        ["opt.dirty_decay_ms: 200", "opt.muzzy_decay_ms: 0", "opt.background_thread: true", "opt.narenas: 2"]
    {
        assert!(said.contains(set), "{set}: {said}");
    }
}

#[test]
fn a_password_is_asked_for_until_it_is_the_same_twice_and_is_never_shown() {
    let mut terminal = Terminal::start(&format!("{} password", env!("CARGO_BIN_EXE_nameplate")));
    terminal.answer("Password", "");
    terminal.answer("Password", "one of two");
    terminal.answer("Again", "two of two");
    terminal.answer("Password", "the same twice");
    terminal.answer("Again", "the same twice");
    let (shown, status) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("nothing was typed") && shown.contains("not the same"), "{shown}");
    assert!(
        shown.contains("$argon2id$") && !shown.contains("of two") && !shown.contains("same twice"),
        "{shown}"
    );
}

#[test]
fn a_terminal_shows_again_what_is_typed_after_ctrl_c() {
    let command = format!("{} password", env!("CARGO_BIN_EXE_nameplate"));
    // The shell goes on, and does not set the terminal back as some do.
    let mut terminal = Terminal::start(&format!("sh -c 'trap : INT; {command}; echo it was $?; stty -a'"));
    terminal.answer("Password", "\u{3}");
    let (shown, _) = terminal.end();
    assert!(shown.contains("it was 130") && !shown.contains("-echo "), "{shown}");
}
