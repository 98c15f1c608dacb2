//! What callers are answered, and from which directory.

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{Listed, Rules, SharedNumbers, merge_by};
use crate::directory::ranges;
use crate::entry::Entry;
use crate::number::Number;

fn directory(entries: Vec<Entry>) -> Directory {
    directory_by(&Rules::default(), entries)
}

fn directory_by(rules: &Rules, entries: Vec<Entry>) -> Directory {
    let list: List = entries.into_iter().collect();
    let listed = Listed { source: 0, group: 0, entries: Box::new(list.entries()) };
    merge_by(rules, &["crm".into()], vec![listed]).unwrap()
}

/// Guesses, and knows whose +47 2251 8000-8099 are.
fn ranges(shared: SharedNumbers) -> Rules {
    let holder = "contact 243".parse().unwrap();
    let range = ranges::KnownRange::new("+47 2251 8000-8099", holder, "NO".parse().unwrap()).unwrap();
    let known = ranges::KnownRanges::try_new(vec![range]).unwrap();
    Rules { shared, ranges: ranges::Settings { guess: true, known } }
}

fn kari(national: u64) -> Entry {
    Entry {
        number: Number::new(47, national).unwrap(),
        person_id: 654,
        person: "Kari Nordmann".into(),
        mrmrs: "Mrs".into(),
        company_id: 243,
        company: "Fjord Sjømat AS".into(),
        likely: true,
    }
}

fn norway(id: u16) -> Pbx {
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
        |code, integer: i64| number::stored(Some(code), integer.into(), "NO".parse().unwrap()).unwrap();
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
        // Several, none of whom is named.
        (
            vec![hans(), person(47, 22_334_455, 8, "A", ""), person(47, 22_334_455, 9, "B", "")],
            "~Hans (Cux GmbH)",
            reading,
            Decided::SomebodyElse,
        ),
        // Whoever has the number for certain comes before a record that can be read otherwise.
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
        let full = resolver.explain(&resolution).rendering.unwrap().full;
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
            ("without plus", number::written(&format!("49{number}"), germany)),
            ("twice", number::written(&format!("4949{number}"), germany)),
            ("prefix 0", number::stored(Some(0), integer(format!("49{number}")).into(), germany)),
            ("prefix 49, twice", number::stored(Some(49), integer(format!("49{number}")).into(), germany)),
            ("prefix 49", number::stored(Some(49), integer(number.clone()).into(), germany)),
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
fn the_template_that_was_used_is_the_one_that_is_explained() {
    let resolver = Resolver::new(Style::default());
    for (person, name, key) in [
        ("Kari Nordmann", "Kari Nordmann (Fjord Sjømat AS)", "person"),
        // Of these a phone shows nothing.
        (" ", "Fjord Sjømat AS", "company"),
        ("\u{200d}", "Fjord Sjømat AS", "company"),
        ("\u{202e}", "Fjord Sjømat AS", "company"),
    ] {
        resolver.swap(directory(vec![Entry { person: person.into(), ..kari(22_334_455) }]));
        let resolution = resolver.resolve(&norway(0), None, "22334455");
        let rendering = resolver.explain(&resolution).rendering.unwrap();
        assert_eq!(resolution.name.as_ref().map(crate::name::Name::as_str), Some(name), "{person:?}");
        assert_eq!((rendering.key, rendering.full.as_str()), (key, name), "{person:?}");
    }
}

#[test]
fn who_lies_in_a_range_is_a_company_and_a_guess() {
    let resolver = Resolver::new(Style::default());
    let switchboard = Entry {
        number: Number::new(49, 30_123_450).unwrap(),
        person_id: 0,
        person: String::new(),
        company: "Acme GmbH".into(),
        company_id: 7,
        ..kari(1)
    };
    resolver.swap(directory_by(&ranges(SharedNumbers::Both), vec![kari(22_518_001), switchboard]));
    let json = |caller| {
        let resolution = resolver.resolve(&norway(0), None, caller);
        serde_json::to_value(resolution.as_ref()).unwrap()
    };
    let known = json("22518002");
    assert_eq!((&known["status"], &known["name"]), (&"found".into(), &"~Fjord Sjømat AS".into()));
    assert_eq!((&known["certainty"], &known["range"]), (&"range".into(), &"+4722518000-8099".into()));
    assert_eq!((&known["number"], &known["source"]), (&"+4722518002".into(), &"crm".into()));
    assert_eq!(known["company"], serde_json::json!({"id": 243, "name": "Fjord Sjømat AS"}));
    assert_eq!((&known["person"], &known["shared"]), (&serde_json::Value::Null, &false.into()));
    // The directory does not know the number itself.
    assert_eq!(known["readings"][0]["found"], false);
    let stem = json("+49301234512");
    assert_eq!((&stem["name"], &stem["range"]), (&"~Acme GmbH".into(), &"+493012345".into()));
    assert_eq!((&stem["certainty"], &stem["company"]["id"]), (&"range".into(), &7.into()));
    // The administrator's word is good for a contact's id, a guess is not, and gives way to a name that came along.
    let said = |caller, keeps| {
        let resolution = resolver.resolve(&norway(0), None, caller);
        (resolution.ids(), resolution.status_of(keeps))
    };
    assert_eq!(said("22518002", true), ([None, Some(243)], Status::Found));
    assert_eq!(said("+49301234512", false), ([None, None], Status::Found));
    assert_eq!(said("+49301234512", true), ([None, None], Status::NotFound));
    assert_eq!(said("22518001", true), ([Some(654), Some(243)], Status::Found));
    // Whoever has a number is the one, exactly, and is in no range.
    let exact = json("22518001");
    assert_eq!(
        (&exact["name"], &exact["certainty"]),
        (&"Kari Nordmann (Fjord Sjømat AS)".into(), &"exact".into())
    );
    assert_eq!(exact.get("range"), None);
    let switchboard = json("+4930123450");
    assert_eq!((&switchboard["name"], &switchboard["certainty"]), (&"Acme GmbH".into(), &"exact".into()));
    let stranger = json("22518100");
    assert_eq!((&stranger["status"], &stranger["certainty"]), (&"notfound".into(), &serde_json::Value::Null));
}

#[test]
fn any_reading_that_is_known_comes_before_a_range() {
    let resolver = Resolver::new(Style::default());
    // 04722 33445 in Cuxhaven's district, and +47 22 33 44 55 without plus; the first lies in a range.
    let holder = "company Range".parse().unwrap();
    let range = ranges::KnownRange::new("+49 4722 334400-334499", holder, "DE".parse().unwrap()).unwrap();
    let known = ranges::KnownRanges::try_new(vec![range]).unwrap();
    let rules = Rules { ranges: ranges::Settings { guess: false, known }, ..Rules::default() };
    let germany = Pbx { numbers: number::Settings::new("DE".parse().unwrap()), ..norway(0) };
    let name = |resolver: &Resolver| {
        let resolution = resolver.resolve(&germany, None, "4722334455");
        (resolution.name.as_ref().map(|name| name.as_str().to_owned()), resolution.certainty)
    };
    resolver.swap(directory_by(&rules, vec![kari(22_334_455)]));
    assert_eq!(name(&resolver), (Some("Kari Nordmann (Fjord Sjømat AS)".into()), Some(Certainty::Reading)));
    resolver.swap(directory_by(&rules, Vec::new()));
    assert_eq!(name(&resolver), (Some("~Range".into()), Some(Certainty::Range)));
}

#[test]
fn an_ambiguous_number_never_falls_through_to_a_range() {
    let other = |company_id, company: &str| Entry {
        person_id: 9,
        person: "Ola".into(),
        company_id,
        company: company.into(),
        ..kari(22_518_001)
    };
    for (shared, entries) in [
        (SharedNumbers::Both, vec![kari(22_518_001), other(0, "")]),
        (SharedNumbers::Company, vec![kari(22_518_001), other(8, "Globex")]),
        (SharedNumbers::None, vec![kari(22_518_001), other(243, "Fjord Sjømat AS")]),
    ] {
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory_by(&ranges(shared), entries));
        let resolution = resolver.resolve(&norway(0), None, "22518001");
        assert_eq!((resolution.status, resolution.reason), (Status::NotFound, Some(Reason::Ambiguous)));
        assert_eq!((&resolution.name, &resolution.range), (&None, &None));
    }
}

