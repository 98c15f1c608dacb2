//! The server: a Valkey or a Redis. Each of its operations is one request, with a time limit.

mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::connector;
use super::error::ServerError;
use super::format::FORMATS;
use super::held::{Accepted, HeldBack};
use super::lease::{Answer, LIFE};
use super::manifest::{Entry, Manifest, Unusable};
use super::scripts::{self, Keys, Scripts};
use super::seal::Key;
use super::slot::Kept;
use super::version::{LAST_EPOCH, ReplicaId, Version};

/// How long the server waits for an event before it answers without one.
pub(super) const BLOCK: Duration = Duration::from_secs(5);
/// How long a chunk lives after its last renewal.
const CHUNK_LIFE: Duration = Duration::from_mins(20);
/// How long it lives after another version has replaced its own: replicas may still read it.
const REPLACED_LIFE: Duration = Duration::from_mins(2);

/// A connection to the server. A clone is the same connection.
#[derive(Clone)]
pub struct Server {
    /// Makes further connections to the same server.
    client: redis::Client,
    pub(super) connection: MultiplexedConnection,
    pub(super) keys: Keys,
    scripts: std::sync::Arc<Scripts>,
}

/// The answer to a list's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// The list has the new version.
    Done,
    /// This replica does not have the lease, or the list has a later version.
    Refused,
}

/// Something that has happened to a list, or a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The list has a new version, or SuperOffice has confirmed the list.
    Changed,
    /// A replica wants the holder to ask the CRM for the list with this name.
    Wanted(String),
    /// A replica has searched for a stranger: the name of the result.
    Searched(String),
    /// A replica wants the holder to accept a list that it holds back.
    Accept {
        /// The list's name.
        list: String,
        /// The id of the list that is held back.
        id: u64,
        /// Identifies the answer.
        request: u64,
    },
    /// The holder's answer to a request.
    Answer(u64, Accepted),
    /// Numbers were forgotten, or may be named again.
    Forgotten,
}

/// A stream with its events: the id of each, and its fields.
type Stream = (String, Vec<(String, Vec<String>)>);

/// Epoch, holder and sequence; manifest, format, time of the last confirmation; what is held back.
type ListFields =
    (Option<u64>, Option<String>, Option<u64>, Option<Vec<u8>>, Option<u32>, Option<u64>, Option<Vec<u8>>);

impl Server {
    pub(super) fn new(client: redis::Client, connection: MultiplexedConnection, site: &str) -> Self {
        Self { client, connection, keys: Keys::of(site), scripts: std::sync::Arc::default() }
    }

    /// A further connection to the same server, for chunks: while a failover goes on, a sentinel may already name another one.
    pub async fn for_chunks(&self) -> Result<Self, ServerError> {
        Ok(Self { connection: connector::for_chunks(&self.client).await?, ..self.clone() })
    }

    /// The same for [`Self::next_events`].
    pub async fn for_events(&self) -> Result<Self, ServerError> {
        Ok(Self { connection: connector::for_events(&self.client).await?, ..self.clone() })
    }

    /// Takes or renews the lease. `by` is this replica's name.
    pub async fn hold(
        &mut self,
        id: ReplicaId,
        highest: u64,
        key: &Key,
        by: &str,
    ) -> Result<Answer, ServerError> {
        let [lease, epoch, key_id] = ["lease", "epoch", "key"].map(|name| self.keys.named(name));
        let life = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        let mut script = self.scripts.hold.key(lease);
        script.key(epoch).key(key_id);
        script.arg(id.to_string()).arg(life).arg(highest).arg(key.id()).arg(by);
        let (code, epoch, left): (i64, u64, i64) = script.invoke_async(&mut self.connection).await?;
        believed(epoch)?;
        match code {
            scripts::HELD => Ok(Answer::Held { epoch }),
            scripts::OTHERS => {
                Ok(Answer::Others { epoch, left: Duration::from_millis(u64::try_from(left).unwrap_or(0)) })
            }
            scripts::OTHER_KEY => Ok(Answer::OtherKey),
            other => Err(ServerError::Strange(other.to_string())),
        }
    }

