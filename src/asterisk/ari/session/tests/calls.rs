//! From a call's event to the response to its request.

use super::super::calls::MAX_TASKS;
use super::*;

#[test]
fn a_call_is_handed_off_and_goes_on() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    assert_eq!(pbx.name("1.1"), "");
    let frame = pbx.frame();
    assert_eq!(frame["query_strings"][1]["value"], "notfound", "{frame}");
    assert_eq!(pbx.answer(frame["request_id"].as_str().unwrap(), 204, ""), "");
    assert!(!pbx.session.is_busy());
}

#[test]
fn a_slow_lookup_holds_up_no_other_call() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    let second = pbx.hand_off("1.2");
    assert_eq!(pbx.answer(&second, 204, ""), "");
    assert_eq!(pbx.pass(ms(400)), "");
    assert_eq!(pbx.name("1.1"), "");
    let first = pbx.request("1.1");
    assert_eq!(pbx.answer(&first, 204, ""), "");
}

#[test]
fn a_call_may_wait_for_a_search_only_while_all_is_well() {
    let may_wait = |pbx: &mut Pbx, call: &Value| {
        let message = Message::text(call.to_string());
        let outputs = pbx.session.handle(Input::Message(&message), pbx.now);
        outputs.iter().find_map(|output| match output {
            Output::LookUp { may_wait, .. }
            | Output::Task(Task::Call { job: Job::Serve { may_wait, .. }, .. }) => Some(*may_wait),
            _ => None,
        })
    };
    let call = call("1.1", HANDOFF, "");
    for mut pbx in [Pbx::on_websocket(), Pbx::over_http()] {
        assert_eq!(may_wait(&mut pbx, &call), Some(true));
        // This process was paused: the call may have waited long.
        let messages = vec![Message::text(call.to_string()); 16];
        pbx.give(Input::BacklogBegins(&messages));
        assert_eq!(may_wait(&mut pbx, &call), Some(false));
        pbx.give(Input::BacklogEnds);
        assert_eq!(may_wait(&mut pbx, &call), Some(true));
        // The service is stopped: no other call is to hold up its end.
        pbx.give(Input::Stop { hand_over: false });
        assert_ne!(may_wait(&mut pbx, &call), Some(true));
    }
}

#[test]
fn responses_about_one_call_do_not_end_the_connection() {
    for (status, message, then) in [
        (204, "", ""),
        (404, NO_CHANNEL, ""),
        (409, "Channel not in Stasis application", ""),
        (404, "Requested label can not be found", "label missing 1.1"),
    ] {
        let mut pbx = Pbx::on_websocket();
        for _ in 0..9 {
            let request = pbx.hand_off("1.1");
            assert_eq!(pbx.answer(&request, status, message), then);
            assert_eq!(pbx.frames, Vec::<Value>::new(), "{status} {message}");
            if !then.is_empty() {
                pbx.ended(TaskKind::Call);
            }
        }
    }
    // The call goes on without its name.
    for (status, message) in [(412, "Channel in invalid state"), (500, "Server error")] {
        let mut pbx = Pbx::on_websocket();
        let request = pbx.hand_off("1.1");
        assert_eq!(pbx.answer(&request, status, message), "");
        let plain = pbx.frame();
        assert_eq!((&plain["uri"], &plain["query_strings"]), (&json!("channels/1.1/continue"), &Value::Null));
        assert_eq!(pbx.answer(plain["request_id"].as_str().unwrap(), 204, ""), "");
    }
}

#[test]
fn a_failed_plain_continue_is_repeated_over_http() {
    let mut pbx = Pbx::on_websocket();
    let release = vec!["1.1".into()];
    assert_eq!(pbx.give(Input::TaskEnded { task: TaskKind::Call, release }), "");
    let plain = pbx.request("1.1");
    assert_eq!(pbx.answer(&plain, 500, ""), "release 1.1?");
}

#[test]
fn calls_that_a_task_leaves_are_sent_on_by_the_transport_in_use() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.call("1.1", &[]), "serve 1.1 direct");
    let release = || vec!["1.1".to_owned()];
    assert_eq!(pbx.give(Input::TaskEnded { task: TaskKind::Call, release: release() }), "");
    pbx.request("1.1");
    let mut pbx = Pbx::over_http();
    assert_eq!(pbx.give(Input::TaskEnded { task: TaskKind::Call, release: release() }), "release 1.1");
}

#[test]
fn calls_beyond_the_limit_go_on_without_names() {
    let mut pbx = Pbx::over_http();
    for call in 0..MAX_TASKS {
        assert_eq!(pbx.call(&format!("1.{call}"), HANDOFF), format!("serve 1.{call} handoff"));
    }
    assert_eq!(pbx.call("2.1", HANDOFF), "release 2.1");
    pbx.ended(TaskKind::Call);
    pbx.ended(TaskKind::Call);
    assert_eq!(pbx.call("2.2", HANDOFF), "serve 2.2 handoff");
}

