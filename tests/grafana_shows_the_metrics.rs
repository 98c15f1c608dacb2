//! Each query of the Grafana dashboard names metrics that exist, and a real Prometheus that has looked at a service with calls has
//! data for it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::lab::call::{Lab, Turn, fjord, from_trunk};
use crate::lab::machine::{free_tcp_port, installed};
use crate::lab::nameplate::project;
use crate::lab::redis::{PASSWORD, Redis};
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;
use crate::lab::web;

/// Two scrapes, a second apart, and what a loaded machine takes for them.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Prometheus of its own, which looks each second. It ends with the test.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Prometheus {
    /// As `docs/operations.md` has it, but each second.
    fn start(service: SocketAddr) -> Self {
        let folder = TempDir::new().unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: nameplate\n  static_configs: [ {{ targets: [\"{service}\"] }} ]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, free_tcp_port()).into();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut process = Command::new(installed("prometheus"));
        process.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        process.arg(format!("--web.listen-address={address}"));
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { process: process.spawn().unwrap(), address, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    async fn until_ready(&self) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(self.address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The values of a query now.
    ///
    /// # Panics
    /// With Prometheus' words where it does not understand the query.
    fn values(&self, query: &str) -> Vec<f64> {
        let path = format!("/api/v1/query?query={}", utf8_percent_encode(query, NON_ALPHANUMERIC));
        let answer =
            web::request(self.address, &format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address));
        if answer.status == 503 {
            return Vec::new();
        }
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let results = answer["data"]["result"].as_array().unwrap();
        results.iter().map(|result| result["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(project().join("packaging/grafana/nameplate.json")).unwrap())
        .unwrap()
}

/// The panels' titles and queries.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().filter(|panel| panel["type"] != "row").flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        targets.iter().map(move |target| {
            // The administrator chooses the Prometheus.
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            (title.to_owned(), target["expr"].as_str().unwrap().to_owned())
        })
    });
    queries.collect()
}

#[test]
fn a_row_of_the_dashboard_is_a_question() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").collect();
    assert!(rows.len() >= 4 && panels.first() == rows.first().copied());
    for row in rows {
        assert!(row["title"].as_str().unwrap().ends_with('?'), "{row}");
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let datasource = variables.iter().find(|variable| variable["name"] == "datasource").unwrap();
    assert_eq!(datasource["type"], "datasource");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_query_has_data() {
    let turn = Turn::beside().await;
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let way = Way::Websocket;
    let asterisk = way.asterisk(&from_trunk("Gosub(nameplate,lookup,1)", &phone.uri()));
    let redis = Redis::start("oslo");
    let sections = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[share]\nurl = \"{}\"\nusername = \"nameplate\"\npassword = \"{PASSWORD}\"\nkey = \"{}\"\nsite = \"oslo\"\n",
        redis.url(),
        "07".repeat(32)
    );
    let lab = Lab::configured(way, "", &sections, turn, fjord(), asterisk, phone).await;
    let address = web::address(&lab.nameplate).await;
    let metrics = web::get(address, "/metrics", "").body;
    let prometheus = Prometheus::start(address);
    prometheus.until_ready().await;

    for (title, query) in queries() {
        let names = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in names.filter(|name| name.starts_with("nameplate_")) {
            assert!(metrics.contains(&format!("\n{name}")), "{title}: no metric {name}");
        }
        // What Grafana puts in for its variables.
        let query = query.replace("$__rate_interval", "10s").replace("$__range", "5m");
        let query = query.replace("$instance", ".*").replace("$pbx", ".*");
        assert!(!query.contains('$'), "{query}");
        let begun = Instant::now();
        loop {
            let values = prometheus.values(&query);
            // A share or a quantile of no calls is no number.
            if !values.is_empty() && values.iter().all(|value| value.is_finite()) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{title}: {query}: {values:?}\n{}", prometheus.log());
            let (_, ring) = lab.ring(Invite::from("22334455")).await;
            assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
            sleep(Duration::from_millis(300)).await;
        }
    }
    let named = "sum(nameplate_calls_total{outcome=\"found\"})";
    assert!(prometheus.values(named).iter().sum::<f64>() > 0.0);
    lab.asterisk.wait_idle();
}
