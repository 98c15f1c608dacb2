//! The numbers in the order of their digits, so that those with the same first digits stand together.

use std::ops::Range;

use crate::number::Number;

/// The most digits that count: calling code, zeros and national number.
const DIGITS: u32 = 18;

/// All numbers, each with one entry that has it, ordered by their digits.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    numbers: Vec<u64>,
    entries: Vec<u32>,
    /// The calling codes that there are.
    codes: Vec<u16>,
}

/// The digits of a number behind its plus, from the left: as many as there are, then zeros up to [`DIGITS`].
fn digits(number: Number) -> (u64, u32) {
    let mut count = count_of(u64::from(number.country_code())) + u32::from(number.leading_zeros());
    let national = count_of(number.national());
    count += national;
    let code = u64::from(number.country_code());
    let zeros = u32::from(number.leading_zeros());
    let scaled = |digits: u64, behind: u32| match DIGITS.checked_sub(behind) {
        Some(places) => digits.saturating_mul(10_u64.saturating_pow(places)),
        // Longer than any number in use.
        None => digits / 10_u64.saturating_pow(behind - DIGITS),
    };
    let code_digits = count_of(code);
    let value =
        scaled(code, code_digits).saturating_add(scaled(number.national(), code_digits + zeros + national));
    (value, count)
}

fn count_of(number: u64) -> u32 {
    number.checked_ilog10().map_or(0, |digits| digits + 1)
}

impl Numbers {
    pub(super) fn build(pairs: impl Iterator<Item = (Number, u32)>) -> Self {
        let mut sorted: Vec<(u64, u64, u32)> =
            pairs.map(|(number, entry)| (digits(number).0, number.packed(), entry)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let codes = sorted.iter().filter_map(|(_, number, _)| Number::from_packed(*number));
        let mut codes: Vec<u16> = codes.map(Number::country_code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.shrink_to_fit();
        Self {
            numbers: sorted.iter().map(|(_, number, _)| *number).collect(),
            entries: sorted.iter().map(|(_, _, entry)| *entry).collect(),
            codes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The calling codes that there are, in order.
    pub(super) fn codes(&self) -> &[u16] {
        &self.codes
    }

    pub(super) fn at(&self, place: usize) -> Option<Number> {
        self.numbers.get(place).copied().and_then(Number::from_packed)
    }

    pub(super) fn entry(&self, place: usize) -> Option<u32> {
        self.entries.get(place).copied()
    }

    /// The entries of all numbers, in the order of the numbers.
    pub(super) fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// The places of the numbers whose digits, behind the plus, begin with `start`: digits only.
    pub(super) fn beginning_with(&self, start: &str) -> impl Iterator<Item = usize> {
        let range = self.range(start);
        let length = u32::try_from(start.len()).unwrap_or(u32::MAX);
        // `471` has the same digits as `4710` from the left.
        range.filter(move |place| self.at(*place).is_some_and(|number| digits(number).1 >= length))
    }

    fn range(&self, start: &str) -> Range<usize> {
        let length = u32::try_from(start.len()).unwrap_or(u32::MAX);
        let Some((value, places)) = start.parse::<u64>().ok().zip(DIGITS.checked_sub(length)) else {
            return 0..0;
        };
        let unit = 10_u64.saturating_pow(places);
        let (first, behind) = (value.saturating_mul(unit), (value + 1).saturating_mul(unit));
        let before = |limit: u64| {
            self.numbers.partition_point(|packed| {
                Number::from_packed(*packed).is_some_and(|number| digits(number).0 < limit)
            })
        };
        before(first)..before(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_the_same_first_digits_stand_together() {
        let number = |code, zeros, national| Number::with_zeros(code, zeros, national).unwrap();
        let all = [
            number(47, 0, 22_334_455),
            number(47, 0, 1),
            number(47, 0, 10),
            number(39, 1, 2_123),
            number(39, 0, 2_123),
            number(1, 0, 6_502_530_000),
            number(999, 15, 999_999_999_999_999),
        ];
        let numbers = Numbers::build(all.into_iter().zip(0..));
        let found = |start: &str| -> Vec<String> {
            numbers.beginning_with(start).map(|place| numbers.at(place).unwrap().to_string()).collect()
        };
        assert_eq!(found("47"), ["+471", "+4710", "+4722334455"]);
        assert_eq!(found("4710"), ["+4710"]);
        assert_eq!(found("471"), ["+471", "+4710"]);
        assert_eq!(found("390"), ["+3902123"]);
        assert_eq!(found("392"), ["+392123"]);
        assert_eq!(found("4722334455"), ["+4722334455"]);
        assert_eq!(found("47223344550"), [""; 0]);
        assert_eq!(found("1"), ["+16502530000"]);
        assert_eq!(found(&"9".repeat(30)), [""; 0]);
        assert_eq!(numbers.codes(), [1, 39, 47, 999]);
    }
}
