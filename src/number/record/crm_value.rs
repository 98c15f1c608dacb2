//! The forms in which a record's `PhoneNumber` arrives: integer, float or string.

/// A `PhoneNumber` as it arrives. The documentation says integer, its sample has `99.99`, and some servers send a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmValue<'t> {
    /// Null, or an empty string.
    Missing,
    /// A whole number, also from a float or a string. Leading zeros are lost.
    Integer(i64),
    /// A string that is not only an integer: with leading zeros, a plus or separators.
    Text(&'t str),
    /// A fraction.
    Fraction,
    /// Out of range: no number has that many digits.
    TooLong,
    /// Not a number.
    NotANumber,
}

impl<'t> CrmValue<'t> {
    /// Reads a string: an integer, with or without `.0`, or a number as people write it.
    #[must_use]
    pub fn from_text(text: &'t str) -> Self {
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
        let digits = text.strip_prefix('-').unwrap_or(text);
        let has_zeros = digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0');
        if is_digits(digits) && !(has_zeros && digits == text) {
            return text.parse().map_or(Self::TooLong, Self::Integer);
        }
        Self::Text(text)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

impl From<i64> for CrmValue<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for CrmValue<'_> {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::TooLong, Self::Integer)
    }
}

impl From<f64> for CrmValue<'_> {
    fn from(value: f64) -> Self {
        /// Above 2^53 a float loses digits. No number is that long.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        if value.is_nan() {
            Self::NotANumber
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
            CrmValue::from(4_722_334_455_i64),
            CrmValue::from(4_722_334_455_u64),
            CrmValue::from(4_722_334_455.0),
            CrmValue::from_text("4722334455"),
            CrmValue::from_text(" 4722334455.00 "),
        ] {
            assert_eq!(value, CrmValue::Integer(4_722_334_455), "{value:?}");
        }
    }

    #[test]
    fn a_text_that_is_more_than_an_integer_stays_one() {
        for text in ["+47 22 33 44 55", "0047 22.33.44.55", "022334455", "22 33 44 55", "kari", "-", "+0"] {
            assert_eq!(CrmValue::from_text(text), CrmValue::Text(text), "{text}");
        }
        for text in ["00", "0", "-0", "0.0"] {
            assert_eq!(CrmValue::from_text(text), CrmValue::Integer(0), "{text}");
        }
    }
}