#[test]
fn a_number_in_use_is_in_no_range_behind_the_area_code() {
    let resolver = Resolver::new(Style::default());
    let switchboard = Entry {
        number: Number::new(49, 301_512_345_670).unwrap(),
        person_id: 0,
        person: String::new(),
        mrmrs: String::new(),
        company: "Acme GmbH".into(),
        company_id: 7,
        likely: true,
    };
    resolver.swap(directory_by(&ranges(SharedNumbers::Both), vec![switchboard]));
    let mut numbers = number::Settings::new("DE".parse().unwrap());
    numbers.area_code = Some("30".into());
    let berlin = Pbx { id: 0, numbers };
    // 0151 23456789 is a mobile; +49 30 15123456789 would be behind 030 1512345670.
    let mobile = resolver.resolve(&berlin, None, "15123456789");
    let numbers: Vec<_> = mobile.readings.iter().map(|read| read.number.as_str()).collect();
    assert!(numbers.starts_with(&["+4915123456789"]) && numbers.contains(&"+493015123456789"), "{numbers:?}");
    assert_eq!((mobile.status, &mobile.range), (Status::NotFound, &None));
    // With its area code in front it is behind the switchboard.
    let local = resolver.resolve(&berlin, None, "03015123456789");
    let name = local.name.as_ref().map(crate::name::Name::as_str);
    assert_eq!(name, Some("~Acme GmbH"), "{:?}", local.readings);
}

#[test]
fn only_a_valid_number_lies_in_a_range() {
    let holder = "company Range".parse().unwrap();
    // As long as Norwegian numbers are, but none begins with 1 (libphonenumber's metadata).
    let range = ranges::KnownRange::new("+47 12345600-99", holder, "NO".parse().unwrap()).unwrap();
    let known = ranges::KnownRanges::try_new(vec![range]).unwrap();
    let rules = Rules { ranges: ranges::Settings { guess: false, known }, ..Rules::default() };
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory_by(&rules, Vec::new()));
    assert_eq!(resolver.resolve(&norway(0), None, "+4712345601").status, Status::NotFound);
}
