//! Settings that change while a connection is open.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::stand_in::{Response, StandIn, channel, error, usual};
use super::{HANDOFF, LIST, PASSWORD, Service, Settings};
use crate::lookup::Pbx;
use crate::observe::metrics::Refusal;
use crate::secret::Secret;

impl Service {
    /// Reloads with changed settings.
    fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.change.send_modify(|settings| change(Arc::make_mut(settings)));
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_and_an_unused_password_change_without_a_new_connection() {
    let mut pbx = StandIn::start(usual).await;
    let (service, mut socket) = Service::on_websocket(&mut pbx).await;
    service.change(|settings| {
        settings.password = Secret::Given("another".into());
        // Of four digits, so an extension of this PBX: it is not looked up.
        let mut numbers = settings.pbx.numbers.clone();
        numbers.internal = vec!["22334xxx".parse().unwrap()];
        settings.pbx = Pbx::new(numbers);
    });
    socket.call("1.1", HANDOFF).await;
    let handoff = socket.expect("channels/1.1/continue").await;
    assert!(handoff.to_string().contains("skipped"), "{handoff}");
    socket.answer(&handoff, 204).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(pbx.count("GET events"), 1, "{:?}", pbx.seen());
    service.shutdown.cancel();
}

#[tokio::test(start_paused = true)]
async fn another_user_takes_the_application_over_and_a_call_that_waits_meanwhile() {
    let mut pbx = StandIn::start_with(|request, user| match request {
        LIST if user.starts_with("other:") => Response::Of(200, json!({ "channel_ids": ["1.2"] })),
        "GET channels/1.2" => Response::Of(200, channel("1.2", "22334455", "Stasis", "nameplate,handoff,1")),
        _ => usual(request),
    })
    .await;
    let (service, mut socket) = Service::on_websocket(&mut pbx).await;
    socket.call("1.1", HANDOFF).await;
    let handoff = socket.expect("channels/1.1/continue").await;
    service.change(|settings| settings.username = "other".into());
    sleep(Duration::from_millis(200)).await;
    assert_eq!(pbx.count("GET events"), 1, "a call is in hand");
    socket.answer(&handoff, 204).await;
    let mut next = pbx.socket().await;
    next.answer_probe().await;
    pbx.until("POST channels/1.2/continue", 1).await;
    // The old one was open until the new one was.
    socket.until_closed().await;
    let ended = service.ended();
    assert_eq!(pbx.count("GET events"), 2, "{:?}", pbx.seen());
    drop(ended);
}

#[tokio::test(start_paused = true)]
async fn another_application_is_connected_after_the_old_one_is_closed() {
    let mut pbx = StandIn::start(|request| match request {
        "GET applications/other" => Response::Of(200, json!({ "channel_ids": [] })),
        "PUT applications/other/eventFilter" => Response::Of(200, json!({})),
        _ => usual(request),
    })
    .await;
    let (service, socket) = Service::on_websocket(&mut pbx).await;
    let closing = tokio::spawn(socket.until_closed());
    service.change(|settings| settings.app = "other".into());
    pbx.socket().await.answer_probe().await;
    closing.await.unwrap();
    pbx.until("GET applications/other", 1).await;
    service.shutdown.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_is_tried_again_when_it_has_changed_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong").unwrap();
    let mut pbx = StandIn::start_with(|request, user| match request {
        _ if user != format!("nameplate:{PASSWORD}") => error(401, "Authentication required"),
        _ => usual(request),
    })
    .await;
    let service = Service::start_with(&pbx, Secret::File(file.clone()));
    while service.refusal() != Some(Refusal::Unauthorized) {
        sleep(Duration::from_millis(10)).await;
    }
    let asked = pbx.seen().len();
    // Each is a reload of an unchanged configuration.
    for _ in 0..20 {
        service.change(|_| {});
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(pbx.seen().len(), asked, "{:?}", pbx.seen());
    std::fs::write(&file, PASSWORD).unwrap();
    let begun = Instant::now();
    service.change(|_| {});
    pbx.socket().await.answer_probe().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    service.shutdown.cancel();
}
