//! The state of the service: for supervisors and people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::words;
use crate::asterisk::pbx_status;

/// The process is alive. A supervisor need not restart it.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// Whether calls get names: 200, or 503 and what is missing.
///
/// One connected PBX is enough, and the answer names the others. A load balancer must not take the service away while one PBX
/// restarts: the calls of the other PBXs would lose their names. Without a PBX in the configuration only HTTP lookups count.
pub(super) async fn readyz(State(state): State<Arc<super::State>>) -> Response {
    let mut missing = String::new();
    let live = state.live();
    let backend = &live.backend;
    let knows_numbers = backend.resolver.numbers() > 0;
    if !knows_numbers {
        missing.push_str("the directory knows no number: no source has delivered one yet\n");
    }
    let statuses = &backend.pbx_statuses;
    let (connected, others): (Vec<_>, Vec<_>) =
        statuses.iter().partition(|pbx| pbx.state() == pbx_status::State::Connected);
    for pbx in others {
        missing.push_str(&format!("asterisk {} is {}\n", pbx.name(), pbx.description()));
    }
    if let Some(trouble) = backend.replica.as_ref().and_then(|replica| replica.trouble()) {
        missing.push_str(&format!("the replicas' server can't be used, the lists in use stay: {trouble}\n"));
    }
    let is_ready = knows_numbers && (statuses.is_empty() || !connected.is_empty());
    let (status, first) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    words(status, format!("{first}\n{missing}").trim_end().to_owned())
}
