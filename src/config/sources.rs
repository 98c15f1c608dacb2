//! Each `[[source]]` → its settings.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use toml::Spanned;

use super::error::{ConfigError, Document};
use super::file::{Source, Type};
use super::value::GivenSecret;
use crate::number::Country;
use crate::source::superoffice;
use crate::source::superoffice::credential::Credential;
use crate::source::superoffice::site::Site;
use crate::source::{Kind, MAX, Settings, Tags, csv};

/// The host of SuperOffice's cloud. Its sandbox and its stage have other hosts.
const HOST: &str = "https://online.superoffice.com/";
/// The default of `full_refresh`: the period after which a whole list is asked for.
const FULL_REFRESH: Duration = Duration::from_hours(24);

/// An error if the table has one of these keys, which belong to the other type of source.
macro_rules! refuse {
    ($table:tt of $ours:literal, $theirs:literal: $($key:ident)*) => {
        $(if $table.$key.is_some() {
            let key = stringify!($key);
            return Err(format!("`{key}` is for type = \"{}\"; this one is \"{}\"", $theirs, $ours));
        })*
    };
}

/// `[[source]]`
pub(super) fn sources(
    document: Document<'_>,
    tables: Vec<Spanned<Source>>,
    country: Country,
) -> Result<Vec<Settings>, ConfigError> {
    if tables.is_empty() {
        return Err(document.whole("there is no [[source]]: no name could ever be found"));
    }
    if tables.len() > MAX {
        return Err(document.whole(&format!("more than {MAX} [[source]] tables")));
    }
    let mut sources = Vec::new();
    // The origin of each group of lists: one SuperOffice, or one file. A group is the index of its origin.
    let mut origins = Vec::new();
    let mut lists = BTreeSet::new();
    for table in tables {
        let title = format!("[[source]] `{}`", table.get_ref().name.0);
        let read = |table: Source| {
            let settings = table.settings(document.folder(), country, &sources, &mut origins)?;
            // The list of a selection has the name of its source and its id: no other source may be named `sales-201`.
            for list in settings.lists().into_iter().map(|list| list.name(&settings.name)) {
                if !lists.insert(list.clone()) {
                    return Err(format!("its list `{list}` would bear another one's name"));
                }
            }
            Ok(settings)
        };
        let settings = document.table(&title, table, read)?;
        sources.push(settings);
    }
    if sources.iter().map(|source| source.origins().len()).sum::<usize>() > MAX {
        return Err(document.whole(&format!("more than {MAX} [[source]] tables and tags of selections")));
    }
    Ok(sources)
}

impl Source {
    /// `others` are the sources before this one, `origins` are the origins of their groups.
    fn settings(
        self,
        folder: &Path,
        country: Country,
        others: &[Settings],
        origins: &mut Vec<String>,
    ) -> Result<Settings, String> {
        let name = self.name.0.clone();
        if others.iter().any(|other| other.name == name) {
            return Err("`name` is another source's too; names are unique".into());
        }
        let refresh = self.refresh.as_ref().map(|period| period.0);
        let tags = self.tags();
        let full_refresh = self.full_refresh.as_ref().map_or(FULL_REFRESH, |period| period.0);
        let search_wait = self.search_wait.as_ref().map(|wait| wait.0);
        let (kind, default, origin) = match self.kind {
            Type::Csv => {
                (Kind::Csv(self.csv(folder, country)?), Duration::from_mins(1), format!("csv {name}"))
            }
            Type::Superoffice => {
                let settings = self.superoffice(folder, country)?;
                let origin = format!("superoffice {}", settings.site.origin());
                (Kind::SuperOffice(Box::new(settings)), Duration::from_mins(5), origin)
            }
        };
        let group = u16::try_from(index_among(origins, origin)).unwrap_or(u16::MAX);
        let refresh = refresh.unwrap_or(default);
        let settings = Settings { name, kind, refresh, full_refresh, group, tags, search_wait };
        if search_wait.is_some() && !settings.searches_on_miss() {
            return Err("`search_wait` is for a source with search_on_miss = true: without it no caller is searched for, and no call waits".into());
        }
        let searches = |other: &Settings| other.group == group && other.searches_on_miss();
        if settings.searches_on_miss() && others.iter().any(searches) {
            return Err("`search_on_miss` is on for another source of the same SuperOffice; allowed is one, because people behind one number are judged together".into());
        }
        Ok(settings)
    }

