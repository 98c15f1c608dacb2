//! What the service tells systemd (`sd_notify(3)`): that it is ready, a line of status, that lookups work, that it stops.
//!
//! Without `NOTIFY_SOCKET` in the environment, which systemd sets for a unit of `Type=notify`, none of it runs.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::asterisk::pbx_status::{PbxStatus, State};
use crate::lists::refresh::now;
use crate::lists::service::{Handle, ListAge};
use crate::lists::status::{grouped, time_span};
use crate::lookup::Resolver;
use crate::observe::throttle::Throttle;
use crate::supervisor::Supervisor;

/// The interval of the status line. A shorter one follows from a short `WatchdogSec`.
const INTERVAL: Duration = Duration::from_secs(5);
/// So many PBXs, or lists, are named one by one in the status line.
const NAMED: usize = 3;

/// Says that the service is ready, and starts the task that writes the status line and feeds the watchdog.
///
/// The watchdog is fed after a lookup through the resolver has answered. If lookups hang, systemd starts the service again
/// after `WatchdogSec`.
pub fn start(
    resolver: &Arc<Resolver>,
    pbx_statuses: watch::Receiver<Vec<Arc<PbxStatus>>>,
    lists: &Handle,
    supervisor: &mut Supervisor,
) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let (resolver, lists) = (Arc::clone(resolver), lists.clone());
    // Three messages fit into `WatchdogSec`, so one that is late does no harm.
    let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 3);
    let mut ticks =
        interval(watchdog.map_or(INTERVAL, |third| third.clamp(Duration::from_millis(100), INTERVAL)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let line = move || {
        let pbx_statuses = pbx_statuses.borrow().clone();
        let pbxs: Vec<_> =
            pbx_statuses.iter().map(|pbx| (pbx.name(), pbx.state(), pbx.description())).collect();
        status_line(resolver.probe(), &pbxs, &lists.ages(), now())
    };
    let warnings = Throttle::each_minute();
    tell(&warnings, &[NotifyState::Ready, NotifyState::Status(&line())]);
    supervisor.spawn_with("the messages to systemd", |shutdown| async move {
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            tell(&warnings, &[NotifyState::Watchdog, NotifyState::Status(&line())]);
        }
        tell(&warnings, &[NotifyState::Stopping, NotifyState::Status("calls in hand are finished")]);
    });
}

fn tell(warnings: &Throttle, state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warnings.log(|_| warn!("can't tell systemd how the service is: {error}"));
    }
}

/// `12,034 numbers; pbx1 connected; sales 3 min old`. With more than [`NAMED`] PBXs, or lists, they are counted, and only those
/// with trouble are named.
fn status_line(numbers: usize, pbxs: &[(&str, State, String)], lists: &[ListAge], now: u64) -> String {
    let mut parts = vec![format!("{} numbers", grouped(numbers as u64))];
    let away: Vec<_> = pbxs.iter().filter(|(_, state, _)| *state != State::Connected).collect();
    if pbxs.len() <= NAMED {
        parts.extend(pbxs.iter().map(|(name, _, description)| format!("{name} {description}")));
    } else {
        parts.push(format!("{} of {} PBXs connected", pbxs.len() - away.len(), pbxs.len()));
        parts.extend(away.iter().take(NAMED).map(|(name, _, description)| format!("{name} {description}")));
    }
    let of_list = |list: &ListAge| {
        let mut text = match list.last_success {
            Some(at) => format!("{} {} old", list.name, time_span(now.saturating_sub(at))),
            None => format!("{} not refreshed yet", list.name),
        };
        if list.is_held {
            text.push_str(", a new list is held back");
        }
        text
    };
    if lists.len() <= NAMED {
        parts.extend(lists.iter().map(of_list));
    } else if let Some(oldest) = lists.iter().min_by_key(|list| list.last_success) {
        let mut text = format!("{} lists, the oldest: {}", lists.len(), of_list(oldest));
        let held = lists.iter().filter(|list| list.is_held).count();
        if held > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "; {held} held back");
        }
        parts.push(text);
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Refusal;

    fn list(name: &str, last_success: Option<u64>, is_held: bool) -> ListAge {
        ListAge { name: name.into(), last_success, is_held }
    }

    fn pbx(name: &'static str, state: State) -> (&'static str, State, String) {
        let description = if state == State::Connected { "connected" } else { "refused: see ari.conf" };
        (name, state, description.into())
    }

    #[test]
    fn a_small_site_sees_each_pbx_and_each_list() {
        let line = status_line(
            12_034,
            &[pbx("pbx1", State::Connected)],
            &[list("sales", Some(1_000), false), list("vip", None, false), list("old", Some(0), true)],
            1_200,
        );
        assert_eq!(
            line,
            "12,034 numbers; pbx1 connected; sales 3 min old; vip not refreshed yet; old 20 min old, a new list is held back"
        );
    }

    #[test]
    fn a_large_site_sees_counts_and_the_trouble() {
        let refused = State::Refused(Refusal::Unauthorized);
        let mut pbxs = vec![pbx("pbx7", refused)];
        pbxs.extend(["a", "b", "c"].map(|name| pbx(name, State::Connected)));
        let lists: Vec<_> = (1..=5).map(|at| list("sales", Some(at * 86_400 * 3), at == 5)).collect();
        assert_eq!(
            status_line(1_000_000, &pbxs, &lists, 86_400 * 15),
            "1,000,000 numbers; 3 of 4 PBXs connected; pbx7 refused: see ari.conf; 5 lists, the oldest: sales 12 d old; 1 held back"
        );
    }
}
