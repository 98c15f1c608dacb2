//! Numbers that must not be named, whatever a source delivers: `[[suppress]]` of the configuration, and `nameplate forget`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::list::{List, Records};
use super::ranges::{RangeError, ends, read};
use crate::entry::Entry;
use crate::number::{Country, Number};

/// Numbers that must not be named. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// Ordered, and apart from each other.
    spans: Arc<[Span]>,
}

/// A number, or all numbers of a range. Ordered by the first number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first and the last number, packed.
    first: u64,
    last: u64,
}

impl Span {
    /// Reads `+47 22 33 44 55`, or a range: `+47 2251 8000-8099`. Without a plus it is a number of `country`.
    ///
    /// # Errors
    ///
    /// [`RangeError`] with the text and the forms that are allowed.
    pub fn new(text: &str, country: Country) -> Result<Self, RangeError> {
        if text.contains(['-', '–']) {
            let (first, last) = ends(text, country)?;
            return Ok(Self { first: first.number.packed(), last: last.number.packed() });
        }
        number(text, country)
            .map(Self::from)
            .map_err(|error| RangeError::new(format!("{error}, and +47 2251 8000-8099")))
    }
}

/// Reads one number. Without a plus it is a number of `country`.
///
/// # Errors
///
/// [`RangeError`] with the text and the forms that are allowed.
pub fn number(text: &str, country: Country) -> Result<Number, RangeError> {
    read(text, country).map(|reading| reading.number).ok_or_else(|| {
        RangeError::new(format!(
            "`{text}` is no possible number; allowed are forms like +47 22 33 44 55 and 22 33 44 55"
        ))
    })
}

impl From<Number> for Span {
    fn from(number: Number) -> Self {
        Self { first: number.packed(), last: number.packed() }
    }
}

impl FromIterator<Span> for Suppressed {
    fn from_iter<T: IntoIterator<Item = Span>>(spans: T) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_unstable();
        spans.dedup_by(|next, before| {
            let overlap = next.first <= before.last;
            if overlap {
                before.last = before.last.max(next.last);
            }
            overlap
        });
        Self { spans: spans.into() }
    }
}

impl Suppressed {
    /// Whether every number may be named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether `number` must not be named.
    #[must_use]
    pub fn has(&self, number: Number) -> bool {
        let number = number.packed();
        let behind = self.spans.partition_point(|span| span.first <= number);
        behind.checked_sub(1).and_then(|place| self.spans.get(place)).is_some_and(|span| number <= span.last)
    }

    /// These numbers, and `others`.
    #[must_use]
    pub fn with(&self, others: impl IntoIterator<Item = Number>) -> Self {
        self.spans.iter().copied().chain(others.into_iter().map(Span::from)).collect()
    }

    /// Distinguishes these numbers from others; 0 for none. The hash of a list that was asked for with others is not sent: the
    /// list may lack records that may be named now.
    #[must_use]
    pub fn digest(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        self.spans.hash(&mut hasher);
        hasher.finish()
    }

    /// The records of the other numbers.
    #[must_use]
    pub fn hide<'a>(&'a self, records: Records<'a>) -> Records<'a> {
        if self.is_empty() {
            return records;
        }
        Box::new(records.filter(|record| record.as_ref().map_or(true, |record| !self.has(record.number()))))
    }

    /// Takes the records of these numbers out of a list. A record with two interpretations goes as a whole, if its likeliest
    /// number is one of these.
    #[must_use]
    pub fn take_out(&self, list: List) -> List {
        if self.is_empty() {
            return list;
        }
        let subscriber = |entry: Entry| {
            let Entry { person_id, person, mrmrs, company_id, company, .. } = entry;
            (person_id, person, mrmrs, company_id, company)
        };
        // This process has packed the list, so it can be unpacked.
        let entries = || list.entries().flatten();
        let gone = entries().filter(|entry| entry.likely && self.has(entry.number));
        let gone: HashSet<_> = gone.map(subscriber).collect();
        let is_gone = |entry: &Entry| !entry.likely && gone.contains(&subscriber(entry.clone()));
        entries().filter(|entry| !self.has(entry.number) && !is_gone(entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(national: u64) -> Number {
        Number::new(47, national).unwrap()
    }

    fn suppressed(texts: &[&str]) -> Suppressed {
        texts.iter().map(|text| Span::new(text, "NO".parse().unwrap()).unwrap()).collect()
    }

    #[test]
    fn numbers_and_ranges_are_found_and_no_others() {
        let all = suppressed(&["22 33 44 55", "+47 2251 8000-8099", "22518050-8150", "+46 8 123 456 78"]);
        assert_eq!(all.spans.len(), 3);
        for has in [22_334_455, 22_518_000, 22_518_099, 22_518_150] {
            assert!(all.has(number(has)), "{has}");
        }
        for has_not in [1, 22_334_454, 22_334_456, 22_517_999, 22_518_151, 99_999_999] {
            assert!(!all.has(number(has_not)), "{has_not}");
        }
        assert!(
            all.has(Number::new(46, 812_345_678).unwrap()) && !all.has(Number::new(46, 22_334_455).unwrap())
        );
        assert!(!Suppressed::default().has(number(22_334_455)));
        assert_eq!(Suppressed::default().digest(), 0);
        assert_ne!(all.digest(), suppressed(&["22334455"]).digest());
        assert_eq!(Suppressed::default().with([number(22_334_455)]), suppressed(&["+4722334455"]));
    }

    #[test]
    fn a_wrong_one_is_refused_with_what_is_allowed() {
        for text in ["", "Kari", "123", "22 33 44 55-", "+47 2251 8099-8000", "22334455-22"] {
            let error = Span::new(text, "NO".parse().unwrap()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{text}`")) && error.contains("allowed are forms like"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_record_with_two_numbers_goes_as_a_whole() {
        let entry = |national, likely, person: &str| Entry {
            likely,
            ..Entry::example(number(national), (1, person), (2, "Fjord"))
        };
        let list: List = [
            entry(22_334_455, true, "Kari"),
            entry(22_334_456, false, "Kari"),
            entry(22_334_457, true, "Kari"),
            entry(22_334_455, true, "Ola"),
            entry(22_334_458, false, "Eva"),
        ]
        .into_iter()
        .collect();
        let left = |texts| {
            let list = suppressed(texts).take_out(list.entries().map(Result::unwrap).collect());
            list.entries().map(|entry| entry.unwrap().number.national() - 22_334_450).collect::<Vec<_>>()
        };
        assert_eq!(left(&["22334455"]), [7, 8]);
        assert_eq!(left(&["22334456"]), [5, 5, 7, 8]);
        assert_eq!(left(&[]), [5, 5, 6, 7, 8]);
    }
}
