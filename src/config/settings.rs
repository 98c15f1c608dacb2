//! Tables as they are written → settings: `[numbers]`, `[names]`, `[ranges]`, `[[suppress]]`, `[[asterisk]]`, `[agi]` and `[web]`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::error::{ConfigError, Document};
use super::file::{Agi, Asterisk, Names, Numbers, Ranges, Source, Suppress, Web};
use super::value::GivenSecret;
use crate::asterisk::{agi, ari};
use crate::calls;
use crate::directory::ranges;
use crate::directory::suppressed::{Span, Suppressed};
use crate::lookup::Pbx;
use crate::name::Style;
use crate::number::{self, Country};
use crate::web;

/// The port of `[agi]`. Asterisk looks for a FastAGI server at 4573 if the dialplan gives no port, and FreePBX's own server has
/// that port.
const AGI_PORT: u16 = 4577;
/// The most FastAGI sessions at once: a rush of as many calls. Each one waits for half a second at most.
const AGI_SESSIONS: usize = 256;

impl Numbers {
    /// `[numbers]`: the settings that all PBXs have in common.
    pub(super) fn common(self) -> Result<number::Settings, String> {
        let country = self.country.as_ref();
        let country = country.ok_or("`country` is missing: the country of this PBX, like \"NO\"")?.0;
        Ok(self.settings(&number::Settings::new(country)))
    }

    /// The `numbers` of one PBX. A key that is absent is taken from `common`, except an area code of another country.
    fn settings(self, common: &number::Settings) -> number::Settings {
        let common = common.clone();
        let country = self.country.map_or(common.country, |country| country.0);
        let area_code = common.area_code.filter(|_| country == common.country);
        number::Settings {
            country,
            strip_prefixes: self.strip_prefixes.map_or(common.strip_prefixes, |prefixes| prefixes.0),
            area_code: self.area_code.map(|area_code| area_code.0).or(area_code),
            internal: match self.internal {
                Some(internal) => internal.into_iter().map(|extensions| extensions.0).collect(),
                None => common.internal,
            },
            short_codes: match self.short_codes {
                Some(codes) => codes.into_iter().map(|code| code.0).collect(),
                None => common.short_codes,
            },
        }
    }
}

impl Ranges {
    /// The settings. A range without a plus is one of `country`.
    pub(super) fn settings(
        self,
        document: Document<'_>,
        country: Country,
    ) -> Result<ranges::Settings, ConfigError> {
        let Some(known) = self.known else {
            return Ok(ranges::Settings { guess: self.guess, known: ranges::KnownRanges::default() });
        };
        let at = known.span().start;
        let mut ranges = Vec::new();
        for (range, holder) in known.into_inner() {
            let at = holder.span().start;
            let range = holder
                .into_inner()
                .parse()
                .and_then(|holder| ranges::KnownRange::new(&range, holder, country))
                .map_err(|error| document.at(at, &format!("[ranges] known: {error}")))?;
            ranges.push(range);
        }
        let known = ranges::KnownRanges::try_new(ranges)
            .map_err(|error| document.at(at, &format!("[ranges] known: {error}")))?;
        Ok(ranges::Settings { guess: self.guess, known })
    }
}

/// `[[suppress]]`. A number without a plus is one of `country`.
pub(super) fn suppressed(
    document: Document<'_>,
    tables: Vec<Suppress>,
    country: Country,
) -> Result<Suppressed, ConfigError> {
    let texts = tables.into_iter().flat_map(|table| table.numbers);
    let span = |text: Spanned<String>| {
        let read = Span::new(text.get_ref(), country);
        read.map_err(|error| document.at(text.span().start, &format!("[[suppress]] numbers: {error}")))
    };
    texts.map(span).collect()
}

impl Names {
    /// `[names]`, and the `prefix` of each `[[source]]`.
    pub(super) fn style(
        self,
        document: Document<'_>,
        sources: &[Spanned<Source>],
    ) -> Result<Style, ConfigError> {
        // The line of an error about both templates: that of `guess`, or that of `company` without a `guess`.
        let at = self.guess.as_ref().or(self.company.as_ref()).map_or(0, |template| template.span().start);
        let defaults = Style::default();
        let mut style = Style {
            person: self.person.map_or(defaults.person, |template| template.0),
            company: self.company.map_or(defaults.company, |template| template.into_inner().0),
            shared: self.shared.map_or(defaults.shared, |template| template.0),
            guess: self.guess.map_or(defaults.guess, |template| template.into_inner().0),
            max_bytes: self.max_bytes.map_or(defaults.max_bytes, |bytes| bytes.0),
            ascii: self.ascii,
            keep_existing: self.keep_existing,
            placeholders: self.placeholders.map_or(defaults.placeholders, |placeholders| placeholders.0),
            doubtful: self.doubtful,
            prefixes: BTreeMap::new(),
        };
        if !style.marks_guesses() {
            let what = format!(
                "`guess`: template `{}` shows the same as `company`, with or without a source (a range of `company` has none), so that a guess would be taken for certain; allowed is one that can be told from it, like ~{{company}}",
                style.guess
            );
            return Err(document.at(at, &what));
        }
        for table in sources {
            let at = table.span().start;
            let table = table.get_ref();
            let Some(prefix) = &table.prefix else { continue };
            let (prefix, name) = (prefix.0.clone(), table.name.0.clone());
            let (takes, longest) = (prefix.shown(style.ascii).len(), style.max_bytes);
            if takes * 2 > longest {
                let what = format!(
                    "[[source]] `{name}`: `prefix` takes {takes} of the {longest} bytes that a name may have; allowed is half of them"
                );
                return Err(document.at(at, &what));
            }
            style.prefixes.insert(name, prefix);
        }
        Ok(style)
    }
}

