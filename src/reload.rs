//! A reload of the configuration: the order for it, and the report on what became of it. The service does the work
//! ([`crate::serve`]); SIGHUP and `nameplate reload` order it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// Orders that may wait. Each is a reload of its own: the file may have changed again.
const WAITING: usize = 8;

/// An order to reload the configuration.
#[derive(Debug)]
pub struct Order {
    /// Takes the report; none for a signal.
    pub reply: Option<oneshot::Sender<Report>>,
}

/// Takes orders to reload the configuration.
pub type Orders = mpsc::Sender<Order>;

/// A channel for orders.
#[must_use]
pub fn orders() -> (Orders, mpsc::Receiver<Order>) {
    mpsc::channel(WAITING)
}

/// What became of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The configuration file.
    pub file: PathBuf,
    /// What has changed, a line each.
    pub changed: Vec<String>,
    /// What can't change while the service runs, a line each. It stays as it was until the next start.
    pub stays: Vec<String>,
    /// What the administrator should know of the configuration, though the service runs with it.
    pub notices: Vec<String>,
    /// Why nothing has changed: the configuration can't be used.
    pub error: Option<String>,
}
