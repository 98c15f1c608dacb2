//! Every way of signing in to SuperOffice works against a server that refuses anything else; what ends is
//! renewed, once, and a refusal says what to do.

use std::process::Output;
use std::time::Duration;

use serde_json::json;

use crate::lab::call::fjord;
use crate::lab::configuration::superoffice_alone;
use crate::lab::nameplate::{Folder, Nameplate, project};
use crate::lab::superoffice::login::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SYSTEM_TOKEN, TENANT};
use crate::lab::superoffice::{Credential, StandIn};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";
const SOON: Duration = Duration::from_secs(20);
const TICKET: &str = "7T:ticket==";

async fn crm() -> StandIn {
    StandIn::start(fjord()).await.expect("the stand-in")
}

/// A configuration with one CRM at `place`, and a PBX that is not there.
fn config(place: &str, auth: &str) -> String {
    superoffice_alone(&format!("{place}\nauth = {{ {auth} }}\nrefresh = \"1s\""))
}

fn onsite(crm: &StandIn, auth: &str) -> String {
    config(&format!("api = \"{}\"", crm.api_url()), auth)
}

fn online(crm: &StandIn, auth: &str) -> String {
    config(&format!("tenant = \"{TENANT}\"\nhost = \"{}\"", crm.host()), auth)
}

fn with_refresh_token(crm: &StandIn) -> Folder {
    crm.set_credential(Credential::Bearer("nobody has it yet".into()));
    crm.set_app_token(CLIENT_SECRET);
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret_file = \"client.secret\", refresh_token_file = \"refresh.token\""
    );
    let folder = Folder::new(&online(crm, &auth));
    folder.write("client.secret", CLIENT_SECRET);
    folder.write("refresh.token", format!("{REFRESH_TOKEN}\n"));
    folder
}

fn with_system_user(crm: &StandIn, key: &str) -> Folder {
    crm.set_credential(Credential::Ticket("nobody has it yet".into()));
    crm.set_app_token(CLIENT_SECRET);
    let auth = format!(
        "type = \"system_user\", system_token = \"{SYSTEM_TOKEN}\", client_secret = \"{CLIENT_SECRET}\", private_key_file = \"private.key\""
    );
    let folder = Folder::new(&online(crm, &auth));
    folder.write("private.key", std::fs::read(project().join("tests/data").join(key)).expect("a key"));
    folder
}

async fn lookup(folder: Folder) -> Output {
    tokio::task::spawn_blocking(move || folder.run(&["lookup", "22334455"])).await.expect("a lookup")
}

async fn kari_is_found(folder: Folder) {
    let output = lookup(folder).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with(KARI), "{out}{err}");
}

