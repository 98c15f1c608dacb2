//! Connections to the server: at one address, or where sentinels say.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, TlsCertificates, TlsMode,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::error::ServerError;
use super::server::{BLOCK, Server};
use super::settings::{Servers, Settings};
use crate::secret::Secret;

/// The longest time for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest time for an answer: with sentinels, and with TLS, several requests go before.
const RESPONSE: Duration = Duration::from_secs(5);
/// The same for a chunk, over a slow line.
const CHUNK_RESPONSE: Duration = Duration::from_secs(30);

/// The longest time for an answer of a sentinel that `nameplate check` asks.
const SENTINEL: Duration = Duration::from_secs(3);

/// What makes connections to the server.
#[derive(Clone, Debug)]
pub struct Connector {
    settings: Settings,
}

impl Connector {
    /// Connects nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Connects, for requests that are answered at once.
    pub async fn connect(&self) -> Result<Server, ServerError> {
        let password = self.settings.password.as_ref().map(Secret::read).transpose()?;
        let certificates = if self.settings.servers.is_tls() { Some(self.certificates()?) } else { None };
        let connect = async {
            let client = match &self.settings.servers {
                Servers::One(url) => self.one(url, password.as_ref(), certificates)?,
                Servers::Sentinels { sentinels, master } => {
                    self.behind(sentinels, master, password.as_ref(), certificates).await?
                }
            };
            let connection = connection(&client, RESPONSE).await?;
            Ok::<_, RedisError>((client, connection))
        };
        // Several sentinels may be silent, one after the other.
        let connected = tokio::time::timeout(3 * CONNECT, connect).await;
        let (client, connection) = connected.map_err(|_| ServerError::silent())??;
        Ok(Server::new(client, connection, &self.settings.site))
    }

    /// Asks one of the sentinels where the server is; none: it knows no server by this name.
    ///
    /// # Errors
    /// If it can't be asked.
    pub async fn ask_sentinel(&self, sentinel: &Url, master: &str) -> Result<Option<String>, ServerError> {
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(SENTINEL)).set_response_timeout(Some(SENTINEL));
        let certificates = if self.settings.servers.is_tls() { Some(self.certificates()?) } else { None };
        let client = client(sentinel, RedisConnectionInfo::default(), certificates)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        let place: Option<(String, String)> = ask.query_async(&mut connection).await?;
        Ok(place.map(|(host, port)| format!("{host}:{port}")))
    }

    fn one(
        &self,
        url: &Url,
        password: Option<&SecretString>,
        certificates: Option<TlsCertificates>,
    ) -> Result<Client, RedisError> {
        let mut user = RedisConnectionInfo::default();
        if let Some(username) = &self.settings.username {
            user = user.set_username(username);
        }
        if let Some(password) = password {
            user = user.set_password(password.expose_secret());
        }
        if let Ok(database) = url.path().trim_start_matches('/').parse() {
            user = user.set_db(database);
        }
        client(url, user, certificates)
    }

    async fn behind(
        &self,
        sentinels: &[Url],
        master: &str,
        password: Option<&SecretString>,
        certificates: Option<TlsCertificates>,
    ) -> Result<Client, RedisError> {
        let addresses = sentinels.iter().map(address);
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?;
        if let Some(username) = &self.settings.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = password {
            builder = builder.set_client_to_redis_password(password.expose_secret());
        }
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_certificates(certificates);
        }
        builder.build()?.async_get_client().await
    }

    fn certificates(&self) -> Result<TlsCertificates, ServerError> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).map_err(|error| ServerError::File(format!("{}: {error}", path.display())))
        };
        let client_tls = match &self.settings.client {
            Some((certificate, key)) => {
                Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
            None => None,
        };
        Ok(TlsCertificates { client_tls, root_cert: self.settings.ca_file.as_ref().map(read).transpose()? })
    }
}

/// Connects to a server that was found, for chunks.
pub(super) async fn for_chunks(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    connection(client, CHUNK_RESPONSE).await
}

/// The same for [`Server::next_events`].
pub(super) async fn for_events(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    connection(client, BLOCK + RESPONSE).await
}

/// Connects, for answers that take no longer than this.
async fn connection(client: &Client, response: Duration) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new();
    let config = config.set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(response));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// What connects to one address.
fn client(
    url: &Url,
    user: RedisConnectionInfo,
    certificates: Option<TlsCertificates>,
) -> Result<Client, RedisError> {
    let info = address(url).into_connection_info()?.set_redis_settings(user);
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

fn address(url: &Url) -> ConnectionAddr {
    // The host of an IPv6 address has brackets in a URL only.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port().unwrap_or_default();
    if url.scheme() == "rediss" {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}
