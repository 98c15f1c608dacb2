//! No call stays in the application, and a call elsewhere is left alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::log::Log;
use super::stand_in::{Response, StandIn, channel, usual};
use super::{HANDOFF, LIST, Service};

/// Never answers requests about calls.
fn hanging(request: &str) -> Response {
    if is_about(request, "1.") {
        return Response::After(Duration::from_secs(3_600), 204, Value::Null);
    }
    usual(request)
}

/// Whether a request is about one channel.
fn is_about(request: &str, channel: &str) -> bool {
    request.contains(&format!("channels/{channel}"))
}

#[tokio::test(start_paused = true)]
async fn a_direct_call_goes_on_over_the_websocket_when_http_fails() {
    let mut pbx = StandIn::start(|request| match request {
        _ if is_about(request, "1.1") => Response::Nothing,
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", &[]).await;
    let sent_on = socket.expect("channels/1.1/continue").await;
    assert_eq!(sent_on["query_strings"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn attempts_to_send_a_call_on_are_repeated_until_an_old_asterisk_does_it() {
    let tries = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        "POST channels/1.1/continue" => match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Response::Nothing,
            1 => Response::Of(503, Value::Null),
            2 => Response::After(Duration::from_secs(3), 204, Value::Null),
            _ => Response::Of(204, Value::Null),
        },
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.call("1.1", &[]).await;
    pbx.until("POST channels/1.1/continue", 4).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("POST channels/1.1/continue"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_went_on_although_the_response_was_lost_is_left_alone() {
    let mut pbx = StandIn::start(|request| match request {
        "POST channels/1.1/continue" => Response::Nothing,
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "queue")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.call("1.1", HANDOFF).await;
    pbx.until("GET channels/1.1", 1).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("POST channels/1.1/continue"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_response_is_repeated_over_http() {
    let mut pbx = StandIn::start(|request| match request {
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1")),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", HANDOFF).await;
    socket.expect("channels/1.1/continue").await;
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn only_waiting_calls_in_our_application_are_served() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        // The second list is asked for when a snapshot does not say where the channel is.
        LIST if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            Response::Of(200, json!({ "channel_ids": ["ours", "theirs", "old", "old-gone", "dialling"] }))
        }
        LIST => Response::Of(200, json!({ "channel_ids": ["old"] })),
        "GET channels/ours" => Response::Of(200, channel("ours", "1", "Stasis", "nameplate,handoff,1")),
        "GET channels/theirs" => Response::Of(200, channel("theirs", "1", "Stasis", "ivr,handoff,1")),
        "GET channels/dialling" => Response::Of(200, channel("dialling", "1", "Dial", "PJSIP/100")),
        _ if is_about(request, "old") && request.starts_with("GET") => {
            Response::Of(200, json!({ "id": "old", "caller": { "name": "", "number": "1" } }))
        }
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let _socket = pbx.socket().await;
    pbx.until("POST channels/ours/continue", 1).await;
    pbx.until("POST channels/old/continue", 1).await;
    sleep(Duration::from_secs(5)).await;
    for left_alone in ["theirs", "old-gone", "dialling"] {
        assert_eq!(pbx.count(&format!("POST channels/{left_alone}/continue")), 0, "{left_alone}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_is_looked_for_until_asterisk_answers() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        LIST => Response::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" if asked.fetch_add(1, Ordering::Relaxed) < 2 => Response::Of(503, Value::Null),
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let _socket = pbx.socket().await;
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_event_came_before_the_list_is_served_once() {
    let mut pbx = StandIn::start(|request| match request {
        LIST => Response::After(Duration::from_secs(1), 200, json!({ "channel_ids": ["1.1", "1.2"] })),
        _ if request.starts_with("GET channels/1.") => {
            Response::Of(200, channel("1", "22334455", "Stasis", "nameplate,handoff,1"))
        }
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", HANDOFF).await;
    let handoff = socket.expect("channels/1.1/continue").await;
    socket.answer(&handoff, 204).await;
    pbx.until("POST channels/1.2/continue", 1).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("GET channels/1.1"), 0, "{:#?}", pbx.seen());
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_limit_is_sent_on_at_once() {
    let log = Log::start();
    let mut pbx = StandIn::start(hanging).await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    for call in 0..=super::super::session::MAX_TASKS {
        socket.call(&format!("1.{call}"), &[]).await;
    }
    socket.expect("channels/1.2000/continue").await;
    assert_eq!(log.text().matches("2000 calls are in hand already").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_other_calls_has_a_limit() {
    let mut pbx = StandIn::start(hanging).await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    // Three times the requests that go out at once.
    for call in 0..96 {
        socket.call(&format!("1.{call}"), &[]).await;
    }
    let begun = Instant::now();
    for _ in 0..96 {
        socket.request().await.expect("a request");
    }
    let took = begun.elapsed();
    assert!((400..1_500).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn direct_calls_have_half_a_second_in_all() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => {
            Response::After(Duration::from_millis(1_500), 200, json!({ "value": "allowed" }))
        }
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    // Two rounds of 32 requests.
    for call in 0..64 {
        socket.call(&format!("1.{call}"), &[]).await;
    }
    let begun = Instant::now();
    for _ in 0..64 {
        socket.request().await.expect("a request");
    }
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!(log.text().matches("has not taken a name within 500ms").count(), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn released_calls_of_a_backlog_do_not_hold_up_others() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        // A call of a context without a bound.
        LIST => Response::Of(200, json!({ "channel_ids": ["old.3"] })),
        "GET channels/old.3" => {
            Response::Of(200, channel("old.3", "22334455", "Stasis", "nameplate,handoff,1"))
        }
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    pbx.until("POST channels/old.3/continue", 1).await;
    let old =
        (0..20).map(|call| (format!("old.{call}"), "12:00:00.000", if call == 7 { &[] } else { HANDOFF }));
    let new = (0..20).map(|call| (format!("new.{call}"), "12:00:00.601", HANDOFF));
    socket.backlog(old.chain(new)).await;
    for call in 0..20 {
        let sent_on = socket.expect(&format!("channels/new.{call}/continue")).await;
        socket.answer(&sent_on, 204).await;
    }
    // The direct style has no bound: this call still waits.
    socket.expect("channels/old.7/continue").await;
    // This call has no bound either: the sweep finds it.
    pbx.until("POST channels/old.3/continue", 2).await;
    assert_eq!(pbx.count("GET channels/old.4"), 0);
    assert_eq!(log.text().matches("calls have waited too long for an answer").count(), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_backlog_is_left_for_a_new_socket_without_losing_the_application() {
    const HANDSHAKE: Duration = Duration::from_millis(300);
    let opened = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        "GET events" if opened.fetch_add(1, Ordering::Relaxed) > 0 => {
            Response::After(HANDSHAKE, 101, Value::Null)
        }
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    sleep(Duration::from_millis(2_500)).await;
    let times = ["12:00:00.000", "12:00:01.000"].into_iter().flat_map(|time| [time; 20]);
    socket.backlog(times.enumerate().map(|(call, time)| (format!("1.{call}"), time, HANDOFF))).await;
    // Nothing more comes on this socket, not even a pong.
    let begun = Instant::now();
    let closed = async {
        socket.until_left().await;
        begun.elapsed()
    };
    let renewed = async {
        let mut next = pbx.socket().await;
        let took = begun.elapsed();
        next.answer_probe().await;
        took
    };
    let (closed, renewed) = tokio::join!(closed, renewed);
    assert!(renewed < HANDSHAKE + Duration::from_millis(900), "{renewed:?}");
    // By then Asterisk has given the application to the new socket. Without a socket it would turn calls away.
    assert!(closed >= HANDSHAKE && closed + Duration::from_millis(100) >= renewed, "{closed:?}, {renewed:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_rush_are_all_answered() {
    let mut pbx = StandIn::start(usual).await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket
        .backlog((0..60).map(|call| {
            (format!("1.{call}"), if call < 30 { "11:59:59.500" } else { "12:00:00.099" }, HANDOFF)
        }))
        .await;
    for call in 0..60 {
        let sent_on = socket.expect(&format!("channels/1.{call}/continue")).await;
        socket.answer(&sent_on, 204).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_event_cannot_be_read_is_found() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        // Call 1.2 goes on between the two lists, and 1.3 comes in.
        LIST => match asked.fetch_add(1, Ordering::Relaxed) {
            0 => usual(request),
            1 => Response::Of(200, json!({ "channel_ids": ["1.1", "1.2"] })),
            _ => Response::Of(200, json!({ "channel_ids": ["1.1", "1.3"] })),
        },
        _ if request.starts_with("GET channels/1.") && !request.contains("variable") => {
            Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate"))
        }
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    pbx.until(LIST, 1).await;
    socket.send(json!({ "type": "StasisStart", "args": [], "channel": { "id": "1.1", "caller": 1 } })).await;
    socket.send(json!({ "type": "StasisStart", "args": [] })).await;
    socket.expect("channels/1.1/continue").await;
    for left_alone in ["1.2", "1.3"] {
        assert_eq!(pbx.count(&format!("GET channels/{left_alone}")), 0, "{left_alone}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_after_our_close_frame_are_served_over_http() {
    let mut pbx = StandIn::start(usual).await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    let probe = socket.expect("asterisk/info").await;
    pbx.until(LIST, 1).await;
    service.shutdown.cancel();
    // The close frame is sent, and Asterisk has not read it yet.
    sleep(Duration::from_millis(50)).await;
    socket.answer(&probe, 200).await;
    socket.call("1.1", HANDOFF).await;
    socket.call("1.2", &[]).await;
    pbx.until("POST channels/1.1/continue", 1).await;
    pbx.until("POST channels/1.2/continue", 1).await;
    assert!(socket.request().await.is_none());
    service.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_sends_on_the_calls_whose_name_is_not_set() {
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => Response::After(Duration::from_secs(60), 200, Value::Null),
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::over_http(&mut pbx).await;
    socket.call("1.1", &[]).await;
    pbx.until("GET channels/1.1/variable?variable=CALLERID%28num-pres%29", 1).await;
    tokio::spawn(socket.until_closed());
    let begun = Instant::now();
    service.shutdown.cancel();
    pbx.until("POST channels/1.1/continue", 1).await;
    assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?}", begun.elapsed());
    service.ended().await;
}
