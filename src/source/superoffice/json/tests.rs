//! What becomes of JSON, and of what is none.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The values of an array.
fn values(body: impl AsRef<[u8]>) -> Vec<(String, Came)> {
    let mut values = Vec::new();
    let mut scanner = Scanner::new(body.as_ref());
    scanner.array(|value, came| values.push((String::from_utf8(value.to_vec()).unwrap(), came))).unwrap();
    assert_eq!(scanner.ahead().unwrap(), None);
    values
}

fn value(text: impl AsRef<[u8]>) -> String {
    let mut found = values([b"[", text.as_ref(), b"]"].concat());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).0
}

#[test]
fn what_is_json_stays_what_it_is() {
    for text in [
        r#"{"a":[1,-2.5e3,true,false,null,{"b":{}}],"c":"x"}"#,
        r#""a\"b\\c\/\b\f\n\r\t""#,
        "\"Ærø 🦀\"",
        "123456789012345678",
        "0",
        "[]",
    ] {
        assert_eq!(value(text), text);
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&value(text)).unwrap(), json);
    }
    assert_eq!(value(r#""\u00c6\ud83e\udd80\u0022\u005c\u000a""#), r#""Æ🦀\u0022\u005c\u000a""#);
}

#[test]
fn a_texts_fault_is_mended() {
    for (text, mended) in [
        (&br#""a\ud83d""#[..], "\"a\u{fffd}\""),
        (br#""\ud83db""#, "\"\u{fffd}b\""),
        (br#""\udc00\ud83d\ud83e\udd80""#, "\"\u{fffd}\u{fffd}🦀\""),
        (br#""\ud83d\n""#, "\"\u{fffd}\\n\""),
        (br#""\u12G4""#, "\"\u{fffd}G4\""),
        (br#""\u""#, "\"\u{fffd}\""),
        (br#""\x O\'Brien""#, "\"\u{fffd}x O'Brien\""),
        (b"\"a\xff\xc3\"", "\"a\u{fffd}\u{fffd}\""),
        (b"\"a\x00\tb\n\"", "\"a\\u0000\\u0009b\\u000a\""),
        (br#""Kari "Kiki" Nordmann""#, r#""Kari \"Kiki\"\u0020Nordmann""#),
        (br#""Kari "K" {x}, or {K}""#, r#""Kari \"K\"\u0020{x}, or {K}""#),
    ] {
        let found = value(text);
        assert_eq!(found, mended, "{}", String::from_utf8_lossy(text));
        assert!(serde_json::from_str::<String>(&found).is_ok(), "{found}");
    }
}

#[test]
fn a_number_that_none_can_hold_is_a_text_and_a_word_is_nothing() {
    let long = "9".repeat(10_000);
    for (word, read) in [
        ("1e999", "\"1e999\""),
        ("-1e999", "\"-1e999\""),
        ("0047", "\"0047\""),
        ("+47", "\"+47\""),
        ("1.2.3", "\"1.2.3\""),
        ("NaN", "null"),
        ("-Infinity", "null"),
        ("undefined", "null"),
        ("'Kari'", "null"),
        ("-", "null"),
        ("1\u{ff}", "null"),
        (&long, &format!("\"{}\"", &long[..LONGEST_WORD])),
    ] {
        assert_eq!(value(word), read, "{word}");
    }
    assert_eq!(value("18446744073709551616"), "18446744073709551616");
}

#[test]
fn a_value_that_is_broken_costs_itself_only() {
    let good = r#"{"a":1}"#;
    for broken in [
        r#"{"a":}"#,
        r#"{"a" 1}"#,
        r#"{"a":"x" "b":1}"#,
        r#"{"a":"x"y","b":1}"#,
        r#"{"a":"x"y}"#,
        r#"{"a:1}"#,
        r#"{"a":"x}"#,
        r#"{"a":1,"#,
        r#"{"a":[1}"#,
        "junk",
        "}",
        r#""text""#,
        "[[[[]]]]",
    ] {
        let body = format!("[{good},{broken},{good}]");
        let mut scanner = Scanner::new(body.as_bytes());
        let mut found = Vec::new();
        scanner.array(|value, _| found.push(String::from_utf8(value.to_vec()).unwrap())).unwrap();
        // Where brackets are missing, what closes the array may be one of the value's.
        let count = found.iter().filter(|value| *value == good).count();
        assert!(count == 2 || ["}", r#"{"a":[1}"#].contains(&broken), "{broken}: {found:?}");
    }
    // Commas between values may be missing, or too many.
    assert_eq!(values(format!("[,{good} {good},,{good},]")).len(), 3);
}

#[test]
fn a_text_and_a_value_have_a_limit() {
    for (one, length) in [("x", 1), ("Æ", 2), ("\\n", 2), ("\\u00c6", 2), ("\\ud83e\\udd80", 4)] {
        let found = values(format!("[\"{}\",1]", one.repeat(100_000)));
        let (text, came) = &found[0];
        assert!(came.is_cut && !came.is_broken && found[1].0 == "1", "{one}");
        assert!(text.len() <= LONGEST_TEXT + 5 && text.len() > LONGEST_TEXT - length - 3, "{}", text.len());
        let text: String = serde_json::from_str(text).unwrap();
        assert!(text.ends_with('…'), "{one}");
    }
    let many = format!("{{{}}}", "\"k\":\"xxxxxxxxxx\",".repeat(10_000));
    let found = values(format!("[{many},1]"));
    assert!(found[0].1.is_broken && found[1].0 == "1", "{found:?}");
    let deep = format!("[{}{},1]", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(values(deep)[0].1.is_broken);
}

/// A body that comes byte by byte.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}

fn read_all(body: impl Read) -> (Vec<(Vec<u8>, Came)>, Option<ErrorKind>) {
    let mut values = Vec::new();
    let end = Scanner::new(body).array(|value, came| values.push((value.to_vec(), came)));
    (values, end.err().map(|error| error.kind()))
}

proptest! {
    #[test]
    fn any_bytes_are_read_alike_however_they_come(body in r#"\[("(\\u[dD][89a-f][0-9]{2}|\PC|[\\"{},:\x00-\x20])*"|[\[\]{},:"\\]|[-+.0-9eE]{1,9}|\PC){0,40}"#) {
        let (values, end) = read_all(body.as_bytes());
        prop_assert_eq!(&(values.clone(), end), &read_all(Trickle(body.as_bytes())));
        for (value, came) in values {
            // Where the brackets match it is UTF-8, and what JSON's rules are broken by is no text of it.
            prop_assert!(came.is_broken || std::str::from_utf8(&value).is_ok());
        }
    }

    #[test]
    fn a_text_of_any_bytes_costs_itself_only(text in vec(any::<u8>().prop_filter("no end", |byte| *byte != b'"'), 0..200)) {
        // A backslash at its end would take the quote.
        let text = [&text[..], b" "].concat();
        let body = [b"[1,\"", &text[..], b"\",2]"].concat();
        let (values, end) = read_all(body.as_slice());
        prop_assert_eq!(end, None);
        prop_assert_eq!(values.len(), 3);
        prop_assert!(serde_json::from_slice::<String>(&values[1].0).is_ok());
        prop_assert_eq!(&values[2].0, b"2");
    }

    #[test]
    fn json_stays_what_it_is(text in "\\PC{0,20}", number in any::<f64>(), integer in any::<i64>()) {
        let json = serde_json::json!({ "a": [text, number, { "b": integer }, null, true], "c": text });
        let body = format!("[{json}]");
        let (values, _) = read_all(body.as_bytes());
        let read = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
        prop_assert_eq!(read(&values[0].0), read(json.to_string().as_bytes()));
    }
}

#[test]
fn an_end_in_the_middle_is_an_error() {
    for body in ["[", "[1", "[1,", "[\"a", "[\"a\\", "[{", "[{\"a\":1}"] {
        let mut scanner = Scanner::new(body.as_bytes());
        let error = scanner.array(|_, _| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{body}");
    }
}
