//! The guard against mass loss. A list that has suddenly lost most of its names usually means a CRM in trouble.
//!
//! A list is compared with the last list that was accepted as good: the list in use, and the numbers lost since. A number counts
//! as lost if it is gone, has no name, has another person or company, or has one name in common with many
//! ([`super::losses`]).
//!
//! | rule | threshold | reason |
//! |---|---|---|
//! | a list is held back | more than half of the numbers are lost, and at least two | in a year 10 to 40 of 100 contacts leave; an edited selection or a merger of departments removes a third. A CRM in trouble answers with an empty list or a fraction. The loss of one number of two is normal |
//! | lost numbers count | for [`MEMORY`], 90 days from the first loss, or until they are back | ten small losses in a row are a large one. A loss without a complaint for a quarter is intended |
//! | the list is accepted without an order | after it has arrived [`CONVINCING`], three, times in a row | a trouble of minutes is over by then |
//! | an arrival counts as the same list | at most one in twenty of its numbers, or two, differ from the first arrival, whatever the hash | users change records between two answers. A list that shrinks further begins a new count |
//! | a list of fewer than ten numbers is replaced by any list | with at least twice as many | an administrator has tried a few contacts first |
//! | a list is accepted by order only | without any name | an empty list is never worth all names |
//!
//! The list that is held back is on disk, with the count of its arrivals. `--accept` accepts that list.

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::losses::Losses;

/// The arrivals in a row after which a list that was held back is accepted.
pub const CONVINCING: u32 = 3;
/// The time in which lost numbers count, in seconds.
pub const MEMORY: u64 = 90 * 24 * 3600;
/// The fewest lost numbers that hold a list back.
const FEW: usize = 2;
/// The fewest numbers that are no trial.
const MANY: usize = 10;
/// The changed numbers that two arrivals of the same list may have, however short it is.
const SOME: usize = 2;

/// A list that is held back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldList {
    /// The count of its entries.
    pub count: usize,
    /// Its arrivals in a row.
    pub times: u32,
    /// The first arrival: seconds since 1970, UTC.
    #[serde(default)]
    pub came: u64,
    /// The changes if it were accepted.
    #[serde(default)]
    pub changes: Changes,
    /// The losses if it were accepted.
    #[serde(default)]
    pub losses: Losses,
    /// Distinguishes it from other lists.
    #[serde(default)]
    pub id: u64,
}

impl HeldList {
    /// Whether a list of `count` entries counts as this one; `changes` leads from this list to that.
    #[must_use]
    pub fn is_like(&self, count: usize, changes: &Changes) -> bool {
        let few = |changed: usize, of: usize| changed <= SOME || changed <= of / 20;
        (self.count == 0) == (count == 0)
            && few(changes.gone, self.count)
            && few(changes.new, count)
            && few(changes.renamed, count)
    }
}

/// The decision on a new list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Accept it.
    Take,
    /// Hold it back until an order: it has no name at all.
    HoldNameless,
    /// Hold it back until it has arrived often enough: most names would be lost.
    HoldShrunk,
}

/// Decides on a new list by its losses.
#[must_use]
pub fn judge(losses: &Losses) -> Decision {
    let lost = losses.total();
    let was_a_trial = losses.known < MANY && losses.named >= losses.known * 2;
    if losses.known == 0 || was_a_trial {
        Decision::Take
    } else if losses.named == 0 {
        Decision::HoldNameless
    } else if lost >= FEW && lost > losses.known / 2 {
        Decision::HoldShrunk
    } else {
        Decision::Take
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(known: usize, gone: usize, others: usize, named: usize) -> Decision {
        judge(&Losses { known, gone, others, named, ..Losses::default() })
    }

    #[test]
    fn more_than_half_and_more_than_one_is_held_back() {
        assert_eq!(judged(0, 0, 0, 0), Decision::Take);
        assert_eq!(judged(1, 1, 0, 1), Decision::Take);
        assert_eq!(judged(1, 1, 0, 0), Decision::HoldNameless);
        assert_eq!(judged(2, 1, 0, 1), Decision::Take);
        assert_eq!(judged(2, 0, 2, 2), Decision::HoldShrunk);
        assert_eq!(judged(3, 1, 1, 1), Decision::HoldShrunk);
        assert_eq!(judged(9, 9, 0, 17), Decision::HoldShrunk);
        assert_eq!(judged(9, 9, 0, 18), Decision::Take);
        assert_eq!(judged(10, 10, 0, 20), Decision::HoldShrunk);
        assert_eq!(judged(10, 3, 2, 7), Decision::Take);
        assert_eq!(judged(10, 3, 3, 7), Decision::HoldShrunk);
        assert_eq!(judged(11, 5, 0, 6), Decision::Take);
        assert_eq!(judged(11, 6, 0, 5), Decision::HoldShrunk);
        assert_eq!(judged(10, 10, 0, 0), Decision::HoldNameless);
    }

    #[test]
    fn a_record_more_or_less_makes_no_other_list() {
        let held = HeldList { count: 100, ..HeldList::default() };
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
        let (one, none) = (HeldList { count: 1, ..HeldList::default() }, HeldList::default());
        assert!(one.is_like(2, &changed(1, 0, 0)) && none.is_like(0, &changed(0, 0, 0)));
        assert!(!one.is_like(0, &changed(0, 1, 0)) && !none.is_like(1, &changed(1, 0, 0)));
    }
}
