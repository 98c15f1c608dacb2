//! `GET /metrics`: all that is counted, in the form that is asked for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::words;
use crate::observe::metrics::Form;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All that is counted.
pub(super) async fn metrics(State(state): State<Arc<super::State>>, headers: HeaderMap) -> Response {
    let form = wanted(&headers);
    let kind = match form {
        Form::OpenMetrics => OPEN_METRICS,
        Form::Plain => PLAIN,
    };
    match state.live().backend.metrics.write(form) {
        Ok(text) => ([(header::CONTENT_TYPE, kind), (header::VARY, "accept")], text).into_response(),
        Err(error) => words(StatusCode::INTERNAL_SERVER_ERROR, format!("can't be written: {error}")),
    }
}

/// The form that `Accept` prefers (RFC 9110 §12.5.1). Prometheus names both, each with a weight. Without a preference it is the
/// older form, which every reader knows.
fn wanted(headers: &HeaderMap) -> Form {
    let (mut open, mut plain) = (0.0_f32, 0.0_f32);
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter = |name| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let weight: f32 = parameter("q").map_or(Some(1.0), |(_, weight)| weight.parse().ok()).unwrap_or(0.0);
        let is_version =
            |ours| parameter("version").is_none_or(|(_, version)| version.trim_matches('"') == ours);
        match kind.as_str() {
            "application/openmetrics-text" if is_version("1.0.0") => open = weight.max(open),
            "text/plain" if is_version("0.0.4") => plain = weight.max(plain),
            _ => {}
        }
    }
    if open > 0.0 && open >= plain { Form::OpenMetrics } else { Form::Plain }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_form_is_the_one_that_prometheus_prefers() {
        const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        // `scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]`
        const TEXT_FIRST: &str =
            "text/plain;version=0.0.4;q=0.4,application/openmetrics-text;version=1.0.0;q=0.3,*/*;q=0.2";
        const TEXT_ALONE: &str = "text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (PROMETHEUS_2, Form::OpenMetrics),
            (PROMETHEUS_3, Form::OpenMetrics),
            (TEXT_FIRST, Form::Plain),
            (TEXT_ALONE, Form::Plain),
            ("", Form::Plain),
            ("*/*", Form::Plain),
            ("text/html", Form::Plain),
            ("application/openmetrics-text", Form::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=1", Form::OpenMetrics),
            ("application/openmetrics-text; version=2.0.0", Form::Plain),
            ("application/openmetrics-text; q=0", Form::Plain),
            ("application/openmetrics-text; q=x", Form::Plain),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wanted(&headers), expected, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Form::Plain);
    }
}
