//! How callers' numbers are read.

use super::*;
use crate::number::Number;

fn read(caller: &str, country: &str) -> Vec<String> {
    read_behind(caller, country, &[])
}

fn read_behind(caller: &str, country: &str, prefixes: &[&str]) -> Vec<String> {
    let prefixes: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    readings(caller, country.parse().unwrap(), &prefixes)
        .into_iter()
        .map(|reading| format!("{} {}", reading.number, reading.rule))
        .collect()
}

#[test]
fn every_way_to_write_a_number_gives_the_same_number() {
    for (caller, rule) in [
        ("+47 22 33 44 55", "international"),
        ("0047 22334455", "international_prefix"),
        ("22334455", "national"),
        ("(22) 33-44.55", "national"),
        ("4722334455", "without_plus"),
    ] {
        let first = read(caller, "NO").swap_remove(0);
        assert_eq!(first, format!("+4722334455 {rule}"), "{caller}");
    }
    assert_eq!(read("0301234567", "DE")[0], "+49301234567 national_trunk");
    assert_eq!(read("01147 22334455", "US")[0], "+4722334455 international_prefix");
}

#[test]
fn a_number_that_begins_with_its_countrys_calling_code_is_still_national() {
    assert_eq!(read("47 22 33 44", "NO"), ["+4747223344 national"]);
}

#[test]
fn a_foreign_number_without_plus_is_read_where_it_is_none_of_the_country() {
    assert_eq!(read("46812345678", "NO"), ["+46812345678 without_plus"]);
}

#[test]
fn a_valid_number_comes_before_a_possible_one() {
    // In Germany eleven digits are always possible, but 1212 is no area code.
    let found = readings("12125551234", "DE".parse().unwrap(), &[]);
    let fits: Vec<Fit> = found.iter().map(|reading| reading.fit).collect();
    assert_eq!(fits, [Fit::Valid, Fit::Possible]);
    assert_eq!(found.first().unwrap().number.to_string(), "+12125551234");
}

#[test]
fn both_readings_are_given_where_both_are_valid() {
    // Also 04722 33445 in Cuxhaven's district.
    let found = read("4722334455", "DE");
    assert_eq!(found[0], "+494722334455 national");
    assert_eq!(found[1], "+4722334455 without_plus");
}

#[test]
fn two_zeros_are_read_as_international_also_where_something_else_is_dialled() {
    let found = readings("0012015550123", "US".parse().unwrap(), &[]);
    let fits: Vec<Fit> = found.iter().map(|reading| reading.fit).collect();
    assert_eq!(fits, [Fit::Impossible, Fit::Valid]);
    let found = read("0061412345825", "AU");
    assert_eq!(found[1], "+61412345825 international_prefix");
}

#[test]
fn zeros_that_belong_to_a_number_are_a_part_of_it() {
    let found = readings("02 1234 8326", "IT".parse().unwrap(), &[]);
    let reading = found.first().unwrap();
    assert_eq!(reading.number.to_string(), "+390212348326");
    assert_eq!(reading.number, Number::with_zeros(39, 1, 212_348_326).unwrap());
    assert_eq!(read("02800", "NO"), ["+4702800 national"]);
}

#[test]
fn zeros_that_no_number_of_the_country_has_in_front_are_left_out_at_last() {
    // In Italy they make another number.
    assert_eq!(read("+39 0331 1234567", "NO"), ["+3903311234567 international"]);
    assert_eq!(read("0 08-123 45 67", "SE").last().unwrap(), "+4681234567 surplus_zero");
}

#[test]
fn a_plus_may_stand_in_front_of_the_countrys_own_international_prefix() {
    for (country, caller) in [
        ("US", "+01147 22334455"),
        ("AU", "+001147 22334455"),
        ("JP", "+010 47 22334455"),
        ("SG", "+00147 22334455"),
        ("NO", "++47 22334455"),
        ("NO", "+ +0047 22334455"),
        ("AU", "+0047 22334455"),
    ] {
        assert_eq!(read(caller, country), ["+4722334455 international"], "{country} {caller}");
    }
    // Russia dials 8 10; 81 is Japan's code.
    assert!(read("+810 47 22334455", "RU").contains(&"+4722334455 international".to_owned()));
}

