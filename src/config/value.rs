//! Values of the configuration, checked while they are read, so that an error has their place.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::name;
use crate::name::{MAX_BYTES, Prefix, Template, TemplateError};
use crate::secret::Secret;

/// A value that is written as text and knows itself what is allowed: a country, a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A secret written in the file: any error is about its type only, and shows nothing of it.
#[derive(Clone, Debug)]
pub(super) struct SecretText(pub(super) SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) if !text.trim().is_empty() => Ok(Self(text.into())),
            _ => Err(D::Error::custom("allowed is text in quotes, not empty (the value is not shown)")),
        }
    }
}

/// The three ways to give a secret `key`; exactly one is allowed.
pub(super) fn secret(
    key: &str,
    given: Option<SecretText>,
    file: Option<PathBuf>,
    env: Option<String>,
) -> Result<Secret, String> {
    match (given, file, env) {
        (Some(given), None, None) => Ok(Secret::Given(given.0)),
        (None, Some(path), None) => Ok(Secret::File(path)),
        (None, None, Some(name)) => Ok(Secret::Env(name)),
        (None, None, None) => {
            Err(format!("`{key}` is missing; allowed is one of {key}, {key}_file and {key}_env"))
        }
        _ => Err(format!("`{key}` is given in two ways; allowed is one of {key}, {key}_file and {key}_env")),
    }
}

/// The name of a source or a PBX: `[a-z0-9_-]{1,32}`, because it becomes a file name and a label.
#[derive(Clone, Debug)]
pub(super) struct Label(pub(super) String);

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if (1..=32).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no name; allowed are 1 to 32 of the characters a-z, 0-9, _ and -"))
        }
    }
}

/// A Stasis application's name: what `ari/events?app=` and a dialplan's `Stasis()` take as one word.
#[derive(Clone, Debug)]
pub(super) struct App(pub(super) String);

impl FromStr for App {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !text.is_empty() && text.len() <= 64 && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no application's name; allowed are letters, digits, _, - and ."))
        }
    }
}

/// `30s`, `5m`, `12h`, `365d`: from one second to a hundred years.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period(pub(super) Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let longest = Duration::from_hours(24 * 36_525);
        match humantime::parse_duration(text) {
            Ok(period) if (Duration::from_secs(1)..=longest).contains(&period) => Ok(Self(period)),
            _ => Err(format!(
                "`{text}` is no period; allowed are 1s to 36525d, written like 30s, 5m, 12h, 365d"
            )),
        }
    }
}

/// `512MB`, `64MiB`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<bytesize::ByteSize>() {
            Ok(size) if size.as_u64() > 0 => Ok(Self(size.as_u64())),
            _ => Err(format!("`{text}` is no size; allowed are forms like 512MB and 64MiB")),
        }
    }
}

/// An address that begins with `http://` or `https://`, without user, query and fragment.
#[derive(Clone, Debug)]
pub(super) struct HttpUrl(pub(super) Url);

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An address with a user in it may hold a password: it is not repeated.
        let wrong = |what: &str| {
            let shown = if text.contains('@') { "the address (not shown)" } else { text };
            format!("`{shown}` {what}; allowed are forms like https://crm.example.com/path")
        };
        let url = Url::parse(text).map_err(|error| wrong(&format!("is no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("begins neither with http:// nor with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("holds a query or a fragment"));
        }
        Ok(Self(url))
    }
}

/// A host: its name alone, which is asked with https, or an address with scheme and port.
#[derive(Clone, Debug)]
pub(super) struct Host(pub(super) Url);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let HttpUrl(url) = address.parse()?;
        if url.path() == "/" {
            Ok(Self(url))
        } else {
            Err(format!("`{text}` is no host; allowed are forms like online.superoffice.com"))
        }
    }
}

/// A customer of SuperOffice's cloud: `Cust12345`. It becomes a part of addresses.
#[derive(Clone, Debug)]
pub(super) struct Tenant(pub(super) String);

impl FromStr for Tenant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no tenant; allowed are letters and digits, like Cust12345"))
        }
    }
}

/// What is sent as a header: visible ASCII and blanks.
#[derive(Clone, Debug)]
pub(super) struct HeaderText(pub(super) String);

