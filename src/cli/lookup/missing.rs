//! Lists that do not exist yet. The limit of the CRM, ten calls a second, is one limit for all processes, so one process
//! asks at a time: the running service; without a service, the process with the lock of `state_dir`, which writes the lists
//! for the others; if nothing may be written, the process with the lock of the configuration file.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::config::Config;
use crate::control::{self, Request};
use crate::lists::lock::{Lock, Purpose};
use crate::lists::offline::{self, Fetching, Lists};
use crate::lists::status::ListStatus;
use crate::lists::store::Store;
use crate::lists::suppression;

/// The longest wait for a process with the lock to finish, or to become ready.
const STARTING: Duration = Duration::from_secs(20);
/// The longest wait for the own turn.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks for new lists.
const LOOK: Duration = Duration::from_millis(200);

/// The lists of the configuration.
pub(super) async fn lists(config: &Config) -> anyhow::Result<Lists> {
    let (sources, state_dir) = (&config.sources, &config.state_dir);
    let store = Store::new(state_dir);
    store.suppress(suppression::all(state_dir, &config.suppressed)?);
    let begun = Instant::now();
    let mut failed = BTreeMap::new();
    loop {
        let missing = offline::missing(sources, state_dir);
        if missing.is_empty() {
            return offline::lists(sources, &store, Fetching::default()).await;
        }
        if let Some(said) = asked_by_service(state_dir, &missing).await {
            failed = said;
            break;
        }
        // The service could not use files of another user in `state_dir`.
        if !is_ours(state_dir) {
            break;
        }
        match Lock::take(state_dir, Purpose::Refresh) {
            Ok(Ok(lock)) => {
                return offline::lists(sources, &store, Fetching { lock: Some(lock), failed }).await;
            }
            // Another command, or a service that is not ready yet.
            Ok(Err(_)) if begun.elapsed() < STARTING => tokio::time::sleep(LOOK).await,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let _turn = turn(&config.path).await?;
    offline::lists(sources, &store, Fetching { lock: None, failed }).await
}

/// Waits until the running service has these lists, or the reasons why it cannot get them; returns these reasons. None if no
/// service runs.
async fn asked_by_service(state_dir: &Path, missing: &[String]) -> Option<BTreeMap<String, String>> {
    loop {
        let mut known = Vec::new();
        control::ask(state_dir, &Request::Sources, |status: ListStatus| known.push(status)).await.ok()??;
        known.retain(|status| missing.contains(&status.list));
        let is_asking = |status: &ListStatus| status.last_success.is_none() && status.last_error.is_none();
        if !known.iter().any(is_asking) {
            let failed = known.into_iter().filter_map(|status| Some((status.list.clone(), why(&status)?)));
            return Some(failed.collect());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The reason why the service has no list. None if it has the list.
fn why(status: &ListStatus) -> Option<String> {
    let error = status.last_error.as_ref().map(|error| format!("the running service can't get it: {error}"));
    let held = || status.held.is_some().then(|| "the running service holds it back".to_owned());
    error.or_else(held)
}

/// Whether the folder belongs to this process's user, or does not exist yet.
fn is_ours(folder: &Path) -> bool {
    fs::metadata(folder).map_or(true, |folder| folder.uid() == geteuid().as_raw())
}

/// The locked configuration file. Waits for other processes with the lock. None if the file can't be locked.
async fn turn(path: &Path) -> anyhow::Result<Option<File>> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
        }
        anyhow::ensure!(
            begun.elapsed() < PATIENCE,
            "other commands ask the CRM already, one at a time: try again later"
        );
    }
}
