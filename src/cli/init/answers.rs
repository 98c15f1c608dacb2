//! What the service has to know, from flags and questions.

use std::fs;
use std::io;
use std::net::ToSocketAddrs;
use std::path::Path;

use anyhow::Context;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::Arguments;
use crate::asterisk::ari;
use crate::check::installed_version;
use crate::cli::{Usage, block_on, terminal};
use crate::number::Country;

/// How Asterisk asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// ARI, the Asterisk REST Interface
    Ari,
    /// FastAGI, for Asterisk before 20.10, 21.5 and 22.0
    Agi,
}

/// All that is asked.
pub(super) struct Answers {
    pub(super) country: Country,
    pub(super) crm: Crm,
    /// The address of Asterisk's HTTP server.
    pub(super) asterisk: Url,
    pub(super) way: Way,
}

/// SuperOffice, with its secrets.
pub(super) enum Crm {
    Onsite {
        api: Url,
        username: String,
        password: SecretString,
    },
    Cloud {
        tenant: String,
        host: String,
        system_token: SecretString,
        client_secret: SecretString,
        private_key: SecretString,
    },
}

/// Takes the flags, and asks for the rest.
///
/// # Errors
/// If nobody can be asked, and something is missing.
pub(super) fn gather(arguments: &Arguments) -> anyhow::Result<Answers> {
    let asker = Asker { may_ask: !arguments.yes && terminal::is_there(), takes_offers: arguments.yes };
    let country = asker.text(
        "1. Country of the PBX (ISO 3166)",
        "--country",
        arguments.country.as_deref(),
        &own_country(),
        |text| text.parse::<Country>().map_err(|error| error.to_string()),
    )?;
    let crm = crm(arguments, &asker)?;
    let asterisk = asker.text(
        "4. Address of Asterisk's HTTP server",
        "--asterisk",
        arguments.asterisk.as_deref(),
        "http://127.0.0.1:8088",
        pbx,
    )?;
    let way = way(arguments, &asker, &asterisk)?;
    Ok(Answers { country, crm, asterisk, way })
}

fn crm(arguments: &Arguments, asker: &Asker) -> anyhow::Result<Crm> {
    let is_cloud = match (&arguments.api, &arguments.tenant) {
        (Some(_), _) => false,
        (None, Some(_)) => true,
        (None, None) if !asker.may_ask => {
            return Err(Usage("--api or --tenant is missing: which SuperOffice is asked?".to_owned()).into());
        }
        (None, None) => {
            terminal::ask("2. SuperOffice on a server of your own, or in its cloud", "own", kind)?
        }
    };
    if is_cloud {
        let tenant =
            asker.text("3. Tenant, like Cust12345", "--tenant", arguments.tenant.as_deref(), "", some)?;
        let secret = |question, flag, file: &Option<_>| asker.secret(question, flag, file.as_deref());
        return Ok(Crm::Cloud {
            tenant,
            host: arguments.host.clone(),
            system_token: secret(
                "   Token of the system user",
                "--system-token-file",
                &arguments.system_token_file,
            )?,
            client_secret: secret(
                "   Secret of the application",
                "--client-secret-file",
                &arguments.client_secret_file,
            )?,
            private_key: private_key(arguments, asker)?,
        });
    }
    Ok(Crm::Onsite {
        api: asker.text(
            "3. Address of the WebAPI, like https://crm.example.com/SuperOffice/api",
            "--api",
            arguments.api.as_deref(),
            "",
            address,
        )?,
        username: asker.text("   User", "--username", arguments.username.as_deref(), "nameplate", some)?,
        password: asker.secret("   Password", "--password-file", arguments.password_file.as_deref())?,
    })
}

/// A key has many lines, so its file is asked for.
fn private_key(arguments: &Arguments, asker: &Asker) -> anyhow::Result<SecretString> {
    let flag = "--private-key-file";
    let given = arguments.private_key_file.as_ref().map(|path| path.display().to_string());
    let readable =
        |path: &str| fs::read_to_string(path).map_err(|error| format!("can't read {path}: {error}"));
    Ok(asker.text("   File with the application's private key", flag, given.as_deref(), "", readable)?.into())
}

