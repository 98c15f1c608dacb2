//! The server of the replicas is asked as the service asks it, and each sentinel. One key is written there, which is the check's own
//! and is deleted at once.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::files;
use super::finding::Finding;
use crate::clock;
use crate::config::Config;
use crate::lists::status::grouped;
use crate::secret::Secret;
use crate::share::connector::Connector;
use crate::share::error::ServerError;
use crate::share::inspection::{Forbidden, Info};
use crate::share::life::Sign;
use crate::share::manifest::Entry;
use crate::share::scripts::Keys;
use crate::share::seal::Key;
use crate::share::server::Server;
use crate::share::{Servers, Settings};
use crate::source::{self, Kind};

/// The most time for the server, and for each sentinel.
const LIMIT: Duration = Duration::from_secs(9);
/// What a fault of the server means.
const ALONE: &str =
    "this service shares nothing and asks SuperOffice by itself, and lists come later where it is new";
/// How much room a list needs beside its last version: the one before it, which goes soon, and the next one.
const ROOM: u64 = 2;
/// The least room, in bytes: for the list of some thousand people.
const LEAST_ROOM: u64 = 4 << 20;

/// What the section names on this machine.
pub(super) fn of_files(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(password) = &settings.password {
        findings.extend(files::secret("[share]", "password", password, false, ALONE));
    }
    findings.extend(match Key::read(&settings.key) {
        Ok(_) => files::place_of("[share]: key", &settings.key),
        Err(error) => {
            let remedy =
                "copy the key file of the other replicas; for the first one: openssl rand -base64 32";
            vec![Finding::error("[share]: key", error.to_string(), ALONE, remedy)]
        }
    });
    findings.extend(files::ca_file("[share]", settings.ca_file.as_deref(), ALONE));
    if let Some((certificate, key)) = &settings.client {
        let place = "[share]: client_certificate";
        let found = || Finding::ok(place, format!("in {}", certificate.display()));
        findings.push(readable(place, certificate).err().unwrap_or_else(found));
        let place = "[share]: client_key";
        match readable(place, key) {
            Ok(()) => findings.extend(files::place_of(place, &Secret::File(key.clone()))),
            Err(error) => findings.push(error),
        }
    }
    findings
}

fn readable(place: &str, path: &Path) -> Result<(), Finding> {
    let read = std::fs::read(path).map(drop);
    read.map_err(|error| {
        let what = format!("can't read {}: {error}", path.display());
        Finding::error(place, what, ALONE, "let the service's user read it")
    })
}

/// Asks the server and the sentinels.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let Some(settings) = &config.share else { return Vec::new() };
    let connector = Connector::new(settings.clone());
    let of_server = async {
        let place = place(settings);
        let mut findings = Vec::new();
        let asked = timeout(LIMIT, ask(&connector, settings, config, &place, &mut findings)).await;
        match asked.unwrap_or_else(|_| Err(ServerError::silent())) {
            // Files are reported with the files.
            Ok(()) | Err(ServerError::Secret(_) | ServerError::Key(_) | ServerError::File(_)) => {}
            Err(error) => {
                findings.push(Finding::error(place, error.to_string(), ALONE, error.remedy()));
            }
        }
        findings
    };
    let (mut findings, of_server) = tokio::join!(of_sentinels(&connector, settings), of_server);
    findings.extend(of_server);
    findings
}

fn place(settings: &Settings) -> String {
    match &settings.servers {
        Servers::One(url) => format!("[share] {url}"),
        Servers::Sentinels { master, .. } => format!("[share] {master}"),
    }
}

/// Whether each sentinel can be asked, and knows the server; and whether they agree.
async fn of_sentinels(connector: &Connector, settings: &Settings) -> Vec<Finding> {
    const FEWER: &str = "there is one less to name the new server after a failover";
    let Servers::Sentinels { sentinels, master } = &settings.servers else { return Vec::new() };
    let asked = sentinels.iter().map(|sentinel| timeout(LIMIT, connector.ask_sentinel(sentinel, master)));
    let answers = join_all(asked).await;
    let mut findings = Vec::new();
    let mut named: Option<String> = None;
    for (sentinel, answer) in sentinels.iter().zip(answers) {
        let place = format!("[share] sentinel {sentinel}");
        findings.push(match answer.unwrap_or_else(|_| Err(ServerError::silent())) {
            Ok(Some(server)) => {
                let other = named.get_or_insert_with(|| server.clone());
                if *other == server {
                    Finding::ok(place, format!("it knows {master}, at {server}"))
                } else {
                    let what = format!("it has {master} at {server}, and another sentinel at {other}");
                    let meaning =
                        "during a failover nothing; else this service may find a server that takes no writes";
                    Finding::warning(place, what, meaning, "check again in a minute; SENTINEL RESET there")
                }
            }
            Ok(None) => Finding::warning(
                place,
                format!("it knows no server by the name {master}"),
                FEWER,
                "mend `master` in [share], or `sentinel monitor` in its configuration",
            ),
            // Reported with the files.
            Err(ServerError::File(_)) => continue,
            Err(error) => Finding::warning(place, error.to_string(), FEWER, error.remedy()),
        });
    }
    findings
}

