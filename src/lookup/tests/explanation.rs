//! The explanation of an answer.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

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
        let (resolution, explanation) = resolver.explain(&norway(0), None, "22334455");
        let rendering = explanation.rendering.unwrap();
        assert_eq!(resolution.name.as_ref().map(crate::name::Name::as_str), Some(name), "{person:?}");
        assert_eq!((rendering.key, rendering.full.as_str()), (key, name), "{person:?}");
    }
}

#[test]
fn an_explanation_is_of_the_same_directory_as_its_answer() {
    let resolver = Resolver::new(Style::default());
    let entry = |person: &str| Entry { person: person.into(), ..kari(22_334_455) };
    resolver.swap(directory(vec![entry("Kari Nordmann")]));
    let compared = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for person in ["Ola Nordmann", "Kari Nordmann"].iter().cycle() {
                resolver.swap(directory(vec![entry(person)]));
                if compared.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let differs = (0..20_000).find_map(|_| {
            let (resolution, explanation) = resolver.explain(&norway(0), None, "22334455");
            let name = resolution.name.as_ref().map(|name| name.as_str().to_owned());
            let full = explanation.rendering.map(|rendering| rendering.full);
            (name.is_none() || name != full).then_some((name, full))
        });
        compared.store(true, Ordering::Relaxed);
        assert_eq!(differs, None);
    });
}

#[test]
fn the_explained_answer_is_the_answer() {
    let resolver = Resolver::new(Style::default());
    let ola =
        Entry { person_id: 9, person: "Ola".into(), company_id: 9, company: "Globex".into(), ..kari(1) };
    let ola = Entry { number: kari(22_334_456).number, ..ola };
    let entries = vec![kari(22_334_455), kari(22_334_456), ola, kari(22_518_001)];
    resolver.swap(merge_one(&ranges(SharedNumbers::Both), entries));
    for (caller, key) in [
        ("22334455", Some("person")),
        ("22334456", Some("shared")),
        ("22518002", Some("guess")),
        ("22334457", None),
        ("anonymous", None),
        (&"1".repeat(MAX_CALLER_BYTES + 1), None),
    ] {
        let (resolution, explanation) = resolver.explain(&norway(0), None, caller);
        assert_eq!(resolution, resolver.resolve(&norway(0), None, caller), "{caller}");
        assert_eq!(explanation.rendering.map(|rendering| rendering.key), key, "{caller}");
        assert_eq!(explanation.known.len(), resolution.readings.len(), "{caller}");
    }
}
