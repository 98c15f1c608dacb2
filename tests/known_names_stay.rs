//! A name that was known stays known, whatever the CRM answers; and why it failed is said, once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::lab::call::{Lab, fjord};
use crate::lab::configuration::{CRM_PASSWORD, config, crm_alone, crm_folder, folder, superoffice_alone};
use crate::lab::nameplate::Folder;
use crate::lab::sip::Invite;
use crate::lab::superoffice::login::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TENANT};
use crate::lab::superoffice::{Credential, Fault, Record, StandIn, Unchanged};

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// How long the CRM may take to be asked again; its schedule is a second here.
const SOON: Duration = Duration::from_secs(20);

async fn kari_is_known(lab: &Lab) {
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), KARI, "{}", lab.nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn through_every_failure_of_the_crm() {
    let lab = Lab::start(fjord()).await;
    kari_is_known(&lab).await;
    let faults = [
        (
            Fault::status(500),
            "it answers 500 Internal Server Error: `mask` hides its words (SoServerException)",
        ),
        (Fault::login_page(), "the answer is no collection of caller ids"),
        (Fault::message(), "it answers with a message in place of caller ids"),
        (Fault::empty_list(), "a list of 0 entries is held back"),
        (Fault::Truncated, "the answer broke off"),
        (Fault::Dropped, "can't reach it"),
        (Fault::status(401), "it refuses the credential (401 Unauthorized)"),
    ];
    for (round, (fault, said)) in (1..).zip(faults) {
        // Another set, so that the answer has something to break.
        lab.crm.set_records([fjord(), vec![Record::company(47, 22_000_000, (1, said))]].concat());
        lab.crm.fail(fault);
        lab.nameplate.until_logged(said, 1).await;
        kari_is_known(&lab).await;
        lab.crm.heal();
        lab.nameplate.until_logged("answers again", round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_says_why_it_says_it_once() {
    let lab = Lab::start(fjord()).await;
    lab.crm.fail(Fault::status(503));
    lab.nameplate.until_logged("it answers 503", 1).await;
    let asked = lab.crm.count();
    assert!(lab.crm.until_count(asked + 1, SOON).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = lab.nameplate.log();
    assert_eq!(log.matches("it answers 503").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn null_to_a_question_for_the_whole_set_is_a_failure() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.fail(Fault::null());
    let nameplate = crm_folder(&crm_alone(&crm)).serve();
    nameplate.until_logged("it answers without a set though the whole set was asked for", 1).await;
    crm.heal();
    nameplate.until_logged("directory is in place", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_shrunk_is_taken_when_it_comes_the_third_time() {
    let lab = Lab::start(fjord()).await;
    let married = Record::person(47, 22_334_455, (654, "Kari Berg"), (243, "Fjord Sjømat AS"));
    lab.crm.set_records(vec![married]);
    lab.nameplate
        .until_logged("a list of 1 entries is held back, 4 are known: until it has come 2 times more", 1)
        .await;
    kari_is_known(&lab).await;
    lab.nameplate.until_logged("until it has come 1 times more", 1).await;
    lab.nameplate.until_logged("directory is in place", 2).await;
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), "Kari Berg (Fjord Sjømat AS)");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_and_with_the_crm_down() {
    let mut lab = Lab::start(fjord()).await;
    lab.nameplate.signal("KILL");
    lab.nameplate.ended().await;
    lab.crm.go_down().await;
    lab.nameplate = lab.nameplate.again();
    lab.nameplate.until_logged("connected; answers go over", 2).await;
    kari_is_known(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_list_is_set_aside_and_said() {
    let mut lab = Lab::start(fjord()).await;
    lab.nameplate.signal("TERM");
    lab.nameplate.ended().await;
    let list = lab.nameplate.folder().path("state/lists/crm.list");
    let mut bytes = std::fs::read(&list).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(&list, bytes).unwrap();
    // Its copy is served, before the CRM has said anything.
    lab.crm.fail(Fault::Silent);
    lab.nameplate = lab.nameplate.again();
    lab.nameplate.until_logged("crm.list is damaged: its checksum is wrong", 1).await;
    lab.nameplate.until_logged("the list's copy is used", 1).await;
    lab.nameplate.until_logged("connected; answers go over", 2).await;
    kari_is_known(&lab).await;
    let aside = std::fs::read_dir(list.parent().unwrap()).unwrap().flatten();
    assert!(
        aside.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("crm.list.damaged-"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_arrives_on_schedule_and_an_unchanged_set_costs_nothing() {
    let lab = Lab::start(fjord()).await;
    for unchanged in [Unchanged::Null, Unchanged::Empty, Unchanged::NoContent] {
        lab.crm.set_unchanged(unchanged);
        let asked = lab.crm.count();
        assert!(lab.crm.until_count(asked + 2, SOON).await);
    }
    // Each further question carried the hash of the set that is in use.
    let requests = lab.crm.requests();
    assert_eq!(requests[0].json()["LastHash"], "");
    assert!(requests[1..].iter().all(|request| request.json()["LastHash"] == lab.crm.hash()));
    assert!(requests.iter().all(|request| request.header("Accept-Language") == Some("en")));
    assert_eq!(lab.nameplate.log().matches("directory is in place").count(), 1, "{}", lab.nameplate.log());

    let mut married = fjord();
    married[0] = Record::person(47, 22_334_455, (654, "Kari Berg"), (243, "Fjord Sjømat AS"));
    lab.crm.set_records(married);
    lab.nameplate.until_logged("directory is in place", 2).await;
    let (_, ring) = lab.ring(Invite::from("22334455")).await;
    assert_eq!(ring.name(), "Kari Berg (Fjord Sjømat AS)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_changed_is_read_again_from_its_file() {
    let lab = Lab::start(fjord()).await;
    lab.crm.set_credential(Credential::basic("nameplate", "new"));
    lab.nameplate.until_logged("it refuses the credential", 1).await;
    lab.nameplate.folder().write("superoffice.password", "new\n");
    lab.nameplate.until_logged("answers again", 1).await;
    let log = lab.nameplate.log();
    assert!(!log.contains(CRM_PASSWORD), "{log}");
    kari_is_known(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_used_cost_only_themselves() {
    let ola = Record::person(47, 22_500_000, (1, "Ola Hansen"), (0, ""));
    let records = [crate::lab::people::dirty(), vec![ola]].concat();
    let lab = Lab::start(records).await;
    let (_, ring) = lab.ring(Invite::from("22500000")).await;
    assert_eq!(ring.name(), "Ola Hansen");
    let log = lab.nameplate.log();
    // The API page's own sample has the number 99.99.
    assert!(log.contains("fraction (record") && log.contains("number 99.99"), "{log}");
}

/// However much is logged, and whatever the CRM answers.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_names_are_masked_in_the_log() {
    let mut lab = Lab::start(fjord()).await;
    lab.nameplate.signal("TERM");
    lab.nameplate.ended().await;
    lab.nameplate = lab.nameplate.again_with(&[("NAMEPLATE_LOG", "trace")]);
    lab.nameplate.until_logged("connected; answers go over", 2).await;
    kari_is_known(&lab).await;
    lab.ring(Invite::from("+46701234567").named("OSLO")).await;
    // A number may be a name.
    lab.ring(Invite::from("kari.nordmann").named("OSLO")).await;
    let records = r#"[{"PersonName":"Kari Nordmann","PhoneNumber":"22 33 44 55"}]"#;
    let faults = [
        (200, records),
        (200, r#"{"CallerIDs":"Kari Nordmann 22334455"}"#),
        (200, r#"{"Message":"22 33 44 55"}"#),
        (200, r#"{"Message":"Kari Nordmann is locked"}"#),
        (200, r#"{"Kari Nordmann":{"22334455":1}}"#),
        (200, "<CallerIDs><PersonName>Kari Nordmann</PersonName>22334455</CallerIDs>"),
        (200, "Kari Nordmann;22334455"),
        (500, r#"{"ErrorType":"SoException","ErrorMessage":"Kari Nordmann (22334455) is locked"}"#),
        (401, "Kari Nordmann has no rights"),
    ];
    for (round, (status, body)) in (1..).zip(faults) {
        lab.crm.fail(Fault::body(status, body));
        lab.nameplate.until_logged("refresh failed", round).await;
    }
    let log = lab.nameplate.log();
    let credential = BASE64.encode(format!("nameplate:{}", lab.asterisk.ari_password()));
    assert!(!log.contains(&credential), "{log}");
    for secret in [
        "22 33 44 55",
        "22334455",
        "46701234567",
        "Kari",
        "Nordmann",
        "kari",
        "nordmann",
        "OSLO",
        CRM_PASSWORD,
        lab.asterisk.ari_password(),
    ] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    assert!(log.contains("+46•••••••67"), "{log}");
}

/// Whose list it is does not change while a credential can't be read, so that the guard knows how large it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_cannot_be_read_at_the_start_does_not_lift_the_guard() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.set_credential(Credential::Bearer("nobody has it yet".into()));
    crm.set_app_token(CLIENT_SECRET);
    let auth = format!(
        "type = \"refresh_token\", client_id = \"{CLIENT_ID}\", client_secret = \"{CLIENT_SECRET}\", refresh_token_file = \"refresh.token\""
    );
    let place = format!("tenant = \"{TENANT}\"\nhost = \"{}\"", crm.host());
    let config = superoffice_alone(&format!("{place}\nauth = {{ {auth} }}\nrefresh = \"1s\""));
    let folder = Folder::new(&config);
    folder.write("refresh.token", REFRESH_TOKEN);
    let nameplate = folder.serve();
    nameplate.until_logged("new list", 1).await;
    std::fs::remove_file(nameplate.folder().path("refresh.token")).expect("it is there");
    crm.set_records(vec![Record::company(47, 22_334_400, (243, "Fjord Sjømat AS"))]);
    let nameplate = nameplate.again();
    nameplate.until_logged("can't read the secret in", 1).await;
    nameplate.folder().write("refresh.token", REFRESH_TOKEN);
    nameplate.until_logged("a list of 1 entries is held back, 4 are known", 1).await;
    assert_eq!(nameplate.log().matches("new list").count(), 1, "{}", nameplate.log());
}

/// One that was changed by mistake, or whose new user knows next to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn another_question_has_the_guard_too() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let few = vec![Record::company(47, 22_334_400, (243, "Fjord Sjømat AS"))];
    crm.add_user(Credential::basic("other", CRM_PASSWORD), few);
    let nameplate = crm_folder(&crm_alone(&crm)).serve();
    nameplate.until_logged("new list", 1).await;
    nameplate.folder().configure(
        &crm_alone(&crm)
            .replace("username = \"nameplate\", password_file", "username = \"other\", password_file"),
    );
    let nameplate = nameplate.again();
    nameplate.until_logged("directory is in place numbers=3 lists=from disk", 1).await;
    nameplate
        .until_logged("a list of 1 entries is held back, 4 are known: until it has come 2 times more", 1)
        .await;
    nameplate.until_logged("until it has come 1 times more", 1).await;
    nameplate.until_logged("new list: 0 new, 2 gone, 0 renamed", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_source_answers_before_a_later_one() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let lab = Lab::start(fjord()).await;
    let vip = r#"
        [[source]]
        name = "vip"
        type = "csv"
        path = "vip.csv"
        refresh = "1s"
        [[source]]
        name = "crm""#;
    let config = config(&crm.api_url(), &lab.asterisk.http_url());
    let folder = folder(&crm, &lab.asterisk);
    folder.configure(&config.replace("[[source]]\nname = \"crm\"", vip));
    folder.write("vip.csv", "number,person,company\n22334455,Kari the Great,\n22334498,Anybody,\n");
    drop(lab.nameplate);
    let nameplate = folder.serve();
    nameplate.until_logged("connected; answers go over", 1).await;
    nameplate.until_logged("list=vip", 1).await;
    nameplate.until_logged("list=crm", 1).await;
    // Three are the CRM's; the fourth is there when both lists are.
    nameplate.until_logged("numbers=4", 1).await;
    let ring = |number: &'static str| {
        crate::lab::call::ring(&lab.caller, &lab.phone, Invite::from(number), || nameplate.log())
    };
    assert_eq!(ring("22334455").await.1.name(), "Kari the Great");
    assert_eq!(ring("22334400").await.1.name(), "Fjord Sjømat AS");
    // Taken out of the file, the CRM's answer counts again.
    nameplate.folder().write("vip.csv", "number,person,company\n22334498,Anybody,\n22334499,Somebody,\n");
    nameplate.until_logged("numbers=5", 1).await;
    assert_eq!(ring("22334455").await.1.name(), KARI);
}
