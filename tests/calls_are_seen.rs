//! A call is on the pages that are open within 50 ms, with its name, its company, its number and what became of it. A page that was
//! left open over a restart catches up. Fifty open pages delay no call.

use std::time::{Duration, Instant};

use crate::lab::asterisk::Setup;
use crate::lab::call::{Lab, PATIENCE, Turn, fjord, from_trunk};
use crate::lab::sip::{Behaviour, Invite, Phone};
use crate::lab::stream::Stream;
use crate::lab::superoffice::Record;
use crate::lab::way::Way;
use crate::lab::web;
use crate::{by_every_way, by_every_way_of_ari};

const WEB: &str = "[web]\nlisten = \"127.0.0.1:0\"\n";
/// What a page promises.
const SOON: Duration = Duration::from_millis(50);

/// A lab whose service has pages.
async fn lab(way: Way, turn: Turn, records: Vec<Record>) -> Lab {
    lab_with(way, turn, records, Behaviour::Decline486).await
}

async fn lab_with(way: Way, turn: Turn, records: Vec<Record>, behaviour: Behaviour) -> Lab {
    let phone = Phone::bind(behaviour).await.expect("a phone");
    let dialplan = from_trunk("Gosub(nameplate,lookup,1)", &phone.uri());
    let verbose = matches!(turn, Turn::Beside(_));
    let asterisk = way.asterisk_with(&Setup { dialplan: &dialplan, verbose, ..Setup::default() });
    Lab::configured(way, "", WEB, turn, records, asterisk, phone).await
}

by_every_way! {
    async fn with_what_is_known_of_them_while_they_ring(way) {
        let lab = lab(way, Turn::beside().await, fjord()).await;
        let address = web::address(&lab.nameplate).await;
        let mut stream = Stream::open(address, "").await;
        let mut soonest = Duration::MAX;
        for _ in 0..10 {
            let (_, ring) = lab.ring(Invite::from("22334455")).await;
            let seen = stream.until("Kari Nordmann").await;
            soonest = soonest.min(seen.saturating_duration_since(ring.received));
            stream.forget();
        }
        // The machine may be busy with others at one of the calls, but not at each.
        assert!(soonest < SOON, "the soonest of ten calls was seen {soonest:?} after the phone rang");

        lab.ring(Invite::from("22999999")).await;
        stream.until("22 99 99 99").await;
        lab.ring(Invite::from("22334460")).await;
        stream.until("Eva Berg (Fjord Sjømat AS)").await;
        let page = web::get(address, "/", "Accept: text/html\r\n").body;
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}:\n{page}"));
        assert!(at("Eva Berg") < at("22 99 99 99") && at("22 99 99 99") < at("Kari Nordmann"));
        assert!(page.contains("/SuperOffice/default.aspx?person.main?person_id=654\""), "{page}");
        assert!(page.contains("unknown") && page.contains("certain"), "{page}");
        let found = web::get(address, "/find?q=kari", "Accept: text/html\r\n").body;
        assert!(found.contains("Kari Nordmann") && found.contains("22 33 44 55"), "{found}");
        lab.asterisk.wait_idle();
    }
}

by_every_way_of_ari! {
    async fn with_what_became_of_them(way) {
        // The phone still rings when the service goes on, else the caller would be gone.
        let lab = lab_with(way, Turn::beside().await, fjord(), Behaviour::Ring180).await;
        let address = web::address(&lab.nameplate).await;
        lab.nameplate.signal("STOP");
        let (call, ring) = lab.ring(Invite::from("22334455").named("OSLO")).await;
        assert_eq!(ring.name(), "OSLO");
        lab.nameplate.signal("CONT");
        let mut stream = Stream::open(address, "").await;
        stream.until("no answer in time").await;
        call.cancel();
        lab.asterisk.wait_idle();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_page_that_was_left_open_over_a_restart() {
    let mut lab = lab(Way::Websocket, Turn::beside().await, fjord()).await;
    let address = web::address(&lab.nameplate).await;
    let config =
        lab.way.config(&lab.crm, &lab.asterisk) + "\n" + &WEB.replace("127.0.0.1:0", &address.to_string());
    lab.nameplate.folder().configure(&config);
    let mut page = Stream::open(address, "").await;
    for _ in 0..3 {
        lab.ring(Invite::from("22334455")).await;
    }
    page.until("event: call").await;
    let last = page.last();
    let before = lab.nameplate.log().matches("connected; answers go over").count();
    lab.nameplate = lab.nameplate.again();
    lab.nameplate.until_logged("connected; answers go over", before + 1).await;
    // Before the page is back.
    lab.ring(Invite::from("22334400")).await;
    let begun = Instant::now();
    let mut page = loop {
        if let Some(page) = Stream::try_open(address, &last).await {
            break page;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody listens at {address}");
    };
    page.until("Fjord Sjømat AS").await;
    assert!(!page.text().contains("Kari"), "the history is in memory alone: {}", page.text());
    lab.ring(Invite::from("22334455")).await;
    page.until("Kari Nordmann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_where_the_history_is_off() {
    let lab = lab(Way::Websocket, Turn::beside().await, fjord()).await;
    let address = web::address(&lab.nameplate).await;
    let config = lab.way.config(&lab.crm, &lab.asterisk) + "\n" + WEB + "history = 0\n";
    lab.ring(Invite::from("22334455")).await;
    web::until(address, "/", |page| page.body.contains("Kari Nordmann")).await;
    lab.nameplate.folder().configure(&config);
    let (_, said) = lab.nameplate.folder().said(&["reload"]);
    assert!(said.contains("[web] history: changed"), "{said}");
    lab.ring(Invite::from("22334455")).await;
    let page = web::get(address, "/", "Accept: text/html\r\n").body;
    assert!(page.contains("The history of calls is off") && !page.contains("Kari"), "{page}");
}

mod alone {
    use super::*;

    /// Calls of a block, with the streams or without.
    const CALLS: usize = 25;
    const BLOCKS: usize = 12;
    const STREAMS: usize = 50;

    /// The median of a block of calls, from INVITE to INVITE.
    async fn block(lab: &Lab) -> Duration {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let call = lab.caller.invite(Invite::from("22334455"));
            let ring = lab.phone.next_ring(PATIENCE).await.expect("every call rings");
            times.push(ring.received.duration_since(call.sent()));
            assert_eq!(call.final_response(PATIENCE).await, Some(486));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        median(&mut times)
    }

    fn median(times: &mut [Duration]) -> Duration {
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// In one run: blocks of calls with 50 open pages, and as many without, in turn.
    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_open_pages_delay_no_call() {
        let lab = lab(Way::Websocket, Turn::alone().await, fjord()).await;
        let address = web::address(&lab.nameplate).await;
        block(&lab).await;
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            without.push(block(&lab).await);
            let mut streams = Vec::new();
            let mut page = Stream::open(address, "").await;
            for _ in 1..STREAMS {
                streams.push(tokio::spawn(Stream::open(address, "").await.read_on()));
            }
            page.forget();
            with.push(block(&lab).await);
            page.until("Kari Nordmann").await;
            streams.iter().for_each(tokio::task::JoinHandle::abort);
        }
        let (seen, none) = (median(&mut with), median(&mut without));
        // What a quarter of the blocks without a page takes, too, is noise.
        let noise = without[BLOCKS * 3 / 4];
        assert!(
            seen <= noise,
            "with {STREAMS} pages {seen:?}; with none {none:?}, and a quarter of them took {noise:?} or more: {with:?} {without:?}"
        );
        lab.asterisk.wait_idle();
    }
}
