//! Numbers as the CRM and CSV files hold them.
//!
//! The CRM gives a `DialInPrefix` (calling code, or 0 or nothing if the number contains it) and
//! a `PhoneNumber` that is an integer: leading zeros are lost, also those that belong to the number
//! (Italy, Gabon, Ivory Coast). People have typed it, so the calling code is at times there twice,
//! or not at all.

use super::{
    Country, Fit, Number, Stored, Unusable,
    caller::readings,
    dialled::{Dialled, Digits, integer},
    numbering::{CallingCode, numbering},
    plan::Length,
};

/// The number of a CRM record, at a PBX in `country`.
///
/// With a `dial_in_prefix` above 0, `phone_number` is the national number; a calling code that is
/// there twice is taken off once. With 0 or none, `phone_number` begins with its calling code, or
/// else is a national number of `country`. Where both can be, a number of a type in use wins over
/// one of which only the length is possible, then the former over the latter.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with the record.
pub fn stored(
    dial_in_prefix: Option<i64>,
    phone_number: Stored,
    country: Country,
) -> Result<Number, Unusable> {
    let integer = match phone_number {
        Stored::Missing => Err(Unusable::Missing),
        Stored::Fraction => Err(Unusable::Fraction),
        Stored::TooLong => Err(Unusable::TooLong),
        Stored::Text => Err(Unusable::NotANumber),
        Stored::Integer(0) => Err(Unusable::Zero),
        Stored::Integer(integer) => u64::try_from(integer).map_err(|_| Unusable::Negative),
    }?;
    let digits = Digits::of(integer);
    let (first, second) = match dial_in_prefix {
        None | Some(0) => (Candidate::international(&digits), Candidate::of(country.calling_code(), &digits)),
        Some(prefix) => {
            let prefix = u64::try_from(prefix).map_err(|_| Unusable::UnknownCountryCode)?;
            let prefix = Digits::of(prefix);
            // A prefix longer than a calling code has an area code in it: 1268 for Antigua.
            let joined = Digits::joined([&prefix, &digits]).ok_or(Unusable::TooLong)?;
            let given = Candidate::international(&joined).ok_or(Unusable::UnknownCountryCode)?;
            let once = digits
                .strip_prefix(&*prefix)
                .and_then(|rest| Candidate::international(&Digits::joined([&prefix, rest])?));
            (Some(given), once)
        }
    };
    let ways = [first, second];
    better(&ways).and_then(|chosen| chosen.number().ok_or(Unusable::TooLong))
}

/// The better of two ways to take a record, the first where they are alike.
fn better(ways: &[Option<Candidate>; 2]) -> Result<&Candidate, Unusable> {
    let mut given = ways.iter().flatten();
    let first = given.clone().next().ok_or(Unusable::UnknownCountryCode)?;
    given
        .clone()
        .find(|way| way.is_valid())
        .or_else(|| given.find(|way| way.is_possible()))
        .ok_or_else(|| first.wrong_length())
}

/// A calling code with what may be a national number that has lost its leading zeros.
struct Candidate {
    code: &'static CallingCode,
    national: Digits,
}

impl Candidate {
    fn of(code: u16, national: &[u8]) -> Option<Self> {
        Some(Self { code: numbering().code(code)?, national: Digits::joined([national, &[]])? })
    }

    fn international(digits: &[u8]) -> Option<Self> {
        let (code, rest) = numbering().split(digits)?;
        Self::of(code.code, rest)
    }

    fn number(&self) -> Option<Number> {
        Number::new(self.code.code, integer(&self.national)?)
    }

    fn is_valid(&self) -> bool {
        self.number().is_some()
            && (self.code.is_valid(&self.national)
                || self.with_zero().is_some_and(|n| self.code.is_valid(&n)))
    }

    fn is_possible(&self) -> bool {
        let main = self.code.main;
        self.number().is_some()
            && (main.length(&self.national) == Length::Possible
                || self.with_zero().is_some_and(|n| main.patterns().general.matches(&n)))
    }

    /// The number with the zero that it may have lost. No more than one: numbers with two are in
    /// use only in Japan, and cannot be called from.
    fn with_zero(&self) -> Option<Digits> {
        let digits = Digits::joined([b"0", &self.national])?;
        self.code.keeps_zeros().then_some(digits)
    }

    fn wrong_length(&self) -> Unusable {
        match self.code.main.length(&self.national) {
            Length::TooLong => Unusable::TooLong,
            _ => Unusable::ImpossibleLength,
        }
    }
}

