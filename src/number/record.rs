//! Numbers as the CRM and CSV files hold them.
//!
//! The CRM gives a `DialInPrefix` (calling code, or 0 or nothing if the number contains it) and
//! a `PhoneNumber` that is an integer: leading zeros are lost, also those that belong to the number
//! (Italy, Gabon, Ivory Coast). People have typed it, so the calling code is at times there twice,
//! or not at all.

pub(super) mod crm_value;
pub(super) mod meant;
mod several;
pub(super) mod unusable;

use super::{
    Country, Fit, Number, Rule,
    caller::parse::{Parsed, unplanned},
    caller::readings,
    digits::{Dialled, Digits, integer},
    plan::numbering::numbering,
    plan::region::Length,
};
use crm_value::Stored;
use meant::{Numbers, Says, Way, likeliest};
use unusable::Unusable;

/// The numbers that a CRM record may mean, at a PBX in `country`.
///
/// With a `dial_in_prefix` above 0, `phone_number` is the national number; its calling code may be
/// there twice. With 0 or none, `phone_number` begins with its calling code, or
/// else is a national number of `country`. Where both can be, the record means both, as [`Numbers`] says.
///
/// A text with a plus or an international prefix in front says its country, whatever the prefix is: where that is another
/// one, the record names two numbers, and either may be a stranger's.
///
/// Where neither can be, a trunk prefix that was kept is taken off (`8 495 …` behind Russia's 7, the zero of
/// `+44 (0)20 …`), if what remains is one number of a type in use. Then a number that is longer than any of its country is
/// taken as it is, if it has a calling code. Nothing else is guessed.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with the record.
pub fn stored(
    dial_in_prefix: Option<i64>,
    phone_number: Stored<'_>,
    country: Country,
) -> Result<Numbers, Unusable> {
    let prefix = match dial_in_prefix {
        None | Some(0) => None,
        Some(prefix) => Some(prefix),
    };
    let integer = match phone_number {
        Stored::Missing => Err(Unusable::Missing),
        Stored::Fraction => Err(Unusable::Fraction),
        Stored::TooLong => Err(Unusable::TooLong),
        Stored::NotANumber => Err(Unusable::NotANumber),
        Stored::Integer(0) => Err(Unusable::Zero),
        Stored::Integer(integer) => u64::try_from(integer).map_err(|_| Unusable::Negative),
        Stored::Text(text) => {
            return match prefix {
                Some(prefix) => written_behind(&code(prefix)?, text),
                None => written(text, country),
            };
        }
    }?;
    let digits = Digits::of(integer);
    match prefix {
        Some(prefix) => behind(&code(prefix)?, &digits),
        None => with_code(&digits, country),
    }
}

/// The digits of a `DialInPrefix`. One longer than a calling code has an area code in it: 1268 for Antigua. One that is
/// shorter must not become a code with the first digits of the number: 8 and 495… is not Vietnam's 84.
fn code(prefix: i64) -> Result<Digits, Unusable> {
    let prefix = u64::try_from(prefix).map_err(|_| Unusable::UnknownCountryCode)?;
    let prefix = Digits::of(prefix);
    numbering().split(&prefix).map(|_| prefix).ok_or(Unusable::UnknownCountryCode)
}

/// The numbers of an integer that follows its calling code.
fn behind(prefix: &Digits, digits: &[u8]) -> Result<Numbers, Unusable> {
    let joined = Digits::joined([prefix, digits]).ok_or(Unusable::TooLong)?;
    let given = way(international(&joined).ok_or(Unusable::UnknownCountryCode)?, Says::Code);
    let once =
        digits.strip_prefix(&**prefix).and_then(|rest| international(&Digits::joined([prefix, rest])?));
    let once = once.map(|parsed| way(parsed, Says::Twice));
    let too_long = given.parsed.code.main.length(&given.parsed.national) == Length::TooLong;
    let as_it_is = if too_long { unplanned(&joined) } else { None };
    chosen(&[Some(given), once].into_iter().flatten().collect::<Vec<_>>(), as_it_is)
}

