//! The answer, in its forms.

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{MergeInput, merge};
use crate::directory::{Company, Origin, Person};
use crate::entry::Entry;
use crate::name::Style;
use crate::number;

fn not_found() -> Resolution {
    let pbx = Pbx { id: 0, numbers: number::Settings::new("NO".parse().unwrap()) };
    Resolver::new(Style::default()).resolve(&pbx, None, "22334455").as_ref().clone()
}

fn both(resolution: &Resolution) -> [Answer; 2] {
    let resolution = Arc::new(resolution.clone());
    [false, true].map(|keeps_name| Answer {
        resolution: Arc::clone(&resolution),
        wanted: Party::Caller,
        keeps_name,
    })
}

fn words(answer: &Answer) -> (String, &'static str, String) {
    let Handoff { extension, label } = answer.handoff(Edition::Plain);
    (extension, label, answer.line(Edition::Plain))
}

#[test]
fn the_longest_answer_fits_an_extension() {
    let mut resolution = not_found();
    for answer in both(&resolution) {
        assert_eq!(words(&answer), ("notfound".into(), "notfound", "NOTFOUND:::".into()));
    }
    resolution.status = Status::Found;
    resolution.name = Name::new(&"Ж".repeat(28), usize::MAX, false);
    resolution.person = Some(Person { id: u32::MAX, name: String::new(), mrmrs: String::new() });
    resolution.company = Some(Company { id: u32::MAX, name: String::new() });
    let [answer, _] = both(&resolution);
    let Handoff { extension, label } = answer.handoff(Edition::Plain);
    assert_eq!((extension.len(), label), (79, "found"));
    assert!(extension.starts_with("=4294967295:4294967295:ЖЖ"));

    (resolution.person, resolution.company) = (None, None);
    resolution.name = Name::new("---", usize::MAX, false);
    let [answer, kept] = both(&resolution);
    assert_eq!(words(&answer), ("=::---".into(), "found", "FOUND:::---".into()));
    assert_eq!(words(&kept), ("=::".into(), "kept", "FOUND:::".into()));
}

#[test]
fn a_context_that_knows_tags_has_the_certainty_and_the_tag() {
    let with = |answer: &Answer| {
        let Handoff { extension, label } = answer.handoff(Edition::Tags);
        (extension, label, answer.line(Edition::Tags))
    };
    let mut resolution = not_found();
    let [answer, _] = both(&resolution);
    assert_eq!(with(&answer), ("notfound".into(), "notfound", "NOTFOUND:::::".into()));

    resolution.status = Status::Found;
    resolution.name = Name::new("Kari", usize::MAX, false);
    resolution.person = Some(Person { id: 654, name: String::new(), mrmrs: String::new() });
    for (certainty, word) in
        [(Certainty::Exact, "exact"), (Certainty::Reading, "reading"), (Certainty::Range, "range")]
    {
        resolution.certainty = Some(certainty);
        resolution.tag = None;
        let [answer, kept] = both(&resolution);
        assert_eq!(with(&answer), ("=654::Kari".into(), word, format!("FOUND:654::Kari:{word}:")));
        assert_eq!(with(&kept), (format!("=654::::{word}"), "kept", format!("FOUND:654:::{word}:")));
        resolution.tag = Some("vip".into());
        let [answer, kept] = both(&resolution);
        assert_eq!(with(&answer), ("=654::Kari:vip".into(), word, format!("FOUND:654::Kari:{word}:vip")));
        assert_eq!(with(&kept), (format!("=654:::vip:{word}"), "kept", format!("FOUND:654:::{word}:vip")));
        // A context of before.
        assert_eq!(words(&answer), ("=654::Kari".into(), "found", "FOUND:654::Kari".into()));
        assert_eq!(words(&kept), ("=654::".into(), "kept", "FOUND:654::".into()));
    }
}

