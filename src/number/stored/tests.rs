//! How numbers of records are read.

use super::*;

fn norway() -> Country {
    "NO".parse().unwrap()
}

/// The number in E.164 form, or the reason why there is none.
fn record(prefix: impl Into<Option<i64>>, number: i64) -> String {
    match stored(prefix.into(), number.into(), norway()) {
        Ok(number) => number.to_string(),
        Err(unusable) => unusable.reason().to_owned(),
    }
}

#[test]
fn a_prefix_is_the_calling_code() {
    assert_eq!(record(47, 22_334_455), "+4722334455");
    assert_eq!(record(1, 2_015_550_123), "+12015550123");
    // The code is the number's own although the number begins with it.
    assert_eq!(record(47, 47_223_344), "+4747223344");
}

#[test]
fn a_calling_code_that_is_there_twice_is_taken_off_once() {
    assert_eq!(record(47, 4_722_334_455), "+4722334455");
    assert_eq!(record(47, 474_722_334_455), "too_long");
    assert_eq!(record(46, 4_681_234_567), "+4681234567");
}

#[test]
fn an_area_code_in_the_prefix_belongs_to_the_number() {
    assert_eq!(record(1268, 4_601_234), "+12684601234");
    assert_eq!(record(1268, 12_684_601_234), "+12684601234");
}

#[test]
fn without_prefix_the_number_has_its_calling_code() {
    for prefix in [None, Some(0)] {
        assert_eq!(record(prefix, 4_722_334_455), "+4722334455");
        assert_eq!(record(prefix, 46_812_345_678), "+46812345678");
    }
}

#[test]
fn without_prefix_and_calling_code_the_number_is_national() {
    assert_eq!(record(0, 22_334_455), "+4722334455");
    assert_eq!(record(0, 90_123_456), "+4790123456");
    // Romania (+40) has six digits somewhere, but none of these.
    assert_eq!(record(0, 40_154_967), "+4740154967");
}

#[test]
fn lost_zeros_are_reckoned_with() {
    // 02 12348326, shortest fixed line 06 6982, Gabon 01 44 12 37, Ivory Coast 01 23 45 67 89.
    assert_eq!(record(39, 212_348_326), "+39212348326");
    assert_eq!(record(39, 66_982), "+3966982");
    assert_eq!(record(241, 1_441_237), "+2411441237");
    assert_eq!(record(225, 123_456_789), "+225123456789");
    assert_eq!(record(0, 225_123_456_789), "+225123456789");
    assert_eq!(record(47, 2_800), "+472800");
}

