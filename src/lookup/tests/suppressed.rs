//! Numbers that must not be named.

use super::*;
use crate::directory::suppressed::{Span, Suppressed};

fn suppressed(text: &str, country: &str) -> Suppressed {
    [Span::new(text, country.parse().unwrap()).unwrap()].into_iter().collect()
}

#[test]
fn it_is_not_named_from_now_on_and_by_no_range() {
    let resolver = Resolver::new(Style::default());
    let kari = |national| Entry { likely: true, ..kari(national) };
    let all = || merge_one(&ranges(SharedNumbers::Both), vec![kari(22_334_455), kari(22_518_001)]);
    resolver.swap(all());
    let ask = |digits: &str| {
        let answer = resolver.resolve(&norway(0), None, digits);
        (answer.name.as_ref().map(|name| name.as_str().to_owned()), answer.reason, answer.status)
    };
    let named = "Kari Nordmann (Fjord Sjømat AS)";
    assert_eq!(ask("22334455").0.as_deref(), Some(named));
    let hidden = (None, Some(Reason::Suppressed), Status::NotFound);
    resolver.suppress(&suppressed("+4722334455", "NO"));
    for digits in ["22334455", "+4722334455", "004722334455", "4722334455"] {
        assert_eq!(ask(digits), hidden, "{digits}");
    }
    assert_eq!(ask("22518001").0.as_deref(), Some(named));
    // A number with a record, and one that only the range would name.
    resolver.suppress(&suppressed("+47 2251 8000-8009", "NO"));
    assert_eq!((ask("22518001"), ask("22518002")), (hidden.clone(), hidden.clone()));
    assert_eq!(ask("22518010").0.as_deref(), Some("~Fjord Sjømat AS"));
    // Neither a new directory nor another wording brings the name back.
    resolver.swap(all());
    resolver.reword(Style::default(), Searches::default());
    assert_eq!(ask("22518001"), hidden);
    let (answer, explanation) = resolver.explain(&norway(0), None, "22518001");
    assert_eq!(serde_json::to_value(answer.as_ref()).unwrap()["reason"], "suppressed");
    assert_eq!(explanation.known, vec![None; answer.readings.len()]);
    resolver.suppress(&Suppressed::default());
    assert_eq!(ask("22518001").0.as_deref(), Some(named));
}

#[test]
fn a_directory_does_not_have_it() {
    let rules = Rules { suppressed: suppressed("22334455", "NO"), ..Rules::default() };
    let directory = merge_one(&rules, vec![kari(22_334_455), kari(22_334_456)]);
    let find = |national| directory.find(Number::new(47, national).unwrap());
    assert_eq!((directory.len(), find(22_334_455)), (1, None));
    assert!(find(22_334_456).is_some());
}

#[test]
fn the_other_reading_of_the_digits_is_in_doubt_or_not_named() {
    let germany = Pbx { id: 9, numbers: number::Settings::new("DE".parse().unwrap()) };
    // The digits are +49 4915112345678's, or +49 15112345678's, without a plus.
    let digits = "4915112345678";
    let resolver = Resolver::new(Style::default());
    let readings: Vec<Number> =
        resolver.resolve(&germany, None, digits).readings.iter().map(|read| read.reading.number).collect();
    let [first, second] = readings[..] else { panic!("two readings: {readings:?}") };
    let entry = |number, likely| Entry { likely, ..Entry::example(number, (1, "Eva Berg"), (0, "")) };
    let name = |of: Entry, hidden: Number| {
        resolver.swap(directory(vec![of]));
        resolver.suppress(&Suppressed::default().with([hidden]));
        let answer = resolver.resolve(&germany, None, digits);
        answer.name.as_ref().map(|name| name.as_str().to_owned())
    };
    assert_eq!(name(entry(first, true), second).as_deref(), Some("~Eva Berg"));
    assert_eq!(name(entry(first, false), second), None);
    assert_eq!(name(entry(second, true), first), None);
}