#[test]
fn the_person_called_is_named_behind_a_label_of_its_own() {
    let kari = ((654, "Kari"), (243, "Fjord"));
    let number = number::Number::new(47, 22_334_455).unwrap();
    let pbx = Pbx { id: 0, numbers: number::Settings::new("NO".parse().unwrap()) };
    let list: List = [Entry::example(number, kari.0, kari.1)].into_iter().collect();
    let list = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
    // A name that the provider sent for the caller is none of the person called.
    let resolver = Resolver::new(Style { keep_existing: true, ..Style::default() });
    resolver.swap(merge(&[Origin { source: "crm".into(), tag: "".into() }], vec![list]).unwrap());
    let called = |dialled| {
        let caller = Caller { number: "101", name: "Operator", dialled, ..Caller::default() };
        answer(&resolver, &pbx, Caller { wanted: Party::Called, ..caller })
    };
    for (dialled, extension, line) in [
        ("22334455", "=654:243:Kari (Fjord)", "FOUND:654:243:Kari (Fjord)"),
        ("22334466", "notfound", "NOTFOUND:::"),
        ("112", "skipped", "SKIPPED:::"),
        ("", "skipped", "SKIPPED:::"),
    ] {
        let answer = called(dialled);
        for edition in [Edition::Plain, Edition::Tags] {
            let handoff = answer.handoff(edition);
            assert_eq!((handoff.extension.as_str(), handoff.label), (extension, "called"), "{dialled}");
        }
        assert_eq!(answer.line(Edition::Plain), line);
    }
}

#[test]
fn a_tag_takes_room_only_where_long_ids_leave_none() {
    let long = ("Anne-Sofie Bjørnstad", "Sørlandets og Bjørnøya Fiskerøkeri og Sjømatforretning AS");
    let number = number::Number::new(47, 22_334_455).unwrap();
    let pbx = Pbx { id: 0, numbers: number::Settings::new("NO".parse().unwrap()) };
    for (id, tag, room) in
        [(u32::MAX, "", 56), (u32::MAX, "12345678", 47), (12_345, "12345678", 56), (123_456, "12345678", 55)]
    {
        let list: List = [Entry::example(number, (id, long.0), (id, long.1))].into_iter().collect();
        let list = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
        let origin = Origin { source: "crm".into(), tag: tag.into() };
        let resolver = Resolver::new(Style::default());
        resolver.swap(merge(&[origin], vec![list]).unwrap());
        let answer = answer(&resolver, &pbx, Caller { number: "22334455", ..Caller::default() });
        let name = answer.name().unwrap();
        // A letter of two bytes may not fit in.
        assert!((room - 1..=room).contains(&name.len()) && name.ends_with("…)"), "{name}");
        let Handoff { extension, label } = answer.handoff(Edition::Tags);
        assert!(extension.len() <= 79, "{extension}");
        let behind = if tag.is_empty() { String::new() } else { format!(":{tag}") };
        assert_eq!((extension, label), (format!("={id}:{id}:{name}{behind}"), "exact"));
    }
}

#[test]
fn a_guess_has_no_ids_and_does_not_replace_a_name() {
    let mut range = not_found();
    range.status = Status::Found;
    range.name = Name::new("~Fjord", usize::MAX, false);
    range.company = Some(Company { id: 243, name: "Fjord".into() });
    // A range that the administrator has configured.
    let [answer, kept] = both(&range);
    assert_eq!(words(&answer), ("=:243:~Fjord".into(), "found", "FOUND::243:~Fjord".into()));
    assert_eq!(words(&kept), ("=:243:".into(), "kept", "FOUND::243:".into()));
    range.guessed = true;
    let [answer, kept] = both(&range);
    assert_eq!(words(&answer), ("=::~Fjord".into(), "found", "FOUND:::~Fjord".into()));
    assert_eq!(words(&kept), ("notfound".into(), "notfound", "NOTFOUND:::".into()));
}

#[test]
fn an_unknown_country_of_a_trunk_is_reported() {
    for (word, read, named) in [
        ("", None, None),
        ("  ", None, None),
        (" se ", "SE".parse().ok(), None),
        ("SE", "SE".parse().ok(), None),
        ("Sweden", None, Some("Sweden")),
        ("4722334455", None, Some("••••••••••")),
    ] {
        let mut unknown = None;
        assert_eq!(country(word, |word| unknown = Some(word.to_owned())), read, "{word}");
        assert_eq!(unknown.as_deref(), named, "{word}");
    }
}
