//! `nameplate refresh` and `nameplate sources` steer and show the lists, with and without a running service.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::call::fjord;
use crate::lab::configuration::{CRM_PASSWORD, crm_alone, crm_folder, further};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::superoffice::{Credential, Fault, Record, StandIn};

mod terminal;

fn folder(crm: &StandIn) -> Folder {
    // Asked for once an hour: what comes in between was ordered.
    crm_folder(&crm_alone(crm).replace("refresh = \"1s\"", "refresh = \"1h\""))
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
    let (status, said) = nameplate.folder().said(&["refresh"]);
    assert!(status == Some(0) && said.contains("crm: unchanged"), "{said}");
    crm.set_records(changed());
    let (status, said) = nameplate.folder().said(&["refresh", "crm"]);
    assert!(status == Some(0) && said.contains("crm: 4 entries: 1 new, 1 gone, 1 renamed"), "{said}");
    nameplate.until_logged("directory is in place", 2).await;

    crm.fail(Fault::status(500));
    let (status, said) = nameplate.folder().said(&["refresh"]);
    assert!(status == Some(1) && said.contains("crm: failed, what is known stays: it answers 500"), "{said}");
    let (status, said) = nameplate.folder().said(&["sources"]);
    assert!(status == Some(0) && said.contains("last error    it answers 500"), "{said}");
    assert!(said.contains("entries       4") && said.contains(&crm.hash()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_is_shown_and_accepted() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    crm.set_records(Vec::new());
    let (status, said) = nameplate.folder().said(&["refresh"]);
    assert!(status == Some(1) && said.contains("a list of 0 entries is held back; 4 stay in use"), "{said}");
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("held back     a list of 0 entries"), "{said}");
    let (status, said) = nameplate.folder().said(&["refresh", "crm", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 0 entries: 0 new, 3 gone"), "{said}");
    nameplate.until_logged("numbers=0", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_has_shrunk_is_taken_by_order() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    crm.set_records(fjord().split_off(3));
    let (status, said) = nameplate.folder().said(&["refresh"]);
    let held = "a list of 1 entries is held back, until it has come 2 times more; 4 stay in use";
    assert!(status == Some(1) && said.contains(held), "{said}");
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("held back     a list of 1 entries, seen 1 times"), "{said}");
    let (status, said) = nameplate.folder().said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 1 entries: 0 new, 2 gone"), "{said}");
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(!said.contains("held back") && said.contains("entries       1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_nobody_counts_how_often_a_list_has_come() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = folder(&crm);
    assert_eq!(folder.said(&["refresh"]).0, Some(0));
    crm.set_records(fjord().split_off(3));
    for _ in 0..3 {
        let (status, said) = folder.said(&["refresh"]);
        let held =
            "a list of 1 entries is held back; 4 stay in use. `nameplate refresh crm --accept` takes it";
        assert!(status == Some(1) && said.contains(held), "{said}");
    }
    // Where it can't be written, it is not taken, and stays held back for the next order.
    let blocked = folder.path("state/lists/crm.list.new");
    std::fs::create_dir(&blocked).expect("a folder in the way");
    for arguments in [&["refresh", "--accept"][..], &["refresh", "crm", "--accept"]] {
        let (status, said) = folder.said(arguments);
        assert!(status == Some(1) && said.contains("crm: not on disk: "), "{status:?} {said}");
    }
    std::fs::remove_dir(&blocked).expect("no folder in the way");
    let (status, said) = folder.said(&["refresh", "--accept"]);
    assert!(status == Some(0) && said.contains("crm: 1 entries: 0 new, 2 gone"), "{said}");
}

/// The hash that the last question carried.
fn last_hash(crm: &StandIn) -> String {
    crm.requests().pop().unwrap().json()["LastHash"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_or_selection_is_another_question() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let ola = Record::person(47, 22_500_000, (1, "Ola Hansen"), (0, ""));
    crm.add_user(Credential::basic("other", CRM_PASSWORD), vec![ola]);
    crm.set_selection(201, fjord());
    let folder = folder(&crm);
    let config = crm_alone(&crm);
    let _ = folder.said(&["refresh"]);
    let _ = folder.said(&["refresh"]);
    assert_eq!(last_hash(&crm), crm.hash());
    // The hash on disk is that of somebody else's list.
    folder.configure(
        &config.replace("username = \"nameplate\", password_file", "username = \"other\", password_file"),
    );
    let (_, said) = folder.said(&["refresh"]);
    assert_eq!(last_hash(&crm), "", "{said}");
    // It has the guard all the same.
    assert!(said.contains("crm: a list of 1 entries is held back; 4 stay in use"), "{said}");
    let (_, said) = folder.said(&["refresh", "--accept"]);
    assert!(said.contains("crm: 1 entries: 1 new, 3 gone"), "{said}");
    folder.configure(&config.replace("refresh = \"1s\"", "refresh = \"1s\"\nselections = [201]"));
    let (_, said) = folder.said(&["refresh"]);
    assert_eq!(last_hash(&crm), "", "{said}");
    assert!(said.contains("crm-201: 4 entries"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_users_know_is_judged_together() {
    let company = (243, "Fjord Sjømat AS");
    let kari = Record::person(47, 22_334_455, (654, "Kari Nordmann"), company);
    let ola = Record::person(47, 22_334_455, (655, "Ola Hansen"), company);
    let crm = StandIn::start(vec![kari]).await.expect("the stand-in");
    crm.add_user(Credential::basic("other", CRM_PASSWORD), vec![ola]);
    let other = further("other", &crm, "").replace("username = \"nameplate\"", "username = \"other\"");
    let folder = crm_folder(&(crm_alone(&crm) + &other));
    let (status, said) = folder.said(&["refresh"]);
    assert!(
        status == Some(0) && said.contains("crm: 1 entries") && said.contains("other: 1 entries"),
        "{said}"
    );
    // Either user alone would name one of two; together they name whose number it is.
    let (_, said) = folder.said(&["lookup", "22334455"]);
    assert_eq!(said.lines().next(), Some("Fjord Sjømat AS"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_it_runs_alone_and_lookup_reads_what_it_wrote() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = folder(&crm);
    let (status, said) = folder.said(&["refresh"]);
    assert!(status == Some(0) && said.contains("crm: 4 entries: 3 new, 0 gone"), "{said}");
    let asked = crm.count();
    let output = tokio::task::block_in_place(|| folder.run(&["lookup", "--json", "22334455"]));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["person"]["name"], "Kari Nordmann");
    assert_eq!(crm.count(), asked, "lookup reads the list in place");
    let (status, said) = folder.said(&["sources"]);
    assert!(status == Some(0) && said.contains("the service is not running"), "{said}");
    assert!(said.contains("entries       4"), "{said}");
    let (status, said) = folder.said(&["refresh", "nobody"]);
    assert!(status == Some(1) && said.contains("no source or list `nobody`; there are crm"), "{said}");
}

/// What `sources` says behind this word.
fn line<'a>(said: &'a str, word: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix(word));
    line.unwrap_or_else(|| panic!("{word}: {said}")).trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_says_when_the_list_was_taken_and_asked_for_also_before_the_first_answer() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let mut nameplate = service(&crm).await;
    let (_, said) = nameplate.folder().said(&["sources"]);
    let taken = line(&said, "taken").split(' ').next().unwrap().to_owned();
    assert!(line(&said, "taken").ends_with(" s ago)"), "{said}");
    assert!(line(&said, "last success").ends_with(" s ago)"), "{said}");
    // An hour, or half of it: the schedules of many are not in step.
    assert!(line(&said, "next").contains("(in ") && line(&said, "next").ends_with(" min)"), "{said}");

    nameplate.signal("KILL");
    nameplate.ended().await;
    crm.fail(Fault::Silent);
    let nameplate = nameplate.again();
    nameplate.until_logged("directory is in place", 2).await;
    assert!(crm.until_count(crm.count().max(2), Duration::from_secs(20)).await);
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert_eq!(line(&said, "entries"), format!("4 (hash {})", crm.hash()));
    assert!(line(&said, "taken").starts_with(&taken), "{said}");
    assert_eq!((line(&said, "last success"), line(&said, "next")), ("-", "-"));
    assert!(!said.contains("in memory"), "{said}");
}

/// What a refresh says of the list, from its own line on.
fn of_the_list(said: &str) -> String {
    said.lines().skip_while(|line| !line.starts_with("crm: ")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_shown_alike_with_and_without_a_service() {
    let unusable = |number: u64| Record::person(47, number, (7, "Uten Nummer"), (8, "Rot AS"));
    let first = [fjord(), vec![unusable(0)]].concat();
    let second = [fjord(), vec![unusable(0), unusable(7)]].concat();
    let crm = StandIn::start(first.clone()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let alone = folder(&crm);
    let mut seen = Vec::new();
    // The service has asked already.
    let _ = alone.said(&["refresh"]);
    for (records, arguments) in [
        (&first, &["refresh"][..]),
        (&second, &["refresh"]),
        (&second, &["refresh"]),
        (&vec![unusable(0)], &["refresh"]),
        (&vec![unusable(0)], &["refresh", "--accept"]),
    ] {
        crm.set_records(records.clone());
        let (_, beside) = nameplate.folder().said(arguments);
        let (_, without) = alone.said(arguments);
        assert_eq!(of_the_list(&beside), of_the_list(&without));
        seen.push(of_the_list(&beside));
    }
    for (said, (begins, count)) in seen.iter().zip([
        ("unchanged", 1),
        ("4 entries", 2),
        ("unchanged", 2),
        ("a list of 0", 1),
        ("0 entries", 1),
    ]) {
        let reasons = said.lines().filter(|line| line.starts_with("  can't be used: 1 ")).count();
        assert!(said.starts_with(&format!("crm: {begins}")) && reasons == count, "{said}");
        assert!(said.contains(": record 1: "), "{said}");
    }
    // Also after a new start, before the CRM has sent the set again, and where no service runs.
    let (_, said) = alone.said(&["sources"]);
    assert!(said.contains("can't be used 1 "), "{said}");
    crm.fail(Fault::Silent);
    let nameplate = nameplate.again();
    nameplate.until_logged("nameplate starts", 2).await;
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("can't be used 1 "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_in_two_ways_is_counted_and_used() {
    // 0151 12345678, or 04915 112345678; and a number of a machine, whose length no plan knows.
    let german = Record::person(49, 4_915_112_345_678, (7, "Anna"), (8, "Rot GmbH"));
    let machine = Record::person(47, 580_012_345_678, (9, "Heis"), (8, "Rot GmbH"));
    let crm = StandIn::start([fjord(), vec![german, machine]].concat()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let wanted = [
        "1 can be read in two ways: record 6: number •••••••••••78, prefix 49, person 7, contact 8",
        "1 of a length that the numbering plan does not know: record 5: ",
    ];
    for arguments in [["refresh"], ["sources"]] {
        let (_, said) = nameplate.folder().said(&arguments);
        assert!(
            wanted.iter().all(|wanted| said.contains(wanted)) && !said.contains("can't be used"),
            "{said}"
        );
    }
    let shown = |number: &str| nameplate.folder().said(&["lookup", number]).1;
    assert!(shown("+4915112345678").starts_with("Anna (Rot GmbH)\n"), "{}", shown("+4915112345678"));
    assert!(shown("+47580012345678").starts_with("Heis (Rot GmbH)\n"), "{}", shown("+47580012345678"));
    // After a new start the remarks are there as well.
    let nameplate = nameplate.again();
    nameplate.until_logged("nameplate starts", 2).await;
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(wanted.iter().all(|wanted| said.contains(wanted)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_shown_masked() {
    let long = Record::person(47, 22_334_455_667_788_990, (7, "Uten Nummer"), (8, "Rot AS"));
    let crm = StandIn::start([fjord(), vec![long]].concat()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let is_masked = |said: &str| {
        let masked = "record 5: number •••••••••••••••90, prefix 47, person 7, contact 8";
        let plain = ["22334455667788990", "Nummer", "Rot AS"];
        assert!(said.contains(masked) && !plain.iter().any(|plain| said.contains(plain)), "{said}");
    };
    for folder in [nameplate.folder(), &folder(&crm)] {
        for command in ["refresh", "sources"] {
            let (_, said) = folder.said(&[command]);
            assert!(said.contains("1 too_long: record 5"), "{said}");
            is_masked(&said);
        }
    }
    is_masked(&nameplate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_in_the_middle_of_a_refresh_is_no_success() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    crm.fail(Fault::Silent);
    let asked = crm.count();
    let kill = || {
        let begun = Instant::now();
        while crm.count() == asked && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        nameplate.signal("KILL");
    };
    let (status, said) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope.spawn(kill);
            nameplate.folder().said(&["refresh"])
        })
    });
    assert!(
        status == Some(1) && said.contains("the service has ended before it had asked for all"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_dir_has_one_service() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let (status, said) = nameplate.folder().said(&["serve"]);
    assert!(status == Some(1) && said.contains("another nameplate runs with the same state_dir"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_beside_a_refresh_that_writes_and_one_is_asked_as_soon_as_it_can_be() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let mut nameplate = service(&crm).await;
    nameplate.signal("KILL");
    nameplate.ended().await;
    // A refresh without a service, whose answer does not come.
    crm.fail(Fault::Silent);
    let asked = crm.count();
    let mut alone = nameplate.folder().spawn(&["refresh"]);
    assert!(crm.until_count(asked + 1, Duration::from_secs(20)).await);
    let nameplate = nameplate.again();
    nameplate.until_logged("no list is asked for before `nameplate refresh` (process ", 1).await;
    // What is on disk is served meanwhile.
    nameplate.until_logged("directory is in place", 2).await;
    // A further command waits for whom it can ask. Both look for their turn ten times a second.
    let further = nameplate.folder().spawn(&["refresh"]);
    let beside = crm.until_count(asked + 2, Duration::from_secs(1)).await;
    assert!(!beside, "it is asked beside the refresh:\n{}", nameplate.log());
    crm.heal();
    alone.kill().expect("it runs");
    alone.wait().expect("it ends");
    let further = tokio::task::block_in_place(|| further.wait_with_output().expect("it ends"));
    let said = String::from_utf8_lossy(&further.stdout);
    assert!(further.status.success() && said.contains("crm: unchanged"), "{said}\n{}", nameplate.log());
    assert_eq!(nameplate.log().matches("nameplate starts").count(), 2, "{}", nameplate.log());
}
