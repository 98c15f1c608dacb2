//! A tenant of SuperOffice's cloud is found, followed when it moves, and left alone while it must be.

use std::time::Duration;

use crate::lab::call::fjord;
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::superoffice::login::TENANT;
use crate::lab::superoffice::{Credential, StandIn};

const SOON: Duration = Duration::from_secs(20);

async fn crm() -> StandIn {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.set_credential(Credential::Bearer("8A:x".into()));
    crm.set_app_token("app token");
    crm
}

fn serve(crm: &StandIn) -> Nameplate {
    let host = crm.host();
    Folder::new(&format!(
        r#"[numbers]
country = "NO"
[[source]]
name = "crm"
type = "superoffice"
tenant = "{TENANT}"
host = "{host}"
app_token = "app token"
auth = {{ type = "bearer", token = "8A:x" }}
refresh = "1s"
[[asterisk]]
name = "pbx1"
url = "http://127.0.0.1:9"
username = "nameplate"
password = "unused"
"#
    ))
    .serve()
}

fn asked(crm: &StandIn, path: &str) -> usize {
    crm.requests().iter().filter(|request| request.path.contains(path)).count()
}

async fn until_asked(crm: &StandIn, path: &str, count: usize) {
    let begun = std::time::Instant::now();
    while asked(crm, path) < count {
        assert!(begun.elapsed() < SOON, "{path} was asked {} times", asked(crm, path));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_state_is_asked_once_as_long_as_it_is_valid() {
    let crm = crm().await;
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    until_asked(&crm, "Pocket", 3).await;
    assert_eq!(asked(&crm, "/api/state/"), 1);
    let state = &crm.requests()[0];
    assert_eq!((state.header("Authorization"), state.header("SO-AppToken")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_state_is_asked_again_when_it_grew_old() {
    let crm = crm().await;
    crm.login(|login| login.valid = 0);
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    until_asked(&crm, "Pocket", 3).await;
    assert!(asked(&crm, "/api/state/") >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_followed_without_a_failed_refresh() {
    let crm = crm().await;
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    crm.login(|login| login.node = "online7");
    until_asked(&crm, "/online7/", 2).await;
    assert_eq!(asked(&crm, "/api/state/"), 2);
    let strays = crm.requests().iter().filter(|r| r.answered.is_some_and(|(s, _)| s == 421)).count();
    assert_eq!(strays, 1);
    assert!(!nameplate.log().contains("refresh failed"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_not_running_is_not_called() {
    let crm = crm().await;
    crm.login(|login| login.valid = 0);
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    crm.login(|login| login.state = "OfflineMaintenance");
    nameplate.until_logged("the tenant Cust12345 is in state OfflineMaintenance and not running", 1).await;
    let (calls, states) = (asked(&crm, "Pocket"), asked(&crm, "/api/state/"));
    until_asked(&crm, "/api/state/", states + 2).await;
    assert_eq!(asked(&crm, "Pocket"), calls);
    crm.login(|login| login.state = "OnlineMaintenance");
    nameplate.until_logged("answers again", 1).await;
    until_asked(&crm, "Pocket", calls + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_connection_its_state_is_asked_again() {
    let mut crm = crm().await;
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    crm.go_down().await;
    nameplate.until_logged("can't reach it", 1).await;
    crm.come_up().await.expect("the stand-in");
    nameplate.until_logged("answers again", 1).await;
    assert!(asked(&crm, "/api/state/") >= 2);
}
