//! What is below `state_dir` belongs to its owner, and goes when nobody uses it any more.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::lab::configuration::{crm_alone, crm_folder};
use crate::lab::machine;
use crate::lab::nameplate::Folder;
use crate::lab::people::crowd;
use crate::lab::superoffice::{Fault, StandIn};

/// A user and a group that no file of this machine has.
const USER: u32 = 47_110;
const GROUP: u32 = 47_120;

const SOON: Duration = Duration::from_secs(20);

fn folder(crm: &StandIn, selections: &str) -> Folder {
    crm_folder(&config(crm, selections))
}

/// A folder, and its `state_dir`, which belongs to the user.
fn owned_folder(crm: &StandIn) -> (Folder, PathBuf) {
    let folder = folder(crm, "");
    let state = folder.path("state");
    std::fs::create_dir(&state).unwrap();
    chown(&state, Some(USER), Some(GROUP)).unwrap();
    (folder, state)
}

fn config(crm: &StandIn, selections: &str) -> String {
    crm_alone(crm).replace("refresh = \"1s\"", &format!("refresh = \"1h\"\nselections = [{selections}]"))
}

/// A command that runs another one as this user.
fn as_user(user: u32) -> Command {
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={GROUP}"), "--clear-groups".into()]);
    command
}

/// Who owns what is in this folder.
fn owners(folder: &Path) -> Vec<(String, u32, u32)> {
    let mut owners = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let there = file.metadata().unwrap();
        owners.push((file.file_name().into_string().unwrap(), there.uid(), there.gid()));
        if there.is_dir() {
            owners.extend(self::owners(&file.path()));
        }
    }
    owners
}