/// Asks the server. The findings up to an error stay.
async fn ask(
    connector: &Connector,
    settings: &Settings,
    config: &Config,
    place: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), ServerError> {
    let key = Key::read(&settings.key)?;
    let mut server = connector.connect().await?;
    let has_sentinels = matches!(settings.servers, Servers::Sentinels { .. });
    let forbidden = server.try_commands(has_sentinels).await?;
    if !forbidden.is_empty() {
        findings.push(of_rights(place, settings, &forbidden));
        return Ok(());
    }
    let info = server.info().await?;
    let user = settings.username.as_deref().unwrap_or("default");
    findings
        .push(Finding::ok(place, format!("{} answers, and {user} may do what is needed", product(&info))));
    if server.key_id().await?.is_some_and(|there| there != key.id()) {
        return Err(ServerError::OtherKey);
    }
    let stored = of_lists(&mut server, &key, settings, config, findings).await?;
    let holder = server.holder().await?;
    findings.push(match holder {
        Some((_, holder)) => {
            Finding::ok(place, format!("{holder} asks SuperOffice for the site {}", settings.site))
        }
        None => Finding::ok(place, format!("nobody asks SuperOffice for the site {} yet", settings.site)),
    });
    findings.push(of_versions(place, &server.living(&key, &settings.site).await?));
    findings.push(of_policy(place, &info));
    findings.push(of_room(place, &info, stored));
    findings.extend(of_copies(place, &info, has_sentinels));
    findings.extend(of_clock(place, &info));
    Ok(())
}

/// `Redis 7.0.15`
fn product(info: &Info) -> String {
    match (info.text("valkey_version"), info.text("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "it".to_owned(),
    }
}

fn of_rights(place: &str, settings: &Settings, forbidden: &Forbidden) -> Finding {
    let user = settings.username.as_deref().unwrap_or("default");
    let keys = Keys::of(&settings.site);
    let mut lacks = Vec::new();
    if !forbidden.commands.is_empty() {
        lacks.push(format!("it may not run {}", forbidden.commands.join(", ")));
    }
    if forbidden.keys {
        lacks.push(format!("it has no right to the keys {}*", keys.named("")));
    }
    let what = format!("the ACL of {user} is too narrow: {}", lacks.join("; "));
    let line = format!("ACL SETUSER {user} {}", keys.rights());
    Finding::error(place, what, ALONE, line)
}

/// Whether the replicas have these lists. Returns how many bytes of them are stored.
async fn of_lists(
    server: &mut Server,
    key: &Key,
    settings: &Settings,
    config: &Config,
    findings: &mut Vec<Finding>,
) -> Result<u64, ServerError> {
    let is_shared = |source: &&source::Settings| matches!(source.kind, Kind::SuperOffice(_));
    let lists = config.sources.iter().filter(is_shared).flat_map(|source| {
        source.lists().into_iter().map(|list| (list.name(&source.name), source.fingerprint(list)))
    });
    let lists: Vec<_> = lists.collect();
    let names: Vec<String> = lists.iter().map(|(name, _)| name.clone()).collect();
    let entries = server.entries(key, &settings.site, &names).await?;
    let mut stored = 0;
    for (name, fingerprint) in lists {
        let place = format!("[share] list {name}");
        let Some(entry) = entries.get(&name) else {
            findings.push(Finding::ok(place, "no replica has published it yet"));
            continue;
        };
        findings.push(of_list(&place, entry, fingerprint));
        if let Ok(manifest) = &entry.manifest {
            stored += server.stored(manifest).await?;
        }
    }
    Ok(stored)
}

fn of_list(place: &str, entry: &Entry, fingerprint: u64) -> Finding {
    match (entry.remark(fingerprint), &entry.manifest) {
        (None, Ok(manifest)) => {
            let (version, by) = (entry.version, &manifest.by);
            Finding::ok(place, format!("version {version} by {by}, entries: {}", manifest.entries))
        }
        (remark, _) => Finding::warning(
            place,
            remark.unwrap_or_default(),
            "this service asks SuperOffice for this list by itself",
            "give all replicas the same [[source]], `key` and nameplate, or this service a `site` of its own",
        ),
    }
}

/// Whether all replicas that live are of one version of nameplate.
fn of_versions(place: &str, living: &[Sign]) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let others = living.iter().filter(|sign| sign.nameplate != own);
    let others: Vec<_> = others.map(|sign| format!("{} has {}", sign.name, sign.nameplate)).collect();
    if others.is_empty() {
        return Finding::ok(place, format!("replicas: {}, all with nameplate {own}", living.len()));
    }
    Finding::warning(
        place,
        format!("replicas of other versions of nameplate, here it is {own}: {}", others.join(", ")),
        "lists are published as the oldest one reads them; one that can't read them asks SuperOffice by itself",
        "bring all replicas to one version",
    )
}

