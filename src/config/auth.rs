//! The `auth` of a SuperOffice source: the secrets of each scheme.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::value::{CredentialName, GivenSecret, SecretText};
use crate::secret::Secret;
use crate::source::superoffice::credential::Credential;

/// Makes `Auth`, the table. Each secret has four keys: `x`, `x_file`, `x_env` and `x_credential`. One struct has all keys, so that an error can
/// name the nearest key.
macro_rules! auth {
    ($($given:ident $file:ident $env:ident $credential:ident;)*) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Auth {
            #[serde(rename = "type")]
            scheme: Scheme,
            username: Option<String>,
            client_id: Option<String>,
            $($given: Option<SecretText>, $file: Option<PathBuf>, $env: Option<String>,
                $credential: Option<CredentialName>,)*
        }

        impl Auth {
            /// The scheme, the user name, the client id, and all secrets.
            fn take(self) -> (Scheme, Option<String>, Option<String>, Vec<GivenSecret>) {
                let secrets = vec![$(GivenSecret {
                    key: stringify!($given), text: self.$given, file: self.$file, env: self.$env, credential: self.$credential,
                },)*];
                (self.scheme, self.username, self.client_id, secrets)
            }
        }
    };
}

auth! {
    password password_file password_env password_credential;
    ticket ticket_file ticket_env ticket_credential;
    token token_file token_env token_credential;
    client_secret client_secret_file client_secret_env client_secret_credential;
    refresh_token refresh_token_file refresh_token_env refresh_token_credential;
    system_token system_token_file system_token_env system_token_credential;
    private_key private_key_file private_key_env private_key_credential;
    cookie cookie_file cookie_env cookie_credential;
}

/// `auth.type`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scheme {
    Basic,
    Ticket,
    Bearer,
    RefreshToken,
    SystemUser,
    Xsrf,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Ticket => "ticket",
            Self::Bearer => "bearer",
            Self::RefreshToken => "refresh_token",
            Self::SystemUser => "system_user",
            Self::Xsrf => "xsrf",
        }
    }
}

impl Auth {
    pub(super) fn credential(self, folder: &Path) -> Result<Credential, String> {
        let (scheme, mut username, mut client_id, mut secrets) = self.take();
        let mut take = |key: &str| -> Result<Secret, String> {
            let index = secrets.iter().position(|secret| secret.key == key);
            let secret = index.map(|index| secrets.swap_remove(index)).ok_or("auth: no such secret")?;
            secret.required(folder).map_err(|what| format!("auth: {what}"))
        };
        let named = |text: &mut Option<String>, key: &str| {
            text.take().filter(|text| !text.is_empty()).ok_or_else(|| format!("auth: `{key}` is missing"))
        };
        let credential = match scheme {
            Scheme::Basic => {
                Credential::Basic { username: named(&mut username, "username")?, password: take("password")? }
            }
            Scheme::Ticket => Credential::Ticket(take("ticket")?),
            Scheme::Bearer => Credential::Bearer(take("token")?),
            Scheme::RefreshToken => Credential::RefreshToken {
                client_id: named(&mut client_id, "client_id")?,
                client_secret: take("client_secret")?,
                refresh_token: take("refresh_token")?,
            },
            Scheme::SystemUser => Credential::SystemUser {
                system_token: take("system_token")?,
                client_secret: take("client_secret")?,
                private_key: take("private_key")?,
            },
            Scheme::Xsrf => Credential::Xsrf { token: take("token")?, cookie: take("cookie")? },
        };
        let left = secrets.iter().find(|secret| secret.is_given()).map(|secret| secret.key);
        let left = left.or_else(|| username.map(|_| "username")).or_else(|| client_id.map(|_| "client_id"));
        match left {
            Some(key) => Err(format!("auth: `{key}` is not for type = \"{}\"", scheme.name())),
            None => Ok(credential),
        }
    }
}
