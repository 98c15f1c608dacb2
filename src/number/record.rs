//! The numbers of a record in the CRM or in a CSV file.
//!
//! The CRM has a `DialInPrefix` (the calling code; 0 or null if `PhoneNumber` contains it) and a `PhoneNumber`. That is an
//! integer, so leading zeros are lost, also zeros that belong to the number (Italy, Gabon, Ivory Coast). People type these
//! numbers, so the calling code may be missing, or be there twice.
//!
//! - `crm_value`: the forms of `PhoneNumber`
//! - `several`: texts with several numbers, or with more than a number
//! - `interpretation`: the interpretations of a record, and their likelihood
//! - `numbers`: the numbers of a record
//! - `unusable`: the reasons why a record has no number

pub(super) mod crm_value;
mod interpretation;
pub(super) mod numbers;
mod several;
pub(super) mod unusable;

use std::iter;

use super::{
    Country, Fit, Number, Rule,
    caller::parse::{self, Parsed, unplanned},
    caller::readings,
    digits::{DialString, Digits, integer},
    plan::numbering::numbering,
    plan::region::Length,
};
use crm_value::CrmValue;
use interpretation::{CodeOrigin, Interpretation, likeliest};
use numbers::Numbers;
use unusable::Unusable;

/// The most prefixes that are taken off a number in full.
const MOST_PREFIXES: usize = 3;

/// The numbers of a CRM record, at a PBX in `country`.
///
/// With a `dial_in_prefix` above 0, `phone_number` is a national number, or repeats the calling code. With 0 or none,
/// `phone_number` begins with its calling code, or is a national number of `country`. If both are possible, the record has
/// both numbers ([`Numbers`]).
///
/// A text with a plus or an international prefix has its own country. If `dial_in_prefix` is of another country, the record
/// is unusable: either number may be a stranger's.
///
/// If nothing of this is possible, a trunk prefix is taken off (`8 495 …` behind Russia's 7, the zero of `+44 (0)20 …`), but
/// only if one number of a type in use remains. Then a number that is too long for its country is taken as it is, if it has
/// a calling code.
///
/// # Errors
///
/// [`Unusable`] has the reason.
pub fn of_crm(
    dial_in_prefix: Option<i64>,
    phone_number: CrmValue<'_>,
    country: Country,
) -> Result<Numbers, Unusable> {
    let prefix = match dial_in_prefix {
        None | Some(0) => None,
        Some(prefix) => Some(prefix),
    };
    let integer = match phone_number {
        CrmValue::Missing => Err(Unusable::Missing),
        CrmValue::Fraction => Err(Unusable::Fraction),
        CrmValue::TooLong => Err(Unusable::TooLong),
        CrmValue::NotANumber => Err(Unusable::NotANumber),
        CrmValue::Integer(0) => Err(Unusable::Zero),
        CrmValue::Integer(integer) => u64::try_from(integer).map_err(|_| Unusable::Negative),
        CrmValue::Text(text) => {
            return match prefix {
                Some(prefix) => text_behind(&code(prefix)?, text),
                None => of_text(text, country),
            };
        }
    }?;
    let digits = Digits::of(integer);
    let numbers = match prefix {
        Some(prefix) => integer_behind(&code(prefix)?, &digits),
        None => integer_alone(&digits, country),
    };
    numbers.map(|numbers| numbers.each(number_as_callers_send))
}

/// The digits of a `DialInPrefix`. A longer prefix than a calling code contains an area code: 1268 for Antigua. A shorter
/// prefix must not form a calling code with the first digits of the number: 8 and 495… is not Vietnam's 84.
fn code(prefix: i64) -> Result<Digits, Unusable> {
    let prefix = u64::try_from(prefix).map_err(|_| Unusable::UnknownCountryCode)?;
    let prefix = Digits::of(prefix);
    numbering().split(&prefix).map(|_| prefix).ok_or(Unusable::UnknownCountryCode)
}

/// The numbers of an integer behind its calling code.
fn integer_behind(prefix: &Digits, digits: &[u8]) -> Result<Numbers, Unusable> {
    let joined = Digits::joined([prefix, digits]).ok_or(Unusable::TooLong)?;
    let given = international(&joined).ok_or(Unusable::UnknownCountryCode)?;
    let given = Interpretation::of_integer(given, CodeOrigin::Given);
    let repeated =
        digits.strip_prefix(&**prefix).and_then(|rest| international(&Digits::joined([prefix, rest])?));
    let repeated = repeated.map(|parsed| Interpretation::of_integer(parsed, CodeOrigin::Repeated));
    let too_long = given.parsed.code.main.length(&given.parsed.national) == Length::TooLong;
    let as_it_is = if too_long { unplanned(&joined) } else { None };
    chosen(&[Some(given), repeated].into_iter().flatten().collect::<Vec<_>>(), as_it_is).map(in_full)
}

