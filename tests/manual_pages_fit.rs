//! The manual pages and the completions of the package say what the program takes: they are made of its command line and of
//! `docs/configuration.md`, whose settings `documents_are_true` compares with the program's.
//!
//! `NAMEPLATE_GOLDEN=write` writes them anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, iter};

use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use nameplate::cli;
use tempfile::TempDir;

use crate::lab::nameplate::project;

#[path = "manual_pages_fit/roff.rs"]
mod roff;

/// What a page has at its foot.
const VERSION: &str = concat!("nameplate ", env!("CARGO_PKG_VERSION"));

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let named = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (named(&path), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Compares a folder of `packaging/` with what it has to hold, or writes it.
fn compare(folder: &str, wanted: &BTreeMap<String, String>) {
    let path = project().join("packaging").join(folder);
    if std::env::var_os("NAMEPLATE_GOLDEN").is_some_and(|how| how == "write") {
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir(&path).unwrap();
        for (name, text) in wanted {
            fs::write(path.join(name), text).unwrap();
        }
        return;
    }
    let found = files(&path);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "packaging/{folder}");
    for (name, text) in wanted {
        for (number, (is, is_wanted)) in (1..).zip(found[name].lines().zip(text.lines())) {
            assert_eq!(
                is, is_wanted,
                "packaging/{folder}/{name}, line {number}: NAMEPLATE_GOLDEN=write mends it"
            );
        }
        assert_eq!(&found[name], text, "packaging/{folder}/{name} is longer or shorter");
    }
}

/// A page for the program, and one for each of its commands.
fn command_pages() -> BTreeMap<String, String> {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let made = |command: &clap::Command| {
        let page = Man::new(command.clone()).source(VERSION).manual("Nameplate");
        let mut text = Vec::new();
        page.render(&mut text).unwrap();
        (page.get_filename(), String::from_utf8(text).unwrap())
    };
    iter::once(&command).chain(command.get_subcommands()).map(made).collect()
}

#[test]
fn the_manual_pages_are_those_of_the_program() {
    let mut pages = command_pages();
    let configuration = fs::read_to_string(project().join("docs/configuration.md")).unwrap();
    let page = roff::page(&configuration);
    // One key of each table, and of the first and the last section.
    for key in [
        "state_dir",
        "country",
        "max_bytes",
        "delimiter",
        "tenant",
        "basic",
        "max_sessions",
        "token",
        "NO_COLOR",
    ] {
        assert!(page.contains(&format!("\n.TP\n\\fB{key}\\fR")), "{key}");
    }
    pages.insert("nameplate.toml.5".into(), page);
    assert!(pages.len() >= 7, "{:?}", pages.keys());
    compare("man", &pages);
}

#[test]
fn the_completions_are_those_of_the_program() {
    let made = TempDir::new().unwrap();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut cli::command(), "nameplate", made.path()).unwrap();
    }
    compare("completions", &files(made.path()));
}
