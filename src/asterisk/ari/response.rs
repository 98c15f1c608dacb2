//! What Asterisk's responses mean. A response that is not understood is a failure, and never taken for a harmless one: a
//! proxy, a missing module and a caller who hung up all bring 404.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter::successors;
use std::time::Duration;

use super::wire::{ErrorBody, ErrorWords};
use crate::observe::mask;
use crate::tls::{self, TlsFault};

/// How much of an error's body is shown, in characters.
const MAX_SHOWN: usize = 100;

/// Asterisk's messages with 404, the same from 16 to 23.
const NO_CHANNEL: &str = "Channel not found";
const NO_CHANNEL_FOR_VARIABLE: &str = "Provided channel was not found";
const NO_LABEL: &str = "Requested label can not be found";
const NO_APPLICATION: &str = "Application not found";
const NO_RESOURCE: &str = "Resource not found";

/// Why a request has no response, or not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// There is no connection.
    #[error("{0}")]
    Unreachable(String),
    #[error("TLS: {}", .0.text)]
    Tls(TlsFault),
    #[error("the connection is closed without an answer")]
    Closed,
    /// The request was sent, and Asterisk has not answered in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// Too many requests at once, or this process was paused: nothing is known of Asterisk.
    #[error("no answer within {0:?}, which may be this machine's doing")]
    Busy(Duration),
    #[error("it answers {status} {}", shown(body))]
    Status { status: u16, body: String },
    #[error("its answer can't be read: {0}")]
    Unread(String),
}

impl Failure {
    /// Asterisk refuses the user, the password or our address: 401 or 403.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 401 | 403, .. })
    }

    /// Asterisk does not know the path: a module is not loaded.
    pub(super) fn is_no_resource(&self) -> bool {
        self.is_not_found(&[NO_RESOURCE])
    }

    /// There is no such channel.
    pub(super) fn is_no_channel(&self) -> bool {
        self.is_not_found(&[NO_CHANNEL, NO_CHANNEL_FOR_VARIABLE])
    }

    /// No websocket has the application.
    pub(super) fn is_no_application(&self) -> bool {
        self.is_not_found(&[NO_APPLICATION])
    }

    fn is_not_found(&self, messages: &[&str]) -> bool {
        match self {
            Self::Status { status: 404, body } => messages.contains(&message(body).as_str()),
            _ => false,
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The address has a channel's id in it; the cause says more.
        let error = error.without_url();
        for cause in causes(&error) {
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && let Some(failure) = of_io(error)
            {
                return failure;
            }
            // `is_parse`: a response that is not HTTP, as from a TLS port.
            if let Some(error) = cause.downcast_ref::<hyper::Error>()
                && (error.is_incomplete_message() || error.is_parse())
            {
                return Self::Closed;
            }
        }
        let cause = causes(&error).last().map(ToString::to_string);
        Self::Unreachable(cause.unwrap_or_else(|| error.to_string()))
    }
}

/// The causes of an error, the nearest first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source())
}

fn of_io(mut error: &io::Error) -> Option<Failure> {
    // An `io::Error` may wrap another one without naming it as its source.
    while let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        error = inner;
    }
    match (tls::fault(error), error.kind()) {
        (Some(fault), _) => Some(Failure::Tls(fault)),
        (None, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            Some(Failure::Closed)
        }
        (None, _) => None,
    }
}

/// The result of a `continue` request, which sends a call on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContinueResult {
    /// The call goes on in the dialplan.
    Done,
    /// The caller has hung up, which is no fault.
    CallerGone,
    /// The call has left Stasis already (409), for example by the dialplan's bound.
    LeftStasis,
    /// The dialplan does not have this extension and label.
    NoSuchLabel,
    /// The channel is down, reserved or ringing (412): it is not a caller's.
    NotACaller,
    /// Any other response, or none.
    Failed(Failure),
}

impl ContinueResult {
    /// Whether the call has gone on or ended. Otherwise it may still be in Stasis.
    pub(super) fn has_gone_on(&self) -> bool {
        matches!(self, Self::Done | Self::CallerGone | Self::LeftStasis)
    }

    /// Reads a response's status and body.
    pub(super) fn of(status: u16, body: &str) -> Self {
        match status {
            204 => Self::Done,
            404 if message(body) == NO_CHANNEL => Self::CallerGone,
            404 if message(body) == NO_LABEL => Self::NoSuchLabel,
            409 => Self::LeftStasis,
            412 => Self::NotACaller,
            status => Self::Failed(Failure::Status { status, body: body.to_owned() }),
        }
    }
}

