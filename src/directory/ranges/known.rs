//! The ranges of the configuration: `"+47 2251 8000-8099" = "contact 243"`.

use std::cmp::Reverse;
use std::str::FromStr;
use std::sync::Arc;

use crate::number::{Country, Fit, Number, Reading, readings};

/// The most numbers of one range: extensions of six digits. A wider range is a mistake.
const WIDEST: u64 = 1_000_000;

/// The error of a range, with the forms that are allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RangeError(String);

impl RangeError {
    pub(in crate::directory) fn new(what: String) -> Self {
        Self(what)
    }
}

/// The company of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The company with this id in the CRM, of the first source that has it.
    CompanyId(u32),
    /// A company of this name, in a source or not.
    CompanyName(String),
}

/// Reads `contact 243` or `company Fjord Sjømat AS`.
impl FromStr for Holder {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || {
            let allowed = "`contact 243` (the company's id in the CRM) and `company Fjord Sjømat AS`";
            RangeError(format!("`{text}` names no company; allowed are forms like {allowed}"))
        };
        let (kind, whose) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        match (kind, whose.trim()) {
            ("contact", id) => match id.parse() {
                Ok(id) if id > 0 => Ok(Self::CompanyId(id)),
                _ => Err(wrong()),
            },
            ("company", name) if !name.is_empty() => Ok(Self::CompanyName(name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// Numbers of one length, from a first to a last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRange {
    /// The first and the last number, packed. Both have the same leading zeros.
    first: u64,
    last: u64,
    label: String,
    holder: Holder,
    /// The place of the narrowest range around it in [`KnownRanges`]; its own place if there is none.
    around: usize,
}

impl KnownRange {
    /// Reads `+47 2251 8000-8099`: the first number, then the last number or its last digits. Without a plus both are
    /// numbers of `country`.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if an end is not a possible number, or the ends have different lengths.
    pub fn new(text: &str, holder: Holder, country: Country) -> Result<Self, RangeError> {
        let (first, last) = ends(text, country)?;
        let (from, to) = (first.number.packed(), last.number.packed());
        let label = label(&first, &last);
        Ok(Self { first: from, last: to, label, holder, around: 0 })
    }

    /// The count of numbers in the range.
    pub(super) fn width(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The range in the form that is shown: `+4722518000-8099`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The company of the range.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    fn holds(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }

    fn lies_in(&self, other: &Self) -> bool {
        other.holds(self.first) && other.holds(self.last)
    }
}

/// The first and the last number of a range: `+47 2251 8000-8099`.
///
/// # Errors
///
/// As [`KnownRange::new`].
pub(in crate::directory) fn ends(text: &str, country: Country) -> Result<(Reading, Reading), RangeError> {
    let wrong =
        |what: &str| RangeError(format!("`{text}` {what}; allowed are forms like +47 2251 8000-8099"));
    let (start, end) = text.rsplit_once(['-', '–']).ok_or_else(|| wrong("is no range of numbers"))?;
    let (start, end) = (start.trim(), end.trim());
    let first = read(start, country).ok_or_else(|| wrong("does not begin with a possible number"))?;
    let end = if end.starts_with('+') {
        end.to_owned()
    } else {
        let digits: String = end.split_whitespace().collect();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("has more than digits behind its last dash"));
        }
        with_last_digits(start, &digits)
            .ok_or_else(|| wrong("has an end that is longer than its beginning"))?
    };
    let last = read(&end, country).ok_or_else(|| wrong("does not end with a possible number"))?;
    let length = |reading: &Reading| reading.number.to_string().len();
    let alike = (first.number.country_code(), first.number.leading_zeros(), length(&first))
        == (last.number.country_code(), last.number.leading_zeros(), length(&last));
    if !alike {
        return Err(wrong("has ends of different lengths or countries"));
    }
    let (from, to) = (first.number.packed(), last.number.packed());
    if from >= to {
        return Err(wrong("does not end behind its beginning"));
    }
    if to - from >= WIDEST {
        return Err(wrong(&format!("holds more than {WIDEST} numbers")));
    }
    Ok((first, last))
}

/// The best reading of a number that an administrator writes, as in a CSV file.
pub(in crate::directory) fn read(text: &str, country: Country) -> Option<Reading> {
    let found = readings(text, country, &[]);
    let fitting = |fit| found.iter().find(|reading| reading.fit == fit).copied();
    fitting(Fit::Valid).or_else(|| fitting(Fit::Possible))
}

/// `number` with `digits` in place of its last digits. None if it has fewer digits.
fn with_last_digits(number: &str, digits: &str) -> Option<String> {
    let mut new = digits.bytes().rev();
    let replaced = number.chars().rev().map(|c| match c {
        '0'..='9' => new.next().map_or(c, char::from),
        other => other,
    });
    let reversed: String = replaced.collect();
    new.next().is_none().then(|| reversed.chars().rev().collect())
}

/// The first number, then the digits in which the last number differs, at least four.
fn label(first: &Reading, last: &Reading) -> String {
    let (first, last) = (first.number.to_string(), last.number.to_string());
    let same = first.bytes().zip(last.bytes()).take_while(|(first, last)| first == last).count();
    let shown = last.get(same.min(last.len().saturating_sub(4))..).unwrap_or_default();
    format!("{first}-{shown}")
}

/// Ranges that do not overlap, except that one may lie in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownRanges {
    /// Ordered by first number; among equals the widest first.
    ranges: Arc<[KnownRange]>,
}

impl KnownRanges {
    /// Sorts and checks the ranges.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if two ranges are the same, or overlap and neither lies in the other.
    pub fn try_new(mut ranges: Vec<KnownRange>) -> Result<Self, RangeError> {
        ranges.sort_by_key(|range| (range.first, Reverse(range.last)));
        // The ranges that the next one may lie in, each inside the one before it.
        let mut open: Vec<usize> = Vec::new();
        for place in 0..ranges.len() {
            let apart = |around: &usize| {
                ranges
                    .get(*around)
                    .zip(ranges.get(place))
                    .is_none_or(|(around, range)| around.last < range.first)
            };
            while open.last().is_some_and(apart) {
                open.pop();
            }
            let around = open.last().copied().unwrap_or(place);
            if let (Some(outer), Some(range)) = (ranges.get(around), ranges.get(place))
                && around != place
                && (!range.lies_in(outer) || outer.lies_in(range))
            {
                let (one, other) = (&outer.label, &range.label);
                let both = if one == other {
                    "is there twice".to_owned()
                } else {
                    format!("and `{other}` overlap, and neither lies in the other")
                };
                return Err(RangeError(format!("`{one}` {both}; a number belongs to one company")));
            }
            if let Some(range) = ranges.get_mut(place) {
                range.around = around;
            }
            open.push(place);
        }
        Ok(Self { ranges: ranges.into() })
    }

    /// The ranges, in their own order.
    pub fn iter(&self) -> impl Iterator<Item = &KnownRange> {
        self.ranges.iter()
    }

    /// The narrowest range of the number, and its place.
    pub(super) fn find(&self, number: Number) -> Option<(usize, &KnownRange)> {
        let number = number.packed();
        let behind = self.ranges.partition_point(|range| range.first <= number);
        // The last range that begins before the number is the narrowest range of the number, or lies in that range.
        let mut place = behind.checked_sub(1)?;
        loop {
            let range = self.ranges.get(place)?;
            if range.holds(number) {
                return Some((place, range));
            }
            if range.around == place {
                return None;
            }
            place = range.around;
        }
    }
}
