//! How requests go, and which calls wait since before.

use super::*;

#[test]
fn an_answer_to_the_probe_means_the_websocket() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    // Later, it is no other way any more.
    assert_eq!(pbx.pass(ms(1_500)), "");
    assert_eq!(pbx.call("1.2", HANDOFF), "look up 1.2 22334455");
}

#[test]
fn silence_means_http_and_until_then_http_works_everywhere() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.call("1.1", HANDOFF), "serve 1.1 handoff");
    assert_eq!(pbx.pass(ms(1_000)), "");
    assert_eq!(pbx.call("1.2", HANDOFF), "serve 1.2 handoff");
    // A late answer is one all the same.
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.call("1.3", HANDOFF), "look up 1.3 22334455");
}

#[test]
fn a_connection_is_announced_once_with_version_and_way() {
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
fn calls_from_before_are_recovered_and_those_that_came_since_are_in_hand() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.call("1.2", HANDOFF), "serve 1.2 handoff");
    let waiting = ["1.1", "1.2", "1.3"].map(str::to_owned).to_vec();
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(waiting))), "recover 1.1; recover 1.3; learn version");
}

#[test]
fn a_list_that_does_not_come_holds_up_nothing() {
    let mut pbx = Pbx::new();
    assert_eq!(pbx.answer("1", 200, ""), "");
    assert_eq!(pbx.pass(ms(2_000)), "learn version; ping nameplate");
    assert_eq!(pbx.give(Input::Version("22".into())), "connected by the websocket to 22");
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    // It comes after all.
    let waiting = ["1.1", "0.9"].map(str::to_owned).to_vec();
    assert_eq!(pbx.give(Input::WaitingCalls(Ok(waiting))), "recover 0.9");
}

#[test]
fn a_set_up_that_fails_is_the_end() {
    let mut pbx = Pbx::new();
    pbx.answer("1", 200, "");
    assert_eq!(pbx.give(Input::WaitingCalls(Err(ConnectionError::NoApplications))), "close");
    pbx.is_lost(&format!("end: {}", ConnectionError::NoApplications));
}

#[test]
fn another_copy_takes_the_application_over() {
    let mut pbx = Pbx::on_websocket();
    let end = pbx.message(&json!({ "type": "ApplicationReplaced" }));
    assert_eq!(end, format!("end: {}", ConnectionError::Replaced));
}
