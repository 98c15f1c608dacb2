//! `nameplate lookup` shows how a name came about, so that a wrong configuration is found with it, and takes many
//! numbers at once.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::lab::configuration::VIP_AND_ALL;
use crate::lab::nameplate::Folder;

const SETTINGS: &str = r#"
[numbers]
country = "NO"
[names]
max_bytes = 30
[[asterisk]]
name = "stockholm"
url = "http://127.0.0.1:9"
username = "nameplate"
password = "unused"
numbers = { country = "SE", strip_prefixes = ["9"] }
"#;

const HEADER: &str = "number,person,company,person_id,contact_id\n";

fn config() -> String {
    format!("{SETTINGS}{VIP_AND_ALL}")
}

fn folder() -> Folder {
    let folder = Folder::new(&config());
    let vip = "22334455,Kari Nordmann,Fjord Sjømat AS,654,243\n\
               22334460,Ola,Fjord Sjømat AS,1,243\n22334460,Siri,Fjord Sjømat AS,2,243\n\
               22334461,Ola,Acme,1,5\n22334461,Siri,Globex,2,6\n22334462,Ola,,1,\n22334462,Siri,,2,\n";
    folder.write("vip.csv", format!("{HEADER}{vip}"));
    folder.write(
        "all.csv",
        format!("{HEADER}22334455,Somebody Else,Älvsby Förlag AB,7,8\n+4681234567,Åsa,,9,\n"),
    );
    folder
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_came_and_what_is_known_are_shown_as_they_are() {
    let folder = folder();
    folder.write("all.csv", format!("{HEADER}22334455,\"Kari \u{1b}[31m<K>\",\"Fjord: [Nord]\",7,8\n"));
    let said = out(&folder.run(&["lookup", "22334455;ext=12"]));
    for expected in
        ["digits    22334455;ext=12, as in NO", "all: Kari \\u{1b}[31m<K> (id 7) of Fjord: [Nord] (id 8)"]
    {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn each_list_the_verdict_the_certainty_and_the_clamping_are_shown() {
    let said = out(&folder().run(&["lookup", "22334455"]));
    for expected in [
        "digits    22334455, as in NO",
        "read as   +4722334455 (national, in NO)  ← known",
        "vip: Kari Nordmann (id 654) of Fjord Sjømat AS (id 243)",
        "all: Somebody Else (id 7) of Älvsby Förlag AB (id 8)",
        "→ person by vip",
        "certainty exact",
        "template  person = \"{person} ({company})\": 32 bytes, cut to 30: Kari Nordmann (Fjord Sjømat AS)",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn each_verdict_is_explained() {
    let folder = folder();
    for (number, first, verdict) in [
        ("22334455", "Kari Nordmann", "person"),
        ("22334460", "Fjord Sjømat AS", "company"),
        ("22334461", "Acme / Globex", "shared"),
        ("22334462", "(no name: several people", "ambiguous"),
    ] {
        let said = out(&folder.run(&["lookup", number]));
        assert!(said.starts_with(first) && said.contains(&format!("→ {verdict} by vip")), "{number}: {said}");
        let json: Value = serde_json::from_slice(&folder.run(&["lookup", "--json", number]).stdout).unwrap();
        assert_eq!(json["explanation"]["readings"][0]["known"]["verdict"], verdict, "{json}");
    }
    for (shared, number, reason) in [
        ("company", "22334461", "`shared_numbers = \"company\"` in [names] shows only a company that all"),
        ("none", "22334460", "`shared_numbers = \"none\"` in [names] shows none of them"),
    ] {
        folder.configure(&config().replace("[names]", &format!("[names]\nshared_numbers = \"{shared}\"")));
        let said = out(&folder.run(&["lookup", number]));
        let wanted = format!("(no name: several have this number, and {reason}");
        assert!(said.starts_with(&wanted) && said.contains("→ ambiguous by vip"), "{said}");
    }
}

/// What `lookup` says of a number, with these records in a German file.
fn in_germany(records: &str, names: &str, number: &str) -> (String, Value) {
    let config =
        "[numbers]\ncountry = \"DE\"\n[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"\n";
    let folder = Folder::new(&format!("{names}{config}"));
    folder.write("vip.csv", format!("number,person,company\n{records}"));
    let json = folder.run(&["lookup", "--json", number]).stdout;
    (out(&folder.run(&["lookup", number])), serde_json::from_slice(&json).unwrap())
}

#[test]
fn the_rule_that_decided_is_named() {
    const HANS: &str = "04722 334455,Hans,Cux GmbH\n";
    const KARI: &str = "+47 22334455,Kari Nordmann,Fjord AS\n";
    let both = format!("{HANS}{KARI}");
    for (records, number, name, certainty, decided, words) in [
        (HANS, "4722334455", "Hans (Cux GmbH)", "exact", "likeliest", "the likeliest reading is known"),
        (
            KARI,
            "4722334455",
            "Kari Nordmann (Fjord AS)",
            "reading",
            "other_reading",
            "the likelier ones are nobody's",
        ),
        (&both, "4722334455", "~Hans (Cux GmbH)", "reading", "somebody_else", "`doubtful` in [names]"),
        ("4915112345678,Anna,\n", "015112345678", "Anna", "exact", "likeliest", "the likeliest reading"),
        (
            "4915112345678,Anna,\n",
            "04915112345678",
            "Anna",
            "reading",
            "other_number",
            "its less likely number",
        ),
        ("+4681234567,Åsa,\n", "+46 0 08 123 45 67", "Åsa", "reading", "surplus_zero", "without a zero"),
    ] {
        let (said, json) = in_germany(records, "", number);
        assert!(said.starts_with(&format!("{name}\n")), "{number}: {said}");
        assert!(
            said.contains(&format!("certainty {certainty}: ")) && said.contains(words),
            "{number}: {said}"
        );
        assert!(said.contains(&format!(" ({decided})\n")), "{number}: {said}");
        let decided = if decided == "likeliest" { Value::Null } else { decided.into() };
        assert_eq!((&json["certainty"], &json["explanation"]["decided"]), (&certainty.into(), &decided));
    }
    let (said, json) = in_germany("4915112345678,Anna,\n", "", "04915112345678");
    assert!(said.contains("vip: Anna, of no company; the less likely number of its record"), "{said}");
    assert_eq!(json["explanation"]["readings"][0]["entries"][0]["less_likely"], true);
    // Whoever has the number alone comes first, from the other kind of source too.
    let records = "4915112345678,Anna,\n0491 5112345678,Tee Kontor,\n";
    assert!(in_germany(records, "", "04915112345678").0.starts_with("Tee Kontor\n"));
    for (doubtful, first) in
        [("show", "Hans (Cux GmbH)"), ("none", "(no name: the digits can be read in two ways")]
    {
        let names = format!("[names]\ndoubtful = \"{doubtful}\"\n");
        let (said, json) = in_germany(&both, &names, "4722334455");
        assert!(said.starts_with(first) && said.contains("certainty reading: "), "{said}");
        let reason = if doubtful == "none" { "doubtful".into() } else { Value::Null };
        assert_eq!(json["reason"], reason, "{json}");
    }
}

#[test]
fn a_trunks_country_and_a_pbxs_settings_can_be_tried() {
    let folder = folder();
    for (arguments, status, expected) in [
        (&["lookup", "08-123 45 67"][..], 3, "(no name"),
        (&["lookup", "08-123 45 67", "--country", "SE"], 0, "Åsa"),
        (&["lookup", "9 08-123 45 67", "--pbx", "stockholm"], 0, "Åsa"),
        (&["lookup", "9 08-123 45 67", "--country", "SE"], 3, "(no name"),
        (&["lookup", "9 08-123 45 67", "--pbx", "stockholm"], 0, "behind outside-line digits"),
        (&["lookup", "1", "--country", "XX"], 2, ""),
        (&["lookup", "1", "--pbx", "oslo"], 2, ""),
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", out(&output));
        assert!(out(&output).contains(expected), "{arguments:?}: {}", out(&output));
    }
    let error = folder.run(&["lookup", "1", "--pbx", "oslo"]).stderr;
    assert!(String::from_utf8_lossy(&error).contains("--pbx oslo: there is no such [[asterisk]]"));
}

#[test]
fn it_is_in_colour_on_a_terminal_only_and_not_where_that_is_unwanted() {
    let folder = folder();
    let coloured = folder.run_on_terminal("lookup 22334455");
    assert!(coloured.starts_with("\u{1b}[1mKari Nordmann"), "{coloured:?}");
    assert!(!out(&folder.run(&["lookup", "22334455"])).contains('\u{1b}'));
    let program = env!("CARGO_BIN_EXE_nameplate");
    let config = folder.path("nameplate.toml");
    let command = format!("NO_COLOR=1 '{program}' --config '{}' lookup 22334455", config.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("TERM", "xterm");
    let plain = out(&script.stdin(Stdio::null()).output().expect("script"));
    assert!(plain.starts_with("Kari Nordmann") && !plain.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn many_numbers_are_answered_line_by_line() {
    let folder = folder();
    let many = folder.run_with_input(&["lookup", "-"], "22334460\n22999999\n\nanonymous\n0047 22 33 44 60");
    assert_eq!(many.status.code(), Some(0));
    assert_eq!(
        out(&many),
        "22334460\tFjord Sjømat AS\n22999999\t\n\t\nanonymous\t\n0047 22 33 44 60\tFjord Sjømat AS\n"
    );

    let numbers: String = (0..5_000).map(|number| format!("{}\n", 22_330_000 + number)).collect();
    let many = folder.run_with_input(&["lookup", "--json", "-"], &numbers);
    assert_eq!(many.status.code(), Some(0));
    let said = out(&many);
    assert_eq!(said.lines().count(), 5_000);
    let known = said.lines().filter(|line| line.contains("\"status\":\"found\"")).count();
    assert_eq!(known, 3, "22334455, 22334460 and 22334461");
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((&last["input"], &last["status"]), (&"22334999".into(), &"notfound".into()));
    assert_eq!(last.get("explanation"), None);
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let folder = folder();
    folder.write("numbers", "22334455\n".repeat(20_000));
    let command = format!(
        "'{}' --config '{}' lookup - < '{}' | head --lines=1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_nameplate"),
        folder.path("nameplate.toml").display(),
        folder.path("numbers").display()
    );
    let output = Command::new("bash").args(["-c", &command]).stdin(Stdio::null()).output();
    let output = output.expect("bash");
    assert!(out(&output).ends_with("\n0\n"), "{}", out(&output));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
