//! How the service is: for supervisors, monitoring and people.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::words;
use crate::asterisk::pbx_status;

/// `OpenMetrics` 1.0, which Prometheus asks for and reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process answers: a restart would change nothing.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// Whether calls get names: 200, or 503 and what is missing.
///
/// Of several PBXs one suffices, and the others are named: taking the service away because one PBX is
/// being restarted would take the names from the others' calls. Without any, lookups over HTTP are the way in.
pub(super) async fn readyz(State(state): State<Arc<super::State>>) -> Response {
    let mut missing = String::new();
    let live = state.live();
    let rooms = &live.rooms;
    if rooms.resolver.numbers() == 0 {
        missing.push_str("the directory knows no number: no source has delivered one yet\n");
    }
    let links = &rooms.links;
    let mut connected = links.is_empty();
    for link in links {
        match link.state() {
            pbx_status::State::Connected => connected = true,
            // Writing to a string does not fail.
            _ => drop(writeln!(missing, "asterisk {} is {}", link.name(), link.description())),
        }
    }
    let ready = connected && rooms.resolver.numbers() > 0;
    if ready {
        words(StatusCode::OK, format!("ready\n{missing}").trim_end().to_owned())
    } else {
        words(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{missing}").trim_end().to_owned())
    }
}

/// All that is counted.
pub(super) async fn metrics(State(state): State<Arc<super::State>>) -> Response {
    match state.live().rooms.metrics.write() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => words(StatusCode::INTERNAL_SERVER_ERROR, format!("can't be written: {error}")),
    }
}
