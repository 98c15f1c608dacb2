//! The running service: it starts, connects and stops the other rooms, in reading order.
//!
//! - `running`: the parts that a reload of the configuration changes
//! - `difference`: what another configuration changes, and what has to stay

mod difference;
mod running;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::asterisk::agi;
use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::calls::Calls;
use crate::config::Config;
use crate::find::Find;
use crate::listen::{self, Port};
use crate::lists::forgetting::Forgetting;
use crate::lists::suppression::Suppression;
use crate::lookup::Resolver;
use crate::number::Country;
use crate::observe::metrics::Metrics;
use crate::observe::panics;
use crate::reload::{Order, Orders};
use crate::share::replica::Replica;
use crate::supervisor::Supervisor;
use crate::{control, files, lists, number, search, share, source, systemd, tls, web};
use running::{FastAgi, Running, RunningPbx};

/// The most time for calls in hand after the shutdown, and after a PBX was taken out of the configuration.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until the supervisor's shutdown. `reloads` takes orders to reload the configuration, and `ordered` brings
/// them. Fails if the start fails, or if a task ends by itself.
pub async fn serve(
    config: Config,
    mut supervisor: Supervisor,
    reloads: Orders,
    mut ordered: Receiver<Order>,
) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "nameplate starts");
    tls::install();
    let mut running = start(config, reloads, &mut supervisor).await?;
    let ended = loop {
        tokio::select! {
            biased;
            ended = supervisor.until_shutdown() => break ended,
            Some(order) = ordered.recv() => if let Some(running) = &mut running {
                running.reload(order, &mut supervisor).await;
            }
        }
    };
    info!("stopping: calls in hand are finished");
    let finished = supervisor.finish(DRAIN).await;
    info!("stopped");
    Ok(ended.and(finished)?)
}

/// Starts all of it. None if the service is stopped meanwhile.
async fn start(
    config: Config,
    reloads: Orders,
    supervisor: &mut Supervisor,
) -> anyhow::Result<Option<Running>> {
    for notice in config.notices() {
        warn!("{notice}");
    }
    // Read now, so that the first call does not wait for the numbering plans.
    let countries = countries(&config);
    panics::blocking(move || number::load(&countries)).await?;
    // The other countries' plans are read in the background.
    drop(tokio::task::spawn_blocking(number::load_all));

    let limits = files::limit_connections(&config);
    let metrics = Arc::new(Metrics::new());
    let sources = source::prepare(&config.sources, &[])?;
    let shared = config.share.clone().map(|settings| {
        let metrics = metrics.share(&settings.site);
        Replica::new(settings, &config.state_dir, metrics)
    });
    let replica = shared.as_ref().map(|(replica, _)| Arc::clone(replica));
    let mut searches = search::Workers::new(replica.clone());
    let found = searches.reload(&sources, config.rules.shared, &metrics, supervisor);
    let resolver = Resolver::counted(config.style.clone(), metrics.directory());
    let resolver = Arc::new(resolver.searching(found));
    let calls = Calls::new(config.web.as_ref().map_or(0, |web| web.history));
    let suppression = Suppression::start(&config.state_dir, config.suppressed.clone(), &resolver, &calls)?;
    let suppression = Arc::new(suppression);
    let pbxs: Vec<_> =
        config.asterisks.iter().map(|pbx| RunningPbx::new(pbx.clone(), &metrics, &calls)).collect();

    let agi = config.agi.clone().map(|settings| open_agi(settings, limits.sessions, &metrics, &calls));
    let find = Find::default();
    if config.web.is_some() {
        let kept = find.clone().run(Arc::clone(&resolver));
        supervisor.spawn("the index for searches by name", kept);
    }
    if let Some(replica) = &replica {
        replica.starts_with(suppression.forgotten().into_iter());
    }
    let backend = web::Backend {
        resolver: Arc::clone(&resolver),
        pbx: config.pbx.clone(),
        pbx_statuses: running::pbx_statuses(&pbxs, agi.as_ref().map(|(agi, _)| agi)),
        metrics: Arc::clone(&metrics),
        replica: replica.clone(),
        calls: calls.clone(),
        find: find.clone(),
        crms: Arc::new(source::client_addresses(&config.sources)),
        service: None,
        config: config.path.clone(),
    };
    let pbx_statuses = watch::Sender::new(backend.pbx_statuses.clone());
    let web = config.web.clone().map(|settings| open_web(settings, backend));
    let failures =
        [agi.as_ref().map(|(_, port)| port.failure()), web.as_ref().map(|(_, port)| port.failure())];
    something_is_served(config.asterisks.len(), failures.into_iter().flatten())?;
    let agi = agi.map(|(agi, port)| {
        let (settings, pbx_status) = (agi.settings.subscribe(), Arc::clone(&agi.pbx_status));
        let resolver = Arc::clone(&resolver);
        supervisor.spawn_with("the FastAGI server", |shutdown| async move {
            if port.failure().is_some() {
                pbx_status.set(State::NotListening);
            }
            if let Some(listener) = shutdown.run_until_cancelled(port.listener()).await {
                agi::run(settings, listener, resolver, pbx_status, shutdown).await;
            }
        });
        agi
    });
    let web = web.map(|(live, port)| {
        supervisor.spawn_with("the web server", move |shutdown| async move {
            if let Some((server, listener)) = shutdown.run_until_cancelled(port.listener()).await {
                server.run(listener, limits.web, shutdown).await;
            }
        });
        live
    });
    let pbxs = pbxs.into_iter().map(|pbx| pbx.connected(&resolver, supervisor)).collect();
    // The lists on disk are in use before the first request to a CRM.
    let state_dir = &config.state_dir;
    let opened = tokio::select! {
        biased;
        // A task that ends meanwhile ends the service; `serve` returns its error.
        _ = supervisor.until_shutdown() => return Ok(None),
        opened = lists::service::open(&config.sources, state_dir, suppression.store(), config.rules.clone(), &resolver) => opened?,
    };
    let schedules = lists::service::start(opened, &sources, replica.clone(), &metrics, supervisor);
    let forgetting =
        Forgetting { handle: schedules.handle().clone(), suppression: Arc::clone(&suppression), replica };
    if let Some((replica, wished)) = shared {
        let service = forgetting.clone();
        supervisor.spawn_with("the session with the replicas' server", |shutdown| {
            share::session::run(replica, wished, service, shutdown)
        });
    }
    let service = control::Service { handle: schedules.handle().clone(), reloads, forgetting };
    if let Some(web) = &web {
        // The pages have been there since the start, and now have buttons, too.
        web.send_modify(|live| {
            let backend = web::Backend { service: Some(service.clone()), ..live.backend.clone() };
            *live = Arc::new(web::Live { settings: live.settings.clone(), backend });
        });
    }
    control::start(service, state_dir, supervisor);
    systemd::start(&resolver, pbx_statuses.subscribe(), schedules.handle(), supervisor);
    Ok(Some(Running {
        config,
        metrics,
        calls,
        resolver,
        suppression,
        sources,
        searches,
        schedules,
        pbxs,
        pbx_statuses,
        agi,
        web,
    }))
}

