//! What callers are answered, and from which directory.

mod explanation;
mod guesses;
mod suppressed;
mod tags;

use super::*;
use crate::directory::merge::{Rules, SharedNumbers, merge_one};
use crate::directory::ranges;
use crate::entry::Entry;
use crate::number::Number;

fn directory(entries: Vec<Entry>) -> Directory {
    merge_one(&Rules::default(), entries)
}

/// Guesses, and knows whose +47 2251 8000-8099 are.
fn ranges(shared: SharedNumbers) -> Rules {
    let holder = "contact 243".parse().unwrap();
    let range = ranges::KnownRange::new("+47 2251 8000-8099", holder, "NO".parse().unwrap()).unwrap();
    let known = ranges::KnownRanges::try_new(vec![range]).unwrap();
    Rules { shared, ranges: ranges::Settings { guess: true, known }, ..Rules::default() }
}

fn kari(national: u64) -> Entry {
    let number = Number::new(47, national).unwrap();
    let kari = Entry::example(number, (654, "Kari Nordmann"), (243, "Fjord Sjømat AS"));
    Entry { mrmrs: "Mrs".into(), ..kari }
}

fn norway(id: u32) -> Pbx {
    let country = "NO".parse().unwrap();
    Pbx { id, numbers: number::Settings::new(country) }
}

#[test]
fn a_known_caller_in_the_words_of_the_contract() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let json = serde_json::to_value(resolver.resolve(&norway(0), None, "22334455").as_ref()).unwrap();
    assert_eq!(json["input"], "22334455");
    assert_eq!(json["country"], "NO");
    assert_eq!(json["status"], "found");
    assert_eq!(json["name"], "Kari Nordmann (Fjord Sjømat AS)");
    assert_eq!(json["certainty"], "exact");
    assert_eq!(json["number"], "+4722334455");
    assert_eq!(json["person"], serde_json::json!({"id": 654, "name": "Kari Nordmann", "mrmrs": "Mrs"}));
    assert_eq!(json["company"], serde_json::json!({"id": 243, "name": "Fjord Sjømat AS"}));
    assert_eq!(json["source"], "crm");
    assert_eq!(json["tag"], serde_json::Value::Null);
    assert_eq!(json["shared"], false);
    assert_eq!(json["readings"][0]["number"], "+4722334455");
    assert_eq!(json["readings"][0]["found"], true);
    assert_eq!(json.get("reason"), None);
}

#[test]
fn strangers_words_and_floods() {
    let resolver = Resolver::new(Style::default());
    let status = |caller: &str| {
        let resolution = resolver.resolve(&norway(0), None, caller);
        (resolution.status, resolution.reason)
    };
    assert_eq!(status("22334455"), (Status::NotFound, None));
    assert_eq!(status(""), (Status::Skipped, Some(Reason::NoNumber)));
    assert_eq!(status("anonymous"), (Status::Skipped, Some(Reason::Anonymous)));
    assert_eq!(status("1234"), (Status::Skipped, Some(Reason::Internal)));
    assert_eq!(status("112"), (Status::Skipped, Some(Reason::ShortCode)));
    assert_eq!(status(&"1".repeat(65)), (Status::Skipped, Some(Reason::TooLong)));
}

#[test]
fn an_answer_does_not_outlive_its_directory() {
    let resolver = Resolver::new(Style::default());
    let ask = || resolver.resolve(&norway(0), None, "22334455").status;
    assert_eq!(ask(), Status::NotFound);
    resolver.swap(directory(vec![kari(22_334_455)]));
    assert_eq!(ask(), Status::Found);
    resolver.swap(Directory::default());
    assert_eq!(ask(), Status::NotFound);
}

#[test]
fn the_same_digits_from_two_countries_are_two_questions() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let sweden = Some("SE".parse().unwrap());
    assert_eq!(resolver.resolve(&norway(0), None, "22334455").status, Status::Found);
    assert_eq!(resolver.resolve(&norway(0), sweden, "22334455").status, Status::NotFound);
    assert_eq!(resolver.resolve(&norway(0), sweden, "004722334455").status, Status::Found);
}

#[test]
fn the_answers_of_the_last_callers_are_kept() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let resolve = |caller: usize| resolver.resolve(&norway(0), None, &caller.to_string());
    let first = resolve(0);
    (1..KEPT.get()).for_each(|caller| drop(resolve(caller)));
    assert!(Arc::ptr_eq(&first, &resolve(0)));
    (1..=KEPT.get()).for_each(|caller| drop(resolve(caller)));
    assert!(!Arc::ptr_eq(&first, &resolve(0)));
}

