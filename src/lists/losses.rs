//! The losses of a new list: known numbers that it does not have, or has under a wrong name.
//!
//! A number is lost when the new list
//! - does not have it,
//! - has it without a name: an empty one, or `***`, or a person's number without the person,
//! - has another person or company for it: neither name nor id is the same, or the name was another number's before,
//! - has one name for it and for numbers that had other names: "Unknown" for all.
//!
//! A new name for the same id is no loss: the person has married.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use serde::{Deserialize, Serialize};

use super::snapshot::{LostNumbers, Snapshot};
use crate::directory::list::{Collector, List, ListedEntry, by_number};
use crate::directory::suppressed::Suppressed;
use crate::entry::Entry;

/// The counts of lost numbers, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Known numbers with a name: those in use now, or those in use before the first loss, whichever are more.
    pub known: usize,
    /// Numbers that the new list does not have.
    pub gone: usize,
    /// Numbers that the new list has without a name.
    pub nameless: usize,
    /// Numbers that belong to another person or company now.
    pub others: usize,
    /// Numbers that have one name in common now.
    pub alike: usize,
    /// Numbers with a name in the new list.
    pub named: usize,
}

/// What a new list is compared with.
#[derive(Clone, Copy)]
struct Old<'a> {
    in_use: &'a Snapshot,
    lost: &'a LostNumbers,
    suppressed: &'a Suppressed,
}

impl Losses {
    /// The losses by `new`, compared with the list `in_use` and the numbers that were `lost` before. The returned list has the
    /// entries of all numbers that are lost then. Numbers that must not be named are not lost.
    pub fn of(
        in_use: &Snapshot,
        lost: &LostNumbers,
        new: &List,
        suppressed: &Suppressed,
    ) -> io::Result<(Self, List)> {
        let mut renamed = Vec::new();
        let old = Old { in_use, lost, suppressed };
        let counted = Self::count(old, new, &WrongNames::default(), |before, after| {
            renamed.push((digest(after), digest(before)));
        })?;
        let wrong = WrongNames::among(renamed);
        if wrong.is_empty() {
            return Ok(counted);
        }
        // Rare: a wrong name is recognised only when all new names are known, so the lists are read once more.
        drop(counted);
        Self::count(old, new, &wrong, |_, _| {})
    }

    /// Counts the losses. `renamed` gets each number's name before and after, where the ids are the same.
    fn count(
        old: Old<'_>,
        new: &List,
        wrong: &WrongNames,
        mut renamed: impl FnMut(&str, &str),
    ) -> io::Result<(Self, List)> {
        let (mut losses, mut lost_entries) = (Self::default(), Collector::default());
        let mut known = 0;
        let Old { in_use, lost, suppressed } = old;
        let (in_use, lost_before) = (in_use.records()?, lost.list.records()?);
        let lists = &mut [suppressed.hide(in_use), suppressed.hide(lost_before), Box::new(new.records())];
        by_number(lists, |_, entries| {
            let (old, new) = entries.split_at(entries.partition_point(|(list, _)| *list < 2));
            let (in_use, lost) = old.split_at(old.partition_point(|(list, _)| *list < 1));
            known += usize::from(are_named(in_use));
            losses.named += usize::from(are_named(new));
            // The lost entry was the first one.
            let old = if lost.is_empty() { in_use } else { lost };
            match NumberChange::between(old, new) {
                NumberChange::New | NumberChange::Same => return io::Result::Ok(()),
                NumberChange::Renamed(_, after) if wrong.is_common(after) => losses.alike += 1,
                NumberChange::Renamed(_, after) if wrong.is_taken(after) => losses.others += 1,
                NumberChange::Renamed(before, after) => {
                    renamed(before, after);
                    return Ok(());
                }
                NumberChange::Gone => losses.gone += 1,
                NumberChange::Nameless => losses.nameless += 1,
                NumberChange::Other => losses.others += 1,
            }
            old.iter().for_each(|(_, entry)| lost_entries.push(entry));
            Ok(())
        })?;
        losses.known = known.max(lost.of);
        Ok((losses, lost_entries.finish()))
    }

