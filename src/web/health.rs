//! The state of the service: for supervisors, monitoring and people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::words;
use crate::asterisk::pbx_status;

/// `OpenMetrics` 1.0, a format of Prometheus.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
    let knows_numbers = state.backend.resolver.numbers() > 0;
    if !knows_numbers {
        missing.push_str("the directory knows no number: no source has delivered one yet\n");
    }
    let statuses = &state.backend.pbx_statuses;
    let (connected, others): (Vec<_>, Vec<_>) =
        statuses.iter().partition(|pbx| pbx.state() == pbx_status::State::Connected);
    for pbx in others {
        missing.push_str(&format!("asterisk {} is {}\n", pbx.name(), pbx.description()));
    }
    let is_ready = knows_numbers && (statuses.is_empty() || !connected.is_empty());
    let (status, first) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    words(status, format!("{first}\n{missing}").trim_end().to_owned())
}

/// All metrics.
pub(super) async fn metrics(State(state): State<Arc<super::State>>) -> Response {
    match state.backend.metrics.write() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => words(StatusCode::INTERNAL_SERVER_ERROR, format!("can't be written: {error}")),
    }
}
