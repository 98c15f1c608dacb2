//! Credentials for SuperOffice, by authentication scheme.

use crate::secret::Secret;
use crate::source::fingerprint::Fingerprint;

/// A credential, by authentication scheme.
#[derive(Clone, Debug)]
pub enum Credential {
    /// `Authorization: Basic …`, for installations on site.
    Basic {
        /// The user with the caller ids.
        username: String,
        /// The user's password.
        password: Secret,
    },
    /// `Authorization: SOTicket …`: a ticket that another program gets, and renews in its file.
    Ticket(Secret),
    /// `Authorization: Bearer …`: an access token that another program gets, and renews in its file.
    Bearer(Secret),
    /// A refresh token, exchanged for access tokens.
    RefreshToken {
        /// The application.
        client_id: String,
        /// The application's secret, which is its app token too.
        client_secret: Secret,
        /// The user's grant for the application.
        refresh_token: Secret,
    },
    /// A system user: a user for servers, without a person.
    SystemUser {
        /// The result of the customer's approval of the application.
        system_token: Secret,
        /// The application's secret, which is its app token too.
        client_secret: Secret,
        /// The RSA key whose public part SuperOffice has: PEM, or .NET's XML.
        private_key: Secret,
    },
    /// `X-XSRF-TOKEN` with the cookie of a browser's session.
    Xsrf {
        /// The header's value.
        token: Secret,
        /// All cookies of the session: `name=value; name=value`.
        cookie: Secret,
    },
}

impl Credential {
    /// The application's secret, if the scheme has one: the default of `SO-AppToken`.
    pub(super) fn client_secret(&self) -> Option<&Secret> {
        match self {
            Self::RefreshToken { client_secret, .. } | Self::SystemUser { client_secret, .. } => {
                Some(client_secret)
            }
            Self::Basic { .. } | Self::Ticket(_) | Self::Bearer(_) | Self::Xsrf { .. } => None,
        }
    }

    /// The secrets of the scheme, with their configuration keys.
    #[must_use]
    pub fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        match self {
            Self::Basic { password, .. } => vec![("password", password)],
            Self::Ticket(ticket) => vec![("ticket", ticket)],
            Self::Bearer(token) => vec![("token", token)],
            Self::RefreshToken { client_secret, refresh_token, .. } => {
                vec![("client_secret", client_secret), ("refresh_token", refresh_token)]
            }
            Self::SystemUser { system_token, client_secret, private_key } => vec![
                ("system_token", system_token),
                ("client_secret", client_secret),
                ("private_key", private_key),
            ],
            Self::Xsrf { token, cookie } => vec![("token", token), ("cookie", cookie)],
        }
    }

    /// Whether the scheme logs in at SuperOffice's cloud, which requires a tenant.
    #[must_use]
    pub fn needs_tenant(&self) -> bool {
        matches!(self, Self::RefreshToken { .. } | Self::SystemUser { .. })
    }

    /// Adds the user to the fingerprint of a request. The secret itself is not read and not included: it can be renewed, or be
    /// unreadable for a moment, while the user stays the same.
    pub(super) fn identify(&self, fingerprint: &mut Fingerprint) {
        match self {
            Self::Basic { username, .. } => fingerprint.add("basic", username),
            Self::Ticket(ticket) => fingerprint.add("ticket", &place(ticket)),
            Self::Bearer(token) => fingerprint.add("bearer", &place(token)),
            Self::RefreshToken { client_id, refresh_token, .. } => {
                fingerprint.add("client", client_id);
                fingerprint.add("refresh_token", &place(refresh_token));
            }
            Self::SystemUser { system_token, .. } => fingerprint.add("system_user", &place(system_token)),
            Self::Xsrf { cookie, .. } => fingerprint.add("xsrf", &place(cookie)),
        }
    }
}

/// The place of a secret: it identifies a user who has no name in the configuration.
fn place(secret: &Secret) -> String {
    match secret {
        Secret::Given(_) => "configuration".to_owned(),
        Secret::File(path) => format!("file {}", path.display()),
        Secret::Env(name) => format!("env {name}"),
        Secret::Credential(name) => format!("credential {name}"),
    }
}
