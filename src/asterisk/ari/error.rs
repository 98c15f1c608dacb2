//! Why a connection to Asterisk has failed, in words for an administrator.

use std::io::ErrorKind;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use super::response::{ContinueResult, Failure};
use crate::asterisk::pbx_status::State;
use crate::observe::metrics::Refusal;
use crate::secret::SecretError;
use crate::tls::{self, TrustError};

/// Why a connection could not be made, or has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("TLS: {}", .0.text)]
    Tls(tls::TlsFault),
    #[error("can't reach Asterisk's HTTP server: {0} (is it enabled in http.conf?)")]
    Unreachable(String),
    #[error(
        "Asterisk's HTTP server closes the connection without an answer: is `sessionlimit` of http.conf reached, or does this port speak https?"
    )]
    NoAnswer,
    #[error("no connection within {0:?}")]
    TooSlow(Duration),
    #[error("Asterisk refuses the user or the password (401): compare with ari.conf")]
    Unauthorized,
    #[error("Asterisk forbids what this user asks ({0}): see its `acl`, `permit` and `deny` in ari.conf")]
    Forbidden(String),
    #[error(
        "Asterisk forbids this user to do anything but read (403): in ari.conf it must not be `read_only`"
    )]
    ReadOnly,
    #[error(
        "Asterisk answers 404: ARI is not enabled in ari.conf, its modules are not loaded, or the url has the wrong path"
    )]
    NoAri,
    #[error("Asterisk can't send calls on (404): load res_ari_channels.so")]
    NoChannels,
    #[error("Asterisk can't say which calls wait in the application (404): load res_ari_applications.so")]
    NoApplications,
    #[error("Asterisk is not ready (503)")]
    Booting,
    #[error("Asterisk answers {0} to the websocket's handshake")]
    Handshake(u16),
    #[error(
        "the server at this address does not answer as Asterisk does ({0}): is there a proxy in between, or is the url wrong?"
    )]
    Strange(String),
    #[error("three handoffs in a row have failed: {0}")]
    Handoffs(String),
    #[error("three requests in a row were not answered")]
    Unanswered,
    #[error("the connection is lost: {0}")]
    Lost(String),
    #[error("nothing heard for {0:?}, not even an answer to a ping")]
    Silent(Duration),
    #[error("messages that Asterisk sent while the service was stopped do not arrive")]
    Behind,
    #[error("Asterisk does not read from the connection")]
    Stuck,
    #[error(
        "another copy has taken over the application: it answers the calls until it ends. Each copy needs an app name of its own"
    )]
    Replaced,
    #[error("can't set the event filter: {0}")]
    Filter(String),
    #[error("can't ask which calls wait in the application: {0}")]
    Waiting(String),
}

impl ConnectionError {
    /// For a websocket that Asterisk has closed.
    pub(super) fn closed() -> Self {
        Self::Lost("Asterisk closed it".into())
    }

