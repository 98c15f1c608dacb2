//! With `search_on_miss` a caller whom no list knows is searched for in the CRM, and the next call has the name.
//! No call waits for that, and whose number only looks alike is not shown.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::lab::call::fjord;
use crate::lab::configuration::{crm_folder, superoffice};
use crate::lab::nameplate::Nameplate;
use crate::lab::superoffice::login::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TENANT};
use crate::lab::superoffice::{Credential, Hit, Record, StandIn};
use crate::lab::web;

/// Long enough for two searches, short enough to be waited for where none should come.
const A_WHILE: Duration = Duration::from_millis(700);
const STRANGER: &str = "/lookup?number=22544545";

struct Service {
    crm: StandIn,
    nameplate: Nameplate,
    address: SocketAddr,
}

impl Service {
    async fn start(line: &str, hits: Vec<Hit>) -> Self {
        let crm = StandIn::start(fjord()).await.expect("the stand-in");
        crm.search(|search| search.hits = hits);
        let place = format!(
            r#"api = "{}"
auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
refresh = "4s""#,
            crm.api_url()
        );
        Self::of(crm, &format!("{place}\n{line}")).await
    }

    /// With a source of these lines.
    async fn of(crm: StandIn, lines: &str) -> Self {
        let folder = crm_folder(&format!("{}[web]\nlisten = \"127.0.0.1:0\"\n", superoffice(lines)));
        let nameplate = folder.serve();
        let address = web::address(&nameplate).await;
        nameplate.until_logged("directory is in place", 1).await;
        Self { crm, nameplate, address }
    }

    fn status(&self, path: &str) -> u16 {
        web::get(self.address, path, "").status
    }

    async fn name(&self, path: &str) -> String {
        web::until(self.address, path, |answer| answer.status == 200).await.body
    }

    fn counted(&self, outcome: &str) -> f64 {
        let name = format!("nameplate_searches_total{{source=\"crm\",outcome=\"{outcome}\"}}");
        web::metric(self.address, &name)
    }

