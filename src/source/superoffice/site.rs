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
    /// The address of the web client, in whose pages people work, without a slash at the end. None if it can't be told from the
    /// address of the API.
    #[must_use]
    pub fn client_address(&self) -> Option<String> {
        match self {
            Self::Api(api) => {
                let api = api.as_str().trim_end_matches('/');
                let (client, last) = api.rsplit_once('/')?;
                last.eq_ignore_ascii_case("api").then(|| client.to_owned())
            }
            Self::Tenant { name, host } => Some(format!("{host}{name}")),
        }
    }

    /// Identifies the SuperOffice: sources with one origin form one group.
    #[must_use]
    pub fn origin(&self) -> String {
        match self {
            Self::Api(api) => api.as_str().trim_end_matches('/').to_owned(),
            Self::Tenant { name, host } => format!("{host}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_beside_the_api() {
        let api = |api: &str| Site::Api(api.parse().unwrap()).client_address();
        for (address, client) in [
            ("https://crm.example.com/SuperOffice/api", Some("https://crm.example.com/SuperOffice")),
            ("https://crm.example.com/SuperOffice/Api/", Some("https://crm.example.com/SuperOffice")),
            ("https://crm.example.com/api", Some("https://crm.example.com")),
            ("https://api.example.com/", None),
            ("https://crm.example.com/webapi", None),
        ] {
            assert_eq!(api(address).as_deref(), client, "{address}");
        }
        let tenant = Site::Tenant {
            name: "Cust12345".into(),
            host: "https://online.superoffice.com/".parse().unwrap(),
        };
        assert_eq!(tenant.client_address().as_deref(), Some("https://online.superoffice.com/Cust12345"));
    }
}
