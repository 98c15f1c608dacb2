//! With `search_wait` the first call of a number that no list has waits a moment for the search in the CRM, and has its name
//! where the CRM is quick enough. Else it goes on as before. Nobody else waits.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, from_trunk, noted};
use crate::lab::comparison::{AFTER_HALF_A_SECOND, AT_ONCE};
use crate::lab::configuration::{crm_folder, onsite, superoffice};
use crate::lab::nameplate::Nameplate;
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::sip::load::Report;
use crate::lab::sip::{Behaviour, Caller, Invite, Load, Phone};
use crate::lab::superoffice::{Hit, Record, StandIn};
use crate::lab::way::Way;
use crate::lab::web;
use crate::{by_every_way, by_these_ways};

const SEARCHED: &str = "search_on_miss = true\nsearch_wait = \"300ms\"\ntag = \"crm\"";
/// A search takes two requests. With this delay of each it takes longer than any wait.
const TOO_SLOW: Duration = Duration::from_millis(350);
/// What the dialplan knows after a lookup.
const NOTE: &str = "Log(NOTICE,${CALLERID(num)} ${NAMEPLATE_STATUS} ${NAMEPLATE_PERSON_ID} ${NAMEPLATE_CERTAINTY} tag=${NAMEPLATE_TAG}.)";

/// The name of the stranger `at`, whom no list has.
fn name(at: usize) -> String {
    format!("Stranger {at}")
}

fn number(at: usize) -> String {
    format!("225445{at:02}")
}

fn invite(at: usize) -> Invite {
    Invite::from(number(at)).named("OSLO")
}

/// The strangers, whom a search finds.
fn strangers() -> Vec<Hit> {
    let stranger = |at: usize| Hit::person(700 + i32::try_from(at).unwrap(), &name(at), &number(at));
    (0..100).map(stranger).collect()
}

/// A configuration whose lists are asked for once only: lists come before searches.
fn quiet(config: &str, source: &str) -> String {
    let config = config.replace("type = \"superoffice\"", &format!("type = \"superoffice\"\n{source}"));
    config.replace("refresh = \"1s\"", "refresh = \"1h\"")
}

/// A lab whose service waits for searches.
async fn lab(way: Way, turn: Turn, records: Vec<Record>) -> Lab {
    let crm = StandIn::start(records).await.expect("the stand-in");
    crm.search(|search| search.hits = strangers());
    let phone = Phone::bind(Behaviour::Decline486).await.expect("a phone");
    let lookup = format!("Gosub(nameplate,lookup,1)\n{NOTE}");
    let dialplan = from_trunk(&lookup, &phone.uri());
    let verbose = matches!(turn, Turn::Beside(_));
    let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, verbose, ..Setup::default() });
    let folder = way.folder(&crm, &asterisk);
    folder.configure(&(quiet(&way.config(&crm, &asterisk), SEARCHED) + "[web]\nlisten = \"127.0.0.1:0\"\n"));
    let nameplate = folder.serve();
    way.until_ready(&nameplate).await;
    let caller = Caller::new(asterisk.sip()).await.expect("a caller");
    Lab { nameplate, caller, phone, asterisk, crm, way, turn }
}

/// How often the stranger `at` was searched for, in each of two spellings.
fn searches(crm: &StandIn, at: usize) -> [usize; 2] {
    let searched = crm.searched();
    let count = |query: String| searched.iter().filter(|search| **search == query).count();
    [count(format!("query={}", number(at))), count(format!("query=47{}", number(at)))]
}

/// Waits until the CRM has so many requests of searches.
async fn until_asked(crm: &StandIn, requests: usize) {
    let begun = Instant::now();
    while crm.searched().len() < requests {
        assert!(begun.elapsed() < PATIENCE, "{:?}", crm.searched());
        sleep(Duration::from_millis(5)).await;
    }
}

/// The same, and until it has answered all of them.
async fn until_answered(crm: &StandIn, requests: usize) {
    until_asked(crm, requests).await;
    while crm.requests().iter().any(|request| request.answered.is_none()) {
        sleep(Duration::from_millis(5)).await;
    }
}

