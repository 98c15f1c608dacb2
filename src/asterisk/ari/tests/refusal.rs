//! Asterisk refuses the service: the connection ends, the reason is logged, and the next connection comes only after a good
//! check.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::log::Log;
use super::stand_in::{Response, StandIn, channel, error, usual};
use super::{CHECK, Fault, HANDOFF, LIST, Service, with_fault};
use crate::observe::metrics::Refusal;

#[tokio::test(start_paused = true)]
async fn a_401_or_403_to_a_handoff_ends_the_connection() {
    for (status, message, refusal) in [
        (401, "Authentication required", Refusal::Unauthorized),
        (403, "Write access denied", Refusal::Forbidden),
    ] {
        let log = Log::start();
        let (mut pbx, fault) = with_fault(move |_| Some(error(status, message))).await;
        let (service, mut socket) = Service::on_websocket(&mut pbx).await;
        pbx.until(LIST, 1).await;
        fault.toggle();
        socket.call("1.1", HANDOFF).await;
        let handoff = socket.expect("channels/1.1/continue").await;
        let begun = Instant::now();
        socket.answer_with(&handoff, status, message).await;
        // The service tries a plain `continue`.
        while let Some(request) = socket.request().await {
            socket.answer_with(&request, status, message).await;
        }
        assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
        // Further attempts come after 15 to 30 s each; on a busy machine an attempt takes seconds of this clock.
        sleep(Duration::from_secs(90)).await;
        assert_eq!(service.refusal(), Some(refusal));
        let description = service.pbx_status.description();
        assert!(description.contains(&status.to_string()), "{description}");
        assert_eq!(pbx.count("GET events"), 1, "{:?}", pbx.seen());
        let attempts = pbx.seen().iter().filter(|request| request.starts_with("POST")).count();
        assert!((3..9).contains(&attempts), "{:?}", pbx.seen());
        let log = log.text();
        assert_eq!(log.matches("WARN nameplate::asterisk::ari: not connected").count(), 1, "{log}");
        fault.toggle();
        pbx.socket().await.answer_probe().await;
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_to_any_request_over_http_ends_the_connection() {
    // A handoff, the presentation, a plain `continue` in both modes, and the sweep after an event that can't be read.
    for (arguments, request) in [
        (HANDOFF, "POST channels/1.1/continue"),
        (&[][..], "GET channels/1.1/variable?variable=CALLERID%28num-pres%29"),
        (&[][..], "POST channels/1.1/continue"),
        (&["handoff", "2"][..], "POST channels/1.1/continue"),
        (&["unread"][..], LIST),
    ] {
        let (mut pbx, fault) =
            with_fault(move |asked| (asked == request).then(|| error(403, "Write access denied"))).await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        pbx.until(LIST, 1).await;
        fault.toggle();
        sleep(Duration::from_millis(1_500)).await;
        if arguments == ["unread"] {
            socket.send(json!({ "type": "StasisStart", "args": [] })).await;
        } else {
            socket.call("1.1", arguments).await;
        }
        pbx.until(request, if request == LIST { 2 } else { 1 }).await;
        let open = socket.until_closed().await;
        assert!(open < Duration::from_millis(500), "{open:?}");
        sleep(Duration::from_millis(100)).await;
        assert_eq!(service.refusal(), Some(Refusal::Forbidden), "{request} {arguments:?}");
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_noticed_before_a_call_comes() {
    for on_websocket in [true, false] {
        let (mut pbx, fault) =
            with_fault(|request| (request == CHECK).then(|| error(404, "Resource not found"))).await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        if on_websocket {
            socket.answer_probe().await;
        }
        pbx.until(LIST, 1).await;
        fault.toggle();
        let begun = Instant::now();
        let closed = if on_websocket {
            let check = socket.check().await;
            socket.answer_with(&check, 401, "Authentication required").await;
            socket.until_closed().await;
            begun.elapsed()
        } else {
            socket.until_closed().await
        };
        assert!(closed < Duration::from_secs(5), "{closed:?}");
        sleep(Duration::from_millis(100)).await;
        assert!(service.refusal().is_some(), "{}", service.pbx_status.description());
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_service_that_can_send_calls_on_connects() {
    let responses = [
        (error(403, "Write access denied"), Some(Refusal::Forbidden)),
        (error(404, "Resource not found"), Some(Refusal::Module)),
        (error(401, "Authentication required"), Some(Refusal::Unauthorized)),
        (error(503, "Asterisk not booted"), None),
        (error(500, "Channel not found"), None),
        (error(409, "Channel not in Stasis application"), None),
        (Response::Of(404, json!("Channel not found")), None),
        (Response::Of(404, Value::Null), None),
        (Response::Of(204, Value::Null), None),
        (Response::Of(200, json!({})), None),
        (Response::Nothing, None),
    ];
    for (response, refusal) in responses {
        let response = Arc::new(std::sync::Mutex::new(response));
        let given = Arc::clone(&response);
        let mut pbx = StandIn::start(move |request| match request {
            CHECK => given.lock().unwrap().clone(),
            _ => usual(request),
        })
        .await;
        let service = Service::start(&pbx);
        pbx.until(CHECK, 2).await;
        sleep(Duration::from_millis(50)).await;
        assert_eq!(pbx.count("GET events"), 0, "{}", service.pbx_status.description());
        assert_eq!(service.refusal(), refusal, "{}", service.pbx_status.description());
        *response.lock().unwrap() = error(404, "Channel not found");
        pbx.socket().await.answer_probe().await;
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_password_is_tried_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "old").unwrap();
    let fault = Fault::default();
    let switch = fault.clone();
    let mut pbx = StandIn::start_with(move |request, user| match request {
        _ if switch.is_on() && user != "nameplate:new" => error(401, "Authentication required"),
        _ => usual(request),
    })
    .await;
    let _service = Service::start_with(&pbx, crate::secret::Secret::File(file.clone()));
    let mut socket = pbx.socket().await;
    pbx.until(LIST, 1).await;
    sleep(Duration::from_millis(1_500)).await;
    std::fs::write(&file, "new").unwrap();
    fault.toggle();
    socket.call("1.1", HANDOFF).await;
    let begun = Instant::now();
    let _closed = tokio::spawn(socket.until_closed());
    pbx.socket().await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_only_http_refuses_goes_on_over_the_websocket() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => error(403, "Access denied by ACL"),
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", &[]).await;
    let sent_on = socket.expect("channels/1.1/continue").await;
    socket.answer(&sent_on, 204).await;
    socket.until_closed().await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(service.refusal(), Some(Refusal::Forbidden));
    assert!(!log.text().contains("given up"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_while_the_connection_closes_is_not_forgotten() {
    let full = Fault::default();
    let is_full = full.clone();
    let mut pbx = StandIn::start(move |request| match request {
        _ if is_full.is_on() && request.contains("channels/1.") => Response::Nothing,
        // A call without an event.
        LIST if is_full.was_on() => Response::Of(200, json!({ "channel_ids": ["1.5"] })),
        "GET channels/1.4" => Response::Of(200, channel("1.4", "22334455", "Stasis", "nameplate")),
        "GET channels/1.5" => Response::Of(200, channel("1.5", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let (_service, mut socket) = Service::over_http(&mut pbx).await;
    full.toggle();
    for call in ["1.1", "1.2", "1.3"] {
        socket.call(call, HANDOFF).await;
    }
    for call in ["1.1", "1.2", "1.3"] {
        pbx.until(&format!("GET channels/{call}"), 1).await;
    }
    // Asterisk sends one more call before it reads the close frame.
    sleep(Duration::from_millis(200)).await;
    socket.call("1.4", &[]).await;
    full.toggle();
    tokio::spawn(socket.until_closed());
    pbx.until("POST channels/1.4/continue", 1).await;
    pbx.until("POST channels/1.5/continue", 1).await;
    assert_eq!(pbx.count("GET events"), 1, "{:#?}", pbx.seen());
}
