//! Calls that wait for the search in the CRM. A search takes twice its delay.

use super::*;
use crate::search::tests::waited_for;

const STRANGER: &str = "22544545";
const NAMED: &str = "SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"FOUND:7::Per Strand\"\n";
const UNNAMED: &str = "SET VARIABLE LOCAL(NAMEPLATE_ANSWER) \"NOTFOUND:::\"\n";

async fn start(max_sessions: usize, delay: u64) -> Running {
    let (delay, wait) = (Duration::from_millis(delay), Duration::from_millis(400));
    let resolver = Resolver::new(Style::default()).searching(waited_for(delay, wait));
    resolver.swap(merge(&["crm".into()], Vec::new()).unwrap());
    Running::start(max_sessions, &["127.0.0.0/8"], Arc::new(resolver)).await
}

async fn call(server: &Running, caller: &str) -> Client {
    let mut client = server.connect().await;
    client.describe("handoff", caller, "0", &[]).await;
    client
}

#[tokio::test(start_paused = true)]
async fn the_first_call_has_the_name() {
    let server = start(16, 50).await;
    let mut first = call(&server, STRANGER).await;
    let mut second = call(&server, "+4722544545").await;
    assert_eq!([first.command().await, second.command().await], [NAMED; 2]);
    // A person who is called, for an operator of whom nothing is known.
    let server = start(16, 50).await;
    let mut called = server.connect().await;
    called.describe("called", "22999999", "0", &["", "tags", STRANGER]).await;
    assert!(called.command().await.contains("\"FOUND:7::Per Strand:exact:\""));
    let mut own = server.connect().await;
    own.describe("lookup", "22999999", "0", &[]).await;
    assert!(own.take_all().await.contains(&"SET VARIABLE __NAMEPLATE_STATUS \"NOTFOUND\"".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_is_not_waited_for() {
    // The search would take a minute, but the wait is 400 ms. The session has to end before.
    let server = start(2, 30_000).await;
    for goodbye in ["HANGUP\n", ""] {
        let mut client = call(&server, STRANGER).await;
        if goodbye.is_empty() {
            client.write.shutdown().await.unwrap();
        } else {
            // In two packets.
            client.say("HANG").await;
            client.say("UP\n").await;
        }
        assert_eq!(client.command().await, "", "{goodbye}");
    }
    // A caller who has written the end of the block gets no name.
    let mut forger = call(&server, STRANGER).await;
    forger.say("agi_callingpres: 32\n").await;
    assert_eq!(forger.command().await, "");
    assert!(server.count("nameplate_calls_total{pbx=\"agi\",outcome=\"unserved\"} 3"));
}

#[tokio::test(start_paused = true)]
async fn half_of_the_sessions_are_left_to_others() {
    let server = start(4, 30_000).await;
    let mut waiting = [call(&server, STRANGER).await, call(&server, STRANGER).await];
    let mut third = call(&server, STRANGER).await;
    assert_eq!(third.command().await, UNNAMED);
    for client in &mut waiting {
        assert!(timeout(Duration::from_millis(1), client.read.read_u8()).await.is_err(), "it still waits");
    }
    for client in &mut waiting {
        assert_eq!(client.command().await, UNNAMED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_a_call_finish() {
    let server = start(16, 50).await;
    let mut client = call(&server, STRANGER).await;
    tokio::task::yield_now().await;
    server.shutdown.cancel();
    assert_eq!(client.take_all().await, [NAMED.trim_end()]);
    server.task.await.unwrap();
}
