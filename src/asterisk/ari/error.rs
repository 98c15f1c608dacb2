//! Why a connection to Asterisk failed, in words that an administrator can act on.

use std::time::Duration;

use tokio_tungstenite::tungstenite;

use crate::secret::SecretError;

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("can't reach Asterisk's HTTP server: {0} (is it enabled in http.conf?)")]
    Unreachable(String),
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
    #[error("Asterisk takes no data")]
    Stuck,
    #[error(
        "another copy has taken over the application: it answers the calls now. Each copy needs an app name of its own"
    )]
    Replaced,
    #[error("can't set the event filter: {0}")]
    Filter(String),
    #[error("can't ask for calls that wait in the application: {0}")]
    Waiting(String),
}

impl ConnectionError {
    /// Whether trying again soon is of no use.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Replaced | Self::Secret(_))
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
            tungstenite::Error::Io(error) => Self::Unreachable(error.to_string()),
            error => Self::Unreachable(error.to_string()),
        }
    }
}
