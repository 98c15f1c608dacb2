//! TLS for the whole process: rustls, with ring for its cryptography; and whom its clients trust, that of a PBX as that of
//! SuperOffice.

mod diagnose;
mod trust;

pub(crate) use diagnose::{Trouble, trouble, trouble_behind};
pub(crate) use trust::{Mark, client_if_changed, nobody};
pub use trust::{TrustError, client};

/// Makes ring the process's provider; every client that is built afterwards uses it. Calling it again changes nothing.
pub fn install() {
    // An error says that a provider is installed already, and there is only this one.
    drop(rustls::crypto::ring::default_provider().install_default());
}
