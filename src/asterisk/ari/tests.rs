//! Tests against a stand-in of Asterisk, for faults that a real Asterisk shows only rarely.

mod calls;
mod connection;
mod failures;
mod log;
mod refusal;
mod reload;
mod stand_in;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Settings, run};
use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::lookup::{Pbx, Resolver};
use crate::observe::metrics::{self, Refusal};
use crate::secret::Secret;
use stand_in::{Response, Socket, StandIn, usual};

/// Distinctive, so that a test finds it in a log.
const PASSWORD: &str = "hemmelig-Qz7!";
const LIST: &str = "GET applications/nameplate";
const FILTER: &str = "PUT applications/nameplate/eventFilter";
/// The arguments of `Stasis()` for a handoff.
const HANDOFF: &[&str] = &["handoff", "1"];
/// The check whether a call could be sent on.
const CHECK: &str = "POST channels/nameplate-asks-whether-it-could-send-a-call-on/continue";

/// The running service for one PBX.
struct Service {
    pbx_status: Arc<PbxStatus>,
    change: watch::Sender<Arc<Settings>>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    fn start(stand_in: &StandIn) -> Self {
        Self::start_with(stand_in, Secret::Given(PASSWORD.into()))
    }

    fn start_with(stand_in: &StandIn, password: Secret) -> Self {
        Self::start_named(stand_in, password, Resolver::new(crate::name::Style::default()))
    }

    fn start_named(stand_in: &StandIn, password: Secret, resolver: Resolver) -> Self {
        crate::tls::install();
        let (change, settings) = watch::channel(Arc::new(Settings {
            name: "pbx1".into(),
            url: stand_in.url.parse().unwrap(),
            ca_file: None,
            username: "nameplate".into(),
            password,
            app: "nameplate".into(),
            pbx: Pbx { id: 0, numbers: crate::number::Settings::new("NO".parse().unwrap()) },
        }));
        let resolver = Arc::new(resolver);
        let shutdown = CancellationToken::new();
        let pbx_status = Arc::new(PbxStatus::new("pbx1", metrics::Pbx::default()));
        let task = tokio::spawn(run(settings, resolver, Arc::clone(&pbx_status), shutdown.clone()));
        Self { pbx_status, change, shutdown, task }
    }

    /// A service whose requests go on the websocket.
    async fn on_websocket(pbx: &mut StandIn) -> (Self, Socket) {
        let service = Self::start(pbx);
        let mut socket = pbx.socket().await;
        socket.answer_probe().await;
        (service, socket)
    }

    /// A service whose requests go over HTTP: the probe has no response within its second.
    async fn over_http(pbx: &mut StandIn) -> (Self, Socket) {
        let service = Self::start(pbx);
        let socket = pbx.socket().await;
        sleep(Duration::from_millis(1_500)).await;
        (service, socket)
    }

    /// Why the PBX refuses the service.
    fn refusal(&self) -> Option<Refusal> {
        if let State::Refused(refusal) = self.pbx_status.state() { Some(refusal) } else { None }
    }

    async fn ended(self) {
        timeout(Duration::from_secs(5), self.task).await.expect("its end").unwrap();
    }
}

/// Turns a stand-in's fault on and off.
#[derive(Clone, Default)]
struct Fault(Arc<AtomicUsize>);

impl Fault {
    fn toggle(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) % 2 == 1
    }

    fn was_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A stand-in with a fault: while the fault is on, `response` may give a response that is not the usual one.
async fn with_fault(response: impl Fn(&str) -> Option<Response> + Send + Sync + 'static) -> (StandIn, Fault) {
    let fault = Fault::default();
    let switch = fault.clone();
    let pbx = StandIn::start(move |request| {
        let faulty = if switch.is_on() { response(request) } else { None };
        faulty.unwrap_or_else(|| usual(request))
    })
    .await;
    (pbx, fault)
}
