//! The tables of the file as they are written. The default of an absent key stands where the settings are made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::auth::Auth;
use super::replicas::{MasterName, SentinelAddress, ServerUrl};
use super::value::{
    App, AreaCode, AriUrl, CompanyTemplate, CredentialName, Delimiter, HeaderText, History, Host, HttpUrl,
    Label, Language, Listen, MaxBytes, NamePrefix, Network, Parsed, Period, Placeholders, Prefixes,
    SearchWait, SecretText, Selections, Sessions, ShortCode, Size, Tag, Tenant, UserName,
};
use crate::directory::merge::SharedNumbers;
use crate::name::{Doubtful, Template};
use crate::number::{Country, Extensions};
use crate::observe::logging::{self, Format, LogLevel};
use crate::web::{PasswordHash, Role};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) state_dir: Option<PathBuf>,
    #[serde(default)]
    pub(super) log: Log,
    pub(super) numbers: Spanned<Numbers>,
    #[serde(default)]
    pub(super) names: Names,
    #[serde(default)]
    pub(super) lookups: Lookups,
    #[serde(default)]
    pub(super) ranges: Ranges,
    #[serde(default)]
    pub(super) suppress: Vec<Suppress>,
    #[serde(default)]
    pub(super) source: Vec<Spanned<Source>>,
    #[serde(default)]
    pub(super) asterisk: Vec<Spanned<Asterisk>>,
    pub(super) agi: Option<Spanned<Agi>>,
    pub(super) web: Option<Spanned<Web>>,
    pub(super) share: Option<Spanned<Share>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: Format,
    pub(super) level: LogLevel,
    pub(super) mask: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::default(), level: LogLevel::default(), mask: true }
    }
}

impl Log {
    pub(super) fn settings(self) -> logging::Settings {
        logging::Settings { format: self.format, level: self.level, mask: self.mask }
    }
}

/// `[numbers]`, and the `numbers` of one PBX. A key that is absent in the latter is taken from the former.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    pub(super) country: Option<Parsed<Country>>,
    pub(super) strip_prefixes: Option<Prefixes>,
    pub(super) area_code: Option<AreaCode>,
    pub(super) internal: Option<Vec<Parsed<Extensions>>>,
    pub(super) short_codes: Option<Vec<ShortCode>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Names {
    pub(super) person: Option<Parsed<Template>>,
    pub(super) company: Option<Spanned<CompanyTemplate>>,
    pub(super) shared: Option<CompanyTemplate>,
    pub(super) guess: Option<Spanned<CompanyTemplate>>,
    pub(super) max_bytes: Option<MaxBytes>,
    pub(super) ascii: bool,
    pub(super) keep_existing: bool,
    pub(super) placeholders: Option<Placeholders>,
    pub(super) shared_numbers: SharedNumbers,
    pub(super) doubtful: Doubtful,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ranges {
    pub(super) guess: bool,
    /// Range → company.
    pub(super) known: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
}

/// `[[suppress]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppress {
    /// Numbers and ranges of numbers.
    pub(super) numbers: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Lookups {
    /// Retired.
    pub(super) kept: Option<i64>,
}

/// `type` of a source.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    Superoffice,
    Csv,
}

/// A source of either type. One struct has the keys of both, because serde loses the lines of errors inside an enum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) name: Label,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) refresh: Option<Period>,
    pub(super) full_refresh: Option<Period>,
    pub(super) prefix: Option<NamePrefix>,
    pub(super) tag: Option<Tag>,
    // superoffice
    pub(super) api: Option<HttpUrl>,
    pub(super) tenant: Option<Tenant>,
    pub(super) host: Option<Host>,
    pub(super) auth: Option<Auth>,
    pub(super) app_token: Option<SecretText>,
    pub(super) app_token_file: Option<PathBuf>,
    pub(super) app_token_env: Option<String>,
    pub(super) app_token_credential: Option<CredentialName>,
    pub(super) selections: Option<Selections>,
    pub(super) language: Option<Language>,
    pub(super) so_language: Option<HeaderText>,
    pub(super) so_culture: Option<HeaderText>,
    pub(super) so_timezone: Option<HeaderText>,
    pub(super) window_past: Option<Period>,
    pub(super) window_future: Option<Period>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Option<HttpUrl>,
    pub(super) first_byte: Option<Period>,
    pub(super) timeout: Option<Period>,
    pub(super) max_answer: Option<Size>,
    pub(super) search_on_miss: Option<bool>,
    pub(super) search_wait: Option<SearchWait>,
    // csv
    pub(super) path: Option<PathBuf>,
    pub(super) delimiter: Option<Delimiter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asterisk {
    pub(super) name: Label,
    pub(super) url: AriUrl,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) username: String,
    pub(super) password: Option<SecretText>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) password_credential: Option<CredentialName>,
    pub(super) app: Option<App>,
    pub(super) numbers: Option<Numbers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    pub(super) listen: Listen,
    pub(super) token: Option<SecretText>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) token_env: Option<String>,
    pub(super) token_credential: Option<CredentialName>,
    pub(super) history: Option<History>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    #[serde(default)]
    pub(super) user: Vec<Spanned<WebUser>>,
}

/// `[[web.user]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebUser {
    pub(super) name: UserName,
    pub(super) role: Role,
    pub(super) password: Parsed<PasswordHash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agi {
    pub(super) listen: Option<Listen>,
    pub(super) allow: Option<Vec<Network>>,
    pub(super) max_sessions: Option<Sessions>,
    pub(super) numbers: Option<Numbers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    pub(super) url: Option<ServerUrl>,
    pub(super) sentinels: Option<Vec<SentinelAddress>>,
    pub(super) master: Option<MasterName>,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretText>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) password_credential: Option<CredentialName>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) key: Option<SecretText>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) key_env: Option<String>,
    pub(super) key_credential: Option<CredentialName>,
    pub(super) site: Option<Label>,
}