    /// The count of lost numbers.
    #[must_use]
    pub fn total(&self) -> usize {
        self.gone + self.nameless + self.others + self.alike
    }
}

/// `3 of 4 numbers lose their names (2 gone, 1 somebody else's)`
impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.gone, "gone"),
            (self.nameless, "without a name"),
            (self.others, "somebody else's"),
            (self.alike, "with one name for all"),
        ];
        let kinds = kinds.iter().filter(|(count, _)| *count > 0);
        let kinds: Vec<_> = kinds.map(|(count, kind)| format!("{count} {kind}")).collect();
        write!(f, "{} of {} numbers lose their names", self.total(), self.known)?;
        if kinds.is_empty() { Ok(()) } else { write!(f, " ({})", kinds.join(", ")) }
    }
}

/// What a new list changes of a number.
enum NumberChange<'a> {
    /// It had no name.
    New,
    Same,
    /// The id is the same; the name before, and the new one.
    Renamed(&'a str, &'a str),
    Gone,
    Nameless,
    Other,
}

impl<'a> NumberChange<'a> {
    fn between(old: &[ListedEntry<'a>], new: &[ListedEntry<'a>]) -> Self {
        if !are_named(old) {
            return Self::New;
        }
        if new.is_empty() {
            return Self::Gone;
        }
        let pairs = || old.iter().flat_map(|(_, old)| new.iter().map(move |(_, new)| (old, new)));
        if pairs().any(|(old, new)| is_name(shown(old)) && shown(old) == shown(new)) {
            return Self::Same;
        }
        if !are_named(new) {
            return Self::Nameless;
        }
        let lost_its_person = |(old, new): (&Entry<&str>, &Entry<&str>)| {
            old.person_id != 0 && old.person_id == new.person_id && has_person(old) && !has_person(new)
        };
        match pairs().find(|(old, new)| is_same(old, new) && is_name(shown(new))) {
            Some((old, new)) => Self::Renamed(shown(old), shown(new)),
            None if pairs().any(lost_its_person) => Self::Nameless,
            None => Self::Other,
        }
    }
}

/// Whether both have the id of one person, or of one company.
fn is_same(old: &Entry<&str>, new: &Entry<&str>) -> bool {
    let (before, after) =
        if has_person(old) { (old.person_id, new.person_id) } else { (old.company_id, new.company_id) };
    before != 0 && before == after && has_person(old) == has_person(new)
}

fn are_named(entries: &[ListedEntry<'_>]) -> bool {
    entries.iter().any(|(_, entry)| is_name(shown(entry)))
}

fn has_person(entry: &Entry<&str>) -> bool {
    !entry.person.trim().is_empty()
}

/// The first part of the name that a phone shows.
fn shown<'a>(entry: &Entry<&'a str>) -> &'a str {
    if has_person(entry) { entry.person.trim() } else { entry.company.trim() }
}

/// Whether the text is a name. `***`, `N*** B***` and `-` are not: they replace names that were removed.
fn is_name(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let others = text.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).count();
    letters > 0 && letters >= others
}

/// New names that are wrong although the ids are the same as before: sorted digests.
#[derive(Default)]
struct WrongNames {
    /// Names that numbers with different names before have in common now.
    common: Vec<u64>,
    /// Names that another number had before.
    taken: Vec<u64>,
}

impl WrongNames {
    /// The wrong ones among the new names, each with the name before.
    fn among(mut renamed: Vec<(u64, u64)>) -> Self {
        renamed.sort_unstable();
        renamed.dedup();
        let same = renamed.chunk_by(|one, next| one.0 == next.0);
        let common = same.filter(|same| same.len() > 1).filter_map(|same| Some(same.first()?.0)).collect();
        let mut had: Vec<u64> = renamed.iter().map(|(_, had)| *had).collect();
        had.sort_unstable();
        let taken = renamed.into_iter().map(|(got, _)| got);
        Self { common, taken: taken.filter(|got| had.binary_search(got).is_ok()).collect() }
    }

    fn is_empty(&self) -> bool {
        self.common.is_empty() && self.taken.is_empty()
    }

