//! What the CRM knows, and the collection it becomes.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One `CallerID`, field by field as on the wire.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Record {
    /// Digits as an integer. Any JSON value, because the reference's own sample is `99.99`.
    pub phone_number: Value,
    /// The country code; 0 or null where `PhoneNumber` has it already.
    pub dial_in_prefix: Option<i32>,
    /// 0 when the number is a company's.
    pub person_id: i32,
    /// The full name.
    pub person_name: Option<String>,
    /// "Mrs"
    pub mrmrs: Option<String>,
    /// A company; 0 for a person without one.
    pub contact_id: i32,
    /// The company's name.
    pub contact_name: Option<String>,
}

impl Record {
    /// A person of a company.
    pub(crate) fn person(prefix: i32, number: u64, person: (i32, &str), company: (i32, &str)) -> Self {
        Self {
            phone_number: json!(number),
            dial_in_prefix: Some(prefix),
            person_id: person.0,
            person_name: Some(person.1.to_owned()),
            mrmrs: Some(String::new()),
            contact_id: company.0,
            contact_name: Some(company.1.to_owned()),
        }
    }

    /// A company's own number.
    pub(crate) fn company(prefix: i32, number: u64, company: (i32, &str)) -> Self {
        Self::person(prefix, number, (0, ""), company)
    }
}

/// A set of records, as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    hash: String,
    body: Arc<[u8]>,
}

impl Collection {
    /// Sorts the records "numerically on the phone number" and writes the answer once, so that a
    /// million of them cost nothing per request. The hash is over the set: another order of the
    /// same records is the same set.
    pub(crate) fn new(mut records: Vec<Record>) -> Self {
        records.sort_by(|one, other| by_number(&one.phone_number, &other.phone_number));
        let mut lines: Vec<Vec<u8>> =
            records.iter().map(|record| serde_json::to_vec(record).unwrap_or_default()).collect();
        let list = lines.join(&b","[..]);
        lines.sort_unstable();
        let mut digest = Sha256::new();
        for line in &lines {
            digest.update(line);
            digest.update(b"\n");
        }
        let mut hash = String::new();
        for byte in &digest.finalize()[..16] {
            let _ = write!(hash, "{byte:02x}");
        }
        let head = format!(r#"{{"CallerIDHash":"{hash}","CallerIDs":["#);
        let body: Arc<[u8]> = [head.as_bytes(), &list, b"]}"].concat().into();
        Self { hash, body }
    }

    /// `CallerIDHash`.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// The whole answer, as JSON.
    pub(crate) fn body(&self) -> Arc<[u8]> {
        self.body.clone()
    }
}

/// What is no number comes first.
fn by_number(one: &Value, other: &Value) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
            number(one).total_cmp(&number(other))
        }
    }
}
