//! TLS for the whole process: rustls, with ring for its cryptography.

/// Makes ring the process's provider; every client that is built afterwards uses it. Calling it again changes nothing.
pub fn install() {
    // An error says that a provider is installed already, and there is only this one.
    drop(rustls::crypto::ring::default_provider().install_default());
}