    /// Gives the lease back, if this replica has it.
    pub async fn release(&mut self, id: ReplicaId) -> Result<(), ServerError> {
        let mut script = self.scripts.release.key(self.keys.named("lease"));
        script.arg(id.to_string());
        let _: i64 = script.invoke_async(&mut self.connection).await?;
        Ok(())
    }

    /// The replica that has the lease, and the name of its machine.
    pub async fn holder(&mut self) -> Result<Option<(ReplicaId, String)>, ServerError> {
        let mut get = redis::cmd("HMGET");
        get.arg(self.keys.named("lease")).arg(&["id", "by"]);
        let (id, by): (Option<String>, Option<String>) = get.query_async(&mut self.connection).await?;
        Ok(id.and_then(|id| ReplicaId::parse(&id)).zip(by))
    }

    /// What the server has of these lists.
    pub async fn entries(
        &mut self,
        key: &Key,
        site: &str,
        lists: &[String],
    ) -> Result<BTreeMap<String, Entry>, ServerError> {
        let mut entries = BTreeMap::new();
        for list in lists {
            let mut get = redis::cmd("HMGET");
            get.arg(self.keys.list(list));
            get.arg(&["epoch", "holder", "sequence", "manifest", "format", "checked", "held"]);
            let fields: ListFields = get.query_async(&mut self.connection).await?;
            let (Some(epoch), Some(holder), Some(sequence), Some(manifest), Some(format), checked, held) =
                fields
            else {
                continue;
            };
            let Some(holder) = ReplicaId::parse(&holder) else { continue };
            let version = Version { epoch: believed(epoch)?, holder, sequence };
            let manifest = if FORMATS.contains(&format) {
                Manifest::open(key, site, list, version, manifest).map(std::sync::Arc::new)
            } else {
                Err(Unusable::Format(format))
            };
            let held = held.and_then(|sealed| HeldBack::open(key, site, list, sealed).ok());
            let checked = checked.unwrap_or(0);
            entries.insert(list.clone(), Entry { version, checked, manifest, held });
        }
        Ok(entries)
    }

