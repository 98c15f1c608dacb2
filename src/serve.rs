//! The running service: what is started, wired and stopped, in reading order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

use crate::asterisk::link::Link;
use crate::asterisk::{agi, ari};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::parts::Parts;
use crate::resolver::Resolver;
use crate::{control, files, number, panics, refresh, search, source, tls, web};

/// How long calls in hand may take after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// Connections that may wait to be accepted, as far as the system lets them (`net.core.somaxconn`, 4096). With the usual
/// 128, calls that came while the service hung would soon fill it, given up as they are, and each further one would be
/// held in `AGI()` for the 2 s that Asterisk tries to connect: no bound of the dialplan ends that.
const BACKLOG: u32 = 4_096;

/// Runs the service until the shutdown of its `parts`. Fails before it has begun, or when a part ends by itself.
pub async fn serve(config: Config, mut parts: Parts) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "nameplate starts");
    tls::install();
    start(config, &mut parts).await?;
    let ended = parts.until_shutdown().await;
    info!("stopping: calls in hand are finished");
    let finished = parts.finish(DRAIN).await;
    info!("stopped");
    Ok(ended.and(finished)?)
}

async fn start(config: Config, parts: &mut Parts) -> anyhow::Result<()> {
    // The first call must not wait for the numbering plans to be read.
    let countries = config.asterisks.iter().map(|asterisk| asterisk.pbx.numbers.country);
    let agi = config.agi.iter().map(|agi| agi.pbx.numbers.country);
    let countries: Vec<_> = countries.chain(agi).chain([config.pbx.numbers.country]).collect();
    panics::blocking(move || number::load(&countries)).await?;
    // The other countries' plans meanwhile, so that their first caller does not wait for them either.
    drop(tokio::task::spawn_blocking(number::load_all));

    let room = files::make_room(&config);
    let metrics = Arc::new(Metrics::new());
    let asked = source::prepare(&config.sources)?;
    let searches = search::start(&config.sources, &asked, config.rules.shared, &metrics, parts);
    let resolver = Resolver::counted(config.style, metrics.directory());
    let resolver = resolver.keeping(config.kept).searching(searches);
    let resolver = Arc::new(resolver);
    let link = |pbx: &ari::Settings| Arc::new(Link::new(&pbx.name, metrics.pbx(&pbx.name)));
    let mut links: Vec<_> = config.asterisks.iter().map(link).collect();

    // First what can fail: a port that is in use.
    if let Some(mut settings) = config.agi {
        settings.max_sessions = room.sessions;
        let link = Arc::new(Link::new(agi::NAME, metrics.pbx(agi::NAME)));
        links.push(Arc::clone(&link));
        let (resolver, listener) = (Arc::clone(&resolver), listen("agi", "FastAGI server", settings.listen)?);
        parts.spawn_with("the FastAGI server", |shutdown| {
            agi::run(settings, listener, resolver, link, shutdown)
        });
    }
    if let Some(settings) = &config.web {
        let (resolver, metrics) = (Arc::clone(&resolver), Arc::clone(&metrics));
        let rooms = web::Rooms { resolver, pbx: config.pbx, links: links.clone(), metrics };
        let server = web::Server::new(settings, rooms).context("[web]")?;
        let listener = listen("web", "web server", settings.listen())?;
        parts.spawn_with("the web server", move |shutdown| server.run(listener, room.web, shutdown));
    }
    // Before there is a directory, "not found" would be untrue: Asterisk finds nobody to ask, and its calls go on.
    for (asterisk, link) in config.asterisks.into_iter().zip(links) {
        let resolver = Arc::clone(&resolver);
        let name = format!("the connection to `{}`", asterisk.name);
        parts.spawn_with(name, |shutdown| async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(asterisk, resolver, link, shutdown).await;
            }
        });
    }
    // What is on disk is in place before the first question to a CRM.
    let (sources, state_dir, rules) = (&config.sources, &config.state_dir, config.rules);
    let opened = tokio::select! {
        biased;
        // A part that ends meanwhile ends the service; `serve` says so.
        _ = parts.until_shutdown() => return Ok(()),
        opened = refresh::open(sources, state_dir, rules, &resolver) => opened?,
    };
    let handle = refresh::start(opened, sources, &asked, &metrics, parts);
    control::start(&handle, state_dir, parts);
    Ok(())
}

/// Takes the port of a section of the configuration.
fn listen(section: &str, what: &str, wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = bind(wanted)
        .with_context(|| format!("[{section}] listen = \"{wanted}\": can't listen there, is another program (or nameplate itself) running?"))?;
    let address = listener.local_addr()?;
    info!(%address, "{what} listens");
    Ok(listener)
}

fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    let socket = if wanted.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does, so that a port is free again at once after a kill.
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpStream, UnixStream};

    use super::*;
    use crate::refresh::lock::{Lock, Purpose};

    #[tokio::test]
    async fn calls_connect_at_once_although_nobody_accepts() {
        let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let calls = somaxconn.trim().parse().unwrap_or(128).min(300);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for call in 0..calls {
            // Where there is no room, the first attempt gets no answer, and the next one comes after a second.
            let connected =
                tokio::time::timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("call {call} waits")).unwrap());
        }
    }

    #[tokio::test]
    async fn every_task_of_the_service_is_a_part_that_is_watched() {
        tls::install();
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens on port 1.
        let text = r#"
            state_dir = "."
            numbers.country = "NO"
            agi.listen = "127.0.0.1:0"
            web.listen = "127.0.0.1:0"
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
        let config = Config::parse(&folder.path().join("nameplate.toml"), text).unwrap();
        let mut parts = Parts::default();
        start(config, &mut parts).await.unwrap();
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
        assert_eq!(parts.names(), expected);
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), expected.len());
    }

    /// The least that a service needs.
    fn web_only(folder: &tempfile::TempDir) -> Config {
        let text = r#"
            state_dir = "."
            numbers.country = "NO"
            web.listen = "127.0.0.1:0"
            [[source]]
            name = "vip"
            type = "csv"
            path = "vip.csv"
        "#;
        Config::parse(&folder.path().join("nameplate.toml"), text).unwrap()
    }

    #[tokio::test]
    async fn a_part_that_ends_while_a_command_has_the_lock_ends_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let command = Lock::take(folder.path(), Purpose::Refresh).unwrap().unwrap();
        let mut parts = Parts::default();
        parts.spawn("the test", tokio::time::sleep(Duration::from_millis(300)));
        let served = tokio::time::timeout(Duration::from_secs(30), serve(web_only(&folder), parts)).await;
        assert_eq!(served.unwrap().unwrap_err().to_string(), "the test has ended by itself");
        drop(command);
    }

    #[tokio::test]
    async fn commands_in_hand_end_with_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Parts::default();
        start(web_only(&folder), &mut parts).await.unwrap();
        let metrics = tokio::runtime::Handle::current().metrics();
        let tasks = metrics.num_alive_tasks();
        // They ask for nothing.
        let mut commands = Vec::new();
        for _ in 0..100 {
            commands.push(UnixStream::connect(control::path(folder.path())).await.unwrap());
        }
        // A bounded number of them at once; the others wait with the system.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!((1..=32).contains(&(metrics.num_alive_tasks() - tasks)), "{}", metrics.num_alive_tasks());
        parts.shutdown().cancel();
        parts.until_shutdown().await.unwrap();
        parts.finish(Duration::from_secs(4)).await.unwrap();
        assert_eq!(metrics.num_alive_tasks(), 0);
    }
}
