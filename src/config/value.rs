//! Values of the configuration, checked while they are read, so that an error has their place.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::name;
use crate::name::{MAX_BYTES, Prefix, Template};
use crate::search::LONGEST_WAIT;
use crate::secret::Secret;
use crate::source::MAX_TAG_BYTES;

/// A text that its own type reads: a country, a template for persons.
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Types of values that only the configuration has. `Period(text: String) -> Duration { … }` is the type `Period`: in the file
/// it is a text, for the rooms it is a `Duration`, and the block makes the one from the other. An error of the block says the
/// value and what is allowed.
macro_rules! values {
    ($($(#[$doc:meta])* $name:ident($written:ident: $from:ty) -> $to:ty $read:block)*) => {$(
        $(#[$doc])*
        pub(super) struct $name(pub(super) $to);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                fn read($written: $from) -> Result<$to, String> $read
                read(<$from>::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
            }
        }
    )*};
}
pub(super) use values;

values! {
    /// The name of a source or a PBX. It becomes a file name and the label of a metric.
    Label(text: String) -> String {
        let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(byte);
        word(text, 1..=32, allowed, "is no name; allowed are 1 to 32 of the characters a-z, 0-9, _ and -")
    }

    /// The name of a Stasis application: one word for `ari/events?app=` and for a dialplan's `Stasis()`.
    App(text: String) -> String {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        word(text, 1..=64, allowed, "is no application's name; allowed are letters, digits, _, - and .")
    }

    /// A credential of systemd: the name of a file in `$CREDENTIALS_DIRECTORY`.
    CredentialName(text: String) -> String {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if text.starts_with('.') {
            return Err(format!("`{text}` is no credential; its name begins with a letter, a digit, _ or -"));
        }
        word(text, 1..=255, allowed, "is no credential; allowed are letters, digits, _, - and .")
    }

    /// A customer of SuperOffice's cloud: `Cust12345`. It becomes a part of URLs.
    Tenant(text: String) -> String {
        let wrong = "is no tenant; allowed are letters and digits, like Cust12345";
        word(text, 1..=64, u8::is_ascii_alphanumeric, wrong)
    }

    /// The name of a user of the web pages.
    UserName(text: String) -> String {
        if (1..=64).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control) {
            return Ok(text);
        }
        let shown = text.escape_debug();
        Err(format!("`{shown}` is no user's name; allowed are 1 to 64 bytes without a blank at either end"))
    }

    /// The area code of the PBX's town, with or without the prefix that is dialled before it.
    AreaCode(text: String) -> String {
        word(text, 1..=8, u8::is_ascii_digit, "is no area code; allowed are 1 to 8 digits")
    }

    /// A number that is not looked up: 112.
    ShortCode(text: String) -> String {
        word(text, 1..=15, u8::is_ascii_digit, "is no short code; allowed are 1 to 15 digits")
    }

    /// The digits for an outside line in front of callers' numbers.
    Prefixes(texts: Vec<String>) -> Vec<String> {
        let allowed = |byte: &u8| byte.is_ascii_digit() || b"*#".contains(byte);
        let prefix = |text| word(text, 1..=8, allowed, "is no prefix; allowed are 1 to 8 digits, * and #");
        texts.into_iter().map(prefix).collect()
    }

    /// The value of an HTTP header.
    HeaderText(text: String) -> String {
        let allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if (1..=64).contains(&text.len()) && text.trim() == text && text.bytes().all(allowed) {
            return Ok(text);
        }
        let shown = text.escape_debug();
        Err(format!("`{shown}` can't be sent; allowed are 1 to 64 visible ASCII characters"))
    }

    /// A language of ISO 639-1, with or without a region: `en`, `nb-NO`.
    Language(text: String) -> String {
        let mut subtags = text.split('-');
        let allowed =
            |tag: &str| (2..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if subtags.next().is_some_and(|tag| tag.len() == 2 && allowed(tag)) && subtags.all(allowed) {
            return Ok(text);
        }
        Err(format!("`{text}` is no language; allowed are forms like en and nb-NO"))
    }

    /// A period from one second to a hundred years: `30s`, `5m`, `12h`, `365d`.
    Period(text: String) -> Duration {
        let longest = Duration::from_hours(24 * 36_525);
        match humantime::parse_duration(&text) {
            Ok(period) if (Duration::from_secs(1)..=longest).contains(&period) => Ok(period),
            _ => Err(format!(
                "`{text}` is no period; allowed are 1s to 36525d, written like 30s, 5m, 12h, 365d"
            )),
        }
    }

    /// How long a call waits for the search in the CRM: `300ms`.
    SearchWait(text: String) -> Duration {
        match humantime::parse_duration(&text) {
            Ok(wait) if (Duration::from_millis(1)..=LONGEST_WAIT).contains(&wait) => Ok(wait),
            _ => Err(format!("`{text}` is no time to wait; allowed are 1ms to 400ms, written like 300ms")),
        }
    }

    /// A size in bytes, at least 1: `512MB`, `64MiB`.
    Size(text: String) -> u64 {
        match text.parse::<bytesize::ByteSize>() {
            Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
            _ => Err(format!("`{text}` is no size; allowed are forms like 512MB and 64MiB")),
        }
    }

    /// A URL that begins with `http://` or `https://`, without user, query and fragment.
    HttpUrl(text: String) -> Url {
        http_url(&text)
    }

    /// A host: its name alone, which is asked with https, or a URL with scheme and port.
    Host(text: String) -> Url {
        let url = if text.contains("://") { http_url(&text)? } else { http_url(&format!("https://{text}"))? };
        if url.path() == "/" {
            return Ok(url);
        }
        Err(format!("`{text}` is no host; allowed are forms like online.superoffice.com"))
    }

    /// The URL of Asterisk's HTTP server.
    AriUrl(text: String) -> Url {
        let url = http_url(&text)?;
        if url.path().trim_end_matches('/').ends_with("/ari") {
            return Err(format!(
                "`{text}`: /ari is added by nameplate; allowed are forms like http://127.0.0.1:8088"
            ));
        }
        Ok(url)
    }

    /// An address of this machine to listen on, with a port.
    Listen(text: String) -> SocketAddr {
        text.parse().map_err(|_| {
            format!("`{text}` is no address with a port; allowed are forms like 127.0.0.1:8480 and [::1]:8480")
        })
    }

    /// An address, or a network of addresses: `192.0.2.7`, `10.0.0.0/8`.
    Network(text: String) -> IpNet {
        let address = || text.parse().ok().map(|address: IpAddr| address.to_canonical().into());
        text.parse().ok().map(as_ipv4).or_else(address).ok_or_else(|| {
            format!("`{text}` is no address; allowed are addresses and networks like 192.0.2.7 and 10.0.0.0/8")
        })
    }

    /// The most FastAGI sessions at once.
    Sessions(number: i64) -> usize {
        up_to(10_000, number)
    }

    /// The calls of the history; 0 for none.
    History(number: i64) -> usize {
        within(0..=10_000, number)
    }

    /// The most bytes of a name.
    MaxBytes(number: i64) -> usize {
        up_to(MAX_BYTES, number)
    }

    /// The delimiter between the columns of a CSV file: one ASCII character.
    Delimiter(text: String) -> u8 {
        match text.as_bytes() {
            [b'"' | b'\r' | b'\n' | b'\0'] => {
                Err(format!("`{}` can't separate columns", text.escape_default()))
            }
            [delimiter] if delimiter.is_ascii() => Ok(*delimiter),
            _ => Err(format!("`{text}` is no delimiter; allowed is one ASCII character such as , ; or \\t")),
        }
    }

    /// The CRM's selections, each with its tag. Each selection is a list of its own.
    Selections(given: Vec<Selection>) -> Vec<(u32, Option<String>)> {
        let mut selections: Vec<(u32, Option<String>)> = Vec::new();
        for Selection(id, tag) in given {
            if selections.iter().any(|(known, _)| *known == id) {
                return Err(format!("{id} is there twice"));
            }
            selections.push((id, tag));
        }
        Ok(selections)
    }

    /// The tag by which a dialplan routes calls.
    Tag(text: String) -> String {
        tag(text)
    }

    /// A template for companies: each template of `[names]` but the one for persons.
    CompanyTemplate(text: String) -> Template {
        Template::of_company(&text).map_err(|error| error.to_string())
    }

    /// The prefix of the names of a source.
    NamePrefix(text: String) -> Prefix {
        Prefix::new(&text).ok_or_else(|| {
            format!(
                "`{}` can't stand in front of a name; allowed are 1 to {} bytes without line breaks, double blanks and \" : $ {{ }} [ ] \\ ; | ` < >, like \"VIP \"",
                text.escape_debug(),
                Prefix::MAX_BYTES
            )
        })
    }

    /// The texts that a provider sends in place of a name.
    Placeholders(texts: Vec<String>) -> name::Placeholders {
        name::Placeholders::new(&texts).map_err(|wrong| {
            format!("`{wrong}` is no placeholder; allowed are texts with a letter, like \"VOIP CALLER\"")
        })
    }
}

/// A selection: its id, or `{ id = 7, tag = "vip" }`.
struct Selection(u32, Option<String>);

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        selection(&toml::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn selection(value: &toml::Value) -> Result<Selection, String> {
    let wrong = || {
        let allowed = "with or without a tag, like 12 and { id = 7, tag = \"vip\" }";
        format!("{value} is no selection; allowed are ids from 1 to {}, {allowed}", i32::MAX)
    };
    let (id, own) = match value {
        toml::Value::Table(table) if table.keys().all(|key| key == "id" || key == "tag") => {
            (table.get("id"), table.get("tag"))
        }
        other => (Some(other), None),
    };
    let id = id.and_then(toml::Value::as_integer).and_then(|id| i32::try_from(id).ok());
    let id = id.filter(|id| *id > 0).and_then(|id| u32::try_from(id).ok()).ok_or_else(wrong)?;
    let own = own.map(|own| tag(own.as_str().ok_or_else(wrong)?.to_owned())).transpose()?;
    Ok(Selection(id, own))
}

fn tag(text: String) -> Result<String, String> {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(byte);
    word(
        text,
        1..=MAX_TAG_BYTES,
        allowed,
        "is no tag; allowed are 1 to 8 of the characters a-z, 0-9, _ and -",
    )
}

/// A text with an allowed length in bytes, and with allowed bytes only. The error is the text and `wrong`.
pub(super) fn word(
    text: String,
    lengths: RangeInclusive<usize>,
    allowed: impl Fn(&u8) -> bool,
    wrong: &str,
) -> Result<String, String> {
    if lengths.contains(&text.len()) && text.as_bytes().iter().all(allowed) {
        return Ok(text);
    }
    Err(format!("`{text}` {wrong}"))
}

/// A number from 1 to `most`.
fn up_to(most: usize, number: i64) -> Result<usize, String> {
    within(1..=most, number)
}

fn within(range: RangeInclusive<usize>, number: i64) -> Result<usize, String> {
    let allowed = usize::try_from(number).ok().filter(|number| range.contains(number));
    let (least, most) = range.into_inner();
    allowed.ok_or_else(|| format!("{number} is out of range; allowed are {least} to {most}"))
}

fn http_url(text: &str) -> Result<Url, String> {
    // A URL with a user in it may hold a password, so the error does not show it.
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
    Ok(url)
}

/// A network of IPv4 that is written as one of IPv6, `::ffff:10.0.0.0/104`, in the form of IPv4.
fn as_ipv4(network: IpNet) -> IpNet {
    let IpNet::V6(wide) = network else { return network };
    let address = wide.network().to_ipv4_mapped();
    let length = wide.prefix_len().checked_sub(96);
    let narrow = address.zip(length).and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    narrow.map_or(network, IpNet::V4)
}

/// The text of a secret that stands in the file. An error is about its type, and never shows it.
pub(super) struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) if !text.trim().is_empty() => Ok(Self(text.into())),
            _ => Err(D::Error::custom("allowed is text in quotes, not empty (the value is not shown)")),
        }
    }
}

