//! What a real Asterisk does only on a bad day, played by a stand-in.

mod calls;
mod connection;
mod log;
mod refusal;
mod stand_in;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Settings, run};
use crate::asterisk::pbx_status::PbxStatus;
use crate::observe::metrics;
use crate::resolver::{Pbx, Resolver};
use crate::secret::Secret;
use stand_in::StandIn;

/// Distinctive, so that it is found wherever it is shown.
const PASSWORD: &str = "hemmelig-Qz7!";
const LIST: &str = "GET applications/nameplate";
const FILTER: &str = "PUT applications/nameplate/eventFilter";
/// Whether a call could be sent on.
const CHECK: &str = "POST channels/nameplate-asks-whether-it-could-send-a-call-on/continue";

struct Service {
    pbx_status: Arc<PbxStatus>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    fn start(stand_in: &StandIn) -> Self {
        Self::start_with(stand_in, Secret::Given(PASSWORD.into()))
    }

    fn start_with(stand_in: &StandIn, password: Secret) -> Self {
        crate::tls::install();
        let settings = Settings {
            name: "pbx1".into(),
            url: stand_in.url.parse().unwrap(),
            ca_file: None,
            username: "nameplate".into(),
            password,
            app: "nameplate".into(),
            pbx: Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) },
        };
        let resolver = Arc::new(Resolver::new(crate::name::Style::default()));
        let shutdown = CancellationToken::new();
        let pbx_status = Arc::new(PbxStatus::new("pbx1", metrics::Pbx::default()));
        let task = tokio::spawn(run(settings, resolver, Arc::clone(&pbx_status), shutdown.clone()));
        Self { pbx_status, shutdown, task }
    }

    async fn ended(self) {
        timeout(Duration::from_secs(5), self.task).await.expect("its end").unwrap();
    }
}
