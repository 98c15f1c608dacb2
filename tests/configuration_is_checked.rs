//! `nameplate check --offline` tells before the start what the start would fail on, and asks nobody.

use std::process::Output;

use crate::lab::configuration::CSV_ONLY;
use crate::lab::nameplate::{Folder, project};

const FURTHER: &str = r#"[[source]]
name = "crm"
type = "superoffice"
api = "http://127.0.0.1:9/api"
auth = { type = "basic", username = "nameplate", password_file = "superoffice.password" }
[[asterisk]]
name = "pbx1"
url = "http://127.0.0.1:9"
username = "nameplate"
password_file = "ari.password"
[web]
listen = "127.0.0.1:8480"
token_env = "NAMEPLATE_TEST_WEB_TOKEN"
"#;

/// A configuration with all that is checked.
fn config() -> String {
    format!("{CSV_ONLY}{FURTHER}")
}

fn folder() -> Folder {
    let folder = Folder::new(&config());
    folder.write("vip.csv", "number,person,company\n22334455,Kari Nordmann,\n");
    folder.write("superoffice.password", "hunter2\n");
    folder.write("ari.password", "hunter3\n");
    folder
}

fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

#[test]
fn what_can_be_used_is_said_and_no_secret_shown() {
    let folder = folder();
    folder.configure(&config().replace("token_env = \"NAMEPLATE_TEST_WEB_TOKEN\"", "token = \"hunter4\""));
    let output = folder.run(&["check", "--offline"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    for expected in [
        "country NO, sources: 2, Asterisks: 1",
        "[[source]] vip: ",
        "vip.csv: entries: 1",
        "[[source]] crm: password: in ",
        "[[asterisk]] pbx1: password: in ",
        "[web] 127.0.0.1:8480: token: stands in the configuration",
        "state: can be made",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("hunter") && !said.contains("error"), "{said}");
    assert!(!folder.path("state").exists(), "it has left something behind");
}

#[test]
fn everything_that_fails_is_said_at_once() {
    let folder = folder();
    folder.write("vip.csv", "number,name\n");
    folder.write("superoffice.password", "");
    std::fs::remove_file(folder.path("ari.password")).unwrap();
    folder.write("state", "a file where a folder should be");
    let output = folder.run(&["check", "--offline"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    let failed: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("error    ")).collect();
    let expected = [
        ("[[source]] vip: ", "the header needs number, person and company"),
        ("[[source]] crm: password: ", "superoffice.password is empty"),
        ("[[asterisk]] pbx1: password: ", "can't read the secret in"),
        ("[web] 127.0.0.1:8480: token: ", "NAMEPLATE_TEST_WEB_TOKEN is not set"),
        ("state_dir ", "is no folder"),
    ];
    for (place, what) in expected {
        assert!(failed.iter().any(|line| line.starts_with(place) && line.contains(what)), "{what}: {said}");
    }
}

#[test]
fn a_token_that_no_request_can_show_is_a_failure() {
    let folder = folder();
    folder.configure(
        &config().replace("token_env = \"NAMEPLATE_TEST_WEB_TOKEN\"", "token_file = \"web.token\""),
    );
    for (token, why) in [
        (" \n", "is empty, or a blank"),
        ("tøken", "can't be sent in a header"),
        ("to\nken", "can't be sent"),
    ] {
        folder.write("web.token", token);
        let output = folder.run(&["check", "--offline"]);
        let said = said(&output);
        let failed = said
            .lines()
            .any(|line| line.starts_with("error    [web] 127.0.0.1:8480: token: ") && line.contains(why));
        assert!(output.status.code() == Some(1) && failed && !said.contains("ken: to"), "{token:?}: {said}");
    }
    for token in [" ", "tøken", "token "] {
        folder.configure(
            &config().replace("token_env = \"NAMEPLATE_TEST_WEB_TOKEN\"", &format!("token = \"{token}\"")),
        );
        let output = folder.run(&["check", "--offline"]);
        assert_eq!(output.status.code(), Some(2), "{token:?}: {}", said(&output));
    }
}

#[test]
fn lines_that_cannot_be_used_and_damaged_lists_are_failures() {
    let folder = folder();
    folder.write("vip.csv", "number,person,company\n22334455,Kari,\nabc,Nobody,\n");
    std::fs::create_dir_all(folder.path("state/lists")).unwrap();
    folder.write("state/lists/crm.list", "damaged");
    let output = folder.run(&["check", "--offline"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("entries: 1; can't be used: 1 not_a_number (line 3"), "{said}");
    assert!(said.contains("list crm: ") && said.contains("is damaged"), "{said}");
}

#[test]
fn records_that_can_be_read_in_two_ways_are_counted_and_no_failure() {
    let folder = folder();
    folder.configure(&config().replace("country = \"NO\"", "country = \"DE\"").replace("token_env", "token"));
    let records = "4915112345678,Anna,\n+4915112345679,Jonas,\n4722334455,Hans,\n+47 580012345678,Heis,\n";
    folder.write("vip.csv", format!("number,person,company\n{records}"));
    let output = folder.run(&["check", "--offline"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("2 can be read in two ways (line 2: number `"), "{said}");
    assert!(said.contains("; line 4: number `"), "{said}");
    assert!(said.contains("1 of a length that the numbering plan does not know (line 5: "), "{said}");
    assert!(!said.contains("15112345678") && !said.contains("can't be used"), "{said}");
}

#[test]
fn a_configuration_that_cannot_be_served_exits_with_2() {
    let folder = folder();
    for wrong in
        [config().replace("country", "contry"), config().split("[[asterisk]]").next().unwrap().to_owned()]
    {
        folder.configure(&wrong);
        assert_eq!(folder.run(&["check", "--offline"]).status.code(), Some(2));
    }
}

/// The example that is shipped, with the section that begins with this line switched on, if there is one.
fn example(switched_on: &str) -> String {
    let text = std::fs::read_to_string(project().join("packaging/nameplate.toml")).expect("the example");
    let mut is_on = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        is_on = line == switched_on || is_on && line.starts_with("#:");
        lines.push(if is_on { line.trim_start_matches("#: ") } else { line });
    }
    lines.join("\n")
}

#[test]
fn the_shipped_example_says_in_its_first_line_what_to_switch_on() {
    let folder = Folder::new(&example("nothing"));
    folder.write("vip.csv", std::fs::read(project().join("packaging/vip.csv")).expect("it is shipped"));
    let lookup = folder.run(&["lookup", "+47 22 33 44 55"]);
    assert_eq!(lookup.status.code(), Some(0), "{}", said(&lookup));
    let check = folder.run(&["check", "--offline"]);
    assert_eq!(check.status.code(), Some(2));
    let first = example("nothing").lines().next().unwrap_or_default().to_owned();
    for section in ["[[asterisk]]", "[agi]", "[web]"] {
        assert!(said(&check).contains(section) && first.contains(section), "{first}\n{}", said(&check));
        folder.configure(&example(&format!("#: {section}")));
        for secret in ["ari.password", "web.token"] {
            folder.write(secret, "secret");
        }
        let check = folder.run(&["check", "--offline"]);
        assert_eq!(check.status.code(), Some(0), "{section}: {}", said(&check));
    }
}
