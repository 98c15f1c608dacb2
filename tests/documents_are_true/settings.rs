//! The settings on their page, in the example, and in the program are the same.

use std::collections::BTreeSet;
use std::path::Path;

use nameplate::config::Config;
use toml::{Table, Value};

use super::markdown::{Page, first_cells, page};
use super::{assert_same, read, set};

const AUTH: &str = "[[source]]\nname = \"a\"\ntype = \"superoffice\"\n[source.auth]\ntype = \"basic\"";

/// The keys that a section has, as the program says them about one that is wrong.
fn accepted(section: &str) -> BTreeSet<String> {
    let country = if section.starts_with("[numbers]") { "" } else { "numbers.country = \"NO\"\n" };
    let text = format!("{country}{section}\nwrong = 1\n");
    let error = Config::parse(Path::new("nameplate.toml"), &text).unwrap_err().to_string();
    let (_, keys) = error.split_once("allowed are ").unwrap_or_else(|| panic!("{section}: {error}"));
    set(keys.trim_end_matches(')').split(", "))
}

/// `password` for `password`, `password_file`, `password_env` and `password_credential`.
fn secrets_once(keys: BTreeSet<String>) -> BTreeSet<String> {
    let base = |key: &String| {
        let forms = ["_file", "_env", "_credential"];
        let base = forms.iter().find_map(|form| key.strip_suffix(form))?;
        keys.contains(&format!("{base}_env")).then(|| base.to_owned())
    };
    keys.iter().map(|key| base(key).unwrap_or_else(|| key.clone())).collect()
}

