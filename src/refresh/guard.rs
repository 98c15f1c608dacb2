//! The guard against mass loss: a list that has shrunk suddenly is more often a CRM in trouble than an
//! organisation that lost its customers.

/// Consecutive full answers with one hash after which a list that is less than half as large is taken.
const CONVINCING: u32 = 3;

/// Watches the size of one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    held: Option<Held>,
}

/// A list that is held back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// How many entries it has.
    pub count: usize,
    /// How often in a row it came.
    pub times: u32,
    #[serde(skip)]
    hash: String,
}

/// What to do with a list that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it.
    Take,
    /// It is empty: it is taken only when somebody says so.
    HoldEmpty,
    /// It has shrunk to less than half, and has no hash by which it could be known again: as an empty one.
    HoldNameless,
    /// It has shrunk to less than half: it is taken when it has come often enough.
    HoldShrunk {
        /// How many times more it has to come.
        more: u32,
    },
}

impl Guard {
    /// Judges a list of `count` entries that a full question brought, where `known` are in use.
    pub fn judge(&mut self, known: usize, count: usize, hash: &str) -> Verdict {
        if known == 0 || count >= known.div_ceil(2) {
            self.held = None;
            return Verdict::Take;
        }
        let times = match &self.held {
            // Two sets without a mark are not known to be the same.
            Some(held) if !hash.is_empty() && held.hash == hash && held.count == count => held.times + 1,
            _ => 1,
        };
        self.held = Some(Held { count, times, hash: hash.to_owned() });
        if count == 0 {
            Verdict::HoldEmpty
        } else if hash.is_empty() {
            Verdict::HoldNameless
        } else if times >= CONVINCING {
            self.held = None;
            Verdict::Take
        } else {
            Verdict::HoldShrunk { more: CONVINCING - times }
        }
    }

    /// The list that is held back. While there is one, only full questions tell whether it comes again.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Another answer than a shrunken list has come: what was held came not in a row.
    pub fn release(&mut self) {
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_taken_and_less_only_the_third_time() {
        let mut guard = Guard::default();
        assert_eq!(guard.judge(0, 0, "a"), Verdict::Take);
        assert_eq!(guard.judge(5, 3, "a"), Verdict::Take);
        assert_eq!(guard.judge(5, 2, "a"), Verdict::HoldShrunk { more: 2 });
        assert_eq!(guard.judge(5, 2, "a"), Verdict::HoldShrunk { more: 1 });
        assert_eq!(guard.held().map(|held| (held.count, held.times)), Some((2, 2)));
        assert_eq!(guard.judge(5, 2, "a"), Verdict::Take);
        assert_eq!(guard.held(), None);
    }

    #[test]
    fn another_hash_begins_anew() {
        let mut guard = Guard::default();
        guard.judge(5, 2, "a");
        guard.judge(5, 2, "a");
        assert_eq!(guard.judge(5, 2, "b"), Verdict::HoldShrunk { more: 2 });
        assert_eq!(guard.judge(5, 5, "c"), Verdict::Take);
        assert_eq!(guard.judge(5, 2, "b"), Verdict::HoldShrunk { more: 2 });
    }

    #[test]
    fn without_a_hash_a_shrunken_list_is_never_taken_by_itself() {
        let mut guard = Guard::default();
        for _ in 0..10 {
            assert_eq!(guard.judge(5, 2, ""), Verdict::HoldNameless);
        }
        assert_eq!(guard.judge(5, 3, ""), Verdict::Take);
    }

    #[test]
    fn an_empty_list_is_never_taken_by_itself() {
        let mut guard = Guard::default();
        for _ in 0..10 {
            assert_eq!(guard.judge(1, 0, "a"), Verdict::HoldEmpty);
        }
    }
}
