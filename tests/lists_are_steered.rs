//! `nameplate refresh` and `nameplate sources` steer and show the lists, with and without a running service.

use serde_json::Value;

use crate::lab::call::{CRM_PASSWORD, config, fjord};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::superoffice::{Fault, Record, StandIn};

fn folder(crm: &StandIn) -> Folder {
    // Asked for once an hour: what comes in between was ordered.
    let config = config(&crm.api_url(), "http://127.0.0.1:9").replace("refresh = \"1s\"", "refresh = \"1h\"");
    let folder = Folder::new(&config);
    folder.write("superoffice.password", CRM_PASSWORD);
    folder
}

/// Runs a command; its status and all that it said.
fn run(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    // The stand-in goes on meanwhile.
    let output = tokio::task::block_in_place(|| folder.run(arguments));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

async fn service(crm: &StandIn) -> Nameplate {
    let nameplate = folder(crm).serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

fn changed() -> Vec<Record> {
    let mut records = fjord();
    records[0] = Record::person(47, 22_334_455, (654, "Kari Berg"), (243, "Fjord Sjømat AS"));
    records[3] = Record::company(47, 22_334_499, (243, "Fjord Sjømat AS"));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_asks_the_running_service_and_says_what_changed() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let (status, said) = run(nameplate.folder(), &["refresh"]);
    assert!(status == Some(0) && said.contains("crm: unchanged"), "{said}");
    crm.set_records(changed());
    let (status, said) = run(nameplate.folder(), &["refresh", "crm"]);
    assert!(status == Some(0) && said.contains("crm: 4 entries: 1 new, 1 gone, 1 renamed"), "{said}");
    nameplate.until_logged("directory is in place", 2).await;

    crm.fail(Fault::status(500));
    let (status, said) = run(nameplate.folder(), &["refresh"]);
    assert!(status == Some(1) && said.contains("crm: failed, what is known stays: it answers 500"), "{said}");
    let (status, said) = run(nameplate.folder(), &["sources"]);
    assert!(status == Some(0) && said.contains("last error    it answers 500"), "{said}");
    assert!(said.contains("entries       4") && said.contains(&crm.hash()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_is_shown_and_accepted() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    crm.set_records(Vec::new());
    let (status, said) = run(nameplate.folder(), &["refresh"]);
    assert!(status == Some(1) && said.contains("a list of 0 entries is held back; 4 stay in use"), "{said}");
    let (_, said) = run(nameplate.folder(), &["sources"]);
    assert!(said.contains("held back     a list of 0 entries"), "{said}");
    let (status, said) = run(nameplate.folder(), &["refresh", "crm", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 3 gone"), "{said}");
    nameplate.until_logged("numbers=0", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_it_runs_alone_and_lookup_reads_what_it_wrote() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = folder(&crm);
    let (status, said) = run(&folder, &["refresh"]);
    assert!(status == Some(0) && said.contains("crm: 4 entries: 3 new, 0 gone"), "{said}");
    let asked = crm.count();
    let output = tokio::task::block_in_place(|| folder.run(&["lookup", "--json", "22334455"]));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["person"]["name"], "Kari Nordmann");
    assert_eq!(crm.count(), asked, "lookup reads the list in place");
    let (status, said) = run(&folder, &["sources"]);
    assert!(status == Some(0) && said.contains("the service is not running"), "{said}");
    assert!(said.contains("entries       4"), "{said}");
    let (status, said) = run(&folder, &["refresh", "nobody"]);
    assert!(status == Some(1) && said.contains("no source or list `nobody`; there are crm"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_dir_has_one_service() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let (status, said) = run(nameplate.folder(), &["serve"]);
    assert!(status == Some(1) && said.contains("another nameplate runs with the same state_dir"), "{said}");
}
