//! Prometheus reads the metrics, in both of its forms, and the alerts that come with them say what is wrong, and when.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::configuration::csv_folder;
use crate::lab::machine::{free_tcp_port, installed};
use crate::lab::nameplate::project;
use crate::lab::web;

/// What Prometheus 2 and 3 ask for.
const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// Runs Prometheus' own tool in this folder.
///
/// # Panics
/// With what it says, where it finds something.
fn promtool(folder: &Path, arguments: &[&str], input: &str) {
    let mut tool = Command::new(installed("promtool"));
    tool.args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut tool = tool.spawn().unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}\n{input}", String::from_utf8_lossy(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_in_the_metrics() {
    let agi = free_tcp_port();
    let config = format!("[agi]\nlisten = \"127.0.0.1:{agi}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let nameplate = csv_folder(&config, "").serve();
    nameplate.until_logged("directory is in place", 1).await;
    let address = web::address(&nameplate).await;
    // As `curl` asks, and as Prometheus does where it is told to take the older form alone.
    for accept in ["", "Accept: text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"] {
        let metrics = web::get(address, "/metrics", accept);
        assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
        tokio::task::block_in_place(|| promtool(project(), &["check", "metrics"], &metrics.body));
    }
    for accept in [PROMETHEUS_2, PROMETHEUS_3] {
        let metrics = web::get(address, "/metrics", &format!("Accept: {accept}\r\n"));
        assert!(
            metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
            "{}",
            metrics.head
        );
        assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    }
}

#[test]
fn the_alerts_are_raised_when_they_are_to_be() {
    let folder = project().join("packaging/prometheus");
    promtool(&folder, &["check", "rules", "nameplate.rules.yml"], "");
    promtool(&folder, &["test", "rules", "nameplate.test.yml"], "");
}
