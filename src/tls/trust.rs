//! Whom a client trusts: the system's certificates, and those of a file of the administrator's.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why nobody's certificate could be checked.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file can't be read.
    #[error("can't read ca_file {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is something else in it.
    #[error("ca_file {0} holds no PEM certificates")]
    NoPem(PathBuf),
    /// One of its certificates is none.
    #[error("ca_file {0} holds a certificate that can't be read")]
    NoCertificate(PathBuf),
    /// There is nobody to be trusted.
    #[error("this system has no certificates to trust; allowed is `ca_file`, with those of the PBX")]
    Nobody,
}

/// How a TLS client checks its servers: by the system's certificates, and beside them those of `ca_file` (PEM).
/// Reads files, so it is not for a thread that serves calls. After [`install`](super::install).
pub fn client(ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore::empty();
    // Some systems hold certificates that nobody can read; they are passed over, as everywhere.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut given = Vec::new();
    if let Some(path) = ca_file {
        given = read(path)?;
        for certificate in &given {
            let added = roots.add(certificate.clone());
            added.map_err(|_| TrustError::NoCertificate(path.to_owned()))?;
        }
    }
    let usual = WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|_| TrustError::Nobody)?;
    let verifier = Arc::new(Verifier { usual, given });
    Ok(ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The certificates of a PEM file.
fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let text =
        std::fs::read(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    read.ok().filter(|read| !read.is_empty()).ok_or_else(|| TrustError::NoPem(path.to_owned()))
}

/// The usual verification, and one thing beside it: a self-signed certificate that stands in `ca_file` itself is
/// its server's. `openssl req -x509`, which most PBXs' certificates are made with, marks it as an authority's, and
/// webpki takes none of those for a server's (`CaUsedAsEndEntity`), after it has looked at its dates.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    /// The certificates of `ca_file`.
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.given.iter().any(|given| given == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_file_is_said() {
        crate::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let said = || client(Some(&path)).unwrap_err().to_string();
        assert!(
            said().contains("can't read ca_file") && said().contains("ca.pem: No such file"),
            "{}",
            said()
        );
        std::fs::write(&path, "Kari Nordmann").unwrap();
        assert!(said().ends_with("ca.pem holds no PEM certificates"), "{}", said());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nS2FyaQ==\n-----END CERTIFICATE-----\n").unwrap();
        assert!(said().ends_with("ca.pem holds a certificate that can't be read"), "{}", said());
    }
}
