//! What `nameplate check` asks of the server. It changes nothing but one key of its own, which lives for some seconds.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::error::ServerError;
use super::manifest::Manifest;
use super::server::Server;

/// How long the key lives on which commands are tried, if it can't be deleted.
const PROBE_LIFE: Duration = Duration::from_secs(10);

/// What the ACL forbids of what replicas need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forbidden {
    /// These commands.
    pub commands: Vec<&'static str>,
    /// The keys of the site.
    pub keys: bool,
}

impl Forbidden {
    /// Whether nothing is forbidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the server says of itself: its answer to `INFO`.
#[derive(Clone, Debug, Default)]
pub struct Info {
    lines: HashMap<String, String>,
    /// This machine's time, half way between the request and the answer.
    asked: Option<Timestamp>,
}

impl Info {
    fn read(text: &str, asked: Timestamp) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let lines = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Self { lines, asked: Some(asked) }
    }

    /// A line of it.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.lines.get(name).map(String::as_str)
    }

    /// A line of it that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The server's time and this machine's at one moment.
    #[must_use]
    pub fn times(&self) -> Option<(Timestamp, Timestamp)> {
        let theirs = i64::try_from(self.number("server_time_usec")?).ok()?;
        Some((Timestamp::from_microsecond(theirs).ok()?, self.asked?))
    }
}

impl Server {
    /// Tries each command that replicas need. `with_role` is for servers behind sentinels.
    ///
    /// # Errors
    /// If the server takes no writes, or fails.
    pub async fn try_commands(&mut self, with_role: bool) -> Result<Forbidden, ServerError> {
        let key = self.keys.named(&format!("check:{:016x}", fastrand::u64(..)));
        let key = key.as_str();
        let life = PROBE_LIFE.as_millis().to_string();
        // The key holds a text: what is meant for hashes and streams is refused behind the ACL, and writes nothing.
        let commands: [(&'static str, &[&str]); 20] = [
            ("SET", &[key, "1", "PX", &life]),
            ("GET", &[key]),
            ("MGET", &[key]),
            ("PTTL", &[key]),
            ("PEXPIRE", &[key, &life]),
            ("STRLEN", &[key]),
            ("HSET", &[key, "check", "1"]),
            ("HGET", &[key, "check"]),
            ("HMGET", &[key, "check"]),
            ("HGETALL", &[key]),
            ("HDEL", &[key, "check"]),
            ("XADD", &[key, "*", "check", "1"]),
            ("XREVRANGE", &[key, "+", "-"]),
            ("XREAD", &["STREAMS", key, "0-0"]),
            ("SCRIPT", &["LOAD", "return 0"]),
            ("EVALSHA", &["0000000000000000000000000000000000000000", "1", key]),
            ("DEL", &[key]),
            ("INFO", &["server"]),
            ("TIME", &[]),
            ("ROLE", &[]),
        ];
        let mut forbidden = Forbidden::default();
        for (name, arguments) in commands {
            if name == "ROLE" && !with_role {
                continue;
            }
            let mut command = redis::cmd(name);
            let tried = command.arg(arguments).exec_async(&mut self.connection).await;
            match tried {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                    if error.detail().is_some_and(|detail| detail.contains("access")) {
                        forbidden.keys = true;
                    } else {
                        forbidden.commands.push(name);
                    }
                }
                Err(error) if is_answer(&error) => {}
                tried => tried?,
            }
        }
        Ok(forbidden)
    }

    /// What the server says of itself.
    pub async fn info(&mut self) -> Result<Info, ServerError> {
        let begun = Timestamp::now();
        let text: String = redis::cmd("INFO").query_async(&mut self.connection).await?;
        let took = Timestamp::now().duration_since(begun);
        Ok(Info::read(&text, begun.checked_add(took / 2).unwrap_or(begun)))
    }

    /// The id of the key that the replicas have; none if none of them has the lease.
    pub async fn key_id(&mut self) -> Result<Option<String>, ServerError> {
        let mut get = redis::cmd("GET");
        Ok(get.arg(self.keys.named("key")).query_async(&mut self.connection).await?)
    }

    /// How many bytes of a list are stored.
    pub async fn stored(&mut self, manifest: &Manifest) -> Result<u64, ServerError> {
        let mut ask = redis::pipe();
        for chunk in &manifest.chunks {
            ask.cmd("STRLEN").arg(self.keys.chunk(chunk));
        }
        let lengths: Vec<u64> = ask.query_async(&mut self.connection).await?;
        Ok(lengths.iter().sum())
    }
}

/// Whether a command was refused for its key's type or its script, which is behind the ACL.
fn is_answer(error: &RedisError) -> bool {
    matches!(error.code(), Some("WRONGTYPE" | "NOSCRIPT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_info_is_read_by_lines() {
        let asked: Timestamp = "2026-07-31T12:00:00Z".parse().unwrap();
        let text = "# Server\r\nredis_version:7.0.15\r\nserver_time_usec:1785499200000000\r\n\r\n# Memory\r\nmaxmemory:1024\r\n";
        let info = Info::read(text, asked);
        assert_eq!((info.text("redis_version"), info.number("maxmemory")), (Some("7.0.15"), Some(1024)));
        assert_eq!(info.times(), Some((asked, asked)));
        assert_eq!((info.number("redis_version"), Info::default().times()), (None, None));
    }
}
