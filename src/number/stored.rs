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
    sent::has_extension,
};

/// The number of a CRM record, at a PBX in `country`.
///
/// With a `dial_in_prefix` above 0, `phone_number` is the national number; a calling code that is
/// there twice is taken off once. With 0 or none, `phone_number` begins with its calling code, or
/// else is a national number of `country`. Where both can be, a number of a type in use wins over
/// one of which only the length is possible, then the former over the latter.
///
/// A text with a plus or `00` in front says its country, whatever the prefix is: where that is another one, the record
/// names two numbers, and either may be a stranger's.
///
/// Where neither can be, a trunk prefix that was kept is taken off (`8 495 …` behind Russia's 7, the zero of
/// `+44 (0)20 …`), if what remains is one number of a type in use. Nothing else is guessed: digits behind a whole
/// number, such as an extension's, make it unusable.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with the record.
pub fn stored(
    dial_in_prefix: Option<i64>,
    phone_number: Stored,
    country: Country,
) -> Result<Number, Unusable> {
    let (integer, international) = match phone_number {
        Stored::Missing => Err(Unusable::Missing),
        Stored::Fraction => Err(Unusable::Fraction),
        Stored::TooLong => Err(Unusable::TooLong),
        Stored::Text => Err(Unusable::NotANumber),
        Stored::Extension => Err(Unusable::Extension),
        Stored::Integer(0) => Err(Unusable::Zero),
        Stored::Integer(integer) => {
            u64::try_from(integer).map(|integer| (integer, false)).map_err(|_| Unusable::Negative)
        }
        Stored::International(integer) => Ok((integer, true)),
    }?;
    let digits = Digits::of(integer);
    let (first, second) = match dial_in_prefix {
        None | Some(0) if international => (Candidate::international(&digits), None),
        None | Some(0) => (Candidate::international(&digits), Candidate::of(country.calling_code(), &digits)),
        Some(prefix) => {
            let prefix = u64::try_from(prefix).map_err(|_| Unusable::UnknownCountryCode)?;
            let prefix = Digits::of(prefix);
            // A prefix longer than a calling code has an area code in it: 1268 for Antigua. One that is shorter
            // must not become a code with the first digits of the number: 8 and 495… is not Vietnam's 84.
            numbering().split(&prefix).ok_or(Unusable::UnknownCountryCode)?;
            if international {
                if !digits.starts_with(&prefix) {
                    return Err(Unusable::PrefixContradicts);
                }
                return chosen(&[Candidate::international(&digits), None]);
            }
            let joined = Digits::joined([&prefix, &digits]).ok_or(Unusable::TooLong)?;
            let given = Candidate::international(&joined).ok_or(Unusable::UnknownCountryCode)?;
            let once = digits
                .strip_prefix(&*prefix)
                .and_then(|rest| Candidate::international(&Digits::joined([&prefix, rest])?));
            (Some(given), once)
        }
    };
    chosen(&[first, second])
}

/// The number of the better of two ways to take a record, a trunk prefix taken off where it must be.
fn chosen(ways: &[Option<Candidate>; 2]) -> Result<Number, Unusable> {
    match better(ways) {
        Ok(chosen) => chosen.number().ok_or(Unusable::TooLong),
        Err(unusable) => without_trunk_prefix(ways).ok_or(unusable),
    }
}

/// The one number in use that remains without a trunk prefix; `None` also if there are two.
fn without_trunk_prefix(ways: &[Option<Candidate>; 2]) -> Option<Number> {
    let candidates = ways.iter().flatten().flat_map(Candidate::without_trunk_prefix);
    let mut numbers = candidates.filter(Candidate::is_valid).filter_map(|candidate| candidate.number());
    let number = numbers.next()?;
    numbers.all(|other| other == number).then_some(number)
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

    /// Ways to take a trunk prefix off: as it is, with the zero that it has lost (Hungary's 06 is a 6 then), or a
    /// zero that people write in countries that have none.
    fn without_trunk_prefix(&self) -> impl Iterator<Item = Self> {
        let lost_zero =
            Digits::joined([b"0", &self.national]).and_then(|d| self.code.main.without_prefix(&d));
        let zero = self.national.strip_prefix(b"0").and_then(|rest| Digits::joined([rest, &[]]));
        [self.code.main.without_prefix(&self.national), lost_zero, zero]
            .into_iter()
            .flatten()
            // Some plans put digits in (Norfolk Island's five-digit numbers get a 3): what nobody wrote would be guessed.
            .filter(|national| national.len() <= self.national.len())
            .map(|national| Self { code: self.code, national })
    }

    fn wrong_length(&self) -> Unusable {
        match self.code.main.length(&self.national) {
            Length::TooLong => Unusable::TooLong,
            _ => Unusable::ImpossibleLength,
        }
    }
}

/// A number as a person wrote it in a CSV file: with a plus, or national in `country`. One with an extension
/// (`;ext=12`, `x12`, `ext. 12`) is unusable.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with it.
pub fn written(text: &str, country: Country) -> Result<Number, Unusable> {
    if text.trim().is_empty() {
        return Err(Unusable::Missing);
    }
    // Behind the number is a person, but who calls shows the number alone, and that is the company's.
    if has_extension(text) {
        return Err(Unusable::Extension);
    }
    // A record is one number, so it takes the reading that fits best: the first of a caller's may be
    // one that nobody has (`Fit::Impossible`).
    let found = readings(text, country, &[]);
    let fitting = |fit| found.iter().find(|reading| reading.fit == fit);
    if let Some(reading) = fitting(Fit::Valid).or_else(|| fitting(Fit::Possible)) {
        return Ok(reading.number);
    }
    let dialled = Dialled::sent(text).ok_or(Unusable::NotANumber)?;
    let candidate = match (dialled.after_plus(), dialled.without_plus()) {
        (Some(digits), _) => Candidate::international(digits),
        (None, Some(digits)) => Candidate::of(country.calling_code(), digits),
        (None, None) => return Err(Unusable::NotANumber),
    };
    Err(candidate.map_or(Unusable::UnknownCountryCode, |c| c.wrong_length()))
}

#[cfg(test)]
mod tests;
