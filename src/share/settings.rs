//! `[share]` of the configuration.

use std::path::PathBuf;

use reqwest::Url;

use crate::secret::Secret;

/// `[share]`
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where the server is.
    pub servers: Servers,
    /// The user of the server's ACL; none for its default user.
    pub username: Option<String>,
    /// The user's password; none for a server that wants none.
    pub password: Option<Secret>,
    /// PEM certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The PEM files of this client's certificate and of its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The key of 32 bytes that seals what is stored.
    pub key: Secret,
    /// The name of the site: its services share.
    pub site: String,
}

/// Where the server is. Each URL has a port.
#[derive(Clone, Debug, PartialEq)]
pub enum Servers {
    /// At one address, `redis://` or `rediss://`.
    One(Url),
    /// Where the sentinels say.
    Sentinels {
        /// Their addresses, at least one, all with one scheme. That of the server is the same.
        sentinels: Vec<Url>,
        /// The name by which they know the server.
        master: String,
    },
}

impl Servers {
    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let url = match self {
            Self::One(url) => Some(url),
            Self::Sentinels { sentinels, .. } => sentinels.first(),
        };
        url.is_some_and(|url| url.scheme() == "rediss")
    }
}
