//! Whether Asterisk takes what a connection asks. `Stasis()` lets calls pass at once only while nobody has the
//! application: whoever cannot answer has to let go of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::{Failure, Outcome};
use super::error::ConnectionError;
use super::requests::ANSWER_TIMEOUT;

/// So many failures in a row, without a success between, end a connection.
const MOST: usize = 3;
/// A wait for Asterisk that ends so much later says that this process did not run: the answer may be there.
pub(super) const PAUSED: Duration = Duration::from_millis(100);

/// The channel that is asked to go on, to see whether a channel could be: there is none with this id.
pub(super) const NOBODY: &str = "nameplate-asks-whether-it-could-send-a-call-on";

/// What is known of one connection's requests.
#[derive(Debug)]
pub(super) struct Verdict {
    row: Mutex<Row>,
    /// Ends the connection. The first reason counts.
    reasons: mpsc::Sender<ConnectionError>,
    /// Nothing more is asked: it would be refused, or there is no time left.
    over: CancellationToken,
}

/// Failures in a row.
#[derive(Debug)]
struct Row {
    /// The calls that could not be sent on; each counts once, however often it is tried.
    calls: Vec<String>,
    /// The questions whether a call could be.
    checks: usize,
    /// When the last answer of either kind came.
    answered: Instant,
}

impl Verdict {
    /// Nothing is known yet; and where the reason comes from that ends the connection.
    pub(super) fn new() -> (Self, mpsc::Receiver<ConnectionError>) {
        let (reasons, ends) = mpsc::channel(1);
        let row = Row { calls: Vec::new(), checks: 0, answered: Instant::now() };
        (Self { row: Mutex::new(row), reasons, over: CancellationToken::new() }, ends)
    }

    /// Any request has failed. 401 and 403 end the connection, whatever was asked.
    pub(super) fn failed(&self, failure: &Failure) {
        if failure.is_refusal() {
            self.end(ConnectionError::of(failure.clone()));
            self.over.cancel();
        }
    }

    /// What came of sending a call on.
    pub(super) fn of_call(&self, channel: &str, outcome: &Outcome) {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Failed(failure) => {
                if row.counts(failure) && !row.calls.iter().any(|call| call == channel) {
                    row.calls.push(channel.to_owned());
                }
                if row.calls.len() >= MOST {
                    self.end(ConnectionError::of_row(failure.clone()));
                }
                self.failed(failure);
            }
            // A call that goes on without its name, after its handoff has failed, says nothing of handoffs.
            Outcome::Done if row.calls.iter().any(|call| call == channel) => row.answered = Instant::now(),
            Outcome::Done => {
                row.calls.clear();
                row.answered = Instant::now();
            }
            // Of this call only.
            Outcome::CallerGone | Outcome::LeftStasis | Outcome::NoSuchPlace | Outcome::NotACaller => {
                row.answered = Instant::now();
            }
        }
    }

    /// What came of asking whether a call could be sent on.
    pub(super) fn of_check(&self, outcome: Outcome) {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::CallerGone => {
                row.checks = 0;
                row.answered = Instant::now();
            }
            Outcome::Failed(failure) => {
                row.checks += usize::from(row.counts(&failure));
                if row.checks >= MOST || failure.is_no_resource() {
                    self.end(ConnectionError::of_row(failure.clone()));
                }
                self.failed(&failure);
            }
            strange => self.end(ConnectionError::Strange(format!("{strange:?}"))),
        }
    }

    /// Whether a failure is still to be made good: then it is asked more often.
    pub(super) fn is_in_doubt(&self) -> bool {
        let row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        row.checks > 0
    }

    /// Ends the connection.
    fn end(&self, reason: ConnectionError) {
        // One that comes later, or after the connection's end, changes nothing.
        let _ = self.reasons.try_send(reason);
    }

    /// Nothing more is to be asked.
    pub(super) fn close(&self) {
        self.over.cancel();
    }

    /// Does something for a call, until nothing more is to be asked: then none.
    pub(super) async fn meanwhile<T>(&self, something: impl Future<Output = T>) -> Option<T> {
        self.over.run_until_cancelled(something).await
    }
}

