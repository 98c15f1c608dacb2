//! No call stays in the application, and none that is elsewhere is touched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::log::Log;
use super::stand_in::{Response, StandIn, channel, usual};
use super::{LIST, Service};

/// Does not answer what is asked about calls.
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
async fn a_direct_call_goes_on_over_the_websocket_when_http_is_refused() {
    let mut pbx = StandIn::start(|request| match request {
        _ if is_about(request, "1.1") => Response::Nothing,
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", &[]).await;
    let sent_on = socket.expect("channels/1.1/continue").await;
    assert_eq!(sent_on["query_strings"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_direct_call_is_sent_on_until_an_old_asterisk_takes_it() {
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
async fn a_call_that_went_on_without_an_answer_is_left_alone_where_it_is_now() {
    let mut pbx = StandIn::start(|request| match request {
        "POST channels/1.1/continue" => Response::Nothing,
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "queue")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.call("1.1", &["handoff", "1"]).await;
    pbx.until("GET channels/1.1", 1).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("POST channels/1.1/continue"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_made_good_over_http() {
    let mut pbx = StandIn::start(|request| match request {
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", &["handoff", "1"]).await;
    socket.expect("channels/1.1/continue").await;
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn of_waiting_calls_only_those_in_our_application_are_served() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        // The second time Asterisk is asked about those whose snapshot does not say where they are.
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
async fn a_waiting_call_is_asked_for_again_while_asterisk_does_not_say() {
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
async fn a_call_that_came_before_the_list_is_served_once() {
    let mut pbx = StandIn::start(|request| match request {
        LIST => Response::After(Duration::from_secs(1), 200, json!({ "channel_ids": ["1.1", "1.2"] })),
        _ if request.starts_with("GET channels/1.") => {
            Response::Of(200, channel("1", "22334455", "Stasis", "nameplate,handoff,1"))
        }
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", &["handoff", "1"]).await;
    let handoff = socket.expect("channels/1.1/continue").await;
    socket.answer(&handoff, 204).await;
    pbx.until("POST channels/1.2/continue", 1).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("GET channels/1.1"), 0, "{:#?}", pbx.seen());
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_those_in_hand_is_sent_on_at_once() {
    let log = Log::start();
    let mut pbx = StandIn::start(hanging).await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    for call in 0..=super::super::session::MAX_TASKS {
        socket.call(&format!("1.{call}"), &[]).await;
    }
    socket.expect("channels/1.2000/continue").await;
    assert_eq!(log.text().matches("2000 calls are in hand already").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_others_no_longer_than_for_an_answer() {
    let mut pbx = StandIn::start(hanging).await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    // Three times as many as requests go out at once.
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
async fn direct_calls_wait_half_a_second_for_their_names_as_a_whole() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => {
            Response::After(Duration::from_millis(1_500), 200, json!({ "value": "allowed" }))
        }
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    // In turns of 32.
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
async fn calls_that_the_dialplan_has_released_meanwhile_do_not_hold_up_others() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        // One of a context that has no bound.
        LIST => Response::Of(200, json!({ "channel_ids": ["old.3"] })),
        "GET channels/old.3" => {
            Response::Of(200, channel("old.3", "22334455", "Stasis", "nameplate,handoff,1"))
        }
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    pbx.until("POST channels/old.3/continue", 1).await;
    let handoff: &[&str] = &["handoff", "1"];
    let old =
        (0..20).map(|call| (format!("old.{call}"), "12:00:00.000", if call == 7 { &[] } else { handoff }));
    let new = (0..20).map(|call| (format!("new.{call}"), "12:00:00.601", handoff));
    socket.backlog(old.chain(new)).await;
    for call in 0..20 {
        let sent_on = socket.expect(&format!("channels/new.{call}/continue")).await;
        socket.answer(&sent_on, 204).await;
    }
    // The direct style has no bound.
    socket.expect("channels/old.7/continue").await;
    // Nor has this one, though it should: it is asked for.
    pbx.until("POST channels/old.3/continue", 2).await;
    assert_eq!(pbx.count("GET channels/old.4"), 0);
    assert_eq!(log.text().matches("calls have waited too long for an answer").count(), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_stuck_after_a_stall_is_left_for_another_socket_that_has_the_application() {
    const HANDSHAKE: Duration = Duration::from_millis(300);
    let opened = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        "GET events" if opened.fetch_add(1, Ordering::Relaxed) > 0 => {
            Response::After(HANDSHAKE, 101, Value::Null)
        }
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    sleep(Duration::from_millis(2_500)).await;
    let times = ["12:00:00.000", "12:00:01.000"].into_iter().flat_map(|time| [time; 20]);
    let handoff: &[&str] = &["handoff", "1"];
    socket.backlog(times.enumerate().map(|(call, time)| (format!("1.{call}"), time, handoff))).await;
    // Nothing more comes of it, not even the answer to a ping.
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
    // Asterisk has given the application to the next one then: without either, calls are turned away.
    assert!(closed >= HANDSHAKE && closed + Duration::from_millis(100) >= renewed, "{closed:?}, {renewed:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_rush_are_all_answered() {
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    let handoff: &[&str] = &["handoff", "1"];
    socket
        .backlog((0..60).map(|call| {
            (format!("1.{call}"), if call < 30 { "11:59:59.500" } else { "12:00:00.099" }, handoff)
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
        // Another one is served meanwhile.
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
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    pbx.until(LIST, 1).await;
    socket.send(json!({ "type": "StasisStart", "args": [], "channel": { "id": "1.1", "caller": 1 } })).await;
    socket.send(json!({ "type": "StasisStart", "args": [] })).await;
    socket.expect("channels/1.1/continue").await;
    for left_alone in ["1.2", "1.3"] {
        assert_eq!(pbx.count(&format!("GET channels/{left_alone}")), 0, "{left_alone}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_our_close_frame_is_served_over_http() {
    let mut pbx = StandIn::start(usual).await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    let probe = socket.expect("asterisk/info").await;
    pbx.until(LIST, 1).await;
    service.shutdown.cancel();
    // The close frame is sent, and not read yet.
    sleep(Duration::from_millis(50)).await;
    socket.answer(&probe, 200).await;
    socket.call("1.1", &["handoff", "1"]).await;
    socket.call("1.2", &[]).await;
    pbx.until("POST channels/1.1/continue", 1).await;
    pbx.until("POST channels/1.2/continue", 1).await;
    assert!(socket.request().await.is_none());
    service.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_sends_on_the_calls_whose_name_is_not_taken() {
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => Response::After(Duration::from_secs(60), 200, Value::Null),
        _ => usual(request),
    })
    .await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_200)).await;
    socket.call("1.1", &[]).await;
    pbx.until("GET channels/1.1/variable?variable=CALLERID%28num-pres%29", 1).await;
    tokio::spawn(socket.until_closed());
    let begun = Instant::now();
    service.shutdown.cancel();
    pbx.until("POST channels/1.1/continue", 1).await;
    assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?}", begun.elapsed());
    service.ended().await;
}