fn of_policy(place: &str, info: &Info) -> Finding {
    match info.text("maxmemory_policy") {
        Some("noeviction") => Finding::ok(place, "it throws nothing away (maxmemory-policy noeviction)"),
        Some(policy) => Finding::warning(
            place,
            format!("maxmemory-policy is {policy}"),
            "when its memory is full it throws lists away, which are then published again and again",
            "CONFIG SET maxmemory-policy noeviction, and CONFIG REWRITE, there",
        ),
        None => Finding::unknown(
            place,
            "INFO does not show its maxmemory-policy",
            "CONFIG GET maxmemory-policy there: it should be noeviction",
        ),
    }
}

/// `stored` are the bytes of the lists there.
fn of_room(place: &str, info: &Info, stored: u64) -> Finding {
    let megabytes = |bytes: u64| format!("{} MB", grouped(bytes.div_ceil(1 << 20)));
    let shown = format!("the lists there take {}", megabytes(stored));
    let (Some(used), Some(most)) = (info.number("used_memory"), info.number("maxmemory")) else {
        return Finding::unknown(
            place,
            format!("{shown}, and INFO does not show its memory"),
            "INFO memory there",
        );
    };
    if most == 0 {
        return Finding::ok(place, format!("{shown}, and maxmemory sets no limit"));
    }
    let (free, needed) = (most.saturating_sub(used), (stored * ROOM).max(LEAST_ROOM));
    if free >= needed {
        return Finding::ok(place, format!("{shown}, and {} are free", megabytes(free)));
    }
    Finding::warning(
        place,
        format!("{shown}, and only {} of {} are free", megabytes(free), megabytes(most)),
        "a new list may not fit beside the one in use, and does not reach the other replicas then",
        format!("CONFIG SET maxmemory {}mb, and CONFIG REWRITE, there", (used + needed).div_ceil(1 << 20)),
    )
}

/// Whether a server that has lost its copies goes on taking writes, which a failover then loses.
fn of_copies(place: &str, info: &Info, has_sentinels: bool) -> Option<Finding> {
    match (info.number("connected_slaves"), info.number("min_slaves_good_slaves")) {
        (Some(0) | None, _) if has_sentinels => Some(Finding::warning(
            place,
            "it has no copy now, and sentinels look after it",
            "without a copy there is no other server to go on with",
            "start its copies: `replicaof` in their configuration",
        )),
        (Some(0) | None, _) => None,
        (Some(copies), Some(good)) => Some(Finding::ok(
            place,
            format!(
                "of its copies {good} of {copies} follow, and it takes no writes without them (min-replicas-to-write)"
            ),
        )),
        (Some(copies), None) => Some(Finding::warning(
            place,
            format!("copies: {copies}, and min-replicas-to-write or min-replicas-max-lag is 0"),
            "cut off from its copies it goes on taking lists, which the failover then loses; they are published again",
            "CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10, and CONFIG REWRITE, on it and on its copies",
        )),
    }
}

fn of_clock(place: &str, info: &Info) -> Option<Finding> {
    let Some((theirs, ours)) = info.times() else {
        return Some(Finding::unknown(place, "INFO does not show its time", "date, there and here"));
    };
    let difference = clock::difference_of(theirs, ours)?;
    let meaning = "the times of lists are not to be compared between the machines";
    Some(Finding::warning(
        place,
        difference,
        meaning,
        "timedatectl set-ntp true, on the machine whose clock is wrong",
    ))
}
