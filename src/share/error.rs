//! Why the server can't be used, in words for an administrator, and what mends it.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::seal::KeyError;
use crate::secret::SecretError;
use crate::tls;

/// Why the server can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The password can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key can't be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate can't be read.
    #[error("can't read {0}")]
    File(String),
    /// The server, or the way to it, has failed.
    #[error("{}", explained(.0).0)]
    Redis(#[from] RedisError),
    /// The answer is none of our scripts.
    #[error("it gives an answer that is not understood: {0}")]
    Strange(String),
    /// The site's replicas have another key.
    #[error("the other replicas of this site have another `key`; give all of them the same")]
    OtherKey,
    /// A chunk is missing.
    #[error("a chunk of the list is missing")]
    NoChunk,
    /// A list can't be packed or unpacked.
    #[error("{0}")]
    List(String),
}

impl ServerError {
    /// The server does not answer.
    #[must_use]
    pub fn silent() -> Self {
        RedisError::from(io::Error::from(io::ErrorKind::TimedOut)).into()
    }

    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Redis(error) => explained(error).1,
            Self::Secret(_) | Self::Key(_) | Self::File(_) => "mend the file",
            Self::OtherKey => "copy the key file of the others, or give this service a `site` of its own",
            Self::Strange(_) => "give it a Valkey, or a Redis of version 7 or later",
            Self::NoChunk | Self::List(_) => "nothing here: the list is published again",
        }
    }
}

/// What an error of the server means, and what mends it. No text of it has a secret.
fn explained(error: &RedisError) -> (String, &'static str) {
    const SECRET: &str = "mend the secret in [share], or the user in the server's ACL";
    if let Some(fault) = tls_fault(error) {
        return fault;
    }
    let detail = error.detail().unwrap_or_default();
    let (words, remedy) = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
            ("it refuses `username` or `password`", SECRET)
        }
        (_, Some("NOAUTH")) => ("it wants a `password`", "add `username` and `password_file` to [share]"),
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            let words =
                format!("the ACL of `username` is too narrow: {detail}; docs/replicas.md has the line");
            return (words, "type the line of docs/replicas.md in its redis-cli or valkey-cli");
        }
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => (
            "it takes no writes: it is a copy of another server, or has lost its copies",
            "name the sentinels in [share] instead of one server, or the server that takes writes",
        ),
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
            ("it reads its data from disk", "check again in a moment")
        }
        (ErrorKind::MasterNameNotFoundBySentinel, _) => {
            ("no sentinel knows a server by the name in `master`", "mend `master` in [share]")
        }
        (_, Some("OOM")) => (
            "its memory is full: raise its `maxmemory`, and set `maxmemory-policy noeviction`",
            "CONFIG SET maxmemory …, and CONFIG REWRITE, in its redis-cli or valkey-cli",
        ),
        (_, Some("NOREPLICAS")) => {
            ("it takes no writes, for it has too few copies (`min-replicas-to-write`)", "start its copies")
        }
        _ if error.is_timeout() => (
            "it does not answer in time",
            "see whether it hangs, whether this port speaks TLS or not, and whether a firewall drops what is sent there",
        ),
        _ => {
            let words = format!("can't talk to it: {error}");
            return (words, "start it, or mend its address in [share]; a firewall may be between");
        }
    };
    (words.to_owned(), remedy)
}

/// What is wrong with TLS, if it is TLS.
fn tls_fault(error: &RedisError) -> Option<(String, &'static str)> {
    let source = error.source()?;
    // The crate shares its errors.
    let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
    let fault = match shared {
        Some(shared) => shared.downcast_ref::<io::Error>(),
        None => source.downcast_ref::<io::Error>(),
    };
    let fault = tls::fault(fault?)?;
    if fault.is_self_signed {
        // The crate has no place for a verifier that takes it.
        let text = "TLS: the server's certificate is signed by itself and marked as an authority's, which is not taken here";
        let remedy =
            "make it with `basicConstraints=CA:FALSE`, as docs/replicas.md has it, and give it as `ca_file`";
        return Some((text.to_owned(), remedy));
    }
    Some((format!("TLS: {}", fault.text), "mend `ca_file`, the address, or the server's certificate"))
}
