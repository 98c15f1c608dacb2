//! A `[[source]]` of type `superoffice`.

use std::time::Duration;

use reqwest::Url;

use super::value::secret;
use super::{Reader, file, refuse};
use crate::number::Country;
use crate::source::superoffice::Settings;
use crate::source::superoffice::credential::Credential;
use crate::source::superoffice::site::Site;

/// The host of SuperOffice's cloud; others are its sandbox and its stage.
const HOST: &str = "https://online.superoffice.com/";

impl Reader<'_> {
    pub(super) fn superoffice(&self, table: file::Source, country: Country) -> Result<Settings, String> {
        let foreign = [("path", table.path.is_some()), ("delimiter", table.delimiter.is_some())];
        refuse(&foreign, "csv", "superoffice")?;
        let site = site(
            table.api.map(|api| api.0.0),
            table.tenant.map(|name| name.0.0),
            table.host.map(|host| host.0.0),
        )?;
        let auth =
            table.auth.ok_or("`auth` is missing: { type = \"basic\", username = …, password_file = … }")?;
        let credential = self.credential(auth)?;
        let given = (table.app_token, table.app_token_file, table.app_token_env);
        let app_token = match given {
            (None, None, None) => None,
            (text, file, env) => Some(secret("app_token", text, file.map(|path| self.path(path)), env)?),
        };
        match (&site, &credential) {
            (Site::Api(_), credential) if credential.needs_tenant() => {
                return Err("this `auth.type` logs in at SuperOffice's cloud: give `tenant` and `host` in place of `api`".into());
            }
            (
                Site::Tenant { .. },
                Credential::Basic { .. } | Credential::Ticket(_) | Credential::Bearer(_),
            ) if app_token.is_none() => {
                return Err("`app_token` is missing: SuperOffice's cloud wants the application's secret in every call; allowed is one of app_token, app_token_file and app_token_env".into());
            }
            _ => {}
        }
        let so_headers = [
            ("SO-Language", table.so_language),
            ("SO-Culture", table.so_culture),
            ("SO-TimeZone", table.so_timezone),
        ];
        let year = Duration::from_hours(365 * 24);
        let timeout = table.timeout.map_or(Duration::from_mins(5), |period| period.0.0);
        Ok(Settings {
            site,
            credential,
            app_token,
            language: table.language.map_or_else(|| "en".into(), |language| language.0.0),
            so_headers: so_headers.into_iter().filter_map(|(name, value)| Some((name, value?.0.0))).collect(),
            selections: table.selections.map_or_else(Vec::new, |selections| selections.0),
            window_past: table.window_past.map_or(year, |period| period.0.0),
            window_future: table.window_future.map_or(year, |period| period.0.0),
            ca_file: table.ca_file.map(|path| self.path(path)),
            proxy: table.proxy.map(|url| url.0.0),
            first_byte: table.first_byte.map_or(Duration::from_mins(2), |period| period.0.0).min(timeout),
            timeout,
            max_answer: table.max_answer.map_or(512 << 20, |size| size.0.0),
            country,
            search_on_miss: table.search_on_miss.unwrap_or(false),
        })
    }
}

/// `api`, or `tenant` with `host`.
fn site(api: Option<Url>, tenant: Option<String>, host: Option<Url>) -> Result<Site, String> {
    match (api, tenant, host) {
        (Some(api), None, None) => Ok(Site::Api(without_slash(api))),
        (None, Some(name), host) => {
            let host = host.map_or_else(|| Url::parse(HOST).map_err(|error| error.to_string()), Ok)?;
            Ok(Site::Tenant { name, host })
        }
        (None, None, None) => Err("`api` is missing: the WebAPI, like https://crm.example.com/SuperOffice/api; or `tenant` and `host` for SuperOffice's cloud".into()),
        (None, None, Some(_)) => Err("`tenant` is missing: the customer's name in SuperOffice's cloud, like Cust12345".into()),
        (Some(_), _, _) => Err("`api` is for an installation of one's own, `tenant` and `host` are for SuperOffice's cloud: allowed is one of both".into()),
    }
}

/// Two spellings of one WebAPI are one: `…/api/` and `…/api`.
fn without_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}
