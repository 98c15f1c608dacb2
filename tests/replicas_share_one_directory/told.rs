//! The scripts for what replicas tell each other beside their lists.

use nameplate::lists::guard::HeldList;
use nameplate::share::held::{Accepted, HeldBack};
use nameplate::share::life::{MOST_REMEMBERED, Sign};
use nameplate::share::server::Event;
use nameplate::share::version::ReplicaId;

use super::scripts::{A, B, Site};
use super::*;

fn sign(name: &str) -> Sign {
    Sign { name: name.into(), formats: vec![1], ..Sign::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_says_what_is_held_back() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    let epoch = site.held(A, 0).await;
    assert!(site.switch(epoch, A, 1).await);
    let back = HeldBack { by: "pbx1".into(), held: HeldList::default() };
    let sealed = back.seal(&site.key, SITE, "crm").unwrap();
    let mut last = site.server.last_event().await.unwrap();
    for (who, is_holder) in [((epoch, B), false), ((epoch + 1, A), false), ((epoch, A), true)] {
        assert_eq!(site.server.hold_back("crm", who, Some(&sealed)).await.unwrap(), is_holder);
    }
    assert_eq!(site.entry().await.held, Some(back));
    assert_eq!(site.server.next_events(&mut last).await.unwrap(), [Event::Changed]);
    // What can't be opened is nothing.
    assert!(site.server.hold_back("crm", (epoch, A), Some(b"damaged")).await.unwrap());
    assert_eq!(site.entry().await.held, None);
    assert!(site.server.hold_back("crm", (epoch, A), None).await.unwrap());
    assert!(!redis.run::<bool>(&["HEXISTS", "{np:oslo}:list:crm", "held"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_and_its_answer_arrive_as_they_were_sent() {
    let redis = Redis::start(SITE);
    let mut server = Site::of(&redis).await.server;
    let mut last = server.last_event().await.unwrap();
    server.accept("crm-7", u64::MAX, 9).await.unwrap();
    server.answer(9, Accepted::Another).await.unwrap();
    server.want("crm-7").await.unwrap();
    redis.run::<()>(&["XADD", "{np:oslo}:events", "*", "answer", "9", "is", "maybe"]);
    let order = Event::Accept { list: "crm-7".into(), id: u64::MAX, request: 9 };
    let expected =
        [order, Event::Answer(9, Accepted::Another), Event::Wanted("crm-7".into()), Event::Changed];
    assert_eq!(server.next_events(&mut last).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_numbers_are_replaced_only_by_one_who_knows_them() {
    let redis = Redis::start(SITE);
    let mut server = Site::of(&redis).await.server;
    let mut last = server.last_event().await.unwrap();
    assert_eq!(server.forgotten().await.unwrap(), None);
    assert!(server.replace_forgotten(None, b"\0one").await.unwrap());
    assert!(!server.replace_forgotten(None, b"two").await.unwrap());
    assert!(server.replace_forgotten(Some(b"\0one"), b"two").await.unwrap());
    assert_eq!(server.forgotten().await.unwrap(), Some(b"two".to_vec()));
    assert_eq!(server.next_events(&mut last).await.unwrap(), [Event::Forgotten, Event::Forgotten]);
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_have_the_time_of_the_server_and_are_remembered_for_a_day() {
    let redis = Redis::start(SITE);
    let mut site = Site::of(&redis).await;
    site.live(A, &sign("pbx1")).await;
    let signs = site.live(B, &sign("pbx2")).await;
    let shown = signs.status(A, Some(B), tokio::time::Instant::now());
    let shown: Vec<_> = shown.iter().map(|one| (one.name.as_str(), one.is_this, one.is_holder)).collect();
    assert_eq!(shown, [("pbx1", true, false), ("pbx2", false, true)]);
    // A service that ends again and again leaves no more than this.
    let [seconds, _]: [u64; 2] = redis.run::<Vec<u64>>(&["TIME"]).try_into().unwrap();
    for place in 0..MOST_REMEMBERED as u64 + 20 {
        let (id, at) = (ReplicaId(1_000 + place).to_string(), (seconds - 3_600 - place) * 1_000);
        redis.put(("{np:oslo}:replicas", &id), format!("{at} damaged").as_bytes());
    }
    let old = ReplicaId(7).to_string();
    redis.put(("{np:oslo}:replicas", &old), b"1 too old");
    site.live(A, &sign("pbx1")).await;
    assert_eq!(redis.run::<usize>(&["HLEN", "{np:oslo}:replicas"]), MOST_REMEMBERED + 2);
    let first = ReplicaId(1_000).to_string();
    assert!(redis.run::<bool>(&["HEXISTS", "{np:oslo}:replicas", &first]));
    assert!(!redis.run::<bool>(&["HEXISTS", "{np:oslo}:replicas", &old]));
    // The service before this one is gone for sure.
    let (key, server) = (&site.key, &mut site.server);
    let signs = server.live((key, SITE), A, &sign("pbx1"), Some(B)).await.unwrap();
    assert_eq!(signs.status(A, None, tokio::time::Instant::now()).len(), 1);
}
