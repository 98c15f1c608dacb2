//! Records that can't be used: counted by reason, with a few examples, so that someone can mend the data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How many examples of each reason are kept.
const EXAMPLES: usize = 10;

/// Records that can't be used, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnusableRecords {
    reasons: BTreeMap<Cow<'static, str>, Examples>,
}

/// The records of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examples {
    /// How many there are.
    pub count: usize,
    /// The first ten, masked.
    pub first: Vec<String>,
}

impl UnusableRecords {
    /// Counts a record. `example` names it, masked, and is asked for only while examples are few.
    pub fn count(&mut self, reason: &'static str, example: impl FnOnce() -> String) {
        let examples = self.reasons.entry(Cow::Borrowed(reason)).or_default();
        examples.count += 1;
        if examples.first.len() < EXAMPLES {
            examples.first.push(example());
        }
    }

    /// The reasons, with their examples.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &Examples)> {
        self.reasons.iter().map(|(reason, examples)| (reason.as_ref(), examples))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// How many records there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.reasons.values().map(|examples| examples.count).sum()
    }
}

/// `2 fraction (record 17: …; record 40: …), 1 zero (…)`: one line for the log.
impl fmt::Display for UnusableRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (reason, examples)) in self.reasons.iter().enumerate() {
            let separator = if place > 0 { ", " } else { "" };
            write!(f, "{separator}{} {reason} ({}", examples.count, examples.first.join("; "))?;
            f.write_str(if examples.count > examples.first.len() { "; …)" } else { ")" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_shows_ten() {
        let mut unusable = UnusableRecords::default();
        for record in 1..=12 {
            unusable.count("zero", || format!("record {record}"));
        }
        unusable.count("fraction", || "record 3: 99.99".into());
        assert_eq!(unusable.total(), 13);
        let line = unusable.to_string();
        assert!(line.starts_with("1 fraction (record 3: 99.99), 12 zero (record 1; record 2;"), "{line}");
        assert!(line.ends_with("record 10; …)"), "{line}");
    }
}
