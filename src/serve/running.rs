//! The parts of the running service that a reload of the configuration changes. What has not changed goes on undisturbed: a
//! connection stays up, a list keeps its schedule. Calls in hand finish with what they began with.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::difference::{self, Difference};
use super::{DRAIN, countries};
use crate::asterisk::pbx_status::PbxStatus;
use crate::asterisk::{agi, ari};
use crate::calls::Calls;
use crate::config::Config;
use crate::lists::service::Schedules;
use crate::lists::suppression::Suppression;
use crate::lookup::Resolver;
use crate::observe::metrics::Metrics;
use crate::observe::{logging, mask, panics};
use crate::reload::{Order, Report};
use crate::source::{self, Prepared};
use crate::supervisor::{Supervisor, Task};
use crate::{files, number, search, web};

/// The parts of the running service.
pub(super) struct Running {
    /// What is in force.
    pub(super) config: Config,
    pub(super) metrics: Arc<Metrics>,
    pub(super) calls: Calls,
    pub(super) resolver: Arc<Resolver>,
    pub(super) suppression: Arc<Suppression>,
    pub(super) sources: Vec<Prepared>,
    pub(super) searches: search::Workers,
    pub(super) schedules: Schedules,
    /// In the order of the configuration.
    pub(super) pbxs: Vec<RunningPbx>,
    pub(super) pbx_statuses: watch::Sender<Vec<Arc<PbxStatus>>>,
    pub(super) agi: Option<FastAgi>,
    pub(super) web: Option<watch::Sender<Arc<web::Live>>>,
}

/// A PBX, connected or not.
pub(super) struct RunningPbx {
    settings: watch::Sender<Arc<ari::Settings>>,
    pbx_status: Arc<PbxStatus>,
    /// None before the start.
    task: Option<Task>,
}

/// The FastAGI server.
pub(super) struct FastAgi {
    pub(super) settings: watch::Sender<Arc<agi::Settings>>,
    pub(super) pbx_status: Arc<PbxStatus>,
}

/// The status of each PBX, FastAGI's last.
pub(super) fn pbx_statuses(pbxs: &[RunningPbx], agi: Option<&FastAgi>) -> Vec<Arc<PbxStatus>> {
    let pbxs = pbxs.iter().map(|pbx| &pbx.pbx_status);
    pbxs.chain(agi.map(|agi| &agi.pbx_status)).cloned().collect()
}

impl RunningPbx {
    pub(super) fn new(settings: ari::Settings, metrics: &Metrics, calls: &Calls) -> Self {
        let pbx_status = PbxStatus::new(&settings.name, metrics.pbx(&settings.name)).telling(calls);
        let pbx_status = Arc::new(pbx_status);
        Self { settings: watch::Sender::new(Arc::new(settings)), pbx_status, task: None }
    }

    /// Connects it. Without a directory "not found" would be untrue. So ARI connects only when there is one; until then
    /// Asterisk's calls go on.
    pub(super) fn connected(mut self, resolver: &Arc<Resolver>, supervisor: &mut Supervisor) -> Self {
        let (settings, resolver) = (self.settings.subscribe(), Arc::clone(resolver));
        let pbx_status = Arc::clone(&self.pbx_status);
        let name = format!("the connection to `{}`", pbx_status.name());
        self.task = Some(supervisor.spawn_with(name, |shutdown| async move {
            if shutdown.run_until_cancelled(resolver.filled()).await.is_some() {
                ari::run(settings, resolver, pbx_status, shutdown).await;
            }
        }));
        self
    }

    /// Takes its settings, or lets it see that secrets may have changed.
    fn change(&self, new: &ari::Settings) {
        self.settings.send_modify(|settings| {
            if **settings != *new {
                *settings = Arc::new(new.clone());
            }
        });
    }
}

impl Running {
    /// Reads the configuration again and takes it. If it can't be used, the one in force stays. This is the one place of every
    /// reload: who has to know of its beginning and its end, such as a service manager, is told here.
    pub(super) async fn reload(&mut self, order: Order, supervisor: &mut Supervisor) {
        let mut report = match self.read().await {
            Ok((config, sources)) => self.take(config, sources, supervisor).await,
            Err(error) => Report { error: Some(format!("{error:#}")), ..Report::default() },
        };
        report.file.clone_from(&self.config.path);
        log(&report);
        if let Some(reply) = order.reply {
            // If the command is gone, no one reads the reply.
            let _ = reply.send(report);
        }
    }

    /// Reads the configuration, and prepares what may fail. Nothing has changed yet.
    async fn read(&self) -> anyhow::Result<(Config, Vec<Prepared>)> {
        let path = self.config.path.clone();
        let read = panics::blocking(move || {
            let config = Config::read(&path)?;
            config.check_for_service()?;
            if let Some(web) = &config.web {
                web.check_certificate()?;
            }
            // So that no call waits for the numbering plan of a new country.
            number::load(&countries(&config));
            anyhow::Ok(config)
        });
        let config = read.await??;
        let sources = source::prepare(&config.sources, &self.sources)?;
        Ok((config, sources))
    }

