//! The running service: what is started, wired and stopped, in reading order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::asterisk::ari;
use crate::asterisk::link::Link;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::resolver::Resolver;
use crate::{control, number, refresh, search, source, tls, web};

/// How long calls in hand may take after `shutdown`.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until `shutdown`. Fails before it has begun, or when a part of it ends by itself: half a
/// service looks alive, a failed one is started again.
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
    let tasks = TaskTracker::new();
    let asked = source::prepare(&config.sources)?;
    let searches = search::start(&config.sources, &asked, &metrics, &tasks, &shutdown);
    let resolver = Resolver::counted(config.style, metrics.directory()).searching(searches);
    let resolver = Arc::new(resolver);
    let link = |pbx: &ari::Settings| Arc::new(Link::new(&pbx.name, metrics.pbx(&pbx.name)));
    let links: Vec<_> = config.asterisks.iter().map(link).collect();

    // First what can fail: a port that is in use.
    if let Some(settings) = &config.web {
        let (resolver, metrics) = (Arc::clone(&resolver), Arc::clone(&metrics));
        let rooms = web::Rooms { resolver, pbx: config.pbx, links: links.clone(), metrics };
        let server = web::Server::new(settings, rooms).context("[web]")?;
        tasks.spawn(server.run(listen(settings).await?, shutdown.clone()));
    }
    // What is on disk is in place when this returns: before the first question to a CRM, and before Asterisk may ask.
    let (sources, state_dir) = (&config.sources, &config.state_dir);
    let handle = refresh::start(sources, &asked, state_dir, &resolver, &metrics, &tasks, &shutdown).await?;
    control::start(&handle, state_dir, &tasks, &shutdown);
    // Before there is a directory, "not found" would be untrue: Asterisk finds nobody to ask, and its calls go on.
    let mut connections = JoinSet::new();
    for (asterisk, link) in config.asterisks.into_iter().zip(links) {
        let (resolver, shutdown) = (Arc::clone(&resolver), shutdown.clone());
        connections.spawn(async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(asterisk, resolver, link, shutdown).await;
            }
        });
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
