//! Credentials: what a request to SuperOffice is signed with, by the scheme of the installation.

use crate::secret::Secret;
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
    /// `Authorization: SOTicket …`: a ticket that somebody else got, and renews in its file.
    Ticket(Secret),
    /// `Authorization: Bearer …`: an access token that somebody else got, and renews in its file.
    Bearer(Secret),
    /// A refresh token, exchanged for access tokens.
    RefreshToken {
        /// The application.
        client_id: String,
        /// The application's secret, which is its app token too.
        client_secret: Secret,
        /// What the user granted the application.
        refresh_token: Secret,
    },
    /// A system user, which is nobody's own: for servers.
    SystemUser {
        /// What the customer's approval gave the application.
        system_token: Secret,
        /// The application's secret, which is its app token too.
        client_secret: Secret,
        /// The RSA key whose public half SuperOffice knows: PEM, or .NET's XML.
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
    /// The application's secret where the scheme has one: what `SO-AppToken` holds by default.
    pub(super) fn client_secret(&self) -> Option<&Secret> {
        match self {
            Self::RefreshToken { client_secret, .. } | Self::SystemUser { client_secret, .. } => {
                Some(client_secret)
            }
            Self::Basic { .. } | Self::Ticket(_) | Self::Bearer(_) | Self::Xsrf { .. } => None,
        }
    }

    /// The secrets of the scheme, with their keys.
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

    /// Whether the scheme logs in at the host of SuperOffice's cloud, for a tenant.
    #[must_use]
    pub fn needs_tenant(&self) -> bool {
        matches!(self, Self::RefreshToken { .. } | Self::SystemUser { .. })
    }

    /// Whose caller ids are wanted: another user's are another set. What is secret is not in it, and not read for it: a
    /// secret is renewed while the user behind it stays, and one that can't be read just now is nobody else's.
    pub(super) fn identify(&self, question: &mut Fingerprint) {
        match self {
            Self::Basic { username, .. } => question.add("basic", username),
            Self::Ticket(ticket) => question.add("ticket", &place(ticket)),
            Self::Bearer(token) => question.add("bearer", &place(token)),
            Self::RefreshToken { client_id, refresh_token, .. } => {
                question.add("client", client_id);
                question.add("refresh_token", &place(refresh_token));
            }
            Self::SystemUser { system_token, .. } => question.add("system_user", &place(system_token)),
            Self::Xsrf { cookie, .. } => question.add("xsrf", &place(cookie)),
        }
    }
}

/// Where a secret lies: all that is known of a user whom only the secret names.
fn place(secret: &Secret) -> String {
    match secret {
        Secret::Given(_) => "configuration".to_owned(),
        Secret::File(path) => format!("file {}", path.display()),
        Secret::Env(name) => format!("env {name}"),
    }
}
