//! Calls that wait for the search in the CRM. A search takes twice its delay.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::stand_in::{Response, Socket, StandIn, usual};
use super::{HANDOFF, PASSWORD, Secret, Service};
use crate::lookup::Resolver;
use crate::name::Style;
use crate::search::tests::waited_for;

const STRANGER: &str = "22544545";
const HANDED_OFF: &str = "POST channels/1.1/continue";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn start(pbx: &StandIn, delay: Duration, wait: Duration) -> Service {
    let resolver = Resolver::new(Style::default()).searching(waited_for(delay, wait));
    Service::start_named(pbx, Secret::Given(PASSWORD.into()), resolver)
}

/// A service on the websocket of this version of Asterisk.
async fn on_websocket(version: &'static str, delay: Duration) -> (Service, StandIn, Socket) {
    let mut pbx = StandIn::start(move |request| match request {
        "GET asterisk/info" => Response::Of(200, json!({ "system": { "version": version } })),
        _ => usual(request),
    })
    .await;
    let service = start(&pbx, delay, ms(400));
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    pbx.until("GET asterisk/info", 1).await;
    (service, pbx, socket)
}

/// The extension that the next request sends this call to.
async fn extension(socket: &mut Socket, channel: &str) -> Value {
    let request = socket.expect(&format!("channels/{channel}/continue")).await;
    socket.answer(&request, 204).await;
    request["query_strings"][0]["value"].clone()
}

#[tokio::test(start_paused = true)]
async fn others_are_answered_meanwhile_on_the_same_websocket() {
    let (_service, _pbx, mut socket) = on_websocket("22.10.1", ms(150)).await;
    socket.call_from(STRANGER, "1.1", HANDOFF).await;
    for call in ["1.2", "1.3"] {
        socket.call_from("anonymous", call, HANDOFF).await;
        assert_eq!(extension(&mut socket, call).await, "skipped");
    }
    assert_eq!(extension(&mut socket, "1.1").await, "=7::Per Strand");
}

#[tokio::test(start_paused = true)]
async fn an_asterisk_that_delays_commands_waits_at_most_200_ms() {
    for (version, longest) in [("22.10.1", 400), ("20.9.3", 200)] {
        let (_service, _pbx, mut socket) = on_websocket(version, ms(1_000)).await;
        let begun = Instant::now();
        socket.call_from(STRANGER, "1.1", HANDOFF).await;
        assert_eq!(extension(&mut socket, "1.1").await, "notfound");
        let took = begun.elapsed();
        // The search itself would take two seconds.
        assert!((ms(longest)..ms(longest + 190)).contains(&took), "{version}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn over_http_and_in_the_direct_style() {
    let mut pbx = StandIn::start(usual).await;
    let _service = start(&pbx, ms(100), ms(300));
    let mut socket = pbx.socket().await;
    pbx.until("GET asterisk/info", 1).await;
    socket.call_from(STRANGER, "1.1", HANDOFF).await;
    pbx.until_said("=7::Per Strand").await;

    let mut pbx = StandIn::start(usual).await;
    let _service = start(&pbx, ms(100), ms(300));
    let mut socket = pbx.socket().await;
    pbx.until("GET asterisk/info", 1).await;
    socket.call_from(STRANGER, "1.1", &[]).await;
    pbx.until_said("\"Per Strand\"").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_it_have_its_name() {
    let (service, pbx, mut socket) = on_websocket("22.10.1", ms(150)).await;
    socket.call_from(STRANGER, "1.1", HANDOFF).await;
    tokio::time::sleep(ms(40)).await;
    service.shutdown.cancel();
    // Others do not wait any more.
    socket.call_from("22999999", "1.2", HANDOFF).await;
    assert_eq!(extension(&mut socket, "1.2").await, "notfound");
    assert_eq!(extension(&mut socket, "1.1").await, "=7::Per Strand");
    socket.until_closed().await;
    service.ended().await;
    assert_eq!(pbx.count(HANDED_OFF), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_the_connection_it_goes_on_over_http() {
    let (_service, pbx, mut socket) = on_websocket("22.10.1", ms(150)).await;
    socket.call_from(STRANGER, "1.1", HANDOFF).await;
    tokio::time::sleep(ms(40)).await;
    // Another copy of the service has the application.
    socket.send(json!({ "type": "ApplicationReplaced", "application": "nameplate" })).await;
    pbx.until_said("=7::Per Strand").await;
}