impl Row {
    /// Whether a failure says that Asterisk can't be made to send calls on. One that is merely late does while nothing at
    /// all is answered: in a rush some answers are late.
    fn counts(&mut self, failure: &Failure) -> bool {
        match failure {
            Failure::Busy(_) => false,
            Failure::Late(_) => self.answered.elapsed() >= ANSWER_TIMEOUT,
            Failure::Unreachable(_)
            | Failure::Tls(_)
            | Failure::Closed
            | Failure::Status { .. }
            | Failure::Unread(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Outcome {
        Outcome::of(status, "")
    }

    /// Whether the connection ends after these answers, and why.
    fn after(outcomes: impl IntoIterator<Item = (&'static str, Outcome)>) -> Option<String> {
        let (verdict, mut ends) = Verdict::new();
        for (channel, outcome) in outcomes {
            if channel == NOBODY {
                verdict.of_check(outcome);
            } else {
                verdict.of_call(channel, &outcome);
            }
        }
        ends.try_recv().ok().map(|reason| reason.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn three_calls_in_a_row_end_it() {
        let closed = || Outcome::Failed(Failure::Closed);
        assert_eq!(after([("1", closed()), ("2", closed())]), None);
        assert!(after([("1", closed()), ("2", status(500)), ("3", closed())]).is_some());
        let done = ("9", Outcome::Done);
        assert_eq!(after([("1", closed()), ("2", closed()), done, ("3", closed())]), None);
        // One call is one call.
        assert_eq!(after(["1"; 9].map(|call| (call, status(500)))), None);
        // Going on without the name is no handoff.
        let without = |call| [(call, status(500)), (call, Outcome::Done)];
        assert!(after(["1", "2", "3"].into_iter().flat_map(without)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_concerns_one_call_neither_counts_nor_makes_good() {
        let gone = r#"{"message":"Channel not found"}"#;
        let label = r#"{"message":"Requested label can not be found"}"#;
        let harmless = [(404, gone), (404, label), (409, ""), (412, "")];
        let of = |(status, body)| Outcome::of(status, body);
        assert_eq!(after(harmless.map(|answer| ("1", of(answer))).into_iter().cycle().take(40)), None);
        let between = harmless.map(|answer| ("9", of(answer)));
        let failing = ["1", "2", "3"].map(|call| (call, status(502)));
        assert!(after(failing.into_iter().zip(between).flat_map(|(one, other)| [one, other])).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_once_is_refused() {
        for code in [401, 403] {
            let said = after([("1", status(code))]).expect("the end");
            assert!(said.contains(&code.to_string()), "{said}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn questions_count_apart_from_calls() {
        let good = || (NOBODY, Outcome::CallerGone);
        let bad = || (NOBODY, status(500));
        assert_eq!(after([bad(), bad(), good(), bad(), bad()]), None);
        assert!(after([bad(), bad(), bad()]).is_some());
        let missing = Outcome::of(404, r#"{"message":"Resource not found"}"#);
        assert!(after([(NOBODY, missing)]).is_some_and(|said| said.contains("res_ari_channels")));
        // A connection that is kept open answers them while calls find none.
        let closed = |call| (call, Outcome::Failed(Failure::Closed));
        assert!(after([closed("1"), good(), closed("2"), good(), closed("3")]).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_count_while_there_is_none_at_all() {
        let late = Outcome::Failed(Failure::Late(ANSWER_TIMEOUT));
        let (verdict, mut ends) = Verdict::new();
        for call in 0..9 {
            verdict.of_call(&call.to_string(), &late);
            verdict.of_call(&call.to_string(), &Outcome::Failed(Failure::Busy(ANSWER_TIMEOUT)));
        }
        assert!(ends.try_recv().is_err());
        tokio::time::advance(ANSWER_TIMEOUT).await;
        for call in 0..3 {
            verdict.of_call(&call.to_string(), &late);
        }
        assert!(ends.try_recv().is_ok_and(|reason| reason.refusal().is_none()));
    }
}