/// The numbers of an integer that contains its calling code, or is a national number of `country`.
fn integer_alone(digits: &[u8], country: Country) -> Result<Numbers, Unusable> {
    let own = country.calling_code();
    let national = Parsed::new(own, Digits::joined([digits, &[]]).ok_or(Unusable::TooLong)?);
    let national = national.map(|parsed| Interpretation::of_integer(parsed, CodeOrigin::Given));
    let with_code = international(digits).map(|parsed| {
        let origin = if parsed.code.code == own { CodeOrigin::Given } else { CodeOrigin::Foreign };
        Interpretation::of_integer(parsed, origin)
    });
    // Digits with another calling code that are too long for its country are rather a number with something behind it.
    let as_it_is = if digits.starts_with(&Digits::of(own.into())) { unplanned(digits) } else { None };
    let repeated = with_code.as_ref().and_then(Interpretation::without_repetition);
    // The error is about the documented form, which has a calling code.
    let error = with_code.as_ref().or(national.as_ref()).map(|first| wrong_length(&first.parsed));
    let interpretations: Vec<_> = [national, with_code, repeated].into_iter().flatten().collect();
    chosen(&interpretations, as_it_is).map(in_full).map_err(|unusable| error.unwrap_or(unusable))
}

/// A number of a length that no plan knows has the interpretations of the same number in a text, in full.
fn in_full(numbers: Numbers) -> Numbers {
    let unplanned = numbers.iter().next().filter(|_| numbers.is_unplanned()).map(|item| item.number);
    let as_text = unplanned
        .and_then(|number| one(&number.to_string(), Country::of(Parsed::of(number)?.code.main)).ok());
    as_text.unwrap_or(numbers)
}

fn international(digits: &[u8]) -> Option<Parsed> {
    let (code, rest) = numbering().split(digits)?;
    Parsed::new(code.code, Digits::joined([rest, &[]])?).map(as_callers_send)
}

/// The likeliest numbers; else the number without its trunk prefix; else the number `as_it_is`: the possible number of a caller
/// who sends it in full, or a number of a length that no plan knows.
fn chosen(interpretations: &[Interpretation], as_it_is: Option<Parsed>) -> Result<Numbers, Unusable> {
    likeliest(interpretations)
        .or_else(|| without_trunk_prefix(interpretations).map(Numbers::one))
        .or_else(|| {
            let as_it_is = as_it_is?;
            match sent_in_full(&as_it_is) {
                Some(sent) => sent.number().map(Numbers::one),
                None => as_it_is.number().map(Numbers::unplanned),
            }
        })
        .ok_or_else(|| {
            interpretations.first().map_or(Unusable::UnknownCountryCode, |first| wrong_length(&first.parsed))
        })
}

/// The number with a zero that an older version of a list has lost. The zero is added only if the number is of a type in use
/// with it, and not without it.
#[must_use]
pub fn with_lost_zero(number: Number) -> Number {
    let parsed = Parsed::of(number);
    let in_use = parsed.and_then(|parsed| Interpretation::of_integer(parsed, CodeOrigin::Given).in_use());
    in_use.unwrap_or(number)
}

/// The one number in use without a trunk prefix. `None` also for two such numbers.
fn without_trunk_prefix(interpretations: &[Interpretation]) -> Option<Number> {
    let without = interpretations.iter().flat_map(trunk_prefix_off);
    let mut numbers = without.filter_map(|interpretation| interpretation.in_use());
    let number = numbers.next()?;
    numbers.all(|other| other == number).then_some(number)
}

/// The interpretation without its trunk prefix: as it is, with a lost zero (Hungary's 06 is then a 6), or without the zero that
/// people write in countries without a trunk prefix.
fn trunk_prefix_off(interpretation: &Interpretation) -> impl Iterator<Item = Interpretation> + use<> {
    let Interpretation { parsed: Parsed { code, national }, may_lack_zero, origin } = *interpretation;
    let lost_zero = Digits::joined([b"0", &national]).and_then(|digits| code.main.without_prefix(&digits));
    let zero = national.strip_prefix(b"0").and_then(|rest| Digits::joined([rest, &[]]));
    [code.main.without_prefix(&national), lost_zero, zero]
        .into_iter()
        .flatten()
        // Some plans add digits (a 3 in front of Norfolk Island's five-digit numbers). Added digits would be a guess.
        .filter(move |rest| rest.len() <= national.len())
        .map(move |national| Interpretation { parsed: Parsed { code, national }, may_lack_zero, origin })
}

fn wrong_length(parsed: &Parsed) -> Unusable {
    match parsed.code.main.length(&parsed.national) {
        Length::TooLong => Unusable::TooLong,
        _ => Unusable::ImpossibleLength,
    }
}