#[test]
fn a_length_that_no_plan_knows_is_read_with_a_plus_or_prefix_where_nothing_else_is() {
    let fit = |caller: &str, country: &str| {
        let found = readings(caller, country.parse().unwrap(), &[]);
        found.iter().map(|reading| (reading.number.to_string(), reading.fit)).collect::<Vec<_>>()
    };
    for caller in ["+47 580012345678", "0047580012345678", "+0047580012345678"] {
        assert_eq!(fit(caller, "NO"), [("+47580012345678".into(), Fit::Unplanned)], "{caller}");
    }
    assert_eq!(fit("01147580012345678", "US"), [("+47580012345678".into(), Fit::Unplanned)]);
    assert_eq!(fit("47580012345678", "NO"), [("+47580012345678".into(), Fit::Unplanned)]);
    assert_eq!(read("+46 719 1234567890", "SE"), ["+467191234567890 international"]);
    for caller in ["+47 58001234567890", "+47 123", "+999 12345678"] {
        assert_eq!(read(caller, "NO"), [""; 0], "{caller}");
    }
}

#[test]
fn an_outside_line_is_taken_off_first() {
    let found = read_behind("0 0301234567", "DE", &["0"]);
    assert_eq!(found[0], "+49301234567 national_trunk");
    let found = read_behind("030 1234567", "DE", &["0"]);
    assert_eq!(found, ["+49301234567 national"]);
    assert_eq!(read_behind("0+4722334455", "DE", &["0"]), ["+4722334455 international"]);
    // A plus is never behind an outside line, and the longest prefix is the one.
    assert_eq!(read_behind("+4722334455", "NO", &["4"]), ["+4722334455 international"]);
    assert_eq!(read_behind("99022334455", "NO", &["9", "", "990"])[0], "+4722334455 national");
}

#[test]
fn the_digits_as_they_are_come_after_those_behind_the_outside_line() {
    let found = readings("90154967", "DK".parse().unwrap(), &["9".into()]);
    assert!(found.iter().is_sorted_by_key(|reading| !reading.outside_line));
    assert!(found.iter().any(|reading| !reading.outside_line));
}

#[test]
fn what_is_nobodys_number_has_no_reading() {
    let long = "1".repeat(65);
    for caller in ["", " ", "anonymous", "101", "+", "++47", "+999123456", "000000000", &long] {
        assert_eq!(read(caller, "NO"), [""; 0], "{caller}");
    }
}

