//! The last good list survives: a kill at any moment of a write, a disk that is full, a folder that can't be
//! written.

use std::time::{Duration, Instant, SystemTime};

use crate::lab::call::Turn;
use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::disk::Mounted;
use crate::lab::nameplate::{Folder, Nameplate};
use crate::lab::people::crowd;
use crate::lab::superoffice::{Record, StandIn};
use crate::lab::web;

/// Enough for a write to take some milliseconds.
const MANY: u32 = 30_000;

/// The first of them, called `name`; the others as they are.
fn records(name: &str) -> Vec<Record> {
    let mut records = crowd(MANY);
    records[0].person_name = Some(name.to_owned());
    records
}

fn folder(crm: &StandIn) -> Folder {
    crm_folder(&format!("{}[web]\nlisten = \"127.0.0.1:0\"\n", crm_alone(crm)))
}

/// The name of the first record, as the service gives it that was started as the `start`th.
async fn served_by(nameplate: &Nameplate, start: usize) -> String {
    nameplate.until_logged("web server listens address=", start).await;
    let address = web::address(nameplate).await;
    web::until(address, "/lookup?number=%2B4790000000", |answer| answer.status == 200).await.body
}

/// The name of the first record, as it is known from disk alone.
fn known(folder: &Folder) -> String {
    let output = folder.run(&["lookup", "+4790000000"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

/// When the list, and what is written beside it, were changed last.
fn written(folder: &Folder) -> [Option<SystemTime>; 2] {
    let changed = |name| std::fs::metadata(folder.path(name)).ok()?.modified().ok();
    ["state/lists/crm.list", "state/lists/crm.list.new"].map(changed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_a_write() {
    // Thirty thousand records, read and written again and again, are nothing to measure time beside.
    let _turn = Turn::beside().await;
    let mut crm = StandIn::start(records("Version 0")).await.expect("the stand-in");
    let mut nameplate = folder(&crm).serve();
    nameplate.until_logged("new list", 1).await;
    let (mut before, mut halves) = (0_u8, 0);
    for round in 1..=12_u8 {
        let last = written(nameplate.folder());
        crm.set_records(records(&format!("Version {round}")));
        crm.come_up().await.expect("the stand-in");
        let begun = Instant::now();
        while written(nameplate.folder()) == last {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", nameplate.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The kills are spread over the write, which may be over by the last ones.
        tokio::time::sleep(Duration::from_millis(5) * u32::from(round - 1)).await;
        nameplate.kill();
        let [list, half] = written(nameplate.folder());
        halves += usize::from(half.is_some() && list == last[0]);
        // Without the CRM, and with the half beside.
        crm.go_down().await;
        nameplate = nameplate.again();
        nameplate.until_logged("lists=from disk", usize::from(round)).await;
        let name = served_by(&nameplate, usize::from(round) + 1).await;
        let is_served = |version: &u8| name.starts_with(&format!("Version {version} "));
        let served = [before, round].into_iter().find(is_served);
        before = served.unwrap_or_else(|| panic!("{name} is neither version {before} nor {round}"));
        let log = nameplate.log();
        assert!(!log.contains("damaged"), "{log}");
    }
    assert!(halves > 0, "no kill fell into a write");
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
    let name = served_by(&nameplate, 2).await;
    assert!(name.starts_with("Version 0 "), "{name}");
    crm.set_records(records("Version 1"));
    nameplate.until_logged("the new list is served, but can't be written to disk", 1).await;
    nameplate.until_logged("directory is in place", 3).await;
    let name = served_by(&nameplate, 2).await;
    assert!(name.starts_with("Version 1 "), "{name}");
}
