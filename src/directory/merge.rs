//! Lists → directory, and who answers where several entries share a number.
//!
//! All lists of one SuperOffice form one *group*: `GetMyCallerIDs` is per user, so two users may know
//! different people behind one number, and only both lists together tell. Between groups the first
//! that knows the number answers alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::Hash;
use std::io;

use super::index::Index;
use super::texts::Interner;
use super::{CompanyRow, Directory, Kind, NO_COMPANY, PersonRow, SharedRow, Target};
use crate::entry::Entry;
use crate::number::Number;

/// The entries of a list, by number, as they are read from memory or from disk.
pub type Entries<'a> = Box<dyn Iterator<Item = io::Result<Entry>> + 'a>;

/// A list with its place among the others.
pub struct Listed<'a> {
    /// The source that delivered it: its place in the configuration.
    pub source: u16,
    /// The group that it is judged with. Groups answer in the order of their numbers, which is that of their first
    /// sources.
    pub group: u16,
    /// The entries, by number.
    pub entries: Entries<'a>,
}

/// Why no directory was built.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is more than a directory can hold: about a billion rows, or 4 GiB of names.
    #[error("the lists hold more than a directory can: a billion records, or 4 GiB of names")]
    TooLarge,
    /// A list can't be read.
    #[error("a list can't be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Builds the directory of all lists. `sources` are the names of the sources, `lists` in their order.
///
/// The lists are walked side by side, like a zip, one number at a time: of each only the next entry is in memory.
pub fn merge(sources: &[String], mut lists: Vec<Listed<'_>>) -> Result<Directory, MergeError> {
    let mut builder = Builder::default();
    builder.directory.sources = sources.to_vec();
    // The next entry of each list; the smallest number first, and of one number the earliest list.
    let mut heads: Vec<Option<Entry>> = Vec::new();
    let mut next = BinaryHeap::new();
    for (place, list) in lists.iter_mut().enumerate() {
        let head = list.entries.next().transpose()?;
        next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        heads.push(head);
    }
    let mut speaking: Vec<(u16, u16, Entry)> = Vec::new();
    while let Some(&Reverse((number, _))) = next.peek() {
        speaking.clear();
        while let Some(&Reverse((same, place))) = next.peek()
            && same == number
        {
            next.pop();
            let (Some(list), Some(head)) = (lists.get_mut(place), heads.get_mut(place)) else { break };
            while let Some(entry) = head.take_if(|entry| entry.number == number) {
                speaking.push((list.group, list.source, entry));
                *head = list.entries.next().transpose()?;
            }
            next.extend(head.as_ref().map(|entry| Reverse((entry.number, place))));
        }
        let answering = speaking.iter().map(|(group, ..)| *group).min();
        let candidates: Vec<_> = speaking
            .iter()
            .filter(|(group, ..)| Some(*group) == answering)
            .map(|(_, source, entry)| Candidate { source: *source, entry })
            .collect();
        builder.add(number, &candidates).ok_or(MergeError::TooLarge)?;
    }
    builder.finish().ok_or(MergeError::TooLarge)
}

/// One entry that speaks for a number.
#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    source: u16,
    entry: &'a Entry,
}

/// Who answers to a number; each by the first entry that names it.
#[derive(Debug)]
enum Verdict<'a> {
    Person(Candidate<'a>),
    Company(Candidate<'a>),
    Shared(Vec<Candidate<'a>>),
    Ambiguous,
}

/// What makes two companies the same: the id, or the name where a source has no ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Id(u32),
    Name(&'a str),
}

/// What makes two persons the same: the id, or the name and the company where a source has no ids.
type PersonIdentity<'a> = (Identity<'a>, Option<Identity<'a>>);

fn person_of(entry: &Entry) -> Option<PersonIdentity<'_>> {
    if entry.person_id != 0 {
        return Some((Identity::Id(entry.person_id), None));
    }
    let name = entry.person.trim();
    (!name.is_empty()).then(|| (Identity::Name(name), company_of(entry)))
}

fn company_of(entry: &Entry) -> Option<Identity<'_>> {
    let name = entry.company.trim();
    let identity = if entry.company_id == 0 { Identity::Name(name) } else { Identity::Id(entry.company_id) };
    (!name.is_empty()).then_some(identity)
}

