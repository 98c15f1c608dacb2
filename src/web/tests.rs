//! The server over real sockets, byte by byte.

mod calls;
mod find;
pub(in crate::web) mod running;

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::asterisk::pbx_status;
use crate::entry::Entry;
use crate::number::Number;
use running::{Running, answer};

#[tokio::test]
async fn a_known_number_is_answered_with_the_name_and_nothing_else() {
    let web = Running::start(None).await;
    for asked in [
        "/lookup?number=22334455",
        "/lookup?number=%2B4722334455",
        "/lookup?number=+4722334455",
        "/lookup?number=004722334455",
        "/lookup?number=22%2033%2044%2055",
        "//lookup?number=22334455",
    ] {
        let answer = web.get(asked, "Accept: */*\r\n").await;
        let name = "Kari Nordmann (Fjord Sjømat AS)";
        assert_eq!((answer.status, answer.body.as_str()), (200, name), "{asked}");
        assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{}", answer.head);
        assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
    }
}

#[tokio::test]
async fn the_country_of_the_question_counts() {
    let web = Running::start(None).await;
    assert_eq!(web.get("/lookup?number=22334455&country=SE", "").await.status, 404);
    assert_eq!(web.get("/lookup?number=004722334455&country=se", "").await.status, 200);
    assert_eq!(web.get("/lookup?number=22334455&country=", "").await.status, 200);
}

