//! Which numbers a record may mean, most likely first.
//!
//! In some countries a national number may begin with the calling code's digits, and people leave the plus out or write the
//! code twice: `4915112345678` in Germany is the mobile 0151 12345678 or 0491 5112345678 in Leer. Such a record has both
//! numbers. The plan says which is likelier: a number of a type in use before one of which only the length is possible,
//! then one as long as the country's numbers usually are.

use std::cmp::Reverse;

use crate::number::caller::parse::Parsed;
use crate::number::digits::Digits;
use crate::number::{Fit, Number};

/// A number that a record may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The number.
    pub number: Number,
    /// Whether it is the likeliest; one that is not counts only where nobody else has that number.
    pub likely: bool,
}

/// The numbers of a record, at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    items: Vec<Meant>,
    /// Whether the plan leaves open which one is meant.
    ambiguous: bool,
    /// Whether the plan does not know numbers of that length.
    unplanned: bool,
}

impl Numbers {
    /// One number that is certain.
    pub(in crate::number) fn one(number: Number) -> Self {
        Self { items: vec![Meant { number, likely: true }], ..Self::default() }
    }

    /// A number whose length no plan knows.
    pub(in crate::number) fn unplanned(number: Number) -> Self {
        Self { unplanned: true, ..Self::one(number) }
    }

    /// The numbers, most likely first.
    pub fn iter(&self) -> impl Iterator<Item = Meant> + '_ {
        self.items.iter().copied()
    }

    /// Whether the record can be read in several ways. Of numbers that differ in a zero which the CRM may have lost, only if
    /// both are in use.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// Whether the plan does not know numbers of that length: they are compared as they are.
    #[must_use]
    pub fn is_unplanned(&self) -> bool {
        self.unplanned
    }

    /// Adds those of another text.
    pub(in crate::number) fn extend(&mut self, other: Self) {
        self.unplanned |= other.unplanned;
        self.ambiguous |= other.ambiguous;
        for meant in other.items {
            self.add(meant);
        }
    }

    /// Those of them that are wanted; none if none is.
    pub(in crate::number) fn only(mut self, wanted: impl Fn(Number) -> bool) -> Option<Self> {
        self.items.retain(|meant| wanted(meant.number));
        if self.items.iter().all(|meant| !meant.likely) {
            self.items.first_mut()?.likely = true;
        }
        self.ambiguous &= self.items.len() > 1;
        Some(self)
    }

    fn add(&mut self, meant: Meant) {
        match self.items.iter_mut().find(|known| known.number == meant.number) {
            Some(known) => known.likely |= meant.likely,
            None => self.items.push(meant),
        }
    }
}

/// One way to take a record: a calling code, and what is then its national number.
pub(in crate::number) struct Way {
    pub parsed: Parsed,
    /// Whether a zero in front may have been lost: the CRM's number is an integer.
    pub lost_zero: bool,
    /// How much speaks for it.
    pub says: Says,
}

/// How much a record says of its calling code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::number) enum Says {
    /// The calling code is given, or the number is one within the country.
    Code,
    /// The first digits may be the calling code of another country.
    Foreign,
    /// The calling code may be there twice.
    Twice,
}

/// How well a number fits, in which the greater is the likelier: of a type in use, of a usual length.
type Likeliness = (Fit, bool);

/// A number with what its plan says of it.
struct Judged {
    number: Number,
    likeliness: Likeliness,
    /// Whether it is one by the plan's general pattern, which is wider than the types in use.
    general: bool,
    says: Says,
    zero: Zero,
}

/// What is known of the zero in front of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// All that is to be known.
    Told,
    /// The integer is also that of a number with a zero less or more, which is in use while this one is not, or is likelier.
    Unlikely,
    /// Both are in use: only a record that has its zero is certain.
    Open,
}

impl Way {
    /// The way to take a number that was read from a text, with all its zeros.
    pub(in crate::number) fn written(parsed: Parsed, says: Says) -> Self {
        Self { parsed, lost_zero: false, says }
    }

