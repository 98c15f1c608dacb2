//! The number settings of a PBX, and callers that are not looked up: colleagues, emergency services, callers without a
//! number.

use std::str::FromStr;

use super::read_at;
use super::reading::Readings;
use crate::number::Country;
use crate::number::address::Address;
use crate::number::digits::DialString;

/// The default short codes. The emergency numbers are the numbers that every mobile phone knows (3GPP TS 22.101 §10.1.1,
/// without the two digits `08`) and 113, which 19 countries use (libphonenumber's `ShortNumberMetadata.xml`). 116… are
/// Europe's services of social value (Commission Decision 2007/116/EC and its amendments).
pub const SHORT_CODES: [&str; 13] = [
    "000", "110", "112", "113", "118", "119", "911", "999", "116000", "116006", "116111", "116117", "116123",
];

/// The longest extension, in digits, that is recognised by its length. A foreign number without a plus may be shorter than
/// all numbers of the PBX's country, but it has at least seven digits in all but three countries (Austria, Germany, Iran;
/// libphonenumber 9.0.33).
const EXTENSION_MAX: usize = 6;

/// The reason why a caller is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// A word in place of the number: "anonymous", "unknown".
    Anonymous,
    /// An extension: one of [`Settings::internal`], or at most six digits, too few for a number of the country.
    Internal,
    /// One of [`Settings::short_codes`].
    ShortCode,
    /// Not a number.
    NoNumber,
}

/// The extensions of a PBX, as a pattern with `x` for any digit: `1xx`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extensions(String);

/// A text that is not a pattern of extensions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of extensions; allowed are 1 to 15 digits, x for any digit, such as 2xxx")]
pub struct BadExtensions(String);

impl FromStr for Extensions {
    type Err = BadExtensions;

    fn from_str(text: &str) -> Result<Self, BadExtensions> {
        let allowed = |byte: u8| byte.is_ascii_digit() || byte == b'x';
        let pattern = text.to_ascii_lowercase();
        // No caller has more digits (ITU-T E.164 §6.1).
        if (1..=15).contains(&pattern.len()) && pattern.bytes().all(allowed) {
            Ok(Self(pattern))
        } else {
            Err(BadExtensions(text.chars().take(32).collect()))
        }
    }
}

impl Extensions {
    /// Whether the whole of `digits` matches.
    fn contain(&self, digits: &[u8]) -> bool {
        let fits = |(pattern, digit): (u8, &u8)| pattern == b'x' || pattern == *digit;
        self.0.len() == digits.len() && self.0.bytes().zip(digits).all(fits)
    }
}

/// How one PBX writes the numbers of callers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The country of the PBX: national numbers are numbers of this country.
    pub country: Country,
    /// Outside-line digits that the PBX puts in front of callers' numbers, such as `0` or `9`. The longest match is taken off.
    pub strip_prefixes: Vec<String>,
    /// The area code of the PBX, if local callers come without it.
    pub area_code: Option<String>,
    /// The extensions of the PBX, which are not looked up.
    pub internal: Vec<Extensions>,
    /// Emergency numbers and other short codes, which are not looked up.
    pub short_codes: Vec<String>,
}

impl Settings {
    /// The settings of a PBX in `country` with the default [`SHORT_CODES`], and nothing else.
    #[must_use]
    pub fn new(country: Country) -> Self {
        Self {
            country,
            strip_prefixes: Vec::new(),
            area_code: None,
            internal: Vec::new(),
            short_codes: SHORT_CODES.map(str::to_owned).to_vec(),
        }
    }

