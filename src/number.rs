//! Telephone numbers: one form, in which callers and records are compared.
//!
//! Digits come in many forms: `+47 22 33 44 55` and `004722334455` from trunks, `22 33 44 55` from the local exchange, an
//! integer without leading zeros from the CRM. All of them become a [`Number`].
//!
//! In reading order:
//!
//! - `caller`: the readings of a caller's digits, most likely first
//! - `record`: the numbers of a record, most likely first
//! - `plan`: the numbering plans
//! - `written`: a number as people write it
//! - `address`: the text around a number, or in its place
//! - `digits`: a text as digits and a plus sign
//!
//! Digits are read by the algorithm that libphonenumber publishes. `phonenumber::parse` is not used: it takes a number that
//! begins with its country's calling code for an international number (`47 22 33 44` in Norway).

mod address;
mod caller;
mod digits;
mod plan;
mod record;
mod written;

use std::fmt;

pub use address::names_nobody;
pub use caller::reading::{Fit, Reading, Readings, Rule};
pub use caller::readings;
pub use caller::skip::{BadExtensions, Extensions, SHORT_CODES, Settings, Skip};
pub use plan::country::{Country, UnknownCountry, load, load_all};
pub use plan::switchboard::stem;
pub use record::crm_value::CrmValue;
pub use record::numbers::{Numbers, RecordNumber};
pub use record::unusable::Unusable;
pub use record::{of_crm, of_text, with_lost_zero};

/// A telephone number: calling code and national number.
///
/// In some countries leading zeros belong to the national number: +39 0331 123456 and +39 331 123456 are two numbers. Packed
/// into 64 bits: 10 bits of calling code, 4 bits that count leading zeros, 50 bits of national number (15 digits need no
/// more). So numbers are ordered by calling code, zeros and national number, and are never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u64);

impl Number {
    const NATIONAL_BITS: u32 = 50;
    const NATIONAL_MAX: u64 = (1 << Self::NATIONAL_BITS) - 1;
    const ZEROS_BITS: u32 = 4;
    const ZEROS_MAX: u8 = (1 << Self::ZEROS_BITS) - 1;

    /// The number with calling code `country_code` (1 to 999, assigned or not) and the national number `national` (1 to 2^50
    /// - 1, enough for 15 digits). `None` outside these ranges.
    #[must_use]
    pub fn new(country_code: u16, national: u64) -> Option<Self> {
        Self::with_zeros(country_code, 0, national)
    }

    /// The same, with 0 to 15 zeros in front of the national number.
    #[must_use]
    pub fn with_zeros(country_code: u16, leading_zeros: u8, national: u64) -> Option<Self> {
        let code = (1..=plan::numbering::CODE_MAX).contains(&country_code);
        let number = (1..=Self::NATIONAL_MAX).contains(&national) && leading_zeros <= Self::ZEROS_MAX;
        let above = u64::from(country_code) << Self::ZEROS_BITS | u64::from(leading_zeros);
        (code && number).then_some(Self(above << Self::NATIONAL_BITS | national))
    }

    /// The number in 64 bits: never 0, ordered by calling code, zeros and national number.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// The number of [`packed`](Self::packed). `None` for other values.
    #[must_use]
    pub fn from_packed(packed: u64) -> Option<Self> {
        let number = Self(packed);
        Self::with_zeros(number.country_code(), number.leading_zeros(), number.national())
    }

    /// Calling code, 1 to 999.
    #[must_use]
    pub fn country_code(self) -> u16 {
        // Ten bits always fit.
        u16::try_from(self.0 >> (Self::NATIONAL_BITS + Self::ZEROS_BITS)).unwrap_or_default()
    }

    /// Count of zeros in front of the national number: 0 to 15.
    #[must_use]
    pub fn leading_zeros(self) -> u8 {
        // Four bits always fit.
        u8::try_from(self.0 >> Self::NATIONAL_BITS & u64::from(Self::ZEROS_MAX)).unwrap_or_default()
    }

    /// The national number without leading zeros.
    #[must_use]
    pub fn national(self) -> u64 {
        self.0 & Self::NATIONAL_MAX
    }
}

/// `+4722334455`, `+390212348326`
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.country_code())?;
        for _ in 0..self.leading_zeros() {
            f.write_str("0")?;
        }
        write!(f, "{}", self.national())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_with_plus_calling_code_and_national_number() {
        let number = Number::new(47, 22_334_455).unwrap();
        assert_eq!(number.to_string(), "+4722334455");
        assert_eq!(format!("{number:?}"), "+4722334455");
        assert_eq!((number.country_code(), number.national()), (47, 22_334_455));
    }

    #[test]
    fn packing_is_undone_by_unpacking_at_the_limits() {
        for (code, zeros, national) in [(1, 0, 1), (999, 15, (1 << 50) - 1), (47, 1, 999_999_999_999_999)] {
            let number = Number::with_zeros(code, zeros, national).unwrap();
            assert_eq!(Number::from_packed(number.packed()), Some(number));
            assert_eq!(
                (number.country_code(), number.leading_zeros(), number.national()),
                (code, zeros, national)
            );
        }
    }

    #[test]
    fn numbers_out_of_range_cannot_be_made() {
        for (code, national) in [(0, 1), (1000, 1), (47, 0), (47, 1 << 50)] {
            assert_eq!(Number::new(code, national), None);
        }
        assert_eq!(Number::with_zeros(39, 16, 1), None);
        for packed in [0, 1, 47 << 54, u64::MAX] {
            assert_eq!(Number::from_packed(packed), None);
        }
    }

    #[test]
    fn numbers_are_ordered_by_calling_code_then_national_number() {
        let number = |code, national| Number::new(code, national).unwrap();
        assert!(number(46, 999_999_999) < number(47, 1));
        assert!(number(47, 1) < number(47, 2));
    }

    #[test]
    fn zeros_in_front_make_another_number() {
        let with_zero = Number::with_zeros(39, 1, 331_123_456).unwrap();
        assert_eq!(with_zero.to_string(), "+390331123456");
        assert_ne!(with_zero, Number::new(39, 331_123_456).unwrap());
    }
}
