//! How numbers of records are read.

use super::*;
use crate::number::RecordNumber;

mod texts;

fn norway() -> Country {
    "NO".parse().unwrap()
}

/// The numbers in E.164 form, likeliest first, the others behind a `~`; or the reason why there is none.
fn said(numbers: Result<Numbers, Unusable>) -> String {
    let shown = |item: RecordNumber| format!("{}{}", if item.likely { "" } else { "~" }, item.number);
    let all = |numbers: Numbers| numbers.iter().map(shown).collect::<Vec<_>>().join(" ");
    numbers.map_or_else(|unusable| unusable.reason().to_owned(), all)
}

fn record(prefix: impl Into<Option<i64>>, number: i64) -> String {
    record_in("NO", prefix, number)
}

fn record_in(country: &str, prefix: impl Into<Option<i64>>, number: i64) -> String {
    said(of_crm(prefix.into(), number.into(), country.parse().unwrap()))
}

fn text_in(country: &str, text: &str) -> String {
    said(of_text(text, country.parse().unwrap()))
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
    assert_eq!(record(39, 212_348_326), "+390212348326 ~+39212348326");
    assert_eq!(record(39, 66_982), "+39066982");
    assert_eq!(record(241, 1_441_237), "+24101441237 ~+2411441237");
    assert_eq!(record(225, 123_456_789), "+2250123456789");
    assert_eq!(record(0, 225_123_456_789), "+2250123456789");
    assert_eq!(record(47, 2_800), "+4702800");
}