/// The numbers of an integer that has its calling code in it, or is one of `country`.
fn with_code(digits: &[u8], country: Country) -> Result<Numbers, Unusable> {
    let own = country.calling_code();
    let national = Parsed::new(own, Digits::joined([digits, &[]]).ok_or(Unusable::TooLong)?);
    let national = national.map(|parsed| way(parsed, Says::Code));
    let foreign = international(digits).map(|parsed| {
        let says = if parsed.code.code == own { Says::Code } else { Says::Foreign };
        way(parsed, says)
    });
    // Digits that begin with another code and are too long for its country have rather something behind them.
    let as_it_is = if digits.starts_with(&Digits::of(own.into())) { unplanned(digits) } else { None };
    let twice = foreign.as_ref().and_then(Way::once);
    // The error is that of the documented form, which has its calling code.
    let error = foreign.as_ref().or(national.as_ref()).map(|way| wrong_length(&way.parsed));
    let ways: Vec<Way> = [national, foreign, twice].into_iter().flatten().collect();
    chosen(&ways, as_it_is).map_err(|unusable| error.unwrap_or(unusable))
}

fn international(digits: &[u8]) -> Option<Parsed> {
    let (code, rest) = numbering().split(digits)?;
    Parsed::new(code.code, Digits::joined([rest, &[]])?)
}

/// A way to take an integer: it may have lost a zero.
fn way(parsed: Parsed, says: Says) -> Way {
    Way { parsed, lost_zero: true, says }
}

/// The numbers of some ways to take a record, a trunk prefix taken off where it must be; else the number `as_it_is`, whose
/// length no plan knows.
fn chosen(ways: &[Way], as_it_is: Option<Parsed>) -> Result<Numbers, Unusable> {
    likeliest(ways)
        .or_else(|| without_trunk_prefix(ways).map(Numbers::one))
        .or_else(|| Some(Numbers::unplanned(as_it_is?.number()?)))
        .ok_or_else(|| ways.first().map_or(Unusable::UnknownCountryCode, |way| wrong_length(&way.parsed)))
}

/// The number with the zero that an older version of a list has lost, where only then it is of a type in use.
#[must_use]
pub fn restored(number: Number) -> Number {
    let way = Parsed::of(number).map(|parsed| way(parsed, Says::Code));
    way.and_then(|way| way.in_use()).unwrap_or(number)
}

/// The one number in use that remains without a trunk prefix; `None` also if there are two.
fn without_trunk_prefix(ways: &[Way]) -> Option<Number> {
    let mut numbers = ways.iter().flat_map(trunk_prefix_off).filter_map(|way| way.in_use());
    let number = numbers.next()?;
    numbers.all(|other| other == number).then_some(number)
}

/// Ways to take a trunk prefix off: as it is, with the zero that it has lost (Hungary's 06 is a 6 then), or a
/// zero that people write in countries that have none.
fn trunk_prefix_off(way: &Way) -> impl Iterator<Item = Way> + use<> {
    let (lost_zero_too, says) = (way.lost_zero, way.says);
    let Parsed { code, national } = way.parsed;
    let lost_zero = Digits::joined([b"0", &national]).and_then(|digits| code.main.without_prefix(&digits));
    let zero = national.strip_prefix(b"0").and_then(|rest| Digits::joined([rest, &[]]));
    [code.main.without_prefix(&national), lost_zero, zero]
        .into_iter()
        .flatten()
        // Some plans put digits in (Norfolk Island's five-digit numbers get a 3): what nobody wrote would be guessed.
        .filter(move |rest| rest.len() <= national.len())
        .map(move |national| Way { parsed: Parsed { code, national }, lost_zero: lost_zero_too, says })
}

fn wrong_length(parsed: &Parsed) -> Unusable {
    match parsed.code.main.length(&parsed.national) {
        Length::TooLong => Unusable::TooLong,
        _ => Unusable::ImpossibleLength,
    }
}

