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
        /// `FILE:LINE`. `FILE` alone if something is missing in the file.
        place: String,
        /// The key, the value, and what is allowed.
        what: String,
    },
}

/// The TOML document that is being read. It makes errors that have their place.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Document<'_> {
    /// The folder of the file. Relative paths begin there.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Reads a table. An error of `read` gets the line of the table, and `title` in front.
    pub(super) fn table<Table, Settings>(
        &self,
        title: &str,
        table: Spanned<Table>,
        read: impl FnOnce(Table) -> Result<Settings, String>,
    ) -> Result<Settings, ConfigError> {
        let at = table.span().start;
        read(table.into_inner()).map_err(|what| self.at(at, &format!("{title}: {what}")))
    }

    /// An error of the whole file.
    pub(super) fn whole(&self, what: &str) -> ConfigError {
        ConfigError::Wrong { place: self.path.display().to_string(), what: what.to_owned() }
    }

    /// An error at byte `at`.
    pub(super) fn at(&self, at: usize, what: &str) -> ConfigError {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        ConfigError::Wrong { place: format!("{}:{line}", self.path.display()), what: what.to_owned() }
    }

    /// An error of the TOML reader.
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

    /// The key of the value at byte `at`: the word before the last `=` in front of the value.
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

/// A message without the value that was found: the end of `invalid type: string "…", expected a table`.
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

/// The message for serde's "unknown field": the key, the nearest known key, and all known keys of the table.
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
