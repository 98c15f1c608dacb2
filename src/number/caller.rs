//! The readings of a caller's digits, most likely first.
//!
//! libphonenumber has one reading of digits; a trunk may mean another. So all readings of a possible length are given, and
//! the directory decides.

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

/// The readings of a caller at a PBX in `country`, most likely first.
///
/// Of the same digits, a number of a type in use comes before a number of a possible length. Among equals libphonenumber's
/// reading comes first. If the digits begin with one of `strip_prefixes`, the digits behind the prefix are read first,
/// because the PBX has added it; the digits as they are come last. A prefix with `*` or `#` is always taken off: no number
/// has these signs. A number of a length that no plan knows is given only without another reading, and only with a plus or
/// an international prefix.
///
/// Of addresses (`tel:…`, `sip:…@…`) the number is read; parameters such as `;ext=12` are left out. There is no reading if
/// the text is longer than 64 bytes, has other signs than digits, separators and a plus sign in front, or cannot be a
/// number: "anonymous", an extension. The first use of a country compiles its plan (about a millisecond, see
/// [`load`](super::load)). After that no lock is taken and nothing is allocated.
#[must_use]
pub fn readings(caller: &str, country: Country, strip_prefixes: &[String]) -> Readings {
    DialString::of_address(caller, strip_prefixes)
        .map(|dial_string| read_at(&dial_string, country, strip_prefixes, None))
        .unwrap_or_default()
}

/// The readings of a dial string. `area_code` is put in front of numbers that lack it.
pub(in crate::number) fn read_at(
    dial_string: &DialString,
    country: Country,
    strip_prefixes: &[String],
    area_code: Option<&str>,
) -> Readings {
    let mut found = Readings::default();
    let behind = strip_prefixes
        .iter()
        // Only one prefix is taken off.
        .filter(|_| !dial_string.outside_line)
        .filter_map(|prefix| dial_string.behind(prefix).map(|rest| (prefix.len(), rest)))
        .max_by_key(|&(length, _)| length)
        .map(|(_, rest)| rest);
    if let Some(rest) = &behind {
        read(rest, country, &mut found);
        // One place is reserved for the digits as they are.
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
        // One place is reserved for the number with its area code.
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

/// The number without leading zeros that no number of its country has.
fn without_leading_zeros(reading: Reading) -> Option<Reading> {
    if reading.number.leading_zeros() == 0 {
        return None;
    }
    let number = Number::new(reading.number.country_code(), reading.number.national())?;
    let parsed = Parsed::of(number).filter(|parsed| !parsed.code.keeps_zeros())?;
    let without = parsed.reading(Rule::SurplusZero, reading.outside_line)?;
    (without.fit >= Fit::Possible).then_some(without)
}

/// An international number of a length that no plan knows.
fn as_it_is(dial_string: &DialString, country: Country) -> Option<Reading> {
    let region = country.region();
    let (rule, digits) = match (dial_string.after_plus(), dial_string.without_plus()) {
        (Some(digits), _) if !digits.starts_with(b"0") => (Rule::International, digits),
        (Some(digits), _) => (Rule::International, behind_prefixes(region, digits).next()?),
        (None, Some(digits)) => match behind_prefixes(region, digits).next() {
            Some(digits) => (Rule::InternationalPrefix, digits),
            // Digits without plus or international prefix need the country's own calling code, and must be too long behind
            // it.
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

/// The digits behind an international prefix: the prefix of the country, or `00`, which trunks use everywhere.
fn behind_prefixes<'d>(region: &Region, digits: &'d [u8]) -> impl Iterator<Item = &'d [u8]> + use<'d> {
    [after_international_prefix(region, digits), digits.strip_prefix(b"00")].into_iter().flatten()
}

/// The number without one leading zero, in countries without a trunk prefix: `022 33 44 55` in Norway. People and trunks
/// write this zero. The number must be of a type in use, as for records ([`of_crm`](super::of_crm)).
fn without_surplus_zero(dial_string: &DialString, country: Country) -> Option<Reading> {
    let region = country.region();
    let rest = dial_string.without_plus()?.strip_prefix(b"0").filter(|rest| !rest.starts_with(b"0"))?;
    // A zero that can belong to the number is not taken off.
    let is_its_own =
        || national(region, dial_string.without_plus()?).map(|(_, parsed)| parsed.fit() >= Fit::Possible);
    if region.has_national_prefix() || is_its_own()? {
        return None;
    }
    let (_, parsed) = national(region, rest)?;
    parsed.reading(Rule::SurplusZero, dial_string.outside_line).filter(|reading| reading.fit == Fit::Valid)
}

/// The number with the area code of the PBX. Not for digits with a trunk or international prefix. Not for digits that are a
/// number of the country, if the country has no trunk prefix; in Germany most digits are also the number of some town, so
/// there both readings are given. The number must be of a type in use: other numbers are not likely enough.
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

/// Reads the digits. A zero in brackets is read with and without: it belongs to the number in Italy (`+39 (0)2 …`), and to
/// nothing in a country without trunk prefix (`+47 (0) 22 …`).
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
        // Some gateways put a plus in front of the international prefix: +0047…, +01147… in the United States. No calling
        // code begins with a zero.
        if digits.starts_with(b"0") {
            let behind = behind_prefixes(region, digits).find_map(plus);
            behind.into_iter().for_each(|reading| found.add(reading, settled));
        } else {
            // A prefix without a leading zero may be a calling code too: 810 in Russia; +81 is Japan.
            let behind = after_international_prefix(region, digits).and_then(plus);
            plus(digits).into_iter().chain(behind).for_each(|reading| found.add(reading, settled));
        }
    }
    let Some(digits) = dial_string.without_plus() else {
        return;
    };
    // Trunks use 00 also in countries with another international prefix. libphonenumber does not know that. Its reading
    // still comes first: at worst it is a number that the directory does not have, so the next reading is looked up.
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
