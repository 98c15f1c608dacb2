//! Lists that are not there yet. The CRM's ten calls a second are one limit for all processes, so one asks at a time: the
//! running service; without one whoever has the lock of `state_dir`, who writes them for the others; and where nothing can
//! or may be written, whoever has the configuration file locked.

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

/// How long whoever may write is given to be done, or to be ready to be asked.
const STARTING: Duration = Duration::from_secs(20);
/// How long the turn to ask is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether lists have come.
const LOOK: Duration = Duration::from_millis(200);

/// The lists of the configuration.
pub(super) async fn lists(config: &Config) -> anyhow::Result<Lists> {
    let (sources, state_dir) = (&config.sources, &config.state_dir);
    let begun = Instant::now();
    let mut failed = BTreeMap::new();
    loop {
        let missing = offline::missing(sources, state_dir);
        if missing.is_empty() {
            return offline::lists(sources, state_dir, Fetching::default()).await;
        }
        if let Some(said) = asked_by_service(state_dir, &missing).await {
            failed = said;
            break;
        }
        // Another user's files in it would be no use to the service.
        if !is_ours(state_dir) {
            break;
        }
        match Lock::take(state_dir, Purpose::Refresh) {
            Ok(Ok(lock)) => {
                return offline::lists(sources, state_dir, Fetching { lock: Some(lock), failed }).await;
            }
            // Another command, or a service that can't be asked yet.
            Ok(Err(_)) if begun.elapsed() < STARTING => tokio::time::sleep(LOOK).await,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let _turn = turn(&config.path).await?;
    offline::lists(sources, state_dir, Fetching { lock: None, failed }).await
}

/// Waits until the running service has brought these lists, or has said why not: that, of those which it can't bring. None
/// where no service runs.
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

/// Why the service has not got a list; none where it has.
fn why(status: &ListStatus) -> Option<String> {
    let error = status.last_error.as_ref().map(|error| format!("the running service can't get it: {error}"));
    let held = || status.held.is_some().then(|| "the running service holds it back".to_owned());
    error.or_else(held)
}

/// Whether the folder is this process's user's, or is still to be made.
fn is_ours(folder: &Path) -> bool {
    fs::metadata(folder).map_or(true, |folder| folder.uid() == geteuid().as_raw())
}

/// The configuration file, locked: waits for the processes that have it. None where it can't be locked.
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