/// Opens the port of `[agi]`, for so many sessions at once.
fn open_agi(
    mut settings: agi::Settings,
    sessions: usize,
    metrics: &Metrics,
    calls: &Calls,
) -> (FastAgi, Port<impl Fn() -> anyhow::Result<TcpListener> + use<>, TcpListener>) {
    settings.max_sessions = sessions;
    let listen = settings.listen;
    let port = Port::open(metrics.port("agi"), move || listen::listen("agi", "FastAGI server", listen));
    let pbx_status = Arc::new(PbxStatus::new(agi::NAME, metrics.pbx(agi::NAME)).telling(calls));
    (FastAgi { settings: watch::Sender::new(Arc::new(settings)), pbx_status }, port)
}

/// A web server, and where it listens.
type Web = (web::Server, TcpListener);

/// Prepares the web server, and opens its port.
fn open_web(
    settings: web::Settings,
    backend: web::Backend,
) -> (watch::Sender<Arc<web::Live>>, Port<impl Fn() -> anyhow::Result<Web>, Web>) {
    let (listen, counted) = (settings.listen(), backend.metrics.port("web"));
    let live = watch::Sender::new(Arc::new(web::Live { settings, backend }));
    let receiver = live.subscribe();
    let port = Port::open(counted, move || {
        let server = web::Server::new(receiver.clone()).context("[web]")?;
        Ok((server, listen::listen("web", "web server", listen)?))
    });
    (live, port)
}

/// The countries of all PBXs.
fn countries(config: &Config) -> Vec<Country> {
    let countries = config.asterisks.iter().map(|asterisk| asterisk.pbx.numbers.country);
    let agi = config.agi.iter().map(|agi| agi.pbx.numbers.country);
    countries.chain(agi).chain([config.pbx.numbers.country]).collect()
}

/// Fails if no call and no lookup can come in: no `[[asterisk]]` is configured, and no port can be listened on.
fn something_is_served<'a>(
    asterisks: usize,
    failures: impl Iterator<Item = Option<&'a anyhow::Error>>,
) -> anyhow::Result<()> {
    let failures: Option<Vec<_>> = failures.collect();
    match failures {
        Some(failures) if asterisks == 0 && !failures.is_empty() => {
            let failures: Vec<_> = failures.iter().map(|failure| format!("{failure:#}")).collect();
            Err(anyhow::anyhow!("{}", failures.join("; ")))
        }
        _ => Ok(()),
    }
}
