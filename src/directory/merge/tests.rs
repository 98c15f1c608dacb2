//! The answer for entries that share a number: by examples, and for any lists.

use proptest::prelude::*;

use super::super::list::List;
use super::super::{Choice, Company, Found};
use super::*;
use crate::entry::Entry;
use crate::number::Number;

fn entry(person_id: u32, person: &str, company_id: u32, company: &str) -> Entry {
    Entry::example(number(), (person_id, person), (company_id, company))
}

fn number() -> Number {
    Number::new(47, 22_334_455).unwrap()
}

/// The answer of `lists` of these groups for the number of all entries.
fn answer(lists: &[(u16, Vec<Entry>)]) -> String {
    answer_by(SharedNumbers::default(), lists)
}

fn answer_by(shared: SharedNumbers, lists: &[(u16, Vec<Entry>)]) -> String {
    let origins: Vec<Origin> = (0..lists.len()).map(|at| format!("s{at}").as_str().into()).collect();
    let made: Vec<List> = lists.iter().map(|(_, entries)| entries.iter().cloned().collect()).collect();
    let listed = (0_u16..).zip(lists.iter().zip(&made)).map(|(origin, ((group, _), list))| MergeInput {
        origin,
        group: *group,
        records: Box::new(list.records()),
    });
    let directory = merge_by(&Rules { shared, ..Rules::default() }, &origins, listed.collect()).unwrap();
    let Some(Found { source, choice, .. }) = directory.find(number()) else { return "none".into() };
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

/// The switchboard of a group, or a number that stands for none.
#[test]
fn a_number_of_very_many_takes_no_longer_than_as_many_numbers() {
    const MANY: u32 = 20_000;
    let took = |number: &dyn Fn(u32) -> Number| {
        let list: List = (1..=MANY)
            .map(|n| Entry::example(number(n), (n, &format!("Person {n}")), (n, &format!("Company {n}"))))
            .collect();
        let rules = Rules { keeps_hidden: true, ..Rules::default() };
        let input = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
        let begun = std::time::Instant::now();
        merge_by(&rules, &["s0".into()], vec![input]).unwrap();
        begun.elapsed()
    };
    let of_many = took(&|n| Number::new(47, u64::from(22_000_000 + n)).unwrap());
    let of_one = took(&|_| number());
    // Each compared with each takes thousands of times as long.
    assert!(of_one < of_many * 20, "{of_one:?}, {of_many:?}");
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
fn those_who_look_the_same_are_the_same() {
    let one = |entries| vec![(0, entries)];
    for (what, entries, expected) in [
        (
            "a company under two ids",
            vec![entry(0, "", 10, "Fjord Sjømat AS"), entry(0, "", 20, "FJORD  Sjømat AS")],
            "Fjord Sjømat AS [s0]",
        ),
        ("two blanks", vec![entry(1, "Ola Berg", 0, ""), entry(2, "Ola  Berg", 0, "")], "Ola Berg of - [s0]"),
        (
            "no ids",
            vec![entry(0, "Ola\u{a0}Berg", 0, ""), entry(0, "ola berg", 0, "")],
            "Ola\u{a0}Berg of - [s0]",
        ),
        (
            "decomposed, and with a zero-width space",
            vec![entry(1, "A\u{30a}sa", 0, ""), entry(2, "Ås\u{200b}a", 0, "")],
            "A\u{30a}sa of - [s0]",
        ),
        (
            "with and without the company",
            vec![entry(1, "Kari", 0, ""), entry(2, "Kari", 10, "Fjord")],
            "Kari of Fjord [s0]",
        ),
        (
            "likewise without ids",
            vec![entry(0, "Kari", 0, "Fjord"), entry(0, "Kari", 0, "")],
            "Kari of Fjord [s0]",
        ),
        (
            "with the company under two ids, and the company itself",
            vec![entry(1, "Kari", 10, "Fjord"), entry(2, "KARI", 20, "fjord"), entry(0, "", 30, "Fjord")],
            "Kari of Fjord [s0]",
        ),
        (
            "colleagues in one company under two ids",
            vec![entry(1, "Kari", 10, "Fjord"), entry(2, "Ola", 20, "Fjord ")],
            "Fjord [s0]",
        ),
        (
            "the same name in two companies",
            vec![entry(1, "Ola", 10, "Fjord"), entry(2, "Ola", 20, "Globex")],
            "Fjord / Globex [s0]",
        ),
        (
            "an id that is written in two ways",
            vec![entry(1, "Kari N", 10, "F"), entry(1, "Kari", 10, "F")],
            "Kari of F [s0]",
        ),
    ] {
        assert_eq!(answer(&one(entries.clone())), expected, "{what}");
        assert_eq!(
            answer(&one(entries.into_iter().rev().collect())),
            expected,
            "{what}, the other way round"
        );
    }
}

#[test]
fn an_id_is_handed_on_where_all_agree() {
    let ids = |entries: Vec<Entry>| {
        let directory = merge_one(&Rules::default(), entries);
        match directory.find(number()).unwrap().choice {
            Choice::Person { person, company } => (person.id, company.map_or(0, |company| company.id)),
            Choice::Company(company) => (0, company.id),
            other => unreachable!("{other:?}"),
        }
    };
    assert_eq!(ids(vec![entry(1, "Kari", 10, "Fjord"), entry(1, "KARI", 10, "Fjord")]), (1, 10));
    assert_eq!(ids(vec![entry(1, "Kari", 10, "Fjord"), entry(2, "Kari", 10, "Fjord")]), (0, 10));
    assert_eq!(ids(vec![entry(1, "Kari", 10, "Fjord"), entry(1, "Kari", 20, "fjord")]), (1, 0));
    assert_eq!(ids(vec![entry(0, "", 10, "Fjord"), entry(0, "", 20, "FJORD")]), (0, 0));
    assert_eq!(ids(vec![entry(1, "Kari", 0, ""), entry(0, "Kari", 10, "Fjord")]), (1, 10));
}

#[test]
fn a_less_likely_number_answers_only_where_nobody_else_has_it() {
    let unlikely = |entry: Entry| Entry { likely: false, ..entry };
    let (kari, eve) = (|| entry(1, "Kari", 10, "Fjord"), || entry(3, "Eve", 20, "Globex"));
    for (lists, expected) in [
        (vec![(0, vec![unlikely(kari())])], "Kari of Fjord [s0]"),
        (vec![(0, vec![unlikely(kari()), eve()])], "Eve of Globex [s0]"),
        (vec![(0, vec![unlikely(kari())]), (1, vec![eve()])], "Eve of Globex [s1]"),
        (vec![(0, vec![unlikely(kari()), unlikely(eve())])], "Fjord / Globex [s0]"),
        (vec![(0, vec![unlikely(kari())]), (1, vec![unlikely(eve())])], "Kari of Fjord [s0]"),
    ] {
        assert_eq!(answer(&lists), expected);
    }
    let likely = |entry: Entry| merge_one(&Rules::default(), [entry]).find(number()).unwrap().likely;
    assert_eq!((likely(kari()), likely(unlikely(kari()))), (true, false));
}

#[test]
fn what_is_shown_for_a_shared_number_is_a_setting() {
    use SharedNumbers::{Both, Company, None};
    let kari = || entry(1, "Kari", 10, "Fjord");
    let ola = || entry(2, "Ola", 10, "Fjord");
    let eve = || entry(3, "Eve", 20, "Globex");
    let (lone, solo) = (|| entry(4, "Lone", 0, ""), || entry(5, "Solo", 0, ""));
    let fjord = || entry(0, "", 10, "Fjord");
    let globex = || entry(0, "", 20, "Globex");
    let one = |entries| vec![(0, entries)];
    let two_users = |first, second| vec![(0, vec![first]), (0, vec![second])];
    let two_groups = |first, second| vec![(0, vec![first]), (1, vec![second])];
    for (what, lists, company, both, none) in [
        ("a person in two users' lists", two_users(kari(), kari()), "Kari", "Kari", "Kari"),
        ("two persons in one company", one(vec![kari(), ola()]), "Fjord", "Fjord", "ambiguous"),
        ("they, in two users' lists", two_users(kari(), ola()), "Fjord", "Fjord", "ambiguous"),
        ("they and their company", one(vec![kari(), ola(), fjord()]), "Fjord", "Fjord", "ambiguous"),
        ("a person and the own company", one(vec![kari(), fjord()]), "Kari", "Kari", "Kari"),
        ("they, in two users' lists", two_users(fjord(), kari()), "Kari", "Kari", "Kari"),
        ("a company in two users' lists", two_users(fjord(), fjord()), "Fjord", "Fjord", "Fjord"),
        ("two companies", one(vec![fjord(), globex()]), "ambiguous", "Fjord / Globex", "ambiguous"),
        ("two persons of two", one(vec![kari(), eve()]), "ambiguous", "Fjord / Globex", "ambiguous"),
        (
            "a person, another's company",
            one(vec![kari(), globex()]),
            "ambiguous",
            "Fjord / Globex",
            "ambiguous",
        ),
        (
            "they, in two users' lists",
            two_users(globex(), kari()),
            "ambiguous",
            "Fjord / Globex",
            "ambiguous",
        ),
        ("two without a company", one(vec![lone(), solo()]), "ambiguous", "ambiguous", "ambiguous"),
        ("one without, and a company", one(vec![lone(), fjord()]), "ambiguous", "ambiguous", "ambiguous"),
        ("two persons in two groups", two_groups(kari(), eve()), "Kari", "Kari", "Kari"),
        ("two companies in two groups", two_groups(fjord(), globex()), "Fjord", "Fjord", "Fjord"),
        ("without a company, in two groups", two_groups(lone(), solo()), "Lone", "Lone", "Lone"),
    ] {
        for (shared, expected) in [(Company, company), (Both, both), (None, none)] {
            let found = answer_by(shared, &lists);
            let shown = found.split(" [").next().and_then(|text| text.split(" of ").next());
            assert_eq!(shown, Some(expected), "{what}, {shared:?}");
        }
    }
}

#[test]
fn what_entries_tell_differently_of_the_same_one_is_taken_from_the_earliest_source() {
    let tells = |person: &str, company: &str| entry(1, person, 10, company);
    let lists = [(0, vec![tells("Kari N", "Fjord")]), (0, vec![tells("Kari", "Fjord AS")])];
    assert_eq!(answer(&lists), "Kari N of Fjord [s0]");
    // Within one source the order of the rows plays no part.
    assert_eq!(answer(&[(0, vec![tells("Kari", "Fjord"), tells("Ada", "Fjord")])]), "Ada of Fjord [s0]");
    assert_eq!(answer(&[(0, vec![tells("Ada", "Fjord"), tells("Kari", "Fjord")])]), "Ada of Fjord [s0]");
}

#[test]
fn ids_are_kept_and_rows_are_shared() {
    let second = Entry { number: Number::new(47, 99).unwrap(), ..entry(1, "Kari", 10, "Fjord") };
    let directory = merge_one(&Rules::default(), [second, entry(1, "Kari", 10, "Fjord")]);
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
        (person + company > 0).then(|| {
            let number = Number::new(47, 22_334_400 + number).unwrap();
            Entry::example(number, (person, &name(person, "person")), (company, &name(company, "company")))
        })
    });
    prop::collection::vec(entry, 0..12)
}

