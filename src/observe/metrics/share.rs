//! The gauges of the replicas' server.

use prometheus_client::metrics::gauge::Gauge;

/// The state of a replica.
#[derive(Clone, Debug, Default)]
pub struct Share {
    pub(super) up: Gauge,
    pub(super) holder: Gauge,
}

impl Share {
    /// Sets whether the server answers, and whether this replica asks the CRM.
    pub fn set(&self, is_up: bool, is_holder: bool) {
        self.up.set(is_up.into());
        self.holder.set(is_holder.into());
    }
}
