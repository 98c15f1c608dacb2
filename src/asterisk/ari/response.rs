//! What Asterisk's answers mean. One that is not understood is a failure, never the harmless thing that it looks like: a
//! proxy, a missing module and a caller who hung up all say 404.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter::successors;
use std::time::Duration;

use super::wire::{ErrorBody, ErrorWords};
use crate::observe::mask;
use crate::tls::{self, Trouble};

/// How much of an error's body is shown, in characters.
const MAX_SAID: usize = 100;

/// What 404 is about. Asterisk 16 to 23 say the same.
const NO_CHANNEL: &str = "Channel not found";
const NO_CHANNEL_FOR_VARIABLE: &str = "Provided channel was not found";
const NO_LABEL: &str = "Requested label can not be found";
const NO_APPLICATION: &str = "Application not found";
const NO_RESOURCE: &str = "Resource not found";

/// Why a request brought no answer, or not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// There is no connection.
    #[error("{0}")]
    Unreachable(String),
    #[error("TLS: {}", .0.what)]
    Tls(Trouble),
    #[error("the connection is closed without an answer")]
    Closed,
    /// Asterisk was asked, and had its time.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// Too many requests at once, or this process did not run: nothing is known of Asterisk.
    #[error("no answer within {0:?}, which may be this machine's doing")]
    Busy(Duration),
    #[error("it answers {status} {}", said(body))]
    Status { status: u16, body: String },
    #[error("its answer can't be read: {0}")]
    Unread(String),
}

impl Failure {
    /// The user, its password or its address is refused: 401 or 403.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 401 | 403, .. })
    }

    /// A module is not loaded: Asterisk does not know the path.
    pub(super) fn is_no_resource(&self) -> bool {
        self.is_not_found(&[NO_RESOURCE])
    }

    /// There is no such channel.
    pub(super) fn is_no_channel(&self) -> bool {
        self.is_not_found(&[NO_CHANNEL, NO_CHANNEL_FOR_VARIABLE])
    }

    /// Nobody has the application.
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
        // A channel's id is in the address, a name or number never is; the cause is what helps.
        let error = error.without_url();
        for cause in causes(&error) {
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && let Some(failure) = of_io(error)
            {
                return failure;
            }
            // Also an answer that is no HTTP, as at a port of TLS.
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

/// What an error comes from, the nearest first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source())
}

fn of_io(mut error: &io::Error) -> Option<Failure> {
    // One may be wrapped in another, which does not count as its cause.
    while let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        error = inner;
    }
    match (tls::trouble(error), error.kind()) {
        (Some(trouble), _) => Some(Failure::Tls(trouble)),
        (None, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            Some(Failure::Closed)
        }
        (None, _) => None,
    }
}

/// What came of a request that sends a call on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContinueResult {
    /// The call goes on.
    Done,
    /// The caller hung up. Nothing is amiss.
    CallerGone,
    /// The call has left Stasis by itself (409), as the dialplan's bound makes it.
    LeftStasis,
    /// The dialplan has no such extension and label.
    NoSuchLabel,
    /// The channel is down, reserved or ringing: 412. It is not a caller's.
    NotACaller,
    /// Anything else.
    Failed(Failure),
}

impl ContinueResult {
    /// Whether the call went on, or there is no call any more. Otherwise it may be in Stasis still.
    pub(super) fn has_gone_on(&self) -> bool {
        matches!(self, Self::Done | Self::CallerGone | Self::LeftStasis)
    }

    /// Reads an answer's status and body.
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

/// What Asterisk says in an error's body; "" where the body is not Asterisk's.
fn message(body: &str) -> String {
    serde_json::from_str::<ErrorBody<'_>>(body).map(|body| body.message.into_owned()).unwrap_or_default()
}

/// What a body of an error says, for a line of the log: Asterisk's own words, which may quote a number. What is not JSON of
/// Asterisk's is somebody else's.
fn said(body: &str) -> String {
    let message = serde_json::from_str::<ErrorWords<'_>>(body).map(|body| body.message);
    let mut words = message.as_deref().unwrap_or(body).split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    while line.len() < MAX_SAID
        && let Some(word) = words.next()
    {
        line.extend([" ", word]);
    }
    let end = line.char_indices().nth(MAX_SAID).map_or(line.len(), |(end, _)| end);
    if message.is_ok() { mask::Text(&line[..end]).to_string() } else { mask::Words(&line[..end]).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> Failure {
        Failure::Status { status, body: body.into() }
    }

    #[test]
    fn a_caller_who_hung_up_is_told_from_a_missing_context_and_a_missing_module() {
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
    fn what_is_not_understood_is_a_failure() {
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
    fn a_404_is_what_it_says() {
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
    fn what_an_error_says_is_one_short_line() {
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
