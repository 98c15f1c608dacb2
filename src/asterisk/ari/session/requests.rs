//! The requests that are under way on one websocket.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::wire::{CHECK_CHANNEL, Parameter, RestRequest, continue_path};

/// The most time for a response.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// Whether Asterisk answers requests on the websocket at all.
    Probe,
    /// The check whether a call could be sent on.
    Check,
    /// Sends a call to its extension and label.
    Handoff { channel: String },
    /// Sends a call on to the priority behind its `Stasis()`.
    Plain { channel: String },
}

impl RequestKind {
    fn method(&self) -> &'static str {
        match self {
            Self::Probe => "GET",
            Self::Check | Self::Handoff { .. } | Self::Plain { .. } => "POST",
        }
    }

    fn uri(&self) -> String {
        match self {
            Self::Probe => "asterisk/info".into(),
            Self::Check => continue_path(CHECK_CHANNEL),
            Self::Handoff { channel } | Self::Plain { channel } => continue_path(channel),
        }
    }

    /// The call's channel; none for a probe and a check.
    pub(super) fn channel(self) -> Option<String> {
        match self {
            Self::Probe | Self::Check => None,
            Self::Handoff { channel } | Self::Plain { channel } => Some(channel),
        }
    }
}

/// A request that waits for its response.
#[derive(Debug)]
struct Pending {
    kind: RequestKind,
    sent: Instant,
}

/// The requests of one websocket.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// By request id.
    pending: HashMap<u64, Pending>,
    last: u64,
}

impl Requests {
    /// Writes a request's frame, and waits for its response from now on.
    pub(super) fn write(
        &mut self,
        kind: RequestKind,
        parameters: &[Parameter<'_>],
        now: Instant,
    ) -> serde_json::Result<String> {
        self.last += 1;
        let frame = serde_json::to_string(&RestRequest {
            kind: "RESTRequest",
            transaction_id: "nameplate",
            request_id: &self.last.to_string(),
            method: kind.method(),
            uri: &kind.uri(),
            query_strings: parameters,
        })?;
        self.pending.insert(self.last, Pending { kind, sent: now });
        Ok(frame)
    }

    /// What the request with this id was for. None: the response is late, or not the first one.
    pub(super) fn answered(&mut self, id: &str) -> Option<RequestKind> {
        let pending = self.pending.remove(&id.parse().ok()?)?;
        Some(pending.kind)
    }

    /// Removes and returns the requests whose response is overdue.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<RequestKind> {
        let overdue = self
            .pending
            .extract_if(|_, pending| now.saturating_duration_since(pending.sent) >= ANSWER_TIMEOUT);
        overdue.map(|(_, pending)| pending.kind).collect()
    }

    /// Removes and returns all requests, after the websocket's end.
    pub(super) fn take_all(&mut self) -> Vec<RequestKind> {
        self.pending.drain().map(|(_, pending)| pending.kind).collect()
    }

    /// Whether a call's request is under way.
    pub(super) fn any_call(&self) -> bool {
        self.pending.values().any(|pending| !matches!(pending.kind, RequestKind::Probe | RequestKind::Check))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handoff(channel: &str) -> RequestKind {
        RequestKind::Handoff { channel: channel.into() }
    }

    #[test]
    fn a_response_finds_its_request_once() {
        let (mut requests, now) = (Requests::default(), Instant::now());
        requests.write(RequestKind::Probe, &[], now).unwrap();
        assert!(!requests.any_call());
        requests.write(handoff("1.1"), &[], now).unwrap();
        requests.write(handoff("1.2"), &[], now).unwrap();
        assert!(requests.any_call());
        assert_eq!(requests.answered("3"), Some(handoff("1.2")));
        assert_eq!(requests.answered("3"), None);
        assert_eq!(requests.answered("x"), None);
        assert_eq!(requests.answered("1"), Some(RequestKind::Probe));
        assert_eq!(requests.take_all(), [handoff("1.1")]);
        assert!(!requests.any_call());
    }

    #[test]
    fn a_frame_has_the_fields_that_asterisk_requires() {
        let (mut requests, now) = (Requests::default(), Instant::now());
        let parameters = [Parameter { name: "label", value: "fo\"und" }];
        let frame = requests.write(handoff("a/b"), &parameters, now).unwrap();
        assert_eq!(
            frame,
            r#"{"type":"RESTRequest","transaction_id":"nameplate","request_id":"1","method":"POST","uri":"channels/a%2Fb/continue","query_strings":[{"name":"label","value":"fo\"und"}]}"#
        );
        let plain = requests.write(RequestKind::Plain { channel: "1.1".into() }, &[], now).unwrap();
        assert!(plain.ends_with(r#""method":"POST","uri":"channels/1.1/continue"}"#), "{plain}");
    }

    #[test]
    fn only_overdue_requests_are_given_up() {
        let (mut requests, now) = (Requests::default(), Instant::now());
        requests.write(handoff("old"), &[], now).unwrap();
        let now = now + ANSWER_TIMEOUT / 2;
        requests.write(handoff("new"), &[], now).unwrap();
        assert_eq!(requests.take_overdue(now), []);
        let now = now + ANSWER_TIMEOUT / 2;
        assert_eq!(requests.take_overdue(now), [handoff("old")]);
        assert_eq!(requests.answered("1"), None);
        assert_eq!(requests.answered("2"), Some(handoff("new")));
    }
}
