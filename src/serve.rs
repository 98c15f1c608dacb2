//! The running service: what is started, wired and stopped, in reading order.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::asterisk::ari;
use crate::config::Config;
use crate::resolver::Resolver;
use crate::{number, refresh, tls};

/// How long calls in hand may take after `shutdown`.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until `shutdown`. Fails only before it has begun.
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
    for asterisk in config.asterisks {
        tasks.spawn(ari::run(asterisk, Arc::clone(&resolver), shutdown.clone()));
    }

    shutdown.cancelled().await;
    info!("stopping: calls in hand are finished");
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        warn!("not all was finished within {DRAIN:?}");
    }
    info!("stopped");
    Ok(())
}
