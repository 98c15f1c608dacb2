//! The texts of the files.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::answers::{Answers, Crm, Way};
use super::folder::{NewFile, Reader};

/// The configuration's file.
pub(super) const CONFIGURATION: &str = "nameplate.toml";
/// The folder with the files for the PBX, below that of the configuration.
pub(super) const FOR_ASTERISK: &str = "asterisk";
/// Asterisk's user, its password in it.
pub(super) const ARI: &str = "ari_nameplate.conf";
/// The context.
pub(super) const EXTENSIONS: &str = "extensions_nameplate.conf";
/// What `http.conf` needs; merged by hand.
pub(super) const HTTP: &str = "http.conf";

const SHIPPED_ARI: &str = include_str!("../../../asterisk-conf/ari_nameplate.conf");
const SHIPPED_EXTENSIONS: &str = include_str!("../../../asterisk-conf/extensions_nameplate.conf");
const SHIPPED_HTTP: &str = include_str!("../../../asterisk-conf/http.conf");
/// Where the shipped context asks by FastAGI.
const AGI: &str = "127.0.0.1:4577";
const AGI_PORT: u16 = 4577;
/// Random bytes of a password.
const LENGTH: usize = 24;

/// All files below `folder`.
pub(super) fn files(
    answers: &Answers,
    folder: &Path,
    state_dir: Option<&Path>,
) -> anyhow::Result<Vec<NewFile>> {
    let file = |name: &str, text: String| NewFile {
        path: folder.join(name),
        text: text.into(),
        reader: Reader::Service,
    };
    let secret = |name: &str, secret: &SecretString| file(name, format!("{}\n", secret.expose_secret()));
    let mut files = Vec::new();
    match &answers.crm {
        Crm::Onsite { password, .. } => files.push(secret("superoffice.password", password)),
        Crm::Cloud { system_token, client_secret, private_key, .. } => files.extend([
            secret("system.token", system_token),
            secret("client.secret", client_secret),
            secret("partner.pem", private_key),
        ]),
    }
    let remote = Remote::of(&answers.asterisk)?;
    let mut extensions = SHIPPED_EXTENSIONS.to_owned();
    let for_asterisk = |name: &str| format!("{FOR_ASTERISK}/{name}");
    match answers.way {
        Way::Ari => {
            let password = password()?;
            files.push(secret("ari.password", &password));
            files.push(file(&for_asterisk(ARI), ari(&password)));
            files.push(file(&for_asterisk(HTTP), SHIPPED_HTTP.to_owned()));
        }
        Way::Agi => {
            if let Some(remote) = &remote {
                extensions = extensions.replace(AGI, &format!("{}:{AGI_PORT}", shown(remote.own)));
            }
        }
    }
    files.push(file(&for_asterisk(EXTENSIONS), extensions));
    // Last, so that a configuration has all its files.
    files.push(file(CONFIGURATION, configuration(answers, state_dir, remote.as_ref())?));
    Ok(files)
}

/// The copies of the files that belong into Asterisk's folder. Its `http.conf` is there already.
pub(super) fn copies(files: &[NewFile], asterisk: &Path) -> Vec<NewFile> {
    let names = [ARI, EXTENSIONS];
    let copied = files.iter().filter_map(|file| {
        let name = file.path.file_name()?.to_str().filter(|name| names.contains(name))?;
        Some(NewFile { path: asterisk.join(name), text: file.text.clone(), reader: Reader::Folder })
    });
    copied.collect()
}

fn configuration(
    answers: &Answers,
    state_dir: Option<&Path>,
    remote: Option<&Remote>,
) -> anyhow::Result<String> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = "# Made by `nameplate init`. `man nameplate.toml` has all settings.\n".to_owned();
    if let Some(folder) = state_dir {
        writeln!(text, "state_dir = {}", quoted(&folder.display().to_string()))?;
    }
    writeln!(text, "\n[numbers]\ncountry = {}\n", quoted(answers.country.as_str()))?;
    writeln!(text, "[[source]]\nname = \"superoffice\"\ntype = \"superoffice\"")?;
    match &answers.crm {
        Crm::Onsite { api, username, .. } => {
            writeln!(text, "api = {}", quoted(api.as_str()))?;
            let username = quoted(username);
            writeln!(
                text,
                "auth = {{ type = \"basic\", username = {username}, password_file = \"superoffice.password\" }}"
            )?;
        }
        Crm::Cloud { tenant, host, .. } => {
            writeln!(text, "tenant = {}\nhost = {}", quoted(tenant), quoted(host))?;
            writeln!(
                text,
                "auth = {{ type = \"system_user\", system_token_file = \"system.token\", client_secret_file = \"client.secret\", private_key_file = \"partner.pem\" }}"
            )?;
        }
    }
    match (answers.way, remote) {
        (Way::Ari, _) => {
            let url = quoted(answers.asterisk.as_str().trim_end_matches('/'));
            writeln!(
                text,
                "\n[[asterisk]]\nname = \"pbx1\"\nurl = {url}\nusername = \"nameplate\"\npassword_file = \"ari.password\""
            )?;
        }
        (Way::Agi, None) => writeln!(text, "\n[agi]\nlisten = \"{AGI}\"")?,
        (Way::Agi, Some(Remote { own, pbx })) => {
            writeln!(text, "\n[agi]\nlisten = \"{}:{AGI_PORT}\"\nallow = [\"{pbx}\"]", shown(*own))?;
        }
    }
    Ok(text)
}

fn ari(password: &SecretString) -> String {
    let line = |line: &str| match line.starts_with("password = ") {
        true => format!("password = {}\n", password.expose_secret()),
        false => format!("{line}\n"),
    };
    SHIPPED_ARI.lines().map(line).collect()
}

/// A password that nobody has to type. Its characters have no meaning in Asterisk's files.
fn password() -> anyhow::Result<SecretString> {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("this system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// A PBX on another machine, for FastAGI.
struct Remote {
    /// This machine's address, as the PBX sees it.
    own: IpAddr,
    pbx: IpAddr,
}

/// Whether the PBX is another machine than this one, as far as its address says so.
pub(super) fn is_elsewhere(asterisk: &Url) -> bool {
    address(asterisk).is_some()
}

/// The address of a PBX on another machine; none if it is on this one.
fn address(asterisk: &Url) -> Option<SocketAddr> {
    let host = asterisk.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host == "localhost" {
        return None;
    }
    (host, AGI_PORT).to_socket_addrs().ok()?.next().filter(|address| !address.ip().is_loopback())
}

impl Remote {
    /// None for a PBX on this machine.
    fn of(asterisk: &Url) -> anyhow::Result<Option<Self>> {
        let Some(pbx) = address(asterisk) else { return Ok(None) };
        // Nothing is sent: the system only chooses the way there.
        let socket = UdpSocket::bind(if pbx.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
        let chosen = socket.connect(pbx).and_then(|()| socket.local_addr());
        let own = chosen.with_context(|| format!("there is no way to {pbx} from this machine"))?;
        Ok(Some(Self { own: own.ip(), pbx: pbx.ip() }))
    }
}

/// An address in front of a port.
fn shown(address: IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_random_and_stands_in_asterisks_file() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret().len(), 32);
        let text = ari(&one);
        assert!(text.contains(&format!("\npassword = {}\n", one.expose_secret())), "{text}");
        assert!(!text.contains("CHANGE-ME"));
    }

    #[test]
    fn the_shipped_context_asks_at_the_port_that_is_replaced() {
        assert!(SHIPPED_EXTENSIONS.contains(&format!("AGI(agi://{AGI}/handoff")));
    }
}
