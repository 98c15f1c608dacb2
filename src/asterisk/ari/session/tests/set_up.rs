//! The set-up: the transport of requests, and the calls from before the connection.

use super::*;

#[test]
fn a_response_to_the_probe_means_the_websocket() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    // The transport stays the same afterwards.
    assert_eq!(pbx.pass(ms(1_500)), "");
    assert_eq!(pbx.call("1.2", HANDOFF), "look up 1.2 22334455");
}

#[test]
fn no_response_to_the_probe_means_http() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.call("1.1", HANDOFF), "serve 1.1 handoff");
    assert_eq!(pbx.pass(ms(1_000)), "");
    assert_eq!(pbx.call("1.2", HANDOFF), "serve 1.2 handoff");
    // A late response counts, too.
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.call("1.3", HANDOFF), "look up 1.3 22334455");
}

#[test]
fn a_connection_is_announced_once_with_version_and_transport() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(Vec::new()))), "learn version");
    assert_eq!(pbx.give(Input::Version("22".into())), "");
    assert_eq!(pbx.answer("1", 200, ""), "connected by the websocket to 22");
    assert_eq!(pbx.pass(ms(1_500)), "");
    let mut pbx = Pbx::new();
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(Vec::new()))), "learn version");
    assert_eq!(pbx.give(Input::Version("22".into())), "connected by the websocket to 22");
}

#[test]
fn only_calls_from_before_the_connection_are_recovered() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.call("1.2", HANDOFF), "serve 1.2 handoff");
    let waiting = ["1.1", "1.2", "1.3"].map(str::to_owned).to_vec();
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(waiting))), "recover 1.1; recover 1.3; learn version");
}

#[test]
fn a_missing_list_of_waiting_calls_holds_up_no_call() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.pass(ms(2_000)), "learn version; ping nameplate");
    assert_eq!(pbx.give(Input::Version("22".into())), "connected by the websocket to 22");
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    // The list comes after all.
    let waiting = ["1.1", "0.9"].map(str::to_owned).to_vec();
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(waiting))), "recover 0.9");
}

#[test]
fn a_failed_set_up_ends_the_connection() {
    let mut pbx = Pbx::new();
    pbx.answer("1", 200, "");
    assert_eq!(pbx.give(Input::WaitingCalls(Err(ConnectionError::NoApplications))), "close");
    pbx.lose(&format!("end: {}", ConnectionError::NoApplications));
}

#[test]
fn a_takeover_by_another_copy_ends_the_connection() {
    let mut pbx = Pbx::on_websocket();
    let end = pbx.message(&json!({ "type": "ApplicationReplaced" }));
    assert_eq!(end, format!("end: {}", ConnectionError::Replaced));
}
