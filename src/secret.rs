//! Secrets: given in the configuration, in a file of their own, in an environment variable, or as a credential of systemd.
//!
//! A secret is read when it is used. So a file that another program renews works without a restart, and only the request has the
//! clear text. Errors and `Debug` never show it.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use secrecy::{ExposeSecret, SecretString};

/// The place of a secret.
#[derive(Clone, Debug)]
pub enum Secret {
    /// Written in the configuration itself.
    Given(SecretString),
    /// The content of a file, without the line break at its end.
    File(PathBuf),
    /// The value of an environment variable.
    Env(String),
    /// A credential of systemd (`LoadCredential=` in the unit, systemd.exec(5)): the content of a file with this name.
    Credential(String),
}

/// Where systemd puts the credentials of the service. A command that root starts has no `CREDENTIALS_DIRECTORY` of its own.
const OF_THE_SERVICE: &str = "/run/credentials/nameplate.service";

/// Why a secret could not be read. The text names the place, never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is missing, unreadable or not UTF-8.
    #[error("can't read the secret in {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The variable is not set, or not UTF-8.
    #[error("the environment variable {0} is not set, or is not text")]
    Env(String),
    /// The credential is missing, unreadable or not UTF-8.
    #[error(
        "can't read the credential {name} in {}: {error}; the unit needs LoadCredential={name}:FILE, and only the running service and root can read it",
        folder.display()
    )]
    Credential {
        /// The credential.
        name: String,
        /// The folder of the credentials.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file or a variable is empty or blank, which is a mistake.
    #[error("the secret in {0} is empty, or a blank")]
    Empty(String),
    /// It has characters that a header can't have.
    #[error(
        "the secret in {0} can't be sent in a header: allowed are the letters, digits and signs of ASCII, without a blank at either end"
    )]
    Unsendable(String),
}

impl SecretError {
    /// Whether the error is temporary: no file descriptor is free, and the secret itself is correct.
    #[must_use]
    pub fn passes(&self) -> bool {
        let (Self::File { error, .. } | Self::Credential { error, .. }) = self else { return false };
        // The limit of this process, or of the machine.
        [Errno::MFILE, Errno::NFILE].iter().any(|none| error.raw_os_error() == Some(none.raw_os_error()))
    }
}

impl Secret {
    /// Reads the secret as it is now.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read_file(path),
            Self::Env(name) => match std::env::var(name) {
                Ok(value) if value.trim().is_empty() => Err(SecretError::Empty(name.clone())),
                Ok(value) => Ok(value.into()),
                Err(_) => Err(SecretError::Env(name.clone())),
            },
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
                let folder = folder.map_or_else(|| PathBuf::from(OF_THE_SERVICE), PathBuf::from);
                read_file(&folder.join(name)).map_err(|error| match error {
                    SecretError::File { error, .. } => {
                        SecretError::Credential { name: name.clone(), folder, error }
                    }
                    other => other,
                })
            }
        }
    }

    /// The same for a secret that is sent unchanged in a header: a token, a ticket.
    pub fn read_for_header(&self) -> Result<SecretString, SecretError> {
        let secret = self.read()?;
        let text = secret.expose_secret();
        let is_ascii = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if is_ascii && !text.is_empty() && text.trim() == text {
            return Ok(secret);
        }
        Err(SecretError::Unsendable(match self {
            Self::Given(_) => "the configuration".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => name.clone(),
            Self::Credential(name) => format!("the credential {name}"),
        }))
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| SecretError::File { path: path.to_owned(), error })?;
    // Editors and `echo` end a file with a line break, which is not part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(SecretError::Empty(path.display().to_string()));
    }
    Ok(secret.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_at_each_use_and_loses_its_line_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let secret = Secret::File(path.clone());
        std::fs::write(&path, "first\r\n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), "first");
        std::fs::write(&path, " second with blanks \n").unwrap();
        assert_eq!(secret.read().unwrap().expose_secret(), " second with blanks ");
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = Secret::File("/nonexistent/password".into()).read().unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/password"), "{missing}");
        let unset = Secret::Env("NAMEPLATE_TEST_UNSET".into()).read().unwrap_err().to_string();
        assert!(unset.contains("NAMEPLATE_TEST_UNSET"), "{unset}");
    }

    #[test]
    fn a_blank_is_no_secret_and_a_header_takes_ascii_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (text, for_all, for_header) in [
            ("s3cret", true, true),
            ("two words", true, true),
            (" \n", false, false),
            ("s3cret ", true, false),
            ("s3cr\tet", true, false),
            ("pass:wørd", true, false),
            ("two\nlines", true, false),
        ] {
            std::fs::write(&path, text).unwrap();
            let secret = Secret::File(path.clone());
            assert_eq!(secret.read().is_ok(), for_all, "{text:?}");
            assert_eq!(secret.read_for_header().is_ok(), for_header, "{text:?}");
            if let Err(error) = secret.read_for_header() {
                assert!(
                    error.to_string().contains("/token") && !error.to_string().contains("s3cr"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn debug_never_shows_it() {
        assert!(!format!("{:?}", Secret::Given("hunter2".into())).contains("hunter2"));
    }
}
