//! How the service is: for supervisors and people.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::words;
use crate::asterisk::pbx_status;

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
    if state.rooms.resolver.numbers() == 0 {
        missing.push_str("the directory knows no number: no source has delivered one yet\n");
    }
    let links = &state.rooms.links;
    let mut connected = links.is_empty();
    for link in links {
        match link.state() {
            pbx_status::State::Connected => connected = true,
            // Writing to a string does not fail.
            _ => drop(writeln!(missing, "asterisk {} is {}", link.name(), link.description())),
        }
    }
    let ready = connected && state.rooms.resolver.numbers() > 0;
    if ready {
        words(StatusCode::OK, format!("ready\n{missing}").trim_end().to_owned())
    } else {
        words(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{missing}").trim_end().to_owned())
    }
}
