//! A number that must not be named, by `[[suppress]]` or by `nameplate forget`, is unnamed from the next call on: by every way,
//! after a refresh and a restart, and for searches. Its record is not on disk. `--undo` brings the name back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::by_every_way;
use crate::lab::call::{Lab, fjord};
use crate::lab::configuration::{crm_alone, crm_folder, onsite, superoffice};
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::sip::Invite;
use crate::lab::superoffice::{Hit, StandIn};
use crate::lab::web;

const KARI: &str = "Kari Nordmann (Fjord Sjømat AS)";

/// The files in `state_dir` that have Kari's name.
fn files_with_kari(folder: &Folder) -> Vec<String> {
    let lists = fs::read_dir(folder.path("state/lists")).into_iter().flatten().flatten();
    let has = |bytes: &[u8]| bytes.windows(13).any(|part| part == b"Kari Nordmann");
    let with_kari = lists.filter(|file| fs::read(file.path()).is_ok_and(|bytes| has(&bytes)));
    with_kari.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

/// Runs the command, which has to succeed and to say this.
fn says(folder: &Folder, arguments: &[&str], expected: &str) {
    let (status, said) = folder.said(arguments);
    assert!(status == Some(0) && said.contains(expected), "{arguments:?}: {status:?} {said}");
}

by_every_way! {
    async fn from_the_next_call_on(way) {
        let lab = Lab::start_by(way, fjord()).await;
        let kari = || Invite::from("22334455").named("OSLO");
        let (_, ring) = lab.ring(kari()).await;
        assert_eq!(ring.name(), KARI);
        assert_eq!(files_with_kari(lab.nameplate.folder()).len(), 2);
        says(lab.nameplate.folder(), &["forget", "22 33 44 55"], "+4722334455 is not named any more");
        assert_eq!(files_with_kari(lab.nameplate.folder()), Vec::<String>::new());
        for (number, name) in [("22334455", "OSLO"), ("+4722334455", "OSLO"), ("22334400", "Fjord Sjømat AS")] {
            let (_, ring) = lab.ring(Invite::from(number).named("OSLO")).await;
            assert_eq!(ring.name(), name, "{number}");
        }
        // By the configuration: all the others.
        let config = way.config(&lab.crm, &lab.asterisk) + "\n[[suppress]]\nnumbers = [\"22 33 44 00-99\"]\n";
        lab.nameplate.folder().configure(&config);
        says(lab.nameplate.folder(), &["reload"], "[[suppress]]: changed");
        for number in ["22334455", "22334400", "22334460"] {
            let (_, ring) = lab.ring(Invite::from(number).named("OSLO")).await;
            assert_eq!(ring.name(), "OSLO", "{number}");
        }
        assert!(!lab.nameplate.log().contains("22334455"), "{}", lab.nameplate.log());
        lab.asterisk.wait_idle();
    }
}

fn hourly(crm: &StandIn) -> String {
    crm_alone(crm).replace("refresh = \"1s\"", "refresh = \"1h\"")
}

async fn service(folder: Folder) -> Nameplate {
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    nameplate
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_refresh_and_a_restart_until_it_is_undone() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(crm_folder(&hourly(&crm))).await;
    let folder = nameplate.folder();
    nameplate.until_logged("new list", 1).await;
    says(folder, &["forget", "+47 22334455"], "crm: 1 record taken out of the list and its copy");
    says(folder, &["forget", "22334455"], "+4722334455 was forgotten before");
    says(folder, &["forget", "--list"], "+4722334455\n");
    let mode = fs::metadata(folder.path("state/suppressed")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let unnamed = |folder: &Folder| {
        let (status, said) = folder.said(&["lookup", "22334455"]);
        assert!(status == Some(3) && said.contains("this number must not be named"), "{said}");
        assert!(!said.contains("Kari"), "{said}");
        assert_eq!(files_with_kari(folder), Vec::<String>::new());
    };
    unnamed(folder);
    // Twice: the first one fetches the whole list.
    for _ in 0..2 {
        says(folder, &["refresh"], "crm: ");
        unnamed(folder);
    }
    let (_, said) = folder.said(&["lookup", "--json", "22334455"]);
    assert!(said.contains("\"status\":\"notfound\",\"reason\":\"suppressed\""), "{said}");
    let nameplate = nameplate.again();
    nameplate.until_logged("directory is in place", 3).await;
    let folder = nameplate.folder();
    unnamed(folder);
    // Behind the refresh of the start, which could come after the undo and bring the name.
    says(folder, &["refresh"], "crm: ");
    says(folder, &["forget", "--undo", "22334455"], "is named again after the next `nameplate refresh`");
    says(folder, &["forget", "--undo", "22334455"], "was not forgotten: nothing has changed");
    says(folder, &["refresh"], "crm: 4 entries: 1 new");
    says(folder, &["lookup", "22334455"], KARI);
    says(folder, &["forget", "--list"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_and_from_a_list_that_is_held_back() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let folder = crm_folder(&hourly(&crm));
    says(&folder, &["refresh"], "crm: 4 entries");
    crm.set_records(fjord().split_off(3));
    let (_, said) = folder.said(&["refresh"]);
    assert!(said.contains("is held back"), "{said}");
    says(&folder, &["forget", "22334460"], "crm: 2 records taken out of the list and its copy");
    // Of the company's number, which both have.
    says(
        &folder,
        &["forget", "22334400"],
        "1 record taken out of the list and its copy, 1 of what is held back",
    );
    let (status, said) = folder.said(&["lookup", "22334400"]);
    assert!(status == Some(3) && said.contains("must not be named"), "{said}");
    // A list that was taken out of the configuration.
    says(&folder, &["lookup", "22334455"], KARI);
    folder.configure(&hourly(&crm).replace("name = \"crm\"", "name = \"other\""));
    says(&folder, &["forget", "22334455"], "crm: 1 record taken out");
    assert_eq!(files_with_kari(&folder), Vec::<String>::new());
    let (status, said) = folder.said(&["forget", "Kari"]);
    assert!(status == Some(2) && said.contains("`Kari` is no possible number; allowed are"), "{said}");
    folder.write("state/suppressed", "Kari\n");
    let (status, said) = folder.said(&["lookup", "22334455"]);
    assert!(status == Some(1) && said.contains("state/suppressed:1: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_configuration_nothing_is_written_or_lost() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    // All but one number, which the guard would hold back.
    let suppressed = "\n[[suppress]]\nnumbers = [\"22334455\", \"+47 2233 4456-4499\"]\n";
    let folder = crm_folder(&hourly(&crm));
    says(&folder, &["refresh"], "crm: 4 entries");
    folder.configure(&(hourly(&crm) + suppressed));
    says(&folder, &["refresh"], "crm: 1 entries: 0 new, 2 gone");
    assert_eq!(files_with_kari(&folder), Vec::<String>::new());
    says(&folder, &["forget", "22334455"], "is not named any more");
    says(&folder, &["forget", "--undo", "22334455"], "stays without a name: it is in [[suppress]]");
    folder.configure(&hourly(&crm));
    says(&folder, &["refresh"], "crm: 4 entries: 2 new");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_searched_for_and_what_was_found_is_gone() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.search(|search| search.hits = vec![Hit::person(700, "Per Strand", "22 54 45 45")]);
    let lines = onsite(&crm.api_url()).replace("1s", "1h") + "\nsearch_on_miss = true";
    let nameplate = service(crm_folder(&(superoffice(&lines) + "[web]\nlisten = \"127.0.0.1:0\"\n"))).await;
    let address = web::address(&nameplate).await;
    let per = "/lookup?number=22544545";
    assert_eq!(web::get(address, per, "").status, 404);
    let found = web::until(address, per, |answer| answer.status == 200).await;
    assert_eq!(found.body, "Per Strand");
    says(nameplate.folder(), &["forget", "22544545"], "+4722544545 is not named any more");
    let searched = crm.searched();
    let answer = web::get(address, per, "Accept: application/json\r\n");
    assert!(answer.status == 404 && answer.body.contains("\"reason\":\"suppressed\""), "{answer:?}");
    // The kept result is gone: the next caller is searched for anew.
    says(nameplate.folder(), &["forget", "--undo", "22544545"], "");
    assert_eq!(crm.searched(), searched);
    assert_eq!(web::get(address, per, "").status, 404);
    web::until(address, per, |answer| answer.status == 200).await;
    assert!(crm.searched().len() > searched.len());
}
