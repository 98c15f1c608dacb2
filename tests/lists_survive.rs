//! The last good list survives: a kill at any moment of a write, a disk that is full, a folder that can't be
//! written.

use std::time::Duration;

use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::disk::Mounted;
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::people::crowd;
use crate::lab::superoffice::{Record, StandIn};

/// Enough for a write to take some milliseconds.
const MANY: u32 = 30_000;

/// The first of them, called `name`; the others as they are.
fn records(name: &str) -> Vec<Record> {
    let mut records = crowd(MANY);
    records[0].person_name = Some(name.to_owned());
    records
}

fn folder(crm: &StandIn) -> Folder {
    crm_folder(&crm_alone(crm))
}

/// The name of the first record, as it is known from disk alone.
fn known(folder: &Folder) -> String {
    let output = folder.run(&["lookup", "+4790000000"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_a_write() {
    let mut crm = StandIn::start(records("Version 0")).await.expect("the stand-in");
    let mut nameplate = folder(&crm).serve();
    nameplate.until_logged("new list", 1).await;
    for round in 1..=12_u64 {
        crm.set_records(records(&format!("Version {round}")));
        let asked = crm.count();
        assert!(crm.until_count(asked + 1, Duration::from_secs(20)).await);
        // Reading takes a while, then it writes: the kills are spread over both.
        tokio::time::sleep(Duration::from_millis(round * 13)).await;
        nameplate.signal("KILL");
        nameplate.ended().await;
        crm.go_down().await;
        let name = tokio::task::block_in_place(|| known(nameplate.folder()));
        assert!(name.starts_with("Version "), "{name}");
        crm.come_up().await.expect("the stand-in");
        let log = nameplate.log();
        assert!(!log.contains("damaged"), "{log}");
        nameplate = nameplate.again();
        nameplate.until_logged("lists=from disk", usize::try_from(round).unwrap()).await;
    }
}

async fn served(crm: &StandIn, options: &str) -> (Mounted, Nameplate) {
    let folder = folder(crm);
    let mounted = Mounted::new(&folder, options);
    let nameplate = folder.serve();
    nameplate.until_logged("directory is in place", 1).await;
    (mounted, nameplate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full() {
    if !crate::lab::machine::is_root() {
        return;
    }
    let crm = StandIn::start(records("Version 0")).await.expect("the stand-in");
    let (mounted, nameplate) = served(&crm, "size=8m").await;
    // Beside the list and its copy there is room for half of another.
    let size = std::fs::metadata(nameplate.folder().path("state/lists/crm.list")).unwrap().len();
    let fill = (8 << 20) - size * 5 / 2;
    std::fs::write(mounted.0.join("fill"), vec![0; usize::try_from(fill).unwrap()]).unwrap();
    crm.set_records(records("Version 1"));
    // The new one is served, from memory; the old one stays on the disk.
    nameplate.until_logged("the new list is served, but can't be written to disk", 1).await;
    nameplate.until_logged("directory is in place", 2).await;
    let name = tokio::task::block_in_place(|| known(nameplate.folder()));
    assert!(name.starts_with("Version 0"), "{name}");
    // With room again, it is written without a change of the CRM's.
    std::fs::remove_file(mounted.0.join("fill")).unwrap();
    mounted.change("size=64m");
    nameplate.until_logged("the list is on disk now", 1).await;
    let name = tokio::task::block_in_place(|| known(nameplate.folder()));
    assert!(name.starts_with("Version 1"), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written() {
    if !crate::lab::machine::is_root() {
        return;
    }
    let crm = StandIn::start(records("Version 0")).await.expect("the stand-in");
    let (mounted, mut nameplate) = served(&crm, "size=64m").await;
    nameplate.signal("TERM");
    nameplate.ended().await;
    mounted.change("ro");
    // What is on disk is served, and what is wrong is said; a new list is served from memory.
    let nameplate = nameplate.again();
    nameplate.until_logged("can't be written, so names are not there at once after a restart", 1).await;
    nameplate.until_logged("lists=from disk", 1).await;
    crm.set_records(records("Version 1"));
    nameplate.until_logged("the new list is served, but can't be written to disk", 1).await;
    nameplate.until_logged("directory is in place", 3).await;
}
