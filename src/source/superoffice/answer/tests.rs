//! Answers, good and strange.

use super::*;
use crate::entry::Entry;

fn read_text(body: &str) -> Result<ListAnswer, FetchError> {
    read(body.as_bytes(), 1 << 20, "NO".parse().unwrap(), "nb-NO", &Progress::default())
}

fn set(body: &str) -> Delivery {
    match read_text(body) {
        Ok(ListAnswer::List(delivery)) => delivery,
        other => unreachable!("{body}: {other:?}"),
    }
}

fn entries(delivery: Delivery) -> Vec<Entry> {
    delivery.entries.finish().entries().map(Result::unwrap).collect()
}

fn numbers(delivery: Delivery) -> Vec<String> {
    entries(delivery).iter().map(|entry| entry.number.to_string()).collect()
}

#[test]
fn the_sample_answer_of_the_api_page_parses_and_its_number_is_counted() {
    let delivery = set(r#"{
      "CallerIDHash": "necessitatibus",
      "CallerIDs": [
        {
          "PhoneNumber": 99.99,
          "DialInPrefix": 45,
          "PersonId": 654,
          "PersonName": "Lebsack-Denesik",
          "Mrmrs": "saepe",
          "ContactId": 243,
          "ContactName": "Lakin, Renner and Tremblay"
        },
        {"PhoneNumber": 33121314, "DialInPrefix": 45, "PersonId": 655, "PersonName": "Ærø",
         "Mrmrs": "US:\"Mr\";NO:\"Herr\"", "ContactId": 243, "ContactName": "US:\"Lakin\";NO:\"Sjø\""}
      ]
    }"#);
    assert_eq!(delivery.hash, "necessitatibus");
    assert_eq!(
        delivery.unusable.to_string(),
        "1 fraction (record 1: number 99.99, prefix 45, person 654, contact 243)"
    );
    let entries = entries(delivery);
    let [entry] = entries.as_slice() else { unreachable!("{entries:?}") };
    assert_eq!(entry.number.to_string(), "+4533121314");
    assert_eq!((entry.person_id, entry.person.as_str(), entry.mrmrs.as_str()), (655, "Ærø", "Herr"));
    assert_eq!((entry.company_id, entry.company.as_str()), (243, "Sjø"));
}

#[test]
fn numbers_are_read_as_integers_as_floats_and_as_strings() {
    for number in ["33121314", "33121314.0", "\"33121314\"", "3.3121314e7"] {
        for prefix in ["45", "45.0", "\"45\""] {
            let body = format!(
                r#"{{"CallerIDHash":"h","CallerIDs":[
                   {{"PhoneNumber":{number},"DialInPrefix":{prefix},"PersonId":1,"PersonName":"P"}}]}}"#
            );
            assert_eq!(numbers(set(&body)), ["+4533121314"], "{number} {prefix}");
        }
    }
    for prefix in ["0", "null", "\"\""] {
        let body = format!(
            r#"{{"CallerIDHash":"h","CallerIDs":[
               {{"PhoneNumber":4522334455.0,"DialInPrefix":{prefix},"PersonId":1,"PersonName":"P"}}]}}"#
        );
        assert_eq!(numbers(set(&body)), ["+4522334455"], "{prefix}");
    }
}

#[test]
fn a_strange_record_costs_itself_only() {
    let delivery = set(r#"{"CallerIDs":[
        null, 7, "text", [1], {"PhoneNumber": {"a": [1]}, "PersonName": "A"}, {},
        {"PhoneNumber": 0, "DialInPrefix": 47, "PersonName": "A"},
        {"PhoneNumber": -22334455, "DialInPrefix": 47, "PersonName": "A"},
        {"PhoneNumber": 22334455, "DialInPrefix": 47, "PersonName": " ", "ContactName": null},
        {"PhoneNumber": 123456789012345678901234567890, "DialInPrefix": 47, "PersonName": "A"},
        {"Extra": {"x": 1}, "PhoneNumber": 22334455, "DialInPrefix": 47, "PersonId": "12", "PersonName": "Kari",
         "Mrmrs": null, "ContactId": null, "ContactName": null}
    ]}"#);
    assert_eq!(delivery.unusable.total(), 10, "{}", delivery.unusable);
    let entries = entries(delivery);
    let [entry] = entries.as_slice() else { unreachable!("{entries:?}") };
    assert_eq!((entry.number.to_string().as_str(), entry.person_id), ("+4722334455", 12));
}

