//! The limits of a session: lengths, lines, time; and the most sessions.

use super::*;

#[tokio::test]
async fn input_beyond_a_limit_closes_the_session() {
    let server = Running::usual().await;
    let long = format!("agi_calleridname: {}\n", "x".repeat(17_000));
    let many = "agi_arg_1: x\n".repeat(129);
    let block = format!("agi_calleridname: {}\n", "x".repeat(8000)).repeat(9);
    for (what, flood) in [
        ("a line", long.as_str()),
        ("variables", &many),
        ("the block", &block),
        ("what is no AGI", "GET / HTTP/1.1\r\n"),
    ] {
        let mut client = server.connect().await;
        // The server may close the connection before all is written.
        let _ = client.write.write_all(flood.as_bytes()).await;
        assert!(client.is_closed().await, "{what}");
    }
    // A line of 8 KiB is allowed, and so are bytes that are not UTF-8.
    let mut client = server.connect().await;
    client.say(&format!("agi_calleridname: {}\n", "x".repeat(8192))).await;
    client
        .write
        .write_all(b"agi_network_script: handoff\nagi_callerid: \xff\xfe\nagi_threadid: 1\n\n")
        .await
        .unwrap();
    assert!(client.command().await.contains("SKIPPED"));
}

#[tokio::test]
async fn a_slow_or_vanished_client_holds_up_no_call() {
    let server = Running::usual().await;
    let mut slow = server.connect().await;
    slow.say("agi_netw").await;
    let mut silent = server.connect().await;
    silent.describe("handoff", "22334455", "0", &[]).await;
    silent.command().await;
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert_eq!(client.take_all().await.len(), 1);
    }
    assert!(slow.is_closed().await);
    assert!(silent.is_closed().await);
}

/// Slows paused time down, so that it does not pass data that is on its way on a socket: time stands still while a blocking
/// task runs.
async fn brake() {
    loop {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
}

/// Sends this text for ever, a byte each 50 ms. Returns how long the server has kept the connection open.
async fn send_slowly(client: Client, text: &'static str) -> Duration {
    let begun = tokio::time::Instant::now();
    let Client { mut read, mut write } = client;
    let saying = tokio::spawn(async move {
        for byte in text.bytes().cycle() {
            sleep(Duration::from_millis(50)).await;
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(60), read.read_to_end(&mut rest)).await.expect("its end");
    saying.abort();
    begun.elapsed()
}

fn about(took: Duration, limit: u64) -> bool {
    (limit..limit + 150).contains(&u64::try_from(took.as_millis()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_block_has_one_second_even_if_bytes_keep_coming() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let took = send_slowly(server.connect().await, "agi_network: yes\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_response_has_one_second_even_if_lines_keep_coming() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let mut client = server.connect().await;
    client.describe("handoff", "22334455", "0", &[]).await;
    assert!(client.command().await.contains("FOUND"));
    let took = send_slowly(client, "HANGUP\n").await;
    assert!(about(took, 1_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_has_three_seconds_even_if_each_response_is_in_time() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    let begun = tokio::time::Instant::now();
    let mut client = server.connect().await;
    sleep(Duration::from_millis(800)).await;
    client.describe("lookup", "22334455", "0", &[]).await;
    for command in ["NOOP", "SET VARIABLE"] {
        assert!(client.command().await.contains(command));
        sleep(Duration::from_millis(850)).await;
        client.say("200 result=1\n").await;
    }
    assert!(client.command().await.contains("SET VARIABLE"));
    assert!(client.is_closed().await);
    let took = begun.elapsed();
    assert!(about(took, 3_000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_response_has_at_most_64_lines() {
    tokio::spawn(brake());
    let server = Running::usual().await;
    for (lines, taken) in [(63, true), (64, false)] {
        let mut client = server.connect().await;
        client.describe("handoff", "22334455", "0", &[]).await;
        assert!(client.command().await.contains("FOUND"));
        let begun = tokio::time::Instant::now();
        client.say(&format!("520-Invalid\n{}", "Usage: x\n".repeat(lines - 1))).await;
        sleep(Duration::from_millis(100)).await;
        let _ = client.write.write_all(b"200 result=1\n").await;
        assert!(client.is_closed().await);
        // By the limit of lines, and not by the one of time.
        assert!(begun.elapsed() < Duration::from_millis(500), "{lines}: {:?}", begun.elapsed());
        let found = format!(
            "nameplate_calls_total{{pbx=\"agi\",outcome=\"{}\"}} 1",
            if taken { "found" } else { "unserved" }
        );
        assert!(server.count(&found), "{lines}: {}", server.metrics.write().unwrap());
    }
}

#[tokio::test]
async fn a_session_beyond_the_limit_is_closed_until_another_one_ends() {
    let server = Running::start(1, &["127.0.0.1/32"], resolver()).await;
    let mut first = server.connect().await;
    first.describe("handoff", "22334455", "0", &[]).await;
    assert!(first.command().await.contains("FOUND"));
    assert!(server.connect().await.is_closed().await);
    first.say("200 result=1\n").await;
    assert!(first.is_closed().await);
    let mut next = server.connect().await;
    next.describe("handoff", "22334455", "0", &[]).await;
    assert_eq!(next.take_all().await.len(), 1);
}