#[test]
fn records_of_every_country_are_taken_as_dirty_as_they_come() {
    let mut wrong = Vec::new();
    // Examples are libphonenumber's (`exampleNumber` of its metadata 9.0.33) unless a source says otherwise.
    for (country, prefix, number, wanted, source) in [
        // Zeros that belong to the number.
        ("IT", 39, 3_123_456_789, "+393123456789", "a mobile has no zero"),
        (
            "IT",
            0,
            390_212_345_678,
            "+39212345678",
            "Milan, AGCOM's plan: 02 and the zero is kept from abroad",
        ),
        ("IT", 39, 390_212_345_678, "+39212345678", "the same with the calling code twice"),
        ("SM", 378, 549_886_377, "+378549886377", "San Marino: 0549 886377"),
        ("VA", 39, 669_812_345, "+39669812345", "Vatican City: 06 698 12345, within Italy's plan"),
        ("CG", 242, 222_123_456, "+242222123456", "Congo: a fixed line"),
        ("CG", 242, 61_234_567, "+24261234567", "Congo: mobile 06 123 4567, ARPCE's plan of nine digits"),
        // North America's shared code.
        ("US", 1, 5_062_345_678, "+15062345678", "Canada, New Brunswick"),
        ("NO", 1_876, 5_230_123, "+18765230123", "Jamaica's area code in the prefix"),
        ("JM", 0, 18_765_230_123, "+18765230123", "Jamaica with the calling code in the number"),
        ("US", 1, 12_015_550_123, "+12015550123", "the 1 is the trunk prefix too"),
        ("US", 1, 5_550_123, "impossible_length", "seven digits lack the area code"),
        ("US", 1, 201_555_012_317, "too_long", "an extension of two digits"),
        // Russia and Kazakhstan.
        ("RU", 7, 3_011_234_567, "+73011234567", "a fixed line"),
        ("RU", 7, 89_123_456_789, "+79123456789", "trunk prefix 8, the national plan"),
        ("RU", 0, 89_123_456_789, "+79123456789", "the same without calling code"),
        ("RU", 7, 79_123_456_789, "+79123456789", "the calling code twice"),
        ("KZ", 7, 7_710_009_998, "+77710009998", "Kazakhstan, mobile"),
        ("KZ", 0, 77_710_009_998, "+77710009998", "the same with its calling code"),
        ("KZ", 7, 87_710_009_998, "+77710009998", "trunk prefix 8"),
        ("NO", 77, 710_009_998, "+77710009998", "Kazakhstan's 7 in the prefix"),
        // Trunk prefixes that are still seen.
        ("HU", 36, 6_201_234_567, "+36201234567", "06 20 123 4567, the 0 is lost"),
        ("HU", 0, 36_201_234_567, "+36201234567", "a mobile"),
        ("LT", 370, 861_234_567, "+37061234567", "8 612 34567, Lithuania's prefix until 2024"),
        (
            "BY",
            375,
            80_294_911_911,
            "+37580294911911",
            "Belarus: 8 0 29 491 19 11, but 11 digits are possible",
        ),
        ("GB", 0, 4_402_079_460_000, "+442079460000", "+44 (0)20 7946 0000, Ofcom's numbers for drama"),
        (
            "NO",
            0,
            47_022_334_455,
            "+4722334455",
            "+47 (0) 22 33 44 55, no trunk prefix in Norway's plan (Nkom)",
        ),
        ("AR", 54, 111_523_456_789, "+5491123456789", "0 11 15 2345 6789 is 9 11 2345 6789 from abroad"),
        (
            "MX",
            52,
            12_001_234_567,
            "too_long",
            "Mexico: 1 200 123 4567 was a mobile until 2019, and is nothing now",
        ),
        // Nothing is taken from a record that is possible as it is.
        ("RU", 7, 8_001_234_567, "+78001234567", "toll-free 800 is no 8 and 00"),
        ("HU", 36, 62_123_456, "+3662123456", "Szeged's 62 is no 06"),
        // Codes without a country.
        ("NO", 800, 12_345_678, "+80012345678", "ITU-T E.169.1, freephone"),
        ("NO", 0, 80_012_345_678, "+80012345678", "the same with its code"),
        ("NO", 883, 510_012_345, "+883510012345", "ITU-T E.164.1, networks"),
        ("NO", 999, 12_345_678, "unknown_country_code", "ITU-T E.164: reserved"),
        // Extensions glued on.
        ("NO", 47, 2_251_800_017, "too_long", "22 51 80 00 and extension 17: eight digits in Norway"),
        ("NO", 0, 2_251_800_017, "impossible_length", "without prefix it begins with Ivory Coast's 225"),
        ("DK", 45, 3_212_345_617, "too_long", "eight digits in Denmark, too"),
        ("FR", 33, 12_345_678_917, "too_long", "nine in France"),
        // A prefix that is no calling code.
        (
            "RU",
            8,
            4_951_234_567,
            "unknown_country_code",
            "8 is no calling code, though with 495 behind it Vietnam's 84 begins",
        ),
    ] {
        let found = match stored(Some(prefix), Stored::Integer(number), country.parse().unwrap()) {
            Ok(number) => number.to_string(),
            Err(unusable) => unusable.reason().to_owned(),
        };
        if found != wanted {
            wrong.push(format!("{country} {prefix} {number}: {found}, not {wanted}: {source}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_plus_says_the_country_and_the_prefix_must_agree() {
    let read = |prefix: i64, text| {
        let number = stored(Some(prefix), Stored::from_text(text), norway());
        number.map(|number| number.to_string()).map_err(Unusable::reason)
    };
    // Both +49 4722 334455 (Cuxhaven's district) and +1 472 233 4455 (North Carolina) are numbers in use.
    for (prefix, text) in
        [(49, "+4722334455"), (49, "0047 22 33 44 55"), (1, "+4722334455"), (7, "+47 22334455")]
    {
        assert_eq!(read(prefix, text), Err("prefix_contradicts"), "{prefix} {text}");
    }
    for (prefix, text) in [
        (47, "+4722334455"),
        (47, "0047 22 33 44 55"),
        (47, "+47 (0) 22 33 44 55"),
        (47, "+47 022 33 44 55"),
        (0, "+4722334455"),
        (4722, "+4722334455"),
    ] {
        assert_eq!(read(prefix, text), Ok("+4722334455".into()), "{prefix} {text}");
    }
    // Romania's six digits are no more a Norwegian number for being written with a plus.
    assert_eq!(read(0, "+40154967"), Err("impossible_length"));
    assert_eq!(read(0, "+99912345678"), Err("unknown_country_code"));
    assert_eq!(read(47, "+47 22 33 44 55 66"), Err("too_long"));
}

#[test]
fn letters_and_extensions_in_a_text_are_told() {
    let read = |text| stored(Some(47), Stored::from_text(text), norway()).map_err(Unusable::reason);
    assert_eq!(read("22334455 ext. 12"), Err("extension"));
    assert_eq!(read("2233CALL"), Err("not_a_number"));
    let written = |text| written(text, norway()).map(|number| number.to_string()).map_err(Unusable::reason);
    for text in ["22 33 44 55 x12", "tel:+4722334455;ext=12", "+47 22 33 44 55 ext. 12", "22334455#12"] {
        assert_eq!(written(text), Err("extension"), "{text}");
    }
    assert_eq!(written("1-800-FLOWERS"), Err("not_a_number"));
    assert_eq!(written("anonymous"), Err("not_a_number"));
    assert_eq!(written("+47 (0) 22 33 44 55").unwrap(), "+4722334455");
    assert_eq!(written("tel:+47-22-33-44-55").unwrap(), "+4722334455");
}

#[test]
fn what_cannot_be_used_says_why() {
    assert_eq!(record(47, 0), "zero");
    assert_eq!(record(47, -22_334_455), "negative");
    assert_eq!(record(47, 223_344), "impossible_length");
    assert_eq!(record(47, 12_345_678_901_234_567), "too_long");
    assert_eq!(record(999, 22_334_455), "unknown_country_code");
    assert_eq!(record(-47, 22_334_455), "unknown_country_code");
    assert_eq!(record(i64::MAX, i64::MAX), "too_long");
    assert_eq!(record(None, 123), "impossible_length");
}

#[test]
fn what_is_no_integer_is_told_apart() {
    for (value, wanted) in [
        (Stored::from_text(""), "missing"),
        (Stored::Missing, "missing"),
        (Stored::from_text("0.0"), "zero"),
        (Stored::from(-0.0), "zero"),
        (Stored::from_text("99.99"), "fraction"),
        (Stored::from(99.99), "fraction"),
        (Stored::from_text("-5"), "negative"),
        (Stored::from_text("-5.0"), "negative"),
        (Stored::from_text("-"), "not_a_number"),
        (Stored::from_text("none"), "not_a_number"),
        (Stored::from_text("12+3"), "not_a_number"),
        (Stored::from(f64::NAN), "not_a_number"),
        (Stored::from(f64::INFINITY), "too_long"),
        (Stored::from(u64::MAX), "too_long"),
        (Stored::from_text("99999999999999999999"), "too_long"),
        (Stored::from_text(&"9".repeat(99)), "too_long"),
    ] {
        let reason = stored(Some(47), value, norway()).unwrap_err().reason();
        assert_eq!(reason, wanted, "{value:?}");
    }
}

#[test]
fn a_csv_number_is_international_or_national() {
    let read = |text| written(text, norway()).map(|number| number.to_string());
    assert_eq!(read("+47 22 33 44 55").unwrap(), "+4722334455");
    assert_eq!(read("22 33 44 55").unwrap(), "+4722334455");
    assert_eq!(read("+39 02 12348326").unwrap(), "+39212348326");
    assert_eq!(read("0046 8 123 456 78").unwrap(), "+46812345678");
    let read = |text, country: &str| written(text, country.parse().unwrap()).unwrap();
    assert_eq!(read("001 201 555 0123", "US").to_string(), "+12015550123");
    assert_eq!(read("0061 412 345 825", "AU").to_string(), "+61412345825");
}

#[test]
fn a_csv_number_that_is_none_says_why() {
    for (text, wanted) in [
        (" ", Unusable::Missing),
        ("switchboard", Unusable::NotANumber),
        ("22+33", Unusable::NotANumber),
        ("+999 123", Unusable::UnknownCountryCode),
        ("101", Unusable::ImpossibleLength),
        ("+47 22 33 44 55 66", Unusable::TooLong),
    ] {
        assert_eq!(written(text, norway()), Err(wanted), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_record_panics(prefix: Option<i64>, number: i64, text: String, float: f64) {
        for value in [number.into(), float.into(), Stored::from_text(&text)] {
            let _ = stored(prefix, value, norway());
            let _ = stored(Some(39), value, norway());
        }
        let _ = written(&text, norway());
    }
}