/// Kari's record, one with this in it, and Ola's.
fn between(record: impl AsRef<[u8]>) -> Delivery {
    let one = |number: u32, name: &str| {
        format!(r#"{{"PhoneNumber":{number},"DialInPrefix":47,"PersonId":1,"PersonName":"{name}"}}"#)
    };
    let head = format!(r#"{{"CallerIDHash":"h","CallerIDs":[{},"#, one(22_334_455, "Kari"));
    let end = format!(",{}]}}", one(22_334_457, "Ola"));
    let body = [head.as_bytes(), record.as_ref(), end.as_bytes()];
    match read(body.concat().as_slice(), 1 << 24, "NO".parse().unwrap(), "en", &Progress::default()) {
        Ok(ListAnswer::List(delivery)) => delivery,
        other => unreachable!("{}: {other:?}", String::from_utf8_lossy(record.as_ref())),
    }
}

#[test]
fn a_bad_character_is_replaced_and_costs_nobody() {
    for (name, shown) in [
        (&br"Per \ud83d"[..], "Per \u{fffd}"),
        (br"\udc00Per", "\u{fffd}Per"),
        (br"Per \uXYZ", "Per \u{fffd}XYZ"),
        (b"P\xe9r", "P\u{fffd}r"),
        (b"Per\x01\x00\n", "Per"),
        (br#"Per "P" Berg"#, "Per \"P\" Berg"),
        (br"Per \x", "Per \u{fffd}x"),
    ] {
        let record =
            [br#"{"PhoneNumber":22334456,"DialInPrefix":47,"PersonId":1,"PersonName":""#, name, b"\"}"];
        let found = entries(between(record.concat()));
        let names: Vec<_> =
            found.iter().map(|entry| entry.person.trim_end_matches(char::is_control)).collect();
        assert_eq!(names, ["Kari", shown, "Ola"]);
    }
}

#[test]
fn a_broken_record_is_counted_and_costs_nobody() {
    let fields = |fields: &str| format!(r#"{{"PersonName":"Per","PersonId":1,{fields}}}"#);
    let long = format!("\"PhoneNumber\":{}", "9".repeat(100_000));
    for (record, reason) in [
        (fields(r#""PhoneNumber":1e999"#), "not_a_number"),
        (fields(r#""PhoneNumber":-1e999"#), "not_a_number"),
        (fields(&long), "too_long"),
        (fields(r#""PhoneNumber":NaN"#), "missing"),
        (fields(r#""PhoneNumber":"#), "broken"),
        (fields(r#""PhoneNumber" 22334456"#), "broken"),
        (fields(r#""PhoneNumber":22334456,"PhoneNumber":22334458"#), "field_twice"),
        (fields(r#""PhoneNumber":22334456,"DialInPrefix":47,"PersonName":"Eva""#), "field_twice"),
        (fields(r#""PhoneNumber":22334456,"DialInPrefix":1e999"#), "prefix"),
        (r#"{"PhoneNumber":22334456,"PersonName":"Per""#.to_owned(), "broken"),
        (fields(&"\"x\":\"xxxxxxxxxxxxxxxx\",".repeat(10_000)), "broken"),
        ("Per".to_owned(), "missing"),
    ] {
        let delivery = between(&record);
        let reasons: Vec<_> = delivery.unusable.reasons().map(|(reason, _)| reason.to_owned()).collect();
        assert_eq!(reasons, [reason], "{}", &record[..record.len().min(200)]);
        assert_eq!(numbers(delivery), ["+4722334455", "+4722334457"]);
    }
    // What is there twice and the same is there.
    let twice =
        fields(r#""PhoneNumber":22334456,"DialInPrefix":47,"DialInPrefix":47,"Mrmrs":null,"Mrmrs":"Mr""#);
    assert_eq!(entries(between(twice))[1].mrmrs, "Mr");
}

#[test]
fn the_tops_fault_costs_no_record() {
    let ids = r#"[{"PhoneNumber":22334455,"DialInPrefix":47,"PersonId":1,"PersonName":"Kari"}]"#;
    let long = format!("\"{}\"", "h".repeat(MAX_HASH as usize + 1));
    let longer = format!("\"{}\"", "h".repeat(1 << 20));
    let longest = "h".repeat(MAX_HASH as usize);
    for (hash, kept) in [
        ("5", "5"),
        ("null", ""),
        ("[1]", ""),
        ("", ""),
        ("1e999", "1e999"),
        (&long, ""),
        (&longer, ""),
        (&format!("\"{longest}\""), &longest),
        ("\"a\",\"CallerIDHash\":\"a\"", "a"),
        ("\"a\",\"CallerIDHash\":\"b\"", ""),
    ] {
        let body = format!(r#"{{"CallerIDHash":{hash},"Message":{{}},"Other":"\ud83d","CallerIDs":{ids}}}"#);
        let body = read(body.as_bytes(), 1 << 24, "NO".parse().unwrap(), "en", &Progress::default());
        let Ok(ListAnswer::List(delivery)) = body else { unreachable!("{hash}: {body:?}") };
        assert_eq!(delivery.hash, *kept);
        assert_eq!(numbers(delivery), ["+4722334455"]);
    }
    for body in [
        format!(r#"{{"CallerIDs":{ids},"CallerIDs":null}}"#),
        format!(r#"{{"CallerIDs":null,"CallerIDs":{ids},}}"#),
        format!("\u{feff}{{\"CallerIDs\":{ids}}}\0"),
    ] {
        assert_eq!(numbers(set(&body)), ["+4722334455"], "{body}");
    }
    // Two lists are one.
    let other = ids.replace("55", "66");
    let body = format!(r#"{{"CallerIDs":{ids},"CallerIDs":{other}}}"#);
    assert_eq!(numbers(set(&body)), ["+4722334455", "+4722334466"]);
    let utf16: Vec<u8> =
        format!(r#"{{"CallerIDs":{ids}}}"#).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let found = read(utf16.as_slice(), 1 << 20, "NO".parse().unwrap(), "en", &Progress::default());
    assert!(matches!(found, Ok(ListAnswer::List(delivery)) if delivery.entries.len() == 1));
}

#[test]
fn a_name_is_cut_and_what_is_cut_is_no_number() {
    let long = "Ærø ".repeat(1 << 18);
    let record = |number: &str, name: &str| {
        format!(r#"{{"PhoneNumber":{number},"DialInPrefix":47,"PersonId":1,"PersonName":"{name}"}}"#)
    };
    let found = entries(between(record("22334456", &long)));
    assert!(found[1].person.starts_with("Ærø Ærø") && found[1].person.len() <= 1024, "{}", found[1].person);
    let number = format!("\"22334456{}1\"", " ".repeat(1 << 20));
    let delivery = between(record(&number, "Per"));
    assert_eq!((delivery.entries.len(), delivery.unusable.total()), (2, 1));
}

#[test]
fn an_example_shows_no_number() {
    for number in
        ["22334455667788990", "\"22334455667788990\"", "\"+4722334455 x 12345\"", "-22334455", "22334455.5"]
    {
        let body = format!(
            r#"{{"CallerIDs":[{{"PhoneNumber":{number},"DialInPrefix":47,"PersonId":654,"PersonName":"Kari"}}]}}"#
        );
        let said = set(&body).unusable.to_string();
        assert!(said.contains("•••") && !said.contains("334455") && !said.contains("Kari"), "{said}");
    }
    let said = set(r#"{"CallerIDs":[{"PhoneNumber":22334455667788990,"PersonName":"Kari"}]}"#).unusable;
    assert_eq!(said.to_string(), "1 too_long (record 1: number •••••••••••••••90, person 0, contact 0)");
}

#[test]
fn no_set_in_three_spellings() {
    for body in ["null", "", " \r\n "] {
        assert!(matches!(read_text(body), Ok(ListAnswer::NoList)), "{body:?}");
    }
    assert!(set(r#"{"CallerIDHash":"h","CallerIDs":[]}"#).entries.is_empty());
}

#[test]
fn what_is_no_collection_says_what_it_is() {
    for (body, said) in [
        ("<!DOCTYPE html><title>Log in</title>", "(not JSON): a web page of "),
        (r#"{"Message":"No user 4722334455","MessageDetail":"x"}"#, "caller ids: `mask` hides its words"),
        (r#"{"Error":true}"#, "CallerIDs is missing"),
        (r#"{"CallerIDHash":"h","CallerIDs":null}"#, "CallerIDs is missing"),
        (r#"{"CallerIDHash":"h","CallerIDs":[{"PhoneNumber":22334455,"#, "broke off"),
        (r#"{"CallerIDHash":"h","CallerIDs":[{"PhoneNumber":22334455}"#, "broke off: after 57 bytes"),
        (r#"{"CallerIDHash":"h","CallerIDs":[]"#, "broke off"),
        (r#"{"CallerIDHash":"h","CallerIDs":[]} trailing"#, "not JSON"),
        (r#"{"CallerIDHash":"h","CallerIDs":{"PersonName":"Kari"}}"#, "CallerIDs is missing"),
        ("nonsense", "not JSON"),
        (")]}',\n{\"CallerIDs\":[]}", "not JSON"),
        ("cb({\"CallerIDs\":[]})", "not JSON"),
        (r#"["a"]"#, "JSON of another form"),
        ("5", "JSON of another form"),
        (r#"[{"PersonName":"Kari"}]"#, ": JSON of 23 bytes"),
    ] {
        let error = read_text(body).unwrap_err().to_string();
        assert!(error.contains(said), "{body}: {error}");
    }
}

#[test]
fn a_long_message_is_shortened() {
    let body = format!(r#"{{"Message":"{}"}}"#, "No user 4722334455. ".repeat(10_000));
    let error = read_text(&body).unwrap_err().to_string();
    assert!(error.contains("`mask` hides its words") && error.chars().count() < 250, "{error}");
}

#[test]
fn a_larger_answer_than_allowed_is_refused() {
    let body = format!(r#"{{"CallerIDHash":"h","CallerIDs":[{}]}}"#, " ".repeat(1000));
    let error = read(body.as_bytes(), 900, "NO".parse().unwrap(), "nb-NO", &Progress::default())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the answer exceeds max_answer, 900 bytes");
}
