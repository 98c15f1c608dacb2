//! The numbers of `nameplate forget` among the replicas: of all decisions about a number the latest counts. A machine without I/O.
//!
//! Each replica remembers all decisions, also that a number may be named again. So each one can give the server what it has lost, and
//! a decision that is made while the server does not answer reaches the others later.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::seal::{Key, Unopened};
use crate::lists::forgotten::{parse, written};
use crate::number::Number;

/// The latest decision about a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was made: milliseconds since 1970, by the clock of its replica, and later than the decision that it replaces.
    pub at: u64,
    /// Whether the number may be named again.
    pub undo: bool,
}

impl Decision {
    /// Of two decisions of one moment the one to forget counts.
    fn rank(self) -> (u64, bool) {
        (self.at, !self.undo)
    }
}

/// The latest decision about each number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decisions {
    /// By the number as it is in the file of forgotten numbers.
    latest: BTreeMap<String, Decision>,
}

impl Decisions {
    /// A decision is made here at `now`, in milliseconds since 1970.
    pub fn decide(&mut self, number: Number, undo: bool, now: u64) {
        let number = written(number);
        // A clock may go back.
        let at = self.latest.get(&number).map_or(now, |before| now.max(before.at + 1));
        self.latest.insert(number, Decision { at, undo });
    }

    /// The service starts with these forgotten numbers: what differs was decided without it. Whether anything did.
    pub fn start(&mut self, forgotten: impl Iterator<Item = Number>, now: u64) -> bool {
        let forgotten: BTreeSet<Number> = forgotten.collect();
        let is_forgotten =
            |number: &Number| self.latest.get(&written(*number)).is_some_and(|latest| !latest.undo);
        let new: Vec<Number> = forgotten.iter().copied().filter(|number| !is_forgotten(number)).collect();
        let known = self.latest.iter().filter(|(_, latest)| !latest.undo);
        let known = known.filter_map(|(number, _)| parse(number));
        let undone: Vec<Number> = known.filter(|number| !forgotten.contains(number)).collect();
        let decided = [(new, false), (undone, true)];
        for (numbers, undo) in &decided {
            numbers.iter().for_each(|number| self.decide(*number, *undo, now));
        }
        decided.iter().any(|(numbers, _)| !numbers.is_empty())
    }

    /// The decisions that are later than those here, or about other numbers.
    #[must_use]
    pub fn news(&self, of: &Self) -> Self {
        let is_new = |number: &String, decision: &Decision| {
            self.latest.get(number).is_none_or(|latest| latest.rank() < decision.rank())
        };
        let news = of.latest.iter().filter(|(number, decision)| is_new(number, decision));
        Self { latest: news.map(|(number, decision)| (number.clone(), *decision)).collect() }
    }

    /// Takes decisions over, as far as they are later.
    pub fn take(&mut self, others: &Self) {
        let news = self.news(others);
        self.latest.extend(news.latest);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// Each number, and whether it may be named again.
    pub fn numbers(&self) -> impl Iterator<Item = (Number, bool)> + '_ {
        self.latest.iter().filter_map(|(number, latest)| Some((parse(number)?, latest.undo)))
    }

    /// The decisions as they are stored.
    pub fn seal(&self, key: &Key, site: &str) -> Result<Vec<u8>, Unopened> {
        let bytes = serde_json::to_vec(self).map_err(|_| Unopened)?;
        key.seal(&place(site), bytes)
    }

    /// Opens decisions.
    pub fn open(key: &Key, site: &str, sealed: Vec<u8>) -> Result<Self, Unopened> {
        serde_json::from_slice(&key.open(&place(site), sealed)?).map_err(|_| Unopened)
    }
}

fn place(site: &str) -> String {
    format!("nameplate/{site}/forgotten")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(national: u64) -> Number {
        Number::new(47, national).unwrap()
    }

    fn decided(decisions: &[(u64, bool, u64)]) -> Decisions {
        let mut all = Decisions::default();
        decisions.iter().for_each(|(national, undo, now)| all.decide(number(*national), *undo, *now));
        all
    }

    const KARI: u64 = 22_334_455;
    const OLA: u64 = 22_334_460;

    #[test]
    fn the_latest_decision_counts_in_whatever_order_they_are_heard() {
        let (early, late) = (decided(&[(KARI, false, 5), (OLA, false, 5)]), decided(&[(KARI, true, 9)]));
        for (one, other) in [(&early, &late), (&late, &early)] {
            let mut all = one.clone();
            all.take(other);
            assert!(all.numbers().eq([(number(KARI), true), (number(OLA), false)]));
            assert!(all.news(&early).is_empty() && all.news(&late).is_empty());
        }
        assert!(early.news(&late).numbers().eq([(number(KARI), true)]));
        assert!(late.news(&early).numbers().eq([(number(OLA), false)]));
        // At one moment: to name nobody is never wrong.
        let (forgotten, undone) = (decided(&[(KARI, false, 9)]), decided(&[(KARI, true, 9)]));
        assert!(forgotten.news(&undone).is_empty() && !undone.news(&forgotten).is_empty());
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_decision_older_than_the_one_it_replaces() {
        let before = decided(&[(KARI, false, 1_000)]);
        let mut after = before.clone();
        after.decide(number(KARI), true, 3);
        assert!(before.news(&after).numbers().eq([(number(KARI), true)]));
    }

    #[test]
    fn what_was_decided_without_the_service_counts_from_its_start() {
        let mut all = decided(&[(KARI, false, 5), (OLA, true, 5)]);
        let known = all.clone();
        assert!(!all.start([number(KARI)].into_iter(), 9));
        assert_eq!(all, known);
        assert!(all.start([number(OLA)].into_iter(), 9));
        assert!(known.news(&all).numbers().eq([(number(KARI), true), (number(OLA), false)]));
        // Without its memory it knows only what is forgotten.
        let mut new = Decisions::default();
        assert!(!new.start([].into_iter(), 9) && new.start([number(OLA)].into_iter(), 9));
        assert!(new.numbers().eq([(number(OLA), false)]));
    }

    #[test]
    fn only_the_key_opens_them() {
        let key = |byte: &str| Key::read(&crate::secret::Secret::Given(byte.repeat(32).into())).unwrap();
        let all = decided(&[(KARI, false, 5)]);
        let sealed = all.seal(&key("07"), "oslo").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"22334455"));
        assert_eq!(Decisions::open(&key("07"), "oslo", sealed.clone()), Ok(all));
        assert_eq!(Decisions::open(&key("08"), "oslo", sealed.clone()), Err(Unopened));
        assert_eq!(Decisions::open(&key("07"), "bergen", sealed), Err(Unopened));
    }
}
