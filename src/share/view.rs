//! What a replica knows of the server at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::life::Signs;
use super::manifest::Entry;
use super::version::ReplicaId;

/// What a replica knows of the server at a moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Whether the server has answered, and its last answer was no failure.
    pub is_up: bool,
    /// When it last did so. Before: when the service started.
    pub contact: Instant,
    /// The epoch in which this replica may publish, and until when; none if it may not.
    pub publishes: Option<(u64, Instant)>,
    /// What the server has of each list.
    pub entries: Arc<BTreeMap<String, Entry>>,
    /// The machine that has the lease.
    pub holder: Option<String>,
    /// The replica that has it.
    pub holder_id: Option<ReplicaId>,
    /// The last signs of all replicas; none before they are read.
    pub signs: Option<Arc<Signs>>,
    /// The last failure, in words; none while the server answers.
    pub trouble: Option<String>,
}

impl View {
    /// Nothing is known.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            is_up: false,
            contact: now,
            publishes: None,
            entries: Arc::default(),
            holder: None,
            holder_id: None,
            signs: None,
            trouble: None,
        }
    }

    /// The epoch in which this replica may publish at `now`.
    #[must_use]
    pub fn epoch(&self, now: Instant) -> Option<u64> {
        self.publishes.filter(|(_, until)| now < *until).map(|(epoch, _)| epoch)
    }
}
