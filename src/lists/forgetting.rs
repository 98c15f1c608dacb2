//! `nameplate forget` in the running service: in force at once, then in each list and its files, and at the other replicas.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::service::Handle;
use super::suppression::{Cleared, Others, Report, Suppression};
use crate::number::Number;
use crate::observe::panics;
use crate::share::replica::Replica;

/// Forgets numbers. A clone does the same.
#[derive(Clone)]
pub struct Forgetting {
    /// The lists.
    pub handle: Handle,
    /// The numbers that must not be named.
    pub suppression: Arc<Suppression>,
    /// This service among the replicas; none if there are none.
    pub replica: Option<Arc<Replica>>,
}

impl Forgetting {
    /// Forgets a number, or with `undo` lets it be named again. Returns when no list has it.
    pub async fn forget(&self, number: Number, undo: bool) -> Report {
        let failed = |error: String| Report { error: Some(error), ..Report::default() };
        let this = self.clone();
        let changed = panics::blocking(move || this.change(number, undo)).await;
        let mut report = match changed {
            Ok(report) if report.error.is_some() || undo => return report,
            Ok(report) => report,
            Err(panicked) => return failed(panicked.to_string()),
        };
        let ordered = self.handle.take_out_suppressed();
        let known = ordered.iter().map(|(list, _)| list.clone()).collect();
        for (list, cleared) in ordered {
            let why = "it was not told: try again";
            report.lists.push(cleared.await.unwrap_or_else(|_| Cleared::failed(&list, why)));
        }
        report.lists.extend(self.take_out_of_removed(known).await);
        report
    }

    fn change(&self, number: Number, undo: bool) -> Report {
        let mut report = self.suppression.change(number, undo);
        if let Some(replica) = self.replica.as_ref().filter(|_| report.is_changed) {
            replica.decides(number, undo);
            report.others = replica.trouble().map_or(Others::Now, Others::Later);
        }
        report
    }

    /// Follows decisions of other replicas: each number is forgotten, or with `true` may be named again. They are in force when this
    /// function returns; the lists and their files follow.
    ///
    /// # Errors
    /// If they can't be written down. Then nothing has changed.
    pub async fn follow(&self, decisions: Vec<(Number, bool)>) -> anyhow::Result<()> {
        let suppression = Arc::clone(&self.suppression);
        // What may be named again comes with the next list.
        let forgets = decisions.iter().any(|(_, undo)| !undo);
        if panics::blocking(move || suppression.follow(&decisions)).await?? && forgets {
            // The lists do it when they can; no one waits for that.
            let known = self.handle.take_out_suppressed().into_iter().map(|(list, _)| list).collect();
            self.take_out_of_removed(known).await;
        }
        Ok(())
    }

    /// `known` are the lists of the configuration.
    async fn take_out_of_removed(&self, known: BTreeSet<String>) -> Vec<Cleared> {
        let suppression = Arc::clone(&self.suppression);
        // A panic is in the log.
        panics::blocking(move || suppression.take_out_of_removed(&known)).await.unwrap_or_default()
    }
}