by_every_way! {
    async fn a_quick_search_names_it_and_a_slow_one_the_next(way) {
        let lab = lab(way, Turn::beside().await, fjord()).await;
        // Three calls of one number make one search, and all have its name. On a busy machine a search may come too late.
        let mut named = None;
        for at in 0..5 {
            let calls = [0; 3].map(|_| lab.caller.invite(invite(at)));
            let mut names = Vec::new();
            for _ in &calls {
                names.push(lab.phone.next_ring(PATIENCE).await.expect("a ring").name().to_owned());
            }
            for call in &calls {
                call.final_response(PATIENCE).await;
            }
            assert_eq!(searches(&lab.crm, at), [1, 1], "{names:?}");
            if names == vec![name(at); 3] {
                named = Some(at);
                break;
            }
        }
        let at = named.unwrap_or_else(|| panic!("no first call has a name:\n{}", lab.nameplate.log()));
        let found = |at: usize| format!("{} FOUND {} exact tag=crm.", number(at), 700 + at);
        noted(&lab.asterisk, &found(at), 3).await;

        // A slow search: the call goes on in time, as it does without a wait.
        lab.crm.search(|search| search.delay = TOO_SLOW);
        let before = lab.crm.searched().len();
        let slow = 50;
        let others = [AT_ONCE, AFTER_HALF_A_SECOND].map(|to| Invite::from("22000000").named(to).to(to));
        let mut calls = vec![lab.caller.invite(invite(slow))];
        calls.extend(others.map(|other| lab.caller.invite(other)));
        let mut rings = Vec::new();
        for _ in &calls {
            rings.push(lab.phone.next_ring(PATIENCE).await.expect("a ring").name().to_owned());
        }
        assert_eq!(rings, [AT_ONCE, "OSLO", AFTER_HALF_A_SECOND]);
        noted(&lab.asterisk, &format!("{} NOTFOUND   tag=.", number(slow)), 1).await;
        // The next call waits for the rest of the search, where it has not ended yet.
        until_answered(&lab.crm, before + 2).await;
        let (_, ring) = lab.ring(invite(slow)).await;
        assert_eq!(ring.name(), name(slow));
        noted(&lab.asterisk, &found(slow), 1).await;
        assert_eq!(searches(&lab.crm, slow), [1, 1]);
        lab.asterisk.wait_idle();
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
    }
}

by_these_ways! {
    async fn a_caller_who_hangs_up_meanwhile_leaves_nothing_behind(way) {
        let lab = lab(way, Turn::beside().await, fjord()).await;
        lab.crm.search(|search| search.delay = TOO_SLOW);
        for at in 0..2 {
            let call = lab.caller.invite(invite(at));
            // From the first request on the call waits.
            until_asked(&lab.crm, at * 2 + 1).await;
            call.cancel();
            assert_eq!(call.final_response(PATIENCE).await, Some(487));
            until_answered(&lab.crm, at * 2 + 2).await;
        }
        lab.asterisk.wait_idle();
        assert_eq!(lab.phone.rings(), 0);
        // The service goes on, and says nothing.
        let (_, ring) = lab.ring(Invite::from("22334455")).await;
        assert_eq!(ring.name(), "Kari Nordmann (Fjord Sjømat AS)");
        assert!(!lab.nameplate.log().contains("WARN"), "{}", lab.nameplate.log());
    }
    websocket = Websocket, http_on_16 = HttpOn16, agi = Agi, agi_on_16 = AgiOn16
}

/// Behind a full queue, and after a failure, no call waits.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_search_can_not_come_in_time_no_call_waits() {
    let lab = lab(Way::Websocket, Turn::beside().await, fjord()).await;
    let address = web::address(&lab.nameplate).await;
    lab.crm.search(|search| search.delay = Duration::from_mins(10));
    for at in 0..70 {
        assert_eq!(web::get(address, &format!("/lookup?number={}", number(at)), "").status, 404);
    }
    assert!(web::metric(address, "nameplate_searches_total{source=\"crm\",outcome=\"dropped\"}") > 0.0);
    let at_once = Duration::from_millis(150);
    lab.compare(&invite(90), AT_ONCE).await.assert("OSLO", at_once);
    lab.compare(&Invite::from("22334455"), AT_ONCE).await.assert("Kari Nordmann (Fjord Sjømat AS)", at_once);
}

