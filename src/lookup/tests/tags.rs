//! The tag by which a dialplan routes a call.

use super::*;
use crate::directory::Origin;
use crate::directory::list::List;
use crate::directory::merge::{MergeInput, merge};
use crate::name::Name;

/// A directory of lists, each with its source, group, tag and entries.
fn tagged(lists: &[(&str, u16, &str, Vec<Entry>)]) -> Directory {
    let made: Vec<List> = lists.iter().map(|(.., entries)| entries.iter().cloned().collect()).collect();
    let origins =
        lists.iter().map(|(source, _, tag, _)| Origin { source: (*source).into(), tag: (*tag).into() });
    let origins: Vec<_> = origins.collect();
    let listed = (0..).zip(lists.iter().zip(&made)).map(|(origin, ((_, group, ..), list))| MergeInput {
        origin,
        group: *group,
        records: Box::new(list.records()),
    });
    merge(&origins, listed.collect()).unwrap()
}

#[test]
fn the_tag_is_that_of_the_list_that_answers() {
    let answer = |lists: &[(&str, u16, &str, Vec<Entry>)]| {
        let resolver = Resolver::new(Style::default());
        resolver.swap(tagged(lists));
        let resolution = resolver.resolve(&norway(0), None, "22334455");
        let name = resolution.name.as_ref().map_or("", Name::as_str).to_owned();
        (name, resolution.source.clone().unwrap_or_default(), resolution.tag.clone().unwrap_or_default())
    };
    let said = |name: &str, source: &str, tag: &str| (name.to_owned(), source.to_owned(), tag.to_owned());
    let name = "Kari Nordmann (Fjord Sjømat AS)";
    let number = Number::new(47, 22_334_455).unwrap();
    let of = |person: (u32, &str), company: (u32, &str)| vec![Entry::example(number, person, company)];
    let kari = || vec![kari(22_334_455)];
    let ola = || of((655, "Ola Hansen"), (243, "Fjord Sjømat AS"));
    let globex = || of((700, "Eva Berg"), (300, "Globex"));
    assert_eq!(answer(&[("crm", 0, "", kari())]), said(name, "crm", ""));
    // Two lists of one source have her: the origin that comes first counts.
    assert_eq!(answer(&[("crm", 0, "vip", kari()), ("crm", 0, "", kari())]), said(name, "crm", "vip"));
    // Of two groups the first answers, with its tag only.
    assert_eq!(answer(&[("file", 0, "", kari()), ("crm", 1, "vip", kari())]), said(name, "file", ""));
    // One of two colleagues has the tag: their company has it.
    let colleagues = [("crm", 0, "vip", ola()), ("crm", 0, "", kari())];
    assert_eq!(answer(&colleagues), said("Fjord Sjømat AS", "crm", "vip"));
    // Different companies: only a tag that both have.
    let both = "Fjord Sjømat AS / Globex";
    assert_eq!(answer(&[("crm", 0, "vip", kari()), ("crm", 0, "", globex())]), said(both, "crm", ""));
    assert_eq!(answer(&[("crm", 0, "vip", kari()), ("crm", 0, "vip", globex())]), said(both, "crm", "vip"));
    // Nobody is named: no tag.
    let nobody = of((655, "Ola Hansen"), (0, ""));
    assert_eq!(answer(&[("crm", 0, "vip", kari()), ("crm", 0, "vip", nobody)]), said("", "crm", ""));
}

#[test]
fn a_guess_and_a_name_in_doubt_have_no_tag() {
    let caller = |resolver: &Resolver, pbx: &Pbx, caller: &str| {
        let resolution = resolver.resolve(pbx, None, caller);
        (resolution.name.as_ref().map_or("", Name::as_str).to_owned(), resolution.tag.clone())
    };
    let mut resolver = Resolver::new(Style::default());
    let german = Number::new(49, 4_722_334_455).unwrap();
    let hans = Entry::example(german, (1, "Hans"), (2, "Cux GmbH"));
    resolver.swap(tagged(&[("crm", 0, "vip", vec![kari(22_334_455), hans])]));
    let germany = Pbx { id: 1, numbers: number::Settings::new("DE".parse().unwrap()) };
    assert_eq!(caller(&resolver, &germany, "4722334455"), ("~Hans (Cux GmbH)".into(), None));
    assert_eq!(caller(&resolver, &germany, "+4722334455").1.as_deref(), Some("vip"));
    // Shown as any other, it has its tag, as it has its ids.
    resolver = Resolver::new(Style { doubtful: Doubtful::Show, ..Style::default() });
    let hans = Entry::example(german, (1, "Hans"), (2, "Cux GmbH"));
    resolver.swap(tagged(&[("crm", 0, "vip", vec![kari(22_334_455), hans])]));
    assert_eq!(caller(&resolver, &germany, "4722334455"), ("Hans (Cux GmbH)".into(), Some("vip".into())));
}
