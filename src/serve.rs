//! The running service: what is started, wired and stopped, in reading order.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::asterisk::ari;
use crate::config::Config;
use crate::resolver::Resolver;
use crate::{control, number, refresh, tls};

/// How long calls in hand may take after `shutdown`.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until `shutdown`. Fails only before it has begun.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "nameplate starts");
    tls::install();

    // The first call must not wait for the numbering plans to be read.
    let countries = config.asterisks.iter().map(|asterisk| asterisk.pbx.numbers.country);
    let countries: Vec<_> = countries.chain([config.pbx.numbers.country]).collect();
    tokio::task::spawn_blocking(move || number::load(&countries)).await?;
    // The other countries' plans meanwhile, so that their first caller does not wait for them either.
    drop(tokio::task::spawn_blocking(number::load_all));

    let resolver = Arc::new(Resolver::new(config.style));
    let tasks = TaskTracker::new();
    // What is on disk is in place when this returns: before the first question to a CRM, and before Asterisk may ask.
    let handle = refresh::start(&config.sources, &config.state_dir, &resolver, &tasks, &shutdown).await?;
    control::start(&handle, &config.state_dir, &tasks, &shutdown);
    // Before there is a directory, "not found" would be untrue: Asterisk finds nobody to ask, and its calls go on.
    for asterisk in config.asterisks {
        let (resolver, shutdown) = (Arc::clone(&resolver), shutdown.clone());
        tasks.spawn(async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(asterisk, resolver, shutdown).await;
            }
        });
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
