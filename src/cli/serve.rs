//! `nameplate serve`

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::Exit;
use crate::config::Config;
use crate::observe::logging;
use crate::reload::{self, Order, Orders};
use crate::serve;
use crate::supervisor::Supervisor;

pub(super) fn run(config: Config) -> anyhow::Result<Exit> {
    config.check_for_service()?;
    // Dropped at the end, which writes the last lines of the log.
    let _logging = logging::start(config.log, config.log.level);
    super::block_on(async {
        let mut supervisor = Supervisor::default();
        let (reloads, ordered) = reload::orders();
        watch_signals(&mut supervisor, reloads.clone())?;
        serve::serve(config, supervisor, reloads, ordered).await
    })??;
    Ok(Exit::Success)
}

/// SIGTERM and SIGINT stop the service. SIGHUP reloads the configuration.
fn watch_signals(supervisor: &mut Supervisor, reloads: Orders) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let shutdown = supervisor.shutdown().clone();
    supervisor.spawn("the watch for signals", async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => info!("SIGTERM"),
                _ = interrupt.recv() => info!("SIGINT"),
                _ = hangup.recv() => {
                    info!("SIGHUP");
                    // If there is no room, the orders that wait read the configuration as it is now, too.
                    let _ = reloads.try_send(Order { reply: None });
                    continue;
                }
            }
            shutdown.cancel();
        }
    });
    Ok(())
}