/// A service without a PBX, which is asked over HTTP.
async fn service(source: &str) -> (StandIn, Nameplate, std::net::SocketAddr) {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.search(|search| search.hits = strangers());
    let config = quiet(&superoffice(&onsite(&crm.api_url())), source);
    let nameplate = crm_folder(&format!("{config}[web]\nlisten = \"127.0.0.1:0\"\n")).serve();
    let address = web::address(&nameplate).await;
    nameplate.until_logged("directory is in place", 1).await;
    (crm, nameplate, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_over_http_waits_as_a_call_does_and_the_command_searches_nobody() {
    let (crm, nameplate, address) = service(SEARCHED).await;
    let lookup = |at: usize| web::get(address, &format!("/lookup?number={}", number(at)), "");
    // On a busy machine a search may come too late.
    let named = (0..5).find(|at| lookup(*at).body == name(*at));
    assert!(named.is_some(), "{}", nameplate.log());
    let before = crm.searched().len();
    let (status, said) = nameplate.folder().said(&["lookup", &number(60)]);
    assert_eq!((status, crm.searched().len()), (Some(3), before), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_wait() {
    let (crm, nameplate, address) = service(SEARCHED).await;
    crm.search(|search| search.status = 500);
    let took = |at: usize| {
        let begun = Instant::now();
        assert_eq!(web::get(address, &format!("/lookup?number={}", number(at)), "").status, 404);
        begun.elapsed()
    };
    let first = took(0);
    nameplate.until_logged("a search failed", 1).await;
    // The source rests. None of these waits, or they would take three seconds.
    let rest: Duration = (1..11).map(took).sum();
    assert!(rest < Duration::from_secs(1), "{first:?}, {rest:?}");
}

mod alone {
    use super::*;

    const CALLS: usize = 350;
    /// In each second the strangers call at these.
    const STRANGERS: std::ops::Range<usize> = 50..52;
    /// And these calls come while a stranger waits.
    const BESIDE: std::ops::Range<usize> = 52..75;
    /// These come when none does.
    const WITHOUT: std::ops::Range<usize> = 10..50;

    /// The times of the calls at these places of each second, the shortest first.
    fn times(report: &Report, places: &std::ops::Range<usize>) -> Vec<Duration> {
        let numbers = (0..CALLS).filter(|at| places.contains(&(at % 100))).map(caller);
        let time = |number: String| report.rings[&number].received.duration_since(report.placed[&number]);
        let mut times: Vec<_> = numbers.map(time).collect();
        times.sort_unstable();
        times
    }

    fn caller(at: usize) -> String {
        let second = at / 100 * STRANGERS.len();
        if STRANGERS.contains(&(at % 100)) {
            number(second + at % 100 - STRANGERS.start)
        } else {
            one_of_crowd(u32::try_from(at).unwrap()).0
        }
    }

    by_every_way! {
        async fn others_are_answered_as_ever_at_100_a_second(way) {
            let lab = lab(way, Turn::alone().await, crowd(500)).await;
            lab.crm.search(|search| search.delay = TOO_SLOW);
            let load = Load { calls: CALLS, per_second: 100.0, patience: Duration::from_secs(10) };
            let report = load.run(&lab.caller, &lab.phone, |at| Invite::from(caller(at)).named("OSLO")).await;
            assert!(report.lost.is_empty(), "{report}\n{:?}", report.lost);
            for at in 0..CALLS {
                let is_stranger = STRANGERS.contains(&(at % 100));
                let shown = if is_stranger { "OSLO".into() } else { one_of_crowd(u32::try_from(at).unwrap()).1 };
                assert_eq!(report.rings[&caller(at)].name(), shown, "{at}");
            }
            let [strangers, beside, without] = [STRANGERS, BESIDE, WITHOUT].map(|places| times(&report, &places));
            let [median, p99] = [50, 99].map(|share| move |times: &[Duration]| times[times.len() * share / 100]);
            eprintln!(
                "{way:?}: ms p50 and p99 beside a waiting call {:?} {:?}, without {:?} {:?}; the longest wait {:?}",
                median(&beside), p99(&beside), median(&without), p99(&without), strangers.last(),
            );
            // A stranger waits, on an old Asterisk for 200 ms by ARI. If the others waited as well, half of that were their median.
            assert!(*strangers.last().unwrap() > median(&without) + Duration::from_millis(150), "{strangers:?}");
            assert!(median(&beside) < median(&without) + Duration::from_millis(50), "{beside:?} {without:?}");
            assert!(p99(&beside) < p99(&without) + Duration::from_millis(120), "{beside:?} {without:?}");
            lab.asterisk.wait_idle();
        }
    }
}