/// Judges the entries of one group for one number, as they stand in their lists.
///
/// One person, alone or beside the own company: the person. Several persons of one company: the company.
/// Different companies: all of them, marked as shared. Several persons without a common company: nobody.
fn judge<'a>(candidates: &[Candidate<'a>]) -> Verdict<'a> {
    let (persons, companies) = parties(candidates);
    if let [person] = persons.as_slice() {
        let own = company_of(person.entry);
        if companies.iter().all(|company| company_of(company.entry) == own) {
            return Verdict::Person(*person);
        }
    }
    if persons.iter().any(|person| company_of(person.entry).is_none()) {
        return Verdict::Ambiguous;
    }
    match companies.as_slice() {
        [] => Verdict::Ambiguous,
        [company] => Verdict::Company(*company),
        _ => Verdict::Shared(companies),
    }
}

/// The different persons, and the different companies: theirs, and those listed on their own.
fn parties<'a>(candidates: &[Candidate<'a>]) -> (Vec<Candidate<'a>>, Vec<Candidate<'a>>) {
    let mut persons: Vec<Candidate<'a>> = Vec::new();
    let mut known = HashMap::new();
    for candidate in candidates {
        let Some(identity) = person_of(candidate.entry) else { continue };
        let place = *known.entry(identity).or_insert(persons.len());
        match persons.get_mut(place) {
            None => persons.push(*candidate),
            // One user's list may have the person without the company that another's has.
            Some(person) if company_of(person.entry).is_none() => *person = *candidate,
            Some(_) => {}
        }
    }
    let alone = candidates.iter().filter(|candidate| person_of(candidate.entry).is_none());
    let mut companies: Vec<Candidate<'a>> = Vec::new();
    let mut known = HashSet::new();
    for candidate in persons.iter().chain(alone) {
        if company_of(candidate.entry).is_some_and(|identity| known.insert(identity)) {
            companies.push(*candidate);
        }
    }
    (persons, companies)
}

/// A directory that is being built, number after number.
#[derive(Default)]
struct Builder {
    directory: Directory,
    pairs: Vec<(u64, Target)>,
    texts: Interner,
    /// Rows that are there already, so that a person with several numbers is one row.
    persons: HashMap<PersonRow, usize>,
    companies: HashMap<CompanyRow, usize>,
}