fn way(arguments: &Arguments, asker: &Asker, asterisk: &Url) -> anyhow::Result<Way> {
    if let Some(way) = arguments.way {
        return Ok(way);
    }
    // A fresh Asterisk's HTTP server is off, but its program is here.
    let version = block_on(async {
        match ari::server_version(asterisk).await {
            Some(version) => Some(version),
            None => installed_version(asterisk).await,
        }
    })?;
    let offered = match &version {
        Some(version) if ari::delays_commands(version) => Way::Agi,
        _ => Way::Ari,
    };
    let name = if offered == Way::Agi { "agi" } else { "ari" };
    let found = version.map_or_else(
        || "its version can't be seen from here".to_owned(),
        |version| format!("it is Asterisk {version}"),
    );
    let accept = |text: &str| match text.to_ascii_lowercase().as_str() {
        "ari" => Ok(Way::Ari),
        "agi" | "fastagi" => Ok(Way::Agi),
        _ => Err("allowed are ari and agi".to_owned()),
    };
    asker.text(&format!("5. ARI or FastAGI ({found})"), "--way", None, name, accept)
}

struct Asker {
    may_ask: bool,
    /// Whether an offer is taken without a question.
    takes_offers: bool,
}

impl Asker {
    /// The flag's value, or an answer, or what is offered.
    fn text<T>(
        &self,
        question: &str,
        flag: &str,
        given: Option<&str>,
        offered: &str,
        accept: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        match given {
            Some(given) => accept(given).map_err(|why| Usage(format!("{flag}: {why}")).into()),
            None if self.may_ask => Ok(terminal::ask(question, offered, accept)?),
            None if self.takes_offers && !offered.is_empty() => {
                accept(offered).map_err(|why| Usage(format!("{flag}: {why}")).into())
            }
            None => Err(missing(flag).into()),
        }
    }

    /// The content of the flag's file, or what is typed.
    fn secret(&self, question: &str, flag: &str, file: Option<&Path>) -> anyhow::Result<SecretString> {
        match file {
            Some(path) => {
                let text = fs::read_to_string(path);
                let text = text.with_context(|| format!("{flag}: can't read {}", path.display()))?;
                Ok(text.trim_end_matches(['\r', '\n']).into())
            }
            None if self.may_ask => {
                let typed = terminal::ask_secret(&mut io::stdout(), question)?;
                Ok(typed.expose_secret().trim().into())
            }
            None => Err(missing(flag).into()),
        }
    }
}

fn missing(flag: &str) -> Usage {
    Usage(format!("{flag} is missing, and there is no terminal to ask on (--yes takes what is offered)"))
}

fn some(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is needed".to_owned()) } else { Ok(text.to_owned()) }
}

fn kind(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "own" | "onsite" => Ok(false),
        "cloud" | "online" => Ok(true),
        _ => Err("allowed are own and cloud".to_owned()),
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}; an address begins with http:// or https://"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(url);
    }
    Err("an address begins with http:// or https://".to_owned())
}

/// The address of a PBX whose name is known: it decides whether the PBX is this machine.
fn pbx(text: &str) -> Result<Url, String> {
    let url = address(text)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match (host, 0).to_socket_addrs() {
        Ok(_) => Ok(url),
        Err(error) => Err(format!("this machine does not know the host {host}: give its address ({error})")),
    }
}

/// The country of this machine's language, `nb_NO.UTF-8`; "" for none. `en_US` says nothing: servers everywhere have it.
fn own_country() -> String {
    let variables = ["LC_ALL", "LC_TELEPHONE", "LANG"];
    let language = variables.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    let language = language.as_deref().filter(|text| !text.starts_with("en_US"));
    let country = language.and_then(|text| text.split_once('_')?.1.get(..2));
    country.filter(|code| code.parse::<Country>().is_ok()).unwrap_or_default().to_owned()
}
