//! Failures in a row. `Stasis()` lets calls pass at once only while no websocket has the application, so a connection that
//! can't answer calls has to end.

use tokio::time::Instant;

use super::super::error::ConnectionError;
use super::super::response::{ContinueResult, Failure};
use super::requests::ANSWER_TIMEOUT;

/// So many failures without a success in between end the connection.
const MAX_FAILURES: usize = 3;

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct ConsecutiveFailures {
    /// The calls that could not be sent on. Each call counts once, after any number of attempts.
    calls: Vec<String>,
    /// The checks that have failed.
    checks: usize,
    /// When the last response to a call or a check came.
    answered: Instant,
}

/// Why this failure ends the connection, after any request: 401 and 403.
pub(super) fn refusal(failure: &Failure) -> Option<ConnectionError> {
    failure.is_refusal().then(|| ConnectionError::of(failure.clone()))
}

impl ConsecutiveFailures {
    /// No failure yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { calls: Vec::new(), checks: 0, answered: now }
    }

    /// The result of an attempt to send a call on. Returns why the connection has to end, if so.
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
                let is_final = self.calls.len() >= MAX_FAILURES;
                return if is_final {
                    Some(ConnectionError::of_consecutive(failure.clone()))
                } else {
                    refusal(failure)
                };
            }
            // A plain `continue` after a failed handoff does not prove that handoffs work.
            ContinueResult::Done if !self.has(channel) => self.calls.clear(),
            // These results concern one call only.
            ContinueResult::Done
            | ContinueResult::CallerGone
            | ContinueResult::LeftStasis
            | ContinueResult::NoSuchLabel
            | ContinueResult::NotACaller => {}
        }
        self.answered = now;
        None
    }

    /// The result of a check whether a call could be sent on. Returns why the connection has to end, if so.
    pub(super) fn of_check(&mut self, result: ContinueResult, now: Instant) -> Option<ConnectionError> {
        match result {
            ContinueResult::CallerGone => {
                self.checks = 0;
                self.answered = now;
                None
            }
            ContinueResult::Failed(failure) => {
                self.checks += usize::from(self.counts(&failure, now));
                let is_final = self.checks >= MAX_FAILURES || failure.is_no_resource();
                if is_final { Some(ConnectionError::of_consecutive(failure)) } else { refusal(&failure) }
            }
            strange => Some(ConnectionError::Strange(format!("{strange:?}"))),
        }
    }

    /// Whether the last check has failed: then checks come more often.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.checks > 0
    }

    fn has(&self, channel: &str) -> bool {
        self.calls.iter().any(|call| call == channel)
    }

    /// Whether a failure counts. A late response counts only if no other response has come meanwhile, because in a rush some
    /// responses are late.
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

    const CHECK: &str = "check";

    fn status(status: u16) -> ContinueResult {
        ContinueResult::of(status, "")
    }

    /// Why the connection ends after these results; none if it goes on.
    fn after(results: impl IntoIterator<Item = (&'static str, ContinueResult)>) -> Option<String> {
        let now = Instant::now();
        let mut failures = ConsecutiveFailures::new(now);
        let mut results = results.into_iter();
        let why = results.find_map(|(channel, result)| match channel {
            CHECK => failures.of_check(result, now),
            call => failures.of_call(call, &result, now),
        });
        why.map(|why| why.to_string())
    }

    #[test]
    fn three_failed_calls_in_a_row_end_the_connection() {
        let closed = || ContinueResult::Failed(Failure::Closed);
        assert_eq!(after([("1", closed()), ("2", closed())]), None);
        assert!(after([("1", closed()), ("2", status(500)), ("3", closed())]).is_some());
        let done = ("9", ContinueResult::Done);
        assert_eq!(after([("1", closed()), ("2", closed()), done, ("3", closed())]), None);
        // Nine attempts for one call count once.
        assert_eq!(after(["1"; 9].map(|call| (call, status(500)))), None);
        // A plain `continue` is no handoff.
        let without = |call| [(call, status(500)), (call, ContinueResult::Done)];
        assert!(after(["1", "2", "3"].into_iter().flat_map(without)).is_some());
    }

    #[test]
    fn results_about_one_call_neither_count_nor_reset() {
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
    fn one_refusal_ends_the_connection() {
        for code in [401, 403] {
            let reason = after([("1", status(code))]).expect("the end");
            assert!(reason.contains(&code.to_string()), "{reason}");
        }
    }

    #[test]
    fn checks_count_apart_from_calls() {
        let good = || (CHECK, ContinueResult::CallerGone);
        let bad = || (CHECK, status(500));
        assert_eq!(after([bad(), bad(), good(), bad(), bad()]), None);
        assert!(after([bad(), bad(), bad()]).is_some());
        let missing = ContinueResult::of(404, r#"{"message":"Resource not found"}"#);
        assert!(after([(CHECK, missing)]).is_some_and(|reason| reason.contains("res_ari_channels")));
        // Checks on an open connection may succeed while calls can't open another one.
        let closed = |call| (call, ContinueResult::Failed(Failure::Closed));
        assert!(after([closed("1"), good(), closed("2"), good(), closed("3")]).is_some());
    }

    #[test]
    fn late_responses_count_only_without_any_other_response() {
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
