//! One `CallerID` of the answer, with all its possible faults, and its entry.

use super::fields::{self, Fields, Scalar};
use super::json::Came;
use super::multilanguage;
use crate::entry::Subscriber;
use crate::name;
use crate::number::{self, Country, Numbers};
use crate::observe::mask;

/// A record of the answer. Every field is optional and may have any type: a faulty record costs only itself.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Whether it is a JSON object.
    fault: Option<BadRecord>,
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
    /// The prefix is not a whole number.
    Prefix,
    /// It has neither a person's nor a company's name.
    NoName,
    /// It is not JSON, or too long.
    Broken,
    /// A field is there twice with different values.
    Twice,
}

impl BadRecord {
    /// A word for the counts.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Number(unusable) => unusable.reason(),
            Self::Prefix => "prefix",
            Self::NoName => "no_name",
            Self::Broken => "broken",
            Self::Twice => "field_twice",
        }
    }
}

impl Record {
    /// Reads an element of the array. If it is not an object, the record has no fields.
    pub(super) fn read(json: &[u8], came: Came) -> Self {
        const KEYS: [&str; 7] =
            ["PhoneNumber", "DialInPrefix", "PersonId", "PersonName", "Mrmrs", "ContactId", "ContactName"];
        let Some(Fields { values, is_twice }) = fields::read(json, came, &KEYS) else {
            return Self { fault: Some(BadRecord::Broken), ..Self::default() };
        };
        let [phone_number, dial_in_prefix, person_id, person_name, mrmrs, contact_id, contact_name] = values;
        let fault = is_twice.then_some(BadRecord::Twice);
        Self { fault, phone_number, dial_in_prefix, person_id, person_name, mrmrs, contact_id, contact_name }
    }

    /// The name and the numbers of the record: numbers without a country code in `country`, names of several languages in
    /// `language`.
    pub(super) fn named(&self, country: Country, language: &str) -> Result<(Subscriber, Numbers), BadRecord> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let prefix = match &self.dial_in_prefix {
            prefix if prefix.text().is_empty() => None,
            // Without the prefix the number's first digits would be read as a country code.
            prefix => Some(prefix.integer().ok_or(BadRecord::Prefix)?),
        };
        let numbers =
            number::of_crm(prefix, self.phone_number.stored(), country).map_err(BadRecord::Number)?;
        let text = |scalar: &Scalar| name(scalar, language);
        let (person, company) = (text(&self.person_name), text(&self.contact_name));
        let person_id = self.person_id.id();
        // Without a person's id the number is the company's (documentation of GetMyCallerIDs), even if a person is named.
        let is_companys = person_id == 0 && !name::is_nobody(&company);
        let (person, mrmrs) = if is_companys { Default::default() } else { (person, text(&self.mrmrs)) };
        let named = Subscriber { person_id, person, mrmrs, company_id: self.contact_id.id(), company };
        Ok((named.cleared().ok_or(BadRecord::NoName)?, numbers))
    }

    /// The record for the log: its ids, so that it can be corrected in the CRM, and its number as delivered.
    pub(super) fn for_log(&self) -> String {
        if self.fault == Some(BadRecord::Broken) {
            return "no JSON, or too long".to_owned();
        }
        let number = match &self.phone_number {
            // `99.99` is no telephone number; `22334455.5` may have been one.
            Scalar::Float(float) if float.fract() != 0.0 => mask::Text(&float.to_string()).to_string(),
            number => mask::Number(&number.to_string()).to_string(),
        };
        let prefix = match &self.dial_in_prefix {
            Scalar::Missing => String::new(),
            // A longer prefix is no country code, and has digits of the number.
            prefix => match prefix.integer().filter(|prefix| (-999..=999).contains(prefix)) {
                Some(prefix) => format!(", prefix {prefix}"),
                None => format!(", prefix {}", mask::Number(&prefix.to_string())),
            },
        };
        format!("number {number}{prefix}, person {}, contact {}", self.person_id.id(), self.contact_id.id())
    }
}

/// A name in this language.
pub(super) fn name(scalar: &Scalar, language: &str) -> String {
    multilanguage::resolve(scalar.text(), language)
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
            let record = Record::read(record.to_string().as_bytes(), Came::default());
            record.named("NO".parse().unwrap(), "en").unwrap().0
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
