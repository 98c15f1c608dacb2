//! The stand-in's own checks, with requests written by hand.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::pocket::is_utc;
use super::{Credential, Fault, Record, StandIn, Unchanged};

const SOON: Duration = Duration::from_secs(2);

/// Status, head, body; status 0 where the connection ended without an answer.
struct Got(u16, String, String);

async fn post(server: &StandIn, login: &str, content_type: &str, body: &str) -> Got {
    let url = server.api_url();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let credential = STANDARD.encode(login);
    let request = format!(
        "POST /{path}/v1/Agents/Pocket/GetMyCallerIDs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         authorization: Basic {credential}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    Got(status, head.to_owned(), body.to_owned())
}

async fn ask(server: &StandIn, last_hash: &str) -> Got {
    let body = json!({ "LastHash": last_hash, "MinDate": "2025-07-01T00:00:00Z", "MaxDate": "2027-07-01T00:00:00.1234567Z" });
    post(server, "nameplate:pass:wørd", "application/json; charset=utf-8", &body.to_string()).await
}

fn two() -> Vec<Record> {
    vec![
        Record::person(47, 90_000_000, (1, "Kari Nordmann"), (2, "Fjord Sjømat AS")),
        Record::company(47, 22_334_455, (2, "Fjord Sjømat AS")),
    ]
}

#[tokio::test]
async fn answers_as_the_reference_says() {
    let server = StandIn::start(two()).await.unwrap();
    let Got(status, _, body) = ask(&server, "").await;
    let set: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, set["CallerIDHash"].as_str()), (200, Some(server.hash().as_str())));
    assert_eq!(
        set["CallerIDs"][0],
        json!({
            "PhoneNumber": 22_334_455, "DialInPrefix": 47, "PersonId": 0, "PersonName": "", "Mrmrs": "",
            "ContactId": 2, "ContactName": "Fjord Sjømat AS",
        })
    );
    assert_eq!(set["CallerIDs"][1]["PersonName"], "Kari Nordmann");

    for (unchanged, status, body) in
        [(Unchanged::Null, 200, "null"), (Unchanged::Empty, 200, ""), (Unchanged::NoContent, 204, "")]
    {
        server.set_unchanged(unchanged);
        let got = ask(&server, &server.hash()).await;
        assert_eq!((got.0, got.2.as_str()), (status, body));
    }

    let before = server.hash();
    server.set_records(two().into_iter().rev().collect());
    assert_eq!(server.hash(), before, "another order is the same set");
    server.set_records(two().split_off(1));
    let got = ask(&server, &before).await;
    assert!(got.2.contains(&server.hash()) && server.hash() != before);
    assert_eq!(server.count(), 5);
    assert_eq!(server.requests()[4].json()["LastHash"], before);
    assert_eq!(server.requests()[4].answered.unwrap().0, 200);
}

#[tokio::test]
async fn refuses_what_the_reference_forbids() {
    let server = StandIn::start(two()).await.unwrap();
    let body = r#"{"LastHash":"","MinDate":"2025-07-01T00:00:00Z","MaxDate":"2025-07-01T00:00:00Z"}"#;
    let wrong = post(&server, "nameplate:guess", "application/json", body).await;
    assert_eq!(wrong.0, 401);
    assert!(wrong.1.contains("WWW-Authenticate: Basic") && wrong.2.contains(r#""Error":true"#));
    server.set_credential(Credential::basic("nameplate", "guess"));
    assert_eq!(post(&server, "nameplate:guess", "application/json", body).await.0, 200);
    assert_eq!(post(&server, "nameplate:guess", "text/plain", body).await.0, 415);
    for body in
        ["", "{", "null", r#"{"LastHash":"","MinDate":"2025-07-01T00:00:00Z"}"#, &body.replace('Z', "+02:00")]
    {
        assert_eq!(post(&server, "nameplate:guess", "application/json", body).await.0, 400, "{body}");
    }
    for bad in [
        "2025-07-01",
        "2025-7-1T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-07-01T24:00:00Z",
        "2025-07-01T00:00:00.Z",
    ] {
        assert!(!is_utc(bad), "{bad}");
    }
}

#[tokio::test]
async fn fails_as_it_is_told() {
    let mut server = StandIn::start(two()).await.unwrap();
    server.fail_next(1, Fault::status(503));
    assert_eq!(ask(&server, "").await.0, 503);
    assert_eq!(ask(&server, "").await.0, 200);
    server.fail(Fault::Dropped);
    assert_eq!(ask(&server, "").await.0, 0);
    assert!(server.requests()[2].answered.is_none());
    server.fail(Fault::Truncated);
    let cut = ask(&server, "").await;
    let promised = cut.1.split_once("Content-Length: ").unwrap().1.lines().next().unwrap().to_owned();
    assert_eq!(cut.2.len(), promised.parse::<usize>().unwrap() / 2);
    server.fail(Fault::Silent);
    assert!(tokio::time::timeout(Duration::from_millis(100), ask(&server, "")).await.is_err());
    server.fail(Fault::null());
    assert_eq!(ask(&server, "").await.2, "null");

    server.heal();
    server.set_delay(Duration::from_millis(50));
    let start = std::time::Instant::now();
    assert_eq!(ask(&server, "").await.0, 200);
    assert!(start.elapsed() >= Duration::from_millis(50));

    let host = server.api_url().split('/').nth(2).unwrap().to_owned();
    server.go_down().await;
    assert!(TcpStream::connect(&host).await.is_err());
    server.come_up().await.unwrap();
    assert_eq!(ask(&server, "").await.0, 200);
    assert!(server.until_count(8, SOON).await);
}
