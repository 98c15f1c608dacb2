//! Many calls at a steady rate.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::caller::{Call, Caller, Invite};
use super::phone::Phone;
use super::ring::Ring;

/// How many calls, how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many calls to place.
    pub calls: usize,
    /// How many of them a second. They leave when they are due, whatever became of the ones before.
    pub per_second: f64,
    /// How long to wait for the rest once the last has left.
    pub patience: Duration,
}

/// What became of the calls.
pub(crate) struct Report {
    /// From INVITE to INVITE, shortest first, of the calls that reached the phone.
    pub times: Vec<Duration>,
    /// The numbers whose call did not.
    pub lost: Vec<String>,
    /// When each call's INVITE left, by number.
    pub placed: HashMap<String, Instant>,
    /// What the phone showed, by number.
    pub rings: HashMap<String, Ring>,
    /// The callers' final answers: status and how often. 0: there was none.
    pub answers: HashMap<u16, usize>,
    /// INVITEs that had to be repeated towards the phone.
    pub repeated: usize,
}

impl Load {
    /// Places the calls, each with the number `invite` gives it (no two the same), and waits for
    /// all of them to ring at `phone` and to be answered by it.
    pub(crate) async fn run(
        self,
        caller: &Caller,
        phone: &Phone,
        invite: impl Fn(usize) -> Invite,
    ) -> Report {
        let start = Instant::now();
        let repeated = phone.repeated();
        let mut calls: HashMap<String, Call> = HashMap::with_capacity(self.calls);
        for at in 0..self.calls {
            #[expect(clippy::cast_precision_loss, reason = "far fewer calls than 2^52")]
            let due = start + Duration::from_secs_f64(at as f64 / self.per_second);
            tokio::time::sleep_until(due.into()).await;
            let call = caller.invite(invite(at));
            let number = String::from_utf8_lossy(&call.invite().number).into_owned();
            calls.insert(number, call);
        }
        let deadline = Instant::now() + self.patience;
        let rings = collect(phone, calls.len(), deadline).await;
        let mut report = Report {
            times: Vec::new(),
            lost: Vec::new(),
            placed: calls.iter().map(|(number, call)| (number.clone(), call.sent())).collect(),
            rings,
            answers: HashMap::new(),
            repeated: phone.repeated() - repeated,
        };
        for (number, call) in calls {
            let left = deadline.saturating_duration_since(Instant::now());
            let status = call.final_response(left).await.unwrap_or(0);
            *report.answers.entry(status).or_default() += 1;
            match report.rings.get(&number) {
                Some(ring) => report.times.push(ring.received.duration_since(call.sent())),
                None => report.lost.push(number),
            }
        }
        report.times.sort_unstable();
        report
    }
}

async fn collect(phone: &Phone, wanted: usize, deadline: Instant) -> HashMap<String, Ring> {
    let mut rings = HashMap::with_capacity(wanted);
    while rings.len() < wanted {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(ring) = phone.next_ring(left).await else { break };
        rings.insert(ring.number().to_owned(), ring);
    }
    rings
}

impl Report {
    /// The time that `share` (0 to 1) of the calls stayed below; zero when none arrived.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let Some(last) = self.times.len().checked_sub(1) else { return Duration::ZERO };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index, rounded and never above `last`"
        )]
        let at = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
        self.times[at.min(last)]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |share| self.quantile(share).as_secs_f64() * 1000.0;
        write!(
            to,
            "{} rang, {} lost, {} repeated; ms p50 {:.2}, p95 {:.2}, p99 {:.2}, longest {:.2}; answers {:?}",
            self.times.len(),
            self.lost.len(),
            self.repeated,
            ms(0.5),
            ms(0.95),
            ms(0.99),
            ms(1.0),
            self.answers,
        )
    }
}
