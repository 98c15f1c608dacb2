//! How much longer a call takes than one without us, placed in the same moment: whatever else the machine does holds up
//! both.

#![allow(clippy::panic, reason = "a test without its lab has failed")]

use std::time::Duration;

use super::call::{Lab, PATIENCE};
use super::sip::{Caller, Invite, Phone, Ring};

/// So many pairs of calls are compared, one pair after the other.
pub(crate) const PAIRS: usize = 5;
/// The caller of those without us.
const OTHER: &str = "22000000";

/// To the extension of [`from_trunk`](super::call::from_trunk) that dials at once.
pub(crate) const AT_ONCE: &str = "at_once";
/// To the one that waits for half a second, then dials.
pub(crate) const AFTER_HALF_A_SECOND: &str = "after_half_a_second";

/// Calls that were compared with others.
pub(crate) struct Comparison {
    /// Of the calls that concern us, in their order.
    pub rings: Vec<Ring>,
    /// By how many seconds each rang later than the one beside it.
    later: Vec<f64>,
}

impl Comparison {
    /// Places calls from these callers, and beside each a call without us to this extension.
    ///
    /// # Panics
    /// When one does not ring.
    pub(crate) async fn of(
        caller: &Caller,
        phone: &Phone,
        invite: &Invite,
        without_us: &str,
        log: impl Fn() -> String,
    ) -> Self {
        let mut comparison = Self { rings: Vec::new(), later: Vec::new() };
        for pair in 0..PAIRS {
            let mut invites = [invite.clone(), Invite::from(OTHER).to(without_us)];
            if pair % 2 == 1 {
                invites.reverse();
            }
            let calls = invites.map(|invite| caller.invite(invite));
            let mut ours = None;
            let mut took = [0.0; 2];
            for _ in &calls {
                let ring = phone.next_ring(PATIENCE).await;
                let ring = ring.unwrap_or_else(|| panic!("a call does not ring:\n{}", log()));
                let is_other = ring.number() == OTHER;
                let call = calls.iter().find(|call| (call.invite().number == OTHER.as_bytes()) == is_other);
                let sent = call.map_or(ring.received, super::sip::Call::sent);
                took[usize::from(is_other)] = ring.received.duration_since(sent).as_secs_f64();
                ours = if is_other { ours } else { Some(ring) };
            }
            comparison.rings.push(ours.unwrap_or_else(|| panic!("our call does not ring:\n{}", log())));
            comparison.later.push(took[0] - took[1]);
        }
        comparison
    }

    /// The median.
    pub(crate) fn later(&self) -> Duration {
        let mut later = self.later.clone();
        later.sort_by(f64::total_cmp);
        Duration::from_secs_f64(later[PAIRS / 2].max(0.0))
    }

    /// Every ring shows this name, and at the median none comes later than `most` after the call without us.
    ///
    /// # Panics
    /// When one is otherwise.
    pub(crate) fn assert(&self, name: &str, most: Duration) {
        for ring in &self.rings {
            assert_eq!(ring.name(), name);
        }
        assert!(self.later() < most, "they rang so many s later than without us: {:?}", self.later);
    }
}

impl Lab {
    /// [`Comparison::of`] with its own caller and phone.
    pub(crate) async fn compare(&self, invite: &Invite, without_us: &str) -> Comparison {
        Comparison::of(&self.caller, &self.phone, invite, without_us, || self.asterisk.log()).await
    }
}
