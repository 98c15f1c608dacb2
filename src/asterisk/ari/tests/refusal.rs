//! Whoever is connected and can't answer lets go of the application, says why, and asks before having it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::log::Log;
use super::stand_in::{Response, StandIn, channel, error, usual};
use super::{CHECK, LIST, Service};
use crate::asterisk::pbx_status::State;
use crate::observe::metrics::Refusal;

/// Answers as usual until it is told not to.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicUsize>);

impl Switch {
    fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) % 2 == 1
    }

    fn was_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

fn refused(state: State) -> Option<Refusal> {
    if let State::Refused(why) = state { Some(why) } else { None }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_401_or_403_to_a_handoff_ends_it() {
    for (status, message, why) in [
        (401, "Authentication required", Refusal::Unauthorized),
        (403, "Write access denied", Refusal::Forbidden),
    ] {
        let log = Log::start();
        let off = Switch::default();
        let is_off = off.clone();
        let mut pbx = StandIn::start(move |request| match request {
            _ if is_off.is_on() => error(status, message),
            _ => usual(request),
        })
        .await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        socket.answer_probe().await;
        pbx.until(LIST, 1).await;
        off.turn();
        socket.call("1.1", &["handoff", "1"]).await;
        let handoff = socket.expect("channels/1.1/continue").await;
        let begun = Instant::now();
        socket.answer_with(&handoff, status, message).await;
        // A plain continue is on its way.
        while let Some(request) = socket.request().await {
            socket.answer_with(&request, status, message).await;
        }
        assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
        // It is tried again after 15 to 30 s each time, and on a busy machine an attempt takes seconds of this clock.
        sleep(Duration::from_secs(90)).await;
        assert_eq!(refused(service.pbx_status.state()), Some(why));
        assert!(
            service.pbx_status.description().contains(&status.to_string()),
            "{}",
            service.pbx_status.description()
        );
        assert_eq!(pbx.count("GET events"), 1, "{:?}", pbx.seen());
        let tries = pbx.seen().iter().filter(|request| request.starts_with("POST")).count();
        assert!((3..9).contains(&tries), "{:?}", pbx.seen());
        assert_eq!(
            log.text().matches("WARN nameplate::asterisk::ari: not connected").count(),
            1,
            "{}",
            log.text()
        );
        off.turn();
        pbx.socket().await.answer_probe().await;
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn so_does_one_to_any_other_request() {
    // Over HTTP: a handoff, presentation, a name, a plain continue, and looking for what is left.
    for (arguments, request) in [
        (&["handoff", "1"][..], "POST channels/1.1/continue"),
        (&[][..], "GET channels/1.1/variable?variable=CALLERID%28num-pres%29"),
        (&[][..], "POST channels/1.1/continue"),
        (&["handoff", "2"][..], "POST channels/1.1/continue"),
        (&["unread"][..], LIST),
    ] {
        let off = Switch::default();
        let is_off = off.clone();
        let mut pbx = StandIn::start(move |asked| match asked {
            _ if asked == request && is_off.is_on() => error(403, "Write access denied"),
            _ => usual(asked),
        })
        .await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        pbx.until(LIST, 1).await;
        off.turn();
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
        assert_eq!(refused(service.pbx_status.state()), Some(Refusal::Forbidden), "{request} {arguments:?}");
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_noticed_before_a_call_comes() {
    // On the websocket and over HTTP.
    for on_websocket in [true, false] {
        let off = Switch::default();
        let is_off = off.clone();
        let mut pbx = StandIn::start(move |request| match request {
            CHECK if is_off.is_on() => error(404, "Resource not found"),
            _ => usual(request),
        })
        .await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        if on_websocket {
            socket.answer_probe().await;
        }
        pbx.until(LIST, 1).await;
        off.turn();
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
        assert!(refused(service.pbx_status.state()).is_some(), "{}", service.pbx_status.description());
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn three_handoffs_in_a_row_that_fail_end_it_and_what_concerns_one_call_does_not() {
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
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    let mut calls = 0..;
    let twice = failing.iter().take(2).chain(&[(204, "")]).cycle().take(12);
    for (status, message) in harmless.iter().cycle().take(40).chain(twice) {
        let call = format!("1.{}", calls.next().unwrap());
        socket.call(&call, &["handoff", "1"]).await;
        let handoff = socket.expect(&format!("channels/{call}/continue")).await;
        socket.answer_with(&handoff, *status, message).await;
        if !matches!((*status, *message), (204 | 409, _) | (_, "Channel not found")) {
            // It goes on without its name.
            let sent_on = socket.expect(&format!("channels/{call}/continue")).await;
            assert_eq!(sent_on["query_strings"], Value::Null);
            socket.answer(&sent_on, 204).await;
        }
    }
    assert_eq!(service.pbx_status.state(), State::Connected);
    for (status, message) in failing {
        let call = format!("1.{}", calls.next().unwrap());
        socket.call(&call, &["handoff", "1"]).await;
        let handoff = socket.expect(&format!("channels/{call}/continue")).await;
        socket.answer_with(&handoff, status, message).await;
        if let Some(sent_on) = socket.request().await {
            socket.answer(&sent_on, 204).await;
        }
    }
    assert!(socket.until_closed().await < Duration::from_millis(100));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(
        refused(service.pbx_status.state()),
        Some(Refusal::Handoffs),
        "{}",
        service.pbx_status.description()
    );
}

/// Seen on a real Asterisk: the channel of a caller who hangs up is in the context of another `h` already.
#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_misses_no_place() {
    let log = Log::start();
    for on_websocket in [true, false] {
        let mut pbx = StandIn::start(|request| match request {
            "POST channels/1.1/continue" => error(404, "Requested label can not be found"),
            "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Log", "NOTICE")),
            _ => usual(request),
        })
        .await;
        let service = Service::start(&pbx);
        let mut socket = pbx.socket().await;
        if on_websocket {
            socket.answer_probe().await;
        } else {
            sleep(Duration::from_millis(1_500)).await;
        }
        socket.call("1.1", &["handoff", "1"]).await;
        if on_websocket {
            let handoff = socket.expect("channels/1.1/continue").await;
            socket.answer_with(&handoff, 404, "Requested label can not be found").await;
        }
        pbx.until("GET channels/1.1", 1).await;
        sleep(Duration::from_secs(1)).await;
        let sent_on = pbx.count("POST channels/1.1/continue");
        assert_eq!(sent_on, usize::from(!on_websocket), "{:?}", pbx.seen());
        service.shutdown.cancel();
    }
    assert!(!log.text().contains("no place for the name"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_closed_without_an_answer_are_such_failures() {
    let full = Switch::default();
    let is_full = full.clone();
    let mut pbx = StandIn::start(move |request| match request {
        _ if is_full.is_on() && request.contains("channels/1.") => Response::Nothing,
        _ => usual(request),
    })
    .await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_500)).await;
    full.turn();
    let begun = Instant::now();
    for call in ["1.1", "1.2", "1.3"] {
        socket.call(call, &["handoff", "1"]).await;
    }
    socket.until_closed().await;
    // Before the first of them could be late.
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    sleep(Duration::from_millis(20)).await;
    assert_eq!(refused(service.pbx_status.state()), Some(Refusal::Handoffs));
    assert!(
        service.pbx_status.description().contains("sessionlimit"),
        "{}",
        service.pbx_status.description()
    );
    // The websocket is closed, and its session may be the one that they need.
    full.turn();
    for call in ["1.1", "1.2", "1.3"] {
        pbx.until(&format!("GET channels/{call}"), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_could_answer_connects() {
    let answers = [
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
    for (answer, why) in answers {
        let answer = Arc::new(std::sync::Mutex::new(answer));
        let given = Arc::clone(&answer);
        let mut pbx = StandIn::start(move |request| match request {
            CHECK => given.lock().unwrap().clone(),
            _ => usual(request),
        })
        .await;
        let service = Service::start(&pbx);
        pbx.until(CHECK, 2).await;
        sleep(Duration::from_millis(50)).await;
        assert_eq!(pbx.count("GET events"), 0, "{}", service.pbx_status.description());
        assert_eq!(refused(service.pbx_status.state()), why, "{}", service.pbx_status.description());
        *answer.lock().unwrap() = error(404, "Channel not found");
        pbx.socket().await.answer_probe().await;
        service.shutdown.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_password_is_tried_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "old").unwrap();
    let off = Switch::default();
    let is_off = off.clone();
    let mut pbx = StandIn::start_with(move |request, user| match request {
        _ if is_off.is_on() && user != "nameplate:new" => error(401, "Authentication required"),
        _ => usual(request),
    })
    .await;
    let _service = Service::start_with(&pbx, crate::secret::Secret::File(file.clone()));
    let mut socket = pbx.socket().await;
    pbx.until(LIST, 1).await;
    sleep(Duration::from_millis(1_500)).await;
    std::fs::write(&file, "new").unwrap();
    off.turn();
    socket.call("1.1", &["handoff", "1"]).await;
    let begun = Instant::now();
    let _closed = tokio::spawn(socket.until_closed());
    pbx.socket().await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_on_is_given_up_by_name_and_one_that_is_gone_is_left_alone() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        "POST channels/1.1/continue" => error(500, "Out of memory"),
        "GET channels/1.1" => Response::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
        "POST channels/1.2/continue" => error(500, "Out of memory"),
        "GET channels/1.2" => error(404, "Channel not found"),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_500)).await;
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
async fn many_calls_in_trouble_are_no_flood_of_requests() {
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
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_500)).await;
    for call in 0..CALLS {
        socket.call(&format!("1.{call}"), &["handoff", "1"]).await;
    }
    let _socket = tokio::spawn(socket.until_closed());
    sleep(Duration::from_secs(30)).await;
    // A handoff and a plain continue each, and the retries of a few.
    let all = asked.load(Ordering::Relaxed);
    assert!((2 * CALLS..3 * CALLS).contains(&all), "{all}");
    assert_eq!(service.pbx_status.state(), State::Connected);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(asked.load(Ordering::Relaxed), all);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_asterisk_is_let_go_of_and_a_slow_rush_is_not() {
    // 320 calls are answered before the others have waited too long.
    let frozen = Switch::default();
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
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_500)).await;
    for call in 0..600 {
        socket.call(&format!("1.{call}"), &["handoff", "1"]).await;
    }
    let closed = tokio::spawn(socket.until_closed());
    sleep(Duration::from_secs(20)).await;
    assert_eq!((service.pbx_status.state(), pbx.count("GET events")), (State::Connected, 1));
    frozen.turn();
    let begun = Instant::now();
    closed.await.unwrap();
    // Nobody calls: it is noticed by asking.
    assert!(begun.elapsed() < Duration::from_secs(16), "{:?}", begun.elapsed());
    sleep(Duration::from_secs(60)).await;
    assert_ne!(service.pbx_status.state(), State::Connected);
    assert_eq!(pbx.count("GET events"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_only_http_refuses_goes_on_over_the_websocket() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("/variable") => error(403, "Access denied by ACL"),
        _ => usual(request),
    })
    .await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", &[]).await;
    let sent_on = socket.expect("channels/1.1/continue").await;
    socket.answer(&sent_on, 204).await;
    socket.until_closed().await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(refused(service.pbx_status.state()), Some(Refusal::Forbidden));
    assert!(!log.text().contains("given up"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_while_the_connection_is_closed_is_not_forgotten() {
    let full = Switch::default();
    let is_full = full.clone();
    let mut pbx = StandIn::start(move |request| match request {
        _ if is_full.is_on() && request.contains("channels/1.") => Response::Nothing,
        // Whose event is sent to nobody.
        LIST if is_full.was_on() => Response::Of(200, json!({ "channel_ids": ["1.5"] })),
        "GET channels/1.4" => Response::Of(200, channel("1.4", "22334455", "Stasis", "nameplate")),
        "GET channels/1.5" => Response::Of(200, channel("1.5", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_500)).await;
    full.turn();
    for call in ["1.1", "1.2", "1.3"] {
        socket.call(call, &["handoff", "1"]).await;
    }
    for call in ["1.1", "1.2", "1.3"] {
        pbx.until(&format!("GET channels/{call}"), 1).await;
    }
    // The close frame has come, and Asterisk has sent one more call before it reads it.
    sleep(Duration::from_millis(200)).await;
    socket.call("1.4", &[]).await;
    full.turn();
    tokio::spawn(socket.until_closed());
    pbx.until("POST channels/1.4/continue", 1).await;
    pbx.until("POST channels/1.5/continue", 1).await;
    assert_eq!(pbx.count("GET events"), 1, "{:#?}", pbx.seen());
}
