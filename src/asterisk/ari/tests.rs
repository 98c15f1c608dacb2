//! What a real Asterisk does only on a bad day, played by a stand-in.

mod log;
mod stand_in;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Settings, run};
use crate::resolver::{Pbx, Resolver};
use log::Log;
use stand_in::{Answer, StandIn, channel, usual};

/// Distinctive, so that it is found wherever it is shown.
const PASSWORD: &str = "hemmelig-Qz7!";
const LIST: &str = "GET applications/nameplate";

struct Service {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    fn start(stand_in: &StandIn) -> Self {
        crate::tls::install();
        let settings = Settings {
            name: "pbx1".into(),
            url: stand_in.url.parse().unwrap(),
            username: "nameplate".into(),
            password: crate::secret::Secret::Given(PASSWORD.into()),
            app: "nameplate".into(),
            pbx: Pbx {
                id: 0,
                numbers: crate::number::Settings {
                    country: "NO".parse().unwrap(),
                    strip_prefixes: Vec::new(),
                },
            },
        };
        let resolver = Arc::new(Resolver::new(crate::name::Style::default()));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(settings, resolver, shutdown.clone()));
        Self { shutdown, task }
    }

    async fn ended(self) {
        timeout(Duration::from_secs(5), self.task).await.expect("its end").unwrap();
    }
}

/// Whether a request is about one channel.
fn is_about(request: &str, channel: &str) -> bool {
    request.contains(&format!("channels/{channel}"))
}

#[tokio::test(start_paused = true)]
async fn a_direct_call_goes_on_over_the_websocket_when_http_is_refused() {
    let mut pbx = StandIn::start(|request| match request {
        _ if request.contains("channels/") => Answer::Nothing,
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
            0 => Answer::Nothing,
            1 => Answer::Of(503, Value::Null),
            2 => Answer::After(Duration::from_secs(3), 204, Value::Null),
            _ => Answer::Of(204, Value::Null),
        },
        "GET channels/1.1" => Answer::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
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
        "POST channels/1.1/continue" => Answer::Nothing,
        "GET channels/1.1" => Answer::Of(200, channel("1.1", "22334455", "Stasis", "queue")),
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
        "GET channels/1.1" => Answer::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1")),
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
            Answer::Of(200, json!({ "channel_ids": ["ours", "theirs", "old", "old-gone", "dialling"] }))
        }
        LIST => Answer::Of(200, json!({ "channel_ids": ["old"] })),
        "GET channels/ours" => Answer::Of(200, channel("ours", "1", "Stasis", "nameplate,handoff,1")),
        "GET channels/theirs" => Answer::Of(200, channel("theirs", "1", "Stasis", "ivr,handoff,1")),
        "GET channels/dialling" => Answer::Of(200, channel("dialling", "1", "Dial", "PJSIP/100")),
        _ if is_about(request, "old") && request.starts_with("GET") => {
            Answer::Of(200, json!({ "id": "old", "caller": { "name": "", "number": "1" } }))
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
        LIST => Answer::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" if asked.fetch_add(1, Ordering::Relaxed) < 2 => Answer::Of(503, Value::Null),
        "GET channels/1.1" => Answer::Of(200, channel("1.1", "22334455", "Stasis", "nameplate,handoff,1")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let _socket = pbx.socket().await;
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_list_of_waiting_calls_it_connects_again() {
    let asked = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        LIST if asked.fetch_add(1, Ordering::Relaxed) == 0 => Answer::Of(500, Value::Null),
        LIST => Answer::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" => Answer::Of(200, channel("1.1", "22334455", "Stasis", "nameplate")),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let _first = pbx.socket().await;
    let _second = pbx.socket().await;
    pbx.until("POST channels/1.1/continue", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_came_before_the_list_is_served_once() {
    let mut pbx = StandIn::start(|request| match request {
        LIST => Answer::After(Duration::from_secs(1), 200, json!({ "channel_ids": ["1.1", "1.2"] })),
        _ if request.starts_with("GET channels/1.") => {
            Answer::Of(200, channel("1", "22334455", "Stasis", "nameplate,handoff,1"))
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
async fn a_connection_that_has_ended_is_closed_although_a_call_is_in_hand() {
    let mut pbx = StandIn::start(|request| match request {
        _ if is_about(request, "1.1") => Answer::After(Duration::from_secs(60), 204, Value::Null),
        _ => usual(request),
    })
    .await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    socket.call("1.1", &[]).await;
    pbx.until("GET channels/1.1/variable?variable=CALLERID%28num-pres%29", 1).await;
    socket.send(json!({ "type": "ApplicationReplaced" })).await;
    let open = socket.until_closed().await;
    assert!(open < Duration::from_millis(500), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_and_opened_again() {
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    // Not read, so that no ping is answered.
    let _silent = pbx.socket().await;
    let mut socket = timeout(Duration::from_secs(11), pbx.socket()).await.expect("a second websocket");
    socket.answer_probe().await;
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
        _ if request.contains("/variable") => Answer::After(Duration::from_secs(60), 200, Value::Null),
        _ => usual(request),
    })
    .await;
    let service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    sleep(Duration::from_millis(1_200)).await;
    socket.call("1.1", &[]).await;
    pbx.until("GET channels/1.1/variable?variable=CALLERID%28num-pres%29", 1).await;
    service.shutdown.cancel();
    pbx.until("POST channels/1.1/continue", 1).await;
    drop(socket);
    service.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_said_once_and_never_shown() {
    let log = Log::start();
    let pbx = StandIn::start(|_| Answer::Of(401, Value::Null)).await;
    let _service = Service::start(&pbx);
    pbx.until("GET events", 3).await;
    let log = log.text();
    let said = "Asterisk refuses the user or the password (401): compare with ari.conf";
    let warned = log.lines().filter(|line| line.contains("WARN") && line.contains(said)).count();
    assert_eq!(warned, 1, "{log}");
    let credential =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("nameplate:{PASSWORD}"));
    for secret in [PASSWORD, &credential] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_asterisk_that_boots_is_waited_for() {
    let log = Log::start();
    let tries = AtomicUsize::new(0);
    let mut pbx = StandIn::start(move |request| match request {
        "GET events" if tries.fetch_add(1, Ordering::Relaxed) < 3 => Answer::Of(503, Value::Null),
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
async fn what_is_wrong_with_the_dialplan_is_said_once() {
    let log = Log::start();
    let mut pbx = StandIn::start(usual).await;
    let _service = Service::start(&pbx);
    let mut socket = pbx.socket().await;
    socket.answer_probe().await;
    for arguments in [["handoff", "2", "NO"], ["handoff", "1", "XX"], ["handoff", "1", "YY"]] {
        for _ in 0..3 {
            socket.call("1.1", &arguments).await;
            let sent_on = socket.expect("channels/1.1/continue").await;
            socket.answer(&sent_on, 204).await;
        }
    }
    let log = log.text();
    for said in ["arguments of another version", "country=\"XX\"", "country=\"YY\""] {
        assert_eq!(log.matches(said).count(), 1, "{said} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_not_quoted() {
    let log = Log::start();
    let mut pbx = StandIn::start(|request| match request {
        LIST => Answer::Of(200, json!({ "channel_ids": ["1.1"] })),
        "GET channels/1.1" => Answer::Of(200, json!({ "id": "1.1", "caller": "+4722334455" })),
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