    /// Stores a chunk.
    pub async fn put_chunk(&mut self, name: &str, bytes: &[u8]) -> Result<(), ServerError> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys.chunk(name)).arg(bytes).arg("PX").arg(millis(CHUNK_LIFE));
        set.exec_async(&mut self.connection).await?;
        Ok(())
    }

    /// A chunk.
    ///
    /// # Errors
    /// Also if it is missing.
    pub async fn chunk(&mut self, name: &str) -> Result<Vec<u8>, ServerError> {
        let mut get = redis::cmd("GET");
        let chunk: Option<Vec<u8>> = get.arg(self.keys.chunk(name)).query_async(&mut self.connection).await?;
        chunk.ok_or(ServerError::NoChunk)
    }

    /// Removes a damaged chunk, so that the holder sees that it is missing.
    pub async fn remove_chunk(&mut self, name: &str) -> Result<(), ServerError> {
        redis::cmd("DEL").arg(self.keys.chunk(name)).exec_async(&mut self.connection).await?;
        Ok(())
    }

    /// Removes chunks that nobody reads, and has those go soon that only a replica may still read that has begun.
    pub async fn clear(&mut self, unread: &[String], replaced: &[String]) -> Result<(), ServerError> {
        let mut clear = redis::pipe();
        for chunk in unread {
            clear.cmd("DEL").arg(self.keys.chunk(chunk)).ignore();
        }
        for chunk in replaced {
            clear.cmd("PEXPIRE").arg(self.keys.chunk(chunk)).arg(millis(REPLACED_LIFE)).arg("LT").ignore();
        }
        if !unread.is_empty() || !replaced.is_empty() {
            clear.exec_async(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Switches a list to the version of a sealed manifest of this format.
    pub async fn switch(
        &mut self,
        list: &str,
        version: Version,
        manifest: &[u8],
        format: u32,
        checked: u64,
    ) -> Result<Switched, ServerError> {
        let mut script = self.scripts.switch.key(self.keys.named("lease"));
        script.key(self.keys.list(list)).key(self.keys.named("events"));
        script.arg(version.epoch).arg(version.holder.to_string()).arg(version.sequence);
        script.arg(manifest).arg(format).arg(checked).arg(list);
        match script.invoke_async(&mut self.connection).await? {
            scripts::HELD => Ok(Switched::Done),
            scripts::NOT_HOLDER | scripts::OLDER => Ok(Switched::Refused),
            other => Err(ServerError::Strange(other.to_string())),
        }
    }

    /// Renews the life of a list's chunks, and says with `checked` when the CRM has confirmed it.
    pub async fn keep(
        &mut self,
        list: &str,
        manifest: &Manifest,
        checked: Option<u64>,
    ) -> Result<Kept, ServerError> {
        let mut script = self.scripts.keep.key(self.keys.list(list));
        script.key(self.keys.named("events"));
        for chunk in &manifest.chunks {
            script.key(self.keys.chunk(chunk));
        }
        let Version { epoch, holder, sequence } = manifest.version;
        script.arg(epoch).arg(holder.to_string()).arg(sequence).arg(millis(CHUNK_LIFE));
        script.arg(checked.map_or_else(String::new, |checked| checked.to_string())).arg(list);
        let missing: i64 = script.invoke_async(&mut self.connection).await?;
        Ok(match missing {
            0 => Kept::Whole,
            1.. => Kept::Missing,
            _ => Kept::Other,
        })
    }

    /// Asks the holder to ask the CRM for a list.
    pub async fn want(&mut self, list: &str) -> Result<(), ServerError> {
        self.event(&["wanted", list]).await
    }

    /// The id of the last event, from which [`Self::next_events`] begins.
    pub async fn last_event(&mut self) -> Result<String, ServerError> {
        let mut last = redis::cmd("XREVRANGE");
        last.arg(self.keys.named("events")).arg("+").arg("-").arg("COUNT").arg(1);
        let events: Vec<(String, Vec<String>)> = last.query_async(&mut self.connection).await?;
        Ok(events.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
    }

    /// Waits for events after the one with the id `last`, which becomes that of the last one. Returns without any after some seconds.
    pub async fn next_events(&mut self, last: &mut String) -> Result<Vec<Event>, ServerError> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(100).arg("BLOCK").arg(millis(BLOCK));
        read.arg("STREAMS").arg(self.keys.named("events")).arg(&*last);
        let streams: Option<Vec<Stream>> = read.query_async(&mut self.connection).await?;
        let mut events = Vec::new();
        for (id, fields) in streams.into_iter().flatten().flat_map(|(_, events)| events) {
            *last = id;
            events.push(event(&fields));
        }
        Ok(events)
    }
}

/// An epoch as replicas count them, and remember it.
fn believed(epoch: u64) -> Result<u64, ServerError> {
    if epoch > LAST_EPOCH {
        let text =
            format!("the epoch {epoch}, to which no replica has counted: delete the keys of the site there");
        return Err(ServerError::Strange(text));
    }
    Ok(epoch)
}

/// What an event's fields say. What is not understood may have changed a list.
fn event(fields: &[String]) -> Event {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let event = match fields.as_slice() {
        ["wanted", list] => Some(Event::Wanted((*list).to_owned())),
        ["accept", list, "id", id, "request", request] => accept(list, id, request),
        ["answer", request, "is", answer] => request
            .parse()
            .ok()
            .zip(Accepted::read(answer))
            .map(|(request, answer)| Event::Answer(request, answer)),
        ["forgotten", ..] => Some(Event::Forgotten),
        ["searched", name] => Some(Event::Searched((*name).to_owned())),
        _ => None,
    };
    event.unwrap_or(Event::Changed)
}

fn accept(list: &str, id: &str, request: &str) -> Option<Event> {
    Some(Event::Accept { list: list.to_owned(), id: id.parse().ok()?, request: request.parse().ok()? })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
