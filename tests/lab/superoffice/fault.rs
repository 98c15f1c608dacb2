//! How to fail.

use std::time::Duration;

use serde_json::json;

use super::http::Answer;

/// What happens to a request instead of its honest answer. No credential is looked at: a proxy's
/// error page does not care for it either.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This answer.
    Answer(Answer),
    /// The honest answer, which ends with the connection in the middle of its body.
    Truncated,
    /// The honest answer, with a rest of so long in the middle of its body.
    Halting(Duration),
    /// The connection is closed without a byte.
    Dropped,
    /// Nothing, for as long as the client waits.
    Silent,
}

impl Fault {
    /// A status with SuperOffice's body for errors.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(Answer::error(status, "SoServerException", "The lab fails on purpose"))
    }

    /// A status that asks for patience (429, 503).
    pub(crate) fn retry_after(status: u16, retry_after: &str) -> Self {
        let answer = Answer::error(status, "SoServerException", "Too busy");
        Self::Answer(answer.with("Retry-After", retry_after))
    }

    /// 200 with a login page, as a single sign-on in front of the server answers.
    pub(crate) fn login_page() -> Self {
        let page = "<!DOCTYPE html><html><head><title>SuperOffice - Log in</title></head>\
                    <body><form method=post action=/login><input name=UserName></form></body></html>";
        Self::Answer(Answer::new(200, "text/html; charset=utf-8", page.as_bytes()))
    }

    /// 200 with a message where the collection should be.
    pub(crate) fn message() -> Self {
        let body = json!({ "Message": "An error has occurred.", "MessageDetail": "Agent call failed" });
        Self::Answer(Answer::json(200, body.to_string().into_bytes()))
    }

    /// 200 with `null`, also for an empty `LastHash`: how a failed agent call looks.
    pub(crate) fn null() -> Self {
        Self::Answer(Answer::json(200, &b"null"[..]))
    }

    /// A status and a body of JSON as it is given, well formed or not.
    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Answer(Answer::json(status, body.as_bytes()))
    }

    /// 200 with an empty list: well formed, and the end of all names if it is believed.
    pub(crate) fn empty_list() -> Self {
        let body = json!({ "CallerIDHash": "0", "CallerIDs": [] });
        Self::Answer(Answer::json(200, body.to_string().into_bytes()))
    }
}
