//! Texts with several numbers, or with more than a number: `22334455 / 22334466`, `22 33 44 55/66`, `4930123456.0`.

use super::unusable::Unusable;
use crate::number::address::has_extension;
use crate::number::plan::numbering::numbering;
use crate::number::{Country, Fit, Reading, Rule, readings};

/// Signs that end a number: for libphonenumber an extension or a second number follows.
const BETWEEN: [char; 7] = [',', ';', ':', '|', '&', '\\', '\n'];

/// Signs between two numbers that may also be within one number.
const WITHIN: [char; 6] = ['/', '-', '‐', '–', '—', '−'];

/// The most digits of an abbreviated second number: `/66`.
const ENDING: usize = 4;

/// The numbers of a text, each as it is written.
pub(super) fn numbers(text: &str, country: Country) -> Result<Vec<&str>, Unusable> {
    let mut whole = Vec::new();
    let mut rest = once_with_code(without_decimals(text)?);
    while let Some((number, behind)) = first(rest, country)? {
        whole.push(number);
        rest = behind;
    }
    // An extension is a person's. The caller shows only the number in front of it, which is the company's.
    if has_extension(rest) {
        return Err(Unusable::Extension);
    }
    whole.push(rest);
    Ok(whole)
}

/// The first of several whole numbers, and the rest of the text.
fn first(text: &str, country: Country) -> Result<Option<(&str, &str)>, Unusable> {
    for (at, sign) in text.char_indices() {
        let plus = sign == '+';
        let (between, within) = (BETWEEN.contains(&sign), WITHIN.contains(&sign));
        if !(between || within || plus) {
            continue;
        }
        let (left, behind) = text.split_at(at);
        let right = if plus {
            behind
        } else {
            behind.trim_start_matches([&BETWEEN[..], &[sign, ' ']].concat().as_slice())
        };
        let digits = right.bytes().filter(u8::is_ascii_digit).count();
        if digits == 0 || !is_number(left, country, within) {
            continue;
        }
        if is_number(right, country, within) || first(right, country)?.is_some() {
            return Ok(Some((left.trim(), right.trim())));
        }
        // `030 123456-12` is one number. `22 33 44 55-66` and `22 33 44 55/66` are two, and the second is not written in
        // full.
        let is_ending = sign == '/' && right.split('/').all(|ending| ending.trim().len() <= ENDING);
        if within && (is_ending || !is_one(text, country, sign == '/')) {
            return Err(Unusable::Several);
        }
    }
    Ok(None)
}

/// Whether a text is a number of a type in use or of a usual length; with `both`, only of both.
fn is_number(text: &str, country: Country, both: bool) -> bool {
    readings(text, country, &[]).iter().any(|reading| is_likely(reading, both))
}

/// Whether a text that begins with a whole number is one number of this country as a whole.
fn is_one(text: &str, country: Country, both: bool) -> bool {
    let own = country.calling_code();
    let is_foreign =
        |reading: &Reading| reading.rule == Rule::WithoutPlus && reading.number.country_code() != own;
    readings(text, country, &[]).iter().any(|reading| is_likely(reading, both) && !is_foreign(reading))
}

fn is_likely(reading: &Reading, both: bool) -> bool {
    let national = reading.number.to_string().len() - 1 - reading.number.country_code().to_string().len();
    let code = numbering().code(reading.number.country_code());
    let is_usual = code.is_some_and(|code| code.main.is_usual(&[b'0'; 64][..national]));
    let (in_use, known) = (reading.fit == Fit::Valid, reading.fit >= Fit::Possible);
    let is = if both { in_use && is_usual } else { in_use || known && is_usual };
    is && !reading.rule.is_supposed()
}

/// The number with its calling code once: `+47+4722334455`.
fn once_with_code(text: &str) -> &str {
    let Some((code, number)) = text.rsplit_once('+') else { return text };
    let Some(code) = code.trim().strip_prefix('+') else { return text };
    let is_code = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    let there_already = is_code && number.trim_start().starts_with(code);
    if there_already { &text[text.len() - number.len() - 1..] } else { text }
}