async fn refused(folder: Folder) -> String {
    let output = lookup(folder).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for secret in [CLIENT_SECRET, REFRESH_TOKEN, SYSTEM_TOKEN, TICKET] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

/// How often the path was asked for.
fn asked(crm: &StandIn, path: &str) -> usize {
    crm.requests().iter().filter(|request| request.path.contains(path)).count()
}

/// Waits until so many more calls for caller ids were answered with 200.
async fn answered(crm: &StandIn, more: usize) {
    let good = || {
        let is_good = |status: Option<(u16, _)>| status.is_some_and(|(status, _)| status == 200);
        crm.requests()
            .iter()
            .filter(|request| request.path.contains("Pocket") && is_good(request.answered))
            .count()
    };
    let (before, begun) = (good(), std::time::Instant::now());
    while good() < before + more {
        assert!(begun.elapsed() < SOON, "{:?}", crm.requests().last());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_a_bearer_token_and_a_browsers_session() {
    let crm = crm().await;
    crm.set_app_token("app token");
    let xsrf = Credential::Xsrf { token: "x-token".into(), cookie: "SoSession=1; XSRF=2".into() };
    for (credential, auth) in [
        (Credential::Ticket(TICKET.into()), format!("type = \"ticket\", ticket = \"{TICKET}\"")),
        (Credential::Bearer("8A:Cust.x".into()), "type = \"bearer\", token = \"8A:Cust.x\"".into()),
        (xsrf, "type = \"xsrf\", token = \"x-token\", cookie = \"SoSession=1; XSRF=2\"".into()),
    ] {
        crm.set_credential(credential);
        let token = "app_token_file = \"app.token\"\nso_language = \"no\"\nso_culture = \"nb-NO\"\nso_timezone = \"W. Europe Standard Time\"\nrefresh";
        let folder = Folder::new(&onsite(&crm, &auth).replace("refresh", token));
        folder.write("app.token", "app token\n");
        kari_is_found(folder).await;
        let request = crm.requests().pop().expect("a request");
        assert_eq!(request.header("SO-Language"), Some("no"));
        assert_eq!(request.header("SO-Culture"), Some("nb-NO"));
        assert_eq!(request.header("SO-TimeZone"), Some("W. Europe Standard Time"));
        assert_eq!(request.header("Accept-Language"), Some("en"));
    }
    assert_eq!(crm.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_another_program_renews_in_its_file() {
    let crm = crm().await;
    crm.set_credential(Credential::Ticket("7T:first".into()));
    let folder = Folder::new(&onsite(&crm, "type = \"ticket\", ticket_file = \"ticket\""));
    folder.write("ticket", "7T:first\n");
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    crm.set_credential(Credential::Ticket("7T:second".into()));
    nameplate.folder().write("ticket", "7T:second\n");
    answered(&crm, 2).await;
    // A wrong one is tried once at each time, never twice: there is no other one to be had.
    crm.set_credential(Credential::Ticket("7T:third".into()));
    nameplate.until_logged("it refuses the credential", 1).await;
    let refused = crm.requests().iter().filter(|r| r.answered.is_some_and(|(s, _)| s == 401)).count();
    assert!(refused <= 2, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_exchanged_and_kept() {
    let crm = crm().await;
    let nameplate = with_refresh_token(&crm).serve();
    nameplate.until_logged("directory is in place", 1).await;
    answered(&crm, 2).await;
    assert_eq!(crm.login(|login| login.issued), 1, "one access token for many calls");
    // Taken away before its end: one renewal with the same refresh token, and no refresh fails.
    crm.set_credential(Credential::Bearer("another".into()));
    answered(&crm, 2).await;
    assert_eq!(crm.login(|login| login.issued), 2);
    assert!(!nameplate.log().contains("refresh failed"), "{}", nameplate.log());
    assert!(!nameplate.log().contains("8A:"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_renewed_before_it_ends() {
    let crm = crm().await;
    // It is renewed a second before, so that a busy machine has time for it.
    crm.login(|login| login.expires_in = 10);
    let nameplate = with_refresh_token(&crm).serve();
    nameplate.until_logged("directory is in place", 1).await;
    let begun = std::time::Instant::now();
    while crm.login(|login| login.issued) < 2 {
        assert!(begun.elapsed() < SOON, "{}", nameplate.log());
        answered(&crm, 1).await;
    }
    answered(&crm, 3).await;
    assert!(!crm.requests().iter().any(|request| request.answered.is_some_and(|(status, _)| status == 401)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_user_with_a_key_in_every_form() {
    let crm = crm().await;
    for (place, form) in (1..).zip([
        "test-only-partner-key.pem",
        "test-only-partner-key.pkcs1.pem",
        "test-only-partner-key.xml",
    ]) {
        kari_is_found(with_system_user(&crm, form)).await;
        assert_eq!(crm.login(|login| login.issued), place);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_users_ticket_is_fetched_again_only_after_a_401() {
    let crm = crm().await;
    let nameplate = with_system_user(&crm, "test-only-partner-key.pem").serve();
    nameplate.until_logged("directory is in place", 1).await;
    answered(&crm, 3).await;
    assert_eq!(asked(&crm, "Authenticate"), 1);
    crm.set_credential(Credential::Ticket("7T:another".into()));
    answered(&crm, 3).await;
    assert_eq!(asked(&crm, "Authenticate"), 2);
    assert!(!nameplate.log().contains("refresh failed"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_whatever_it_gave_is_not_stormed() {
    let crm = crm().await;
    let folder = with_system_user(&crm, "test-only-partner-key.pem");
    crm.set_app_token("something else");
    let said = refused(folder).await;
    assert!(said.contains("it refuses the credential (401 Unauthorized)"), "{said}");
    assert_eq!((asked(&crm, "Authenticate"), asked(&crm, "Pocket")), (1, 1));
}

/// Five selections, each of which is asked for in turn.
fn five_selections(crm: &StandIn, config: &str) -> Folder {
    (1..=5).for_each(|id| crm.set_selection(id, fjord()));
    let lines = "refresh = \"1h\"\nselections = [1, 2, 3, 4, 5]";
    let folder = Folder::new(&config.replace("refresh = \"1s\"", lines));
    folder.write("client.secret", CLIENT_SECRET);
    folder.write("refresh.token", REFRESH_TOKEN);
    folder
}

async fn order(nameplate: &Nameplate) {
    let output = tokio::task::block_in_place(|| nameplate.folder().run(&["refresh"]));
    assert_eq!(output.status.code(), Some(1));
}

/// A domain locks an account after a few wrong passwords.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_for_all_lists_of_a_source() {
    let crm = crm().await;
    let auth = "type = \"basic\", username = \"nameplate\", password = \"wrong\"";
    let nameplate = five_selections(&crm, &onsite(&crm, auth)).serve();
    nameplate.until_logged("it refuses the credential", 5).await;
    assert_eq!(crm.count(), 1, "{}", nameplate.log());
    // By order once more.
    order(&nameplate).await;
    assert_eq!(crm.count(), 2, "{}", nameplate.log());
    // The same without the service.
    drop(nameplate);
    let folder = five_selections(&crm, &onsite(&crm, auth));
    assert_eq!(tokio::task::block_in_place(|| folder.run(&["refresh"])).status.code(), Some(1));
    assert!(refused(folder).await.contains("it refuses the credential"));
    assert_eq!(crm.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_accepted_and_has_changed_is_sent_for_few_of_ten_lists() {
    let crm = crm().await;
    crm.set_credential(Credential::basic("nameplate", "of old"));
    let auth = "type = \"basic\", username = \"nameplate\", password = \"of old\"";
    (1..=10).for_each(|id| crm.set_selection(id, fjord()));
    let selections = (1..=10).collect::<Vec<_>>();
    let lines = format!("refresh = \"1h\"\nselections = {selections:?}");
    let config = onsite(&crm, auth).replace("refresh = \"1s\"", &lines);
    let nameplate = Folder::new(&config).serve();
    nameplate.until_logged("new list", 10).await;
    crm.set_credential(Credential::basic("nameplate", "changed"));
    order(&nameplate).await;
    let refused = crm.requests().iter().filter(|r| r.answered.is_some_and(|(s, _)| s == 401)).count();
    assert!((1..=3).contains(&refused), "{refused}: {}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_is_tried_once_for_all_lists_of_a_source() {
    let crm = crm().await;
    crm.login(|login| login.refusal = Some((400, json!({"error": "invalid_grant"}))));
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret_file = \"client.secret\", refresh_token_file = \"refresh.token\""
    );
    let nameplate = five_selections(&crm, &online(&crm, &auth)).serve();
    nameplate.until_logged("the refresh token is revoked", 5).await;
    assert_eq!(asked(&crm, "oauth/tokens"), 1, "{}", nameplate.log());
    order(&nameplate).await;
    assert_eq!(asked(&crm, "oauth/tokens"), 2, "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_service_one_login_serves_all_lists_of_a_source() {
    let crm = crm().await;
    crm.set_credential(Credential::Bearer("nobody has it yet".into()));
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret_file = \"client.secret\", refresh_token_file = \"refresh.token\""
    );
    let folder = five_selections(&crm, &online(&crm, &auth));
    kari_is_found(folder).await;
    assert_eq!(asked(&crm, "oauth/tokens"), 1);
    let folder = five_selections(&crm, &online(&crm, &auth));
    assert_eq!(tokio::task::block_in_place(|| folder.run(&["refresh"])).status.code(), Some(0));
    assert_eq!(asked(&crm, "oauth/tokens"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_401_is_one_renewal_for_all_lists_of_a_source() {
    let crm = crm().await;
    crm.set_credential(Credential::Bearer("nobody has it yet".into()));
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret_file = \"client.secret\", refresh_token_file = \"refresh.token\""
    );
    let nameplate = five_selections(&crm, &online(&crm, &auth)).serve();
    nameplate.until_logged("new list", 5).await;
    assert_eq!(asked(&crm, "oauth/tokens"), 1);
    crm.set_credential(Credential::Bearer("another".into()));
    let output = tokio::task::block_in_place(|| nameplate.folder().run(&["refresh"]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(asked(&crm, "oauth/tokens"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_that_another_program_renews_in_its_file() {
    let crm = crm().await;
    crm.set_credential(Credential::Bearer("8A:first".into()));
    let folder = Folder::new(&onsite(&crm, "type = \"bearer\", token_file = \"token\""));
    folder.write("token", "8A:first\n");
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate.folder().write("token", "8A:second\n");
    crm.set_credential(Credential::Bearer("8A:second".into()));
    answered(&crm, 2).await;
    assert!(!nameplate.log().contains("8A:"), "{}", nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_to_do() {
    let crm = crm().await;
    for (code, message, said) in [
        (1, "Revoked", "the customer revoked the application"),
        (5, "Needs reapproval", "needs reapproval: an administrator of SuperOffice has to approve it again"),
        (7, "Invalid signature", "private_key does not belong to the public key"),
    ] {
        let body = json!({"IsSuccessful": false, "Token": null, "ErrorMessage": message, "ErrorCode": code});
        crm.login(|login| login.refusal = Some((200, body)));
        let error = refused(with_system_user(&crm, "test-only-partner-key.pem")).await;
        assert!(error.contains(said), "{error}");
    }
    // The clock: by how much it is wrong.
    let body = json!({"IsSuccessful": false, "ErrorMessage": "Invalid timestamp"});
    let slow = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - 725).expect("a time");
    let date = slow.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    crm.login(|login| (login.refusal, login.date) = (Some((200, body)), Some(date)));
    let error = refused(with_system_user(&crm, "test-only-partner-key.pem")).await;
    assert!(error.contains("the clock of this machine is 12m"), "{error}");
    assert!(error.contains("ahead of the server's"), "{error}");

    crm.login(|login| (login.refusal, login.date) = (Some((400, json!({"error": "invalid_grant"}))), None));
    let error = refused(with_refresh_token(&crm)).await;
    assert!(error.contains("the refresh token is revoked or expired"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_host_in_trouble_is_no_refusal() {
    let crm = crm().await;
    crm.login(|login| login.page = Some(502));
    let said = refused(with_refresh_token(&crm)).await;
    assert!(said.contains("it answers 502 Bad Gateway") && !said.contains("is refused"), "{said}");
    crm.login(|login| login.page = Some(200));
    let said = refused(with_refresh_token(&crm)).await;
    assert!(said.contains("the state of the tenant Cust12345 can't be used: 200 OK with"), "{said}");
    assert!(said.contains("not the JSON of a tenant's state"), "{said}");
    // It is asked again as soon as it may be, though the list's own schedule is an hour.
    crm.login(|login| login.page = Some(503));
    let folder = with_refresh_token(&crm);
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret_file = \"client.secret\", refresh_token_file = \"refresh.token\""
    );
    folder.configure(&online(&crm, &auth).replace("\"1s\"", "\"1h\""));
    let nameplate = folder.serve();
    nameplate.until_logged("it answers 503", 1).await;
    crm.login(|login| login.page = None);
    nameplate.until_logged("directory is in place", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token_is_not_believed() {
    let crm = crm().await;
    crm.login(|login| login.forges = true);
    let error = refused(with_system_user(&crm, "test-only-partner-key.pem")).await;
    assert!(error.contains("no key of the login host has signed it"), "{error}");
    assert_eq!(asked(&crm, "Pocket"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_than_the_partners_is_refused() {
    let crm = crm().await;
    let error = refused(with_system_user(&crm, "test-only-login-key.pem")).await;
    assert!(error.contains("private_key does not belong to the public key"), "{error}");
}