/// Asterisk's message in an error's body; "" for a body that is not Asterisk's.
fn message(body: &str) -> String {
    serde_json::from_str::<ErrorBody<'_>>(body).map(|body| body.message.into_owned()).unwrap_or_default()
}

/// An error's body for a line of the log. Asterisk's own message may quote a number; any other body is text from outside.
fn shown(body: &str) -> String {
    let message = serde_json::from_str::<ErrorWords<'_>>(body).map(|body| body.message);
    let mut words = message.as_deref().unwrap_or(body).split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    while line.len() < MAX_SHOWN
        && let Some(word) = words.next()
    {
        line.extend([" ", word]);
    }
    let end = line.char_indices().nth(MAX_SHOWN).map_or(line.len(), |(end, _)| end);
    if message.is_ok() { mask::Text(&line[..end]).to_string() } else { mask::Words(&line[..end]).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> Failure {
        Failure::Status { status, body: body.into() }
    }

    #[test]
    fn a_hangup_a_missing_label_and_a_missing_module_are_told_apart() {
        for (code, body, result) in [
            (204, "", ContinueResult::Done),
            (404, r#"{"message":"Channel not found"}"#, ContinueResult::CallerGone),
            (404, "{\n  \"message\": \"Channel not found\"\n}", ContinueResult::CallerGone),
            (404, r#"{"message":"Requested label can not be found"}"#, ContinueResult::NoSuchLabel),
            (409, r#"{"message":"Channel not in Stasis application"}"#, ContinueResult::LeftStasis),
            (412, r#"{"message":"Channel in invalid state"}"#, ContinueResult::NotACaller),
        ] {
            assert_eq!(ContinueResult::of(code, body), result, "{code} {body}");
        }
    }

    #[test]
    fn a_response_that_is_not_understood_is_a_failure() {
        for (code, body) in [
            (200, "<html>please log in</html>"),
            (302, ""),
            (400, r#"{"message":"Bad Request"}"#),
            (404, ""),
            (404, "<html>404 Not Found: Channel not found, label</html>"),
            (404, r#"{"message":"Resource not found"}"#),
            (404, r#"{"error":"Channel not found"}"#),
            (500, r#"{"message":"Channel not found"}"#),
            (503, r#"{"message":"Asterisk not booted"}"#),
        ] {
            assert_eq!(
                ContinueResult::of(code, body),
                ContinueResult::Failed(status(code, body)),
                "{code} {body}"
            );
        }
    }

    #[test]
    fn a_404_is_read_by_its_message() {
        let kinds = |body| {
            let failure = status(404, body);
            (failure.is_no_channel(), failure.is_no_application(), failure.is_no_resource())
        };
        assert_eq!(kinds(r#"{"message":"Channel not found"}"#), (true, false, false));
        assert_eq!(kinds(r#"{"message":"Provided channel was not found"}"#), (true, false, false));
        assert_eq!(kinds(r#"{"message":"Application not found"}"#), (false, true, false));
        assert_eq!(kinds(r#"{"message":"Resource not found"}"#), (false, false, true));
        assert_eq!(kinds("<html>Application not found</html>"), (false, false, false));
        assert!(!status(500, r#"{"message":"Channel not found"}"#).is_no_channel());
    }

    #[test]
    fn an_error_is_shown_in_one_short_line() {
        let page =
            format!("<html>\r\n<body>\n{}\u{2028}+47 22 33 44 55</body>", "<p>Sørver</p>\n".repeat(40));
        for (body, line) in [
            ("{\n  \"message\": \"Write access\\ndenied\"\n}", "403 Write access denied"),
            ("{\n  \"error\": 1\n}", "403 `mask` hides its words"),
            (r#"{"message":"Caller 4722334455"}"#, "403 Caller ••••••••••"),
            (r#"{"error":"Allocation failed"}"#, "403 Allocation failed"),
            ("Caller Kari 4722334455\n", "403 `mask` hides its words"),
            ("", "403 "),
        ] {
            assert_eq!(status(403, body).to_string(), format!("it answers {line}"));
        }
        for body in [page.clone(), page.replace(char::is_whitespace, "")] {
            let line = status(502, &body).to_string();
            assert!(line == "it answers 502 `mask` hides its words" && line.chars().count() < 120, "{line}");
            assert!(!line.contains(char::is_control), "{line}");
        }
    }
}
