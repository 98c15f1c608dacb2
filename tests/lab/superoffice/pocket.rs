//! The Pocket agent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Unchanged;
use super::http::{Answer, Request};
use super::record::Collection;

/// Below the API's address.
pub(crate) const GET_MY_CALLER_IDS: &str = "/v1/Agents/Pocket/GetMyCallerIDs";
/// Below the API's address.
pub(crate) const GET_CALLER_IDS_FROM_SELECTION: &str = "/v1/Agents/Pocket/GetCallerIDsFromSelection";

/// The set, or "unchanged" where the client has it already.
pub(crate) fn get_my_caller_ids(request: &Request, collection: &Collection, unchanged: Unchanged) -> Answer {
    match asked(request, &["MinDate", "MaxDate"]) {
        Ok(body) => answer(&body, collection, unchanged),
        Err(refusal) => refusal,
    }
}

/// The same for the persons and companies of a selection; it knows no dates.
pub(crate) fn get_caller_ids_from_selection(
    request: &Request,
    selections: &BTreeMap<u64, Collection>,
    unchanged: Unchanged,
) -> Answer {
    let body = match asked(request, &[]) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    if ["MinDate", "MaxDate"].iter().any(|name| !body[name].is_null()) {
        return malformed("SelectionId");
    }
    match body["SelectionId"].as_u64().and_then(|id| selections.get(&id)) {
        Some(collection) => answer(&body, collection, unchanged),
        // "Agent calls do not return HTTP errors: a failed call will return NULL."
        None => Answer::json(200, &b"null"[..]),
    }
}

fn answer(body: &Value, collection: &Collection, unchanged: Unchanged) -> Answer {
    let last_hash = body["LastHash"].as_str().unwrap_or_default();
    // The hash of a set is never empty, so an empty LastHash always gets the set.
    if last_hash != collection.hash() {
        return Answer::json(200, collection.body());
    }
    match unchanged {
        Unchanged::Null => Answer::json(200, &b"null"[..]),
        Unchanged::Empty => Answer::json(200, &b""[..]),
        Unchanged::NoContent => Answer { status: 204, headers: Vec::new(), body: [].into() },
    }
}

/// The body of a request that is as it must be.
fn asked(request: &Request, dates: &[&str]) -> Result<Value, Answer> {
    let content_type = request.header("Content-Type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !["application/json", "text/json"].iter().any(|json| media_type.eq_ignore_ascii_case(json)) {
        return Err(Answer::error(415, "SoNotSupportedException", "The body must be JSON"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| malformed("body"))?;
    let field = |name| body[name].as_str().ok_or_else(|| malformed(name));
    field("LastHash")?;
    for name in dates {
        if !is_utc(field(name)?) {
            return Err(malformed(name));
        }
    }
    Ok(body)
}

fn malformed(what: &str) -> Answer {
    Answer::error(400, "SoArgumentException", &format!("{what} is missing or malformed"))
}

/// `2026-07-01T00:00:00Z`, with or without a fraction of a second (ISO 8601, UTC).
pub(crate) fn is_utc(text: &str) -> bool {
    let Some((date, time)) = text.strip_suffix('Z').and_then(|text| text.split_once('T')) else {
        return false;
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let date = parts(date, '-', [4, 2, 2]);
    let time = parts(time, ':', [2, 2, 2]);
    let (Some([_, month, day]), Some([hour, minute, second])) = (date, time) else {
        return false;
    };
    let is_fraction = (1..=7).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && is_fraction
}

fn parts(text: &str, separator: char, widths: [usize; 3]) -> Option<[u32; 3]> {
    let mut found = [0; 3];
    let mut words = text.split(separator);
    for (number, width) in found.iter_mut().zip(widths) {
        let word = words.next().filter(|word| word.len() == width)?;
        let is_digits = word.bytes().all(|byte| byte.is_ascii_digit());
        *number = word.parse().ok().filter(|_| is_digits)?;
    }
    words.next().is_none().then_some(found)
}