#[tokio::test]
async fn without_a_name_there_is_not_a_byte_to_be_shown() {
    let web = Running::start(None).await;
    let long = "1".repeat(400);
    for path in [
        "/lookup?number=22999999",
        "/lookup?number=",
        "/lookup?number=anonymous",
        "/nothing",
        "/?number=22334455",
        "/lookup/",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("/lookup?number={long}")])
    {
        let answer = web.get(&path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn json_is_the_resolution_also_for_a_miss() {
    let web = Running::start(None).await;
    let json = "Accept: text/html;q=0.8, application/json;q=0.9\r\n";
    let found = web.get("/lookup?number=22334455", json).await;
    assert_eq!(found.status, 200);
    assert!(found.head.contains("content-type: application/json"), "{}", found.head);
    let same = web.backend.resolver.resolve(&web.backend.pbx, None, "22334455");
    assert_eq!(found.body, serde_json::to_string(same.as_ref()).unwrap());

    let miss = web.get("/lookup?number=anonymous", json).await;
    assert_eq!(miss.status, 404);
    let miss: serde_json::Value = serde_json::from_str(&miss.body).unwrap();
    assert_eq!((&miss["status"], &miss["reason"]), (&"skipped".into(), &"anonymous".into()));
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_what_is_allowed() {
    let web = Running::start(None).await;
    for (path, status, said) in [
        ("/lookup".to_owned(), 400, "`number` is missing: GET /lookup?number="),
        ("/lookup?nummer=1".to_owned(), 400, "`number` is missing"),
        ("/lookup?number=1&country=NX".to_owned(), 400, "`country`: \"NX\" is not a country"),
        ("/lookup?number=1&number=2".to_owned(), 400, "duplicate field `number`"),
        (format!("/lookup?number={}", "1".repeat(600)), 414, "allowed are 512 bytes"),
    ] {
        let answer = web.get(&path, "").await;
        assert_eq!(answer.status, status, "{path}");
        // Not in the body: a dialplan shows what it gets there.
        assert_eq!(answer.body, "", "{path}");
        let header = format!("nameplate-error: {}", said.to_lowercase());
        assert!(
            answer.head.contains(&header) || answer.head.contains(&said.to_lowercase()),
            "{}",
            answer.head
        );
        let json = web.get(&path, "Accept: application/json\r\n").await;
        assert_eq!(json.status, status, "{path}");
        let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
        assert!(json["error"].as_str().unwrap().contains(said), "{json}");
    }
    let post = web.send("POST /lookup?number=22334455 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(post.status, 405);
    let head = web.send("HEAD /lookup?number=22334455 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_page_of_another_host_reads_nothing() {
    let web = Running::start(None).await;
    for path in ["/lookup?number=22334455", "/healthz", "/readyz", "/metrics", "/nothing"] {
        let answer = web.send(&format!("GET {path} HTTP/1.1\r\nHost: evil.example:8480\r\n\r\n")).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.body.contains("Kari"), "{}", answer.body);
        assert_eq!(answer.body.is_empty(), path.starts_with("/lookup"), "{}", answer.body);
    }
    let nobody = web.send("GET /metrics HTTP/1.0\r\n\r\n").await;
    assert_eq!(nobody.status, 421);
}

#[tokio::test]
async fn a_page_of_another_origin_learns_nothing() {
    for token in [None, Some("s3cret")] {
        let web = Running::start(token).await;
        let shown = "Authorization: Bearer s3cret\r\nSec-Fetch-Site: cross-site\r\n";
        let mut answers = Vec::new();
        for path in ["/lookup?number=22334455", "/lookup?number=22999999", "/lookup", "/lookup?number="] {
            let answer = web.get(path, shown).await;
            assert_eq!((answer.status, answer.body.as_str()), (403, ""), "{path}");
            answers.push(answer.head.lines().filter(|line| !line.starts_with("date:")).collect::<String>());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(web.get("/metrics", shown).await.status, 403);
        let own = shown.replace("cross-site", "same-origin");
        assert_eq!(web.get("/lookup?number=22334455", &own).await.status, 200);
    }
}

#[tokio::test]
async fn a_wrong_token_is_counted_and_answered_late() {
    let web = Running::start(Some("s3cret")).await;
    let begun = std::time::Instant::now();
    assert_eq!(web.get("/lookup?number=22334455", "").await.status, 401);
    for headers in ["Authorization: Bearer wrong\r\n", "Authorization: nonsense\r\n"] {
        assert_eq!(web.get("/metrics", headers).await.status, 401);
    }
    // This holds on any machine.
    assert!(begun.elapsed() >= 2 * Duration::from_millis(500));
    let metrics = web.get("/metrics", "Authorization: Bearer s3cret\r\n").await;
    assert!(metrics.body.contains("nameplate_web_wrong_tokens_total 2"), "{}", metrics.body);
}

#[tokio::test]
async fn with_a_token_only_who_shows_it_is_answered() {
    let web = Running::start(Some("s3cret")).await;
    for path in ["/lookup?number=22334455", "//lookup?number=22334455", "/readyz", "/metrics", "/nothing"] {
        for headers in ["", "Authorization: Bearer wrong\r\n"] {
            let refused = web.get(path, headers).await;
            assert_eq!(refused.status, 401, "{path}");
            assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
            assert!(!refused.body.contains("s3cret") && !refused.body.contains("Kari"), "{}", refused.body);
            assert_eq!(refused.body.is_empty(), path.contains("/lookup"), "{}", refused.body);
        }
    }
    assert_eq!(web.get("/healthz", "").await.status, 200);
    // nameplate:s3cret
    for shown in ["Bearer s3cret", "Basic bmFtZXBsYXRlOnMzY3JldA=="] {
        let answer = web.get("/lookup?number=22334455", &format!("Authorization: {shown}\r\n")).await;
        assert_eq!(answer.status, 200, "{shown}");
    }
}

#[tokio::test]
async fn ready_when_somebody_is_known_and_one_pbx_is_connected() {
    let web = Running::start(None).await;
    let answer = web.get("/readyz", "").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "not ready\nasterisk pbx1 is disconnected\nasterisk pbx2 is disconnected\n")
    );
    web.backend.pbx_statuses[0].set(pbx_status::State::Connected);
    web.backend.pbx_statuses[1].set(pbx_status::State::Connecting);
    let answer = web.get("/readyz", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ready\nasterisk pbx2 is connecting\n"));
    web.backend.resolver.swap(crate::directory::Directory::default());
    let answer = web.get("/readyz", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("the directory knows no number"), "{}", answer.body);
}

#[tokio::test]
async fn lookups_are_counted_without_number_or_name() {
    let web = Running::start(None).await;
    web.get("/lookup?number=22334455", "").await;
    web.get("/lookup?number=22999999", "").await;
    let metrics = web.get("/metrics", "").await;
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    let open = web.get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n").await;
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n") && open.head.contains("vary: accept"), "{}", open.head);
    for line in [
        "nameplate_web_lookups_total{outcome=\"found\"} 1",
        "nameplate_web_lookups_total{outcome=\"notfound\"} 1",
    ] {
        assert!(metrics.body.contains(line), "{}", metrics.body);
    }
    assert!(!metrics.body.contains("22334455") && !metrics.body.contains("Kari"), "{}", metrics.body);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let web = Running::start(None).await;
    let answer = web.get("/healthz", &format!("X: {}\r\n", "x".repeat(64 << 10))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn whoever_says_nothing_gives_the_place_to_whoever_asks() {
    let web = Running::start(None).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = web.connect().await;
        stream.write_all(b"GET /lookup?number=22334455 HTTP/1.1\r\nHost: loc").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(web.get("/healthz", "").await.status, 200);
    for stream in silent {
        assert_ne!(answer(stream).await.status, 200);
    }
}

/// Forms whose end does not come, and wrong tokens, which are answered late.
#[tokio::test]
async fn one_address_keeps_no_other_one_waiting() {
    let web = Running::start(Some("token")).await;
    let connect = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(web.address).await.unwrap()
    };
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n";
    for (line, headers) in [("POST /login", form), ("GET /lookup?number=1", "Authorization: Bearer x\r\n")] {
        // The machine may be stuck for a moment, too.
        let mut shortest = Duration::MAX;
        for _ in 0..3 {
            let mut greedy = Vec::new();
            for _ in 0..CONNECTIONS / 2 + 20 {
                let mut stream = connect().await;
                let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                greedy.push(stream);
            }
            let begun = Instant::now();
            let answer = web.get("/lookup?number=22334455", "Authorization: Bearer token\r\n").await;
            assert_eq!(answer.status, 200);
            shortest = shortest.min(begun.elapsed());
            drop(greedy);
        }
        assert!(shortest < Duration::from_millis(250), "{line}: {shortest:?}");
    }
}

#[tokio::test]
async fn what_is_in_hand_is_finished_at_the_end() {
    let web = Running::start(None).await;
    let mut stream = web.connect().await;
    stream.write_all(b"GET /lookup?number=22334455 HTTP/1.1\r\n").await.unwrap();
    // The server answers a later connection, so it has taken this one.
    assert_eq!(web.get("/healthz", "").await.status, 200);
    web.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(web.address).await.is_err());
    stream.write_all(b"Host: localhost\r\n\r\n").await.unwrap();
    assert_eq!(answer(stream).await.body, "Kari Nordmann (Fjord Sjømat AS)");
    web.server.await.unwrap();
}

#[test]
fn beyond_loopback_there_is_a_token() {
    let try_new = |listen: &str, token: Option<&str>| {
        Settings::try_new(listen.parse().unwrap(), token.map(|token| Secret::Given(token.into())))
    };
    for listen in ["127.0.0.1:8480", "127.3.2.1:8480", "[::1]:8480", "[::ffff:127.0.0.1]:8480"] {
        assert!(try_new(listen, None).is_ok(), "{listen}");
    }
    for listen in ["0.0.0.0:8480", "[::]:8480", "192.168.1.10:8480", "[::ffff:192.168.1.10]:8480"] {
        assert!(try_new(listen, None).unwrap_err().contains("`token` is required"), "{listen}");
        assert!(try_new(listen, Some("t")).is_ok(), "{listen}");
    }
    for token in ["", " ", "t ", "tøken", "t\nu"] {
        let error = try_new("127.0.0.1:8480", Some(token)).unwrap_err();
        assert!(error.contains("`token`: the secret in the configuration can't be sent"), "{error}");
    }
}