impl FromStr for HeaderText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if (1..=64).contains(&text.len()) && text.trim() == text && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{}` can't be sent; allowed are 1 to 64 visible ASCII characters",
                text.escape_debug()
            ))
        }
    }
}

/// The address of Asterisk's HTTP server.
#[derive(Clone, Debug)]
pub(super) struct AriUrl(pub(super) Url);

impl FromStr for AriUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let HttpUrl(url) = text.parse()?;
        if url.path().trim_end_matches('/').ends_with("/ari") {
            return Err(format!(
                "`{text}`: /ari is added by nameplate; allowed are forms like http://127.0.0.1:8088"
            ));
        }
        Ok(Self(url))
    }
}

/// Where to listen: an address of this machine and a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listen(pub(super) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| {
            format!(
                "`{text}` is no address with a port; allowed are forms like 127.0.0.1:8480 and [::1]:8480"
            )
        };
        text.parse().map(Self).map_err(wrong)
    }
}

/// An address, or a network of addresses: `192.0.2.7`, `10.0.0.0/8`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network(pub(super) IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = || text.parse().ok().map(|address: IpAddr| address.to_canonical().into());
        text.parse().ok().map(as_ipv4).or_else(address).map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no address; allowed are addresses and networks like 192.0.2.7 and 10.0.0.0/8"
            )
        })
    }
}

/// A network of IPv4 that is written as one of IPv6, `::ffff:10.0.0.0/104`, as what it is.
fn as_ipv4(network: IpNet) -> IpNet {
    let IpNet::V6(wide) = network else { return network };
    let address = wide.network().to_ipv4_mapped();
    let length = wide.prefix_len().checked_sub(96);
    let narrow = address.zip(length).and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    narrow.map_or(network, IpNet::V4)
}

/// How many sessions of FastAGI may be under way at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sessions(pub(super) usize);

impl<'de> Deserialize<'de> for Sessions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = i64::deserialize(deserializer)?;
        let sessions = usize::try_from(given).ok().filter(|sessions| (1..=10_000).contains(sessions));
        let wrong = || D::Error::custom(format!("{given} is out of range; allowed are 1 to 10000"));
        sessions.map(Self).ok_or_else(wrong)
    }
}

/// A language, ISO 639-1, with or without a region: `en`, `nb-NO`.
#[derive(Clone, Debug)]
pub(super) struct Language(pub(super) String);

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('-');
        let word =
            |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let language = parts.next().is_some_and(|part| part.len() == 2 && word(part));
        if language && parts.all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no language; allowed are forms like en and nb-NO"))
        }
    }
}

/// What separates a file's columns: one ASCII character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delimiter(pub(super) u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            [b'"' | b'\r' | b'\n' | b'\0'] => {
                Err(format!("`{}` can't separate columns", text.escape_default()))
            }
            [delimiter] if delimiter.is_ascii() => Ok(Self(*delimiter)),
            _ => Err(format!("`{text}` is no delimiter; allowed is one ASCII character such as , ; or \\t")),
        }
    }
}

/// Outside-line digits in front of callers' numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Prefixes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let prefixes = Vec::<String>::deserialize(deserializer)?;
        let allowed = |c: char| c.is_ascii_digit() || c == '*' || c == '#';
        match prefixes
            .iter()
            .find(|prefix| prefix.is_empty() || prefix.len() > 8 || !prefix.chars().all(allowed))
        {
            Some(wrong) => {
                Err(D::Error::custom(format!("`{wrong}` is no prefix; allowed are 1 to 8 digits, * and #")))
            }
            None => Ok(Self(prefixes)),
        }
    }
}

/// The area code of the PBX's town, with or without the prefix that is dialled before it.
#[derive(Clone, Debug)]
pub(super) struct AreaCode(pub(super) String);

impl FromStr for AreaCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no area code; allowed are 1 to 8 digits"))
        }
    }
}

/// A number that is not looked up: 112.
#[derive(Clone, Debug)]
pub(super) struct ShortCode(pub(super) String);

impl FromStr for ShortCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no short code; allowed are 1 to 15 digits"))
        }
    }
}

/// The CRM's selections: each is a list of its own.
#[derive(Clone, Debug)]
pub(super) struct Selections(pub(super) Vec<u32>);

impl<'de> Deserialize<'de> for Selections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ids = Vec::new();
        for id in Vec::<i64>::deserialize(deserializer)? {
            let allowed = i32::try_from(id).ok().filter(|id| *id > 0).and_then(|id| u32::try_from(id).ok());
            match allowed {
                Some(id) if !ids.contains(&id) => ids.push(id),
                Some(id) => return Err(D::Error::custom(format!("{id} is there twice"))),
                None => {
                    let what = format!("{id} is no selection; allowed are ids from 1 to {}", i32::MAX);
                    return Err(D::Error::custom(what));
                }
            }
        }
        Ok(Self(ids))
    }
}

/// A template for companies: of `[names]`, all but that for persons.
#[derive(Clone, Debug)]
pub(super) struct CompanyTemplate(pub(super) Template);

impl FromStr for CompanyTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Template::of_company(text).map(Self)
    }
}

/// What stands in front of a source's names.
#[derive(Clone, Debug)]
pub(super) struct NamePrefix(pub(super) Prefix);

impl FromStr for NamePrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Prefix::new(text).map(Self).ok_or_else(|| {
            format!(
                "`{}` can't stand in front of a name; allowed are 1 to {} bytes without line breaks, double blanks and \" : $ {{ }} [ ] \\ ; | ` < >, like \"VIP \"",
                text.escape_debug(),
                Prefix::MAX_BYTES
            )
        })
    }
}

/// `names.placeholders`.
#[derive(Clone, Debug, Default)]
pub(super) struct Placeholders(pub(super) name::Placeholders);

impl<'de> Deserialize<'de> for Placeholders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        name::Placeholders::new(&texts).map(Self).map_err(|wrong| {
            D::Error::custom(format!(
                "`{wrong}` is no placeholder; allowed are texts with a letter, like \"VOIP CALLER\""
            ))
        })
    }
}

/// `names.max_bytes`.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaxBytes(pub(super) usize);

impl<'de> Deserialize<'de> for MaxBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = i64::deserialize(deserializer)?;
        match usize::try_from(bytes) {
            Ok(bytes) if (1..=MAX_BYTES).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(D::Error::custom(format!("{bytes} is out of range; allowed are 1 to {MAX_BYTES}"))),
        }
    }
}