/// A number as a person wrote it in a CSV file: with a plus, or national in `country`.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with it.
pub fn written(text: &str, country: Country) -> Result<Number, Unusable> {
    if text.trim().is_empty() {
        return Err(Unusable::Missing);
    }
    // A record is one number, so it takes the reading that fits best: the first of a caller's may be
    // one that nobody has (`Fit::Impossible`).
    let found = readings(text, country, &[]);
    let fitting = |fit| found.iter().find(|reading| reading.fit == fit);
    if let Some(reading) = fitting(Fit::Valid).or_else(|| fitting(Fit::Possible)) {
        return Ok(reading.number);
    }
    let dialled = Dialled::read(text).ok_or(Unusable::NotANumber)?;
    let candidate = match (dialled.after_plus(), dialled.without_plus()) {
        (Some(digits), _) => Candidate::international(digits),
        (None, Some(digits)) => Candidate::of(country.calling_code(), digits),
        (None, None) => return Err(Unusable::NotANumber),
    };
    Err(candidate.map_or(Unusable::UnknownCountryCode, |c| c.wrong_length()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norway() -> Country {
        "NO".parse().unwrap()
    }

    /// The number in E.164 form, or the reason why there is none.
    fn record(prefix: impl Into<Option<i64>>, number: i64) -> String {
        match stored(prefix.into(), number.into(), norway()) {
            Ok(number) => number.to_string(),
            Err(unusable) => unusable.reason().to_owned(),
        }
    }

    #[test]
    fn a_prefix_is_the_calling_code() {
        assert_eq!(record(47, 22_334_455), "+4722334455");
        assert_eq!(record(1, 2_015_550_123), "+12015550123");
        // The code is the number's own although the number begins with it.
        assert_eq!(record(47, 47_223_344), "+4747223344");
    }

    #[test]
    fn a_calling_code_that_is_there_twice_is_taken_off_once() {
        assert_eq!(record(47, 4_722_334_455), "+4722334455");
        assert_eq!(record(47, 474_722_334_455), "too_long");
        assert_eq!(record(46, 4_681_234_567), "+4681234567");
    }

    #[test]
    fn an_area_code_in_the_prefix_belongs_to_the_number() {
        assert_eq!(record(1268, 4_601_234), "+12684601234");
        assert_eq!(record(1268, 12_684_601_234), "+12684601234");
    }

    #[test]
    fn without_prefix_the_number_has_its_calling_code() {
        for prefix in [None, Some(0)] {
            assert_eq!(record(prefix, 4_722_334_455), "+4722334455");
            assert_eq!(record(prefix, 46_812_345_678), "+46812345678");
        }
    }

    #[test]
    fn without_prefix_and_calling_code_the_number_is_national() {
        assert_eq!(record(0, 22_334_455), "+4722334455");
        assert_eq!(record(0, 90_123_456), "+4790123456");
        // Romania (+40) has six digits somewhere, but none of these.
        assert_eq!(record(0, 40_154_967), "+4740154967");
    }

    #[test]
    fn lost_zeros_are_reckoned_with() {
        // 02 12348326, shortest fixed line 06 6982, Gabon 01 44 12 37, Ivory Coast 01 23 45 67 89.
        assert_eq!(record(39, 212_348_326), "+39212348326");
        assert_eq!(record(39, 66_982), "+3966982");
        assert_eq!(record(241, 1_441_237), "+2411441237");
        assert_eq!(record(225, 123_456_789), "+225123456789");
        assert_eq!(record(0, 225_123_456_789), "+225123456789");
        assert_eq!(record(47, 2_800), "+472800");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        assert_eq!(record(47, 0), "zero");
        assert_eq!(record(47, -22_334_455), "negative");
        assert_eq!(record(47, 223_344), "impossible_length");
        assert_eq!(record(47, 12_345_678_901_234_567), "too_long");
        assert_eq!(record(999, 22_334_455), "unknown_country_code");
        assert_eq!(record(-47, 22_334_455), "unknown_country_code");
        assert_eq!(record(i64::MAX, i64::MAX), "too_long");
        assert_eq!(record(None, 123), "impossible_length");
    }

    #[test]
    fn what_is_no_integer_is_told_apart() {
        for (value, wanted) in [
            (Stored::from_text(""), "missing"),
            (Stored::Missing, "missing"),
            (Stored::from_text("0.0"), "zero"),
            (Stored::from(-0.0), "zero"),
            (Stored::from_text("99.99"), "fraction"),
            (Stored::from(99.99), "fraction"),
            (Stored::from_text("-5"), "negative"),
            (Stored::from_text("-5.0"), "negative"),
            (Stored::from_text("-"), "not_a_number"),
            (Stored::from_text("none"), "not_a_number"),
            (Stored::from_text("12+3"), "not_a_number"),
            (Stored::from(f64::NAN), "not_a_number"),
            (Stored::from(f64::INFINITY), "too_long"),
            (Stored::from(u64::MAX), "too_long"),
            (Stored::from_text("99999999999999999999"), "too_long"),
            (Stored::from_text(&"9".repeat(99)), "too_long"),
        ] {
            let reason = stored(Some(47), value, norway()).unwrap_err().reason();
            assert_eq!(reason, wanted, "{value:?}");
        }
    }

    #[test]
    fn a_csv_number_is_international_or_national() {
        let read = |text| written(text, norway()).map(|number| number.to_string());
        assert_eq!(read("+47 22 33 44 55").unwrap(), "+4722334455");
        assert_eq!(read("22 33 44 55").unwrap(), "+4722334455");
        assert_eq!(read("+39 02 12348326").unwrap(), "+39212348326");
        assert_eq!(read("0046 8 123 456 78").unwrap(), "+46812345678");
        let read = |text, country: &str| written(text, country.parse().unwrap()).unwrap();
        assert_eq!(read("001 201 555 0123", "US").to_string(), "+12015550123");
        assert_eq!(read("0061 412 345 825", "AU").to_string(), "+61412345825");
    }

    #[test]
    fn a_csv_number_that_is_none_says_why() {
        for (text, wanted) in [
            (" ", Unusable::Missing),
            ("switchboard", Unusable::NotANumber),
            ("22+33", Unusable::NotANumber),
            ("+999 123", Unusable::UnknownCountryCode),
            ("101", Unusable::ImpossibleLength),
            ("+47 22 33 44 55 66", Unusable::TooLong),
        ] {
            assert_eq!(written(text, norway()), Err(wanted), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_record_panics(prefix: Option<i64>, number: i64, text: String, float: f64) {
            for value in [number.into(), float.into(), Stored::from_text(&text)] {
                let _ = stored(prefix, value, norway());
                let _ = stored(Some(39), value, norway());
            }
            let _ = written(&text, norway());
        }
    }
}
