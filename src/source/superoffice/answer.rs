//! Reads `CallerIDCollection` as a stream: a record becomes an entry before the next one is read, so an
//! answer of 150 MB never lies in memory as text or as a tree.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{FetchError, head, short};
use super::record::Element;
use crate::number::Country;
use crate::source::{Delivery, Progress, Step};

/// What a 200 holds.
#[derive(Debug)]
pub(super) enum Answer {
    /// `null`, or nothing at all.
    NoSet,
    /// A collection.
    Set(Delivery),
}

/// Reads an answer of at most `limit` bytes; `country` is for numbers without a country code, `language` for names in
/// several languages. `progress` counts the records.
pub(super) fn read(
    body: impl Read,
    limit: u64,
    country: Country,
    language: &str,
    progress: &Progress,
) -> Result<Answer, FetchError> {
    let mut body = Watched { body, head: Vec::new(), left: limit, blank: true, failed: None };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, &mut body));
    let mut delivery = Delivery::default();
    let collection =
        CollectionSeed { delivery: &mut delivery, country, language, progress }.deserialize(&mut json);
    let collection = collection.and_then(|collection| json.end().map(|()| collection));
    drop(json);
    match collection {
        _ if body.left == 0 => Err(FetchError::TooLarge(limit)),
        Err(_) if let Some(error) = body.failed => Err(error),
        Ok(Collection { set: true, hash, .. }) => {
            delivery.hash = hash.unwrap_or_default();
            Ok(Answer::Set(delivery))
        }
        Ok(Collection { message: Some(message), .. }) => Err(FetchError::Message(short(&message))),
        Ok(Collection { null: true, .. }) => Ok(Answer::NoSet),
        Ok(_) => Err(FetchError::NotACollection { what: "CallerIDs is missing", head: head(&body.head) }),
        Err(_) if body.blank => Ok(Answer::NoSet),
        // Serde's own words quote what it found, which may be a name.
        Err(error) if error.is_eof() => {
            Err(FetchError::Broken(format!("at line {}, column {}", error.line(), error.column())))
        }
        Err(error) if error.is_data() => {
            Err(FetchError::NotACollection { what: "JSON of another form", head: head(&body.head) })
        }
        Err(_) => Err(FetchError::NotACollection { what: "not JSON", head: head(&body.head) }),
    }
}

/// A body that remembers how it began and why it ended, and ends at the limit.
struct Watched<R> {
    body: R,
    head: Vec<u8>,
    left: u64,
    /// Whether all was white space so far.
    blank: bool,
    failed: Option<FetchError>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const HEAD: usize = 480;
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.body.read(&mut buffer[..room]).inspect_err(|error| {
            let said = super::error::chain(error);
            let is_timeout = error.kind() == io::ErrorKind::TimedOut;
            self.failed =
                Some(if is_timeout { FetchError::OutOfTime(said) } else { FetchError::Broken(said) });
        })?;
        let read = &buffer[..count];
        self.left -= count as u64;
        self.blank &= read.iter().all(u8::is_ascii_whitespace);
        self.head.extend(read.iter().take(HEAD.saturating_sub(self.head.len())));
        Ok(count)
    }
}

/// What the top of the answer held; the records went into the delivery.
#[derive(Default)]
struct Collection {
    null: bool,
    /// Whether there was an array of caller ids.
    set: bool,
    hash: Option<String>,
    message: Option<String>,
}

struct CollectionSeed<'a> {
    delivery: &'a mut Delivery,
    country: Country,
    language: &'a str,
    progress: &'a Progress,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    #[serde(rename = "CallerIDHash")]
    Hash,
    #[serde(rename = "CallerIDs")]
    Ids,
    Message,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for CollectionSeed<'_> {
    type Value = Collection;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Collection, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CollectionSeed<'_> {
    type Value = Collection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CallerIDCollection or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Collection, E> {
        Ok(Collection { null: true, ..Collection::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Collection, A::Error> {
        let mut collection = Collection::default();
        while let Some(field) = map.next_key()? {
            match field {
                Field::Hash => collection.hash = map.next_value()?,
                Field::Message => collection.message = map.next_value()?,
                Field::Ids => {
                    let Self { country, language, progress, .. } = self;
                    let ids = IdsSeed { delivery: &mut *self.delivery, country, language, progress };
                    collection.set = map.next_value_seed(ids)?;
                }
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(collection)
    }
}

/// Reads the array of caller ids; false for `null`.
struct IdsSeed<'a> {
    delivery: &'a mut Delivery,
    country: Country,
    language: &'a str,
    progress: &'a Progress,
}

impl<'de> DeserializeSeed<'de> for IdsSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IdsSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of caller ids")
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<bool, A::Error> {
        let mut place = 0;
        while let Some(Element(record)) = records.next_element()? {
            place += 1;
            self.progress.set(Step::Reading { records: place });
            let example = || format!("record {place}: {}", record.for_log());
            match record.read(self.country, self.language) {
                Ok((named, numbers)) => self.delivery.add(named, &numbers, example),
                Err(unusable) => self.delivery.unusable.count(unusable.reason(), example),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;

    fn read_text(body: &str) -> Result<Answer, FetchError> {
        read(body.as_bytes(), 1 << 20, "NO".parse().unwrap(), "nb-NO", &Progress::default())
    }

    fn set(body: &str) -> Delivery {
        match read_text(body) {
            Ok(Answer::Set(delivery)) => delivery,
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

    #[test]
    fn an_example_shows_no_number() {
        for number in [
            "22334455667788990",
            "\"22334455667788990\"",
            "\"+4722334455 x 12345\"",
            "-22334455",
            "22334455.5",
        ] {
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
            assert!(matches!(read_text(body), Ok(Answer::NoSet)), "{body:?}");
        }
        assert!(set(r#"{"CallerIDHash":"h","CallerIDs":[]}"#).entries.is_empty());
    }

    #[test]
    fn what_is_no_collection_says_what_it_is() {
        for (body, said) in [
            ("<!DOCTYPE html><title>Log in</title>", "it begins: markup with title"),
            (r#"{"Message":"No user 4722334455","MessageDetail":"x"}"#, "caller ids: `mask` hides its words"),
            (r#"{"Error":true}"#, "CallerIDs is missing"),
            (r#"{"CallerIDHash":"h","CallerIDs":null}"#, "CallerIDs is missing"),
            (r#"{"CallerIDHash":"h","CallerIDs":[{"PhoneNumber":22334455,"#, "broke off"),
            (r#"{"CallerIDHash":"h","CallerIDs":[]} trailing"#, "not JSON"),
            (r#"["a"]"#, "JSON of another form"),
            (r#"[{"PersonName":"Kari"}]"#, "JSON with PersonName"),
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
}
