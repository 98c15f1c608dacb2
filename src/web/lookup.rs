//! `GET /lookup?number=…[&country=SE]`: for Asterisk's `CURL()`, FreePBX's HTTP lookup source, and scripts.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::info;

use crate::call::{self, Answer, Caller};
use crate::lookup::{Resolution, Status};
use crate::number::Country;
use crate::observe::mask;
use crate::search::LONGEST_WAIT;

/// The most log lines of lookups in a second. No telephony site asks so often, but a client that has gone astray does.
pub(super) const LINES: u32 = 100;
/// The longest query, in bytes: the longest number, each byte percent-encoded, and some room.
const MAX_QUERY: usize = 512;
/// The header with the reason of a refusal.
const ERROR: HeaderName = HeaderName::from_static("nameplate-error");
/// The longest reason in that header, in bytes.
const MAX_ERROR: usize = 300;

/// The parameters of a lookup. Unknown ones are ignored.
#[derive(Deserialize)]
pub(super) struct Asked {
    number: Option<String>,
    country: Option<String>,
}

/// The name as text, or the whole resolution as JSON. 404 without a name.
pub(super) async fn lookup(State(state): State<Arc<super::State>>, request: Request) -> Response {
    let begun = Instant::now();
    let (headers, uri) = (request.headers(), request.uri());
    if uri.query().is_some_and(|query| query.len() > MAX_QUERY) {
        let what = format!("the query is too long; allowed are {MAX_QUERY} bytes");
        return refusal(StatusCode::URI_TOO_LONG, &what, headers);
    }
    let asked = Query::try_from_uri(uri).map_err(|error| error.body_text());
    let (number, country) = match asked.and_then(|Query(asked)| read(asked)) {
        Ok(read) => read,
        Err(what) => return refusal(StatusCode::BAD_REQUEST, &what, headers),
    };
    let live = state.live();
    let backend = &live.backend;
    // Without a directory "not found" would be untrue.
    if !backend.resolver.is_filled() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "no source has delivered a list yet", headers);
    }
    let wants_json = wants_json(headers);
    let caller = Caller { number: &number, country, ..Caller::default() };
    // As a call: a dialplan's `CURL()` can't be told from others who ask.
    let answered = call::answer_in_time(&backend.resolver, &backend.pbx, caller, LONGEST_WAIT);
    let Answer { resolution, .. } = answered.await;
    state.counted.answered(resolution.status.into());
    state.lookup_lines.log(begun, |left_out| {
        info!(
            caller = %mask::Number(&resolution.input),
            status = ?resolution.status,
            reason = resolution.reason.map(tracing::field::debug),
            certainty = resolution.certainty.map(tracing::field::debug),
            micros = begun.elapsed().as_micros(),
            left_out = (left_out > 0).then_some(left_out),
            "lookup over HTTP"
        );
    });
    let mut response = answer(&resolution, wants_json);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Whether the path is that of a lookup, or nearly: `/lookup/`.
pub(super) fn is_lookup(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.strip_prefix("lookup").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The refusal of a lookup. The reason is in a header: `CURL()` returns the body whatever the status is, and the operator would
/// see the reason as the caller's name. A client that accepts JSON gets the reason in the body, too.
pub(super) fn refusal(status: StatusCode, what: &str, request: &HeaderMap) -> Response {
    let mut response = if wants_json(request) {
        (status, Json(serde_json::json!({ "error": what }))).into_response()
    } else {
        status.into_response()
    };
    // A header is one line of ASCII.
    let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let what: String = what.chars().take(MAX_ERROR).map(ascii).collect();
    if let Ok(what) = HeaderValue::from_str(&what) {
        response.headers_mut().insert(ERROR, what);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The caller's number, and the country of the trunk.
fn read(asked: Asked) -> Result<(String, Option<Country>), String> {
    const USAGE: &str = "GET /lookup?number=%2B4722334455[&country=SE]";
    let mut number = asked.number.ok_or_else(|| format!("`number` is missing: {USAGE}"))?;
    // In a query a `+` means a blank, and a dialplan does not encode it by itself.
    if number.starts_with(' ') {
        number.replace_range(..1, "+");
    }
    // An empty country comes from a variable that is not set.
    let country = asked.country.as_deref().map(str::trim).filter(|country| !country.is_empty());
    let country = country.map(str::parse).transpose().map_err(|error| format!("`country`: {error}"))?;
    Ok((number, country))
}

/// Whether the client accepts JSON by its own name. `*/*`, which curl sends, gets text.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("application/json"))
}

fn answer(resolution: &Resolution, json: bool) -> Response {
    let found = resolution.status == Status::Found;
    let status = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
    match (json, &resolution.name) {
        (true, _) => (status, Json(resolution)).into_response(),
        (false, Some(name)) => (status, name.as_str().to_owned()).into_response(),
        // Not a byte: a dialplan shows what it gets.
        (false, None) => status.into_response(),
    }
}
