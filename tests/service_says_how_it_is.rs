//! The service says how it is: alive, ready or what is missing, and what it has done, in figures that hold
//! no number and no name.

use std::net::SocketAddr;

use crate::lab::call::{Lab, fjord};
use crate::lab::configuration::{config, crm_alone, crm_folder, folder};
use crate::lab::sip::Invite;
use crate::lab::superoffice::{Fault, StandIn};
use crate::lab::web::{self, get, metric, until};

const WEB: &str = "[web]\nlisten = \"127.0.0.1:0\"\n";

/// The whole system, with the web server switched on.
async fn lab() -> (Lab, SocketAddr) {
    let mut lab = Lab::start(fjord()).await;
    lab.nameplate.signal("KILL");
    let folder = folder(&lab.crm, &lab.asterisk);
    let config = config(&lab.crm.api_url(), &lab.asterisk.http_url());
    folder.configure(&format!("{config}{WEB}"));
    lab.nameplate = folder.serve();
    lab.nameplate.until_ready().await;
    let address = web::address(&lab.nameplate).await;
    (lab, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.fail(Fault::status(500));
    let mut nameplate = crm_folder(&format!("{}{WEB}", crm_alone(&crm))).serve();
    let address = web::address(&nameplate).await;

    assert_eq!(get(address, "/healthz", "").status, 200);
    let answer = get(address, "/readyz", "");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("the directory knows no number"), "{}", answer.body);
    assert!(answer.body.contains("asterisk pbx1 is "), "{}", answer.body);
    // Nobody is called a stranger before there is a directory, and nothing is said that could be shown.
    let lookup = get(address, "/lookup?number=22334455", "");
    assert_eq!((lookup.status, lookup.body.as_str()), (503, ""));
    until(address, "/metrics", |metrics| {
        metrics.body.contains("nameplate_refreshes_total{source=\"crm\",list=\"crm\",outcome=\"failed\"} 1")
    })
    .await;

    // With a directory the way in is still missing.
    crm.heal();
    let answer = until(address, "/readyz", |answer| !answer.body.contains("directory")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("asterisk pbx1 is "), "{}", answer.body);
    assert!(metric(address, "nameplate_directory_numbers") > 0.0);

    nameplate.signal("TERM");
    assert!(nameplate.ended().await.success(), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_counted_and_a_lost_asterisk_is_noticed() {
    let (lab, address) = lab().await;
    assert_eq!(until(address, "/readyz", |answer| answer.status == 200).await.body, "ready\n");
    let calls = |outcome: &str| {
        metric(address, &format!("nameplate_calls_total{{pbx=\"pbx1\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!((calls("found"), calls("notfound")), (0.0, 0.0));
    for number in ["22334455", "22334455", "22999999"] {
        lab.ring(Invite::from(number).named("OSLO")).await;
    }
    // A call is counted when its answer has gone, and the phone may be faster.
    until(address, "/metrics", |_| calls("found") + calls("notfound") >= 3.0).await;
    assert_eq!((calls("found"), calls("notfound"), calls("unserved")), (2.0, 1.0, 0.0));
    assert_eq!(metric(address, "nameplate_answer_seconds_count{pbx=\"pbx1\"}"), 3.0);
    assert_eq!(metric(address, "nameplate_handoff_failures_total{pbx=\"pbx1\"}"), 0.0);
    assert_eq!(metric(address, "nameplate_directory_numbers"), 3.0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((0.0..60.0).contains(&(now - metric(address, "nameplate_directory_placed_timestamp_seconds"))));
    let list = "nameplate_list_success_timestamp_seconds{source=\"crm\",list=\"crm\"}";
    assert!((0.0..60.0).contains(&(now - metric(address, list))));
    assert_eq!(
        metric(address, "nameplate_refreshes_total{source=\"crm\",list=\"crm\",outcome=\"taken\"}"),
        1.0
    );
    assert_eq!(metric(address, "nameplate_asterisk_connected{pbx=\"pbx1\"}"), 1.0);

    let metrics = get(address, "/metrics", "");
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    for personal in ["22334455", "334455", "22999999", "Kari", "Nordmann", "Fjord", "OSLO"] {
        assert!(!metrics.body.contains(personal), "{personal}:\n{}", metrics.body);
    }

    lab.asterisk.cli("core restart now");
    let down = until(address, "/readyz", |answer| answer.status == 503).await;
    assert!(down.body.contains("asterisk pbx1 is "), "{}", down.body);
    until(address, "/readyz", |answer| answer.status == 200).await;
    assert_eq!(metric(address, "nameplate_asterisk_reconnects_total{pbx=\"pbx1\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_hosts_and_strangers_learn_nothing() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let config = crm_alone(&crm);
    let nameplate = crm_folder(&format!("{config}{WEB}token = \"s3cret-token\"\n")).serve();
    let address = web::address(&nameplate).await;
    let token = "Authorization: Bearer s3cret-token\r\n";
    for path in ["/metrics", "/readyz", "/lookup?number=22334455"] {
        assert_eq!(get(address, path, "").status, 401, "{path}");
        assert_ne!(get(address, path, token).status, 401, "{path}");
        let rebound = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n{token}\r\n");
        assert_eq!(web::request(address, &rebound).status, 421, "{path}");
    }
    assert_eq!(get(address, "/healthz", "").status, 200);
}
