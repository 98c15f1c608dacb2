//! The progress of a refresh on a terminal.

use std::time::Duration;

use super::{changed, folder, service};
use crate::lab::call::fjord;
use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::nameplate::Folder;
use crate::lab::people::crowd;
use crate::lab::superoffice::{Fault, StandIn};

/// What stood on the terminal's line, one after the other, and the lines that stayed.
fn on_terminal(folder: &Folder, arguments: &str) -> (Vec<String>, Vec<String>) {
    let said = tokio::task::block_in_place(|| folder.run_on_terminal(arguments));
    let line = |piece: &str| Some(piece.strip_prefix("\x1b[?7l")?.strip_suffix("\x1b[K\x1b[?7h")?.to_owned());
    let shown: Vec<_> = said.split('\r').filter_map(line).collect();
    let stayed = |line: &str| line.rsplit("\r\x1b[K").next().unwrap_or_default().to_owned();
    (shown, said.split("\r\n").map(stayed).filter(|line| !line.is_empty()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_how_far_a_refresh_is() {
    const MANY: u32 = 10_000;
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    let nameplate = service(&crm).await;
    let alone = folder(&crm);
    crm.set_records(crowd(MANY));
    crm.set_delay(Duration::from_millis(700));
    for folder in [nameplate.folder(), &alone] {
        crm.fail_next(1, Fault::Halting(Duration::from_secs(1)));
        let (shown, stayed) = on_terminal(folder, "refresh");
        assert_eq!(shown[0], "crm: waiting for the answer …", "{shown:?}");
        let records: Vec<u32> = shown
            .iter()
            .filter_map(|line| line.strip_prefix("crm: ")?.strip_suffix(" records read …"))
            .map(|count| count.replace(',', "").parse().unwrap())
            .collect();
        assert!(records.iter().any(|count| *count > 0 && *count < MANY), "{shown:?}");
        assert!(records.is_sorted() && records.iter().all(|count| *count <= MANY), "{shown:?}");
        assert_eq!(stayed[0], "asking crm …");
        assert!(stayed.len() == 2 && stayed[1].starts_with("crm: 10000 entries: "), "{stayed:?}");
        // A file or a pipe gets only what came of it.
        let (_, said) = folder.said(&["refresh"]);
        assert_eq!(said, "asking crm …\ncrm: unchanged\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_progress_share_one_line_of_the_terminal() {
    let crm = StandIn::start(fjord()).await.expect("the stand-in");
    crm.set_selection(201, fjord());
    crm.set_selection(202, changed());
    let config = crm_alone(&crm).replace("refresh = \"1s\"", "refresh = \"1h\"\nselections = [201, 202]");
    let folder = crm_folder(&config);
    let nameplate = folder.serve();
    nameplate.until_logged("new list", 2).await;
    crm.set_delay(Duration::from_millis(700));
    let (shown, mut stayed) = on_terminal(nameplate.folder(), "refresh crm");
    let both = "crm-201: waiting for the answer · crm-202: waiting for the answer …";
    assert!(shown.iter().any(|line| line == both), "{shown:?}");
    stayed.sort();
    assert_eq!(stayed, ["asking crm …", "crm-201: unchanged", "crm-202: unchanged"]);
}