    async fn until_counted(&self, outcome: &str, count: f64) {
        let begun = Instant::now();
        while self.counted(outcome) < count {
            assert!(begun.elapsed() < Duration::from_secs(10), "{outcome}:\n{}", self.nameplate.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn per() -> Vec<Hit> {
    vec![Hit::person(700, "Per Strand", "22 54 45 45")]
}

const ON: &str = "search_on_miss = true";

#[tokio::test(flavor = "multi_thread")]
async fn the_next_call_has_the_name() {
    let service = Service::start(ON, per()).await;
    assert_eq!(service.status(STRANGER), 404);
    assert_eq!(service.name(STRANGER).await, "Per Strand");
    // However the next trunk writes the number.
    let answer = web::get(service.address, "/lookup?number=%2B4722544545", "Accept: application/json\r\n");
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(said["status"], "found");
    assert_eq!((&said["source"], &said["certainty"]), (&"crm".into(), &"exact".into()));
    assert_eq!(said["number"], "+4722544545");
    assert_eq!(said["person"]["id"], 700);
    assert_eq!(service.crm.searched(), ["query=22544545", "query=4722544545"]);
    // Whom the list knows is not searched for.
    assert_eq!(service.status("/lookup?number=22334455"), 200);
    // Neither is who sends no number, a colleague, or an emergency service.
    for skipped in ["anonymous", "sip:c8oqz84zk7z@anonymous.invalid", "1234", "112"] {
        assert_eq!(service.status(&format!("/lookup?number={skipped}")), 404, "{skipped}");
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(service.crm.searched().len(), 2);
    let log = service.nameplate.log();
    assert!(!log.contains("22544545") && !log.contains("Strand"), "{log}");
}

/// The page Find asks at each key.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_somebody_types_is_no_caller() {
    let service = Service::start(ON, per()).await;
    for typed in ["22544", "2254454", "22544546", "%2B4722544546"] {
        assert_eq!(service.status(&format!("/find?q={typed}")), 200, "{typed}");
    }
    assert_eq!(service.name(STRANGER).await, "Per Strand");
    assert_eq!(service.crm.searched(), ["query=22544545", "query=4722544545"]);
    assert_eq!(service.counted("found"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_there_is_not_asked_for_again() {
    let service = Service::start(ON, per()).await;
    let nobody = "/lookup?number=22999999";
    assert_eq!(service.status(nobody), 404);
    service.until_counted("nobody", 1.0).await;
    for _ in 0..20 {
        assert_eq!(service.status(nobody), 404);
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(service.crm.searched(), ["query=22999999", "query=4722999999"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_it_is_switched_on() {
    let service = Service::start("", per()).await;
    for _ in 0..3 {
        assert_eq!(service.status(STRANGER), 404);
        tokio::time::sleep(A_WHILE / 3).await;
    }
    assert_eq!(service.crm.searched(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_contains_the_callers_is_somebody_elses() {
    let hits = vec![
        Hit::person(701, "Eva Berg", "+46 8 22 54 45 45"),
        Hit::company(702, "Nordlys AS", "22 54 45 45 01"),
    ];
    let service = Service::start(ON, hits).await;
    assert_eq!(service.status(STRANGER), 404);
    service.until_counted("nobody", 1.0).await;
    assert_eq!(service.status(STRANGER), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_people_are_judged_as_in_a_list() {
    let hits = vec![
        Hit::person(701, "Eva Berg", "22 54 45 45"),
        Hit::person(703, "Ola Hansen", "+47 22 54 45 45"),
        Hit::company(704, "Fjord AS", "22 54 45 46"),
        Hit::company(705, "Berg AS", "+47 22544546"),
    ];
    let service = Service::start(ON, hits).await;
    assert_eq!(service.status(STRANGER), 404);
    assert_eq!(service.name("/lookup?number=22544546").await, "Berg AS / Fjord AS");
    let answer = web::get(service.address, STRANGER, "Accept: application/json\r\n");
    assert!(answer.status == 404 && answer.body.contains("ambiguous"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_search_delays_no_lookup() {
    let service = Service::start(ON, per()).await;
    service.crm.search(|search| search.delay = Duration::from_mins(1));
    let begun = Instant::now();
    for caller in 0..100 {
        assert_eq!(service.status(&format!("/lookup?number=225445{caller:02}")), 404);
    }
    assert_eq!(service.status("/lookup?number=22334455"), 200);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(service.crm.searched().len() <= 1);
    // The queue has an end, and says so.
    assert!(service.counted("dropped") >= 35.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_search_is_told_once_and_is_no_absence() {
    let service = Service::start(ON, per()).await;
    service.crm.search(|search| search.status = 500);
    assert_eq!(service.status(STRANGER), 404);
    service.until_counted("failed", 1.0).await;
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(service.status(STRANGER), 404);
    }
    // Calls do not set the pace at which a server in trouble is asked: the least rest is a second.
    assert!(service.crm.searched().len() as u64 <= 2 + begun.elapsed().as_secs());
    service.crm.search(|search| search.status = 0);
    assert_eq!(service.name(STRANGER).await, "Per Strand");
    service.nameplate.until_logged("searches are answered again", 1).await;
    let log = service.nameplate.log();
    assert_eq!(log.matches("a search failed").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_password_is_read_and_a_refused_one_is_not_tried_again_at_once() {
    let service = Service::start(ON, per()).await;
    service.crm.set_credential(Credential::basic("nameplate", "changed"));
    assert_eq!(service.status(STRANGER), 404);
    service.until_counted("failed", 1.0).await;
    for _ in 0..5 {
        assert_eq!(service.status(STRANGER), 404);
    }
    assert_eq!(service.crm.searched(), ["query=22544545"]);
    service.nameplate.folder().write("superoffice.password", "changed");
    assert_eq!(service.name(STRANGER).await, "Per Strand");
}

/// Searches need another right than lists.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_refused_stops_no_list() {
    for status in [401, 403, 500] {
        let service = Service::start(ON, per()).await;
        service.crm.search(|search| search.status = status);
        assert_eq!(service.status(STRANGER), 404);
        service.until_counted("failed", 1.0).await;
        let married = Record::person(47, 22_334_455, (654, "Kari Berg"), (243, "Fjord Sjømat AS"));
        service.crm.set_records([vec![married], fjord().split_off(1)].concat());
        service.nameplate.until_logged("new list", 2).await;
        // The refusal of a search is one for the next ones.
        assert_eq!(service.status("/lookup?number=22999999"), 404);
        let searched = service.crm.searched();
        assert!(status == 500 || searched == ["query=22544545"], "{searched:?}");
        assert!(!service.nameplate.log().contains("refresh failed"), "{}", service.nameplate.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_asked_for_patience_rests_its_user_and_lists_go_first() {
    let service = Service::start(ON, per()).await;
    service.crm.search(|search| (search.status, search.retry_after) = (429, Some("3".into())));
    assert_eq!(service.status(STRANGER), 404);
    service.until_counted("failed", 1.0).await;
    service.crm.search(|search| search.status = 0);
    let failed =
        service.crm.requests().into_iter().find(|request| request.answered.is_some_and(|(s, _)| s == 429));
    let (_, answered) = failed.and_then(|request| request.answered).expect("it failed");
    assert_eq!(service.name(STRANGER).await, "Per Strand");
    let later = service.crm.requests().into_iter().filter(|request| request.at > answered);
    let later: Vec<_> =
        later.filter(|request| request.at.duration_since(answered) > Duration::from_millis(100)).collect();
    assert!(later[0].at.duration_since(answered) >= Duration::from_secs(3));
    assert!(later[0].path.ends_with("GetMyCallerIDs"), "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_was_taken_away_is_renewed_at_once() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.search(|search| search.hits = per());
    crm.set_credential(Credential::Bearer("nobody has it yet".into()));
    crm.set_app_token(CLIENT_SECRET);
    let host = crm.host();
    let lines = format!(
        r#"tenant = "{TENANT}"
host = "{host}"
auth = {{ type = "refresh_token", client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}", refresh_token = "{REFRESH_TOKEN}" }}
refresh = "1h"
{ON}"#
    );
    let service = Service::of(crm, &lines).await;
    // The list and the searches have one login.
    assert_eq!(service.crm.login(|login| login.issued), 1);
    service.crm.set_credential(Credential::Bearer("another".into()));
    assert_eq!(service.status(STRANGER), 404);
    assert_eq!(service.name(STRANGER).await, "Per Strand");
    assert_eq!(service.crm.login(|login| login.issued), 2);
    assert_eq!(service.counted("failed"), 0.0);
    assert_eq!(service.crm.searched(), ["query=22544545", "query=22544545", "query=4722544545"]);
}