#[test]
fn records_of_every_country_are_taken_as_dirty_as_they_come() {
    let mut wrong = Vec::new();
    // Examples are libphonenumber's (`exampleNumber` of its metadata 9.0.33) unless a source says otherwise.
    for (country, prefix, number, wanted, source) in [
        // Zeros that belong to the number.
        (
            "IT",
            39,
            3_123_456_789,
            "+393123456789 ~+3903123456789",
            "a mobile has no zero, but 0312 is a town's",
        ),
        (
            "IT",
            0,
            390_212_345_678,
            "+390212345678",
            "Milan, AGCOM's plan: 02 and the zero is kept from abroad",
        ),
        ("IT", 39, 390_212_345_678, "+390212345678", "the same with the calling code twice"),
        ("SM", 378, 549_886_377, "+3780549886377", "San Marino: 0549 886377"),
        (
            "VA",
            39,
            669_812_345,
            "+390669812345 ~+39669812345",
            "Vatican City: 06 698 12345, within Italy's plan",
        ),
        ("CG", 242, 222_123_456, "+242222123456", "Congo: a fixed line"),
        ("CG", 242, 61_234_567, "+242061234567", "Congo: mobile 06 123 4567, ARPCE's plan of nine digits"),
        // North America's shared code.
        ("US", 1, 5_062_345_678, "+15062345678", "Canada, New Brunswick"),
        ("NO", 1_876, 5_230_123, "+18765230123", "Jamaica's area code in the prefix"),
        ("JM", 0, 18_765_230_123, "+18765230123", "Jamaica with the calling code in the number"),
        ("US", 1, 12_015_550_123, "+12015550123", "the 1 is the trunk prefix too"),
        ("US", 1, 5_550_123, "impossible_length", "seven digits lack the area code"),
        ("US", 1, 201_555_012_317, "+1201555012317", "an extension of two digits: nobody's number, as it is"),
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
        ("BY", 375, 80_294_911_911, "+375294911911", "Belarus: 8 0 29 491 19 11, as it is dialled at home"),
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
            "+5212001234567",
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
        ("NO", 47, 2_251_800_017, "+472251800017", "22 51 80 00 and extension 17: nobody's, as it is"),
        ("NO", 0, 2_251_800_017, "impossible_length", "without prefix it begins with Ivory Coast's 225"),
        ("DK", 45, 3_212_345_617, "+453212345617", "eight digits in Denmark, too"),
        ("FR", 33, 12_345_678_917, "+3312345678917", "nine in France"),
        // A prefix that is no calling code.
        (
            "RU",
            8,
            4_951_234_567,
            "unknown_country_code",
            "8 is no calling code, though with 495 behind it Vietnam's 84 begins",
        ),
    ] {
        let found = record_in(country, prefix, number);
        if found != wanted {
            wrong.push(format!("{country} {prefix} {number}: {found}, not {wanted}: {source}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_plus_says_the_country_and_the_prefix_must_agree() {
    let read = |prefix: i64, text| said(of_crm(Some(prefix), CrmValue::from_text(text), norway()));
    // Both +49 4722 334455 (Cuxhaven's district) and +1 472 233 4455 (North Carolina) are numbers in use.
    for (prefix, text) in
        [(49, "+4722334455"), (49, "0047 22 33 44 55"), (1, "+4722334455"), (7, "+47 22334455")]
    {
        assert_eq!(read(prefix, text), "prefix_contradicts", "{prefix} {text}");
    }
    for (prefix, text) in [
        (47, "+4722334455"),
        (47, "0047 22 33 44 55"),
        (47, "+47 (0) 22 33 44 55"),
        (47, "+47 022 33 44 55"),
        (0, "+4722334455"),
        (4722, "+4722334455"),
    ] {
        assert_eq!(read(prefix, text), "+4722334455", "{prefix} {text}");
    }
    // Some of Romania's numbers have six digits. Written without plus, these are Norway's 40 15 49 67.
    assert_eq!(read(0, "+40154967"), "+40154967");
    assert_eq!(read(0, "40154967"), "+4740154967");
    assert_eq!(read(0, "+99912345678"), "unknown_country_code");
    // An area code in the prefix, and a zero that the text has kept.
    assert_eq!(read(4722, "33 44 55"), "+4722334455");
    assert_eq!(read(39, "0331 123456"), "+390331123456");
    assert_eq!(read(7, "8 495 123-45-67"), "+74951234567");
}

#[test]
fn letters_and_extensions_in_a_text_are_told() {
    let read = |text| of_crm(Some(47), CrmValue::from_text(text), norway()).map_err(Unusable::reason);
    assert_eq!(read("22334455 ext. 12"), Err("extension"));
    assert_eq!(read("2233CALL"), Err("not_a_number"));
    for text in ["22 33 44 55 x12", "tel:+4722334455;ext=12", "+47 22 33 44 55 ext. 12", "22334455#12"] {
        assert_eq!(text_in("NO", text), "extension", "{text}");
    }
    assert_eq!(text_in("NO", "1-800-FLOWERS"), "not_a_number");
    assert_eq!(text_in("NO", "anonymous"), "not_a_number");
    assert_eq!(text_in("NO", "+47 (0) 22 33 44 55"), "+4722334455");
    assert_eq!(text_in("NO", "tel:+47-22-33-44-55"), "+4722334455");
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
        (CrmValue::from_text(""), "missing"),
        (CrmValue::Missing, "missing"),
        (CrmValue::from_text("0.0"), "zero"),
        (CrmValue::from(-0.0), "zero"),
        (CrmValue::from_text("99.99"), "fraction"),
        (CrmValue::from(99.99), "fraction"),
        (CrmValue::from_text("-5"), "negative"),
        (CrmValue::from_text("-5.0"), "negative"),
        (CrmValue::from_text("-"), "not_a_number"),
        (CrmValue::from_text("none"), "not_a_number"),
        (CrmValue::from_text("12+3"), "not_a_number"),
        (CrmValue::from(f64::NAN), "not_a_number"),
        (CrmValue::from(f64::INFINITY), "too_long"),
        (CrmValue::from(u64::MAX), "too_long"),
        (CrmValue::from_text("99999999999999999999"), "too_long"),
        (CrmValue::from_text(&"9".repeat(99)), "too_long"),
    ] {
        let reason = of_crm(Some(47), value, norway()).unwrap_err().reason();
        assert_eq!(reason, wanted, "{value:?}");
    }
}

#[test]
fn a_record_that_can_be_read_in_two_ways_has_both_numbers() {
    // Germany: 0151 12345678 is a mobile, 0491 Leer, 04930 would be near Norden, 04722 near Cuxhaven.
    for (text, wanted) in [
        ("4915112345678", "+4915112345678 ~+494915112345678"),
        ("491711234567", "+491711234567 ~+49491711234567"),
        ("49301234567", "+49301234567 ~+4949301234567"),
        // 04922 and as many digits would be longer than any in the plan.
        ("4922112345678", "+4922112345678"),
        // Of a foreign number without plus the likelier is the one within the country.
        ("4722334455", "+494722334455 ~+4722334455"),
        ("12125551234", "+12125551234 ~+4912125551234"),
        // Twice.
        ("494915112345678", "+4915112345678 ~+494915112345678"),
        ("+494915112345678", "+4915112345678 ~+494915112345678"),
        // Leer 0491 512345; 0151 2345 is too short for a mobile in use.
        ("491512345", "+49491512345 ~+491512345"),
        // One way only: with its trunk prefix, or in full.
        ("04915112345678", "+494915112345678"),
        ("+494921123456", "+494921123456"),
        ("+4915112345678", "+4915112345678"),
        ("30 1234567", "+49301234567"),
    ] {
        assert_eq!(text_in("DE", text), wanted, "{text}");
    }
    // The CRM's integers by the same rule, with prefix 0 and 49.
    assert_eq!(record_in("DE", 0, 4_915_112_345_678), "+4915112345678 ~+494915112345678");
    assert_eq!(record_in("DE", 49, 4_915_112_345_679), "+4915112345679 ~+494915112345679");
    assert_eq!(record_in("DE", 49, 49_301_234_567), "+49301234567 ~+4949301234567");
    assert_eq!(record_in("DE", 0, 49_301_234_567), "+49301234567 ~+4949301234567");
    assert_eq!(record_in("DE", 0, 4_722_334_455), "+494722334455 ~+4722334455");
    assert_eq!(record_in("DE", 49, 15_112_345_678), "+4915112345678");
    // Norwegian mobiles begin with the codes of Sweden, Romania, Germany, but numbers there do not have six digits.
    for national in [46_123_456, 40_154_967, 49_301_234] {
        assert_eq!(record(0, national), format!("+47{national}"));
        assert_eq!(text_in("NO", &national.to_string()), format!("+47{national}"));
    }
}

#[test]
fn a_zero_counts_where_the_record_has_it() {
    assert_eq!(text_in("NO", "+39 0331 1234567"), "+3903311234567");
    assert_eq!(text_in("NO", "+39 331 1234567"), "+393311234567");
    assert_eq!(text_in("IT", "0331 1234567"), "+3903311234567");
    // The CRM's integer may have lost one. A mobile of ten digits is usual; of nine it is not.
    assert_eq!(record(39, 3_311_234_567), "+393311234567 ~+3903311234567");
    assert_eq!(record(39, 331_123_456), "~+390331123456 ~+39331123456");
    let ambiguous = |integer: i64| of_crm(Some(39), integer.into(), norway()).unwrap().is_ambiguous();
    assert_eq!([331_123_456, 3_311_234_567, 212_348_326].map(ambiguous), [true, true, false]);
    assert_eq!(record(0, 393_311_234_567), "+393311234567 ~+3903311234567");
}

#[test]
fn an_international_number_of_an_unknown_length_is_taken_as_it_is() {
    let unplanned = |numbers: Result<Numbers, Unusable>| numbers.is_ok_and(|numbers| numbers.is_unplanned());
    for text in ["+47 580012345678", "0047580012345678", "+46 719 123 456 7890", "+47 22 33 44 55 66"] {
        let numbers = of_text(text, norway());
        assert!(unplanned(numbers.clone()), "{text}: {numbers:?}");
    }
    assert_eq!(text_in("NO", "+47 580012345678"), "+47580012345678");
    assert_eq!(record(47, 580_012_345_678), "+47580012345678");
    assert_eq!(record(0, 47_580_012_345_678), "+47580012345678");
    assert!(!unplanned(of_text("+47 22334455", norway())));
    // More than E.164 has, and digits that say no country.
    assert_eq!(text_in("NO", "+47 58001234567890"), "too_long");
    assert_eq!(record(47, 123_456), "impossible_length");
}

#[test]
fn several_numbers_are_each_one() {
    assert_eq!(text_in("NO", "22334455 / 22334466"), "+4722334455 +4722334466");
    assert_eq!(
        text_in("DE", "+49 30 1234567, 4915112345678"),
        "+49301234567 +4915112345678 ~+494915112345678"
    );
    assert_eq!(
        said(of_crm(Some(47), CrmValue::from_text("22334455/22334466"), norway())),
        "+4722334455 +4722334466"
    );
}

#[test]
fn a_plus_may_stand_in_front_of_what_the_country_dials() {
    for (country, text) in [
        ("US", "+011 47 22334455"),
        ("AU", "+0011 47 22334455"),
        ("JP", "+010 47 22334455"),
        ("NO", "++47 22334455"),
        ("NO", "+0047 22334455"),
    ] {
        assert_eq!(text_in(country, text), "+4722334455", "{country} {text}");
        assert_eq!(
            said(of_crm(Some(0), CrmValue::from_text(text), country.parse().unwrap())),
            "+4722334455",
            "{text}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_record_panics(prefix: Option<i64>, number: i64, text: String, float: f64) {
        for value in [number.into(), float.into(), CrmValue::from_text(&text)] {
            let _ = of_crm(prefix, value, norway());
            let _ = of_crm(Some(39), value, norway());
        }
        let _ = of_text(&text, norway());
    }
}
