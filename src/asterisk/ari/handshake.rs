//! The websocket's handshake.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::Settings;
use super::error::ConnectionError;
use crate::tls;

/// The longest message, in bytes. An event has a few kilobytes.
const MAX_MESSAGE: usize = 1 << 20;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The TLS settings of the websocket and of the requests over HTTP.
pub(super) async fn trust(settings: &Settings) -> Result<Arc<ClientConfig>, ConnectionError> {
    if settings.url.scheme() != "https" {
        return Ok(Arc::new(tls::client_without_certificates()));
    }
    let ca_file = settings.ca_file.clone();
    // Read for each connection: a new certificate needs no restart of the service.
    let client = tokio::task::spawn_blocking(move || tls::client(ca_file.as_deref())).await;
    let client = client.map_err(|error| ConnectionError::Unreachable(error.to_string()))??;
    Ok(Arc::new(client))
}

/// Opens the websocket for our application's events.
pub(super) async fn open(
    settings: &Settings,
    password: &SecretString,
    tls: Arc<ClientConfig>,
) -> Result<Socket, ConnectionError> {
    let mut url = settings.url.clone();
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    // The change between these schemes never fails.
    let _ = url.set_scheme(scheme);
    url.set_path(&format!("{}/ari/events", settings.url.path().trim_end_matches('/')));
    url.query_pairs_mut().append_pair("app", &settings.app).append_pair("subscribeAll", "false");
    let mut request = url.as_str().into_client_request()?;
    // In a header, because an `api_key` in the address would be in logs.
    let credential = BASE64.encode(format!("{}:{}", settings.username, password.expose_secret()));
    let mut header = HeaderValue::try_from(format!("Basic {credential}"))
        .map_err(|error| ConnectionError::Unreachable(error.to_string()))?;
    header.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, header);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(16 << 10)
        .write_buffer_size(0);
    let connector = (scheme == "wss").then_some(Connector::Rustls(tls));
    let (socket, _) = connect_async_tls_with_config(request, Some(config), true, connector).await?;
    Ok(socket)
}
