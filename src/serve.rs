//! The running service: what is started, wired and stopped, in reading order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::asterisk::ari;
use crate::asterisk::link::Link;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::resolver::Resolver;
use crate::{control, number, refresh, tls, web};

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

    let metrics = Arc::new(Metrics::new());
    let resolver = Arc::new(Resolver::counted(config.style, metrics.directory()));
    let link = |pbx: &ari::Settings| Arc::new(Link::new(&pbx.name, metrics.pbx(&pbx.name)));
    let links: Vec<_> = config.asterisks.iter().map(link).collect();

    let tasks = TaskTracker::new();
    // First what can fail: a port that is in use.
    if let Some(settings) = &config.web {
        let (resolver, metrics) = (Arc::clone(&resolver), Arc::clone(&metrics));
        let rooms = web::Rooms { resolver, pbx: config.pbx, links: links.clone(), metrics };
        let server = web::Server::new(settings, rooms).context("[web]")?;
        tasks.spawn(server.run(listen(settings).await?, shutdown.clone()));
    }
    // What is on disk is in place when this returns: before the first question to a CRM, and before Asterisk may ask.
    let (sources, state_dir) = (&config.sources, &config.state_dir);
    let handle = refresh::start(sources, state_dir, &resolver, &metrics, &tasks, &shutdown).await?;
    control::start(&handle, state_dir, &tasks, &shutdown);
    // Before there is a directory, "not found" would be untrue: Asterisk finds nobody to ask, and its calls go on.
    for (asterisk, link) in config.asterisks.into_iter().zip(links) {
        let (resolver, shutdown) = (Arc::clone(&resolver), shutdown.clone());
        tasks.spawn(async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(asterisk, resolver, link, shutdown).await;
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

/// Takes the port of `[web]`.
async fn listen(settings: &web::Settings) -> anyhow::Result<TcpListener> {
    let wanted = settings.listen();
    let listener = TcpListener::bind(wanted)
        .await
        .with_context(|| format!("[web] listen = \"{wanted}\": can't listen there, is another program (or nameplate itself) running?"))?;
    let address = listener.local_addr()?;
    info!(%address, token = settings.has_token(), "web server listens");
    Ok(listener)
}
