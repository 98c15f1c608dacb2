//! What a caller's digits may mean, most likely first.
//!
//! libphonenumber reads digits in one way; a trunk may have meant another. So all the ways are
//! given that make a number of possible length, and the directory decides.

pub(super) mod parse;
pub(super) mod reading;
pub(super) mod skip;

use super::{
    Country, Number,
    digits::{DialString, Digits},
    plan::region::{Length, Region},
};
use parse::{Parsed, after_international_prefix, international, libphonenumbers, national, unplanned};
use reading::{Fit, Reading, Readings, Rule};

/// Reads the digits of a caller at a PBX in `country`, most likely reading first.
///
/// Within the readings of the same digits, a number of a type in use comes before one of which only
/// the length is possible; otherwise libphonenumber's reading comes first. If the digits begin with
/// one of `strip_prefixes`, the PBX has put it there, so what follows it is read first, and the
/// digits as they are come last. A number of a length that no plan knows is given only where there is none that one does,
/// and only with a plus or an international prefix. A prefix with `*` or `#` is simply taken off: no number has them.
///
/// Addresses (`tel:…`, `sip:…@…`) are read down to their number, and parameters such as `;ext=12` are left
/// out. There is none if the text is longer than 64 bytes, has anything but digits, separators and a
/// plus sign in front, or cannot be a number: "anonymous", an extension. The first use of a country
/// compiles its plan (about a millisecond, see [`load`](super::load)); after it no lock is taken
/// and nothing is allocated.
#[must_use]
pub fn readings(caller: &str, country: Country, strip_prefixes: &[String]) -> Readings {
    DialString::of_address(caller, strip_prefixes)
        .map(|dial_string| read_at(&dial_string, country, strip_prefixes, None))
        .unwrap_or_default()
}

/// The same of a text that has been read; with `area_code`, which is put in front of numbers that lack it.
pub(in crate::number) fn read_at(
    dial_string: &DialString,
    country: Country,
    strip_prefixes: &[String],
    area_code: Option<&str>,
) -> Readings {
    let mut found = Readings::default();
    let behind = strip_prefixes
        .iter()
        // Of several prefixes one is taken off.
        .filter(|_| !dial_string.outside_line)
        .filter_map(|prefix| dial_string.behind(prefix).map(|rest| (prefix.len(), rest)))
        .max_by_key(|&(length, _)| length)
        .map(|(_, rest)| rest);
    if let Some(rest) = &behind {
        read(rest, country, &mut found);
        // One place is kept for the digits as they are.
        found.truncate(Readings::MAX - 1);
    }
    read(dial_string, country, &mut found);
    if found.iter().all(|reading| reading.fit == Fit::Impossible) {
        for reading in
            behind.iter().chain([dial_string]).filter_map(|dial_string| as_it_is(dial_string, country))
        {
            let last = found.len();
            found.add(reading, last);
        }
    }
    if let Some(area_code) = area_code {
        // Likewise for the number with its area code.
        found.truncate(Readings::MAX - 1);
        for dial_string in behind.iter().chain([dial_string]) {
            if let Some(reading) = with_area_code(dial_string, country, area_code) {
                let last = found.len();
                found.add(reading, last);
            }
        }
    }
    let surplus = behind
        .iter()
        .chain([dial_string])
        .filter_map(|dial_string| without_surplus_zero(dial_string, country));
    for reading in surplus.chain(found.into_iter().filter_map(without_leading_zeros)) {
        let last = found.len();
        found.add(reading, last);
    }
    found
}

/// The number without zeros that no number of its country has in front: somebody put them there.
fn without_leading_zeros(reading: Reading) -> Option<Reading> {
    if reading.number.leading_zeros() == 0 {
        return None;
    }
    let number = Number::new(reading.number.country_code(), reading.number.national())?;
    let parsed = Parsed::of(number).filter(|parsed| !parsed.code.keeps_zeros())?;
    let without = parsed.reading(Rule::SurplusZero, reading.outside_line)?;
    (without.fit >= Fit::Possible).then_some(without)
}

/// An international number whose length no plan knows.
fn as_it_is(dial_string: &DialString, country: Country) -> Option<Reading> {
    let region = country.region();
    let (rule, digits) = match (dial_string.after_plus(), dial_string.without_plus()) {
        (Some(digits), _) if !digits.starts_with(b"0") => (Rule::International, digits),
        (Some(digits), _) => (Rule::International, behind_prefixes(region, digits).next()?),
        (None, Some(digits)) => match behind_prefixes(region, digits).next() {
            Some(digits) => (Rule::InternationalPrefix, digits),
            // Of digits without any sign of a country, those that are too long behind the country's own code.
            None => {
                let rest = digits.strip_prefix(&*Digits::of(region.code.into()))?;
                (region.length(rest) == Length::TooLong).then_some((Rule::WithoutPlus, digits))?
            }
        },
        (None, None) => return None,
    };
    let reading = unplanned(digits)?.reading(rule, dial_string.outside_line)?;
    Some(Reading { fit: Fit::Unplanned, ..reading })
}

