//! The documents are true: their links lead somewhere, their commands and configurations are accepted, and every promise, setting,
//! metric and log line that asks for action stands on its page as it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nameplate::config::Config;
use nameplate::number::Unusable;
use toml::{Table, Value};

use crate::lab::nameplate::project;
use markdown::{Page, first_cells, page, pages};

#[path = "documents_are_true/markdown.rs"]
mod markdown;
#[path = "documents_are_true/settings.rs"]
mod settings;
#[path = "documents_are_true/source.rs"]
mod source;

fn set<T: Into<String>>(items: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    items.into_iter().map(Into::into).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with each thing that is in one of both only.
fn assert_same(left: &str, in_left: &BTreeSet<String>, right: &str, in_right: &BTreeSet<String>) {
    let alone = |some: &BTreeSet<String>, others: &BTreeSet<String>| {
        some.difference(others).map(|one| format!("  {one}\n")).collect::<String>()
    };
    let (only_left, only_right) = (alone(in_left, in_right), alone(in_right, in_left));
    assert!(
        only_left.is_empty() && only_right.is_empty(),
        "in {left} only:\n{only_left}in {right} only:\n{only_right}"
    );
    assert!(!in_left.is_empty());
}

#[test]
fn every_promise_is_in_the_table_and_every_line_of_it_has_its_file() {
    let promises = page("docs/promises.md");
    let named = promises.links().into_iter().filter_map(|link| {
        let name = link.strip_prefix("../tests/")?.strip_suffix(".rs")?.to_owned();
        (!name.contains('/')).then_some(name)
    });
    let named = set(named.filter(|name| name != "promises"));
    let modules = read("tests/promises.rs");
    let modules = modules.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let modules = set(modules.filter(|name| *name != "lab"));
    assert_same("docs/promises.md", &named, "tests/promises.rs", &modules);
    let files = fs::read_dir(project().join("tests")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    // Programs of their own.
    let others = ["promises", "demo"];
    let files = set(files
        .filter_map(|file| file.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| !others.contains(&name.as_str())));
    assert_same("tests/", &files, "docs/promises.md", &named);
    // A link shows the name of the file that it leads to.
    for name in &named {
        assert!(promises.text.contains(&format!("[`{name}`](../tests/{name}.rs)")), "{name}");
    }
    assert!(read("tests/promises.rs").contains("docs/promises.md"));
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for page in pages() {
        for link in page.links().into_iter().filter(|link| !link.starts_with("https://")) {
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(p, a)| (p, Some(a)));
            let folder = page.path.parent().unwrap();
            let target = if path.is_empty() { page.path.clone() } else { folder.join(path) };
            let there = project().join(&target);
            let is_good = match anchor {
                None => there.exists(),
                Some(anchor) => {
                    target.extension().is_some_and(|kind| kind == "md")
                        && there.exists()
                        && markdown::page(&target.to_string_lossy()).anchors().contains(anchor)
                }
            };
            if !is_good {
                dead.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn paths_and_make_targets_exist() {
    let makefile = read("Makefile");
    let folders =
        ["src/", "tests/", "docs/", "packaging/", "asterisk-conf/", "benches/", ".cargo/"].map(str::to_owned);
    let mut missing = Vec::new();
    for page in pages() {
        // What was true of an earlier version stays in the changelog.
        let is_history = page.name() == "CHANGELOG.md";
        for span in page.spans() {
            let is_path = folders.iter().any(|folder| span.starts_with(folder)) && !span.contains([' ', '…']);
            // `tests/new_promise.rs` may be an example; a link is none.
            if is_path && !is_history && !project().join(&span).exists() {
                missing.push(format!("{}: {span}", page.name()));
            }
        }
        let blocks: Vec<_> = page.blocks().into_iter().map(|block| block.text).collect();
        let lines = blocks.iter().flat_map(|text| text.lines().map(str::to_owned));
        for line in lines.chain(page.spans()) {
            let mut words = line.split_whitespace();
            if words.next() != Some("make") {
                continue;
            }
            let target = words.next().unwrap_or_default().to_owned();
            if !makefile.contains(&format!("\n{target}:")) {
                missing.push(format!("{}: make {target}", page.name()));
            }
            for word in words {
                let name = word.strip_prefix("NAME=");
                let is_good = name.is_none_or(|name| project().join(format!("tests/{name}.rs")).exists());
                let way = word.strip_prefix("WAY=");
                let ways = ["websocket", "http", "http_on_16", "agi", "agi_on_16"];
                if !is_good || way.is_some_and(|way| !ways.contains(&way)) {
                    missing.push(format!("{}: {line}", page.name()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_readme_is_read_in_two_minutes() {
    let readme = page("README.md");
    assert!(readme.text.lines().count() <= 150, "{} lines", readme.text.lines().count());
    for (number, line) in (1..).zip(readme.text.lines()) {
        let length = line.chars().count();
        assert!(length <= 140, "README.md:{number} has {length} characters");
    }
    let links = set(readme.links());
    for page in pages() {
        if page.path.starts_with("docs") {
            assert!(links.contains(&page.name()), "README.md does not lead to {}", page.name());
        }
    }
}

#[test]
fn each_page_begins_with_the_question_that_it_answers() {
    for page in pages().into_iter().filter(|page| page.path.starts_with("docs")) {
        let mut lines = page.text.lines().filter(|line| !line.is_empty());
        let title = lines.next().unwrap_or_default();
        let question = lines.next().unwrap_or_default();
        assert!(title.starts_with("# ") && question.ends_with('?'), "{}: {question}", page.name());
    }
}

#[test]
fn configurations_are_accepted() {
    let mut tried = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            let place = format!("{}:\n{}", page.name(), block.text);
            let mut table: Table =
                toml::from_str(&block.text).unwrap_or_else(|error| panic!("{place}{error}"));
            // What every configuration needs, and a part of one leaves out.
            table.entry("numbers").or_insert(Value::Table(toml::from_str("country = \"NO\"").unwrap()));
            let source: Table = toml::from_str("name = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"").unwrap();
            table.entry("source").or_insert(Value::Array(vec![Value::Table(source)]));
            let whole = toml::to_string(&table).unwrap();
            let parsed = Config::parse(Path::new("nameplate.toml"), &whole);
            parsed.unwrap_or_else(|error| panic!("{place}{error}"));
            tried += 1;
        }
    }
    assert!(tried >= 7, "{tried}");
}

/// The words of a command line, up to where the shell takes over.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('|' | '<' | '>' | ';' | '&' | '#' | '(' | ')' | '…', None) => break,
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The arguments of each command line of ours in a page.
fn commands(page: &Page) -> Vec<Vec<String>> {
    let blocks = page.blocks();
    // Configurations, dialplans and programs have none.
    let blocks = blocks.iter().filter(|block| block.language.is_empty());
    let lines = blocks.flat_map(|block| block.text.lines().map(str::to_owned));
    let mut found = Vec::new();
    for line in lines.chain(page.spans()) {
        let mut words = words(line.trim_start().trim_start_matches("$ "));
        if words.first().is_some_and(|word| word == "sudo") {
            words.drain(..words.len().min(1));
            if words.first().is_some_and(|word| word == "-u") {
                words.drain(..words.len().min(2));
            }
        }
        let is_ours = words.first().is_some_and(|word| word == "nameplate");
        // `nameplate` alone is a name.
        if is_ours && words.len() > 1 {
            found.push(words.split_off(1));
        }
    }
    found
}

#[test]
fn commands_are_accepted() {
    let mut tried = BTreeSet::new();
    for page in pages() {
        for arguments in commands(&page) {
            // It reads all arguments, and does nothing.
            let mut command = Command::new(env!("CARGO_BIN_EXE_nameplate"));
            let output = command.args(&arguments).arg("--help").stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: nameplate {arguments:?}\n{said}", page.name());
            tried.insert(arguments);
        }
    }
    assert!(tried.len() >= 15, "{tried:?}");
}

#[test]
fn what_is_no_command_is_noticed() {
    let text = "Use `nameplate lookup 1 --loud`, or\n```\nsudo -u nameplate nameplate refresh 'a b' --accept # now\n```\n".into();
    let page = Page { path: "a.md".into(), text };
    assert_eq!(commands(&page), [vec!["refresh", "a b", "--accept"], vec!["lookup", "1", "--loud"]]);
}

#[test]
fn every_metric_is_on_its_page() {
    let names = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        set(words.filter(|word| word.starts_with("nameplate_")))
    };
    let golden = read("tests/data/golden/metrics.txt");
    let types = golden.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counted = set(types.map(|line| line.split_once(' ').unwrap().0));
    let page = page("docs/http-api.md");
    assert_same("docs/http-api.md", &names(&page.section("metrics")), "metrics.txt", &counted);
    // A metric of an alert that does not exist would never raise it.
    let rules = read("packaging/prometheus/nameplate.rules.yml");
    let in_rules = names(&rules);
    assert!(in_rules.len() >= 8 && in_rules.is_subset(&counted), "{in_rules:?}");
    // The changelog names those that are gone.
    for other in pages().iter().filter(|page| page.name() != "CHANGELOG.md") {
        for name in names(&other.text).difference(&counted) {
            // The program's own words, such as the context of `asterisk-conf/`.
            assert!(!name.ends_with("_total") && !name.ends_with("_seconds"), "{}: {name}", other.name());
        }
    }
}

#[test]
fn every_alert_is_on_its_page() {
    let rules = read("packaging/prometheus/nameplate.rules.yml");
    let alerts = set(rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")));
    let section = page("docs/operations.md").section("prometheus");
    assert_same("docs/operations.md", &set(first_cells(&section)), "nameplate.rules.yml", &alerts);
}

#[test]
fn answers_are_shown_as_they_come() {
    let golden = read("tests/data/golden/http.txt");
    let page_of_http = page("docs/http-api.md");
    let blocks = page_of_http.blocks();
    let shown = blocks.iter().filter(|block| block.language == "json" || block.text.starts_with("ready\n"));
    let lines: Vec<_> = shown.flat_map(|block| block.text.lines()).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        assert!(golden.lines().any(|answer| answer == line), "docs/http-api.md: {line}");
    }
    let mut lookup = Command::new(env!("CARGO_BIN_EXE_nameplate"));
    lookup.arg("--config").arg(project().join("packaging/nameplate.toml")).args(["lookup", "22334455"]);
    let output = String::from_utf8(lookup.output().unwrap().stdout).unwrap();
    let page_of_commands = page("docs/commands.md");
    assert!(
        page_of_commands.blocks().iter().any(|block| block.text == output),
        "docs/commands.md:\n{output}"
    );
}

#[test]
fn every_reason_against_a_record_is_on_its_page() {
    let section = page("docs/numbers-and-names.md").section("the-number-of-a-record");
    let reasons = set(Unusable::ALL.map(Unusable::reason));
    assert_same("docs/numbers-and-names.md", &set(first_cells(&section)), "the program", &reasons);
}

#[test]
fn log_lines_stand_in_operations_as_the_program_says_them() {
    let src = project().join("src");
    let section = page("docs/operations.md").section("log-lines-that-want-something");
    let explained = set(first_cells(&section));
    let said = set(source::texts(&src));
    // What passes another one's words on is explained by them.
    let warnings = set(source::warnings(&src).into_iter().filter(|message| message != "…"));
    assert!(warnings.len() > 40, "{warnings:?}");
    let wrong: String = explained.difference(&said).map(|line| format!("  {line}\n")).collect();
    let missing: String = warnings.difference(&explained).map(|line| format!("  {line}\n")).collect();
    assert!(
        wrong.is_empty() && missing.is_empty(),
        "docs/operations.md explains what the program does not say:\n{wrong}and does not explain:\n{missing}"
    );
}

#[test]
fn a_package_holds_the_program_its_documents_and_what_goes_on_the_pbx() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--locked", "--allow-dirty"])
        .current_dir(project())
        .output()
        .unwrap();
    let files = String::from_utf8(output.stdout).unwrap();
    let files = set(files.lines());
    assert!(files.contains("src/main.rs"), "{}", String::from_utf8_lossy(&output.stderr));
    let mut wanted: Vec<_> = pages().iter().map(Page::name).collect();
    for folder in [
        "asterisk-conf",
        "packaging",
        "packaging/completions",
        "packaging/debian",
        "packaging/grafana",
        "packaging/man",
        "packaging/prometheus",
    ] {
        let inside = fs::read_dir(project().join(folder)).unwrap().map(Result::unwrap);
        let files = inside.filter(|file| file.path().is_file());
        wanted.extend(files.map(|file| format!("{folder}/{}", file.file_name().to_string_lossy())));
    }
    wanted.extend([".cargo/config.toml", "LICENSE-APACHE", "LICENSE-MIT"].map(str::to_owned));
    for file in &wanted {
        assert!(files.contains(file), "{file} is not in the package");
    }
    // Cargo's own, the pictures of the documents, the source, and what its unit tests read.
    let others = ["Cargo.", ".cargo_vcs_info.json", "askama.toml", "src/", "tests/data/test-only-"];
    let is_picture = |file: &str| file.starts_with("docs/") && file.ends_with(".png");
    for file in files.iter().filter(|file| !wanted.contains(file)) {
        let is_other = others.iter().any(|other| file.starts_with(other));
        assert!(is_other || is_picture(file), "{file} is in the package");
    }
}
