//! The tables of the file as they are written. What may be absent has its default here or in `config`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::auth::Auth;
use super::ranges::Ranges;
use super::value::{
    App, AreaCode, AriUrl, CompanyTemplate, Delimiter, HeaderText, Host, HttpUrl, Label, Language, Listen,
    MaxBytes, NamePrefix, Network, Parsed, Period, Placeholders, Prefixes, SecretText, Selections, Sessions,
    ShortCode, Size, Tenant,
};
use crate::directory::merge::SharedNumbers;
use crate::name::{Doubtful, MAX_BYTES, Template};
use crate::number::{Country, Extensions};
use crate::observe::logging::{self, Format, LogLevel};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) state_dir: Option<PathBuf>,
    #[serde(default)]
    pub(super) log: Log,
    pub(super) numbers: Numbers,
    #[serde(default)]
    pub(super) names: Names,
    #[serde(default)]
    pub(super) lookups: Lookups,
    #[serde(default)]
    pub(super) ranges: Ranges,
    #[serde(default)]
    pub(super) source: Vec<Spanned<Source>>,
    #[serde(default)]
    pub(super) asterisk: Vec<Spanned<Asterisk>>,
    pub(super) agi: Option<Spanned<Agi>>,
    pub(super) web: Option<Spanned<Web>>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    pub(super) country: Parsed<Country>,
    #[serde(default)]
    pub(super) strip_prefixes: Prefixes,
    pub(super) area_code: Option<Parsed<AreaCode>>,
    #[serde(default)]
    pub(super) internal: Vec<Parsed<Extensions>>,
    pub(super) short_codes: Option<Vec<Parsed<ShortCode>>>,
}

/// `numbers` of one PBX: what is absent is that of `[numbers]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnNumbers {
    pub(super) country: Option<Parsed<Country>>,
    pub(super) strip_prefixes: Option<Prefixes>,
    pub(super) area_code: Option<Parsed<AreaCode>>,
    pub(super) internal: Option<Vec<Parsed<Extensions>>>,
    pub(super) short_codes: Option<Vec<Parsed<ShortCode>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Names {
    pub(super) person: Parsed<Template>,
    pub(super) company: Spanned<Parsed<CompanyTemplate>>,
    pub(super) shared: Parsed<CompanyTemplate>,
    pub(super) guess: Spanned<Parsed<CompanyTemplate>>,
    pub(super) max_bytes: MaxBytes,
    pub(super) ascii: bool,
    pub(super) keep_existing: bool,
    pub(super) placeholders: Placeholders,
    pub(super) shared_numbers: SharedNumbers,
    pub(super) doubtful: Doubtful,
}

impl Default for Names {
    fn default() -> Self {
        // What is not written has no place.
        let spanned = |template| Spanned::new(0..0, Parsed(CompanyTemplate(template)));
        Self {
            person: Parsed(Template::default_person()),
            company: spanned(Template::default_company()),
            shared: Parsed(CompanyTemplate(Template::default_company())),
            guess: spanned(Template::default_guess()),
            max_bytes: MaxBytes(MAX_BYTES),
            ascii: false,
            keep_existing: false,
            placeholders: Placeholders::default(),
            shared_numbers: SharedNumbers::default(),
            doubtful: Doubtful::default(),
        }
    }
}

#[derive(Deserialize, Default)]
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

/// A source of either type: in one table, so that an error inside has its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) name: Parsed<Label>,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) refresh: Option<Parsed<Period>>,
    pub(super) full_refresh: Option<Parsed<Period>>,
    pub(super) prefix: Option<Parsed<NamePrefix>>,
    // superoffice
    pub(super) api: Option<Parsed<HttpUrl>>,
    pub(super) tenant: Option<Parsed<Tenant>>,
    pub(super) host: Option<Parsed<Host>>,
    pub(super) auth: Option<Auth>,
    pub(super) app_token: Option<SecretText>,
    pub(super) app_token_file: Option<PathBuf>,
    pub(super) app_token_env: Option<String>,
    pub(super) selections: Option<Selections>,
    pub(super) language: Option<Parsed<Language>>,
    pub(super) so_language: Option<Parsed<HeaderText>>,
    pub(super) so_culture: Option<Parsed<HeaderText>>,
    pub(super) so_timezone: Option<Parsed<HeaderText>>,
    pub(super) window_past: Option<Parsed<Period>>,
    pub(super) window_future: Option<Parsed<Period>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Option<Parsed<HttpUrl>>,
    pub(super) first_byte: Option<Parsed<Period>>,
    pub(super) timeout: Option<Parsed<Period>>,
    pub(super) max_answer: Option<Parsed<Size>>,
    pub(super) search_on_miss: Option<bool>,
    // csv
    pub(super) path: Option<PathBuf>,
    pub(super) delimiter: Option<Parsed<Delimiter>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asterisk {
    pub(super) name: Parsed<Label>,
    pub(super) url: Parsed<AriUrl>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) username: String,
    pub(super) password: Option<SecretText>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) app: Option<Parsed<App>>,
    pub(super) numbers: Option<OwnNumbers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    pub(super) listen: Parsed<Listen>,
    pub(super) token: Option<SecretText>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) token_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agi {
    pub(super) listen: Option<Parsed<Listen>>,
    pub(super) allow: Option<Vec<Parsed<Network>>>,
    pub(super) max_sessions: Option<Sessions>,
    pub(super) numbers: Option<OwnNumbers>,
}