/// What follows an international prefix: the country's own, or `00`, which trunks use everywhere.
fn behind_prefixes<'d>(region: &Region, digits: &'d [u8]) -> impl Iterator<Item = &'d [u8]> + use<'d> {
    [after_international_prefix(region, digits), digits.strip_prefix(b"00")].into_iter().flatten()
}

/// The number without the one zero that people and trunks write in front of it in countries that dial none: `022 33 44 55`
/// in Norway. Only one of a type in use, as [`stored`](super::of_crm) takes it from a record.
fn without_surplus_zero(dial_string: &DialString, country: Country) -> Option<Reading> {
    let region = country.region();
    let rest = dial_string.without_plus()?.strip_prefix(b"0").filter(|rest| !rest.starts_with(b"0"))?;
    // Where it can belong to the number, it does.
    let is_its_own =
        || national(region, dial_string.without_plus()?).map(|(_, parsed)| parsed.fit() >= Fit::Possible);
    if region.has_national_prefix() || is_its_own()? {
        return None;
    }
    let (_, parsed) = national(region, rest)?;
    parsed.reading(Rule::SurplusZero, dial_string.outside_line).filter(|reading| reading.fit == Fit::Valid)
}

/// The number with its area code, if it may lack one: if it has no prefix of another town or country in front, and
/// is none of the country's as it is. In a country with trunk prefixes it may be one all the same: in Germany most
/// digits are also those of some town. Only one of a type in use: of others there is no sign that it is meant.
fn with_area_code(dial_string: &DialString, country: Country, area_code: &str) -> Option<Reading> {
    let outside_line = dial_string.outside_line;
    let digits = dial_string.without_plus().filter(|digits| !digits.starts_with(b"00"))?;
    let region = country.region();
    let (rule, whole) = national(region, digits)?;
    let is_whole = whole.reading(rule, outside_line).is_some_and(|reading| reading.fit == Fit::Valid);
    if rule == Rule::NationalTrunk || is_whole && !region.has_national_prefix() {
        return None;
    }
    let (_, parsed) = national(region, &Digits::joined([area_code.as_bytes(), digits])?)?;
    parsed.reading(Rule::AreaCode, outside_line).filter(|reading| reading.fit == Fit::Valid)
}

/// Reads the digits, and where they have a zero in brackets also those without it: it belongs to the number in
/// Italy (`+39 (0)2 …`), and to nothing in a country without trunk prefix (`+47 (0) 22 …`).
fn read(dial_string: &DialString, country: Country, found: &mut Readings) {
    let settled = found.len();
    read_as_written(dial_string, country, settled, found);
    if let Some(without) = dial_string.without_bracketed_zero() {
        read_as_written(&without, country, settled, found);
    }
}

fn read_as_written(dial_string: &DialString, country: Country, mut settled: usize, found: &mut Readings) {
    let reading = |(rule, parsed): (Rule, Parsed)| parsed.reading(rule, dial_string.outside_line);
    let possible = |parsed| reading(parsed).filter(|r| r.fit >= Fit::Possible);
    let region = country.region();
    if let Some(digits) = dial_string.after_plus() {
        let plus = |digits| possible((Rule::International, international(digits)?));
        // Gateways that put a plus in front of everything leave the international prefix behind it: +0047…, +01147… in
        // the United States. No calling code begins with a zero.
        if digits.starts_with(b"0") {
            let behind = behind_prefixes(region, digits).find_map(plus);
            behind.into_iter().for_each(|reading| found.add(reading, settled));
        } else {
            // One that begins otherwise may be a calling code too: 810 in Russia, +81 is Japan.
            let behind = after_international_prefix(region, digits).and_then(plus);
            plus(digits).into_iter().chain(behind).for_each(|reading| found.add(reading, settled));
        }
    }
    let Some(digits) = dial_string.without_plus() else {
        return;
    };
    // Trunks hand numbers on with 00 also where the country itself dials something else.
    // libphonenumber does not know that and stays first, whatever it makes of the two zeros: at
    // worst a number that nobody has, so the directory does not know it and asks for the next.
    let zeros = digits
        .strip_prefix(b"00")
        .and_then(international)
        .and_then(|parsed| possible((Rule::InternationalPrefix, parsed)));
    let first = libphonenumbers(region, digits).and_then(reading);
    if let (Some(_), Some(first)) = (zeros, first) {
        found.add(first, settled);
        settled = found.len();
    }
    let others = [
        zeros,
        first.filter(|r| r.fit >= Fit::Possible),
        national(region, digits).and_then(possible),
        international(digits).and_then(|parsed| possible((Rule::WithoutPlus, parsed))),
    ];
    for other in others.into_iter().flatten() {
        found.add(other, settled);
    }
}

#[cfg(test)]
mod tests;