    /// The readings of a caller at this PBX ([`readings`](super::readings)), on a trunk of `country`, mostly the country of
    /// the PBX. A number without its area code is also read with [`area_code`](Settings::area_code), after all other
    /// readings, but not on a trunk of another country.
    ///
    /// # Errors
    ///
    /// [`Skip`] has the reason why there is nothing to look up.
    pub fn read(&self, caller: &str, country: Country) -> Result<Readings, Skip> {
        if Address::read(caller).is_anonymous() {
            return Err(Skip::Anonymous);
        }
        let dial_string = DialString::of_address(caller, &self.strip_prefixes).ok_or(Skip::NoNumber)?;
        let area_code = self.area_code.as_deref().filter(|_| country == self.country);
        if let Some(digits) = dial_string.without_plus() {
            if self.internal.iter().any(|extensions| extensions.contain(digits)) {
                return Err(Skip::Internal);
            }
            if self.short_codes.iter().any(|code| code.as_bytes() == digits) {
                return Err(Skip::ShortCode);
            }
            let shortest = country.region().shortest(area_code.map_or(0, str::len));
            if digits.len() < shortest && digits.len() <= EXTENSION_MAX {
                return Err(Skip::Internal);
            }
        }
        let found = read_at(&dial_string, country, &self.strip_prefixes, area_code);
        if found.is_empty() { Err(Skip::NoNumber) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(country: &str) -> Settings {
        Settings::new(country.parse().unwrap())
    }

    fn read(settings: &Settings, caller: &str) -> Result<String, Skip> {
        settings.read(caller, settings.country).map(|found| {
            let all: Vec<_> = found.iter().map(|r| format!("{} {}", r.number, r.rule)).collect();
            all.join(", ")
        })
    }

    #[test]
    fn extensions_are_skipped_as_a_whole() {
        let settings =
            Settings { internal: vec!["1xx".parse().unwrap(), "22334X".parse().unwrap()], ..settings("DE") };
        for caller in ["101", "sip:199@pbx.example.com", "tel:101", "1-00", "223349"] {
            assert_eq!(read(&settings, caller), Err(Skip::Internal), "{caller}");
        }
        for caller in ["+101", "1011", "1234567", "22334455"] {
            assert_ne!(read(&settings, caller), Err(Skip::Internal), "{caller}");
        }
    }

    #[test]
    fn fewer_digits_than_any_number_of_the_country_are_an_extension() {
        // Lengths of libphonenumber 9.0.33, with those that are dialled within a town only: Norway 5 and 8,
        // the United States 7 and 10, France 9.
        for (country, caller) in [("NO", "1234"), ("US", "123456"), ("FR", "431234")] {
            assert_eq!(read(&settings(country), caller), Err(Skip::Internal), "{country} {caller}");
        }
        assert_eq!(read(&settings("NO"), "02800").unwrap(), "+4702800 national");
        // In Germany 115 (the authorities) would be a local number, in the United States 5550123 is.
        assert_eq!(read(&settings("DE"), "115"), Err(Skip::NoNumber));
        assert_eq!(read(&settings("US"), "5550123"), Err(Skip::NoNumber));
        // Seven digits are no number in France, but may be a number of another country: Vienna is Austria's 1.
        assert_eq!(read(&settings("FR"), "4312345").unwrap(), "+4312345 without_plus");
        // Niue has numbers of four digits: +683 4002.
        assert_eq!(read(&settings("FR"), "6834002").unwrap(), "+6834002 without_plus");
        assert_eq!(read(&settings("NO"), "+1234"), Err(Skip::NoNumber));
    }

    #[test]
    fn emergency_and_short_codes_are_skipped() {
        for code in SHORT_CODES {
            assert_eq!(read(&settings("NO"), code), Err(Skip::ShortCode), "{code}");
        }
        let own = Settings { short_codes: vec!["02800".into()], ..settings("NO") };
        assert_eq!(read(&own, "02800"), Err(Skip::ShortCode));
        assert_eq!(read(&own, "112"), Err(Skip::Internal));
        // An extension of the settings is an extension, of any length.
        let colleagues = Settings { internal: vec!["1xx".parse().unwrap()], ..settings("NO") };
        assert_eq!(read(&colleagues, "112"), Err(Skip::Internal));
    }

    #[test]
    fn a_word_is_told_from_a_text_that_is_no_number() {
        assert_eq!(read(&settings("NO"), "Anonymous"), Err(Skip::Anonymous));
        for caller in ["", "kari", "+999123456", "12+34"] {
            assert_eq!(read(&settings("NO"), caller), Err(Skip::NoNumber), "{caller}");
        }
    }

    #[test]
    fn an_area_code_that_was_left_off_is_put_in_front() {
        let at = |country: &str, area_code: &str, caller: &str| {
            read(&Settings { area_code: Some(area_code.into()), ..settings(country) }, caller)
        };
        // +1 201 is New Jersey, libphonenumber's example number 201-555-0123.
        assert_eq!(at("US", "201", "555-0123").unwrap(), "+12015550123 area_code");
        // Berlin, with and without the trunk prefix in the setting (libphonenumber's example 030 123456).
        assert!(at("DE", "30", "2345678").unwrap().ends_with("+49302345678 area_code"));
        assert!(at("DE", "030", "2345678").unwrap().ends_with("+49302345678 area_code"));
        // In Rome the zero is a part of the number.
        assert!(at("IT", "06", "69812345").unwrap().ends_with("+390669812345 area_code"));
        assert!(at("BR", "11", "23456789").unwrap().ends_with("+551123456789 area_code"));
        // Moscow: seven digits, and an 8 in front is not the trunk prefix there.
        assert_eq!(at("RU", "495", "8123456").unwrap(), "+74958123456 area_code");
    }

    #[test]
    fn a_number_that_is_whole_gets_no_area_code() {
        let berlin = Settings { area_code: Some("30".into()), ..settings("DE") };
        let oslo = Settings { area_code: Some("22".into()), ..settings("NO") };
        assert_eq!(read(&oslo, "22334455").unwrap(), "+4722334455 national");
        for caller in ["030 2345678", "+49302345678", "0049302345678", "0151 23456789"] {
            let found = berlin.read(caller, berlin.country).unwrap();
            assert!(
                found.iter().all(|reading| reading.rule != super::super::reading::Rule::AreaCode),
                "{caller}"
            );
        }
        let new_jersey = Settings { area_code: Some("201".into()), ..settings("US") };
        let canada = "CA".parse().unwrap();
        assert_eq!(new_jersey.read("5550123", canada).unwrap_err(), Skip::NoNumber);
        // With the outside line in front, too.
        let behind = Settings { strip_prefixes: vec!["9".into()], ..new_jersey };
        assert_eq!(read(&behind, "95550123").unwrap(), "+95550123 without_plus, +12015550123 area_code");
    }

    #[test]
    fn signs_in_front_of_a_number_are_taken_off() {
        let signs = Settings {
            strip_prefixes: vec!["*31*".into(), "#".into(), "0".into()],
            internal: vec!["22334456".parse().unwrap()],
            ..settings("NO")
        };
        for caller in ["*31*22334455", "#22334455", "#+4722334455", "#004722334455", "022334455", "22334455"]
        {
            let found = signs.read(caller, signs.country).unwrap();
            assert_eq!(found.first().unwrap().number.to_string(), "+4722334455", "{caller}");
            assert_eq!(found.first().unwrap().outside_line, !caller.starts_with('2'), "{caller}");
        }
        assert_eq!(read(&signs, "#112"), Err(Skip::ShortCode));
        assert_eq!(read(&signs, "#22334456"), Err(Skip::Internal));
        assert_eq!(read(&signs, "22334455#"), Err(Skip::NoNumber));
        assert_eq!(read(&settings("NO"), "#22334455"), Err(Skip::NoNumber));
    }

    #[test]
    fn what_is_no_pattern_says_what_is() {
        for text in ["", "1x*", "1 0", "_1XX", "xxxxxxxxxxxxxxxx"] {
            let error = text.parse::<Extensions>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("such as 2xxx"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, caller in "[+<\"]?(tel:|sip:)?[0-9()%+;=@ax. ]{0,30}") {
            let settings = Settings {
                area_code: Some("11".into()),
                internal: vec!["1xx".parse().unwrap()],
                strip_prefixes: vec!["0".into(), "9".into()],
                ..settings("AR")
            };
            for text in [caller.as_str(), &String::from_utf8_lossy(&bytes)] {
                let _ = settings.read(text, settings.country);
                let _ = settings.read(text, "NO".parse().unwrap());
            }
        }
    }
}
