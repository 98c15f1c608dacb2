//! What the stand-in wants to see before it answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::http::Request;

/// One way of being let in; everything else is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// `Authorization: Basic`, as on a company's own server.
    Basic { user: String, password: String },
    /// `Authorization: SOTicket`
    Ticket(String),
    /// `Authorization: Bearer`
    Bearer(String),
    /// `X-XSRF-TOKEN` with its cookie.
    Xsrf { token: String, cookie: String },
}

impl Credential {
    /// A user and a password.
    pub(crate) fn basic(user: &str, password: &str) -> Self {
        Self::Basic { user: user.to_owned(), password: password.to_owned() }
    }

    pub(super) fn admits(&self, request: &Request) -> bool {
        let authorization = |scheme: &str, wanted: &str| {
            let value = request.header("Authorization").and_then(|value| value.split_once(' '));
            value.is_some_and(|(found, given)| found.eq_ignore_ascii_case(scheme) && given.trim() == wanted)
        };
        match self {
            Self::Basic { user, password } => {
                authorization("Basic", &STANDARD.encode(format!("{user}:{password}")))
            }
            Self::Ticket(ticket) => authorization("SOTicket", ticket),
            Self::Bearer(token) => authorization("Bearer", token),
            Self::Xsrf { token, cookie } => {
                request.header("Authorization").is_none()
                    && request.header("X-XSRF-TOKEN") == Some(token)
                    && request.header("Cookie") == Some(cookie)
            }
        }
    }

    pub(super) fn challenge(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "Basic realm=\"SuperOffice\", charset=\"UTF-8\"",
            Self::Ticket(_) | Self::Xsrf { .. } => "SOTicket",
            Self::Bearer(_) => "Bearer",
        }
    }
}