/// The numbers of a text behind its calling code. A text with a country of its own must agree with the code.
fn text_behind(prefix: &Digits, text: &str) -> Result<Numbers, Unusable> {
    let (code, area) = numbering().split(prefix).ok_or(Unusable::UnknownCountryCode)?;
    if !area.is_empty() && !has_country(text) {
        // The prefix contains the area code of the text.
        let dial_string = DialString::of_address(text, &[]).ok_or(Unusable::NotANumber)?;
        return integer_behind(prefix, dial_string.without_plus().ok_or(Unusable::NotANumber)?);
    }
    let numbers = of_text(text, Country::of(code.main))?;
    let belongs =
        |number: Number| number.to_string().as_bytes().get(1..).is_some_and(|e164| e164.starts_with(prefix));
    if has_country(text) && numbers.iter().any(|item| item.likely && !belongs(item.number)) {
        return Err(Unusable::PrefixContradicts);
    }
    // Of a national text, interpretations in other countries do not count.
    numbers.only(belongs).ok_or(Unusable::PrefixContradicts)
}

/// Whether a text begins with a plus or an international prefix.
fn has_country(text: &str) -> bool {
    DialString::of_address(text, &[])
        .is_some_and(|dial_string| dial_string.without_plus().is_none_or(|digits| digits.starts_with(b"00")))
}

/// The numbers of a text in a CSV file: with a plus, or a national number of `country`. A text with an extension (`;ext=12`,
/// `x12`, `ext. 12`) is unusable. A text may hold several numbers, each written in full.
///
/// # Errors
///
/// [`Unusable`] has the reason.
pub fn of_text(text: &str, country: Country) -> Result<Numbers, Unusable> {
    if text.trim().is_empty() {
        return Err(Unusable::Missing);
    }
    let mut numbers = Numbers::default();
    for text in several::numbers(text, country)? {
        numbers.extend(one(text, country)?.each(number_as_callers_send));
    }
    Ok(numbers)
}

/// The number of a caller who sends this one in full: a trunk prefix behind the calling code is taken off there, too. A number of
/// an impossible length stays as it is, because the interpretations judge it.
fn as_callers_send(parsed: Parsed) -> Parsed {
    if parsed.fit() < Fit::Possible {
        return parsed;
    }
    sent_in_full(&parsed).unwrap_or(parsed)
}

/// The number that stays the same when a caller sends it in full: some plans take several prefixes off, one after the other.
fn number_as_callers_send(number: Number) -> Number {
    let sent = |number: &Number| {
        let sent = Parsed::of(*number).and_then(|parsed| as_callers_send(parsed).number());
        sent.filter(|sent| sent != number)
    };
    iter::successors(Some(number), sent).take(MOST_PREFIXES + 1).last().unwrap_or(number)
}

/// The number of a caller who sends this one in full. `None` if it is of an impossible length.
fn sent_in_full(parsed: &Parsed) -> Option<Parsed> {
    let in_full = Digits::joined([&Digits::of(parsed.code.code.into()), &parsed.national])?;
    parse::international(&in_full).filter(|sent| sent.fit() >= Fit::Possible)
}

/// The numbers that a text with one number may mean.
fn one(text: &str, country: Country) -> Result<Numbers, Unusable> {
    let own = country.calling_code();
    let found = readings(text, country, &[]);
    let mut interpretations = Vec::new();
    for reading in found.iter().filter(|reading| reading.fit >= Fit::Possible) {
        let Some(parsed) = Parsed::of(reading.number).map(as_callers_send) else { continue };
        let foreign = reading.rule == Rule::WithoutPlus && reading.number.country_code() != own;
        let origin = if foreign { CodeOrigin::Foreign } else { CodeOrigin::Given };
        let interpretation = Interpretation::of_text(parsed, origin);
        let repeated = match reading.rule {
            // A number in full is believed, unless the plan contradicts it.
            Rule::International | Rule::InternationalPrefix if interpretation.is_usual() => None,
            Rule::International | Rule::InternationalPrefix | Rule::WithoutPlus | Rule::SurplusZero => {
                interpretation.without_repetition()
            }
            _ => None,
        };
        interpretations.push(interpretation);
        interpretations.extend(repeated);
    }
    if let Some(numbers) = likeliest(&interpretations) {
        return Ok(numbers);
    }
    let dial_string = DialString::of_address(text, &[]).ok_or(Unusable::NotANumber)?;
    let digits = dial_string.digits().ok_or(Unusable::NotANumber)?;
    if integer(digits) == Some(0) {
        return Err(Unusable::Zero);
    }
    let as_it_is = found.iter().find(|reading| reading.fit == Fit::Unplanned).map(|reading| reading.number);
    let parsed = match (as_it_is, dial_string.without_plus()) {
        (Some(number), _) => Parsed::of(number),
        (None, None) => international(digits),
        (None, Some(digits)) => Digits::joined([digits, &[]]).and_then(|digits| Parsed::new(own, digits)),
    };
    let given = Interpretation::of_text(parsed.ok_or(Unusable::UnknownCountryCode)?, CodeOrigin::Given);
    let repeated = given.without_repetition();
    let interpretations: Vec<_> = [given].into_iter().chain(repeated).collect();
    chosen(&interpretations, as_it_is.and_then(Parsed::of))
}

#[cfg(test)]
mod tests;
