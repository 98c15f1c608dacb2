//! Why a connection to Asterisk failed, in words that an administrator can act on.

use std::io::ErrorKind;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use super::rest::HttpError;
use crate::asterisk::link::State;
use crate::secret::SecretError;
use crate::tls::{self, TrustError};

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("TLS: {}", .0.what)]
    Tls(tls::Trouble),
    #[error("can't reach Asterisk's HTTP server: {0} (is it enabled in http.conf?)")]
    Unreachable(String),
    #[error(
        "Asterisk's HTTP server closes the connection without an answer: is `sessionlimit` of http.conf reached, or does this port speak https?"
    )]
    NoAnswer,
    #[error("no connection within {0:?}")]
    TooSlow(Duration),
    #[error("Asterisk refuses the user or the password ({0}): compare with ari.conf")]
    Refused(u16),
    #[error(
        "Asterisk answers 404: ARI is not enabled in ari.conf, its modules are not loaded, or the url has the wrong path"
    )]
    NoAri,
    #[error("Asterisk is not ready (503)")]
    Booting,
    #[error("Asterisk answers {0} to the websocket's handshake")]
    Handshake(u16),
    #[error("the connection is lost: {0}")]
    Lost(String),
    #[error("nothing heard for {0:?}, not even an answer to a ping")]
    Silent(Duration),
    #[error("what Asterisk sent while the service was stopped does not arrive")]
    Behind,
    #[error("Asterisk takes no data")]
    Stuck,
    #[error(
        "another copy has taken over the application: it answers the calls until it ends. Each copy needs an app name of its own"
    )]
    Replaced,
    #[error(
        "Asterisk forbids this user to do anything but read (403): in ari.conf it must not be `read_only`"
    )]
    ReadOnly,
    #[error("can't set the event filter: {0}")]
    Filter(String),
    #[error("can't ask for calls that wait in the application: {0}")]
    Waiting(String),
}

impl ConnectionError {
    /// Of a request while a connection is set up; what is no refusal is told by `other`.
    pub(super) fn of_set_up(error: HttpError, other: impl FnOnce(String) -> Self) -> Self {
        match error {
            HttpError::Status { status: status @ (401 | 403), .. } => Self::Refused(status),
            error => other(error.to_string()),
        }
    }

    /// Whether trying again soon is of no use.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Secret(error) => !error.passes(),
            Self::Refused(_) | Self::ReadOnly | Self::Trust(_) => true,
            Self::Tls(trouble) => trouble.lasts,
            _ => false,
        }
    }
}

impl ConnectionError {
    /// How the PBX is connected after it.
    pub(super) fn state(&self) -> State {
        match self {
            Self::Replaced => State::TakenOver,
            refusal if refusal.is_refusal() => State::Refused,
            _ => State::Disconnected,
        }
    }
}

impl From<tungstenite::Error> for ConnectionError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => match response.status().as_u16() {
                status @ (401 | 403) => Self::Refused(status),
                404 => Self::NoAri,
                503 => Self::Booting,
                status => Self::Handshake(status),
            },
            tungstenite::Error::Io(error) => match (tls::trouble(&error), error.kind()) {
                (Some(trouble), _) => Self::Tls(trouble),
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
