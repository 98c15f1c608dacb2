//! `[agi]`

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Reader, file};
use crate::asterisk::agi;
use crate::config::ConfigError;
use crate::lookup::Pbx;

/// Not 4573, where Asterisk looks for a FastAGI server whose port is not given: FreePBX's own server has that.
const PORT: u16 = 4577;
/// Sessions at once: a rush of as many calls, each held for half a second at most.
const SESSIONS: usize = 256;

impl Reader<'_> {
    pub(super) fn agi(
        &self,
        table: toml::Spanned<file::Agi>,
        common: &Pbx,
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
                Some(own) => Pbx::new(own.settings(&common.numbers)),
                None => common.clone(),
            },
        })
    }
}

/// The machine itself.
fn loopback() -> Vec<IpNet> {
    let addresses = Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(IpNet::V4);
    let address = Ipv6Net::new(std::net::Ipv6Addr::LOCALHOST, 128).map(IpNet::V6);
    addresses.into_iter().chain(address).collect()
}
