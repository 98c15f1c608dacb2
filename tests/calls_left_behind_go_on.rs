//! Calls that were inside when the service was killed go on as soon as it is back, with their names: an Asterisk
//! replays nothing to a new websocket, so the service asks who is there.

use std::time::{Duration, Instant};

use crate::by_every_way_of_ari;
use crate::lab::asterisk::Asterisk;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, from_trunk, noted};
use crate::lab::comparison::AT_ONCE;
use crate::lab::configuration::folder;
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::way::Way;

const CALLS: usize = 10;
/// The time is the median of them: the machine, and Asterisk, may be busy with something else in one. That every caller is
/// back, with the name, holds in each.
const ROUNDS: usize = 5;

mod alone {
    use super::*;

    by_every_way_of_ari! {
        async fn as_soon_as_it_is_connected(way) {
            // Asterisk before 20.10 looks for commands to a channel in Stasis every 200 ms, where no media flows.
            let bound = Duration::from_millis(if way == Way::HttpOn16 { 300 } else { 100 });
            // The direct style, where no bound of ours has released them before.
            let dialplan = "Log(NOTICE,enters)\nStasis(nameplate)\nLog(NOTICE,is back)";
            let turn = Turn::alone().await;
            let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
            // Its log says when the application is there.
            let asterisk = way.asterisk(&from_trunk(dialplan, &phone.uri()));
            let mut lab = Lab::configured(way, "", "", turn, fjord(), asterisk, phone).await;
            let mut beyond = Vec::new();
            for round in 1..=ROUNDS {
                let without_us = ring_without_us(&lab).await;
                let took = kill_with_calls_inside(&mut lab, round).await;
                beyond.push(took.saturating_sub(without_us));
            }
            beyond.sort_unstable();
            let median = beyond[ROUNDS / 2];
            assert!(median < bound, "the last of {CALLS} callers was back so much later than without us: {beyond:?}");
        }
    }
}

/// How long it takes until as many callers have rung whom nobody looks up: what this machine needs at this moment.
async fn ring_without_us(lab: &Lab) -> Duration {
    let begun = Instant::now();
    let calls: Vec<_> = (0..CALLS).map(|_| lab.caller.invite(Invite::from("22000000").to(AT_ONCE))).collect();
    for _ in &calls {
        assert!(lab.phone.next_ring(PATIENCE).await.is_some(), "{}", lab.asterisk.log());
    }
    begun.elapsed()
}

/// How long it took from the connect to the last caller's return.
async fn kill_with_calls_inside(lab: &mut Lab, round: usize) -> Duration {
    lab.nameplate.signal("STOP");
    let calls: Vec<_> = (0..CALLS).map(|_| lab.caller.invite(Invite::from("22334455"))).collect();
    noted(&lab.asterisk, "enters", round * CALLS).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lab.phone.rings(), (2 * round - 1) * CALLS);

    lab.nameplate.signal("KILL");
    lab.nameplate = folder(&lab.crm, &lab.asterisk).serve();
    for _ in &calls {
        let ring = lab.phone.next_ring(PATIENCE).await;
        let ring = ring.unwrap_or_else(|| panic!("a caller is left behind:\n{}", lab.nameplate.log()));
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
    }
    noted(&lab.asterisk, "is back", round * CALLS).await;
    lab.nameplate.until_ready().await;
    let connected = times(&lab.asterisk, "Activating Stasis app 'nameplate'").pop().expect("a websocket");
    let back = times(&lab.asterisk, "is back").pop().expect("calls");
    since(connected, back)
}

/// When Asterisk has logged lines with this text: since midnight, by its own clock.
fn times(asterisk: &Asterisk, text: &str) -> Vec<Duration> {
    let time = |line: &str| {
        // [2026-11-23 21:14:07.123] …
        let clock = line.get(12..24)?;
        let (hours, rest) = clock.split_once(':')?;
        let (minutes, seconds) = rest.split_once(':')?;
        let whole: u64 = hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60;
        Some(Duration::from_secs(whole) + Duration::from_secs_f64(seconds.parse().ok()?))
    };
    // The dialplan as it runs is in the log as well: `Executing [100@from-trunk:4] Log(…, "NOTICE,is back")`.
    let log = asterisk.log();
    let lines = log.lines().filter(|line| line.contains(text) && !line.contains("Executing"));
    lines.filter_map(time).collect()
}

/// Midnight may lie between.
fn since(earlier: Duration, later: Duration) -> Duration {
    let day = Duration::from_hours(24);
    later.checked_sub(earlier).unwrap_or_else(|| (later + day).saturating_sub(earlier))
}
