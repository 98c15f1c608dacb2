//! `nameplate serve`

use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::Exit;
use crate::config::Config;
use crate::observe::logging;
use crate::serve;
use crate::supervisor::Supervisor;

pub(super) fn run(config: Config) -> anyhow::Result<Exit> {
    config.check_for_service()?;
    // Dropped at the end, which writes the last lines of the log.
    let _logging = logging::start(config.log, "info");
    super::block_on(async {
        let mut supervisor = Supervisor::default();
        watch_signals(&mut supervisor)?;
        serve::serve(config, supervisor).await
    })??;
    Ok(Exit::Success)
}

/// SIGTERM and SIGINT stop the service. SIGHUP, which would end the process, does nothing.
fn watch_signals(supervisor: &mut Supervisor) -> anyhow::Result<()> {
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
                    warn!("SIGHUP is ignored: restart the service to read the configuration again");
                    continue;
                }
            }
            shutdown.cancel();
        }
    });
    Ok(())
}