#[test]
fn a_zero_that_the_crm_may_have_lost_makes_it_less_certain() {
    let resolver = Resolver::new(Style::default());
    let stored =
        |code, integer: i64| number::of_crm(Some(code), integer.into(), "NO".parse().unwrap()).unwrap();
    let of = |numbers: number::Numbers| {
        numbers
            .iter()
            .map(|meant| Entry { number: meant.number, likely: meant.likely, ..kari(1) })
            .collect::<Vec<_>>()
    };
    let named = |national, zeros, person: &str| Entry {
        number: Number::with_zeros(39, zeros, national).unwrap(),
        person: person.into(),
        ..kari(1)
    };
    let mut entries =
        [stored(39, 331_123_456), stored(39, 3_311_234_567), stored(39, 212_348_326)].map(of).concat();
    entries.extend([kari(22_334_455), named(332_123_456, 1, "Anna"), named(3_321_234_567, 0, "Bruno")]);
    resolver.swap(directory(entries));
    let certainty = |caller| resolver.resolve(&norway(0), None, caller).certainty;
    for (caller, expected) in [
        // Both +39 331 123456 and +39 0331 123456 are numbers; the second is as long as they usually are.
        ("+390331123456", Some(Certainty::Reading)),
        ("+39331123456", Some(Certainty::Reading)),
        ("+393311234567", Some(Certainty::Exact)),
        ("+3903311234567", Some(Certainty::Reading)),
        // Only with its zero.
        ("+390212348326", Some(Certainty::Exact)),
        // Those of a text have their zeros.
        ("+390332123456", Some(Certainty::Exact)),
        ("+39332123456", None),
        ("+393321234567", Some(Certainty::Exact)),
        ("+3903321234567", None),
        ("+4722334455", Some(Certainty::Exact)),
    ] {
        assert_eq!(certainty(caller), expected, "{caller}");
    }
}

/// What Germany's PBX shows for these digits, how certain it is, and why.
fn shown(resolver: &Resolver, caller: &str) -> (String, Option<Certainty>, Option<Decided>) {
    let germany = Pbx { numbers: number::Settings::new("DE".parse().unwrap()), ..norway(0) };
    let resolution = resolver.resolve(&germany, None, caller);
    let name = resolution.name.as_ref().map_or(String::new(), |name| name.as_str().to_owned());
    (name, resolution.certainty, resolution.decided)
}

#[test]
fn a_name_is_marked_where_another_reading_is_somebody_elses() {
    let person = |code, national, id, person: &str, company: &str| Entry {
        number: Number::new(code, national).unwrap(),
        person_id: id,
        person: person.into(),
        company: company.into(),
        ..kari(1)
    };
    let hans = || person(49, 4_722_334_455, 7, "Hans", "Cux GmbH");
    let (reading, exact) = (Some(Certainty::Reading), Some(Certainty::Exact));
    // 04722 334455 is in Cuxhaven's district, and +47 22 33 44 55 is Kari's.
    for (entries, name, certainty, decided) in [
        (vec![hans(), kari(22_334_455)], "~Hans (Cux GmbH)", reading, Decided::SomebodyElse),
        (vec![hans()], "Hans (Cux GmbH)", exact, Decided::Likeliest),
        (vec![kari(22_334_455)], "Kari Nordmann (Fjord Sjømat AS)", reading, Decided::OtherReading),
        // The same person, and the own company.
        (
            vec![hans(), person(47, 22_334_455, 8, "HANS", "Cux  GmbH")],
            "Hans (Cux GmbH)",
            exact,
            Decided::Likeliest,
        ),
        (
            vec![hans(), person(47, 22_334_455, 0, "", "Cux GmbH")],
            "Hans (Cux GmbH)",
            exact,
            Decided::Likeliest,
        ),
        // Several candidates, none with a name.
        (
            vec![hans(), person(47, 22_334_455, 8, "A", ""), person(47, 22_334_455, 9, "B", "")],
            "~Hans (Cux GmbH)",
            reading,
            Decided::SomebodyElse,
        ),
        // A record that has the number for certain comes before a record that has another reading.
        (
            vec![Entry { likely: false, ..hans() }, kari(22_334_455)],
            "~Kari Nordmann (Fjord Sjømat AS)",
            reading,
            Decided::SomebodyElse,
        ),
        (vec![Entry { likely: false, ..hans() }], "Hans (Cux GmbH)", reading, Decided::OtherNumber),
    ] {
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(entries));
        assert_eq!(shown(&resolver, "4722334455"), (name.into(), certainty, Some(decided)));
    }
    for (doubtful, max_bytes, name, ids, kept) in [
        (Doubtful::Mark, 56, "~Hans (Cux GmbH)", [None, None], Status::NotFound),
        (Doubtful::Mark, 12, "~Hans", [None, None], Status::NotFound),
        (Doubtful::Mark, 4, "~Han", [None, None], Status::NotFound),
        (Doubtful::Show, 56, "Hans (Cux GmbH)", [Some(7), Some(243)], Status::Found),
        (Doubtful::None, 56, "", [None, None], Status::NotFound),
    ] {
        let resolver = Resolver::new(Style { doubtful, max_bytes, ..Style::default() });
        resolver.swap(directory(vec![hans(), kari(22_334_455)]));
        assert_eq!(shown(&resolver, "4722334455").0, name, "{doubtful:?} {max_bytes}");
        let germany = Pbx { numbers: number::Settings::new("DE".parse().unwrap()), ..norway(0) };
        let resolution = resolver.resolve(&germany, None, "4722334455");
        assert_eq!((resolution.ids(), resolution.status_of(true)), (ids, kept), "{doubtful:?}");
        let reason = (doubtful == Doubtful::None).then_some(Reason::Doubtful);
        assert_eq!((resolution.reason, resolution.certainty), (reason, reading), "{doubtful:?}");
        let full = resolver.explain(&germany, None, "4722334455").1.rendering.unwrap().full;
        assert_eq!(full.starts_with('~'), doubtful != Doubtful::Show, "{full}");
    }
}

