//! The version of a shared list, and the order of versions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a replica: random at each start of the service, so that two services never have the same one, also if a machine was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(pub u64);

impl ReplicaId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u64(1..))
    }

    /// The id in the form in which the server has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// The place of this replica in an interval, from 0 to 1: replicas that ask by themselves do not ask all at once.
    #[must_use]
    pub fn place(self) -> f64 {
        f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

/// 16 hexadecimal digits: texts have the order of the numbers.
impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The highest epoch that is believed: the server's scripts count in numbers that are exact up to here. The server has epochs in plain, so
/// whoever can write there could end the counting.
pub const LAST_EPOCH: u64 = 1 << 53;

/// The version of a list. The order is that of the fields. After a failover of the server two holders may have one epoch, so
/// the id decides between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The epoch of the lease in which it was published.
    pub epoch: u64,
    /// Its holder.
    pub holder: ReplicaId,
    /// Counts what this holder has published.
    pub sequence: u64,
}

/// `7.2`: epoch and sequence, for people.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_then_holder_then_sequence_decide() {
        let version = |epoch, holder, sequence| Version { epoch, holder: ReplicaId(holder), sequence };
        let sorted = [
            version(1, 9, 9),
            version(2, 1, 1),
            version(2, 1, 2),
            // The same epoch twice: equal only if it is one holder's.
            version(2, 2, 1),
            version(3, 1, 1),
        ];
        assert!(sorted.is_sorted_by(|one, other| one < other));
        assert_eq!(version(12, 3, 4).to_string(), "12.4");
    }

    #[test]
    fn an_id_is_the_same_in_the_server_and_texts_have_its_order() {
        for id in [1, 0xff, u64::MAX] {
            let text = ReplicaId(id).to_string();
            assert_eq!((text.len(), ReplicaId::parse(&text)), (16, Some(ReplicaId(id))));
        }
        assert!(ReplicaId(0xf).to_string() < ReplicaId(0x10).to_string());
        assert_eq!((ReplicaId::parse("ff"), ReplicaId::parse("")), (None, None));
        assert!((0.0..=1.0).contains(&ReplicaId::random().place()) && ReplicaId(u64::MAX).place() > 0.99);
    }
}