#[test]
fn a_request_without_a_response_is_repeated_over_http() {
    let mut pbx = Pbx::on_websocket();
    let request = pbx.hand_off("1.1");
    assert_eq!(pbx.pass(ms(1_900)), "");
    assert_eq!(pbx.pass(ms(1_100)), "release 1.1?; ping nameplate");
    // The response comes too late.
    assert_eq!(pbx.answer(&request, 500, ""), "");
}

#[test]
fn an_event_that_cannot_be_read_starts_a_sweep_one_at_a_time() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.message(&json!({ "type": "StasisStart", "channel": 1 })), "sweep");
    assert_eq!(pbx.message(&json!({ "type": "StasisStart", "args": [] })), "");
    assert_eq!(pbx.message(&json!(7)), "");
    assert_eq!(pbx.ended(TaskKind::Sweep), "sweep");
    assert_eq!(pbx.ended(TaskKind::Sweep), "");
    assert_eq!(pbx.message(&json!({ "type": "PlaybackStarted" })), "");
}

/// Gives a backlog of messages, as the driver does.
fn give_backlog(pbx: &mut Pbx, events: &[Value]) -> Vec<String> {
    let messages: Vec<_> = events.iter().map(|event| Message::text(event.to_string())).collect();
    let mut words = vec![pbx.give(Input::BacklogBegins(&messages))];
    words.extend(messages.iter().map(|message| pbx.give(Input::Message(message))));
    words.push(pbx.give(Input::BacklogEnds));
    words.retain(|words| !words.is_empty());
    words
}

fn at(second: u32, call_number: usize) -> Value {
    call(&format!("{second}.{call_number}"), HANDOFF, &format!("2026-07-31T12:00:0{second}.000+0200"))
}

#[test]
fn after_a_pause_released_calls_are_not_answered() {
    let mut pbx = Pbx::on_websocket();
    let mut backlog: Vec<_> = (0..20).map(|number| at(1, number)).collect();
    backlog.push(call("direct", &[], "2026-07-31T12:00:01.000+0200"));
    backlog.extend((0..20).map(|number| at(2, number)));
    let words = give_backlog(&mut pbx, &backlog);
    assert_eq!(words[0], "ping awake");
    assert_eq!(words[1], "serve direct direct");
    assert_eq!(
        words[2..22],
        [0; 20].iter().enumerate().map(|(n, _)| format!("look up 2.{n} 22334455")).collect::<Vec<_>>()
    );
    assert_eq!(words[22..], ["sweep"]);
    // The pong comes: nothing is stuck.
    assert_eq!(pbx.give(Input::Message(&Message::Pong("awake".into()))), "");
    assert_eq!(pbx.pass(ms(900)), "");
}

/// The answer to the first question would be taken for that to the second one.
#[test]
fn after_a_pause_a_channel_that_has_asked_again_has_the_answer_to_its_last_question() {
    let mut pbx = Pbx::on_websocket();
    let asks = |time: &str| call("1.1", HANDOFF, &format!("2026-07-31T12:00:{time}+0200"));
    pbx.pass(ms(700));
    assert_eq!(give_backlog(&mut pbx, &[asks("01.000"), asks("01.510")]), ["look up 1.1 22334455"]);
    // Another channel, and the same one later, have their answers.
    pbx.pass(ms(700));
    let words = give_backlog(&mut pbx, &[asks("03.000"), at(3, 2)]);
    assert_eq!(words, ["look up 1.1 22334455", "look up 3.2 22334455"]);
}

#[test]
fn a_lookup_that_fails_sends_the_call_on_without_its_name() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.call("1.1", HANDOFF), "look up 1.1 22334455");
    pbx.give(Input::NotLookedUp { channel: "1.1".into() });
    let plain = pbx.frame();
    assert_eq!((&plain["uri"], &plain["query_strings"]), (&"channels/1.1/continue".into(), &Value::Null));
    assert_eq!(pbx.answer(plain["request_id"].as_str().unwrap(), 204, ""), "");
    assert!(!pbx.session.is_busy());
}

#[test]
fn a_stuck_backlog_ends_the_connection_and_keeps_its_socket() {
    let mut pbx = Pbx::on_websocket();
    let backlog: Vec<_> = (0..40).map(|number| at(1 + u32::from(number >= 20), number)).collect();
    give_backlog(&mut pbx, &backlog);
    assert_eq!(pbx.give(Input::Message(&Message::Pong("nameplate".into()))), "");
    assert_eq!(pbx.pass(ms(99)), "");
    let end = format!("end: {}, the socket is kept", ConnectionError::Behind);
    assert_eq!(pbx.pass(ms(1)), end);
}

#[test]
fn calls_of_a_rush_are_all_answered() {
    let mut pbx = Pbx::on_websocket();
    let rush: Vec<_> = (0..60).map(|number| at(1, number)).collect();
    assert_eq!(give_backlog(&mut pbx, &rush).len(), 60);
    let few: Vec<_> = (1..8).map(|second| at(second, 0)).collect();
    assert_eq!(give_backlog(&mut pbx, &few).len(), 7);
}
