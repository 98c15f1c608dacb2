//! `[share]`

use std::path::Path;

use reqwest::Url;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::file::Share;
use super::value::{GivenSecret, values, word};
use crate::share::{Servers, Settings};

/// The name of the replicas' site if `site` is not given.
const SITE: &str = "nameplate";

values! {
    /// The URL of a Valkey or Redis: `rediss://valkey.example.com:6379`, with or without the number of a database.
    ServerUrl(text: String) -> Url {
        server_url(&text, 6379)
    }

    /// The address of a sentinel: `rediss://valkey-1.example.com:26379`.
    SentinelAddress(text: String) -> Url {
        let url = server_url(&text, 26379)?;
        if url.path().len() > 1 {
            return Err(format!("`{text}`: a sentinel has no databases; allowed are forms like redis://valkey-1.example.com:26379"));
        }
        Ok(url)
    }

    /// The name by which sentinels know a server.
    MasterName(text: String) -> String {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        word(text, 1..=64, allowed, "is no master's name; allowed are letters, digits, ., _ and -")
    }
}

impl Share {
    pub(super) fn settings(self, folder: &Path) -> Result<Settings, String> {
        let servers = match (self.url, self.sentinels, self.master) {
            (Some(url), None, None) => Servers::One(url.0),
            (None, Some(sentinels), Some(master)) => sentinels_of(sentinels, master.0)?,
            (Some(_), Some(_), _) => {
                return Err("`url` and `sentinels` are both given; allowed is one of them".into());
            }
            (Some(_), None, Some(_)) => {
                return Err("`master` is for `sentinels`, and `url` is given".into());
            }
            (None, Some(_), None) => {
                return Err("`master` is missing: the name by which the sentinels know the server, like \"nameplate\"".into());
            }
            (None, None, _) => {
                return Err("`url` is missing; allowed are url = \"rediss://valkey.example.com:6379\", or `sentinels` and `master`".into());
            }
        };
        let is_tls = servers.is_tls();
        for (key, is_given) in
            [("ca_file", self.ca_file.is_some()), ("client_certificate", self.client_certificate.is_some())]
        {
            if is_given && !is_tls {
                return Err(format!("`{key}` is for rediss://, and the address begins with redis://"));
            }
        }
        let client = match (self.client_certificate, self.client_key) {
            (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
            (None, None) => None,
            (Some(_), None) => return Err("`client_key` is missing: the key of `client_certificate`".into()),
            (None, Some(_)) => return Err("`client_certificate` is missing: that of `client_key`".into()),
        };
        let password = GivenSecret {
            key: "password",
            text: self.password,
            file: self.password_file,
            env: self.password_env,
            credential: self.password_credential,
        };
        let password = password.optional(folder)?;
        if self.username.is_some() && password.is_none() {
            return Err("`password` is missing: `username` is given".into());
        }
        let key = GivenSecret {
            key: "key",
            text: self.key,
            file: self.key_file,
            env: self.key_env,
            credential: self.key_credential,
        };
        Ok(Settings {
            servers,
            username: self.username,
            password,
            ca_file: self.ca_file.map(|path| folder.join(path)),
            client,
            key: key.required(folder)?,
            site: self.site.map_or_else(|| SITE.to_owned(), |site| site.0),
        })
    }
}

fn sentinels_of(sentinels: Vec<SentinelAddress>, master: String) -> Result<Servers, String> {
    let sentinels: Vec<_> = sentinels.into_iter().map(|sentinel| sentinel.0).collect();
    let first = sentinels
        .first()
        .ok_or("`sentinels` is empty; allowed are addresses like [\"redis://valkey-1.example.com:26379\"]")?;
    if sentinels.iter().any(|other| other.scheme() != first.scheme()) {
        return Err("`sentinels` begin with redis:// and with rediss://; allowed is one for all".into());
    }
    Ok(Servers::Sentinels { sentinels, master })
}

/// The URL of a Valkey, a Redis or a sentinel. Its `port` is added if it has none.
fn server_url(text: &str, port: u16) -> Result<Url, String> {
    // A URL with a user in it may hold a password, so the error does not show it.
    let wrong = |what: &str| {
        let shown = if text.contains('@') { "the address (not shown)" } else { text };
        format!("`{shown}` {what}; allowed are forms like rediss://valkey.example.com:{port}")
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("is no address: {error}")))?;
    if !matches!(url.scheme(), "redis" | "rediss") {
        return Err(wrong("begins neither with redis:// nor with rediss://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user; `username` and `password_file` are for that"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("holds a query or a fragment"));
    }
    let database = url.path().trim_start_matches('/');
    if !(database.is_empty() || database.parse::<u16>().is_ok()) {
        return Err(wrong("ends with no number of a database"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("has no host"));
    }
    if url.port().is_none() {
        url.set_port(Some(port)).map_err(|()| wrong("can't have a port"))?;
    }
    Ok(url)
}