#[test]
fn all_german_numbers_without_plus_or_with_their_code_twice_are_found() {
    let germany: Country = "DE".parse().unwrap();
    let mut random = fastrand::Rng::with_seed(15);
    // Mobiles, Berlin, Hamburg, Frankfurt, Munich, Cologne, and Leer with subscribers that begin with 5.
    let areas = ["151", "160", "171", "30", "40", "69", "89", "221", "4915"];
    for (place, area) in (0..300).zip(areas.iter().cycle()) {
        let digits = match *area {
            "151" => 8,
            "160" | "171" => 7,
            _ => 5 + place % 3,
        };
        let subscriber: String = (0..digits).map(|_| random.digit(10)).collect();
        let number = format!("{area}{subscriber}");
        let integer = |text: String| text.parse::<i64>().unwrap();
        for (what, numbers) in [
            ("without plus", number::of_text(&format!("49{number}"), germany)),
            ("twice", number::of_text(&format!("4949{number}"), germany)),
            ("prefix 0", number::of_crm(Some(0), integer(format!("49{number}")).into(), germany)),
            ("prefix 49, twice", number::of_crm(Some(49), integer(format!("49{number}")).into(), germany)),
            ("prefix 49", number::of_crm(Some(49), integer(number.clone()).into(), germany)),
        ] {
            let numbers = numbers.unwrap();
            let entries =
                numbers.iter().map(|meant| Entry { number: meant.number, likely: meant.likely, ..kari(1) });
            let resolver = Resolver::new(Style::default());
            resolver.swap(directory(entries.collect()));
            for caller in [format!("+49{number}"), format!("0{number}"), format!("0049{number}")] {
                let (name, ..) = shown(&resolver, &caller);
                assert_eq!(name, "Kari Nordmann (Fjord Sjømat AS)", "{what}: {number}, caller {caller}");
            }
        }
    }
}

#[test]
fn asking_twice_gives_the_very_same_answer() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let first = resolver.resolve(&norway(0), None, "22334455");
    assert!(Arc::ptr_eq(&first, &resolver.resolve(&norway(0), None, "22334455")));
    assert!(!Arc::ptr_eq(&first, &resolver.resolve(&norway(1), None, "22334455")));
}

#[test]
fn a_zero_too_many_is_not_exact() {
    let resolver = Resolver::new(Style::default());
    let ola = Entry { number: Number::new(46, 81_234_567).unwrap(), ..kari(1) };
    resolver.swap(directory(vec![ola]));
    // Sweden's 08-123 45 67; an outside line's zero in front of it is not configured.
    for (caller, certainty) in [("08-123 45 67", Certainty::Exact), ("0 08-123 45 67", Certainty::Reading)] {
        let resolution = resolver.resolve(&norway(0), "SE".parse().ok(), caller);
        assert_eq!(resolution.certainty, Some(certainty), "{caller}: {:?}", resolution.readings);
    }
}

#[test]
fn a_zero_that_the_country_does_not_dial_is_left_out_with_less_certainty() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let resolution = resolver.resolve(&norway(0), None, "022334455");
    assert_eq!((resolution.status, resolution.certainty), (Status::Found, Some(Certainty::Reading)));
    assert_eq!(resolution.number.as_deref(), Some("+4722334455"));
    let stranger = resolver.resolve(&norway(0), None, "022334456");
    assert_eq!((stranger.status, stranger.reason), (Status::NotFound, None));
}

#[test]
fn another_style_is_the_style_of_the_next_call_and_keeps_the_directory() {
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(vec![kari(22_334_455)]));
    let name = |resolver: &Resolver| {
        let resolution = resolver.resolve(&norway(0), None, "22334455");
        resolution.name.as_ref().map(|name| name.as_str().to_owned())
    };
    assert_eq!(name(&resolver).as_deref(), Some("Kari Nordmann (Fjord Sjømat AS)"));
    let person = "{company}, {person}".parse().unwrap();
    resolver.reword(Style { person, ..Style::default() }, Searches::default());
    assert_eq!(name(&resolver).as_deref(), Some("Fjord Sjømat AS, Kari Nordmann"));
    resolver.swap(directory(vec![kari(22_334_455)]));
    assert_eq!(name(&resolver).as_deref(), Some("Fjord Sjømat AS, Kari Nordmann"));
}

#[test]
fn no_two_settings_of_numbers_share_an_id() {
    let [one, other] = ["NO", "SE"].map(|country| Pbx::new(number::Settings::new(country.parse().unwrap())));
    assert!(one.id != other.id && one != other);
    // The id has no meaning of its own.
    let again = Pbx::new(one.numbers.clone());
    assert!(again.id != one.id && again == one);
}
