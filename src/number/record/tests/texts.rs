//! How numbers in texts are read.

use super::*;

#[test]
fn a_record_has_the_number_that_its_caller_sends() {
    // One zero is the trunk prefix. The other one is taken off where a caller sends it behind +375.
    assert_eq!(text_in("BY", "001845010836"), "+3751845010836");
    assert_eq!(text_in("BY", "+37501845010836"), "+3751845010836");
    // Behind the calling code in the digits of an integer, too.
    assert_eq!(record(None, 92_030_188_283), "+9230188283");
    assert_eq!(text_in("NO", "+92030188283"), "+9230188283");
    assert_eq!(text_in("IT", "0331123456"), "+390331123456");
}

#[test]
fn a_csv_number_is_international_or_national() {
    for (country, text, wanted) in [
        ("NO", "+47 22 33 44 55", "+4722334455"),
        ("NO", "22 33 44 55", "+4722334455"),
        ("NO", "+39 02 12348326", "+390212348326"),
        ("NO", "0046 8 123 456 78", "+46812345678"),
        ("US", "001 201 555 0123", "+12015550123"),
        ("AU", "0061 412 345 825", "+61412345825"),
    ] {
        assert_eq!(text_in(country, text), wanted, "{text}");
    }
}

#[test]
fn a_csv_number_that_is_none_says_why() {
    for (text, wanted) in [
        (" ", Unusable::Missing),
        ("switchboard", Unusable::NotANumber),
        ("22+33", Unusable::NotANumber),
        ("+999 123", Unusable::UnknownCountryCode),
        ("101", Unusable::ImpossibleLength),
        ("+47 22 33 44 55 66 77 88", Unusable::TooLong),
        ("22 33 44 55 66", Unusable::TooLong),
        ("0", Unusable::Zero),
        ("47 33 44 55/66", Unusable::Several),
        ("22334455.5", Unusable::Fraction),
    ] {
        assert_eq!(of_text(text, norway()), Err(wanted), "{text}");
    }
}