    fn tags(&self) -> Tags {
        let selections = self.selections.iter().flat_map(|selections| &selections.0);
        Tags {
            source: self.tag.as_ref().map_or_else(String::new, |tag| tag.0.clone()),
            selections: selections.filter_map(|(id, tag)| Some((*id, tag.clone()?))).collect(),
        }
    }

    fn csv(self, folder: &Path, country: Country) -> Result<csv::File, String> {
        refuse!(self of "csv", "superoffice": api tenant host auth app_token app_token_file app_token_env app_token_credential
            selections language so_language so_culture so_timezone window_past window_future ca_file proxy
            first_byte timeout max_answer search_on_miss search_wait);
        let path = self.path.ok_or("`path` is missing: the CSV file")?;
        let delimiter = self.delimiter.map(|delimiter| delimiter.0);
        Ok(csv::File { path: folder.join(path), delimiter, country })
    }

    fn superoffice(self, folder: &Path, country: Country) -> Result<superoffice::Settings, String> {
        refuse!(self of "superoffice", "csv": path delimiter);
        let (api, tenant, host) = (self.api, self.tenant, self.host);
        let site = site(api.map(|api| api.0), tenant.map(|name| name.0), host.map(|host| host.0))?;
        let auth =
            self.auth.ok_or("`auth` is missing: { type = \"basic\", username = …, password_file = … }")?;
        let credential = auth.credential(folder)?;
        let app_token = GivenSecret {
            key: "app_token",
            text: self.app_token,
            file: self.app_token_file,
            env: self.app_token_env,
            credential: self.app_token_credential,
        };
        let app_token = app_token.optional(folder)?;
        check_login(&site, &credential, app_token.is_some())?;
        let so_headers = [
            ("SO-Language", self.so_language),
            ("SO-Culture", self.so_culture),
            ("SO-TimeZone", self.so_timezone),
        ];
        let year = Duration::from_hours(365 * 24);
        let timeout = self.timeout.map_or(Duration::from_mins(5), |period| period.0);
        Ok(superoffice::Settings {
            site,
            credential,
            app_token,
            language: self.language.map_or_else(|| "en".into(), |language| language.0),
            so_headers: so_headers.into_iter().filter_map(|(name, value)| Some((name, value?.0))).collect(),
            selections: self
                .selections
                .map_or_else(Vec::new, |selections| selections.0.into_iter().map(|(id, _)| id).collect()),
            window_past: self.window_past.map_or(year, |period| period.0),
            window_future: self.window_future.map_or(year, |period| period.0),
            ca_file: self.ca_file.map(|path| folder.join(path)),
            proxy: self.proxy.map(|url| url.0),
            first_byte: self.first_byte.map_or(Duration::from_mins(2), |period| period.0).min(timeout),
            timeout,
            max_answer: self.max_answer.map_or(512 << 20, |size| size.0),
            country,
            search_on_miss: self.search_on_miss.unwrap_or(false),
        })
    }
}

/// An error if this SuperOffice does not take this credential.
fn check_login(site: &Site, credential: &Credential, has_app_token: bool) -> Result<(), String> {
    match (site, credential) {
        (Site::Api(_), credential) if credential.needs_tenant() => {
            Err("this `auth.type` logs in at SuperOffice's cloud: give `tenant` and `host` in place of `api`".into())
        }
        (Site::Tenant { .. }, Credential::Basic { .. } | Credential::Ticket(_) | Credential::Bearer(_))
            if !has_app_token =>
        {
            Err("`app_token` is missing: SuperOffice's cloud wants the application's secret in every call; allowed is one of app_token, app_token_file, app_token_env and app_token_credential".into())
        }
        _ => Ok(()),
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

/// The index of `value` in `different`. A value that is not there yet is added.
fn index_among<T: PartialEq>(different: &mut Vec<T>, value: T) -> usize {
    different.iter().position(|known| *known == value).unwrap_or_else(|| {
        different.push(value);
        different.len() - 1
    })
}