/// The number without the decimals of a spreadsheet: `4930123456.0`.
fn without_decimals(text: &str) -> Result<&str, Unusable> {
    /// Fewer digits in front of a point are the first group of a number: `030.12`.
    const SHORTEST: usize = 7;
    let text = text.trim();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.rsplit_once(['.', ',']) {
        Some((whole, decimals))
            if whole.len() >= SHORTEST
                && is_digits(whole.trim_start_matches('+'))
                && (1..=2).contains(&decimals.len())
                && is_digits(decimals) =>
        {
            let is_point = text.as_bytes().get(whole.len()) == Some(&b'.');
            match decimals.trim_end_matches('0') {
                "" => Ok(whole),
                _ if is_point => Err(Unusable::Fraction),
                _ => Ok(text),
            }
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'t>(text: &'t str, country: &str) -> Result<Vec<&'t str>, Unusable> {
        numbers(text, country.parse().unwrap())
    }

    #[test]
    fn numbers_that_are_written_out_are_taken_apart() {
        for (text, country, wanted) in [
            ("22334455 / 22334466", "NO", &["22334455", "22334466"][..]),
            ("+47 22 33 44 55 / +47 22 33 44 66", "NO", &["+47 22 33 44 55", "+47 22 33 44 66"]),
            ("+4722334455+4722334466", "NO", &["+4722334455", "+4722334466"]),
            ("22334455, 22334466; 22334477", "NO", &["22334455", "22334466", "22334477"]),
            ("22334455/22334466/22334477", "NO", &["22334455", "22334466", "22334477"]),
            ("22334410-22334419", "NO", &["22334410", "22334419"]),
            ("22334455 ::: 22334466", "NO", &["22334455", "22334466"]),
            ("+47+4722334455", "NO", &["+4722334455"]),
            ("+32 2 123 45 60; +32 2 123 45 61", "BE", &["+32 2 123 45 60", "+32 2 123 45 61"]),
            ("22334455 | 02800", "NO", &["22334455", "02800"]),
            ("030 1234567 \\ 030 1234568", "DE", &["030 1234567", "030 1234568"]),
            ("(030) 1234567 & 0151 12345678", "DE", &["(030) 1234567", "0151 12345678"]),
            ("201-555-0123 / 201-555-0124", "US", &["201-555-0123", "201-555-0124"]),
        ] {
            assert_eq!(read(text, country).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_sign_within_a_number_is_left_there() {
        for (text, country) in [
            ("030/1234567", "DE"),
            ("0221/12 34 56-0", "DE"),
            ("030 123456-12", "DE"),
            ("04921/1234-567", "DE"),
            ("22-33-44-55", "NO"),
            ("01/5123456", "AT"),
            ("1-201-555-0123", "US"),
            ("02/123.45.67", "BE"),
            ("22334455 -", "NO"),
            ("+47/22334455", "NO"),
        ] {
            assert_eq!(read(text, country).as_deref(), Ok(&[text][..]), "{text}");
        }
    }

    #[test]
    fn the_end_of_another_number_makes_it_unusable() {
        for (text, country) in [
            ("47 33 44 55/66", "NO"),
            ("22 33 44 10-19", "NO"),
            ("22334455/56/57", "NO"),
            ("030 1234567-10/11", "DE"),
            ("030 1234567/68", "DE"),
            ("0221 1234567/987654", "DE"),
            ("201-555-0123/24", "US"),
            // +20 155 5012324 would be one in Egypt.
            ("201-555-0123-24", "US"),
        ] {
            assert_eq!(read(text, country), Err(Unusable::Several), "{text}");
        }
        for text in ["22334455~12", "22334455,12345", "22334455;12", "22334455,,12#", "22334455 int 12"] {
            assert_eq!(read(text, "NO"), Err(Unusable::Extension), "{text}");
        }
    }

    #[test]
    fn decimals_are_no_digits() {
        for (text, wanted) in [
            ("4930123456.0", Ok("4930123456")),
            ("+4930123456.00", Ok("+4930123456")),
            ("4930123456,0", Ok("4930123456")),
            ("4930123456.5", Err(Unusable::Fraction)),
            ("030.12", Ok("030.12")),
            ("30.123456", Ok("30.123456")),
        ] {
            assert_eq!(
                read(text, "DE").map(|numbers| numbers.join(" ")),
                wanted.map(str::to_owned),
                "{text}"
            );
        }
    }
}