/// A secret as a table of the file gives it: `password`, `password_file`, `password_env`, `password_credential`.
pub(super) struct GivenSecret {
    /// `password`
    pub(super) key: &'static str,
    pub(super) text: Option<SecretText>,
    pub(super) file: Option<PathBuf>,
    pub(super) env: Option<String>,
    pub(super) credential: Option<CredentialName>,
}

impl GivenSecret {
    pub(super) fn is_given(&self) -> bool {
        self.text.is_some() || self.file.is_some() || self.env.is_some() || self.credential.is_some()
    }

    /// The secret, which must be given in one form. A relative path begins at `folder`.
    pub(super) fn required(self, folder: &Path) -> Result<Secret, String> {
        let key = self.key;
        let allowed = format!("allowed is one of {key}, {key}_file, {key}_env and {key}_credential");
        let text = self.text.map(|text| Secret::Given(text.0));
        let file = self.file.map(|path| Secret::File(folder.join(path)));
        let env = self.env.map(Secret::Env);
        let credential = self.credential.map(|name| Secret::Credential(name.0));
        let mut given = [text, file, env, credential].into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(secret), None) => Ok(secret),
            (None, _) => Err(format!("`{key}` is missing; {allowed}")),
            _ => Err(format!("`{key}` is given in two ways; {allowed}")),
        }
    }

    /// The secret, or none if the table does not give it.
    pub(super) fn optional(self, folder: &Path) -> Result<Option<Secret>, String> {
        self.is_given().then(|| self.required(folder)).transpose()
    }
}
