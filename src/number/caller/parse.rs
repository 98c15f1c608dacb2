//! Digits divided into calling code and national number, in the steps that libphonenumber publishes:
//! international prefix, the country's own calling code without a plus, national prefix, length.

use super::reading::{Fit, Reading, Rule};
use crate::number::Number;
use crate::number::digits::{Digits, integer};
use crate::number::plan::numbering::{CallingCode, numbering};
use crate::number::plan::region::{Length, Region};

/// Longest national number that is read, in digits: ITU-T E.164 §6.1 allows 15 with the calling
/// code; libphonenumber allows 17 without, because Germany has had longer ones.
const NATIONAL_MAX: usize = 17;

/// Longest international number, calling code included (ITU-T E.164 §6.1).
const E164_MAX: usize = 15;

/// The one reading that libphonenumber has of digits without a plus.
pub(in crate::number) fn libphonenumbers(region: &Region, digits: &[u8]) -> Option<(Rule, Parsed)> {
    if let Some(rest) = after_international_prefix(region, digits) {
        return international(rest).map(|parsed| (Rule::InternationalPrefix, parsed));
    }
    match after_own_code(region, digits) {
        Some(parsed) => Some((Rule::WithoutPlus, parsed)),
        None => national(region, digits),
    }
}

/// Reads digits as a number within the country.
pub(in crate::number) fn national(region: &Region, digits: &[u8]) -> Option<(Rule, Parsed)> {
    let (national, trunk) = trimmed(region, digits);
    let rule = if trunk { Rule::NationalTrunk } else { Rule::National };
    Some((rule, Parsed::new(region.code, national)?))
}

/// Digits divided into calling code and national number.
#[derive(Clone, Copy)]
pub(in crate::number) struct Parsed {
    pub code: &'static CallingCode,
    /// With its leading zeros.
    pub national: Digits,
}

impl Parsed {
    pub(in crate::number) fn new(code: u16, national: Digits) -> Option<Self> {
        let code = numbering().code(code)?;
        Some(Self { code, national })
    }

    /// A number as it is.
    pub(in crate::number) fn of(number: Number) -> Option<Self> {
        let zeros = [b'0'; 15];
        let zeros = zeros.get(..usize::from(number.leading_zeros()))?;
        Self::new(number.country_code(), Digits::joined([zeros, &Digits::of(number.national())])?)
    }

    /// `None` if it is not even a number: longer than any, or only zeros.
    pub(in crate::number) fn number(&self) -> Option<Number> {
        let national: &[u8] = &self.national;
        if national.len() > NATIONAL_MAX {
            return None;
        }
        let zeros = national.iter().take_while(|&&d| d == b'0').count();
        Number::with_zeros(self.code.code, u8::try_from(zeros).ok()?, integer(national.get(zeros..)?)?)
    }

    /// How well the number fits its country's plan.
    pub(in crate::number) fn fit(&self) -> Fit {
        match self.code.main.length(&self.national) {
            Length::Possible if self.code.is_valid(&self.national) => Fit::Valid,
            Length::Possible => Fit::Possible,
            _ => Fit::Impossible,
        }
    }

    /// Whether it is a national number at all, by the plan's general pattern.
    pub(in crate::number) fn is_general(&self) -> bool {
        self.code.main.patterns().general.matches(&self.national)
    }

    /// `None` if it is not even a number.
    pub(in crate::number) fn reading(&self, rule: Rule, outside_line: bool) -> Option<Reading> {
        Some(Reading { number: self.number()?, rule, fit: self.fit(), outside_line })
    }
}

/// Digits with a calling code as they are, whatever the plan says of their length: an international number of at most
/// 15 digits (ITU-T E.164 §6.1). One of three national digits or less is no subscriber's anywhere.
pub(in crate::number) fn unplanned(digits: &[u8]) -> Option<Parsed> {
    const SHORTEST: usize = 4;
    let (code, national) = numbering().split(digits)?;
    let fits = digits.len() <= E164_MAX && national.len() >= SHORTEST;
    fits.then(|| Parsed::new(code.code, Digits::joined([national, &[]])?)).flatten()
}

/// Reads digits that begin with a calling code.
pub(in crate::number) fn international(digits: &[u8]) -> Option<Parsed> {
    let (code, rest) = numbering().split(digits)?;
    let (national, _) = trimmed(code.main, rest);
    Some(Parsed { code, national })
}

/// Takes the country's own international prefix off. A zero never follows it: no calling code
/// begins with one, so the prefix is then part of a national number.
pub(in crate::number) fn after_international_prefix<'d>(
    region: &Region,
    digits: &'d [u8],
) -> Option<&'d [u8]> {
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
