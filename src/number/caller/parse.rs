//! Digits divided into calling code and national number, in the steps that libphonenumber publishes: international prefix,
//! own calling code without a plus, national prefix, length.

use super::reading::{Fit, Reading, Rule};
use crate::number::Number;
use crate::number::digits::{Digits, integer};
use crate::number::plan::numbering::{CallingCode, numbering};
use crate::number::plan::region::{Length, Region};

/// The longest national number, in digits. ITU-T E.164 §6.1 allows 15 with the calling code; libphonenumber allows 17
/// without it, because Germany has had longer numbers.
const NATIONAL_MAX: usize = 17;

/// The longest international number with its calling code, in digits (ITU-T E.164 §6.1).
const E164_MAX: usize = 15;

/// libphonenumber's reading of digits without a plus.
pub(in crate::number) fn libphonenumbers(region: &Region, digits: &[u8]) -> Option<(Rule, Parsed)> {
    if let Some(rest) = after_international_prefix(region, digits) {
        return international(rest).map(|parsed| (Rule::InternationalPrefix, parsed));
    }
    match after_own_code(region, digits) {
        Some(parsed) => Some((Rule::WithoutPlus, parsed)),
        None => national(region, digits),
    }
}

/// Reads digits as a national number.
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

    /// `None` for digits that are too long, or only zeros.
    pub(in crate::number) fn number(&self) -> Option<Number> {
        let national: &[u8] = &self.national;
        if national.len() > NATIONAL_MAX {
            return None;
        }
        let zeros = national.iter().take_while(|&&d| d == b'0').count();
        Number::with_zeros(self.code.code, u8::try_from(zeros).ok()?, integer(national.get(zeros..)?)?)
    }

    /// How well the number fits the plan of its country.
    pub(in crate::number) fn fit(&self) -> Fit {
        match self.code.main.length(&self.national) {
            Length::Possible if self.code.is_valid(&self.national) => Fit::Valid,
            Length::Possible => Fit::Possible,
            _ => Fit::Impossible,
        }
    }

    /// Whether the number matches the plan's general pattern.
    pub(in crate::number) fn is_general(&self) -> bool {
        self.code.main.patterns().general.matches(&self.national)
    }

    /// `None` for digits that are no number.
    pub(in crate::number) fn reading(&self, rule: Rule, outside_line: bool) -> Option<Reading> {
        Some(Reading { number: self.number()?, rule, fit: self.fit(), outside_line })
    }
}

/// Digits with a calling code, of any length up to 15 digits (ITU-T E.164 §6.1). No subscriber has three national digits or
/// fewer.
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

/// Takes the country's international prefix off. No calling code begins with a zero, so a prefix in front of a zero is a
/// part of a national number.
pub(in crate::number) fn after_international_prefix<'d>(
    region: &Region,
    digits: &'d [u8],
) -> Option<&'d [u8]> {
    let prefix = region.patterns().international_prefix.as_ref()?;
    let rest = digits.get(prefix.find(digits)?.end..)?;
    (rest.first() != Some(&b'0')).then_some(rest)
}

/// Takes the own calling code off, if the digits are too long with it, or match the general pattern only without it.
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

/// Takes the national prefix off, if the rest is long enough. True if a prefix was taken off.
fn trimmed(region: &Region, digits: &[u8]) -> (Digits, bool) {
    let rest = region
        .without_prefix(digits)
        .filter(|rest| matches!(region.length(rest), Length::Possible | Length::TooLong));
    match rest {
        Some(rest) => (rest, true),
        // `digits` is a part of a `Digits`, so there is room.
        None => (Digits::joined([digits, &[]]).unwrap_or(Digits::new()), false),
    }
}