#[test]
fn readings_are_counted_and_shown() {
    let none = Readings::default();
    assert!(none.is_empty() && none.first().is_none());
    let one = readings("22334455", "NO".parse().unwrap(), &[]);
    assert_eq!((one.len(), one.is_empty()), (1, false));
    assert!(format!("{one:?}").starts_with("[Reading"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_no_number_is_read_twice(
        caller in "(\\+|00|0)?([0-9]{0,20}|\\PC{0,16})",
        country in proptest::sample::select(vec!["NO", "AR", "BR", "IT", "JP", "US", "AG"]),
    ) {
        let country = country.parse().unwrap();
        let found = readings(&caller, country, &["0".into(), "9".into()]);
        let mut numbers: Vec<_> = found.iter().map(|reading| reading.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), found.len());
    }

    #[test]
    fn a_number_is_read_from_its_own_e164_form(national in 10_000_000_u64..99_999_999) {
        let country = "NO".parse().unwrap();
        let found = readings(&format!("{national}"), country, &[]);
        for reading in found.iter().filter(|reading| reading.fit == Fit::Valid) {
            let again = readings(&reading.number.to_string(), country, &[]);
            assert_eq!(again.first().map(|r| r.number), Some(reading.number));
        }
    }
}

#[test]
fn addresses_are_read_down_to_their_number() {
    // RFC 3966 §3 and §5.1.5, RFC 3261 §19.1.1.
    for caller in [
        "tel:+47-22-33-44-55",
        "tel:+4722334455;ext=12",
        "tel:22334455;phone-context=+47",
        "sip:+4722334455@pbx.example.com;user=phone",
        "<sip:%2B4722334455@192.0.2.1:5060>",
        "sip:004722334455@pbx.example.com",
        "sip:22334455@pbx.example.com",
    ] {
        assert!(read(caller, "NO")[0].starts_with("+4722334455 "), "{caller}");
    }
    // The context says another country than the PBX's.
    assert_eq!(read("tel:812345678;phone-context=+46", "NO"), ["+46812345678 international"]);
    for caller in ["sip:22334455", "sip:kari@pbx.example.com", "tel:", "sip:@192.0.2.1"] {
        assert_eq!(read(caller, "NO"), [""; 0], "{caller}");
    }
}

#[test]
fn russia_and_kazakhstan_share_a_code_and_a_trunk_prefix() {
    // +7 6 and +7 7 are Kazakhstan's (ITU-T E.164.D); both dial 8 (libphonenumber 9.0.33, its example numbers).
    for country in ["RU", "KZ"] {
        for (caller, rule) in [
            ("+7 771 000 9998", "international"),
            ("8 771 000 9998", "national_trunk"),
            ("771 000 9998", "national"),
            ("007 771 000 9998", "international_prefix"),
            ("7 771 000 9998", "without_plus"),
        ] {
            let found = readings(caller, country.parse().unwrap(), &[]);
            let valid = found.iter().find(|reading| reading.fit == Fit::Valid).unwrap();
            assert_eq!(
                format!("{} {}", valid.number, valid.rule),
                format!("+77710009998 {rule}"),
                "{country} {caller}"
            );
        }
        assert_eq!(read("8 301 123 4567", country)[0], "+73011234567 national_trunk", "{country}");
    }
    assert_eq!(read("7 771 000 9998", "NO"), ["+77710009998 without_plus"]);
}

#[test]
fn codes_without_a_country_are_read_as_callers_too() {
    // ITU-T E.169.1: freephone, eight digits; E.164.1: networks (libphonenumber 9.0.33, its example numbers).
    for (number, rest) in [("+80012345678", "80012345678"), ("+883510012345", "883510012345")] {
        for country in ["NO", "DE", "US"] {
            assert_eq!(read(number, country), [format!("{number} international")], "{country}");
        }
        assert_eq!(read(&format!("00{rest}"), "NO"), [format!("{number} international_prefix")]);
        assert_eq!(read(&format!("011{rest}"), "US")[0], format!("{number} international_prefix"));
        assert_eq!(read(rest, "NO"), [format!("{number} without_plus")]);
    }
}

#[test]
fn a_zero_in_brackets_is_read_as_the_country_has_it() {
    // No trunk prefix in Norway (Nkom) and Spain; 0 in Britain; 06 in Hungary; in Italy and Ivory Coast the zero is a
    // part of the number (libphonenumber's example numbers).
    for (caller, wanted) in [
        ("+47 (0) 22 33 44 55", "+4722334455 international"),
        ("0047 (0) 22 33 44 55", "+4722334455 international_prefix"),
        ("+34 (0)810 12 34 56", "+34810123456 international"),
        ("+44 (0)20 7946 0000", "+442079460000 international"),
        ("+36 (0)1 234 5678", "+3612345678 international"),
        ("+39 (0)2 1234 5678", "+390212345678 international"),
        ("+225 (0)1 23 45 67 89", "+2250123456789 international"),
    ] {
        assert_eq!(read(caller, "NO")[0], wanted, "{caller}");
    }
}

#[test]
fn a_zero_that_the_country_does_not_dial_is_left_out_at_last() {
    // Countries without trunk prefix (libphonenumber 9.0.33, its example numbers). Trunks send `022…`.
    for (caller, country, wanted) in [
        ("022334455", "NO", "+4722334455 surplus_zero"),
        ("0810 12 34 56", "ES", "+34810123456 surplus_zero"),
        ("032 12 34 56", "DK", "+4532123456 surplus_zero"),
    ] {
        assert_eq!(read(caller, country).last().unwrap(), wanted, "{caller}");
    }
    // A zero that belongs to the number or is dialled, two zeros, and numbers that are not in use without the zero.
    for (caller, country) in [
        ("02800", "NO"),
        ("02 1234 8326", "IT"),
        ("0301234567", "DE"),
        ("0022334455", "NO"),
        ("012345678", "NO"),
        ("+022334455", "NO"),
    ] {
        assert!(!read(caller, country).iter().any(|reading| reading.ends_with("surplus_zero")), "{caller}");
    }
    // The outside line's zero comes first.
    assert_eq!(read_behind("022334455", "NO", &["0"]), ["+4722334455 national"]);
}

#[test]
fn zeros_behind_a_plus_are_left_out() {
    assert_eq!(read("+004722334455", "SE"), ["+4722334455 international"]);
    assert_eq!(read("+0047", "SE"), [""; 0]);
}
