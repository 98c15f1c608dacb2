//! Tables as they are written → settings: `[numbers]`, `[names]`, `[ranges]`, `[[asterisk]]`, `[agi]` and `[web]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::error::Place;
use super::file::{self, Numbers, OwnNumbers, Ranges};
use super::value::{Parsed, ShortCode, secret};
use super::{ConfigError, Reader};
use crate::asterisk::{agi, ari};
use crate::directory::ranges;
use crate::lookup::Pbx;
use crate::name::Style;
use crate::number::{self, Country, Extensions};
use crate::web;

/// Not 4573, where Asterisk looks for a FastAGI server whose port is not given: FreePBX's own server has that.
const PORT: u16 = 4577;
/// Of number settings of its own: no PBX has it, because it is one more than they can be.
const ID: u16 = u16::MAX;
/// Sessions at once: a rush of as many calls, each held for half a second at most.
const SESSIONS: usize = 256;

impl Numbers {
    pub(super) fn settings(self) -> number::Settings {
        let defaults = number::Settings::new(self.country.0);
        number::Settings {
            strip_prefixes: self.strip_prefixes.0,
            area_code: self.area_code.map(|area_code| area_code.0.0),
            internal: extensions(self.internal),
            short_codes: self.short_codes.map_or(defaults.short_codes, short_codes),
            ..defaults
        }
    }
}

impl OwnNumbers {
    /// What is absent is taken from `common`; of another country only what is not tied to the first.
    pub(super) fn settings(self, common: &number::Settings) -> number::Settings {
        let common = common.clone();
        let country = self.country.map_or(common.country, |country| country.0);
        let area_code = common.area_code.filter(|_| country == common.country);
        number::Settings {
            country,
            strip_prefixes: self.strip_prefixes.map_or(common.strip_prefixes, |prefixes| prefixes.0),
            area_code: self.area_code.map(|area_code| area_code.0.0).or(area_code),
            internal: self.internal.map_or(common.internal, extensions),
            short_codes: self.short_codes.map_or(common.short_codes, short_codes),
        }
    }
}

fn extensions(given: Vec<Parsed<Extensions>>) -> Vec<Extensions> {
    given.into_iter().map(|extensions| extensions.0).collect()
}

fn short_codes(given: Vec<Parsed<ShortCode>>) -> Vec<String> {
    given.into_iter().map(|code| code.0.0).collect()
}

impl Ranges {
    /// The settings, for numbers that are of `country` where they have no plus.
    pub(super) fn settings(
        self,
        place: Place<'_>,
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
                .map_err(|error| place.at(at, &format!("[ranges] known: {error}")))?;
            ranges.push(range);
        }
        let known = ranges::KnownRanges::try_new(ranges)
            .map_err(|error| place.at(at, &format!("[ranges] known: {error}")))?;
        Ok(ranges::Settings { guess: self.guess, known })
    }
}