    fn judge(&self) -> impl Iterator<Item = Judged> + use<> {
        let plain = judged(&self.parsed, self.says);
        let zero = if self.lost_zero { self.with_zero() } else { None };
        let zero = zero.and_then(|parsed| judged(&parsed, self.says));
        let likeliness = |of: &Option<Judged>| of.as_ref().map(|judged| judged.likeliness);
        // The integer is the same for both.
        let (of_plain, of_zero) = match (likeliness(&plain), likeliness(&zero)) {
            (Some(plain @ (Fit::Valid, _)), Some(zero @ (Fit::Valid, _))) if zero > plain => {
                (Zero::Open, Zero::Open)
            }
            (Some((Fit::Valid, _)), Some((Fit::Valid, _))) => (Zero::Told, Zero::Open),
            (Some(_), Some((Fit::Valid, _))) => (Zero::Unlikely, Zero::Told),
            (Some(_), Some(_)) => (Zero::Told, Zero::Unlikely),
            _ => (Zero::Told, Zero::Told),
        };
        let with = |judged: Option<Judged>, zero| judged.map(|judged| Judged { zero, ..judged });
        [with(plain, of_plain), with(zero, of_zero)].into_iter().flatten()
    }

    /// The number with the zero that it may have lost. No more than one: numbers with two are in
    /// use only in Japan, and cannot be called from.
    fn with_zero(&self) -> Option<Parsed> {
        let Parsed { code, national } = self.parsed;
        let with_zero = Parsed { code, national: Digits::joined([b"0", &national])? };
        let known = code.keeps_zeros() && !national.starts_with(b"0") && with_zero.is_general();
        known.then_some(with_zero)
    }

    /// The number without a calling code that is there twice.
    pub(in crate::number) fn once(&self) -> Option<Self> {
        let Parsed { code, national } = self.parsed;
        let rest = national.strip_prefix(&*Digits::of(code.code.into()))?;
        let parsed = Parsed { code, national: Digits::joined([rest, &[]])? };
        Some(Self { parsed, lost_zero: self.lost_zero, says: Says::Twice })
    }

    /// The number of a type in use that it is.
    pub(in crate::number) fn in_use(&self) -> Option<Number> {
        self.judge().find(|judged| judged.likeliness.0 == Fit::Valid).map(|judged| judged.number)
    }

    /// Whether it is of a type in use, and as long as such numbers usually are.
    pub(in crate::number) fn is_usual(&self) -> bool {
        self.judge().any(|judged| judged.likeliness == (Fit::Valid, true))
    }
}

/// `None` where no number of the country has that many digits.
fn judged(parsed: &Parsed, says: Says) -> Option<Judged> {
    let number = parsed.number()?;
    let general = parsed.is_general();
    // In use is what libphonenumber takes for valid: the general pattern is narrower than that of some types.
    let fit = match parsed.fit() {
        Fit::Valid if !general => Fit::Possible,
        fit => fit,
    };
    let likeliness = (fit, parsed.code.main.is_usual(&parsed.national));
    (fit >= Fit::Possible).then_some(Judged { number, likeliness, general, says, zero: Zero::Told })
}

/// The numbers of several ways to take one record; of ways that are alike the earlier is the likelier. None where no way
/// gives a possible number.
///
/// A less likely one that would hardly be meant is left out: one of another country has to be as long as numbers there
/// usually are, and so has one that the plan's general pattern does not know; a calling code is there twice only in front of
/// a number in use.
pub(in crate::number) fn likeliest(ways: &[Way]) -> Option<Numbers> {
    let mut judged: Vec<Judged> = ways.iter().flat_map(Way::judge).collect();
    judged.sort_by_key(|judged| Reverse(judged.likeliness));
    let mut numbers = Numbers::default();
    for (place, judged) in judged.into_iter().enumerate() {
        let Judged { number, likeliness: (fit, usual), general, says, zero } = judged;
        let meant = match says {
            _ if place == 0 || zero != Zero::Told => true,
            Says::Code => general || usual,
            Says::Foreign => usual,
            Says::Twice => fit == Fit::Valid,
        };
        if meant {
            numbers.ambiguous |= zero == Zero::Open || place > 0 && zero == Zero::Told;
            numbers.add(Meant { number, likely: place == 0 && zero == Zero::Told });
        }
    }
    numbers.ambiguous &= numbers.items.len() > 1;
    (!numbers.items.is_empty()).then_some(numbers)
}
