//! Requests fail: several in a row end the connection, and no call is forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::log::Log;
use super::stand_in::{Response, Socket, StandIn, channel, error, usual};
use super::{Fault, HANDOFF, Service, with_fault};
use crate::asterisk::pbx_status::State;
use crate::observe::metrics::Refusal;

/// A call comes in, and its handoff gets this response.
async fn hand_off(socket: &mut Socket, call: &str, status: u16, message: &str) {
    socket.call(call, HANDOFF).await;
    let handoff = socket.expect(&format!("channels/{call}/continue")).await;
    socket.answer_with(&handoff, status, message).await;
}

#[tokio::test(start_paused = true)]
async fn three_failed_handoffs_in_a_row_end_the_connection_and_responses_about_one_call_do_not() {
    let failing = [(404, "Resource not found"), (500, "Server error"), (404, "Not Found")];
    let harmless = [
        (404, "Channel not found"),
        (404, "Requested label can not be found"),
        (409, "Channel not in Stasis application"),
        (412, "Channel in invalid state"),
    ];
    let mut pbx = StandIn::start(|request| match request {
        _ if request.starts_with("GET channels/1.") => {
            Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1"))
        }
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::on_websocket(&mut pbx).await;
    let mut calls = (0..).map(|call| format!("1.{call}"));
    let twice = failing.iter().take(2).chain(&[(204, "")]).cycle().take(12);
    for (status, message) in harmless.iter().cycle().take(40).chain(twice) {
        let call = calls.next().unwrap();
        hand_off(&mut socket, &call, *status, message).await;
        if !matches!((*status, *message), (204 | 409, _) | (_, "Channel not found")) {
            // The call goes on without its name.
            let sent_on = socket.expect(&format!("channels/{call}/continue")).await;
            assert_eq!(sent_on["query_strings"], Value::Null);
            socket.answer(&sent_on, 204).await;
        }
    }
    assert_eq!(service.pbx_status.state(), State::Connected);
    for (status, message) in failing {
        hand_off(&mut socket, &calls.next().unwrap(), status, message).await;
        if let Some(sent_on) = socket.request().await {
            socket.answer(&sent_on, 204).await;
        }
    }
    assert!(socket.until_closed().await < Duration::from_millis(100));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(service.refusal(), Some(Refusal::Handoffs), "{}", service.pbx_status.description());
}

/// Seen on a real Asterisk: the channel of a caller who hangs up is already in another context, with its own `h`.
#[tokio::test(start_paused = true)]
async fn a_hangup_is_not_reported_as_a_missing_label() {
    let log = Log::start();
    for on_websocket in [true, false] {
        let mut pbx = StandIn::start(|request| match request {
            "POST channels/1.1/continue" => error(404, "Requested label can not be found"),
            "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Log", "NOTICE")),
            _ => usual(request),
        })
        .await;
        let service = if on_websocket {
            let (service, mut socket) = Service::on_websocket(&mut pbx).await;
            hand_off(&mut socket, "1.1", 404, "Requested label can not be found").await;
            (service, socket)
        } else {
            let (service, mut socket) = Service::over_http(&mut pbx).await;
            socket.call("1.1", HANDOFF).await;
            (service, socket)
        };
        pbx.until("GET channels/1.1", 1).await;
        sleep(Duration::from_secs(1)).await;
        let sent_on = pbx.count("POST channels/1.1/continue");
        assert_eq!(sent_on, usize::from(!on_websocket), "{:?}", pbx.seen());
        service.0.shutdown.cancel();
    }
    assert!(!log.text().contains("no place for the name"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_closed_without_a_response_count_as_failures() {
    let (mut pbx, full) =
        with_fault(|request| request.contains("channels/1.").then_some(Response::Nothing)).await;
    let (service, mut socket) = Service::over_http(&mut pbx).await;
    full.toggle();
    let begun = Instant::now();
    for call in ["1.1", "1.2", "1.3"] {
        socket.call(call, HANDOFF).await;
    }
    socket.until_closed().await;
    // Before the time limit of the first request.
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    sleep(Duration::from_millis(20)).await;
    assert_eq!(service.refusal(), Some(Refusal::Handoffs));
    let description = service.pbx_status.description();
    assert!(description.contains("sessionlimit"), "{description}");
    // The closed websocket has freed the session that these requests need.
    full.toggle();
    for call in ["1.1", "1.2", "1.3"] {
        pbx.until(&format!("GET channels/{call}"), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_on_is_given_up_and_logged_and_a_call_that_is_gone_is_left_alone() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        "POST channels/1.1/continue" => error(500, "Out of memory"),
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
        "POST channels/1.2/continue" => error(500, "Out of memory"),
        "GET channels/1.2" => error(404, "Channel not found"),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::over_http(&mut pbx).await;
    socket.call("1.1", &[]).await;
    socket.call("1.2", &[]).await;
    let _socket = tokio::spawn(socket.until_closed());
    sleep(Duration::from_secs(30)).await;
    let tries = pbx.count("POST channels/1.1/continue");
    assert!((5..15).contains(&tries), "{tries}");
    assert_eq!(pbx.count("POST channels/1.2/continue"), 1);
    assert_eq!(pbx.count("GET channels/1.2"), 1);
    let log = log.text();
    assert_eq!(log.matches("the call is given up").count(), 1, "{log}");
    let given_up = |line: &str| line.contains("the call is given up") && line.contains("channel=1.1");
    assert!(log.lines().any(given_up), "{log}");
}

#[tokio::test(start_paused = true)]
async fn many_failing_calls_do_not_flood_asterisk() {
    const CALLS: usize = 400;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let mut pbx = StandIn::start(move |request| match request {
        _ if request.contains("channels/1.") => {
            counted.fetch_add(1, Ordering::Relaxed);
            if request.starts_with("GET") {
                error(502, "Bad Gateway")
            } else {
                error(412, "Channel in invalid state")
            }
        }
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::over_http(&mut pbx).await;
    for call in 0..CALLS {
        socket.call(&format!("1.{call}"), HANDOFF).await;
    }
    let _socket = tokio::spawn(socket.until_closed());
    sleep(Duration::from_secs(30)).await;
    // For each call a handoff and a plain `continue`; and retries for a few.
    let all = asked.load(Ordering::Relaxed);
    assert!((2 * CALLS..3 * CALLS).contains(&all), "{all}");
    assert_eq!(service.pbx_status.state(), State::Connected);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(asked.load(Ordering::Relaxed), all);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_asterisk_ends_the_connection_and_a_slow_rush_does_not() {
    // About 320 calls have their response before the others reach the time limit.
    let frozen = Fault::default();
    let is_frozen = frozen.clone();
    let mut pbx = StandIn::start(move |request| match request {
        _ if is_frozen.is_on() => Response::After(Duration::from_secs(3_600), 204, Value::Null),
        _ if request.starts_with("POST channels/1.") => {
            Response::After(Duration::from_millis(200), 204, Value::Null)
        }
        _ if request.starts_with("GET channels/1.") => error(404, "Channel not found"),
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::over_http(&mut pbx).await;
    for call in 0..600 {
        socket.call(&format!("1.{call}"), HANDOFF).await;
    }
    let closed = tokio::spawn(socket.until_closed());
    sleep(Duration::from_secs(20)).await;
    assert_eq!((service.pbx_status.state(), pbx.count("GET events")), (State::Connected, 1));
    frozen.toggle();
    let begun = Instant::now();
    closed.await.unwrap();
    // No call comes in: the checks notice it.
    assert!(begun.elapsed() < Duration::from_secs(16), "{:?}", begun.elapsed());
    sleep(Duration::from_secs(60)).await;
    assert_ne!(service.pbx_status.state(), State::Connected);
    assert_eq!(pbx.count("GET events"), 1);
}
