//! Pings, silence, and a process that was paused.

use super::*;

/// Lets time pass, and answers pings and checks like a healthy Asterisk.
fn stay_healthy(pbx: &mut Pbx, time: Duration) {
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
fn every_three_seconds_there_is_a_ping_and_a_check() {
    let mut pbx = Pbx::on_websocket();
    assert_eq!(pbx.pass(ms(1_999)), "");
    assert_eq!(pbx.pass(ms(1)), "ping nameplate");
    let check = pbx.frame();
    assert!(check["uri"].as_str().unwrap().contains("could-send-a-call-on"));
    pbx.answer(check["request_id"].as_str().unwrap(), 404, NO_CHANNEL);
    assert_eq!(pbx.pass(ms(2_999)), "");
    assert_eq!(pbx.pass(ms(1)), "ping nameplate");
    let mut pbx = Pbx::over_http();
    assert_eq!(pbx.pass(ms(1_000)), "ping nameplate; check");
}

#[test]
fn eight_seconds_of_silence_end_the_connection() {
    let mut pbx = Pbx::over_http();
    let mut words = pbx.pass(ms(6_999));
    assert!(!words.contains("end"), "{words}");
    words = pbx.pass(ms(2_000));
    assert!(words.ends_with("end: nothing heard for 8s, not even an answer to a ping"), "{words}");
    let mut pbx = Pbx::on_websocket();
    stay_healthy(&mut pbx, ms(60_000));
}

#[test]
fn a_paused_process_reads_waiting_messages_first() {
    let mut pbx = Pbx::on_websocket();
    stay_healthy(&mut pbx, ms(5_000));
    let request = pbx.hand_off("1.1");
    pbx.pause(ms(30_000));
    // Neither the silence nor the overdue response counts.
    assert_eq!(pbx.give(Input::Time), "");
    assert_eq!(pbx.answer(&request, 204, ""), "");
    stay_healthy(&mut pbx, ms(20_000));
    // Two late ticks in a row are no pause.
    pbx.pause(ms(9_000));
    assert_eq!(pbx.give(Input::Time), "");
    pbx.pause(ms(9_000));
    assert_eq!(pbx.give(Input::Time), "end: nothing heard for 8s, not even an answer to a ping");
}

#[test]
fn failures_do_not_count_while_a_ping_has_no_pong() {
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
    // The pong comes.
    assert_eq!(pbx.give(Input::Message(&Message::Pong("nameplate".into()))), "close");
}
