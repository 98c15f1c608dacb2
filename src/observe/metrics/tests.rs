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
    let minutes = Duration::from_mins(5);
    metrics.list("crm", "crm-12", minutes).taken();
    metrics.list("crm", "crm-7", minutes).set_held(true);
    metrics.directory().placed(7);
    metrics.web().answered(CallOutcome::Skipped);
    let text = metrics.write(Form::OpenMetrics).unwrap();
    for line in [
        "# HELP nameplate_directory_numbers Numbers in the directory.",
        "# TYPE nameplate_calls counter",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"found\"} 1",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"notfound\"} 0",
        "nameplate_calls_total{pbx=\"pbx1\",outcome=\"unserved\"} 1",
        "nameplate_answer_seconds_bucket{le=\"0.00005\",pbx=\"pbx1\"} 1",
        "nameplate_answer_seconds_bucket{le=\"0.000025\",pbx=\"pbx1\"} 0",
        "nameplate_list_success_timestamp_seconds{source=\"crm\",list=\"crm-7\"} 0.0",
        "nameplate_list_refresh_seconds{source=\"crm\",list=\"crm-7\"} 300.0",
        "nameplate_list_held{source=\"crm\",list=\"crm-7\"} 1",
        "nameplate_list_held{source=\"crm\",list=\"crm-12\"} 0",
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
    assert!(metrics.write(Form::Plain).unwrap().contains("outcome=\"notfound\"} 2"));
}

#[test]
fn the_older_form_has_the_same_values_under_the_whole_names_of_counters() {
    let metrics = Metrics::new();
    metrics.pbx("pbx1").answered(CallOutcome::Found, Duration::ZERO);
    let [open, plain] = [Form::OpenMetrics, Form::Plain].map(|form| metrics.write(form).unwrap());
    let values = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(String::from).collect()
    };
    assert_eq!(values(&open), values(&plain));
    for line in [
        "# HELP nameplate_calls_total Calls by PBX and by what they were answered; `unserved` were left to the dialplan without an answer.",
        "# TYPE nameplate_calls_total counter",
        "# TYPE nameplate_answer_seconds histogram",
        "# TYPE nameplate_asterisk_connected gauge",
    ] {
        assert!(plain.lines().any(|written| written == line), "{line}\n{plain}");
    }
    assert!(!plain.contains("EOF"), "{plain}");
    // The two forms escape these in different ways.
    assert!(!open.lines().any(|line| line.starts_with("# HELP") && line.contains(['\\', '"'])), "{open}");
}

#[test]
fn the_build_has_its_version() {
    let text = Metrics::new().write(Form::Plain).unwrap();
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let line = format!("nameplate_build_info{{version=\"{version}\",arch=\"{arch}\",os=\"linux\"}} 1");
    assert!(text.lines().any(|written| written == line), "{line}\n{text}");
}
