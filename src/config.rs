//! One TOML file → the settings that each room owns.
//!
//! - `file`: the tables of the file as they are written
//! - `value`: the values in them, each with what is allowed
//! - `settings`, `sources`, `auth`, `replicas`: the tables → the settings
//! - `error`: what is wrong, and where
//!
//! Each error has the file, the line, the key, the value and what is allowed. That of a mistyped key has the nearest known key. No
//! error has a secret.

mod auth;
mod error;
mod file;
mod replicas;
mod settings;
mod sources;
mod value;

use std::path::{Path, PathBuf};

pub use error::ConfigError;

use crate::asterisk::{agi, ari};
use crate::directory::merge::Rules;
use crate::directory::suppressed::Suppressed;
use crate::lookup::Pbx;
use crate::name::Style;
use crate::observe::logging;
use crate::share;
use crate::source;
use crate::web;
use error::Document;
use file::{File, Numbers};

/// The path of the configuration if none is given.
pub const DEFAULT_PATH: &str = "/etc/nameplate/nameplate.toml";

/// The folder of the lists if `state_dir` is not given.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/nameplate";

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// `state_dir`: the folder of the lists.
    pub state_dir: PathBuf,
    /// `[log]`
    pub log: logging::Settings,
    /// `[names]`
    pub style: Style,
    /// `[names] shared_numbers` and `[ranges]`: how lists become a directory.
    pub rules: Rules,
    /// `[[suppress]]`: numbers that must not be named.
    pub suppressed: Suppressed,
    /// `[numbers]`: how the command line reads digits, and every PBX without a `numbers` table of its own.
    pub pbx: Pbx,
    /// The keys in the file that had a meaning in the version before.
    retired: Vec<&'static str>,
    /// `[[source]]`, at least one. An earlier source wins over a later one.
    pub sources: Vec<source::Settings>,
    /// `[[asterisk]]`
    pub asterisks: Vec<ari::Settings>,
    /// `[agi]`; without it nothing listens.
    pub agi: Option<agi::Settings>,
    /// `[web]`; without it nothing listens.
    pub web: Option<web::Settings>,
    /// `[share]`; without it this service asks by itself.
    pub share: Option<share::Settings>,
}

/// The `state_dir` of the file at `path`, even if the rest of the file can't be used: a running service is asked there.
#[must_use]
pub fn state_dir(path: &Path) -> PathBuf {
    #[derive(serde::Deserialize)]
    struct Line {
        state_dir: PathBuf,
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut top = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    match top.find_map(|line| toml::from_str::<Line>(line).ok()) {
        Some(line) => path.parent().unwrap_or(Path::new("")).join(line.state_dir),
        None => DEFAULT_STATE_DIR.into(),
    }
}

impl Config {
    /// Reads the file at `path`. Paths inside it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(path, &text)
    }

    /// An error if there is no `[[asterisk]]`, `[agi]` or `[web]`: then nobody would ask the service for names.
    pub fn check_for_service(&self) -> Result<(), ConfigError> {
        if self.asterisks.is_empty() && self.agi.is_none() && self.web.is_none() {
            let document = Document { path: &self.path, text: "" };
            return Err(document.whole(
                "there is no [[asterisk]], [agi] or [web]: nobody would ask for names; switch one of them on",
            ));
        }
        Ok(())
    }

    /// Notices for the administrator. The service runs all the same.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let retired = |key| format!("{key} has no meaning any more: delete it. The next version refuses it");
        let moved = self.agi.as_ref().and_then(agi::Settings::default_has_moved);
        self.retired.iter().map(retired).chain(moved.map(|what| format!("[agi] {what}"))).collect()
    }

    /// Reads `text`, the content of the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document = Document { path, text };
        let file: File = toml::from_str(text).map_err(|error| document.toml(&error))?;
        let numbers = document.table("[numbers]", file.numbers, Numbers::common)?;
        let country = numbers.country;
        let pbx = Pbx::new(numbers);
        Ok(Self {
            path: path.to_owned(),
            state_dir: file
                .state_dir
                .map_or_else(|| DEFAULT_STATE_DIR.into(), |path| document.folder().join(path)),
            log: file.log.settings(),
            rules: Rules {
                shared: file.names.shared_numbers,
                ranges: file.ranges.settings(document, country)?,
                suppressed: Suppressed::default(),
                keeps_hidden: file.web.is_some(),
            },
            suppressed: settings::suppressed(document, file.suppress, country)?,
            style: file.names.style(document, &file.source)?,
            sources: sources::sources(document, file.source, country)?,
            asterisks: settings::asterisks(document, file.asterisk, &pbx)?,
            retired: file.lookups.kept.map(|_| "`kept` in [lookups]").into_iter().collect(),
            agi: file
                .agi
                .map(|table| document.table("[agi]", table, |table| table.settings(&pbx)))
                .transpose()?,
            web: file
                .web
                .map(|table| document.table("[web]", table, |table| table.settings(document.folder())))
                .transpose()?,
            share: file
                .share
                .map(|table| document.table("[share]", table, |table| table.settings(document.folder())))
                .transpose()?,
            pbx,
        })
    }
}

#[cfg(test)]
mod tests;