/// The numbers of a text that follows its calling code, unless it says its country itself.
fn written_behind(prefix: &Digits, text: &str) -> Result<Numbers, Unusable> {
    let (code, area) = numbering().split(prefix).ok_or(Unusable::UnknownCountryCode)?;
    if !area.is_empty() && !says_country(text) {
        // The prefix has an area code in it, which the text lacks.
        let dialled = Dialled::sent(text, &[]).ok_or(Unusable::NotANumber)?;
        return behind(prefix, dialled.without_plus().ok_or(Unusable::NotANumber)?);
    }
    let numbers = written(text, Country::of(code.main))?;
    let belongs =
        |number: Number| number.to_string().as_bytes().get(1..).is_some_and(|e164| e164.starts_with(prefix));
    if says_country(text) && numbers.iter().any(|meant| meant.likely && !belongs(meant.number)) {
        return Err(Unusable::PrefixContradicts);
    }
    // Of a text within the country, what is read as another country's is not meant.
    numbers.only(belongs).ok_or(Unusable::PrefixContradicts)
}

/// Whether a text begins with a plus or an international prefix.
fn says_country(text: &str) -> bool {
    Dialled::sent(text, &[])
        .is_some_and(|dialled| dialled.without_plus().is_none_or(|digits| digits.starts_with(b"00")))
}

/// The numbers of a text as a person wrote it in a CSV file: with a plus, or national in `country`. One with an extension
/// (`;ext=12`, `x12`, `ext. 12`) is unusable; of several that are written out in full each is one.
///
/// # Errors
///
/// [`Unusable`] tells what is wrong with it.
pub fn written(text: &str, country: Country) -> Result<Numbers, Unusable> {
    if text.trim().is_empty() {
        return Err(Unusable::Missing);
    }
    let mut numbers = Numbers::default();
    for text in several::numbers(text, country)? {
        numbers.extend(one(text, country)?);
    }
    Ok(numbers)
}

/// The numbers that a text may mean which holds one.
fn one(text: &str, country: Country) -> Result<Numbers, Unusable> {
    let own = country.calling_code();
    let found = readings(text, country, &[]);
    let mut ways = Vec::new();
    for reading in found.iter().filter(|reading| reading.fit >= Fit::Possible) {
        let Some(parsed) = Parsed::of(reading.number) else { continue };
        let foreign = reading.rule == Rule::WithoutPlus && reading.number.country_code() != own;
        let way = Way::written(parsed, if foreign { Says::Foreign } else { Says::Code });
        let twice = match reading.rule {
            // What is written in full is believed, unless the plan speaks against it.
            Rule::International | Rule::InternationalPrefix if way.is_usual() => None,
            Rule::International | Rule::InternationalPrefix | Rule::WithoutPlus => way.once(),
            _ => None,
        };
        ways.push(way);
        ways.extend(twice);
    }
    if let Some(numbers) = likeliest(&ways) {
        return Ok(numbers);
    }
    let dialled = Dialled::sent(text, &[]).ok_or(Unusable::NotANumber)?;
    let digits = dialled.digits().ok_or(Unusable::NotANumber)?;
    if integer(digits) == Some(0) {
        return Err(Unusable::Zero);
    }
    let as_it_is = found.iter().find(|reading| reading.fit == Fit::Unplanned).map(|reading| reading.number);
    let parsed = match (as_it_is, dialled.without_plus()) {
        (Some(number), _) => Parsed::of(number),
        (None, None) => international(digits),
        (None, Some(digits)) => Digits::joined([digits, &[]]).and_then(|digits| Parsed::new(own, digits)),
    };
    let way = Way::written(parsed.ok_or(Unusable::UnknownCountryCode)?, Says::Code);
    let twice = way.once();
    let ways: Vec<Way> = [way].into_iter().chain(twice).collect();
    chosen(&ways, as_it_is.and_then(Parsed::of))
}

#[cfg(test)]
mod tests;