#[tokio::test(flavor = "multi_thread")]
async fn what_root_refreshes_is_read_by_the_services_user() {
    if !machine::is_root() {
        return;
    }
    let mut crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let (folder, state) = owned_folder(&crm);
    let (status, said) = folder.said(&["refresh"]);
    assert!(status == Some(0) && said.contains("crm: 20 entries"), "{said}");
    crm.set_records(crowd(5));
    let (status, said) = folder.said(&["refresh"]);
    assert!(status == Some(1) && said.contains("a list of 5 entries is held back"), "{said}");
    let owners = owners(&state);
    assert!(
        owners.len() >= 6 && owners.iter().all(|(_, user, group)| (*user, *group) == (USER, GROUP)),
        "{owners:?}"
    );
    // The service has the names, though the CRM is down.
    crm.go_down().await;
    let nameplate = folder.serve_behind(as_user(USER));
    nameplate.until_logged("directory is in place numbers=20 lists=from disk", 1).await;
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(said.contains("held back     a list of 5 entries"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_told_whose_folder_it_is() {
    if !machine::is_root() {
        return;
    }
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let (folder, state) = owned_folder(&crm);
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    for command in ["refresh", "sources"] {
        let mut process = as_user(USER + 1);
        process.arg(env!("CARGO_BIN_EXE_nameplate")).arg("--config").arg(folder.path("nameplate.toml"));
        let output = tokio::task::block_in_place(|| process.arg(command).output()).expect("setpriv");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("belongs to user {USER}, and user {} runs this command", USER + 1);
        assert!(output.status.code() == Some(1) && said.contains(&expected), "{said}");
    }
    assert_eq!(owners(&state), []);
    assert_eq!(crm.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tries_as_the_owner() {
    if !machine::is_root() {
        return;
    }
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let (folder, state) = owned_folder(&crm);
    let _ = folder.said(&["refresh"]);
    let (status, said) = folder.said(&["check", "--offline"]);
    let tried =
        format!("ok       as user {USER}: what follows is tried as the user to whom state_dir belongs");
    assert!(status == Some(0) && said.contains(&tried) && said.contains("list crm: entries: 20"), "{said}");
    let (_, said) = folder.said(&["check"]);
    assert!(said.contains("[[source]] crm: it answers: entries: 20"), "{said}");
    // What root alone can read is of no use to the service.
    chown(state.join("lists/crm.list"), Some(0), Some(0)).unwrap();
    chown(folder.path("superoffice.password"), Some(0), Some(0)).unwrap();
    std::fs::set_permissions(
        folder.path("superoffice.password"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let (status, said) = folder.said(&["check", "--offline"]);
    for failed in
        ["error    list crm: can't read", "error    [[source]] crm: password: can't read the secret"]
    {
        assert!(status == Some(1) && said.contains(failed), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_taken_out_of_the_configuration_goes() {
    let crm = StandIn::start(Vec::new()).await.expect("the stand-in");
    for selection in [201, 202, 203] {
        crm.set_selection(selection, crowd(5));
    }
    let folder = folder(&crm, "201, 202, 203");
    let _ = folder.said(&["refresh"]);
    folder.configure(&config(&crm, "201, 202"));
    let nameplate = folder.serve();
    nameplate.until_logged("the list is no longer in the configuration: its files are removed in 30 days; `nameplate sources --purge` does it now list=crm-203", 1).await;
    // Taken out while the service uses it.
    nameplate.folder().configure(&config(&crm, "201"));
    let (_, said) = nameplate.folder().said(&["sources"]);
    assert!(
        said.contains("crm-202\n  entries")
            && said.contains("crm-203\n  removed       it is not in the configuration since"),
        "{said}"
    );
    assert!(said.contains("its files stay for 30 days, or until `nameplate sources --purge`"), "{said}");
    let (status, said) = nameplate.folder().said(&["sources", "--purge"]);
    assert_eq!((status, said.as_str()), (Some(0), "crm-203: its files are removed\n"));
    let there = |list: &str| nameplate.folder().path(&format!("state/lists/{list}.list")).is_file();
    assert_eq!(["crm-201", "crm-202", "crm-203"].map(there), [true, true, false]);
    // After the time, by itself.
    nameplate.folder().write("state/lists/crm-202.removed", "1000\n");
    let nameplate = nameplate.again();
    nameplate.until_logged("the files of the list are removed: it was taken out of the configuration 30 days ago list=crm-202", 1).await;
    let files = std::fs::read_dir(nameplate.folder().path("state/lists")).unwrap().flatten();
    let names: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("crm-201.")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_knows_a_service_that_it_cannot_ask() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let nameplate = folder(&crm, "").serve();
    nameplate.until_logged("directory is in place", 1).await;
    std::fs::remove_file(nameplate.folder().path("state/control.sock")).unwrap();
    let (status, said) = nameplate.folder().said(&["sources"]);
    let runs = format!(
        "the service runs, `nameplate serve` (process {}), and can't be asked just now",
        nameplate.id()
    );
    assert!(status == Some(0) && said.contains(&runs) && said.contains("entries       20"), "{said}");
    let (status, said) = nameplate.folder().said(&["sources", "--purge"]);
    assert!(status == Some(1) && said.contains("can't be asked"), "{said}");
    // One that waits for a command.
    let mut nameplate = nameplate;
    nameplate.kill();
    crm.fail(Fault::Silent);
    let asked = crm.count();
    let mut alone = nameplate.folder().spawn(&["refresh"]);
    assert!(crm.until_count(asked + 1, SOON).await);
    let nameplate = nameplate.again();
    nameplate.until_logged("no list is asked for before `nameplate refresh`", 1).await;
    let (_, said) = nameplate.folder().said(&["sources"]);
    let waits = format!(
        "`nameplate refresh` (process {}) is writing the lists, and a service that was started meanwhile waits",
        alone.id()
    );
    assert!(said.contains(&waits), "{said}");
    alone.kill().expect("it runs");
    alone.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ask_for_nothing_keep_no_command_waiting() {
    let crm = StandIn::start(crowd(20)).await.expect("the stand-in");
    let nameplate = folder(&crm, "").serve();
    nameplate.until_logged("directory is in place", 1).await;
    let socket = nameplate.folder().path("state/control.sock");
    let silent: Vec<_> = (0..300).map(|_| UnixStream::connect(&socket).expect("a connection")).collect();
    let (status, said) = nameplate.folder().said(&["sources"]);
    assert!(status == Some(0) && said.contains("entries       20"), "{said}");
    let open = std::fs::read_dir(format!("/proc/{}/fd", nameplate.id())).unwrap().count();
    assert!(open < 100, "{open} open files");
    drop(silent);
}
