//! TLS in front of a server that speaks none, such as the stand-in of SuperOffice's.

#![allow(clippy::expect_used, reason = "a test without its lab has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::certificate::Certificate;

/// Speaks TLS with a certificate, and hands on what is said. Gone when dropped.
pub(crate) struct Front {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Front {
    /// Listens on a free port of 127.0.0.1, in front of `behind`.
    pub(crate) async fn start(certificate: &Certificate, behind: SocketAddr) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, certificate, behind).await
    }

    /// The same at another address of this machine.
    pub(crate) async fn start_at(address: Ipv4Addr, certificate: &Certificate, behind: SocketAddr) -> Self {
        let pem = certificate.with_key.as_bytes();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let key = PrivateKeyDer::from_pem_slice(pem).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.expect("certificates"), key)
            .expect("a certificate with its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let Ok(mut far) = TcpStream::connect(behind).await else { return };
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { address, server }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}
