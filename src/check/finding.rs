//! One finding, in words for an administrator.

use std::fmt;

use serde::Serialize;

/// How bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It can't be seen from here; the remedy says how to look.
    Unknown,
    /// Calls have names, but something is not as it should be.
    Warning,
    /// Some calls, or all, have no names; the service does not start; or `[share]` shares nothing.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The section of the configuration, or the thing on this machine: `[[source]] sales`.
    pub place: String,
    /// What was found.
    pub what: String,
    /// What it means for calls; "" if all is well.
    pub meaning: String,
    /// The command or the setting that mends it; "" if all is well.
    pub remedy: String,
}

impl Finding {
    /// All is well.
    pub fn ok(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Ok, place, what, "", "")
    }

    /// It can't be seen from here. `remedy`: how to look.
    pub fn unknown(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Level::Unknown, place, what, "", remedy)
    }

    /// Calls have names, but something is not as it should be.
    pub fn warning(
        place: impl Into<String>,
        what: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Level::Warning, place, what, meaning, remedy)
    }

    /// Some calls, or all, have no names; or the service does not start.
    pub fn error(
        place: impl Into<String>,
        what: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(Level::Error, place, what, meaning, remedy)
    }

    fn new(
        level: Level,
        place: impl Into<String>,
        what: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (place, what) = (place.into(), what.into());
        Self { level, place, what, meaning: meaning.into(), remedy: remedy.into() }
    }
}

/// One line: `error    [[asterisk]] pbx1: … — … — …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{level:<8} {}: {}", self.place, self.what)?;
        for more in [&self.meaning, &self.remedy].into_iter().filter(|more| !more.is_empty()) {
            write!(f, " — {more}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_and_one_object() {
        let finding = Finding::error("[web]", "it is taken", "no lookups over HTTP", "take another `listen`");
        let line = "error    [web]: it is taken — no lookups over HTTP — take another `listen`";
        assert_eq!(finding.to_string(), line);
        assert_eq!(Finding::ok("[web]", "free").to_string(), "ok       [web]: free");
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!((&json["level"], &json["place"]), (&"error".into(), &"[web]".into()));
        assert!(
            Level::Ok < Level::Unknown && Level::Unknown < Level::Warning && Level::Warning < Level::Error
        );
    }
}
