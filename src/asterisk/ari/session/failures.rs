//! Failures in a row: whether Asterisk takes what a connection asks. `Stasis()` lets calls pass at once only while nobody has the
//! application, so a connection that can't answer has to let go of it.

use tokio::time::Instant;

use super::super::error::ConnectionError;
use super::super::response::{ContinueResult, Failure};
use super::requests::ANSWER_TIMEOUT;

/// So many failures in a row, without a success between, end a connection.
const MOST: usize = 3;

/// Failures in a row. Each method returns why the connection has to end, where it has to.
#[derive(Debug)]
pub(super) struct ConsecutiveFailures {
    /// The calls that could not be sent on; each counts once, however often it is tried.
    calls: Vec<String>,
    /// The questions whether a call could be.
    checks: usize,
    /// When the last answer of either kind came.
    answered: Instant,
}

/// Why a connection has to end after this failure, whatever was asked: 401 and 403.
pub(super) fn refusal(failure: &Failure) -> Option<ConnectionError> {
    failure.is_refusal().then(|| ConnectionError::of(failure.clone()))
}

impl ConsecutiveFailures {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { calls: Vec::new(), checks: 0, answered: now }
    }

    /// A call was sent on, or not.
    pub(super) fn of_call(
        &mut self,
        channel: &str,
        result: &ContinueResult,
        now: Instant,
    ) -> Option<ConnectionError> {
        match result {
            ContinueResult::Failed(failure) => {
                if self.counts(failure, now) && !self.has(channel) {
                    self.calls.push(channel.to_owned());
                }
                let is_row = self.calls.len() >= MOST;
                return if is_row {
                    Some(ConnectionError::of_consecutive(failure.clone()))
                } else {
                    refusal(failure)
                };
            }
            // A call that goes on without its name, after its handoff has failed, says nothing of handoffs.
            ContinueResult::Done if !self.has(channel) => self.calls.clear(),
            // The others concern this call only.
            ContinueResult::Done
            | ContinueResult::CallerGone
            | ContinueResult::LeftStasis
            | ContinueResult::NoSuchLabel
            | ContinueResult::NotACaller => {}
        }
        self.answered = now;
        None
    }

    /// The question whether a call could be sent on has been answered, or not.
    pub(super) fn of_check(&mut self, result: ContinueResult, now: Instant) -> Option<ConnectionError> {
        match result {
            ContinueResult::CallerGone => {
                self.checks = 0;
                self.answered = now;
                None
            }
            ContinueResult::Failed(failure) => {
                self.checks += usize::from(self.counts(&failure, now));
                let is_row = self.checks >= MOST || failure.is_no_resource();
                if is_row { Some(ConnectionError::of_consecutive(failure)) } else { refusal(&failure) }
            }
            strange => Some(ConnectionError::Strange(format!("{strange:?}"))),
        }
    }

    /// Whether a failed question is still to be made good: then it is asked more often.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.checks > 0
    }

    fn has(&self, channel: &str) -> bool {
        self.calls.iter().any(|call| call == channel)
    }

    /// Whether a failure says that Asterisk can't be made to send calls on. A late answer does while nothing at all is answered:
    /// in a rush some answers are late.
    fn counts(&self, failure: &Failure, now: Instant) -> bool {
        match failure {
            Failure::Busy(_) => false,
            Failure::Late(_) => now.saturating_duration_since(self.answered) >= ANSWER_TIMEOUT,
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

    const QUESTION: &str = "whether a call could be sent on";

    fn status(status: u16) -> ContinueResult {
        ContinueResult::of(status, "")
    }

    /// Whether the connection ends after these answers, and why.
    fn after(results: impl IntoIterator<Item = (&'static str, ContinueResult)>) -> Option<String> {
        let now = Instant::now();
        let mut failures = ConsecutiveFailures::new(now);
        let mut results = results.into_iter();
        let why = results.find_map(|(channel, result)| match channel {
            QUESTION => failures.of_check(result, now),
            call => failures.of_call(call, &result, now),
        });
        why.map(|why| why.to_string())
    }

    #[test]
    fn three_calls_in_a_row_end_it() {
        let closed = || ContinueResult::Failed(Failure::Closed);
        assert_eq!(after([("1", closed()), ("2", closed())]), None);
        assert!(after([("1", closed()), ("2", status(500)), ("3", closed())]).is_some());
        let done = ("9", ContinueResult::Done);
        assert_eq!(after([("1", closed()), ("2", closed()), done, ("3", closed())]), None);
        // One call is one call.
        assert_eq!(after(["1"; 9].map(|call| (call, status(500)))), None);
        // Going on without the name is no handoff.
        let without = |call| [(call, status(500)), (call, ContinueResult::Done)];
        assert!(after(["1", "2", "3"].into_iter().flat_map(without)).is_some());
    }

    #[test]
    fn what_concerns_one_call_neither_counts_nor_makes_good() {
        let gone = r#"{"message":"Channel not found"}"#;
        let label = r#"{"message":"Requested label can not be found"}"#;
        let harmless = [(404, gone), (404, label), (409, ""), (412, "")];
        let of = |(status, body)| ContinueResult::of(status, body);
        assert_eq!(after(harmless.map(|answer| ("1", of(answer))).into_iter().cycle().take(40)), None);
        let between = harmless.map(|answer| ("9", of(answer)));
        let failing = ["1", "2", "3"].map(|call| (call, status(502)));
        assert!(after(failing.into_iter().zip(between).flat_map(|(one, other)| [one, other])).is_some());
    }

    #[test]
    fn who_is_refused_once_is_refused() {
        for code in [401, 403] {
            let said = after([("1", status(code))]).expect("the end");
            assert!(said.contains(&code.to_string()), "{said}");
        }
    }

    #[test]
    fn questions_count_apart_from_calls() {
        let good = || (QUESTION, ContinueResult::CallerGone);
        let bad = || (QUESTION, status(500));
        assert_eq!(after([bad(), bad(), good(), bad(), bad()]), None);
        assert!(after([bad(), bad(), bad()]).is_some());
        let missing = ContinueResult::of(404, r#"{"message":"Resource not found"}"#);
        assert!(after([(QUESTION, missing)]).is_some_and(|said| said.contains("res_ari_channels")));
        // A connection that is kept open answers them while calls find none.
        let closed = |call| (call, ContinueResult::Failed(Failure::Closed));
        assert!(after([closed("1"), good(), closed("2"), good(), closed("3")]).is_some());
    }

    #[test]
    fn late_answers_count_while_there_is_none_at_all() {
        let late = ContinueResult::Failed(Failure::Late(ANSWER_TIMEOUT));
        let begun = Instant::now();
        let mut failures = ConsecutiveFailures::new(begun);
        for call in 0..9 {
            assert!(failures.of_call(&call.to_string(), &late, begun).is_none());
            let busy = ContinueResult::Failed(Failure::Busy(ANSWER_TIMEOUT));
            assert!(failures.of_call(&call.to_string(), &busy, begun).is_none());
        }
        let later = begun + ANSWER_TIMEOUT;
        let ends: Vec<_> = (0..3).map(|call| failures.of_call(&call.to_string(), &late, later)).collect();
        assert!(matches!(&ends[..], [None, None, Some(reason)] if reason.refusal().is_none()), "{ends:?}");
    }
}
