//! What `nameplate check` has found.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::asterisk::Asterisk;
use crate::lab::nameplate::Folder;

/// What `check --json` has found.
pub(super) struct Found {
    output: Output,
    findings: Vec<Value>,
}

impl Found {
    /// Reads the lines of `check --json`.
    pub(super) fn of(output: Output) -> Self {
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let findings = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        Self { output, findings }
    }

    /// Fails unless there is this finding. A warning and an error have a meaning and a remedy.
    pub(super) fn has(&self, level: &str, place: &str, what: &str) {
        let found = self.findings.iter().find(|finding| {
            finding["level"] == level
                && finding["place"].as_str().unwrap().starts_with(place)
                && finding["what"].as_str().unwrap().contains(what)
        });
        let found = found.unwrap_or_else(|| panic!("{level} {place}: {what}\n{}", self.all()));
        if level == "warning" || level == "error" {
            assert!(found["meaning"] != "" && found["remedy"] != "", "{found}");
        }
    }

    /// How many findings have this level.
    pub(super) fn count(&self, level: &str) -> usize {
        self.findings.iter().filter(|finding| finding["level"] == level).count()
    }

    pub(super) fn status(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub(super) fn all(&self) -> String {
        let error = String::from_utf8_lossy(&self.output.stderr);
        String::from_utf8_lossy(&self.output.stdout).into_owned() + &error
    }
}

/// Looks, with this Asterisk's console on the machine.
pub(super) fn check_on_the_pbx(folder: &Folder, asterisk: &Asterisk) -> Found {
    fs::create_dir_all(folder.path("bin")).unwrap();
    asterisk.write_program(&folder.path("bin"));
    check_with_program(folder)
}

/// The same with whatever stands in `bin/asterisk`.
pub(super) fn check_with_program(folder: &Folder) -> Found {
    let path = format!("{}:{}", folder.path("bin").display(), std::env::var("PATH").unwrap());
    let output = tokio::task::block_in_place(|| {
        folder.run_behind(Command::new("env"), &[("PATH", &path)], &["check", "--json"])
    });
    Found::of(output)
}

pub(super) fn check(folder: &Folder) -> Found {
    Found::of(tokio::task::block_in_place(|| folder.run(&["check", "--json"])))
}
