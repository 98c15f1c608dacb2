//! A tenant of SuperOffice's cloud is found, followed when it moves, and left alone while it must be.

use std::time::Duration;

use crate::lab::call::fjord;
use crate::lab::configuration::superoffice;
use crate::lab::nameplate::Nameplate;
use crate::lab::superoffice::login::TENANT;
use crate::lab::superoffice::{Credential, StandIn};
use crate::lab::web;

const SOON: Duration = Duration::from_secs(20);

async fn crm() -> StandIn {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.set_credential(Credential::Bearer("8A:x".into()));
    crm.set_app_token("app token");
    crm
}

fn serve(crm: &StandIn) -> Nameplate {
    let host = crm.host();
    Nameplate::serve(&superoffice(&format!(
        r#"tenant = "{TENANT}"
host = "{host}"
app_token = "app token"
auth = {{ type = "bearer", token = "8A:x" }}
refresh = "1s"
[web]
listen = "127.0.0.1:0""#
    )))
}

fn sources(nameplate: &Nameplate) -> String {
    let output = tokio::task::block_in_place(|| nameplate.folder().run(&["sources"]));
    String::from_utf8_lossy(&output.stdout).into_owned()
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
    let said = sources(&nameplate);
    assert!(
        said.contains("tenant        Cust12345 is in state OfflineMaintenance, in which it must not"),
        "{said}"
    );
    let (calls, states) = (asked(&crm, "Pocket"), asked(&crm, "/api/state/"));
    until_asked(&crm, "/api/state/", states + 2).await;
    assert_eq!(asked(&crm, "Pocket"), calls);
    let kari = web::get(web::address(&nameplate).await, "/lookup?number=22334455", "");
    assert_eq!((kari.status, kari.body.as_str()), (200, "Kari Nordmann (Fjord Sjømat AS)"));
    crm.login(|login| login.state = "OnlineMaintenance");
    nameplate.until_logged("answers again", 1).await;
    until_asked(&crm, "Pocket", calls + 1).await;
    let said = sources(&nameplate);
    assert!(said.contains("tenant        Cust12345 is in state OnlineMaintenance\n"), "{said}");
    // Each change is said once, however often the state was asked.
    let log = nameplate.log();
    for (level, state, what) in [
        ("INFO", "Running", "the tenant may be called"),
        ("WARN", "OfflineMaintenance", "the tenant must not be called in this state"),
        ("INFO", "OnlineMaintenance", "the tenant may be called"),
    ] {
        let state = format!("state={state} ");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(what) && line.contains(&state)).collect();
        assert!(lines.len() == 1 && lines[0].contains(level), "{state}{what}:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_state_is_shown_with_the_address_and_its_end() {
    let crm = crm().await;
    let nameplate = serve(&crm);
    nameplate.until_logged("directory is in place", 1).await;
    let said = sources(&nameplate);
    assert!(said.contains("tenant        Cust12345 is in state Running\n"), "{said}");
    assert!(said.contains(&format!("api           {}/online2/{TENANT}/api\n", crm.host())), "{said}");
    let until = said.lines().find(|line| line.contains("state until")).unwrap_or_default();
    assert!(until.ends_with(" (in 59 min)") || until.ends_with(" (in 60 min)"), "{said}");
    // A move shows as well.
    crm.login(|login| login.node = "online7");
    until_asked(&crm, "/online7/", 1).await;
    let said = sources(&nameplate);
    assert!(said.contains(&format!("api           {}/online7/{TENANT}/api\n", crm.host())), "{said}");
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