    fn is_common(&self, name: &str) -> bool {
        self.common.binary_search(&digest(name)).is_ok()
    }

    fn is_taken(&self, name: &str) -> bool {
        self.taken.binary_search(&digest(name)).is_ok()
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::directory::list::file::Header;
    use crate::number::Number;

    /// National number, person, company.
    type Line<'a> = (u64, u32, &'a str, u32, &'a str);

    fn list(lines: &[Line<'_>]) -> List {
        let entry = |(national, person_id, person, company_id, company): &Line<'_>| {
            Entry::example(Number::new(47, *national).unwrap(), (*person_id, person), (*company_id, company))
        };
        lines.iter().map(entry).collect()
    }

    fn kept(lines: &[Line<'_>]) -> Snapshot {
        let list = list(lines);
        Snapshot::InMemory(Header { count: list.len() as u64, ..Header::default() }, Arc::new(list))
    }

    const KNOWN: [Line<'_>; 6] = [
        (1, 11, "Kari", 5, "Fjord"),
        (2, 12, "Ola", 5, "Fjord"),
        (3, 13, "Eva", 6, "Vik"),
        (4, 0, "", 5, "Fjord"),
        (5, 15, "Per", 0, ""),
        (6, 0, "***", 0, ""),
    ];

    fn losses(new: &[Line<'_>]) -> (Losses, Vec<u64>) {
        let (losses, lost) =
            Losses::of(&kept(&KNOWN), &LostNumbers::default(), &list(new), &Suppressed::default()).unwrap();
        (losses, lost.entries().map(|entry| entry.unwrap().number.national()).collect())
    }

    #[test]
    fn a_number_is_lost_in_each_of_four_ways() {
        let none = Losses { known: 5, named: 5, ..Losses::default() };
        assert_eq!(losses(&KNOWN), (none, vec![]));
        // Married, moved to another company, a company renamed, the ids new, a colleague beside: nothing is lost.
        let normal = [
            (1, 11, "Kari Berg", 5, "Fjord"),
            (2, 12, "Ola", 9, "Havn"),
            (3, 77, "Eva", 78, "Vik"),
            (4, 0, "", 5, "Fjord Seafood"),
            (5, 15, "Per", 0, ""),
            (5, 16, "Pål", 0, ""),
            (7, 17, "Siv", 0, ""),
        ];
        assert_eq!(losses(&normal), (Losses { named: 6, ..none }, vec![]));
        let lossy = [
            // Without the person, somebody else's, without a name.
            (1, 11, "", 5, "Fjord"),
            (2, 99, "Nils", 98, "Havn"),
            (3, 13, "E** V**", 6, "Vik"),
            (5, 15, "-", 0, ""),
        ];
        let expected = Losses { known: 5, gone: 1, nameless: 3, others: 1, alike: 0, named: 2 };
        assert_eq!(losses(&lossy), (expected, vec![1, 2, 3, 4, 5]));
        let alike =
            KNOWN.map(|(number, person, _, company, _)| (number, person, "Unknown", company, "Unknown"));
        let (alike, _) = losses(&alike);
        // The company's own number is a person's now.
        assert_eq!((alike.alike, alike.others, alike.total()), (4, 1, 5));
        let said = expected.to_string();
        assert_eq!(said, "5 of 5 numbers lose their names (1 gone, 3 without a name, 1 somebody else's)");
    }

    #[test]
    fn what_is_missing_counts_until_it_comes_back() {
        let list_of = kept(&[(2, 99, "Who had it first", 0, ""), (8, 18, "Gone before", 0, "")]);
        let before = LostNumbers { list: list_of, since: 0, of: 9 };
        let (losses, lost) =
            Losses::of(&kept(&KNOWN), &before, &list(&KNOWN), &Suppressed::default()).unwrap();
        assert_eq!(losses, Losses { known: 9, gone: 1, others: 1, named: 5, ..Losses::default() });
        let lost: Vec<_> = lost.entries().map(|entry| entry.unwrap().person).collect();
        assert_eq!(lost, ["Who had it first", "Gone before"]);
    }
}
