//! The address of a SuperOffice: an installation's WebAPI, or a tenant of SuperOffice's cloud.

use reqwest::Url;

/// The address of a SuperOffice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// The WebAPI of an installation: `https://crm.example.com/SuperOffice/api`.
    Api(Url),
    /// A customer of SuperOffice's cloud. Its numbered host is requested, never configured.
    Tenant {
        /// `Cust12345`
        name: String,
        /// The host without a number, for logins and the state: `https://online.superoffice.com/`.
        host: Url,
    },
}

impl Site {
    /// Identifies the SuperOffice: sources with one origin form one group.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::Api(api) => api.as_str().trim_end_matches('/').to_owned(),
            Self::Tenant { name, host } => format!("{host}{name}"),
        }
    }
}