    /// Takes another configuration.
    async fn take(&mut self, mut new: Config, sources: Vec<Prepared>, supervisor: &mut Supervisor) -> Report {
        let mut stays = difference::keep_what_stays(&self.config, &mut new);
        let difference = Difference::of(&self.config, &new);
        let is_level_taken = new.log == self.config.log || logging::change(new.log);
        if !is_level_taken && new.log.level != self.config.log.level {
            let variable = logging::LEVEL_VARIABLE;
            stays.push(format!("[log] level: the variable {variable} is set, and counts instead"));
        }
        if difference.sources || difference.rules || difference.style {
            let searches = self.searches.reload(&sources, new.rules.shared, &self.metrics, supervisor);
            self.resolver.reword(new.style.clone(), searches);
        }
        if difference.suppressed {
            self.suppression.configure(new.suppressed.clone());
        }
        if difference.sources || difference.rules || difference.suppressed {
            self.schedules.reload(&sources, new.rules.clone(), &self.metrics, supervisor).await;
        } else {
            self.schedules.look_again();
        }
        if difference.suppressed {
            // The lists do it when they can; no one waits for that.
            drop(self.schedules.handle().take_out_suppressed());
        }
        self.change_servers(&new);
        let gone = self.let_pbxs_go(&new);
        // A new PBX may be one of these, with another name.
        supervisor.until_ended(&gone, DRAIN).await;
        self.change_pbxs(&new, supervisor);
        let pbx_statuses = pbx_statuses(&self.pbxs, self.agi.as_ref());
        self.pbx_statuses.send_replace(pbx_statuses.clone());
        if let Some(web) = &self.web {
            let live = web.borrow().clone();
            let settings = new.web.clone().unwrap_or_else(|| live.settings.clone());
            let crms = Arc::new(source::client_addresses(&new.sources));
            let backend = web::Backend { pbx: new.pbx.clone(), pbx_statuses, crms, ..live.backend.clone() };
            self.calls.keep(settings.history);
            web.send_replace(Arc::new(web::Live { settings, backend }));
        }
        let notices = new.notices();
        (self.config, self.sources) = (new, sources);
        Report { changed: difference.lines, stays, notices, ..Report::default() }
    }

    /// Lets go of the PBXs that are not in the new configuration: each finishes its calls in hand.
    fn let_pbxs_go(&mut self, new: &Config) -> Vec<Task> {
        let is_gone = |pbx: &mut RunningPbx| {
            !new.asterisks.iter().any(|asterisk| asterisk.name == pbx.pbx_status.name())
        };
        let gone: Vec<RunningPbx> = self.pbxs.extract_if(.., is_gone).collect();
        let tasks = gone.into_iter().filter_map(|pbx| {
            self.metrics.forget_pbx(pbx.pbx_status.name());
            pbx.task.as_ref().inspect(|task| task.stop());
            pbx.task
        });
        tasks.collect()
    }

    /// Changes the PBXs that stay, and connects new ones.
    fn change_pbxs(&mut self, new: &Config, supervisor: &mut Supervisor) {
        let mut before = std::mem::take(&mut self.pbxs);
        for asterisk in &new.asterisks {
            let known = before.iter().position(|pbx| pbx.pbx_status.name() == asterisk.name);
            self.pbxs.push(match known.map(|known| before.swap_remove(known)) {
                Some(pbx) => {
                    pbx.change(asterisk);
                    pbx
                }
                None => {
                    let pbx = RunningPbx::new(asterisk.clone(), &self.metrics, &self.calls);
                    pbx.connected(&self.resolver, supervisor)
                }
            });
        }
    }

    /// Changes the FastAGI server, and how many files may be open.
    fn change_servers(&self, new: &Config) {
        let limits = files::limit_connections(new);
        if let (Some(agi), Some(settings)) = (&self.agi, &new.agi) {
            let max_sessions = limits.sessions;
            agi.settings.send_replace(Arc::new(agi::Settings { max_sessions, ..settings.clone() }));
        }
    }
}

/// Writes a report to the log.
fn log(report: &Report) {
    let file = report.file.display();
    if let Some(error) = &report.error {
        // A line of the file may hold a number.
        let error = mask::Text(error);
        return error!("{file} can't be used, so the configuration in force stays: {error}");
    }
    for line in &report.changed {
        info!("reload: {line}");
    }
    for line in &report.stays {
        warn!("what the reload of the configuration can't change is as it was until the next start: {line}");
    }
    for notice in &report.notices {
        warn!("{notice}");
    }
    info!(changes = report.changed.len(), %file, "the configuration is reloaded");
}
