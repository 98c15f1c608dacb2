//! The running service: it starts, connects and stops the other rooms, in reading order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tracing::{info, warn};

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::asterisk::{agi, ari};
use crate::config::Config;
use crate::listen::{self, Port};
use crate::lookup::Resolver;
use crate::observe::metrics::Metrics;
use crate::observe::panics;
use crate::supervisor::Supervisor;
use crate::{control, files, lists, number, search, source, systemd, tls, web};

/// The most time for calls in hand after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the service until the supervisor's shutdown. Fails if the start fails, or if a task ends by itself.
pub async fn serve(config: Config, mut supervisor: Supervisor) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "nameplate starts");
    tls::install();
    start(config, &mut supervisor).await?;
    let ended = supervisor.until_shutdown().await;
    info!("stopping: calls in hand are finished");
    let finished = supervisor.finish(DRAIN).await;
    info!("stopped");
    Ok(ended.and(finished)?)
}

async fn start(config: Config, supervisor: &mut Supervisor) -> anyhow::Result<()> {
    for notice in config.notices() {
        warn!("{notice}");
    }
    // Read now, so that the first call does not wait for the numbering plans.
    let countries = config.asterisks.iter().map(|asterisk| asterisk.pbx.numbers.country);
    let agi = config.agi.iter().map(|agi| agi.pbx.numbers.country);
    let countries: Vec<_> = countries.chain(agi).chain([config.pbx.numbers.country]).collect();
    panics::blocking(move || number::load(&countries)).await?;
    // The other countries' plans are read in the background.
    drop(tokio::task::spawn_blocking(number::load_all));

    let limits = files::limit_connections(&config);
    let metrics = Arc::new(Metrics::new());
    let asked = source::prepare(&config.sources)?;
    let searches = search::start(&config.sources, &asked, config.rules.shared, &metrics, supervisor);
    let resolver = Resolver::counted(config.style, metrics.directory());
    let resolver = Arc::new(resolver.searching(searches));
    let pbx_status = |pbx: &ari::Settings| Arc::new(PbxStatus::new(&pbx.name, metrics.pbx(&pbx.name)));
    let mut pbx_statuses: Vec<_> = config.asterisks.iter().map(pbx_status).collect();

    let agi = config.agi.map(|mut settings| {
        settings.max_sessions = limits.sessions;
        let pbx_status = Arc::new(PbxStatus::new(agi::NAME, metrics.pbx(agi::NAME)));
        pbx_statuses.push(Arc::clone(&pbx_status));
        let listen = settings.listen;
        let port = Port::open(metrics.port("agi"), move || listen::listen("agi", "FastAGI server", listen));
        (settings, pbx_status, port)
    });
    let web = config.web.map(|settings| {
        let (resolver, metrics, pbx_statuses) =
            (Arc::clone(&resolver), Arc::clone(&metrics), pbx_statuses.clone());
        let counted = metrics.port("web");
        let backend = web::Backend { resolver, pbx: config.pbx, pbx_statuses, metrics };
        Port::open(counted, move || {
            let server = web::Server::new(&settings, backend.clone()).context("[web]")?;
            Ok((server, listen::listen("web", "web server", settings.listen())?))
        })
    });
    let failures = [agi.as_ref().map(|(_, _, port)| port.failure()), web.as_ref().map(Port::failure)];
    something_is_served(config.asterisks.len(), failures.into_iter().flatten())?;
    if let Some((settings, pbx_status, port)) = agi {
        let resolver = Arc::clone(&resolver);
        supervisor.spawn_with("the FastAGI server", |shutdown| async move {
            if port.failure().is_some() {
                pbx_status.set(State::NotListening);
            }
            if let Some(listener) = shutdown.run_until_cancelled(port.listener()).await {
                agi::run(settings, listener, resolver, pbx_status, shutdown).await;
            }
        });
    }
    if let Some(port) = web {
        supervisor.spawn_with("the web server", move |shutdown| async move {
            if let Some((server, listener)) = shutdown.run_until_cancelled(port.listener()).await {
                server.run(listener, limits.web, shutdown).await;
            }
        });
    }
    // Without a directory "not found" would be untrue. So ARI connects only when there is one; until then Asterisk's calls go on.
    for (asterisk, pbx_status) in config.asterisks.into_iter().zip(pbx_statuses.clone()) {
        let resolver = Arc::clone(&resolver);
        let name = format!("the connection to `{}`", asterisk.name);
        supervisor.spawn_with(name, |shutdown| async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(asterisk, resolver, pbx_status, shutdown).await;
            }
        });
    }
    // The lists on disk are in use before the first request to a CRM.
    let (sources, state_dir, rules) = (&config.sources, &config.state_dir, config.rules);
    let opened = tokio::select! {
        biased;
        // A task that ends meanwhile ends the service; `serve` returns its error.
        _ = supervisor.until_shutdown() => return Ok(()),
        opened = lists::service::open(sources, state_dir, rules, &resolver) => opened?,
    };
    let handle = lists::service::start(opened, &asked, &metrics, supervisor);
    control::start(&handle, state_dir, supervisor);
    systemd::start(&resolver, pbx_statuses, &handle, supervisor);
    Ok(())
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

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::lists::lock::{Lock, Purpose};

    /// A configuration with a web server on a free port.
    fn config(folder: &tempfile::TempDir, sections: &str) -> Config {
        let text =
            format!("state_dir = \".\"\nnumbers.country = \"NO\"\nweb.listen = \"127.0.0.1:0\"\n{sections}");
        Config::parse(&folder.path().join("nameplate.toml"), &text).unwrap()
    }

    #[tokio::test]
    async fn every_task_of_the_service_is_supervised() {
        tls::install();
        let folder = tempfile::tempdir().unwrap();
        // No server listens on port 1.
        let sections = r#"
            agi.listen = "127.0.0.1:0"
            [[source]]
            name = "crm"
            type = "superoffice"
            api = "http://127.0.0.1:1/api"
            auth = { type = "basic", username = "nameplate", password = "secret" }
            selections = [7, 12]
            search_on_miss = true
            [[asterisk]]
            name = "pbx1"
            url = "http://127.0.0.1:1"
            username = "nameplate"
            password = "secret"
        "#;
        let mut supervisor = Supervisor::default();
        start(config(&folder, sections), &mut supervisor).await.unwrap();
        let expected = [
            "the FastAGI server",
            "the building of directories",
            "the connection to `pbx1`",
            "the control socket",
            "the refresh of `crm-12`",
            "the refresh of `crm-7`",
            "the search in `crm`",
            "the web server",
        ];
        assert_eq!(supervisor.names(), expected);
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), expected.len());
    }

    /// The smallest configuration of a service.
    fn web_only(folder: &tempfile::TempDir) -> Config {
        config(folder, "[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"\n")
    }

    #[tokio::test]
    async fn a_task_that_ends_while_a_command_has_the_lock_ends_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let command = Lock::take(folder.path(), Purpose::Refresh).unwrap().unwrap();
        let mut supervisor = Supervisor::default();
        supervisor.spawn("the test", tokio::time::sleep(Duration::from_millis(300)));
        let served =
            tokio::time::timeout(Duration::from_secs(30), serve(web_only(&folder), supervisor)).await;
        assert_eq!(served.unwrap().unwrap_err().to_string(), "the test has ended by itself");
        drop(command);
    }

    #[tokio::test]
    async fn commands_in_hand_end_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let mut supervisor = Supervisor::default();
        start(web_only(&folder), &mut supervisor).await.unwrap();
        let metrics = tokio::runtime::Handle::current().metrics();
        let tasks = metrics.num_alive_tasks();
        // They send no command.
        let mut commands = Vec::new();
        for _ in 0..100 {
            commands.push(UnixStream::connect(control::path(folder.path())).await.unwrap());
        }
        // Only a bounded number is accepted; the others wait in the backlog.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!((1..=32).contains(&(metrics.num_alive_tasks() - tasks)), "{}", metrics.num_alive_tasks());
        supervisor.shutdown().cancel();
        supervisor.until_shutdown().await.unwrap();
        supervisor.finish(Duration::from_secs(4)).await.unwrap();
        assert_eq!(metrics.num_alive_tasks(), 0);
    }
}
