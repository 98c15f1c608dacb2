//! Digits divided into calling code and national number, in the steps that libphonenumber publishes:
//! international prefix, the country's own calling code without a plus, national prefix, length.

use super::{
    Fit, Number, Reading, Rule,
    dialled::{Digits, integer},
    numbering::{CallingCode, numbering},
    plan::{Length, Region},
};

/// Longest national number that is read, in digits: ITU-T E.164 §6.1 allows 15 with the calling
/// code; libphonenumber allows 17 without, because Germany has had longer ones.
const NATIONAL_MAX: usize = 17;

/// The one reading that libphonenumber has of digits without a plus.
pub(super) fn libphonenumbers(region: &Region, digits: &[u8]) -> Option<(Rule, Parsed)> {
    if let Some(rest) = after_international_prefix(region, digits) {
        return international(rest).map(|parsed| (Rule::InternationalPrefix, parsed));
    }
    match after_own_code(region, digits) {
        Some(parsed) => Some((Rule::WithoutPlus, parsed)),
        None => national(region, digits),
    }
}

/// Reads digits as a number within the country.
pub(super) fn national(region: &Region, digits: &[u8]) -> Option<(Rule, Parsed)> {
    let (national, trunk) = trimmed(region, digits);
    let rule = if trunk { Rule::NationalTrunk } else { Rule::National };
    Some((rule, Parsed::new(region.code, national)?))
}

/// Digits divided into calling code and national number.
pub(super) struct Parsed {
    code: &'static CallingCode,
    national: Digits,
}

impl Parsed {
    fn new(code: u16, national: Digits) -> Option<Self> {
        let code = numbering().code(code)?;
        Some(Self { code, national })
    }

    /// `None` if it is not even a number: too long for any country, or only zeros.
    pub(super) fn reading(&self, rule: Rule, outside_line: bool) -> Option<Reading> {
        let national: &[u8] = &self.national;
        if national.len() > NATIONAL_MAX {
            return None;
        }
        let fit = match self.code.main.length(national) {
            Length::Possible if self.code.is_valid(national) => Fit::Valid,
            Length::Possible => Fit::Possible,
            _ => Fit::Impossible,
        };
        let zeros = national.iter().take_while(|&&d| d == b'0').count();
        let significant = national.get(zeros..)?;
        Some(Reading {
            number: Number::new(self.code.code, integer(significant)?)?,
            rule,
            leading_zeros: u8::try_from(zeros).ok()?,
            fit,
            zeros_matter: self.code.keeps_zeros()
                && match zeros {
                    0 => self.code.is_valid(&Digits::joined([b"0", national])?),
                    _ => self.code.is_valid(significant),
                },
            outside_line,
        })
    }
}

/// Reads digits that begin with a calling code.
pub(super) fn international(digits: &[u8]) -> Option<Parsed> {
    let (code, rest) = numbering().split(digits)?;
    let (national, _) = trimmed(code.main, rest);
    Some(Parsed { code, national })
}

/// Takes the country's own international prefix off. A zero never follows it: no calling code
/// begins with one, so the prefix is then part of a national number.
fn after_international_prefix<'d>(region: &Region, digits: &'d [u8]) -> Option<&'d [u8]> {
    let prefix = region.patterns().international_prefix.as_ref()?;
    let rest = digits.get(prefix.find(digits)?.end..)?;
    (rest.first() != Some(&b'0')).then_some(rest)
}

/// Takes the country's own calling code off where the digits need it: they are too long with it, or
/// are no number of the country's with it and one without.
fn after_own_code(region: &Region, digits: &[u8]) -> Option<Parsed> {
    let rest = digits.strip_prefix(&*Digits::of(region.code.into()))?;
    let rest = match region.without_prefix(rest) {
        Some(rest) => rest,
        None => Digits::joined([rest, &[]])?,
    };
    let general = &region.patterns().general;
    let needed =
        region.length(digits) == Length::TooLong || (!general.matches(digits) && general.matches(&rest));
    if !needed {
        return None;
    }
    Parsed::new(region.code, trimmed(region, &rest).0)
}

/// Takes the national prefix off if what remains is long enough, and tells whether it did.
fn trimmed(region: &Region, digits: &[u8]) -> (Digits, bool) {
    let rest = region
        .without_prefix(digits)
        .filter(|rest| matches!(region.length(rest), Length::Possible | Length::TooLong));
    match rest {
        Some(rest) => (rest, true),
        // Digits come from at most as many bytes.
        None => (Digits::joined([digits, &[]]).unwrap_or(Digits::new()), false),
    }
}
