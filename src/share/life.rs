//! The replicas' signs of life: what each one says of itself every 10 s, and when it has last done so, by the clock of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::format::{FORMATS, to_write};
use super::seal::{Key, Unopened};
use super::version::{ReplicaId, Version};

/// The interval of signs.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// A replica without a sign for so long is not living.
pub const LIFE: Duration = Duration::from_mins(1);
/// How long the last sign of a replica that is not living is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// How many of these are remembered at most: a service that fails at each start is another replica each time.
pub const MOST_REMEMBERED: usize = 100;

/// What a replica says of itself. A replica of another version may say less, or more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sign {
    /// The name of its machine.
    pub name: String,
    /// Its version of nameplate.
    pub nameplate: String,
    /// The formats that it reads.
    pub formats: Vec<u32>,
    /// The version of each list that it serves.
    pub lists: BTreeMap<String, Version>,
}

impl Sign {
    /// The sign as it is stored, in every format.
    pub fn seal(&self, key: &Key, site: &str, id: ReplicaId) -> Result<Vec<u8>, Unopened> {
        let bytes = serde_json::to_vec(self).map_err(|_| Unopened)?;
        key.seal(&place(site, id), bytes)
    }

    /// Opens the sign of this replica.
    pub fn open(key: &Key, site: &str, id: ReplicaId, sealed: Vec<u8>) -> Result<Self, Unopened> {
        serde_json::from_slice(&key.open(&place(site, id), sealed)?).map_err(|_| Unopened)
    }
}

fn place(site: &str, id: ReplicaId) -> String {
    format!("nameplate/{site}/replica {id}")
}

/// The last sign of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The replica.
    pub id: ReplicaId,
    /// How old it was when the signs were read.
    pub age: Duration,
    /// The sign.
    pub sign: Sign,
}

/// The last signs of all replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signs {
    /// When they were read.
    at: Instant,
    seen: Vec<Seen>,
}

/// A replica, for `nameplate sources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The name of its machine.
    pub name: String,
    /// Whether it is the one that was asked.
    pub is_this: bool,
    /// Whether it has the lease.
    pub is_holder: bool,
    /// Whether it counts as living.
    pub is_living: bool,
    /// The time since its last sign, in seconds.
    pub seconds: u64,
    /// Its version of nameplate.
    pub nameplate: String,
    /// The formats that it reads.
    pub formats: Vec<u32>,
    /// Whether it reads what this replica writes.
    pub reads: bool,
    /// The version of each list that it serves, for people.
    pub lists: BTreeMap<String, String>,
}

impl Signs {
    /// The signs as they were read at `at`.
    #[must_use]
    pub fn new(at: Instant, mut seen: Vec<Seen>) -> Self {
        seen.sort_by(|one, other| (&one.sign.name, one.id).cmp(&(&other.sign.name, other.id)));
        Self { at, seen }
    }

    fn age(&self, seen: &Seen, now: Instant) -> Duration {
        seen.age + now.saturating_duration_since(self.at)
    }

    /// The format to write at `now`.
    #[must_use]
    pub fn format(&self, now: Instant) -> u32 {
        let living = self.seen.iter().filter(|seen| self.age(seen, now) <= LIFE);
        to_write(&FORMATS, living.filter_map(|seen| seen.sign.formats.iter().max().copied()))
    }

    /// All replicas, by name. `this` is the one that is asked, `holder` the one with the lease.
    #[must_use]
    pub fn status(&self, this: ReplicaId, holder: Option<ReplicaId>, now: Instant) -> Vec<ReplicaStatus> {
        let written = self.format(now);
        let status = |seen: &Seen| {
            let Sign { name, nameplate, formats, lists } = seen.sign.clone();
            let age = self.age(seen, now);
            ReplicaStatus {
                name,
                is_this: seen.id == this,
                is_holder: Some(seen.id) == holder,
                is_living: age <= LIFE,
                seconds: age.as_secs(),
                nameplate,
                reads: formats.contains(&written),
                formats,
                lists: lists.into_iter().map(|(list, version)| (list, version.to_string())).collect(),
            }
        };
        self.seen.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(id: u64, seconds: u64, formats: &[u32]) -> Seen {
        let sign = Sign { name: format!("pbx{id}"), formats: formats.to_vec(), ..Sign::default() };
        Seen { id: ReplicaId(id), age: Duration::from_secs(seconds), sign }
    }

    #[test]
    fn who_is_silent_for_a_minute_is_not_living_and_is_shown() {
        let at = Instant::now();
        let signs = Signs::new(at, vec![seen(2, 55, &[1]), seen(1, 3, &[1])]);
        let shown = |now| {
            let shown = signs.status(ReplicaId(1), Some(ReplicaId(2)), now);
            shown.into_iter().map(|one| (one.name, one.is_this, one.is_holder, one.is_living, one.seconds))
        };
        let expected =
            [("pbx1".to_owned(), true, false, true, 3), ("pbx2".to_owned(), false, true, true, 55)];
        assert!(shown(at).eq(expected));
        let later = [("pbx1".to_owned(), true, false, true, 9), ("pbx2".to_owned(), false, true, false, 61)];
        assert!(shown(at + 6 * SECOND).eq(later));
    }

    #[test]
    fn a_replica_of_another_version_is_told_from_those_that_read_the_lists() {
        let at = Instant::now();
        // Made up: a version that no longer reads format 1, and one that names no format.
        let signs = Signs::new(at, vec![seen(1, 0, &[1]), seen(2, 0, &[2, 3]), seen(3, 0, &[])]);
        assert_eq!(signs.format(at), 1);
        let reads: Vec<bool> = signs.status(ReplicaId(1), None, at).iter().map(|one| one.reads).collect();
        assert_eq!(reads, [true, false, false]);
    }

    #[test]
    fn a_sign_is_opened_as_that_of_its_replica_only_and_may_say_more() {
        let key = Key::read(&crate::secret::Secret::Given("07".repeat(32).into())).unwrap();
        let sign = seen(1, 0, &[1]).sign;
        let sealed = sign.seal(&key, "oslo", ReplicaId(1)).unwrap();
        assert_eq!(Sign::open(&key, "oslo", ReplicaId(1), sealed.clone()), Ok(sign));
        assert_eq!(Sign::open(&key, "oslo", ReplicaId(2), sealed.clone()), Err(Unopened));
        assert_eq!(Sign::open(&key, "bergen", ReplicaId(1), sealed), Err(Unopened));
        let later = key.seal(&place("oslo", ReplicaId(1)), br#"{"name":"pbx1","more":[1]}"#.to_vec());
        assert_eq!(Sign::open(&key, "oslo", ReplicaId(1), later.unwrap()).unwrap().name, "pbx1");
    }
}
