//! Two services for one PBX: whichever of them goes, every call rings, and all have their names but those that the
//! first had in hand when it was killed.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::by_every_way;
use crate::lab::asterisk::{Asterisk, Setup};
use crate::lab::call::{PATIENCE, Turn, fjord, from_trunk, noted, notes, ring};
use crate::lab::comparison::{AFTER_HALF_A_SECOND, AT_ONCE, Comparison, PAIRS};
use crate::lab::configuration::folder;
use crate::lab::nameplate::Nameplate;
use crate::lab::people::{people, records};
use crate::lab::sip::{Behaviour, Caller, Invite, Load, Phone, Ring};
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::way::Way;

const NOTED: &str =
    "Gosub(nameplate,lookup-replicas,1)\nLog(NOTICE,after ${NAMEPLATE_STATUS} limit=${TIMEOUT(absolute)}.)";
const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// A call may still enter so long after a kill: Asterisk has yet to notice, on a busy machine.
const NOTICED: Duration = Duration::from_millis(250);

/// A PBX whose dialplan asks two services, which are yet to be started.
struct Pair {
    caller: Caller,
    phone: Phone,
    asterisk: Asterisk,
    crm: StandIn,
    way: Way,
    _turn: Turn,
}

impl Pair {
    async fn of(way: Way, turn: Turn, records: Vec<Record>) -> Self {
        let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
        let dialplan = &from_trunk(NOTED, &phone.uri());
        // Its log says how many calls are inside.
        let verbose = matches!(turn, Turn::Beside(_));
        let asterisk = way.asterisk_with(&Setup { dialplan, verbose, ..Setup::default() });
        let crm = StandIn::start(records).await.expect("the stand-in");
        let caller = Caller::new(asterisk.sip()).await.expect("a caller");
        Self { caller, phone, asterisk, crm, way, _turn: turn }
    }

    /// Starts a service, and waits until it answers calls.
    async fn start(&self, which: u8) -> Nameplate {
        let folder = folder(&self.crm, &self.asterisk);
        folder.configure(&self.way.config_of_replica(which, &self.crm, &self.asterisk));
        let nameplate = folder.serve();
        self.way.until_ready(&nameplate).await;
        nameplate
    }

    /// Places a call and waits until it rings.
    async fn ring(&self) -> Ring {
        ring(&self.caller, &self.phone, kari(), || self.asterisk.log()).await.1
    }

    /// Places calls that show this name, each at most this much later than a call without us to this extension.
    async fn compare(&self, without_us: &str, name: &str, most: Duration) {
        let log = || self.asterisk.log();
        Comparison::of(&self.caller, &self.phone, &kari(), without_us, log).await.assert(name, most);
    }
}

fn kari() -> Invite {
    Invite::from("22334455").named("OSLO")
}

mod alone {
    use super::*;

    by_every_way! {
        async fn either_is_killed_under_load(way) {
            let people = people(7, 1_000);
            let pair = Pair::of(way, Turn::alone().await, records(&people)).await;
            let (first, second) = (pair.start(1).await, pair.start(2).await);
            let callers: Vec<_> = people.iter().step_by(3).take(300).collect();
            let load = Load { calls: 300, per_second: 50.0, patience: Duration::from_secs(10) };
            let calls = load.run(&pair.caller, &pair.phone, |at| Invite::from(&callers[at].e164).named("OSLO"));
            let kills = async {
                sleep(Duration::from_millis(1_500)).await;
                first.signal("KILL");
                let first_killed = Instant::now();
                sleep(Duration::from_secs(1)).await;
                let first = pair.start(1).await;
                sleep(Duration::from_millis(500)).await;
                second.signal("KILL");
                (first, [first_killed, Instant::now()])
            };
            let (report, (_first, kills)) = tokio::join!(calls, kills);
            assert!(report.lost.is_empty(), "{report}\n{:?}", report.lost);
            let unnamed = report.rings.values().filter(|ring| ring.name() == "OSLO").count();
            eprintln!("{way:?}: {unnamed} of {} calls were inside at a kill; {report}", callers.len());
            // Half a second's calls are the most that can be inside. FastAGI's connection ends with the server, and the
            // second one is asked.
            assert!(unnamed <= if way.is_agi() { 0 } else { 25 }, "{unnamed} calls have no name");
            for (number, ring) in report.rings.iter().filter(|(_, ring)| ring.name() == "OSLO") {
                let placed = report.placed[number];
                let was_inside = kills.iter().any(|kill| placed < *kill + NOTICED && ring.received > *kill);
                assert!(was_inside, "without a name, and not inside at a kill: {placed:?}, {kills:?}");
            }
            noted(&pair.asterisk, "after FOUND", callers.len() - unnamed).await;
            noted(&pair.asterisk, "after TIMEOUT", unnamed).await;
            pair.asterisk.wait_idle();
        }
    }
}

