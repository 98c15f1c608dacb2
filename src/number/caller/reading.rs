//! A reading of a caller's digits, and the readings of one caller.

use std::fmt;

use crate::number::Number;

/// The rule of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// With a plus: `+47 22 33 44 55`.
    International,
    /// With `00`, or with the international prefix of the country: `0047…`, `01147…` in the United States.
    InternationalPrefix,
    /// A national number: `22 33 44 55` in Norway.
    National,
    /// A national number with a trunk prefix: `030 1234567` in Germany.
    NationalTrunk,
    /// With a calling code, without a prefix: `4722334455`.
    WithoutPlus,
    /// Without the area code, which the settings of the PBX have: `555 0123` in New Jersey.
    AreaCode,
    /// Behind a surplus zero: `022 33 44 55` in Norway, which has no trunk prefix; `0 08-123 45 67` in Sweden.
    SurplusZero,
}

impl Rule {
    /// The rule's word in JSON; it does not change between releases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::International => "international",
            Self::InternationalPrefix => "international_prefix",
            Self::National => "national",
            Self::NationalTrunk => "national_trunk",
            Self::WithoutPlus => "without_plus",
            Self::AreaCode => "area_code",
            Self::SurplusZero => "surplus_zero",
        }
    }

    /// Whether digits were added or taken off without a sign of that in the number. Such a reading is only for callers that
    /// are unknown otherwise.
    #[must_use]
    pub const fn is_supposed(self) -> bool {
        matches!(self, Self::AreaCode | Self::SurplusZero)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How well a number fits the plan of its country. Better is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fit {
    /// No number of the country has that many digits. Only for the first of several readings: `00` in a country with another
    /// international prefix.
    Impossible,
    /// With a plus or an international prefix and a length that E.164 allows, but the metadata does not know: numbers of
    /// machines in Norway have 12 digits. Only without a better reading.
    Unplanned,
    /// Some numbers of the country have that many digits.
    Possible,
    /// The number is of a type in use: a mobile, a fixed line and so on.
    Valid,
}

/// One reading of a caller's digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The number to look up.
    pub number: Number,
    /// The rule of the reading.
    pub rule: Rule,
    /// How well the number fits its country's plan.
    pub fit: Fit,
    /// Whether outside-line digits were taken off.
    pub outside_line: bool,
}

/// The readings of one caller, most likely first. At most [`Readings::MAX`], each number once.
#[derive(Clone, Copy, Default)]
pub struct Readings {
    items: [Option<Reading>; Self::MAX],
}

impl Readings {
    /// The most readings of one caller.
    pub const MAX: usize = 6;

    /// The readings in order.
    pub fn iter(&self) -> impl Iterator<Item = &Reading> + Clone {
        self.items.iter().map_while(Option::as_ref)
    }

    /// The most likely reading.
    #[must_use]
    pub fn first(&self) -> Option<&Reading> {
        self.items[0].as_ref()
    }

    /// Number of readings, 0 to [`Readings::MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no reading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items[0].is_none()
    }
}

impl Readings {
    /// Drops what is beyond the first `len` readings.
    pub(in crate::number) fn truncate(&mut self, len: usize) {
        self.items.iter_mut().skip(len).for_each(|item| *item = None);
    }

    /// Adds `reading` behind readings that fit as well: valid readings come before possible ones. The first `settled`
    /// readings keep their places. A reading without a place is dropped.
    pub(in crate::number) fn add(&mut self, reading: Reading, settled: usize) {
        if self.iter().any(|known| known.number == reading.number) {
            return;
        }
        let fits_as_well = |known: &&Reading| known.fit >= reading.fit;
        let at = settled + self.iter().skip(settled).take_while(fits_as_well).count();
        if let Some(behind @ [_, ..]) = self.items.get_mut(at..) {
            behind.rotate_right(1);
            if let Some(place) = behind.first_mut() {
                *place = Some(reading);
            }
        }
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl IntoIterator for Readings {
    type Item = Reading;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Reading>, { Self::MAX }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(national: u64, fit: Fit) -> Reading {
        Reading { number: Number::new(47, national).unwrap(), rule: Rule::National, fit, outside_line: false }
    }

    fn nationals(readings: &Readings) -> Vec<u64> {
        readings.iter().map(|reading| reading.number.national()).collect()
    }

    #[test]
    fn what_has_no_place_falls_off_the_end() {
        let mut found = Readings::default();
        for national in 1..=Readings::MAX as u64 {
            found.add(reading(national, Fit::Possible), 0);
        }
        found.add(reading(99, Fit::Possible), 0);
        found.add(reading(99, Fit::Valid), Readings::MAX);
        assert_eq!(nationals(&found), [1, 2, 3, 4, 5, 6]);
        found.add(reading(99, Fit::Valid), 1);
        assert_eq!(nationals(&found), [1, 99, 2, 3, 4, 5]);
    }

    #[test]
    fn no_number_is_there_twice() {
        let mut found = Readings::default();
        for (national, fit) in [(1, Fit::Valid), (2, Fit::Possible), (3, Fit::Valid), (2, Fit::Possible)] {
            found.add(reading(national, fit), 0);
        }
        assert_eq!(nationals(&found), [1, 3, 2]);
        assert!(found.iter().map(|reading| reading.fit).eq([Fit::Valid, Fit::Valid, Fit::Possible]));
    }
}
