//! The connection comes back, and the log says why it was lost: once, and without secrets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::log::Log;
use super::stand_in::{Response, StandIn, channel, error, usual};
use super::{CHECK, FILTER, HANDOFF, LIST, PASSWORD, Service};
use crate::asterisk::pbx_status::State;
use crate::observe::metrics::Refusal;

#[tokio::test(start_paused = true)]
async fn a_failed_list_of_waiting_calls_makes_it_connect_again() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        LIST if asked.fetch_add(1, Ordering::Relaxed) == 0 => Response::Of(500, Value::Null),
        LIST => Response::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let _first = pbx.socket().await;
    // Long before the silent connection would be given up.
    let _second = timeout(Duration::from_secs(3), pbx.socket()).await.expect("a second websocket");
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_ended_connection_is_closed_while_a_call_is_in_hand() {
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("channels/1.1/") => Response::After(Duration::from_secs(60), 204, Value::Null),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", &[]).await;
    pbx.until("GET channels/1.1/variable?variable=CALLERID%28num-pres%29", 1).await;
    socket.send(json!({ "type": "ApplicationReplaced" })).await;
    let open = socket.until_closed().await;
    assert!(open < Duration::from_millis(500), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_takeover_the_service_waits_until_the_application_is_forgotten() {
    let log = Log::start();
    let left = Arc::new(AtomicBool::new(false));
    let forgotten = Arc::clone(&left);
    let mut pbx = StandIn::start(move |request| match request {
        LIST if forgotten.load(Ordering::Relaxed) => error(404, "Application not found"),
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.send(json!({ "type": "ApplicationReplaced" })).await;
    // The first list is for the set-up; the others look whether the other copy is still there.
    pbx.until(LIST, 1).await;
    let begun = Instant::now();
    pbx.until(LIST, 5).await;
    // Every second or two: so long a call that the other copy has left hears silence.
    let took = begun.elapsed();
    assert!((3_500..9_000).contains(&took.as_millis()), "{took:?}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(pbx.count("GET events"), 1, "{:?}", pbx.seen());
    assert_eq!(service.pbx_status.state(), State::TakenOver);
    assert_eq!(log.text().matches("ERROR").count(), 1, "{}", log.text());
    left.store(true, Ordering::Relaxed);
    pbx.until("GET events", 2).await;
    assert!(log.text().contains("the other copy has left the application"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_other_copy_has_left_is_found() {
    let looks = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        // A call at each look; only the last two looks show the same one.
        LIST => match looks.fetch_add(1, Ordering::Relaxed) {
            0 => usual(request),
            look => Response::Of(200, json!({ "channel_ids": [format!("1.{}", look.min(3))] })),
        },
        "GET channels/1.3" => Response::Of(200, channel("1.3", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.send(json!({ "type": "ApplicationReplaced" })).await;
    pbx.until(LIST, 4).await;
    assert_eq!(pbx.count("GET events"), 1);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    pbx.until("GET channels/1.3", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_password_that_changes_during_a_takeover_is_reported() {
    let log = Log::start();
    let replaced = Arc::new(AtomicBool::new(false));
    let changed = Arc::clone(&replaced);
    let mut pbx = StandIn::start(move |request| match request {
        _ if changed.load(Ordering::Relaxed) => Response::Of(401, Value::Null),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    pbx.until(LIST, 1).await;
    replaced.store(true, Ordering::Relaxed);
    socket.send(json!({ "type": "ApplicationReplaced" })).await;
    pbx.until(CHECK, 2).await;
    sleep(Duration::from_secs(1)).await;
    assert!(log.text().contains("Asterisk refuses the user or the password (401)"), "{}", log.text());
    assert_eq!(pbx.count("GET events"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_without_a_response_is_given_up() {
    let log = Log::start();
    let pbx = StandIn::start(|_| Response::After(Duration::from_secs(3_600), 101, Value::Null)).await;
    let _service = Service::start(&pbx);
    pbx.until(CHECK, 2).await;
    assert!(log.text().contains("not connected: no connection within 5s"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn attempts_at_a_mute_host_get_rarer() {
    let tries = Arc::new(Mutex::new(Vec::new()));
    let tried = Arc::clone(&tries);
    let pbx = StandIn::start(move |_| {
        tried.lock().unwrap().push(Instant::now());
        Response::After(Duration::from_secs(3_600), 101, Value::Null)
    })
    .await;
    let _service = Service::start(&pbx);
    pbx.until(CHECK, 8).await;
    // Without the 5 s of each attempt the waits are at most 0.25, 0.5, 1, 2, 4, 8, 10 s, and at least half of that.
    let tries = tries.lock().unwrap();
    let waits: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0] - Duration::from_secs(5)).collect();
    for (wait, least) in waits.iter().zip([125, 250, 500, 1_000, 2_000, 4_000, 5_000]) {
        assert!(*wait >= Duration::from_millis(least), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_served_without_the_list_of_waiting_calls() {
    for mute in [FILTER, LIST] {
        let log = Log::start();
        let mut pbx = StandIn::start(move |request| match request {
            _ if request == mute => Response::After(Duration::from_secs(3_600), 200, Value::Null),
            _ => usual(request),
        })
        .await;
        let (service, mut socket) = Service::on_websocket(&mut pbx).await;
        for call in 0..20 {
            sleep(Duration::from_secs(1)).await;
            socket.call(&call.to_string(), HANDOFF).await;
            let handoff = socket.expect(&format!("channels/{call}/continue")).await;
            socket.answer(&handoff, 204).await;
        }
        assert_eq!(service.pbx_status.state(), State::Connected, "{}", log.text());
        // Each unanswered request would hold one of Asterisk's threads for ever.
        assert_eq!((pbx.count(mute), pbx.count("GET events")), (1, 1), "{:?}", pbx.seen());
        assert_eq!(
            log.text().matches("has not said within 2s which calls wait").count(),
            1,
            "{}",
            log.text()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_connection_that_is_lost_is_replaced_at_once() {
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    for _ in 0..3 {
        let mut socket = pbx.socket().await;
        socket.answer_probe().await;
        sleep(Duration::from_millis(2_500)).await;
        let lost = Instant::now();
        drop(socket);
        pbx.until("GET events", pbx.count("GET events") + 1).await;
        let took = lost.elapsed();
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_is_closed_at_once_is_opened_again() {
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    drop(pbx.socket().await);
    drop(pbx.socket().await);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", HANDOFF).await;
    socket.expect("channels/1.1/continue").await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_and_opened_again() {
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    // The test does not read from this socket, so no ping is answered.
    let _silent = pbx.socket().await;
    let mut socket = timeout(Duration::from_secs(11), pbx.socket()).await.expect("a second websocket");
    socket.answer_probe().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_logged_once_and_never_shown() {
    let log = Log::start();
    let pbx = StandIn::start(|_| Response::Of(401, Value::Null)).await;
    let service = Service::start(&pbx);
    pbx.until(CHECK, 3).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pbx.count("GET events"), 0);
    assert_eq!(service.pbx_status.state(), State::Refused(Refusal::Unauthorized));
    let log = log.text();
    let message = "Asterisk refuses the user or the password (401): compare with ari.conf";
    let warned = log.lines().filter(|line| line.contains("WARN") && line.contains(message)).count();
    assert_eq!(warned, 1, "{log}");
    let credential =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("nameplate:{PASSWORD}"));
    for secret in [PASSWORD, &credential] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_set_up_is_explained() {
    for (request, status, message) in [
        (FILTER, (403, "Write access denied"), "(403): in ari.conf it must not be `read_only`"),
        (FILTER, (401, "Authentication required"), "Asterisk refuses the user or the password (401)"),
        (LIST, (403, "Access denied by ACL"), "403 Access denied by ACL): see its `acl`"),
        (FILTER, (404, "Resource not found"), "load res_ari_applications.so"),
        ("GET asterisk/info", (401, "Authentication required"), "the user or the password (401)"),
    ] {
        let log = Log::start();
        let pbx = StandIn::start(move |asked| match asked {
            _ if asked == request => error(status.0, status.1),
            _ => usual(asked),
        })
        .await;
        let service = Service::start(&pbx);
        pbx.until(request, 1).await;
        sleep(Duration::from_secs(14)).await;
        assert_eq!(pbx.count("GET events"), 1);
        assert!(matches!(service.pbx_status.state(), State::Refused(_)));
        assert_eq!(log.text().matches(message).count(), 1, "{}", log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn an_asterisk_that_boots_is_waited_for() {
    let log = Log::start();
    let tries = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        CHECK if tries.fetch_add(1, Ordering::Relaxed) < 3 => error(503, "Asterisk not booted"),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    pbx.socket().await.answer_probe().await;
    assert_eq!(
        log.text()
            .matches("WARN nameplate::asterisk::ari: not connected: Asterisk is not ready (503)")
            .count(),
        1,
        "{}",
        log.text()
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_the_dialplan_is_logged_once() {
    let log = Log::start();
    let mut pbx = StandIn::start(usual).await;
    let (_service, mut socket) = Service::on_websocket(&mut pbx).await;
    for arguments in [["handoff", "2", "NO"], ["handoff", "1", "XX"], ["handoff", "1", "YY"]] {
        for _ in 0..3 {
            socket.call("1.1", &arguments).await;
            let sent_on = socket.expect("channels/1.1/continue").await;
            socket.answer(&sent_on, 204).await;
        }
    }
    let log = log.text();
    for message in ["arguments of another version", "country=\"XX\"", "country=\"YY\""] {
        assert_eq!(log.matches(message).count(), 1, "{message} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_that_cannot_be_read_is_not_quoted() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        LIST => Response::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" => Response::Of(200, json!({ "id": "1.1", "caller": "+4722334455" })),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.send(json!({ "type": "StasisStart", "channel": "+4722334455" })).await;
    pbx.until("POST channels/1.1/continue", 1).await;
    let log = log.text();
    assert!(log.contains("an event can't be read: Data error at line 1 column"), "{log}");
    assert!(log.contains("a waiting call can't be read: Data error at line 1 column"), "{log}");
    assert!(!log.contains("22334455"), "{log}");
}
