//! The ends of a connection: refused, stopped, lost.

use super::*;

const UNAUTHORIZED: &str = "end: Asterisk refuses the user or the password (401): compare with ari.conf";

#[test]
fn after_a_refusal_the_calls_in_hand_are_sent_on_over_the_websocket() {
    let mut pbx = Pbx::on_websocket();
    let first = pbx.hand_off("1.1");
    let second = pbx.hand_off("1.2");
    assert_eq!(pbx.answer(&first, 401, "Authentication required"), "");
    let plain = pbx.request("1.1");
    assert_eq!(pbx.answer(&second, 204, ""), "");
    assert_eq!(pbx.answer(&plain, 204, ""), "close");
    pbx.lose(UNAUTHORIZED);
}

#[test]
fn after_a_refusal_calls_in_hand_have_200_ms() {
    let mut pbx = Pbx::on_websocket();
    pbx.hand_off("1.1");
    assert_eq!(pbx.give(Input::HttpReport(Report::Failed(refused()))), "");
    assert_eq!(pbx.pass(ms(199)), "");
    assert_eq!(pbx.pass(ms(1)), "close");
    // Calls that come in before Asterisk has taken the application away are served over HTTP.
    assert_eq!(pbx.call("1.2", HANDOFF), "serve 1.2 handoff");
    assert_eq!(pbx.pass(ms(1_499)), "");
    assert_eq!(pbx.pass(ms(1)), format!("release 1.1?; {UNAUTHORIZED}"));
}

#[test]
fn a_refusal_over_http_closes_at_once() {
    let mut pbx = Pbx::over_http();
    assert_eq!(pbx.call("1.1", HANDOFF), "serve 1.1 handoff");
    assert_eq!(pbx.give(Input::HttpReport(Report::Failed(refused()))), "close");
    pbx.lose(UNAUTHORIZED);
}

#[test]
fn three_failures_in_a_row_are_a_refusal() {
    let mut pbx = Pbx::over_http();
    let report = |call: u8| Report::Call { channel: call.to_string(), result: failed(500) };
    assert_eq!(pbx.give(Input::HttpReport(report(1))), "");
    assert_eq!(pbx.give(Input::HttpReport(report(2))), "");
    assert_eq!(pbx.give(Input::HttpReport(report(3))), "close");
    let end = pbx.give(Input::Lost(ConnectionError::closed()));
    // The next connection comes late, so a sweep looks for calls that came in meanwhile.
    assert!(end.starts_with("sweep; end: three handoffs in a row have failed"), "{end}");
}

#[test]
fn a_failed_check_is_repeated_after_a_second() {
    let mut pbx = Pbx::over_http();
    assert_eq!(pbx.pass(ms(1_000)), "ping nameplate; check");
    pbx.give(Input::Message(&Message::Pong("nameplate".into())));
    pbx.ended(TaskKind::Check);
    assert_eq!(pbx.give(Input::HttpReport(Report::Check(failed(500)))), "");
    assert_eq!(pbx.pass(ms(1_000)), "check");
    assert_eq!(pbx.give(Input::HttpReport(Report::Check(ContinueResult::CallerGone))), "");
    assert_eq!(pbx.pass(ms(1_000)), "");
}

#[test]
fn a_stop_with_no_call_in_hand_closes_at_once() {
    for pbx in [Pbx::on_websocket(), Pbx::over_http(), Pbx::new()] {
        let mut pbx = pbx;
        assert_eq!(pbx.give(Input::Stop { hand_over: false }), "close");
        pbx.lose("end: well");
    }
}

#[test]
fn a_stop_waits_for_the_responses_in_hand() {
    let mut pbx = Pbx::on_websocket();
    let first = pbx.hand_off("1.1");
    assert_eq!(pbx.call("1.2", HANDOFF), "look up 1.2 22334455");
    assert_eq!(pbx.give(Input::Stop { hand_over: false }), "");
    // Calls are served as before until the close frame.
    let third = pbx.hand_off("1.3");
    assert_eq!(pbx.answer(&first, 204, ""), "");
    assert_eq!(pbx.answer(&third, 204, ""), "");
    assert_eq!(pbx.name("1.2"), "");
    let second = pbx.request("1.2");
    assert_eq!(pbx.answer(&second, 204, ""), "close");
    assert_eq!(pbx.call("1.4", HANDOFF), "serve 1.4 handoff");
    assert_eq!(pbx.call("1.5", &[]), "serve 1.5 direct");
    pbx.lose("end: well");
}

#[test]
fn a_stop_is_bounded_and_forgets_no_call() {
    let mut pbx = Pbx::on_websocket();
    pbx.hand_off("1.1");
    assert_eq!(pbx.call("1.2", HANDOFF), "look up 1.2 22334455");
    assert_eq!(pbx.give(Input::Stop { hand_over: false }), "");
    assert_eq!(pbx.pass(ms(1_499)), "");
    let end = pbx.pass(ms(1));
    assert_eq!(end, "close; release 1.1?; end: well");
    // The name of 1.2 is known only now, and a task leaves another call.
    assert_eq!(pbx.name("1.2"), "hand off 1.2");
    let release = vec!["1.3".into()];
    assert_eq!(pbx.give(Input::TaskEnded { task: TaskKind::Call, release }), "release 1.3");
    assert_eq!(pbx.call("1.4", HANDOFF), "");
}

#[test]
fn a_connection_that_is_handed_over_keeps_its_socket_and_its_calls() {
    for pbx in [Pbx::on_websocket(), Pbx::over_http(), Pbx::new()] {
        let mut pbx = pbx;
        assert_eq!(pbx.give(Input::Stop { hand_over: true }), "end: well, the socket is kept");
    }
    let mut pbx = Pbx::on_websocket();
    let first = pbx.hand_off("1.1");
    assert_eq!(pbx.give(Input::Stop { hand_over: true }), "");
    let second = pbx.hand_off("1.2");
    assert_eq!(pbx.answer(&first, 204, ""), "");
    assert_eq!(pbx.answer(&second, 204, ""), "end: well, the socket is kept");
}

#[test]
fn a_lost_socket_ends_every_phase() {
    Pbx::on_websocket().lose("end: the connection is lost: gone");
    // The next connection asks for calls in hand.
    let mut pbx = Pbx::on_websocket();
    pbx.hand_off("1.1");
    pbx.lose("end: the connection is lost: gone");
    // After a stop there is no next connection.
    let mut pbx = Pbx::on_websocket();
    pbx.hand_off("1.1");
    assert_eq!(pbx.give(Input::Stop { hand_over: false }), "");
    pbx.lose("release 1.1?; end: well");
    // After a refusal it comes late.
    let mut pbx = Pbx::on_websocket();
    pbx.hand_off("1.1");
    assert_eq!(pbx.give(Input::HttpReport(Report::Failed(refused()))), "");
    pbx.lose(&format!("release 1.1?; {UNAUTHORIZED}"));
}

#[test]
fn a_close_frame_from_asterisk_ends_the_connection() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(
        pbx.give(Input::Message(&Message::Close(None))),
        "end: the connection is lost: Asterisk closed it"
    );
}

fn refused() -> super::super::super::response::Failure {
    super::super::super::response::Failure::Status { status: 401, body: String::new() }
}