    /// For a request that has failed.
    pub(super) fn of(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(what) => Self::Unreachable(what),
            Failure::Tls(fault) => Self::Tls(fault),
            Failure::Closed => Self::NoAnswer,
            Failure::Late(limit) | Failure::Busy(limit) => Self::TooSlow(limit),
            Failure::Status { status: 401, .. } => Self::Unauthorized,
            Failure::Status { status: 403, ref body } if body.contains("Write access denied") => {
                Self::ReadOnly
            }
            Failure::Status { status: 403, .. } => Self::Forbidden(failure.to_string()),
            Failure::Status { status: 404, .. } if failure.is_no_resource() => Self::NoChannels,
            Failure::Status { status: 404, .. } => Self::NoAri,
            Failure::Status { status: 503, .. } => Self::Booting,
            failure @ (Failure::Status { .. } | Failure::Unread(_)) => Self::Strange(failure.to_string()),
        }
    }

    /// For a failed request about the application, while a connection is set up. `other` makes the error where no other variant
    /// fits.
    pub(super) fn of_set_up(failure: Failure, other: impl FnOnce(String) -> Self) -> Self {
        match failure {
            failure if failure.is_refusal() || failure == Failure::Closed => Self::of(failure),
            failure if failure.is_no_resource() => Self::NoApplications,
            failure => other(failure.to_string()),
        }
    }

    /// For several failed requests in a row; `last` is the last failure.
    pub(super) fn of_consecutive(last: Failure) -> Self {
        match last {
            Failure::Late(_) | Failure::Busy(_) => Self::Unanswered,
            Failure::Status { status, .. } if status >= 500 && status != 503 => {
                Self::Handoffs(last.to_string())
            }
            last => match Self::of(last) {
                known @ (Self::Unauthorized
                | Self::Forbidden(_)
                | Self::ReadOnly
                | Self::NoChannels
                | Self::Booting) => known,
                other => Self::Handoffs(other.to_string()),
            },
        }
    }

    /// For the check before a connection. The only good response is "Channel not found".
    pub(super) fn of_check(result: ContinueResult) -> Result<(), Self> {
        match result {
            ContinueResult::CallerGone => Ok(()),
            ContinueResult::Failed(failure) => Err(Self::of(failure)),
            strange => Err(Self::Strange(format!("{strange:?}"))),
        }
    }

    /// Why it is no use to try again soon. None: it may be.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Unauthorized => Some(Refusal::Unauthorized),
            Self::Forbidden(_) | Self::ReadOnly => Some(Refusal::Forbidden),
            Self::NoChannels | Self::NoApplications => Some(Refusal::Module),
            Self::Handoffs(_) => Some(Refusal::Handoffs),
            Self::Secret(error) if !error.passes() => Some(Refusal::Secret),
            Self::Trust(_) => Some(Refusal::Certificate),
            Self::Tls(fault) if fault.lasts => Some(Refusal::Certificate),
            _ => None,
        }
    }

    /// The command or the setting that mends it.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Secret(_) => "write the password of ari.conf's user into `password_file`",
            Self::Trust(_) | Self::Tls(_) => {
                "mend `url` or `ca_file` in this [[asterisk]], or the PBX's certificate"
            }
            Self::Unreachable(_)
            | Self::NoAnswer
            | Self::TooSlow(_)
            | Self::Strange(_)
            | Self::Handshake(_) => {
                "compare `url` with what `asterisk -rx \"http show status\"` says on the PBX"
            }
            Self::Unauthorized => {
                "set `username` and `password_file` as ari.conf has them; `asterisk -rx \"ari show users\"` lists the users"
            }
            Self::Forbidden(_) => {
                "let this machine's address in: `acl`, `permit` and `deny` of the user in ari.conf"
            }
            Self::ReadOnly => {
                "set `read_only = no` in ari.conf, then `asterisk -rx \"module reload res_ari\"`"
            }
            Self::NoAri | Self::NoChannels | Self::NoApplications => {
                "set `enabled = yes` in ari.conf; `asterisk -rx \"module show like res_ari\"` lists the modules"
            }
            Self::Booting => "wait until Asterisk has started, and check again",
            _ => "check again; if it stays, look into Asterisk's log",
        }
    }

    /// The PBX's state after this error.
    pub(super) fn state(&self) -> State {
        match (self, self.refusal()) {
            (Self::Replaced, _) => State::TakenOver,
            (_, Some(refusal)) => State::Refused(refusal),
            (_, None) => State::Disconnected,
        }
    }
}

impl From<tungstenite::Error> for ConnectionError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => {
                let status = response.status().as_u16();
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(body).into_owned();
                match status {
                    401 | 403 | 503 => Self::of(Failure::Status { status, body }),
                    // Also if res_ari_events.so is not loaded.
                    404 => Self::NoAri,
                    status => Self::Handshake(status),
                }
            }
            tungstenite::Error::Io(error) => match (tls::fault(&error), error.kind()) {
                (Some(fault), _) => Self::Tls(fault),
                (None, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
                    Self::NoAnswer
                }
                (None, _) => Self::Unreachable(error.to_string()),
            },
            tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => Self::NoAnswer,
            error => Self::Unreachable(error.to_string()),
        }
    }
}
