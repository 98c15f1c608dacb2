//! Questions to the index of a small directory.

use std::sync::Arc;

use super::index::Index;
use crate::directory::merge::{Rules, merge_one};
use crate::directory::suppressed::{Span, Suppressed};
use crate::entry::Entry;
use crate::number::{Country, Number};

fn number(text: &str) -> Number {
    let country = norway();
    crate::directory::suppressed::number(text, country).unwrap()
}

fn norway() -> Country {
    "NO".parse().unwrap()
}

fn index() -> Index {
    let fjord = (243, "Fjord Sjømat AS");
    let company = (0, "");
    let entries = [
        ("22334455", (654, "Kari Nordmann"), fjord),
        ("90012345", (654, "Kari Nordmann"), fjord),
        ("22334400", company, fjord),
        ("+46 8 123 456 78", (7, "Åse Öberg"), (9, "Älvsby Förlag AB")),
        ("+49 30 123456", (8, "Jürgen Müller"), (0, "")),
        ("+39 02 1234 8326", (11, "Mariù Nardò"), (12, "Vallechiara Qualità S.p.A.")),
        ("22335566", (21, "Karianne Berg"), (22, "Nordmann & Co")),
        // Two colleagues behind one number, and two strangers behind another.
        ("22334460", (31, "Ola Fjell"), fjord),
        ("22334460", (32, "Eva Strand"), fjord),
        ("22777777", (41, "Per Uvenn"), (0, "")),
        ("22777777", (42, "Pål Ukjent"), (0, "")),
    ];
    let entries = entries.map(|(digits, person, company)| Entry::example(number(digits), person, company));
    let rules = Rules { keeps_hidden: true, ..Rules::default() };
    Index::build(Arc::new(merge_one(&rules, entries))).unwrap()
}

fn name(hit: &super::Hit<'_>) -> String {
    let party = hit.party;
    party.person.map_or_else(|| party.company.unwrap().name, |person| person.name).to_owned()
}

/// Who is found, one after the other.
fn found(index: &Index, question: &str) -> String {
    let answer = index.find(question, norway(), &Suppressed::default(), 50);
    assert_eq!(answer.all, answer.hits.len(), "{question}");
    answer.hits.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn words_find_names_by_their_first_letters_in_any_order() {
    let index = index();
    for (question, names) in [
        ("kari", "Kari Nordmann, Karianne Berg"),
        ("KAR", "Kari Nordmann, Karianne Berg"),
        ("nordmann kari", "Kari Nordmann, Karianne Berg"),
        ("nordm karia", "Karianne Berg"),
        ("aase", "Åse Öberg"),
        ("åse", "Åse Öberg"),
        ("ase ob", "Åse Öberg"),
        ("oeb", "Åse Öberg"),
        ("muller", "Jürgen Müller"),
        ("mueller", "Jürgen Müller"),
        ("Müller", "Jürgen Müller"),
        ("nardo", "Mariù Nardò"),
        // The company itself first, then its people.
        ("fjord", "Fjord Sjømat AS, Eva Strand, Kari Nordmann, Ola Fjell"),
        ("sjomat eva", "Eva Strand"),
        ("sjoemat eva", "Eva Strand"),
        // A phone shows neither of the two.
        ("uvenn", "Per Uvenn"),
        ("paal", "Pål Ukjent"),
        // Words and digits.
        ("kari 900", "Kari Nordmann"),
        ("kari 223355", "Karianne Berg"),
        ("ari", ""),
        ("kari xyz", ""),
        ("", ""),
        (" - ", ""),
    ] {
        assert_eq!(found(&index, question), names, "{question}");
    }
}

#[test]
fn digits_find_numbers_by_any_form() {
    let index = index();
    for (question, names) in [
        ("22334455", "Kari Nordmann"),
        ("22 33 44 55", "Kari Nordmann"),
        ("+47 22 33 44 55", "Kari Nordmann"),
        ("004722334455", "Kari Nordmann"),
        ("4722334455", "Kari Nordmann"),
        ("900", "Kari Nordmann"),
        ("2233 44", "Fjord Sjømat AS, Kari Nordmann, Ola Fjell, Eva Strand"),
        ("08-12 34", "Åse Öberg"),
        ("8123", "Åse Öberg"),
        ("+468", "Åse Öberg"),
        ("030 123", "Jürgen Müller"),
        ("02 1234", "Mariù Nardò"),
        ("+39 02", "Mariù Nardò"),
        ("+39 2", ""),
        ("223344551", ""),
        ("99999999999999999999999999", ""),
    ] {
        let sorted = |names: &str| {
            let mut names: Vec<_> = names.split(", ").map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(sorted(&found(&index, question)), sorted(names), "{question}");
    }
}

#[test]
fn a_person_has_all_numbers_but_those_that_must_not_be_named() {
    let index = index();
    let numbers = |question: &str, suppressed: &[&str]| -> Vec<String> {
        let span = |text: &&str| Span::new(text, norway()).unwrap();
        let suppressed: Suppressed = suppressed.iter().map(span).collect();
        let answer = index.find(question, norway(), &suppressed, 50);
        answer.hits.iter().flat_map(|hit| &hit.numbers).map(ToString::to_string).collect()
    };
    assert_eq!(numbers("kari nordm", &[]), ["+4722334455", "+4790012345", "+4722335566"]);
    assert_eq!(numbers("kari nordm", &["22334455", "22335566"]), ["+4790012345"]);
    assert_eq!(numbers("22334455", &["22334455"]), [""; 0]);
    assert_eq!(numbers("uvenn", &["22777777"]), [""; 0]);
}

#[test]
fn no_more_than_wanted_are_told_and_all_are_counted() {
    let index = index();
    let answer = index.find("22", norway(), &Suppressed::default(), 2);
    assert_eq!((answer.hits.len(), answer.all), (2, 7));
    let answer = index.find("fj", norway(), &Suppressed::default(), 1);
    assert_eq!((answer.hits.len(), answer.all, name(&answer.hits[0])), (1, 4, "Fjord Sjømat AS".into()));
}

#[test]
fn long_and_strange_questions_are_answered() {
    let index = index();
    let long = "å".repeat(1_000);
    for question in [long.as_str(), &"a ".repeat(500), "\0", "'", "+", "++47", "Å\u{30a}\u{30a}", "🙂 kari"]
    {
        let _ = index.find(question, norway(), &Suppressed::default(), 50);
    }
    assert_eq!(found(&Index::build(Arc::default()).unwrap(), "kari"), "");
}
