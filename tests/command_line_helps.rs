//! The command line can be used by a stranger: help, exit status, JSON as the contract has it, and errors that
//! say what to do.

use std::process::Output;

use serde_json::{Value, json};

use crate::lab::call::{CRM_PASSWORD, config, fjord};
use crate::lab::nameplate::{Folder, project};
use crate::lab::superoffice::StandIn;

const CSV_ONLY: &str = r#"
[numbers]
country = "NO"
[[source]]
name = "vip"
type = "csv"
path = "vip.csv"
"#;

fn vip() -> Folder {
    let folder = Folder::new(CSV_ONLY);
    folder.write("vip.csv", "number,person,company\n22334455,Kari Nordmann,Fjord Sjømat AS\nabc,Nobody,\n");
    folder
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
    let found: Value = serde_json::from_slice(&folder.run(&["lookup", "--json", "22334455"]).stdout).unwrap();
    assert_eq!(
        found,
        json!({
            "input": "22334455", "country": "NO", "status": "found",
            "name": "Kari Nordmann (Fjord Sjømat AS)", "certainty": "exact", "number": "+4722334455",
            "person": {"id": null, "name": "Kari Nordmann", "mrmrs": ""},
            "company": {"id": null, "name": "Fjord Sjømat AS"},
            "source": "vip", "shared": false,
            "readings": [{"number": "+4722334455", "rule": "national", "found": true}],
        })
    );
    let output = folder.run(&["lookup", "anonymous", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let miss: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&miss["status"], &miss["reason"]), (&json!("skipped"), &json!("no_number")));
    assert_eq!(out(&output).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lookup_needs_no_running_service() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = Folder::new(&config(&crm.api_url(), "http://127.0.0.1:9"));
    folder.write("superoffice.password", CRM_PASSWORD);
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