#[test]
fn every_setting_is_on_its_page_and_in_the_example() {
    let page = page("docs/configuration.md");
    let example = read("packaging/nameplate.toml");
    let example = set(example.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
    let mut top = accepted("");
    for (anchor, section, is_array) in [
        ("numbers", "[numbers]\ncountry = \"NO\"", false),
        ("names", "[names]", false),
        ("lookups", "[lookups]", false),
        ("ranges", "[ranges]", false),
        ("suppress", "[[suppress]]\nnumbers = []", true),
        ("log", "[log]", false),
        ("source", "[[source]]\nname = \"a\"\ntype = \"csv\"", true),
        ("asterisk", "[[asterisk]]\nname = \"a\"\nurl = \"http://a\"\nusername = \"a\"", true),
        ("agi", "[agi]", false),
        ("web", "[web]\nlisten = \"127.0.0.1:1\"", false),
        ("share", "[share]", false),
    ] {
        let text = page.section(anchor);
        let text = text.split("\n### ").next().unwrap();
        let keys = secrets_once(accepted(section));
        assert_same(&format!("docs/configuration.md#{anchor}"), &set(first_cells(text)), section, &keys);
        let heading = if is_array { format!("## `[[{anchor}]]`") } else { format!("## `[{anchor}]`") };
        assert!(page.text.contains(&heading), "{heading}");
        assert!(top.remove(anchor), "{anchor}");
        for key in keys {
            assert!(example.contains(&key) || example.contains(&format!("{key}_file")), "{section}: {key}");
        }
    }
    let of_user =
        accepted("[web]\nlisten = \"127.0.0.1:1\"\n[[web.user]]\nname = \"a\"\nrole = \"operator\"");
    assert!(page.text.contains("### `[[web.user]]`"));
    let text = page.section("webuser");
    assert_same("docs/configuration.md#webuser", &set(first_cells(&text)), "[[web.user]]", &of_user);
    assert!(of_user.iter().all(|key| example.contains(key)), "{of_user:?}");
    assert_same("Top level", &set(first_cells(&page.section("top-level"))), "the program", &top);
    for key in secrets_once(accepted(AUTH)) {
        assert!(example.contains(&key) || example.contains(&format!("{key}_file")), "auth: {key}");
    }
}

#[test]
fn every_credential_needs_the_keys_that_are_on_its_page() {
    let page = page("docs/configuration.md");
    let parsed = |scheme: &str, keys: &[&String]| {
        let keys: String = keys.iter().map(|key| format!(", {key} = \"x\"")).collect();
        let text = format!(
            "numbers.country = \"NO\"\n[[source]]\nname = \"a\"\ntype = \"superoffice\"\ntenant = \"Cust1\"\n\
             app_token = \"x\"\nauth = {{ type = \"{scheme}\"{keys} }}\n"
        );
        Config::parse(Path::new("nameplate.toml"), &text)
    };
    let mut all = set(["type"]);
    for row in
        page.section("auth").lines().filter(|line| line.starts_with("| `") && !line.contains("| with |"))
    {
        let cells: Vec<_> = row.split('|').map(|cell| spans_of(&page, cell)).collect();
        let (scheme, keys) = (&cells[1][0], &cells[2]);
        let keys: Vec<_> = keys.iter().filter(|key| !key.starts_with('<')).collect();
        let good = parsed(scheme, &keys);
        assert!(good.is_ok(), "{row}\n{}", good.unwrap_err());
        for left_out in &keys {
            let others: Vec<_> = keys.iter().filter(|key| key != &left_out).copied().collect();
            assert!(parsed(scheme, &others).is_err(), "{row}\nwithout {left_out}");
        }
        all.extend(keys.into_iter().cloned());
    }
    assert_same("docs/configuration.md#auth", &all, "auth", &secrets_once(accepted(AUTH)));
    // And the sentence that lists what is secret.
    let listed = page.section("secrets");
    let listed = listed.split("These are the secrets:").nth(1).unwrap().split("No\n").next().unwrap();
    let secret = |key: &&String| accepted(AUTH).contains(&format!("{key}_env"));
    let mut secrets = set(all.iter().filter(secret).cloned());
    secrets.insert("app_token".into());
    assert_same("docs/configuration.md#secrets", &set(spans_of(&page, listed)), "auth", &secrets);
}

fn spans_of(page: &Page, text: &str) -> Vec<String> {
    Page { path: page.path.clone(), text: text.to_owned() }.spans()
}

#[test]
fn every_default_is_the_one_that_is_on_its_page() {
    let page = page("docs/configuration.md");
    let csv = "[[source]]\nname = \"a\"\ntype = \"csv\"\npath = \"a.csv\"\n";
    let superoffice = "[[source]]\nname = \"a\"\ntype = \"superoffice\"\nauth = { type = \"system_user\", system_token = \"x\", \
                       client_secret = \"x\", private_key = \"x\" }\ntenant = \"Cust1\"\n";
    let pbx = "[[asterisk]]\nname = \"a\"\nurl = \"http://a\"\nusername = \"a\"\npassword = \"x\"\n";
    let mut tried = 0;
    let parsed = |text: &str| {
        let config = Config::parse(Path::new("nameplate.toml"), text)
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        // Whether a port was chosen is remembered, for a warning at the start; and a network may be written by any of its addresses.
        let shown = format!("{config:?}").replace("is_default: false", "is_default: true");
        let shown = shown.replace("127.0.0.1/8", "127.0.0.0/8");
        // No two configurations have the same id of their numbers.
        let parts =
            shown.split("Pbx { id: ").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        parts.collect::<String>()
    };
    for (anchor, section) in [
        ("top-level", ""),
        ("numbers", ""),
        ("names", "[names]\n"),
        ("lookups", "[lookups]\n"),
        ("ranges", "[ranges]\n"),
        ("log", "[log]\n"),
        ("source", csv),
        ("source", superoffice),
        ("asterisk", pbx),
        ("agi", "[agi]\n"),
    ] {
        let numbers = if anchor == "numbers" { "[numbers]\ncountry = \"NO\"\n" } else { "" };
        let before = if numbers.is_empty() { "numbers.country = \"NO\"\n" } else { numbers };
        let behind = if anchor == "source" { "" } else { csv };
        let text = |line: &str| format!("{before}{section}{line}{behind}");
        for row in page.section(anchor).lines() {
            let cells: Vec<_> = row.split(" | ").collect();
            let [key, _, default] = cells[..] else { continue };
            let default = default.trim_end_matches(" |");
            let is_value =
                default.starts_with('`') && default.ends_with('`') && default.matches('`').count() == 2;
            // Of `[[source]]` each type has keys of its own.
            let key = key.trim_start_matches("| ").trim_matches('`');
            let is_of_csv = ["path", "delimiter"].contains(&key);
            let is_common = ["prefix", "full_refresh"].contains(&key);
            let is_here = anchor != "source" || is_common || is_of_csv == (section == csv);
            if is_value && is_here {
                let line = format!("{key} = {}\n", default.trim_matches('`'));
                assert_eq!(parsed(&text(&line)), parsed(&text("")), "{row}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 25, "{tried}");
}

#[test]
fn the_example_has_no_setting_that_the_page_lacks() {
    let page = page("docs/configuration.md");
    let mut documented = set(first_cells(&page.text));
    documented.extend(Page { path: page.path.clone(), text: page.section("auth") }.spans());
    documented.extend(["source", "asterisk", "suppress"].map(str::to_owned));
    let example = read("packaging/nameplate.toml");
    let lines = example.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line));
    let example: Table = toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    let mut keys = BTreeSet::new();
    collect(&Value::Table(example), &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        let base = key.strip_suffix("_file").unwrap_or(&key).to_owned();
        let is_section = page.text.contains(&format!("## `[{key}]`"));
        assert!(documented.contains(&key) || documented.contains(&base) || is_section, "{key}");
    }
}

/// The keys of a table and of those in it; ranges are no keys.
fn collect(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                keys.insert(key.clone());
                if key != "known" {
                    collect(value, keys);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}
