//! One TOML file → the settings that each room owns.
//!
//! Every error names the file, the line, the key, the value and what is allowed; a mistyped key is
//! answered with the nearest known one. Values of secrets are never part of an error.

mod auth;
mod error;
mod fastagi;
mod file;
mod names;
mod numbers;
mod ranges;
mod superoffice;
mod value;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::ConfigError;

use crate::asterisk::{agi, ari};
use crate::directory::merge::Rules;
use crate::lookup::Pbx;
use crate::name::Style;
use crate::number::Country;
use crate::observe::logging;
use crate::source::{self, csv};
use crate::web;
use error::Place;
use value::secret;

/// Where the configuration is looked for.
pub const DEFAULT_PATH: &str = "/etc/nameplate/nameplate.toml";

/// Where the lists are kept.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/nameplate";

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// `state_dir`: where the lists are kept.
    pub state_dir: PathBuf,
    /// `[log]`
    pub log: logging::Settings,
    /// `[names]`
    pub style: Style,
    /// `[names] shared_numbers` and `[ranges]`: how lists become a directory.
    pub rules: Rules,
    /// `[numbers]`: how the command line reads digits, and every PBX without a `numbers` table of its own.
    pub pbx: Pbx,
    /// Keys that had a meaning in the version before.
    retired: Vec<&'static str>,
    /// `[[source]]`, in order: an earlier one wins. At least one.
    pub sources: Vec<source::Settings>,
    /// `[[asterisk]]`
    pub asterisks: Vec<ari::Settings>,
    /// `[agi]`; without it nothing listens.
    pub agi: Option<agi::Settings>,
    /// `[web]`; without it nothing listens.
    pub web: Option<web::Settings>,
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

    /// Whether the service could run with it: without an `[[asterisk]]`, `[agi]` and `[web]` nobody would ask it for
    /// names.
    pub fn check_for_service(&self) -> Result<(), ConfigError> {
        if self.asterisks.is_empty() && self.agi.is_none() && self.web.is_none() {
            let place = Place { path: &self.path, text: "" };
            return Err(place.whole(
                "there is no [[asterisk]], [agi] or [web]: nobody would ask for names; switch one of them on",
            ));
        }
        Ok(())
    }

    /// What the administrator should know of this configuration, though the service runs with it.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let retired = |key| format!("{key} has no meaning any more: delete it. The next version refuses it");
        let moved = self.agi.as_ref().and_then(agi::Settings::default_has_moved);
        self.retired.iter().map(retired).chain(moved.map(|what| format!("[agi] {what}"))).collect()
    }

    /// Reads `text`, which stands in the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let place = Place { path, text };
        let file: file::File = toml::from_str(text).map_err(|error| place.toml(&error))?;
        let numbers = file.numbers.settings();
        let reader = Reader { place, folder: path.parent().unwrap_or(Path::new("")) };
        let pbx = Pbx::new(numbers);
        Ok(Self {
            path: path.to_owned(),
            state_dir: file.state_dir.map_or_else(|| DEFAULT_STATE_DIR.into(), |path| reader.path(path)),
            log: file.log.settings(),
            rules: Rules {
                shared: file.names.shared_numbers,
                ranges: file.ranges.settings(reader.place, pbx.numbers.country)?,
            },
            style: reader.style(file.names, &file.source)?,
            sources: reader.sources(file.source, pbx.numbers.country)?,
            asterisks: reader.asterisks(file.asterisk, &pbx)?,
            retired: file.lookups.kept.map(|_| "`kept` in [lookups]").into_iter().collect(),
            agi: file.agi.map(|table| reader.agi(table, &pbx)).transpose()?,
            web: file.web.map(|table| reader.web(table)).transpose()?,
            pbx,
        })
    }
}

/// Turns the file's tables into settings.
struct Reader<'a> {
    place: Place<'a>,
    /// Relative paths begin here.
    folder: &'a Path,
}

/// How often a whole set is asked for.
const DAY: Duration = Duration::from_hours(24);