impl Reader<'_> {
    pub(super) fn style(
        &self,
        names: file::Names,
        sources: &[Spanned<file::Source>],
    ) -> Result<Style, ConfigError> {
        // The one that is written, or both are.
        let at = if names.guess.span().is_empty() { names.company.span() } else { names.guess.span() };
        let mut style = Style {
            person: names.person.0,
            company: names.company.into_inner().0.0,
            shared: names.shared.0.0,
            guess: names.guess.into_inner().0.0,
            max_bytes: names.max_bytes.0,
            ascii: names.ascii,
            keep_existing: names.keep_existing,
            placeholders: names.placeholders.0,
            doubtful: names.doubtful,
            prefixes: BTreeMap::new(),
        };
        if !style.marks_guesses() {
            let what = format!(
                "`guess`: template `{}` shows the same as `company`, with or without a source (a range of `company` has none), so that a guess would be taken for certain; allowed is one that can be told from it, like ~{{company}}",
                style.guess
            );
            return Err(self.place.at(at.start, &what));
        }
        for table in sources {
            let at = table.span().start;
            let table = table.get_ref();
            let Some(prefix) = &table.prefix else { continue };
            let (prefix, name) = (prefix.0.0.clone(), table.name.0.0.clone());
            let (takes, longest) = (prefix.shown(style.ascii).len(), style.max_bytes);
            if takes * 2 > longest {
                let what = format!(
                    "[[source]] `{name}`: `prefix` takes {takes} of the {longest} bytes that a name may have; allowed is half of them"
                );
                return Err(self.place.at(at, &what));
            }
            style.prefixes.insert(name, prefix);
        }
        Ok(style)
    }

    pub(super) fn asterisks(
        &self,
        tables: Vec<Spanned<file::Asterisk>>,
        numbers: &number::Settings,
    ) -> Result<Vec<ari::Settings>, ConfigError> {
        let mut asterisks: Vec<ari::Settings> = Vec::new();
        let mut names = BTreeSet::new();
        // The different settings there are, those of `[numbers]` first: answers are kept by their places.
        let mut different = vec![numbers.clone()];
        for table in tables {
            let at = table.span().start;
            let table = table.into_inner();
            let name = table.name.0.0;
            let wrong = |what: String| self.place.at(at, &format!("[[asterisk]] `{name}`: {what}"));
            if !names.insert(name.clone()) {
                return Err(wrong("`name` is another PBX's too; names are unique".into()));
            }
            let file = table.password_file.map(|path| self.path(path));
            let password = secret("password", table.password, file, table.password_env).map_err(wrong)?;
            if name == agi::NAME {
                return Err(wrong(format!("`{}` is the name of FastAGI's calls; take another", agi::NAME)));
            }
            let url = table.url.0.0;
            if table.ca_file.is_some() && url.scheme() != "https" {
                return Err(wrong(format!("`ca_file` is for https://, and `url` is {url}")));
            }
            let app = table.app.map_or_else(|| "nameplate".into(), |app| app.0.0);
            let same = |other: &&ari::Settings| other.app == app && other.url == url;
            if let Some(other) = asterisks.iter().find(same) {
                let other = &other.name;
                return Err(wrong(format!(
                    "`{other}` has the app `{app}` at {url} already, and one would take it from the other; give it an `app` of its own"
                )));
            }
            let numbers = match table.numbers {
                Some(own) => own.settings(numbers),
                None => numbers.clone(),
            };
            let id = different.iter().position(|known| *known == numbers).unwrap_or(different.len());
            if id == different.len() {
                different.push(numbers.clone());
            }
            let id = u16::try_from(id).map_err(|_| wrong("has the 65,537th different `numbers`".into()))?;
            asterisks.push(ari::Settings {
                url,
                ca_file: table.ca_file.map(|path| self.path(path)),
                username: table.username,
                password,
                app,
                pbx: Pbx { id, numbers },
                name,
            });
        }
        Ok(asterisks)
    }

    pub(super) fn web(&self, table: Spanned<file::Web>) -> Result<web::Settings, ConfigError> {
        let at = table.span().start;
        let table = table.into_inner();
        let file = table.token_file.map(|path| self.path(path));
        let token = if table.token.is_none() && file.is_none() && table.token_env.is_none() {
            Ok(None)
        } else {
            secret("token", table.token, file, table.token_env).map(Some)
        };
        token
            .and_then(|token| web::Settings::try_new(table.listen.0.0, token))
            .map_err(|what| self.place.at(at, &format!("[web]: {what}")))
    }

    pub(super) fn agi(
        &self,
        table: Spanned<file::Agi>,
        numbers: &number::Settings,
    ) -> Result<agi::Settings, ConfigError> {
        let at = table.span().start;
        let table = table.into_inner();
        let chosen = table.listen.map(|listen| listen.0.0);
        let listen = chosen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, PORT).into());
        let allow = match table.allow {
            Some(allow) if allow.is_empty() => {
                return Err(self.place.at(at, "[agi]: `allow` is empty: nobody could connect; allowed are addresses and networks like 192.0.2.7 and 10.0.0.0/8"));
            }
            Some(allow) => allow.into_iter().map(|network| network.0.0).collect(),
            None if listen.ip().is_loopback() => loopback(),
            None => {
                return Err(self.place.at(at, &format!("[agi]: `listen` = \"{listen}\" is beyond loopback, where `allow` is required: the addresses of your PBXs, like [\"192.0.2.7\"]")));
            }
        };
        Ok(agi::Settings {
            listen,
            is_default: chosen.is_none(),
            allow,
            max_sessions: table.max_sessions.map_or(SESSIONS, |sessions| sessions.0),
            pbx: match table.numbers {
                Some(own) => Pbx { id: ID, numbers: own.settings(numbers) },
                None => Pbx { id: 0, numbers: numbers.clone() },
            },
        })
    }
}

/// The machine itself.
fn loopback() -> Vec<IpNet> {
    let addresses = Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(IpNet::V4);
    let address = Ipv6Net::new(Ipv6Addr::LOCALHOST, 128).map(IpNet::V6);
    addresses.into_iter().chain(address).collect()
}
