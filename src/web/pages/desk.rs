//! What the buttons have ordered, and what became of it; and the findings of `nameplate check`. In memory only.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tracing::debug;

use crate::check::{self, Finding, Level};
use crate::config::Config;
use crate::lists::events::RefreshResult;
use crate::observe::panics;
use crate::reload::Report;

/// The orders that are remembered.
const ORDERS: usize = 5;
/// Findings are looked for again if they are so old, and somebody looks at the page.
const OLD: Duration = Duration::from_mins(10);
/// An order to look again does nothing so soon after the last one: it asks SuperOffice and each Asterisk.
const YOUNG: Duration = Duration::from_secs(5);

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Refresh a list, or all.
    Refresh(Option<String>),
    /// Take the list that is held back.
    Accept(String),
    /// Read the configuration again.
    Reload,
}

/// What became of an order.
#[derive(Clone, Debug)]
pub(super) enum Done {
    /// The refreshes, by list.
    Refreshed(Vec<RefreshResult>),
    /// The reload.
    Reloaded(Report),
    /// The service is stopping.
    Nothing,
}

/// An order, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    id: u64,
    pub(super) order: Order,
    /// The name of the user; none for the token.
    pub(super) by: Option<String>,
    /// When it was ordered: seconds since 1970, UTC.
    pub(super) at: u64,
    /// None while it is under way.
    pub(super) done: Option<Done>,
}

/// The findings of a check.
#[derive(Clone, Debug, Default)]
pub(super) struct Checked {
    /// The worst first.
    pub(super) findings: Vec<Finding>,
    /// When they were found: seconds since 1970, UTC; none before the first check.
    pub(super) at: Option<u64>,
    /// Whether a check is under way.
    pub(super) is_running: bool,
}

/// The orders and the findings.
#[derive(Debug)]
pub(in crate::web) struct Desk {
    orders: Mutex<VecDeque<Entry>>,
    checked: Mutex<Checked>,
}

impl Desk {
    pub(in crate::web) fn new() -> Self {
        Self { orders: Mutex::default(), checked: Mutex::default() }
    }

    /// The last orders, the newest first.
    pub(super) fn orders(&self) -> Vec<Entry> {
        locked(&self.orders).iter().rev().cloned().collect()
    }

    /// Notes an order. Returns its id.
    pub(super) fn begin(&self, order: Order, by: Option<String>) -> u64 {
        let mut orders = locked(&self.orders);
        let id = orders.back().map_or(0, |last| last.id + 1);
        if orders.len() >= ORDERS {
            orders.pop_front();
        }
        orders.push_back(Entry { id, order, by, at: now(), done: None });
        id
    }

    /// Notes what became of an order.
    pub(super) fn end(&self, id: u64, done: Done) {
        if let Some(entry) = locked(&self.orders).iter_mut().find(|entry| entry.id == id) {
            entry.done = Some(done);
        }
    }

    /// The findings of the last check.
    pub(super) fn checked(&self) -> Checked {
        locked(&self.checked).clone()
    }

    /// Whether a check has to be made now: none is under way, and the last one is old; or not young, if one is `wanted`. If so,
    /// it counts as under way.
    fn begins_check(&self, wanted: bool) -> bool {
        let mut checked = locked(&self.checked);
        let limit = if wanted { YOUNG } else { OLD };
        let is_due = checked.at.is_none_or(|at| now().saturating_sub(at) >= limit.as_secs());
        let begins = is_due && !checked.is_running;
        checked.is_running |= begins;
        begins
    }

    /// Makes a check of the configuration in this file, if one has to be made. It may take ten seconds.
    pub(super) async fn check(&self, config: PathBuf, wanted: bool) {
        if !self.begins_check(wanted) {
            return;
        }
        let runtime = Handle::current();
        // Files are read, which may take its time: not on the threads of calls.
        let found = panics::blocking(move || match Config::read(&config) {
            Ok(config) => runtime.block_on(check::online(&config)),
            Err(error) => vec![Finding::error(
                config.display().to_string(),
                error.to_string(),
                "the service runs with the configuration that it has read before",
                "mend it",
            )],
        });
        let mut findings = check::sorted(found.await.unwrap_or_default());
        findings.reverse();
        *locked(&self.checked) = Checked { findings, at: Some(now()), is_running: false };
        debug!("[web] the configuration and all that it names were checked for a page");
    }
}

impl Checked {
    /// The findings of this level, or worse ones.
    pub(super) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level >= level).count()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_orders_are_remembered_with_what_became_of_them() {
        let desk = Desk::new();
        let ids: Vec<_> = (0..7).map(|_| desk.begin(Order::Reload, Some("kari".into()))).collect();
        desk.end(ids[6], Done::Nothing);
        // It is forgotten already.
        desk.end(ids[0], Done::Nothing);
        let orders = desk.orders();
        assert_eq!(orders.iter().map(|entry| entry.id).collect::<Vec<_>>(), [6, 5, 4, 3, 2]);
        assert_eq!(orders.iter().filter(|entry| entry.done.is_some()).count(), 1);
        assert_eq!(orders[0].by.as_deref(), Some("kari"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_check_is_made_once_at_a_time_and_kept() {
        let desk = Desk::new();
        assert!(desk.begins_check(false) && !desk.begins_check(true));
        locked(&desk.checked).is_running = false;
        desk.check("/nonexistent/nameplate.toml".into(), false).await;
        let checked = desk.checked();
        assert_eq!((checked.findings.len(), checked.is_running), (1, false));
        assert!(checked.at.is_some() && checked.findings[0].what.contains("/nonexistent"));
        // Neither the page nor the button makes another one at once.
        assert!(!desk.begins_check(false) && !desk.begins_check(true));
        locked(&desk.checked).at = Some(now() - OLD.as_secs());
        assert!(desk.begins_check(false));
    }
}
