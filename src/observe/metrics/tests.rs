//! The text for Prometheus.

use std::time::Duration;

use super::*;

#[test]
fn each_metric_is_written_with_its_help() {
    let metrics = Metrics::new();
    let pbx = metrics.pbx("pbx1");
    pbx.answered(CallOutcome::Found, Duration::from_micros(40));
    pbx.unserved();
    pbx.set_connected(true);
    metrics.list("crm", "crm-12").taken();
    let _never = metrics.list("crm", "crm-7");
    metrics.directory().placed(7);
    metrics.web().answered(CallOutcome::Skipped);
    let text = metrics.write().unwrap();
    for line in [
        "# HELP nameplate_directory_numbers Numbers in the directory.",
        "# TYPE nameplate_calls counter",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"found\"} 1",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"notfound\"} 0",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"unserved\"} 1",
        "nameplate_answer_seconds_bucket{le=\"0.00005\",pbx=\"pbx1\"} 1",
        "nameplate_answer_seconds_bucket{le=\"0.000025\",pbx=\"pbx1\"} 0",
        "nameplate_list_success_timestamp_seconds{source=\"crm\",list=\"crm-7\"} 0.0",
        "nameplate_asterisk_connected{pbx=\"pbx1\"} 1",
        "nameplate_directory_numbers 7",
        "nameplate_refreshes_total{source=\"crm\",list=\"crm-12\",outcome=\"taken\"} 1",
        "nameplate_web_lookups_total{outcome=\"skipped\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
}

#[test]
fn two_handles_of_one_pbx_share_their_counters() {
    let metrics = Metrics::new();
    for _ in 0..2 {
        metrics.pbx("pbx1").answered(CallOutcome::NotFound, Duration::ZERO);
    }
    assert!(metrics.write().unwrap().contains("outcome=\"notfound\"} 2"));
}
