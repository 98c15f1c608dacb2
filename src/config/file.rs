//! The tables of the file as they are written. What may be absent has its default here or in `config`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::auth::Auth;
use super::value::{
    App, AriUrl, Delimiter, HeaderText, Host, HttpUrl, Label, Language, Listen, MaxBytes, Parsed, Period,
    Prefixes, SecretText, Selections, Size, Tenant,
};
use crate::logging::Format;
use crate::name::{MAX_BYTES, Template};
use crate::number::Country;

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
    pub(super) source: Vec<Spanned<Source>>,
    #[serde(default)]
    pub(super) asterisk: Vec<Spanned<Asterisk>>,
    pub(super) web: Option<Spanned<Web>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: Format,
    pub(super) mask: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::default(), mask: true }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    pub(super) country: Parsed<Country>,
    #[serde(default)]
    pub(super) strip_prefixes: Prefixes,
}

/// `numbers` of one PBX: what is absent is that of `[numbers]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnNumbers {
    pub(super) country: Option<Parsed<Country>>,
    pub(super) strip_prefixes: Option<Prefixes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Names {
    pub(super) person: Parsed<Template>,
    pub(super) company: Parsed<Template>,
    pub(super) max_bytes: MaxBytes,
    pub(super) ascii: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            person: Parsed(Template::default_person()),
            company: Parsed(Template::default_company()),
            max_bytes: MaxBytes(MAX_BYTES),
            ascii: false,
        }
    }
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
