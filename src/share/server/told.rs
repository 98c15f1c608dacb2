//! What the replicas tell each other beside their lists: what is held back, whether a person takes it, forgotten numbers, signs of life.

use std::time::Duration;

use tokio::time::Instant;

use super::{Server, ServerError, millis};
use crate::share::held::Accepted;
use crate::share::life::{LIFE, MOST_REMEMBERED, REMEMBERED, Seen, Sign, Signs};
use crate::share::scripts;
use crate::share::seal::Key;
use crate::share::version::ReplicaId;

/// A stored sign: its age in milliseconds, the replica's id, and the sealed sign.
type StoredSign = (i64, String, Vec<u8>);

/// The fields of a hash.
type Fields = Vec<(String, Vec<u8>)>;

impl Server {
    /// Says what the holder of this epoch holds back, by a sealed description; none if it holds nothing back. Whether this replica has
    /// the lease.
    pub async fn hold_back(
        &mut self,
        list: &str,
        (epoch, id): (u64, ReplicaId),
        sealed: Option<&[u8]>,
    ) -> Result<bool, ServerError> {
        let mut script = self.scripts.hold_back.key(self.keys.named("lease"));
        script.key(self.keys.list(list)).key(self.keys.named("events"));
        script.arg(epoch).arg(id.to_string()).arg(sealed.unwrap_or_default()).arg(list);
        match script.invoke_async(&mut self.connection).await? {
            scripts::HELD => Ok(true),
            scripts::NOT_HOLDER => Ok(false),
            other => Err(ServerError::Strange(other.to_string())),
        }
    }

    /// Asks the holder to accept the list with this id that it holds back. `request` identifies the answer.
    pub async fn accept(&mut self, list: &str, id: u64, request: u64) -> Result<(), ServerError> {
        let (id, request) = (id.to_string(), request.to_string());
        self.event(&["accept", list, "id", &id, "request", &request]).await
    }

    /// The holder's answer to a request.
    pub async fn answer(&mut self, request: u64, answer: Accepted) -> Result<(), ServerError> {
        self.event(&["answer", &request.to_string(), "is", answer.word()]).await
    }

    /// Adds an event with these fields.
    pub(super) async fn event(&mut self, fields: &[&str]) -> Result<(), ServerError> {
        let mut add = redis::cmd("XADD");
        add.arg(self.keys.named("events")).arg("MAXLEN").arg("~").arg(1000).arg("*").arg(fields);
        add.exec_async(&mut self.connection).await?;
        Ok(())
    }

    /// The sealed decisions about numbers that must not be named.
    pub async fn forgotten(&mut self) -> Result<Option<Vec<u8>>, ServerError> {
        let mut get = redis::cmd("GET");
        Ok(get.arg(self.keys.named("forgotten")).query_async(&mut self.connection).await?)
    }

    /// Replaces them, if they are still `old`. Whether they were.
    pub async fn replace_forgotten(&mut self, old: Option<&[u8]>, new: &[u8]) -> Result<bool, ServerError> {
        let mut script = self.scripts.replace_forgotten.key(self.keys.named("forgotten"));
        script.key(self.keys.named("events"));
        script.arg(old.unwrap_or_default()).arg(new);
        let replaced: i64 = script.invoke_async(&mut self.connection).await?;
        Ok(replaced == 1)
    }

    /// Shows this replica's sign, takes that of `before` away, which has ended, and reads all. A sign that can't be opened does not
    /// count.
    pub async fn live(
        &mut self,
        (key, site): (&Key, &str),
        id: ReplicaId,
        sign: &Sign,
        before: Option<ReplicaId>,
    ) -> Result<Signs, ServerError> {
        let sealed =
            sign.seal(key, site, id).map_err(|_| ServerError::List("it can't be sealed".to_owned()))?;
        let mut script = self.scripts.live.key(self.keys.named("replicas"));
        script.arg(id.to_string()).arg(sealed);
        script.arg(before.map_or_else(String::new, |before| before.to_string()));
        script.arg(millis(LIFE)).arg(millis(REMEMBERED)).arg(MOST_REMEMBERED);
        let at = Instant::now();
        let stored: Vec<StoredSign> = script.invoke_async(&mut self.connection).await?;
        Ok(Signs::new(at, stored.into_iter().filter_map(|stored| open((key, site), stored)).collect()))
    }

    /// The last signs of all replicas, for `nameplate check`. Writes nothing.
    pub async fn signs(&mut self, key: &Key, site: &str) -> Result<Signs, ServerError> {
        let at = Instant::now();
        let mut ask = redis::pipe();
        ask.cmd("TIME").cmd("HGETALL").arg(self.keys.named("replicas"));
        let (time, stored): ((i64, i64), Fields) = ask.query_async(&mut self.connection).await?;
        let (seconds, micros) = time;
        let now = seconds * 1_000 + micros / 1_000;
        let seen = stored.into_iter().filter_map(|(id, stored)| {
            let blank = stored.iter().position(|byte| *byte == b' ')?;
            let time: i64 = std::str::from_utf8(&stored[..blank]).ok()?.parse().ok()?;
            open((key, site), (now - time, id, stored[blank + 1..].to_vec()))
        });
        Ok(Signs::new(at, seen.collect()))
    }
}

/// A sign; none if it can't be opened.
fn open((key, site): (&Key, &str), (age, id, sealed): StoredSign) -> Option<Seen> {
    let id = ReplicaId::parse(&id)?;
    let sign = Sign::open(key, site, id, sealed).ok()?;
    Some(Seen { id, age: Duration::from_millis(u64::try_from(age).unwrap_or(0)), sign })
}
