//! What is wrong with a configuration, and where.

use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or can't be read.
    #[error("can't read the configuration {}: {error}; --config or NAMEPLATE_CONFIG names another", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error("{place}: {what}")]
    Wrong {
        /// `FILE:LINE`, or the file alone where something is missing.
        place: String,
        /// The key, the value, and what is allowed.
        what: String,
    },
}

/// The text that is being read, for naming places in it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// The folder of the file: where relative paths begin.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// What `read` makes of this table. Its error is at the beginning of the table, with `title` in front.
    pub(super) fn table<Table, Settings>(
        &self,
        title: &str,
        table: Spanned<Table>,
        read: impl FnOnce(Table) -> Result<Settings, String>,
    ) -> Result<Settings, ConfigError> {
        let at = table.span().start;
        read(table.into_inner()).map_err(|what| self.at(at, &format!("{title}: {what}")))
    }

    /// Something is wrong with the file as a whole.
    pub(super) fn whole(&self, what: &str) -> ConfigError {
        ConfigError::Wrong { place: self.path.display().to_string(), what: what.to_owned() }
    }

    /// Something is wrong at byte `at`.
    pub(super) fn at(&self, at: usize, what: &str) -> ConfigError {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        ConfigError::Wrong { place: format!("{}:{line}", self.path.display()), what: what.to_owned() }
    }

    /// What the TOML reader complains about.
    pub(super) fn toml(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message();
        let Some(span) = error.span() else { return self.whole(&plain(message)) };
        if message.contains("expected a sequence") {
            let line = self.text.get(span.start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            return self.at(
                span.start,
                &format!("`{}`: a table of which there may be several has two brackets, [[…]]", line.trim()),
            );
        }
        let what = match unknown_key(message) {
            Some(what) => what,
            None => match self.key_at(span.start) {
                Some(key) if holds_secret(key) => format!("`{key}`: {}", without_value(message)),
                Some(key) => format!("`{key}`: {}", plain(message)),
                None => plain(message),
            },
        };
        self.at(span.start, &what)
    }

    /// The key whose value stands at byte `at`: what is left of the `=` in front of it.
    fn key_at(&self, at: usize) -> Option<&str> {
        let before = self.text.get(..at)?;
        let line = before.rsplit('\n').next()?;
        let (key, _) = line.rsplit_once('=')?;
        let key = key.rsplit(['{', ',']).next()?.trim();
        (!key.is_empty()).then_some(key)
    }
}

/// Whether a value of `key` is, or may contain, a secret.
fn holds_secret(key: &str) -> bool {
    ["auth", "password", "secret", "token", "ticket", "cookie", "key"].iter().any(|word| key.contains(word))
}

/// `invalid type: string "…", expected a table` without what was found.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("allowed is {expected} (the value is not shown)"),
        None => plain(message),
    }
}

/// A message of the TOML reader as one line.
fn plain(message: &str) -> String {
    if message.starts_with("missing field `numbers`") {
        return "there is no [numbers] with the country of this PBX: country = \"NO\"".into();
    }
    if message.contains("invalid float") || message.contains("string values must be quoted") {
        return "this is no number; a text stands in quotes".into();
    }
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

/// For serde's "unknown field": the key, and the nearest of those that are known at its place.
fn unknown_key(message: &str) -> Option<String> {
    let (key, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    // The names between backticks.
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(key, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(key.len()) / 2);
    let allowed = format!("allowed are {}", known.join(", "));
    Some(match nearest {
        Some((_, nearest)) => format!("unknown key `{key}`: did you mean `{nearest}`? ({allowed})"),
        None => format!("unknown key `{key}`; {allowed}"),
    })
}