/// The answers of a directory for these numbers, with the source.
fn answers(groups: &[u16], lists: &[Vec<Entry>]) -> Vec<Option<String>> {
    let sources: Vec<u16> = (0_u16..).take(lists.len()).collect();
    answers_of(&sources, groups, lists)
}

/// As [`answers`], where several lists may be of the same source.
fn answers_of(of: &[u16], groups: &[u16], lists: &[Vec<Entry>]) -> Vec<Option<String>> {
    let origins: Vec<Origin> = (0..lists.len()).map(|at| format!("s{at}").as_str().into()).collect();
    let made: Vec<List> = lists.iter().map(|entries| entries.iter().cloned().collect()).collect();
    let listed = of.iter().zip(groups.iter().zip(&made)).map(|(origin, (group, list))| MergeInput {
        origin: *origin,
        group: *group,
        records: Box::new(list.records()),
    });
    let directory = merge(&origins, listed.collect()).unwrap();
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
    fn the_order_of_rows_and_of_a_sources_lists_never_changes_an_answer(
        list in any_list(), other in any_list(), seed: u64,
    ) {
        // Wilder than any CRM: the same ids with several names, and persons who are in two companies.
        let tells = |entry: &Entry, at: usize| {
            let company_id = if at.is_multiple_of(3) { entry.company_id } else { 1 + u32::from(at % 2 == 1) };
            Entry { person: format!("{}{}", entry.person, at % 2), company_id, company: "C".into(), ..entry.clone() }
        };
        let list: Vec<Entry> = list.iter().enumerate().flat_map(|(at, entry)| [entry.clone(), tells(entry, at)]).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut shuffled, mut others) = (list.clone(), other.clone());
        random.shuffle(&mut shuffled);
        random.shuffle(&mut others);
        let told = answers_of(&[0, 0], &[0, 0], &[list, other]);
        prop_assert_eq!(told, answers_of(&[0, 0], &[0, 0], &[others, shuffled]));
    }
}
