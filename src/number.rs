//! Telephone numbers: the one form in which callers and records are compared.
//!
//! Digits reach us written in many ways: `+47 22 33 44 55` and `004722334455` from trunks,
//! `22 33 44 55` from the local exchange, an integer without its leading zeros from the CRM. All
//! of them become a [`Number`].
//!
//! In reading order:
//!
//! - `country`: which country's rules apply to digits without a country
//! - `reading`: what one reading of a caller's digits tells
//! - `caller`: what a caller's digits may mean, most likely first
//! - `parse`: one way to divide digits into calling code and national number
//! - `stored`: numbers as the CRM and CSV files hold them
//! - `phone_number`: the forms in which the CRM's integer arrives
//! - `open`: stems of numbers that a company may make longer
//! - `unusable`: why a record has no number
//! - `skip`: whom nobody needs to look up
//! - `sent`: what a trunk sends around a number, or instead of it
//! - `dialled`: a text down to its digits and plus sign
//! - `numbering`, `plan`: the numbering plans of all calling codes and of each country
//! - `pattern`: the plans' patterns, compiled
//!
//! The plans are libphonenumber's metadata in the release that the crate `phonenumber` carries,
//! 9.0.33. Only its data is used; reading digits follows the algorithm that libphonenumber
//! publishes, because the crate's own `parse` takes a number that begins with its country's calling
//! code for an international one (`47 22 33 44` in Norway).

mod caller;
mod country;
mod dialled;
mod numbering;
mod open;
mod parse;
mod pattern;
mod phone_number;
mod plan;
mod reading;
mod sent;
mod skip;
mod stored;
mod unusable;

use std::fmt;

pub use caller::readings;
pub use country::{Country, Settings, UnknownCountry, load, load_all};
pub use open::stem;
pub use phone_number::Stored;
pub use reading::{E164, Fit, Reading, Readings, Rule};
pub use sent::names_nobody;
pub use skip::{BadExtensions, Extensions, SHORT_CODES, Skip};
pub use stored::{stored, written};
pub use unusable::Unusable;

/// A telephone number: calling code and national number.
///
/// The national number is an integer, so its leading zeros are not part of it: the CRM has lost
/// them, and both sides have to be compared alike. Packed into 64 bits, calling code above,
/// national number in the lower 54; so numbers order by country first, and never are all zero bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(u64);

impl Number {
    const NATIONAL_BITS: u32 = 54;
    const NATIONAL_MAX: u64 = (1 << Self::NATIONAL_BITS) - 1;

    /// A number of the country or service with calling code `country_code` (1 to 999, not checked
    /// against the assigned ones), `national` without its leading zeros (1 to 2^54 - 1, so any of
    /// 16 digits). `None` outside these ranges.
    #[must_use]
    pub fn new(country_code: u16, national: u64) -> Option<Self> {
        let code = (1..=numbering::CODE_MAX).contains(&country_code);
        let number = (1..=Self::NATIONAL_MAX).contains(&national);
        (code && number).then(|| Self(u64::from(country_code) << Self::NATIONAL_BITS | national))
    }

    /// The number in 64 bits: never 0, and in the order of calling code, then national number.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// The number that [`packed`](Self::packed) gave; `None` if no number is packed so.
    #[must_use]
    pub fn from_packed(packed: u64) -> Option<Self> {
        let code = u16::try_from(packed >> Self::NATIONAL_BITS).ok()?;
        Self::new(code, packed & Self::NATIONAL_MAX)
    }

    /// Calling code, 1 to 999.
    #[must_use]
    pub fn country_code(self) -> u16 {
        // The upper ten bits always fit.
        u16::try_from(self.0 >> Self::NATIONAL_BITS).unwrap_or_default()
    }

    /// National number without its leading zeros.
    #[must_use]
    pub fn national(self) -> u64 {
        self.0 & Self::NATIONAL_MAX
    }
}

/// `+4722334455`. Leading zeros of the national number are missing: a [`Reading`] has them.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}{}", self.country_code(), self.national())
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
        for (code, national) in [(1, 1), (999, (1 << 54) - 1), (47, 9_999_999_999_999_999)] {
            let number = Number::new(code, national).unwrap();
            assert_eq!(Number::from_packed(number.packed()), Some(number));
        }
    }

    #[test]
    fn numbers_out_of_range_cannot_be_made() {
        for (code, national) in [(0, 1), (1000, 1), (47, 0), (47, 1 << 54)] {
            assert_eq!(Number::new(code, national), None);
        }
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
}
