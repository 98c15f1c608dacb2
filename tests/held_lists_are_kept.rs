//! A list that is held back is kept on disk: `--accept` takes it as it was shown, whatever the CRM says by then, and a new
//! start forgets nothing of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::people::{crowd, one_of_crowd};
use crate::lab::superoffice::{Fault, Record, StandIn};

const SOON: Duration = Duration::from_secs(20);

/// Asked for once an hour: what comes in between was ordered.
fn folder(crm: &StandIn) -> Folder {
    crm_folder(&crm_alone(crm).replace("refresh = \"1s\"", "refresh = \"1h\""))
}

async fn service(folder: Folder) -> Nameplate {
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_by_order_is_the_list_that_was_shown() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let nameplate = service(folder(&crm)).await;
    crm.set_records(crowd(5));
    let (status, said) = nameplate.folder().said(&["refresh"]);
    let held = "a list of 5 entries is held back, until it has come 2 times more; 20 stay in use. `nameplate refresh crm --accept` takes it: 0 new, 15 gone, 0 renamed; 15 of 20 numbers lose their names (15 gone)";
    assert!(status == Some(1) && said.contains(held), "{said}");
    let (_, said) = nameplate.folder().said(&["sources"]);
    for shown in [
        "held back     a list of 5 entries, seen 1 times; `nameplate refresh crm --accept` takes it",
        "state/lists/crm.held",
        "changes     0 new, 15 gone, 0 renamed",
        "why         15 of 20 numbers lose their names (15 gone)",
    ] {
        assert!(said.contains(shown), "{said}");
    }
    let (_, said) = nameplate.folder().said(&["lookup", &one_of_crowd(3).0]);
    assert!(said.contains("held back crm: another list of 5 entries has come, and is not in use"), "{said}");
    // What the CRM says by now does not matter, nor whether it says anything.
    crm.set_records(Vec::new());
    crm.fail(Fault::status(503));
    let (status, said) = nameplate.folder().said(&["refresh", "crm", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 5 entries: 0 new, 15 gone, 0 renamed"), "{said}");
    nameplate.until_logged("directory is in place numbers=5", 1).await;
    assert!(!nameplate.folder().path("state/lists/crm.held").exists());
    // What is lost by and by is counted, and shown.
    crm.heal();
    crm.set_records(crowd(4));
    let _ = nameplate.folder().said(&["refresh"]);
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("lost          1 entries of 5 numbers since "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_one_that_has_come_meanwhile_is_not_taken_unseen() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let nameplate = service(crm_folder(&crm_alone(&crm))).await;
    // It does not come three times meanwhile.
    crm.set_delay(Duration::from_secs(2));
    crm.set_records(crowd(5));
    nameplate.until_logged("a list of 5 entries is held back", 1).await;
    crm.set_records(Vec::new());
    crm.heal();
    nameplate.until_logged("a list of 0 entries is held back", 1).await;
    let (status, said) = nameplate.folder().said(&["refresh", "--accept"]);
    assert!(status == Some(1), "{said}");
    assert!(
        said.contains("crm: not taken, for another list has come than the one that was shown:"),
        "{said}"
    );
    assert!(said.contains("crm: a list of 0 entries is held back; 20 stay in use"), "{said}");
    // It has been shown now.
    let (status, said) = nameplate.folder().said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 20 gone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_start_keeps_the_count_and_each_answer_may_have_a_hash_of_its_own() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let mut nameplate = service(folder(&crm)).await;
    for (answer, more) in [(1, "2 times more"), (2, "1 times more")] {
        let new = Record::person(47, 22_334_450 + answer, (9_000, "Of This Answer"), (0, ""));
        crm.set_records([crowd(5), vec![new]].concat());
        nameplate.signal("KILL");
        nameplate.ended().await;
        nameplate = nameplate.again();
        nameplate
            .until_logged(
                &format!("a list of 6 entries is held back, 20 are known: until it has come {more}"),
                1,
            )
            .await;
    }
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("a list of 6 entries, seen 2 times"), "{said}");
    crm.set_records(crowd(5));
    let nameplate = nameplate.again();
    nameplate.until_logged("a list that was held back is taken, for it has come 3 times", 1).await;
    nameplate.until_logged("new list: 0 new, 15 gone, 0 renamed", 1).await;
}

/// With and without a service: who says yes to one list has not seen what becomes of another.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_all_takes_only_what_is_held() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    for runs in [true, false] {
        crm.set_selection(201, crowd(20));
        crm.set_selection(202, crowd(20));
        let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1h\"\nselections = [201, 202]");
        let folder = crm_folder(&config);
        let _ = folder.said(&["refresh"]);
        let nameplate = service(folder).await;
        nameplate.until_logged("directory is in place", 1).await;
        crm.set_selection(201, crowd(5));
        let (_, said) = nameplate.folder().said(&["refresh"]);
        assert!(
            said.contains("crm-201: a list of 5 entries") && said.contains("crm-202: unchanged"),
            "{said}"
        );
        crm.set_selection(202, Vec::new());
        let mut nameplate = nameplate;
        if !runs {
            nameplate.kill();
        }
        let (status, said) = nameplate.folder().said(&["refresh", "--accept"]);
        assert!(status == Some(1) && said.contains("crm-201: 5 entries: 0 new, 15 gone"), "{said}");
        assert!(said.contains("crm-202: a list of 0 entries is held back; 20 stay in use"), "{said}");
    }
}

