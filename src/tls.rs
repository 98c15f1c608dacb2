//! TLS: rustls, with ring for the cryptography. Clients of a PBX and of SuperOffice trust certificates by the same rules.
//!
//! - `trust`: which certificates a client trusts
//! - `diagnose`: what is wrong with a server's TLS, in words

mod diagnose;
mod trust;

pub(crate) use diagnose::{TlsFault, fault, fault_behind};
pub(crate) use trust::{CertificatesDigest, client_if_changed, client_without_certificates};
pub use trust::{TrustError, client};

/// Makes ring the process's provider: every client that is built afterwards uses it. A second call changes nothing.
pub fn install() {
    // An error means only that a provider is installed, and this one is the only one.
    drop(rustls::crypto::ring::default_provider().install_default());
}
