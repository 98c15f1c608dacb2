//! Unusable records, and remarks on usable ones: counted by reason, with a few examples, so that the data can be corrected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The examples of each reason.
const EXAMPLES: usize = 10;

/// Unusable records by reason, and remarks on usable ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableRecords {
    /// Usable records with a number that can be read in two ways, or with a length that is not in the numbering plan.
    #[serde(default, skip_serializing_if = "ByReason::is_empty")]
    remarks: ByReason,
    #[serde(flatten)]
    reasons: ByReason,
}

type ByReason = BTreeMap<Cow<'static, str>, Examples>;

/// The records of one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examples {
    /// The count of records.
    pub count: usize,
    /// The first ten, masked.
    pub first: Vec<String>,
}

impl UnusableRecords {
    /// Counts an unusable record. `example` describes it, masked; it is called for the first ten only.
    pub fn count(&mut self, reason: &'static str, example: impl FnOnce() -> String) {
        count(&mut self.reasons, reason, example);
    }

    /// Counts a remark on a usable record. `example` is as in [`count`](Self::count).
    pub fn remark(&mut self, remark: &'static str, example: impl FnOnce() -> String) {
        count(&mut self.remarks, remark, example);
    }

    /// The reasons, with their examples.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &Examples)> {
        self.reasons.iter().map(|(reason, examples)| (reason.as_ref(), examples))
    }

    /// The remarks in words, with their examples.
    pub fn remarks(&self) -> impl Iterator<Item = (&str, &Examples)> {
        self.remarks.iter().map(|(remark, examples)| {
            let words = match remark.as_ref() {
                "two_readings" => "can be read in two ways",
                "unknown_length" => "of a length that the numbering plan does not know",
                other => other,
            };
            (words, examples)
        })
    }

    /// Whether there is no unusable record and no remark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty() && self.remarks.is_empty()
    }

    /// The count of unusable records.
    #[must_use]
    pub fn total(&self) -> usize {
        self.reasons.values().map(|examples| examples.count).sum()
    }
}

fn count(by_reason: &mut ByReason, reason: &'static str, example: impl FnOnce() -> String) {
    let examples = by_reason.entry(Cow::Borrowed(reason)).or_default();
    examples.count += 1;
    if examples.first.len() < EXAMPLES {
        examples.first.push(example());
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

    #[test]
    fn remarks_are_kept_beside_the_others_and_old_files_have_none() {
        let mut records = UnusableRecords::default();
        records.remark("two_readings", || "line 2: number +49••••78".into());
        assert_eq!((records.total(), records.is_empty()), (0, false));
        records.count("zero", || "line 3".into());
        let text = serde_json::to_string(&records).unwrap();
        assert_eq!(serde_json::from_str::<UnusableRecords>(&text).unwrap(), records);
        let old = r#"{"zero":{"count":1,"first":["line 3"]}}"#;
        let old: UnusableRecords = serde_json::from_str(old).unwrap();
        assert_eq!((old.total(), old.remarks().count()), (1, 0));
        let words: Vec<_> = records.remarks().map(|(words, examples)| (words, examples.count)).collect();
        assert_eq!(words, [("can be read in two ways", 1)]);
    }
}