/// The set with this hash.
fn set(hash: &str, records: &[Record]) -> Fault {
    Fault::body(200, &json!({ "CallerIDHash": hash, "CallerIDs": records }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_hash_with_other_data_is_taken() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let nameplate = service(folder(&crm)).await;
    let mut records = crowd(20);
    records[3].person_name = Some("Kari Berg".into());
    crm.fail(set(&crm.hash(), &records));
    for arguments in [&["refresh"][..], &["refresh", "--accept"]] {
        let renamed = if arguments.len() == 1 { "20 entries: 0 new, 0 gone, 1 renamed" } else { "unchanged" };
        let (status, said) = nameplate.folder().said(arguments);
        assert!(status == Some(0) && said.contains(renamed), "{said}");
    }
    let output =
        tokio::task::block_in_place(|| nameplate.folder().run(&["lookup", "--json", &one_of_crowd(3).0]));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["person"]["name"], "Kari Berg");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_acts_on_no_terminal_and_forges_no_line() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    crm.fail(set("a\u{1b}[31mb\n  entries       9\u{202e}", &crowd(3)));
    let folder = folder(&crm);
    let _ = folder.said(&["refresh"]);
    let nameplate = service(folder).await;
    let (_, running) = nameplate.folder().said(&["sources"]);
    let entries = "entries       3 (hash a\\u{1b}[31mb\\n  entries       9\\u{202e})";
    assert!(running.contains(entries) && !running.contains('\u{1b}'), "{running}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_a_later_version_stays_where_it_is() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let folder = folder(&crm);
    std::fs::create_dir_all(folder.path("state/lists")).unwrap();
    folder.write("state/lists/crm.list", "nameplate list 3\nwhatever it holds");
    let nameplate = service(folder).await;
    nameplate
        .until_logged("crm.list is of a later version of nameplate (format 3): it stays where it is", 1)
        .await;
    nameplate.until_logged("the new list is served, but can't be written to disk", 1).await;
    nameplate.until_logged("directory is in place numbers=20", 1).await;
    let (_, said) = nameplate.folder().said(&["refresh"]);
    assert!(said.contains("crm: unchanged"), "{said}");
    assert!(crm.until_count(2, SOON).await);
    let kept = std::fs::read_to_string(nameplate.folder().path("state/lists/crm.list")).unwrap();
    assert_eq!(kept, "nameplate list 3\nwhatever it holds");
    assert!(!nameplate.log().contains("damaged"), "{}", nameplate.log());
}
