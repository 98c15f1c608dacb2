//! A record's `PhoneNumber` as it arrived: integer, float or string.

use super::dialled::{Dialled, integer};
use super::sent::has_extension;

/// A `PhoneNumber` as it arrived: documented as an integer, shown as `99.99` in the same page's
/// sample, and at times a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Null, or an empty string.
    Missing,
    /// A whole number, also of a float or a string.
    Integer(i64),
    /// A string that begins with a plus or with `00`: the digits behind it, the first of which are the calling code.
    International(u64),
    /// Has digits after the decimal point.
    Fraction,
    /// Beyond the integers: no number has that many digits.
    TooLong,
    /// A string that is no number.
    Text,
    /// A string that is a number with an extension behind it.
    Extension,
}

impl Stored {
    /// Reads a string: an integer, also with `.0` behind it, or a number with a plus, `00` or separators.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Missing;
        }
        if let Some((whole, fraction)) = text.split_once('.')
            && is_digits(whole.trim_start_matches('-'))
            && is_digits(fraction)
        {
            return match fraction.trim_end_matches('0') {
                "" => Self::from_text(whole),
                _ => Self::Fraction,
            };
        }
        if text.strip_prefix('-').is_some_and(is_digits) {
            return text.parse().map_or(Self::TooLong, Self::Integer);
        }
        match Dialled::read(text) {
            _ if has_extension(text) => Self::Extension,
            Some(dialled) => match dialled.without_bracketed_zero().as_ref().unwrap_or(&dialled).digits() {
                Some(digits) => match integer(digits) {
                    None => Self::TooLong,
                    Some(number)
                        if number > 0 && (dialled.after_plus().is_some() || digits.starts_with(b"00")) =>
                    {
                        Self::International(number)
                    }
                    Some(number) => Self::from(number),
                },
                None => Self::Text,
            },
            None if is_digits(text) => Self::TooLong,
            None => Self::Text,
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

impl From<i64> for Stored {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Stored {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::TooLong, Self::Integer)
    }
}

impl From<f64> for Stored {
    fn from(value: f64) -> Self {
        /// Above 2^53 a float has lost digits, and no number is that long.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        if value.is_nan() {
            Self::Text
        } else if value.abs() > WHOLE_MAX {
            Self::TooLong
        } else if value.fract() != 0.0 {
            Self::Fraction
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Self::Integer(value as i64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_as_integer_float_or_string() {
        for value in [
            Stored::from(4_722_334_455_i64),
            Stored::from(4_722_334_455_u64),
            Stored::from(4_722_334_455.0),
            Stored::from_text("4722334455"),
            Stored::from_text(" 4722334455.00 "),
        ] {
            assert_eq!(value, Stored::Integer(4_722_334_455), "{value:?}");
        }
    }

    #[test]
    fn a_text_with_a_plus_says_its_country() {
        for text in ["+47 22 33 44 55", "0047 22.33.44.55", "+47 (0) 22 33 44 55", "+0047 22334455"] {
            assert_eq!(Stored::from_text(text), Stored::International(4_722_334_455), "{text}");
        }
        assert_eq!(Stored::from_text("022 33 44 55"), Stored::Integer(22_334_455));
        for text in ["+0", "00", "0"] {
            assert_eq!(Stored::from_text(text), Stored::Integer(0), "{text}");
        }
    }
}
