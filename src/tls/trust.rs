//! Which certificates a client trusts: the system's, and those of the configured `ca_file`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why a server's certificate can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// `ca_file` can't be read.
    #[error("can't read ca_file {path}: {error}")]
    Unreadable {
        /// The path of `ca_file`.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// `ca_file` has no PEM certificates in it.
    #[error("ca_file {0} holds no PEM certificates")]
    NoPem(PathBuf),
    /// One of the certificates in `ca_file` can't be read.
    #[error("ca_file {0} holds a certificate that can't be read")]
    NoCertificate(PathBuf),
    /// No certificate is trusted.
    #[error("this system has no certificates to trust; allowed is `ca_file`, with the server's")]
    NoneTrusted,
}

/// The settings of a TLS client, which trusts the system's certificates and those of `ca_file` (PEM). It reads files: not
/// for a thread that serves calls. Call [`install`](super::install) first.
pub fn client(ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
    Certificates::read(ca_file)?.client(ca_file)
}

/// As [`client`], for a client that lives longer than one connection, with the digest of its certificates. None: the
/// certificates still have the digest `known`.
pub(crate) fn client_if_changed(
    ca_file: Option<&Path>,
    known: Option<CertificatesDigest>,
) -> Result<Option<(ClientConfig, CertificatesDigest)>, TrustError> {
    let certificates = Certificates::read(ca_file)?;
    let digest = certificates.digest();
    if known == Some(digest) {
        return Ok(None);
    }
    Ok(Some((certificates.client(ca_file)?, digest)))
}

/// A client that trusts no certificate, for connections without TLS: reading the system's certificates takes milliseconds.
pub(crate) fn client_without_certificates() -> ClientConfig {
    ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
}

/// A digest of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificatesDigest([u8; 32]);

/// The trusted certificates.
struct Certificates {
    system: Vec<CertificateDer<'static>>,
    /// From `ca_file`.
    given: Vec<CertificateDer<'static>>,
}

impl Certificates {
    fn read(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let given = ca_file.map(read).transpose()?.unwrap_or_default();
        Ok(Self { system: rustls_native_certs::load_native_certs().certs, given })
    }

    fn digest(&self) -> CertificatesDigest {
        let mut digest = Context::new(&SHA256);
        for certificates in [&self.system, &self.given] {
            digest.update(&(certificates.len() as u64).to_be_bytes());
            certificates.iter().for_each(|certificate| digest.update(certificate));
        }
        CertificatesDigest(digest.finish().as_ref().first_chunk().copied().unwrap_or_default())
    }

    fn client(self, ca_file: Option<&Path>) -> Result<ClientConfig, TrustError> {
        let mut roots = RootCertStore::empty();
        // Some systems have certificates that can't be read. They are skipped, as other programs do.
        roots.add_parsable_certificates(self.system);
        for certificate in &self.given {
            let added = roots.add(certificate.clone());
            added.map_err(|_| TrustError::NoCertificate(ca_file.unwrap_or(Path::new("")).to_owned()))?;
        }
        let usual =
            WebPkiServerVerifier::builder(Arc::new(roots)).build().map_err(|_| TrustError::NoneTrusted)?;
        let verifier = Arc::new(Verifier { usual, given: self.given });
        Ok(ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }
}

/// The certificates of a PEM file.
fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let text =
        std::fs::read(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    read.ok().filter(|read| !read.is_empty()).ok_or_else(|| TrustError::NoPem(path.to_owned()))
}

/// The usual verification, with one exception: a server may show a self-signed certificate that is in `ca_file` itself.
/// Most self-signed certificates are made by `openssl req -x509`, which marks them as those of an authority. webpki checks
/// the dates, and then rejects such a certificate as a server's (`CaUsedAsEndEntity`).
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
    use base64::Engine as _;

    use super::*;

    #[test]
    fn an_error_names_the_file_and_what_is_wrong() {
        crate::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let message = || client(Some(&path)).unwrap_err().to_string();
        assert!(
            message().contains("can't read ca_file") && message().contains("ca.pem: No such file"),
            "{}",
            message()
        );
        std::fs::write(&path, "Kari Nordmann").unwrap();
        assert!(message().ends_with("ca.pem holds no PEM certificates"), "{}", message());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nS2FyaQ==\n-----END CERTIFICATE-----\n").unwrap();
        assert!(message().ends_with("ca.pem holds a certificate that can't be read"), "{}", message());
    }

    #[test]
    fn a_new_client_is_made_when_the_file_has_changed() {
        crate::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let certificates: Vec<_> = rustls_native_certs::load_native_certs().certs;
        let pem = |certificate: &CertificateDer<'_>| {
            let text = base64::engine::general_purpose::STANDARD.encode(certificate);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        std::fs::write(&path, pem(&certificates[0])).unwrap();
        let (_, first) = client_if_changed(Some(&path), None).unwrap().unwrap();
        assert!(client_if_changed(Some(&path), Some(first)).unwrap().is_none());
        std::fs::write(&path, pem(&certificates[1])).unwrap();
        let (_, second) = client_if_changed(Some(&path), Some(first)).unwrap().unwrap();
        assert_ne!(first, second);
        std::fs::remove_file(&path).unwrap();
        assert!(client_if_changed(Some(&path), Some(second)).is_err());
    }
}
