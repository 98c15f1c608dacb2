//! The guard against mass loss: a list that has suddenly lost most of its names is more often a CRM in trouble than an
//! organisation that lost its customers.
//!
//! A list is compared with the last one that was accepted as good: the list in use, and the numbers that were lost on the
//! way to it. What counts as lost is said in [`super::losses`]: not only a number that is gone, but also one without a name,
//! somebody else's, or one of many that have got the same name.
//!
//! | what | threshold | why |
//! |---|---|---|
//! | a list is held back | more than half of the numbers are lost, and at least two | customers and colleagues who leave in a year are 10 to 40 of 100, an edited selection or a merger of departments takes a third: less than half also together. Answers of a CRM in trouble are empty, or a fraction. One number of one or two is everyday life |
//! | lost numbers count | for [`MEMORY`], 90 days from the first one, or until they come back | ten small losses in a row are a large one; what was lost in a quarter, and nobody has missed, is meant |
//! | it is taken by itself | when it has come [`CONVINCING`], three, times in a row | trouble of some minutes has passed by then, and what the CRM says again and again is what it has |
//! | it has come again | at most one in twenty of its numbers, or two, are other than when it came first, whatever its hash | a living CRM changes a record between two answers; a list that goes on shrinking begins anew |
//! | a list of fewer than ten numbers is replaced by any other | that has at least twice as many | somebody has tried it with a few people, and goes on with all |
//! | it is never taken by itself | it has no name at all | nothing can be wrong enough to delete everybody |
//!
//! Whatever is held back is kept on disk, with how often it has come. `--accept` takes that list.

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::losses::Losses;

/// Consecutive answers after which a list that was held back is taken.
pub const CONVINCING: u32 = 3;
/// How long lost numbers count, in seconds.
pub const MEMORY: u64 = 90 * 24 * 3600;
/// Fewer lost numbers are no mass.
const FEW: usize = 2;
/// As many numbers are more than a trial.
const MANY: usize = 10;
/// So many changed numbers make no other list, however short it is.
const SOME: usize = 2;

/// A list that is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// How many entries it has.
    pub count: usize,
    /// How often in a row it, or one like it, came.
    pub times: u32,
    /// When it came first: seconds since 1970, UTC.
    #[serde(default)]
    pub came: u64,
    /// What it would change.
    #[serde(default)]
    pub changes: Changes,
    /// What it would take away.
    #[serde(default)]
    pub losses: Losses,
    /// Tells it from others.
    #[serde(default)]
    pub id: u64,
}

impl Held {
    /// Whether a list of `count` entries is this one again, where `changes` are those from this one to that.
    #[must_use]
    pub fn is_like(&self, count: usize, changes: &Changes) -> bool {
        let few = |changed: usize, of: usize| changed <= SOME || changed <= of / 20;
        (self.count == 0) == (count == 0)
            && few(changes.gone, self.count)
            && few(changes.new, count)
            && few(changes.renamed, count)
    }
}

/// What to do with a list that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it.
    Take,
    /// It names nobody: it is taken only when somebody says so.
    HoldNameless,
    /// Most names would be lost: it is taken when it has come often enough.
    HoldShrunk,
}

/// Judges a list by what it takes away.
#[must_use]
pub fn judge(losses: &Losses) -> Verdict {
    let lost = losses.total();
    let was_a_trial = losses.known < MANY && losses.named >= losses.known * 2;
    if losses.known == 0 || was_a_trial {
        Verdict::Take
    } else if losses.named == 0 {
        Verdict::HoldNameless
    } else if lost >= FEW && lost > losses.known / 2 {
        Verdict::HoldShrunk
    } else {
        Verdict::Take
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(known: usize, gone: usize, others: usize, named: usize) -> Verdict {
        judge(&Losses { known, gone, others, named, ..Losses::default() })
    }

    #[test]
    fn more_than_half_and_more_than_one_is_held_back() {
        assert_eq!(judged(0, 0, 0, 0), Verdict::Take);
        assert_eq!(judged(1, 1, 0, 1), Verdict::Take);
        assert_eq!(judged(1, 1, 0, 0), Verdict::HoldNameless);
        assert_eq!(judged(2, 1, 0, 1), Verdict::Take);
        assert_eq!(judged(2, 0, 2, 2), Verdict::HoldShrunk);
        assert_eq!(judged(3, 1, 1, 1), Verdict::HoldShrunk);
        assert_eq!(judged(9, 9, 0, 17), Verdict::HoldShrunk);
        assert_eq!(judged(9, 9, 0, 18), Verdict::Take);
        assert_eq!(judged(10, 10, 0, 20), Verdict::HoldShrunk);
        assert_eq!(judged(10, 3, 2, 7), Verdict::Take);
        assert_eq!(judged(10, 3, 3, 7), Verdict::HoldShrunk);
        assert_eq!(judged(11, 5, 0, 6), Verdict::Take);
        assert_eq!(judged(11, 6, 0, 5), Verdict::HoldShrunk);
        assert_eq!(judged(10, 10, 0, 0), Verdict::HoldNameless);
    }

    #[test]
    fn a_record_more_or_less_makes_no_other_list() {
        let held = Held { count: 100, ..Held::default() };
        let changed = |new, gone, renamed| Changes { new, gone, renamed };
        for (count, changes, is_like) in [
            (100, changed(0, 0, 0), true),
            (101, changed(1, 0, 0), true),
            (95, changed(0, 5, 0), true),
            (94, changed(0, 6, 0), false),
            (106, changed(6, 0, 0), false),
            (100, changed(0, 0, 6), false),
            (0, changed(0, 100, 0), false),
        ] {
            assert_eq!(held.is_like(count, &changes), is_like, "{count} {changes}");
        }
        let (one, none) = (Held { count: 1, ..Held::default() }, Held::default());
        assert!(one.is_like(2, &changed(1, 0, 0)) && none.is_like(0, &changed(0, 0, 0)));
        assert!(!one.is_like(0, &changed(0, 1, 0)) && !none.is_like(1, &changed(1, 0, 0)));
    }
}