/// `[[asterisk]]`
pub(super) fn asterisks(
    document: Document<'_>,
    tables: Vec<Spanned<Asterisk>>,
    common: &Pbx,
) -> Result<Vec<ari::Settings>, ConfigError> {
    let mut asterisks = Vec::new();
    for table in tables {
        let title = format!("[[asterisk]] `{}`", table.get_ref().name.0);
        let read = |table: Asterisk| table.settings(document.folder(), common, &asterisks);
        let settings = document.table(&title, table, read)?;
        asterisks.push(settings);
    }
    Ok(asterisks)
}

impl Asterisk {
    /// `others` are the PBXs before this one. Those with the same numbers share their kept answers.
    fn settings(
        self,
        folder: &Path,
        common: &Pbx,
        others: &[ari::Settings],
    ) -> Result<ari::Settings, String> {
        let name = self.name.0;
        if others.iter().any(|other| other.name == name) {
            return Err("`name` is another PBX's too; names are unique".into());
        }
        let password = GivenSecret {
            key: "password",
            text: self.password,
            file: self.password_file,
            env: self.password_env,
            credential: self.password_credential,
        };
        let password = password.required(folder)?;
        if name == agi::NAME {
            return Err(format!("`{name}` is the name of FastAGI's calls; take another"));
        }
        let url = self.url.0;
        if self.ca_file.is_some() && url.scheme() != "https" {
            return Err(format!("`ca_file` is for https://, and `url` is {url}"));
        }
        let app = self.app.map_or_else(|| "nameplate".into(), |app| app.0);
        if let Some(other) = others.iter().find(|other| other.app == app && other.url == url) {
            let other = &other.name;
            return Err(format!(
                "`{other}` has the app `{app}` at {url} already, and one would take it from the other; give it an `app` of its own"
            ));
        }
        let pbx = match self.numbers.map(|own| own.settings(&common.numbers)) {
            None => common.clone(),
            Some(own) => {
                let mut pbxs = others.iter().map(|other| &other.pbx).chain([common]);
                pbxs.find(|pbx| pbx.numbers == own).cloned().unwrap_or_else(|| Pbx::new(own))
            }
        };
        Ok(ari::Settings {
            url,
            ca_file: self.ca_file.map(|path| folder.join(path)),
            username: self.username,
            password,
            app,
            pbx,
            name,
        })
    }
}

impl Agi {
    pub(super) fn settings(self, common: &Pbx) -> Result<agi::Settings, String> {
        let chosen = self.listen.map(|listen| listen.0);
        let listen = chosen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, AGI_PORT).into());
        let allow = match self.allow {
            Some(allow) if allow.is_empty() => {
                return Err("`allow` is empty: nobody could connect; allowed are addresses and networks like 192.0.2.7 and 10.0.0.0/8".into());
            }
            Some(allow) => allow.into_iter().map(|network| network.0).collect(),
            None if listen.ip().is_loopback() => loopback(),
            None => {
                return Err(format!(
                    "`listen` = \"{listen}\" is beyond loopback, where `allow` is required: the addresses of your PBXs, like [\"192.0.2.7\"]"
                ));
            }
        };
        Ok(agi::Settings {
            listen,
            is_default: chosen.is_none(),
            allow,
            max_sessions: self.max_sessions.map_or(AGI_SESSIONS, |sessions| sessions.0),
            pbx: match self.numbers {
                Some(own) => Pbx::new(own.settings(&common.numbers)),
                None => common.clone(),
            },
        })
    }
}

impl Web {
    pub(super) fn settings(self, folder: &Path) -> Result<web::Settings, String> {
        let token = GivenSecret {
            key: "token",
            text: self.token,
            file: self.token_file,
            env: self.token_env,
            credential: self.token_credential,
        };
        let mut settings = web::Settings::try_new(self.listen.0, token.optional(folder)?)?;
        settings.history = self.history.map_or(calls::DEFAULT, |history| history.0);
        settings.tls = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => {
                Some(web::TlsFiles { certificate: folder.join(certificate), key: folder.join(key) })
            }
            (None, None) => None,
            (Some(_), None) => return Err("`key` is missing: the private key of `certificate`".into()),
            (None, Some(_)) => return Err("`certificate` is missing: that of `key`".into()),
        };
        for user in self.user {
            let user = user.into_inner();
            let user = web::User { name: user.name.0, role: user.role, password: user.password.0 };
            if settings.users.iter().any(|other| other.is(&user.name)) {
                return Err(format!(
                    "[[web.user]] `{}`: another user has this name; names are unique",
                    user.name
                ));
            }
            settings.users.push(user);
        }
        Ok(settings)
    }
}

/// The addresses of the machine itself.
fn loopback() -> Vec<IpNet> {
    let addresses = Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(IpNet::V4);
    let address = Ipv6Net::new(Ipv6Addr::LOCALHOST, 128).map(IpNet::V6);
    addresses.into_iter().chain(address).collect()
}
