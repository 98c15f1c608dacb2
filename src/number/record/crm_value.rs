//! A record's `PhoneNumber` as it arrived: integer, float or string.

/// A `PhoneNumber` as it arrived: documented as an integer, shown as `99.99` in the same page's
/// sample, and at times a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmValue<'t> {
    /// Null, or an empty string.
    Missing,
    /// A whole number, also of a float or a string; zeros that belong to it are lost.
    Integer(i64),
    /// A string that is more than an integer: it has its zeros, a plus or separators.
    Text(&'t str),
    /// Has digits after the decimal point.
    Fraction,
    /// Beyond the integers: no number has that many digits.
    TooLong,
    /// No number.
    NotANumber,
}

impl<'t> CrmValue<'t> {
    /// Reads a string: an integer, also with `.0` behind it, or a number as people write them.
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
        /// Above 2^53 a float has lost digits, and no number is that long.
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
