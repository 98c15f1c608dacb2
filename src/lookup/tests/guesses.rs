//! Callers whose number lies in the range of a company.

use super::*;

#[test]
fn who_lies_in_a_range_is_a_company_and_a_guess() {
    let resolver = Resolver::new(Style::default());
    let switchboard = Entry::example(Number::new(49, 30_123_450).unwrap(), (0, ""), (7, "Acme GmbH"));
    resolver.swap(merge_one(&ranges(SharedNumbers::Both), vec![kari(22_518_001), switchboard]));
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
    // The administrator's word is good for a company's id. A guess is not, and gives way to the provider's name.
    let said = |caller, keeps| {
        let resolution = resolver.resolve(&norway(0), None, caller);
        (resolution.ids(), resolution.status_of(keeps))
    };
    assert_eq!(said("22518002", true), ([None, Some(243)], Status::Found));
    assert_eq!(said("+49301234512", false), ([None, None], Status::Found));
    assert_eq!(said("+49301234512", true), ([None, None], Status::NotFound));
    assert_eq!(said("22518001", true), ([Some(654), Some(243)], Status::Found));
    // The record of a number is an exact match, and comes before any range.
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
    resolver.swap(merge_one(&rules, vec![kari(22_334_455)]));
    assert_eq!(name(&resolver), (Some("Kari Nordmann (Fjord Sjømat AS)".into()), Some(Certainty::Reading)));
    resolver.swap(merge_one(&rules, Vec::new()));
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
        resolver.swap(merge_one(&ranges(shared), entries));
        let resolution = resolver.resolve(&norway(0), None, "22518001");
        assert_eq!((resolution.status, resolution.reason), (Status::NotFound, Some(Reason::Ambiguous)));
        assert_eq!((&resolution.name, &resolution.range), (&None, &None));
    }
}

#[test]
fn a_number_in_use_is_in_no_range_behind_the_area_code() {
    let resolver = Resolver::new(Style::default());
    let switchboard = Entry::example(Number::new(49, 301_512_345_670).unwrap(), (0, ""), (7, "Acme GmbH"));
    resolver.swap(merge_one(&ranges(SharedNumbers::Both), vec![switchboard]));
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
    resolver.swap(merge_one(&rules, Vec::new()));
    assert_eq!(resolver.resolve(&norway(0), None, "+4712345601").status, Status::NotFound);
}