impl Reader<'_> {
    fn path(&self, path: PathBuf) -> PathBuf {
        self.folder.join(path)
    }

    fn sources(
        &self,
        tables: Vec<toml::Spanned<file::Source>>,
        country: Country,
    ) -> Result<Vec<source::Settings>, ConfigError> {
        if tables.is_empty() {
            return Err(self.place.whole("there is no [[source]]: no name could ever be found"));
        }
        if tables.len() > source::MAX {
            return Err(self.place.whole(&format!("more than {} [[source]] tables", source::MAX)));
        }
        let mut sources = Vec::new();
        // Where the lists of one group come from: one SuperOffice, or one file.
        let mut origins: Vec<String> = Vec::new();
        let mut names = BTreeSet::new();
        let mut lists = BTreeSet::new();
        for table in tables {
            let at = table.span().start;
            let table = table.into_inner();
            let name = table.name.0.0.clone();
            let wrong = |what: String| self.place.at(at, &format!("[[source]] `{name}`: {what}"));
            if !names.insert(name.clone()) {
                return Err(wrong("`name` is another source's too; names are unique".into()));
            }
            let refresh = table.refresh.as_ref().map(|period| period.0.0);
            let full_refresh = table.full_refresh.as_ref().map_or(DAY, |period| period.0.0);
            let (kind, refresh, origin) = match table.kind {
                file::Type::Csv => {
                    let file = self.csv(table, country).map_err(wrong)?;
                    let default = Duration::from_mins(1);
                    (source::Kind::Csv(file), refresh.unwrap_or(default), format!("csv {name}"))
                }
                file::Type::Superoffice => {
                    let settings = self.superoffice(table, country).map_err(wrong)?;
                    let origin = format!("superoffice {}", settings.site.origin());
                    let default = Duration::from_mins(5);
                    (source::Kind::SuperOffice(Box::new(settings)), refresh.unwrap_or(default), origin)
                }
            };
            let group = origins.iter().position(|known| *known == origin).unwrap_or(origins.len());
            if group == origins.len() {
                origins.push(origin);
            }
            let group = u16::try_from(group).unwrap_or(u16::MAX);
            let settings = source::Settings { name: name.clone(), kind, refresh, full_refresh, group };
            let searches = |other: &source::Settings| other.group == group && other.searches_on_miss();
            if settings.searches_on_miss() && sources.iter().any(searches) {
                return Err(wrong("`search_on_miss` is on for another source of the same SuperOffice; allowed is one, because people behind one number are judged together".into()));
            }
            // A selection's list is named after its source: `sales-201` must not be a source as well.
            for list in settings.lists().into_iter().map(|list| list.name(&settings.name)) {
                if !lists.insert(list.clone()) {
                    return Err(wrong(format!("its list `{list}` would bear another one's name")));
                }
            }
            sources.push(settings);
        }
        Ok(sources)
    }

    fn csv(&self, table: file::Source, country: Country) -> Result<csv::File, String> {
        let foreign = [
            ("api", table.api.is_some()),
            ("tenant", table.tenant.is_some()),
            ("host", table.host.is_some()),
            ("auth", table.auth.is_some()),
            ("app_token", table.app_token.is_some()),
            ("app_token_file", table.app_token_file.is_some()),
            ("app_token_env", table.app_token_env.is_some()),
            ("selections", table.selections.is_some()),
            ("language", table.language.is_some()),
            ("so_language", table.so_language.is_some()),
            ("so_culture", table.so_culture.is_some()),
            ("so_timezone", table.so_timezone.is_some()),
            ("window_past", table.window_past.is_some()),
            ("window_future", table.window_future.is_some()),
            ("ca_file", table.ca_file.is_some()),
            ("proxy", table.proxy.is_some()),
            ("first_byte", table.first_byte.is_some()),
            ("timeout", table.timeout.is_some()),
            ("max_answer", table.max_answer.is_some()),
            ("search_on_miss", table.search_on_miss.is_some()),
        ];
        refuse(&foreign, "superoffice", "csv")?;
        let path = table.path.ok_or("`path` is missing: the CSV file")?;
        let delimiter = table.delimiter.map(|delimiter| delimiter.0.0);
        Ok(csv::File { path: self.path(path), delimiter, country })
    }

    fn asterisks(
        &self,
        tables: Vec<toml::Spanned<file::Asterisk>>,
        common: &Pbx,
    ) -> Result<Vec<ari::Settings>, ConfigError> {
        let mut asterisks: Vec<ari::Settings> = Vec::new();
        let mut names = BTreeSet::new();
        // PBXs with the same numbers share their kept answers.
        let mut different = vec![common.clone()];
        for table in tables {
            let at = table.span().start;
            let table = table.into_inner();
            let name = table.name.0.0;
            let wrong = |what: String| self.place.at(at, &format!("[[asterisk]] `{name}`: {what}"));
            if !names.insert(name.clone()) {
                return Err(wrong("`name` is another PBX's too; names are unique".into()));
            }
            let file = table.password_file.map(|path| self.path(path));
            let password = secret("password", table.password, file, table.password_env).map_err(wrong)?;
            if name == agi::NAME {
                return Err(wrong(format!("`{}` is the name of FastAGI's calls; take another", agi::NAME)));
            }
            let url = table.url.0.0;
            if table.ca_file.is_some() && url.scheme() != "https" {
                return Err(wrong(format!("`ca_file` is for https://, and `url` is {url}")));
            }
            let app = table.app.map_or_else(|| "nameplate".into(), |app| app.0.0);
            let same = |other: &&ari::Settings| other.app == app && other.url == url;
            if let Some(other) = asterisks.iter().find(same) {
                let other = &other.name;
                return Err(wrong(format!(
                    "`{other}` has the app `{app}` at {url} already, and one would take it from the other; give it an `app` of its own"
                )));
            }
            let pbx = match table.numbers.map(|own| own.settings(&common.numbers)) {
                None => common.clone(),
                Some(own) => {
                    let known = different.iter().find(|known| known.numbers == own).cloned();
                    known.unwrap_or_else(|| Pbx::new(own))
                }
            };
            different.push(pbx.clone());
            asterisks.push(ari::Settings {
                url,
                ca_file: table.ca_file.map(|path| self.path(path)),
                username: table.username,
                password,
                app,
                pbx,
                name,
            });
        }
        Ok(asterisks)
    }

    fn web(&self, table: toml::Spanned<file::Web>) -> Result<web::Settings, ConfigError> {
        let at = table.span().start;
        let table = table.into_inner();
        let file = table.token_file.map(|path| self.path(path));
        let token = if table.token.is_none() && file.is_none() && table.token_env.is_none() {
            Ok(None)
        } else {
            secret("token", table.token, file, table.token_env).map(Some)
        };
        token
            .and_then(|token| web::Settings::try_new(table.listen.0.0, token))
            .map_err(|what| self.place.at(at, &format!("[web]: {what}")))
    }
}

/// An error for the first key that is there and belongs to the other type of source.
fn refuse(foreign: &[(&str, bool)], theirs: &str, ours: &str) -> Result<(), String> {
    match foreign.iter().find(|(_, there)| *there) {
        Some((key, _)) => Err(format!("`{key}` is for type = \"{theirs}\"; this one is \"{ours}\"")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
