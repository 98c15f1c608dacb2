//! The running service: what is started, wired and stopped, in reading order.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::asterisk::ari;
use crate::config::Config;
use crate::resolver::Resolver;
use crate::{number, refresh, tls};

/// How long calls in hand may take after `shutdown`.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until `shutdown`. Fails before it has begun, or when a part of it ends by itself: half a
/// service looks alive, a failed one is started again.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "nameplate starts");
    anyhow::ensure!(!config.asterisks.is_empty(), "there is no [[asterisk]]: nobody would ask for names");
    tls::install();

    // The first call must not wait for the numbering plans to be read.
    let countries = config.asterisks.iter().map(|asterisk| asterisk.pbx.numbers.country);
    let countries: Vec<_> = countries.chain([config.pbx.numbers.country]).collect();
    tokio::task::spawn_blocking(move || number::load(&countries)).await?;
    // The other countries' plans meanwhile, so that their first caller does not wait for them either.
    drop(tokio::task::spawn_blocking(number::load_all));

    let resolver = Arc::new(Resolver::new(config.style));
    let tasks = TaskTracker::new();
    refresh::start(&config.sources, &resolver, &tasks, &shutdown)?;
    let mut connections = JoinSet::new();
    for asterisk in config.asterisks {
        connections.spawn(ari::run(asterisk, Arc::clone(&resolver), shutdown.clone()));
    }

    let ended = until_shutdown(&mut connections, &shutdown).await;
    info!("stopping: calls in hand are finished");
    tasks.close();
    let all_ended = async {
        let ended = last_ends(&mut connections).await;
        tasks.wait().await;
        ended
    };
    let ended = match tokio::time::timeout(DRAIN, all_ended).await {
        Ok(last) => ended.and(last),
        Err(_) => {
            warn!("not all was finished within {DRAIN:?}");
            ended
        }
    };
    info!("stopped");
    ended
}

/// Waits until `shutdown`, which the end of a task brings about as well.
async fn until_shutdown(tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        Some(ended) = tasks.join_next() => ended,
    };
    // What a panic says may be made of a caller's number: it is on standard error, and not repeated here.
    let how = if ended.is_err() { "panicked" } else { "ended by itself" };
    // Asked to stop, a task may be faster than we are.
    if ended.is_ok() && shutdown.is_cancelled() {
        return Ok(());
    }
    error!("the connection to an Asterisk has {how}: the service ends");
    shutdown.cancel();
    anyhow::bail!("the connection to an Asterisk has {how}")
}

/// Waits until all tasks have ended, as they should after `shutdown`.
async fn last_ends(tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            error!("the connection to an Asterisk has panicked while it was closed");
            result = Err(anyhow::anyhow!("the connection to an Asterisk has panicked"));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_ends_the_service_as_failed() {
        for (panics, how) in [(true, "panicked"), (false, "ended by itself")] {
            let shutdown = CancellationToken::new();
            let mut tasks = JoinSet::new();
            let survivor = shutdown.clone();
            tasks.spawn(async move { survivor.cancelled().await });
            tasks.spawn(async move { assert!(!panics, "as the test wants it") });
            let error = until_shutdown(&mut tasks, &shutdown).await.unwrap_err().to_string();
            assert!(error.contains(how), "{error}");
            assert!(shutdown.is_cancelled());
            last_ends(&mut tasks).await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_ordered_end_is_none() {
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let task = shutdown.clone();
        tasks.spawn(async move { task.cancelled().await });
        shutdown.cancel();
        until_shutdown(&mut tasks, &shutdown).await.unwrap();
        last_ends(&mut tasks).await.unwrap();
        tasks.spawn(async { panic!("as the test wants it") });
        last_ends(&mut tasks).await.unwrap_err();
    }
}
