//! Credentials: what a request to SuperOffice is signed with.

use reqwest::RequestBuilder;
use secrecy::ExposeSecret;

use crate::secret::{Secret, SecretError};
use crate::source::fingerprint::Fingerprint;

/// A credential, by the scheme of the installation.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `Authorization: Basic …`, for installations on site.
    Basic {
        /// The user whose caller ids are wanted.
        username: String,
        /// The user's password.
        password: Secret,
    },
}

impl Credential {
    /// Whose caller ids are wanted: another user's are another set.
    pub(super) fn identify(&self, question: &mut Fingerprint) {
        match self {
            Self::Basic { username, .. } => question.add("basic", username),
        }
    }

    /// Signs a request. The secret is read now, so a renewed file counts from the next request on.
    pub(super) fn apply(&self, request: RequestBuilder) -> Result<RequestBuilder, SecretError> {
        match self {
            Self::Basic { username, password } => {
                let password = password.read()?;
                Ok(request.basic_auth(username, Some(password.expose_secret())))
            }
        }
    }
}
