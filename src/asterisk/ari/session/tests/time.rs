//! Pings, silence, and a process that was paused.

use super::*;

/// Answers pings and questions for so long.
fn live(pbx: &mut Pbx, time: Duration) {
    for _ in 0..time.as_millis() / 100 {
        let words = pbx.pass(ms(100));
        assert!(["", "ping nameplate"].contains(&words.as_str()), "{words}");
        if !words.is_empty() {
            pbx.give(Input::Message(&Message::Pong("nameplate".into())));
        }
        while !pbx.frames.is_empty() {
            let check = pbx.frame();
            pbx.answer(check["request_id"].as_str().unwrap(), 404, NO_CHANNEL);
        }
    }
}

#[test]
fn every_three_seconds_there_is_a_ping_and_the_question_whether_calls_could_be_sent_on() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.pass(ms(1_999)), "");
    assert_eq!(pbx.pass(ms(1)), "ping nameplate");
    let question = pbx.frame();
    assert!(question["uri"].as_str().unwrap().contains("could-send-a-call-on"));
    pbx.answer(question["request_id"].as_str().unwrap(), 404, NO_CHANNEL);
    assert_eq!(pbx.pass(ms(2_999)), "");
    assert_eq!(pbx.pass(ms(1)), "ping nameplate");
    let mut pbx = Pbx::over_http();
    assert_eq!(pbx.pass(ms(1_000)), "ping nameplate; check");
}

#[test]
fn eight_seconds_of_silence_are_the_end() {
    let mut pbx = Pbx::over_http();
    let mut words = pbx.pass(ms(6_999));
    assert!(!words.contains("end"), "{words}");
    words = pbx.pass(ms(2_000));
    assert!(words.ends_with("end: nothing heard for 8s, not even an answer to a ping"), "{words}");
    let mut pbx = Pbx::on_websocket();
    live(&mut pbx, ms(60_000));
}

#[test]
fn a_process_that_was_paused_reads_first_what_waits() {
    let mut pbx = Pbx::on_websocket();
    live(&mut pbx, ms(5_000));
    let request = pbx.hand_off("1.1");
    pbx.pause(ms(30_000));
    // Neither silence nor an overdue answer.
    assert_eq!(pbx.give(Input::Time), "");
    assert_eq!(pbx.answer(&request, 204, ""), "");
    live(&mut pbx, ms(20_000));
    // Two late ticks in a row are no pause.
    pbx.pause(ms(9_000));
    assert_eq!(pbx.give(Input::Time), "");
    pbx.pause(ms(9_000));
    assert_eq!(pbx.give(Input::Time), "end: nothing heard for 8s, not even an answer to a ping");
}

#[test]
fn failures_count_for_nothing_while_a_ping_is_not_answered_either() {
    let mut pbx = Pbx::over_http();
    pbx.pass(ms(3_500));
    pbx.frames.clear();
    let failed = |pbx: &mut Pbx| {
        (0..3)
            .map(|call| {
                let report = Report::Call { channel: call.to_string(), result: failed(500) };
                pbx.give(Input::HttpReport(report))
            })
            .collect::<String>()
    };
    pbx.pass(ms(1_000));
    assert_eq!(failed(&mut pbx), "");
    // Asterisk is heard.
    assert_eq!(pbx.give(Input::Message(&Message::Pong("nameplate".into()))), "close");
}
