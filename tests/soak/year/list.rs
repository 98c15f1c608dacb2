//! One list with the service's own schedule, and what is noted of it.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nameplate::lists::ListConfig;
use nameplate::lists::engine::Engine;
use nameplate::lists::publisher::Change;
use nameplate::lists::refresh::{ListSource, Refresher};
use nameplate::lists::schedule::{Elsewhere, Order, Schedule};
use nameplate::lists::snapshot::Snapshot;
use nameplate::lists::status::ListStatus;
use nameplate::lists::store::Store;
use nameplate::observe::metrics::Metrics;
use nameplate::source::{Fetched, Progress, Settings, Source, SourceError, prepare_one};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::clock::Clock;

/// By how much the paused clock goes on in each of these moments of the real one, while an answer is under way.
const STEP: Duration = Duration::from_millis(100);
const MOMENT: Duration = Duration::from_millis(1);

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Since the start of the year.
    pub at: Duration,
    /// Whether it was for the whole list.
    pub is_full: bool,
    /// What came of it: whether the list was new, or the error.
    pub result: Result<bool, String>,
}

/// A list in the year.
pub(super) struct List {
    pub refresh: Duration,
    pub status: Arc<Mutex<ListStatus>>,
    pub orders: mpsc::Sender<Order>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// The list in use.
    used: Arc<Mutex<Snapshot>>,
    task: JoinHandle<()>,
}

impl List {
    /// Starts its schedule, as the service does.
    pub(super) fn start(
        settings: &Settings,
        state_dir: &Path,
        clock: &Arc<Clock>,
        metrics: &Metrics,
    ) -> Self {
        let client = prepare_one(settings).expect("a source");
        let list = settings.lists()[0];
        let asked = Arc::default();
        let source = Watched { source: client, list, clock: Arc::clone(clock), asked: Arc::clone(&asked) };
        let store = Store::new(state_dir);
        let (name, fingerprint) = (settings.name.clone(), settings.fingerprint(list));
        let snapshot = store.load(&name, 0);
        let refresher =
            Refresher::new(name.clone(), source, fingerprint, store, settings.full_refresh, snapshot);
        let (changed, mut receive) = mpsc::channel::<Change>(1);
        let (orders, receive_orders) = mpsc::channel(1);
        let status = Arc::new(Mutex::new(ListStatus::default()));
        let schedule = Schedule {
            refresher,
            refresh: settings.refresh,
            // Nothing reloads it.
            settings: watch::channel(None).1,
            changed,
            orders: receive_orders,
            clearings: mpsc::channel(1).1,
            status: Arc::clone(&status),
            metrics: metrics.list(&name, &name, settings.refresh),
            elsewhere: Elsewhere::default(),
        };
        let used = Arc::new(Mutex::new(Snapshot::Absent));
        let put = Arc::clone(&used);
        tokio::spawn(async move {
            while let Some(change) = receive.recv().await {
                if let Change::List(_, snapshot) = change {
                    *put.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
                }
            }
        });
        Self { refresh: settings.refresh, status, orders, asked, used, task: tokio::spawn(schedule.run()) }
    }

    /// All questions so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many entries the list in use has.
    pub(super) fn len(&self) -> usize {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The hash of the list in use.
    pub(super) fn hash(&self) -> String {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).header().hash
    }

    /// Its state, as `nameplate sources` shows it.
    pub(super) fn status(&self) -> ListStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).show(None)
    }

    /// Whether its schedule goes on.
    pub(super) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

/// A source whose questions are noted.
#[derive(Clone)]
struct Watched {
    source: Arc<Source>,
    list: nameplate::source::ListId,
    clock: Arc<Clock>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ListSource for Watched {
    async fn fetch(&self, hash: &str, progress: &Progress) -> Result<Fetched, SourceError> {
        let at = self.clock.elapsed();
        self.clock.show();
        let mut fetch = pin!(self.source.fetch(self.list, hash, progress));
        // An answer needs real time. The paused clock would go on to the next timer of anybody meanwhile, which may be the time
        // limit of this question; it stands still while a thread for blocking work is busy.
        let fetched = loop {
            tokio::select! {
                biased;
                fetched = &mut fetch => break fetched,
                () = a_moment() => tokio::time::advance(STEP).await,
            }
        };
        let result = match &fetched {
            Ok(fetched) => Ok(matches!(fetched, Fetched::Entries(_))),
            Err(error) => Err(error.to_string()),
        };
        let asked = Asked { at, is_full: hash.is_empty(), result };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        fetched
    }

    fn answered_in(&self) -> Option<Duration> {
        self.source.answered_in(self.list)
    }
}

async fn a_moment() {
    // It is not stopped, so it ends.
    let _ = tokio::task::spawn_blocking(|| thread::sleep(MOMENT)).await;
}
