//! The search for a telephone number: `GET {api}/v1/MDOList/phonesearch?query=…`.

use std::time::Duration;

use serde_json::json;

use super::http::{Answer, Request};

/// Below the API's address.
pub(crate) const PHONE_SEARCH: &str = "/v1/MDOList/phonesearch";

/// Somebody whom no list has.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// A person's or a company's.
    pub id: i32,
    /// "Person" or "Contact"
    pub kind: &'static str,
    /// The full name.
    pub name: String,
    /// As it was typed.
    pub number: String,
}

impl Hit {
    /// A person.
    pub(crate) fn person(id: i32, name: &str, number: &str) -> Self {
        Self { id, kind: "Person", name: name.to_owned(), number: number.to_owned() }
    }

    /// A company.
    pub(crate) fn company(id: i32, name: &str, number: &str) -> Self {
        Self { kind: "Contact", ..Self::person(id, name, number) }
    }

    fn has(&self, digits: &str) -> bool {
        let stripped: String = self.number.chars().filter(char::is_ascii_digit).collect();
        stripped.contains(digits)
    }
}

/// Who is found by a search, and how searches alone fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// Everybody who can be found.
    pub hits: Vec<Hit>,
    /// Each answer to a search is held back for so long.
    pub delay: Duration,
    /// The status of each answer; 0 for the honest one.
    pub status: u16,
    /// `Retry-After` of each answer that has a status of its own.
    pub retry_after: Option<String>,
    /// What each answer is in place of an honest one.
    pub body: Option<Vec<u8>>,
}

/// Everybody who has the digits anywhere in the number.
pub(crate) fn phone_search(request: &Request, search: &Search) -> Answer {
    if search.status != 0 {
        let answer = Answer::error(search.status, "SoServerException", "The lab fails on purpose");
        return match &search.retry_after {
            Some(rest) => answer.with("Retry-After", rest),
            None => answer,
        };
    }
    if let Some(body) = &search.body {
        return Answer::json(200, body.as_slice());
    }
    let parameters = request.query.as_deref().unwrap_or_default().split('&');
    let digits = parameters.filter_map(|parameter| parameter.strip_prefix("query=")).next();
    let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
        return Answer::error(400, "SoArgumentException", "query is missing");
    };
    let items: Vec<_> = search
        .hits
        .iter()
        .filter(|hit| hit.has(digits))
        .map(|hit| {
            json!({
                "Id": hit.id, "Name": hit.name, "FullName": hit.name, "Type": hit.kind, "IconHint": hit.kind,
                "ToolTip": hit.number, "ExtraInfo": hit.number, "Rank": 0, "ChildItems": null,
            })
        })
        .collect();
    Answer::json(200, json!(items).to_string().into_bytes())
}