impl Builder {
    /// Adds a number; numbers come once each. None when there is no room.
    fn add(&mut self, number: Number, candidates: &[Candidate<'_>]) -> Option<()> {
        let target = match judge(candidates) {
            Verdict::Person(person) => Target::new(Kind::Person, self.person(person)?)?,
            Verdict::Company(company) => Target::new(Kind::Company, self.company(company)?)?,
            Verdict::Shared(companies) => {
                let start = u32::try_from(self.directory.sharing.len()).ok()?;
                for company in &companies {
                    let row = self.company(*company)?;
                    self.directory.sharing.push(u32::try_from(row).ok()?);
                }
                let count = u32::try_from(companies.len()).ok()?;
                self.directory.shared.push(SharedRow { start, count });
                Target::new(Kind::Shared, self.directory.shared.len() - 1)?
            }
            Verdict::Ambiguous => Target::new(Kind::Ambiguous, usize::from(candidates.first()?.source))?,
        };
        self.pairs.push((number.packed(), target));
        Some(())
    }

    /// The row of a person.
    fn person(&mut self, candidate: Candidate<'_>) -> Option<usize> {
        let Candidate { source, entry } = candidate;
        let company = match company_of(entry) {
            Some(_) => u32::try_from(self.company(candidate)?).ok()?,
            None => NO_COMPANY,
        };
        let row = PersonRow {
            id: entry.person_id,
            name: self.texts.add(&entry.person)?,
            mrmrs: self.texts.add(&entry.mrmrs)?,
            company,
            source,
        };
        Some(place(&mut self.persons, &mut self.directory.persons, row))
    }

    /// The row of an entry's company.
    fn company(&mut self, candidate: Candidate<'_>) -> Option<usize> {
        let Candidate { source, entry } = candidate;
        let row = CompanyRow { id: entry.company_id, name: self.texts.add(&entry.company)?, source };
        Some(place(&mut self.companies, &mut self.directory.companies, row))
    }

    fn finish(mut self) -> Option<Directory> {
        self.directory.index = Index::build(&self.pairs)?;
        self.directory.texts = self.texts.finish();
        self.directory.persons.shrink_to_fit();
        self.directory.companies.shrink_to_fit();
        Some(self.directory)
    }
}

/// The place of `row` in `rows`, where it is put if it is new.
fn place<Row: Copy + Eq + Hash>(known: &mut HashMap<Row, usize>, rows: &mut Vec<Row>, row: Row) -> usize {
    *known.entry(row).or_insert_with(|| {
        rows.push(row);
        rows.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::list::List;
    use super::super::{Choice, Company, Found};
    use super::*;

    fn entry(person_id: u32, person: &str, company_id: u32, company: &str) -> Entry {
        Entry {
            number: number(),
            person_id,
            person: person.into(),
            mrmrs: String::new(),
            company_id,
            company: company.into(),
        }
    }

    fn number() -> Number {
        Number::new(47, 22_334_455).unwrap()
    }

    /// What `lists` of these groups answer for the number that all the entries have.
    fn answer(lists: &[(u16, Vec<Entry>)]) -> String {
        let sources: Vec<String> = (0..lists.len()).map(|at| format!("s{at}")).collect();
        let made: Vec<List> = lists.iter().map(|(_, entries)| entries.iter().cloned().collect()).collect();
        let listed = (0_u16..).zip(lists.iter().zip(&made)).map(|(source, ((group, _), list))| Listed {
            source,
            group: *group,
            entries: Box::new(list.entries()),
        });
        let directory = merge(&sources, listed.collect()).unwrap();
        let Some(Found { source, choice }) = directory.find(number()) else { return "none".into() };
        let text = match choice {
            Choice::Person { person, company } => {
                format!("{} of {}", person.name, company.map_or("-", |company| company.name))
            }
            Choice::Company(company) => company.name.to_owned(),
            Choice::Shared(sharing) => {
                sharing.companies().map(|company| company.name).collect::<Vec<_>>().join(" / ")
            }
            Choice::Ambiguous => "ambiguous".into(),
        };
        format!("{text} [{source}]")
    }

    #[test]
    fn who_answers_where_entries_share_a_number() {
        let kari = || entry(1, "Kari", 10, "Fjord");
        let ola = || entry(2, "Ola", 10, "Fjord");
        let eve = || entry(3, "Eve", 20, "Globex");
        let lone = || entry(4, "Lone", 0, "");
        let fjord = || entry(0, "", 10, "Fjord");
        let globex = || entry(0, "", 20, "Globex");
        for (what, lists, expected) in [
            ("one person", vec![(0, vec![kari()])], "Kari of Fjord [s0]"),
            ("the same person twice", vec![(0, vec![kari(), kari()])], "Kari of Fjord [s0]"),
            ("in two users' lists", vec![(0, vec![kari()]), (0, vec![kari()])], "Kari of Fjord [s0]"),
            ("a person and the own company", vec![(0, vec![fjord(), kari()])], "Kari of Fjord [s0]"),
            ("two persons of one company", vec![(0, vec![kari(), ola()])], "Fjord [s0]"),
            ("over two users' lists", vec![(0, vec![kari()]), (0, vec![ola()])], "Fjord [s0]"),
            ("two companies", vec![(0, vec![fjord(), globex()])], "Fjord / Globex [s0]"),
            ("two persons of two companies", vec![(0, vec![kari(), eve()])], "Fjord / Globex [s0]"),
            ("a person, another's company", vec![(0, vec![kari(), globex()])], "Fjord / Globex [s0]"),
            ("two without a common company", vec![(0, vec![kari(), lone()])], "ambiguous [s0]"),
            ("between groups the first", vec![(0, vec![kari()]), (1, vec![eve()])], "Kari of Fjord [s0]"),
            ("though it is ambiguous", vec![(0, vec![kari(), lone()]), (1, vec![eve()])], "ambiguous [s0]"),
            ("known to the second only", vec![(0, vec![]), (1, vec![eve()])], "Eve of Globex [s1]"),
            (
                "a group's later list before another group",
                vec![(0, vec![]), (1, vec![eve()]), (0, vec![kari()])],
                "Kari of Fjord [s2]",
            ),
            ("known to nobody", vec![(0, vec![])], "none"),
            (
                "a person's company from the other user's list",
                vec![(0, vec![entry(1, "Kari", 0, "")]), (0, vec![kari()])],
                "Kari of Fjord [s1]",
            ),
            (
                "without ids the names tell",
                vec![(0, vec![entry(0, "Kari", 0, "Fjord"), entry(0, "Ola", 0, "Fjord")])],
                "Fjord [s0]",
            ),
        ] {
            assert_eq!(answer(&lists), expected, "{what}");
        }
    }

    #[test]
    fn ids_are_kept_and_rows_are_shared() {
        let second = Entry { number: Number::new(47, 99).unwrap(), ..entry(1, "Kari", 10, "Fjord") };
        let list: List = [second, entry(1, "Kari", 10, "Fjord")].into_iter().collect();
        let listed = Listed { source: 0, group: 0, entries: Box::new(list.entries()) };
        let directory = merge(&["crm".into()], vec![listed]).unwrap();
        assert_eq!((directory.len(), directory.persons.len(), directory.companies.len()), (2, 1, 1));
        let Some(Found { choice: Choice::Person { person, company }, .. }) = directory.find(number()) else {
            unreachable!("Kari is there");
        };
        assert_eq!((person.id, company), (1, Some(Company { id: 10, name: "Fjord" })));
    }

    /// Any list of few numbers, persons and companies, so that they meet often.
    fn any_list() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (0..6_u64, 0..4_u32, 0..3_u32).prop_filter_map("no name", |(number, person, company)| {
            let name = |id: u32, kind: &str| if id == 0 { String::new() } else { format!("{kind} {id}") };
            // A person has one company, or none, whichever list the entry is in.
            let company = [company, 1, 2, 0][person as usize];
            (person + company > 0).then(|| Entry {
                number: Number::new(47, 22_334_400 + number).unwrap(),
                person_id: person,
                person: name(person, "person"),
                mrmrs: String::new(),
                company_id: company,
                company: name(company, "company"),
            })
        });
        prop::collection::vec(entry, 0..12)
    }

    /// What a directory answers to each of these numbers, with the source.
    fn answers(groups: &[u16], lists: &[Vec<Entry>]) -> Vec<Option<String>> {
        let sources: Vec<String> = (0..lists.len()).map(|at| format!("s{at}")).collect();
        let made: Vec<List> = lists.iter().map(|entries| entries.iter().cloned().collect()).collect();
        let listed = (0_u16..).zip(groups.iter().zip(&made)).map(|(source, (group, list))| Listed {
            source,
            group: *group,
            entries: Box::new(list.entries()),
        });
        let directory = merge(&sources, listed.collect()).unwrap();
        let number = |last: u64| Number::new(47, 22_334_400 + last).unwrap();
        (0..7).map(|last| directory.find(number(last)).map(|found| format!("{:?}", found.choice))).collect()
    }

    proptest! {
        #[test]
        fn every_number_of_every_list_is_known_and_no_other(lists in prop::collection::vec(any_list(), 1..4)) {
            let answers = answers(&[0, 1, 0], &lists);
            for (last, answer) in (0_u64..).zip(&answers) {
                let number = Number::new(47, 22_334_400 + last).unwrap();
                let listed = lists.iter().flatten().any(|entry| entry.number == number);
                prop_assert_eq!(answer.is_some(), listed, "{}: {:?}", number, answer);
            }
        }

        #[test]
        fn a_group_is_judged_as_one_list(lists in prop::collection::vec(any_list(), 2..4)) {
            let apart = answers(&vec![0; lists.len()], &lists);
            let together = answers(&[0], &[lists.concat()]);
            prop_assert_eq!(apart, together);
        }

        #[test]
        fn a_later_group_never_changes_an_answer(first in any_list(), second in any_list()) {
            let alone = answers(&[0], std::slice::from_ref(&first));
            let beside = answers(&[0, 1], &[first, second]);
            for (alone, beside) in alone.iter().zip(&beside) {
                prop_assert!(alone.is_none() || alone == beside, "{:?} became {:?}", alone, beside);
            }
        }

        #[test]
        fn who_comes_first_in_a_list_never_makes_another_person_the_answer(list in any_list()) {
            let reversed: Vec<Entry> = list.iter().rev().cloned().collect();
            let kind = |answer: &Option<String>| answer.as_deref().map(|text| text.split([' ', '(']).next().map(str::to_owned));
            let forward: Vec<_> = answers(&[0], &[list]).iter().map(kind).collect();
            let backward: Vec<_> = answers(&[0], &[reversed]).iter().map(kind).collect();
            prop_assert_eq!(forward, backward);
        }
    }
}
