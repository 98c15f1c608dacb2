//! One `CallerID` of the answer, as dirty as it comes, and the entry that it makes.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::multilanguage;
use crate::entry::Named;
use crate::mask;
use crate::name;
use crate::number::{self, Country, Numbers, Stored};

/// A record of the answer. Every field is optional and may have any type: one strange record must not
/// cost the others.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Record {
    phone_number: Scalar,
    dial_in_prefix: Scalar,
    person_id: Scalar,
    person_name: Scalar,
    mrmrs: Scalar,
    contact_id: Scalar,
    contact_name: Scalar,
}

/// Why a record can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRecord {
    /// The number.
    Number(number::Unusable),
    /// The prefix is no whole number.
    Prefix,
    /// Neither a person's nor a company's name.
    NoName,
}

impl BadRecord {
    /// A word for counting.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Number(unusable) => unusable.reason(),
            Self::Prefix => "prefix",
            Self::NoName => "no_name",
        }
    }
}

impl Record {
    /// Who is behind this record's numbers, and these; numbers without a country code are read in `country`, names that are
    /// there in several languages in `language`.
    pub(super) fn read(&self, country: Country, language: &str) -> Result<(Named, Numbers), BadRecord> {
        let prefix = match &self.dial_in_prefix {
            prefix if prefix.text().is_empty() => None,
            // Read as none, the number's first digits would be taken for a country.
            prefix => Some(prefix.integer().ok_or(BadRecord::Prefix)?),
        };
        let numbers =
            number::stored(prefix, self.phone_number.stored(), country).map_err(BadRecord::Number)?;
        let text = |scalar: &Scalar| multilanguage::resolve(scalar.text(), language);
        let (person, company) = (text(&self.person_name), text(&self.contact_name));
        let person_id = self.person_id.id();
        // The number is the company's own then (documentation of GetMyCallerIDs), whoever is named beside it.
        let is_companys = person_id == 0 && !name::is_nobody(&company);
        let (person, mrmrs) = if is_companys { Default::default() } else { (person, text(&self.mrmrs)) };
        let named = Named { person_id, person, mrmrs, company_id: self.contact_id.id(), company };
        Ok((named.cleared().ok_or(BadRecord::NoName)?, numbers))
    }

    /// The record for the log: its ids, so that someone can mend it in the CRM, and its number as it came.
    pub(super) fn for_log(&self) -> String {
        let number = match &self.phone_number {
            // `99.99` is no telephone number; `22334455.5` was one.
            Scalar::Float(float) if float.fract() != 0.0 => mask::Text(&float.to_string()).to_string(),
            number => mask::Number(&number.to_string()).to_string(),
        };
        let prefix = match &self.dial_in_prefix {
            Scalar::Missing => String::new(),
            // A longer one is no country's, and has more of the number in it.
            prefix => match prefix.integer().filter(|prefix| (-999..=999).contains(prefix)) {
                Some(prefix) => format!(", prefix {prefix}"),
                None => format!(", prefix {}", mask::Number(&prefix.to_string())),
            },
        };
        format!("number {number}{prefix}, person {}, contact {}", self.person_id.id(), self.contact_id.id())
    }
}

/// A JSON value that should be a number or a text, whichever of the two it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    /// Absent, `null`, or nothing that could be either.
    #[default]
    Missing,
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }

    /// A whole number; none where it is missing, empty or something else.
    fn integer(&self) -> Option<i64> {
        match self {
            Self::Missing => None,
            Self::Integer(integer) => Some(*integer),
            // Ids and prefixes are far below 2^53, where every whole float is exact.
            #[allow(clippy::cast_possible_truncation)]
            Self::Float(float) => (float.fract() == 0.0 && float.abs() < 9e15).then_some(*float as i64),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }

    /// An id of the CRM, which are int32; 0 for none.
    pub(super) fn id(&self) -> u32 {
        self.integer().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)
    }

    fn stored(&self) -> Stored<'_> {
        match self {
            Self::Missing => Stored::Missing,
            Self::Integer(integer) => Stored::from(*integer),
            Self::Float(float) => Stored::from(*float),
            Self::Text(text) => Stored::from_text(text),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("nothing"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(integer))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Scalar, E> {
        // Beyond i64 there is no phone number; as a text it is reported as too long.
        Ok(i64::try_from(integer).map_or_else(|_| Scalar::Text(integer.to_string()), Scalar::Integer))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(float))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }
}

/// An element of the array: a record; an empty one in place of anything that is no object.
pub(super) struct Element(pub(super) Record);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor).map(Element)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a caller id")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Record, A::Error> {
        Record::deserialize(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Record, A::Error> {
        ScalarVisitor.visit_seq(seq).map(|_| Record::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Record, E> {
        Ok(Record::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Record, E> {
        Ok(Record::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Record, E> {
        Ok(Record::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Record, E> {
        Ok(Record::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Record, E> {
        Ok(Record::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Record, E> {
        Ok(Record::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_persons_id_the_number_is_the_companys_own() {
        let entry = |id: serde_json::Value, company: &str| {
            let record = json!({
                "PhoneNumber": 22_334_455, "DialInPrefix": 47, "PersonId": id, "PersonName": "Kari Nordmann",
                "Mrmrs": "Mrs", "ContactId": 243, "ContactName": company,
            });
            let record: Record = serde_json::from_value(record).unwrap();
            record.read("NO".parse().unwrap(), "en").unwrap().0
        };
        for nobody in [json!(0), json!(null), json!("0"), json!(""), json!(0.0), json!(-1)] {
            let found = entry(nobody.clone(), "Fjord Sjømat AS");
            let (person, company) = (found.person.as_str(), found.company.as_str());
            assert_eq!(
                (found.person_id, person, &*found.mrmrs, company),
                (0, "", "", "Fjord Sjømat AS"),
                "{nobody}"
            );
            // Where there is no company, the name is all there is.
            let alone = entry(nobody, " ");
            assert_eq!((alone.person.as_str(), alone.mrmrs.as_str()), ("Kari Nordmann", "Mrs"));
        }
        let kari = entry(json!(654), "Fjord Sjømat AS");
        assert_eq!((kari.person_id, kari.person.as_str()), (654, "Kari Nordmann"));
    }
}
