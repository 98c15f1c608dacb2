//! The interpretations of one record, and their likelihood by the numbering plan.
//!
//! A number of a type in use comes before a number of a possible length. Then a number of a usual length comes first.

use std::cmp::Reverse;

use super::numbers::{Numbers, RecordNumber};
use crate::number::caller::parse::Parsed;
use crate::number::digits::Digits;
use crate::number::{Fit, Number};

/// One interpretation of a record: a calling code and a national number.
pub(super) struct Interpretation {
    pub parsed: Parsed,
    /// Whether a leading zero may be lost: the CRM's number is an integer.
    pub may_lack_zero: bool,
    pub origin: CodeOrigin,
}

/// The origin of the calling code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeOrigin {
    /// The record gives the calling code, or the number is a national number.
    Given,
    /// The first digits may be the calling code of another country.
    Foreign,
    /// The record may have the calling code twice.
    Repeated,
}

/// How well a number fits; the greater is the likelier. The second part: the number has a usual length.
type Likeliness = (Fit, bool);

/// A number, judged by its plan.
struct Judged {
    number: Number,
    likeliness: Likeliness,
    /// Whether the number matches the plan's general pattern, which is wider than the types in use.
    general: bool,
    origin: CodeOrigin,
    zero: LeadingZero,
}

/// Whether the leading zero of a number is certain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LeadingZero {
    Certain,
    /// With one zero more or less, the same integer is a likelier number.
    Unlikely,
    /// With and without the zero the number is in use. Only a record that keeps its zero is certain.
    Open,
}

impl Interpretation {
    /// An integer, which may have lost a zero.
    pub(super) fn of_integer(parsed: Parsed, origin: CodeOrigin) -> Self {
        Self { parsed, may_lack_zero: true, origin }
    }

    /// A text, which has all its zeros.
    pub(super) fn of_text(parsed: Parsed, origin: CodeOrigin) -> Self {
        Self { parsed, may_lack_zero: false, origin }
    }

    /// The number as it is, and the number with the zero that it may have lost.
    fn judge(&self) -> impl Iterator<Item = Judged> + use<> {
        let plain = judged(&self.parsed, self.origin);
        let longer = if self.may_lack_zero { self.with_zero() } else { None };
        let longer = longer.and_then(|parsed| judged(&parsed, self.origin));
        let likeliness = |of: &Option<Judged>| of.as_ref().map(|judged| judged.likeliness);
        let (of_plain, of_longer) = match (likeliness(&plain), likeliness(&longer)) {
            (Some(plain @ (Fit::Valid, _)), Some(longer @ (Fit::Valid, _))) if longer > plain => {
                (LeadingZero::Open, LeadingZero::Open)
            }
            (Some((Fit::Valid, _)), Some((Fit::Valid, _))) => (LeadingZero::Certain, LeadingZero::Open),
            (Some(_), Some((Fit::Valid, _))) => (LeadingZero::Unlikely, LeadingZero::Certain),
            (Some(_), Some(_)) => (LeadingZero::Certain, LeadingZero::Unlikely),
            _ => (LeadingZero::Certain, LeadingZero::Certain),
        };
        let with = |judged: Option<Judged>, zero| judged.map(|judged| Judged { zero, ..judged });
        [with(plain, of_plain), with(longer, of_longer)].into_iter().flatten()
    }

    /// The number with the zero that it may have lost. Never two zeros: such numbers are in use only in Japan, and no call
    /// comes from them.
    fn with_zero(&self) -> Option<Parsed> {
        let Parsed { code, national } = self.parsed;
        let with_zero = Parsed { code, national: Digits::joined([b"0", &national])? };
        let known = code.keeps_zeros() && !national.starts_with(b"0") && with_zero.is_general();
        known.then_some(with_zero)
    }

    /// The interpretation without a repeated calling code.
    pub(super) fn without_repetition(&self) -> Option<Self> {
        let Parsed { code, national } = self.parsed;
        let rest = national.strip_prefix(&*Digits::of(code.code.into()))?;
        let parsed = Parsed { code, national: Digits::joined([rest, &[]])? };
        Some(Self { parsed, origin: CodeOrigin::Repeated, ..*self })
    }

    /// The number, if it is of a type in use.
    pub(super) fn in_use(&self) -> Option<Number> {
        self.judge().find(|judged| judged.likeliness.0 == Fit::Valid).map(|judged| judged.number)
    }

    /// Whether the number is of a type in use and of a usual length.
    pub(super) fn is_usual(&self) -> bool {
        self.judge().any(|judged| judged.likeliness == (Fit::Valid, true))
    }
}

/// `None` if no number of the country has that many digits.
fn judged(parsed: &Parsed, origin: CodeOrigin) -> Option<Judged> {
    let number = parsed.number()?;
    let general = parsed.is_general();
    // libphonenumber's definition of valid: some types have wider patterns than the general pattern.
    let fit = match parsed.fit() {
        Fit::Valid if !general => Fit::Possible,
        fit => fit,
    };
    let likeliness = (fit, parsed.code.main.is_usual(&parsed.national));
    let zero = LeadingZero::Certain;
    (fit >= Fit::Possible).then_some(Judged { number, likeliness, general, origin, zero })
}

/// The numbers of all interpretations, most likely first; among equals the earlier interpretation is likelier. None if no
/// interpretation gives a possible number.
///
/// Unlikely numbers are left out. A number of another country needs a usual length. So does a national number that does not
/// match the general pattern. A repeated calling code counts only in front of a number in use.
pub(super) fn likeliest(interpretations: &[Interpretation]) -> Option<Numbers> {
    let mut judged: Vec<Judged> = interpretations.iter().flat_map(Interpretation::judge).collect();
    judged.sort_by_key(|judged| Reverse(judged.likeliness));
    let mut ambiguous = false;
    let mut numbers = Vec::new();
    for (place, judged) in judged.into_iter().enumerate() {
        let Judged { number, likeliness: (fit, usual), general, origin, zero } = judged;
        let certain = zero == LeadingZero::Certain;
        let counts = match origin {
            _ if place == 0 || !certain => true,
            CodeOrigin::Given => general || usual,
            CodeOrigin::Foreign => usual,
            CodeOrigin::Repeated => fit == Fit::Valid,
        };
        if counts {
            ambiguous |= zero == LeadingZero::Open || place > 0 && certain;
            numbers.push(RecordNumber { number, likely: place == 0 && certain });
        }
    }
    Numbers::of(numbers, ambiguous)
}