/// So few that all are inside before the bound releases the first.
const INSIDE: usize = 4;

by_every_way! {
    async fn only_those_inside_at_the_kill_have_no_name(way) {
        let pair = Pair::of(way, Turn::beside().await, fjord()).await;
        let (first, _second) = (pair.start(1).await, pair.start(2).await);
        first.signal("STOP");
        let without_us = pair.caller.invite(Invite::from("22000000").to(AFTER_HALF_A_SECOND));
        let inside: Vec<_> = (0..INSIDE).map(|_| pair.caller.invite(kari())).collect();
        let enters = if way.is_agi() { "] AGI(" } else { "] Stasis(" };
        let begun = Instant::now();
        while pair.asterisk.log().matches(enters).count() < INSIDE && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        first.signal("KILL");
        let mut took = Vec::new();
        let mut took_without_us = Duration::ZERO;
        for _ in 0..=INSIDE {
            let ring = pair.phone.next_ring(PATIENCE).await.expect("every call rings");
            if ring.number() == "22000000" {
                took_without_us = ring.received.duration_since(without_us.sent());
                continue;
            }
            assert_eq!(ring.name(), if way.is_agi() { KARI } else { "OSLO" });
            took.push(ring.received.duration_since(inside[0].sent()));
        }
        let most = took_without_us + Duration::from_millis(250);
        assert!(took.iter().all(|took| *took < most), "{took:?}, and {took_without_us:?} without us");
        // On 16 an answer by ARI takes up to 200 ms.
        pair.compare(AT_ONCE, KARI, Duration::from_millis(400)).await;
        let timeouts = if way.is_agi() { 0 } else { INSIDE };
        noted(&pair.asterisk, "after TIMEOUT limit=0.", timeouts).await;
        noted(&pair.asterisk, "after FOUND limit=0.", INSIDE + PAIRS - timeouts).await;
    }
}

by_every_way! {
    async fn the_bound_covers_both(way) {
        let pair = Pair::of(way, Turn::beside().await, fjord()).await;
        // With nobody there.
        pair.compare(AT_ONCE, "OSLO", Duration::from_millis(200)).await;
        noted(&pair.asterisk, "after UNAVAILABLE limit=0.", PAIRS).await;

        let second = pair.start(2).await;
        assert_eq!(pair.ring().await.name(), KARI, "{}", notes(&pair.asterisk));
        second.signal("STOP");
        pair.compare(AFTER_HALF_A_SECOND, "OSLO", Duration::from_millis(90)).await;

        let first = pair.start(1).await;
        assert_eq!(pair.ring().await.name(), KARI);
        // Both hang: the first has the whole bound.
        first.signal("STOP");
        pair.compare(AFTER_HALF_A_SECOND, "OSLO", Duration::from_millis(90)).await;
        noted(&pair.asterisk, "after TIMEOUT limit=0.", 2 * PAIRS).await;
    }
}
