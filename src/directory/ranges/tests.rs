//! The range of a number, or none.

use proptest::prelude::*;

use super::*;
use crate::directory::list::List;
use crate::directory::merge::{MergeInput, Rules, merge_by, merge_one};
use crate::entry::Entry;
use crate::number::Country;

fn number(code: u16, national: u64) -> Number {
    Number::new(code, national).unwrap()
}

fn company(number: Number, company_id: u32, company: &str) -> Entry {
    Entry::example(number, (0, ""), (company_id, company))
}

fn person(number: Number, person_id: u32, company_id: u32, name: &str) -> Entry {
    Entry { person_id, person: format!("Person {person_id}"), ..company(number, company_id, name) }
}

fn directory(settings: Settings, entries: &[Entry]) -> Directory {
    merge_one(&Rules { ranges: settings, ..Rules::default() }, entries.iter().cloned())
}

fn guessing() -> Settings {
    Settings { guess: true, ..Settings::default() }
}

fn known(ranges: &[(&str, &str)]) -> Result<Settings, RangeError> {
    let norway: Country = "NO".parse().unwrap();
    let range = |(range, holder): &(&str, &str)| KnownRange::new(range, holder.parse()?, norway);
    let ranges = ranges.iter().map(range).collect::<Result<_, _>>()?;
    Ok(Settings { guess: true, known: KnownRanges::try_new(ranges)? })
}

/// The company and the range, or nothing.
fn behind(directory: &Directory, number: Number) -> String {
    match directory.range_of(number) {
        Some(matched) => format!("{} {}", matched.company.name, matched.range),
        None => String::new(),
    }
}

const BERLIN: u16 = 49;

/// Behind +49 30 1234 5: the switchboard's stem, and these digits.
fn extension(digits: &str) -> Number {
    number(BERLIN, format!("3012345{digits}").parse().unwrap())
}

#[test]
fn a_switchboard_has_the_numbers_behind_its_stem() {
    let directory = directory(guessing(), &[company(extension("0"), 7, "Acme")]);
    for (digits, expected) in [
        ("1", "Acme +493012345"),
        ("12", "Acme +493012345"),
        ("0123", "Acme +493012345"),
        ("9999", "Acme +493012345"),
        ("99999", ""),
        ("", ""),
    ] {
        assert_eq!(behind(&directory, extension(digits)), expected, "{digits}");
    }
    assert_eq!(behind(&directory, number(BERLIN, 30_123_461)), "", "another stem");
    assert_eq!(behind(&directory, number(43, 30_123_451)), "", "another country");
    let found = directory.range_of(extension("12")).unwrap();
    assert_eq!((found.company.id, found.source), (7, Some("crm")));
}

#[test]
fn nothing_is_guessed_unless_it_is_wanted() {
    let directory = directory(Settings::default(), &[company(extension("0"), 7, "Acme")]);
    assert_eq!(behind(&directory, extension("12")), "");
}

#[test]
fn only_a_companys_own_number_is_a_switchboard() {
    let switchboard = extension("0");
    let alone = |number| person(number, 1, 7, "Acme");
    for (what, entries) in [
        ("a person", vec![alone(switchboard)]),
        ("a person beside the company", vec![alone(switchboard), company(switchboard, 7, "Acme")]),
        ("two colleagues", vec![alone(switchboard), person(switchboard, 2, 7, "Acme")]),
        ("two companies", vec![company(switchboard, 7, "Acme"), company(switchboard, 8, "Globex")]),
        ("a mobile", vec![company(number(BERLIN, 15_123_456_780), 7, "Acme")]),
        ("a country of closed lengths", vec![company(number(47, 22_334_450), 7, "Acme")]),
    ] {
        let directory = directory(guessing(), &entries);
        for number in [extension("12"), number(BERLIN, 15_123_456_781), number(47, 22_334_451)] {
            assert_eq!(behind(&directory, number), "", "{what}, {number}");
        }
    }
}

#[test]
fn a_guess_is_given_up_where_the_directory_says_otherwise() {
    let acme = company(extension("0"), 7, "Acme");
    let all = ["1", "56", "5678", "61"];
    for (what, other, left) in [
        ("its own person", person(extension("56"), 1, 7, "Acme"), vec!["1", "56", "5678", "61"]),
        ("its own person, next to it", person(extension("7"), 1, 7, "Acme"), vec!["1", "56", "5678", "61"]),
        ("a company of the same name", company(extension("56"), 9, "Acme"), vec!["1", "56", "5678", "61"]),
        ("another company", company(extension("56"), 8, "Globex"), vec!["1", "61"]),
        ("another company's person", person(extension("5612"), 1, 8, "Globex"), vec!["1", "61"]),
        ("a person without a company", person(extension("56"), 1, 0, ""), vec!["1", "61"]),
        ("another company, next to it", company(extension("7"), 8, "Globex"), vec![]),
        ("a person without a company, next to it", person(extension("7"), 1, 0, ""), vec![]),
        (
            "somebody beyond four digits",
            company(extension("56789"), 8, "Globex"),
            vec!["1", "56", "5678", "61"],
        ),
    ] {
        let directory = directory(guessing(), &[other, acme.clone()]);
        let found: Vec<_> =
            all.into_iter().filter(|digits| !behind(&directory, extension(digits)).is_empty()).collect();
        assert_eq!(found, left, "{what}");
    }
}

#[test]
fn the_longest_stem_wins() {
    let entries = [company(extension("0"), 7, "Acme"), company(extension("60"), 8, "Globex")];
    let directory = directory(guessing(), &entries);
    assert_eq!(behind(&directory, extension("61")), "Globex +4930123456");
    assert_eq!(behind(&directory, extension("6123")), "Globex +4930123456");
    assert_eq!(behind(&directory, extension("51")), "Acme +493012345");
}

#[test]
fn a_known_range_names_its_company() {
    let settings = known(&[
        ("+47 2251 8000-8099", "contact 243"),
        ("+47 2251 8050–59", "company Kai 5"),
        ("22 60 00 00 - 22 60 00 09", "contact 243"),
        ("+39 02 1234 8000-8099", "company Vallechiara"),
    ]);
    // The company is known by another number.
    let directory = directory(settings.unwrap(), &[person(number(47, 99), 1, 243, "Fjord Sjømat AS")]);
    for (national, expected) in [
        (22_517_999, ""),
        (22_518_000, "Fjord Sjømat AS +4722518000-8099"),
        (22_518_049, "Fjord Sjømat AS +4722518000-8099"),
        (22_518_050, "Kai 5 +4722518050-8059"),
        (22_518_059, "Kai 5 +4722518050-8059"),
        (22_518_060, "Fjord Sjømat AS +4722518000-8099"),
        (22_518_099, "Fjord Sjømat AS +4722518000-8099"),
        (22_518_100, ""),
        (22_600_009, "Fjord Sjømat AS +4722600000-0009"),
        (22_600_010, ""),
    ] {
        assert_eq!(behind(&directory, number(47, national)), expected, "{national}");
    }
    let by_id = directory.range_of(number(47, 22_518_000)).unwrap();
    assert_eq!((by_id.company.id, by_id.source), (243, Some("crm")));
    let named = directory.range_of(number(47, 22_518_050)).unwrap();
    assert_eq!((named.company.id, named.source), (0, None));
    // 02 1234 8000 and 2 1234 8000 are two numbers, though one integer.
    let italian = number(39, 212_348_000);
    assert_eq!(behind(&directory, italian), "");
    let italian = Number::with_zeros(39, 1, 212_348_000).unwrap();
    assert_eq!(directory.range_of(italian).unwrap().range.to_string(), "+390212348000-8099");
    assert_eq!(directory.ranges_of_nobody().count(), 0);
}

#[test]
fn a_company_id_that_no_list_has_is_reported() {
    let settings = known(&[("+47 2251 8000-8099", "company Fjord"), ("+47 2251 8050-8059", "contact 9")]);
    let directory = directory(settings.unwrap(), &[company(number(47, 99), 243, "Fjord")]);
    assert_eq!(behind(&directory, number(47, 22_518_049)), "Fjord +4722518000-8099");
    // Not the company of the wider range.
    assert_eq!(behind(&directory, number(47, 22_518_050)), "");
    assert_eq!(directory.ranges_of_nobody().collect::<Vec<_>>(), [("+4722518050-8059", 9)]);
}

#[test]
fn a_company_id_is_that_of_the_earliest_source() {
    let lists = [company(number(47, 99), 243, "Second"), company(number(47, 98), 243, "First")];
    let lists: Vec<List> = lists.into_iter().map(|entry| [entry].into_iter().collect()).collect();
    let listed = lists.iter().zip([1, 0]).map(|(list, origin)| MergeInput {
        origin,
        group: origin,
        records: Box::new(list.records()),
    });
    let ranges = known(&[("+47 2251 8000-8099", "contact 243")]).unwrap();
    let rules = Rules { ranges, ..Rules::default() };
    let directory = merge_by(&rules, &["a".into(), "b".into()], listed.collect()).unwrap();
    assert_eq!(behind(&directory, number(47, 22_518_000)), "First +4722518000-8099");
}

#[test]
fn the_narrower_of_a_stem_and_a_known_range_wins() {
    let acme = company(extension("0"), 7, "Acme");
    for (range, expected) in [
        // A stem has a hundred numbers of two digits, as many as this range: the configuration is believed.
        ("+49 30 12345 00-99", "Known +49301234500-4599"),
        // Twice as many, then a tenth.
        ("+49 30 1234 400-599", "Acme +493012345"),
        ("+49 30 12345 50-59", "Known +49301234550-4559"),
    ] {
        let directory = directory(known(&[(range, "company Known")]).unwrap(), std::slice::from_ref(&acme));
        assert_eq!(behind(&directory, extension("56")), expected, "{range}");
    }
}

#[test]
fn what_is_no_range_says_what_is_allowed() {
    for (ranges, said) in [
        (&[("+47 22518000", "contact 1")][..], "`+47 22518000` is no range of numbers"),
        (&[("+47 225-8099", "contact 1")], "does not begin with a possible number"),
        (&[("+47 2251 8000-80x9", "contact 1")], "has more than digits behind its last dash"),
        (&[("+47 2251 8000-", "contact 1")], "does not end behind its beginning"),
        (&[("+47 2251 8099-8000", "contact 1")], "does not end behind its beginning"),
        (&[("2251 8000-4722518099", "contact 1")], "has an end that is longer than its beginning"),
        (&[("+47 2251 8000-+46 8 123 456 78", "contact 1")], "has ends of different lengths or countries"),
        (&[("+49 30 12345-+49 30 123459", "contact 1")], "has ends of different lengths or countries"),
        (&[("+47 2000 0000-99999999", "contact 1")], "holds more than 1000000 numbers"),
        (
            &[("+47 2251 8000-8099", "contact 0")],
            "`contact 0` names no company; allowed are forms like `contact 243`",
        ),
        (&[("+47 2251 8000-8099", "contact Fjord")], "`contact Fjord` names no company"),
        (&[("+47 2251 8000-8099", "Fjord")], "`Fjord` names no company"),
        (
            &[("+47 2251 8000-8099", "contact 1"), ("22518000-99", "contact 2")],
            "`+4722518000-8099` is there twice; a number belongs to one company",
        ),
        (
            &[("+47 2251 8000-8099", "contact 1"), ("+47 2251 8099-8100", "contact 2")],
            "`+4722518000-8099` and `+4722518099-8100` overlap",
        ),
    ] {
        let error = known(ranges).unwrap_err().to_string();
        assert!(error.contains(said), "expected: {said}\nfound:    {error}");
    }
}

proptest! {
    /// Ranges that halve, quarter … a thousand numbers, so that each two are apart or one lies in the other.
    #[test]
    fn the_narrowest_range_that_holds_a_number_is_found(
        cuts in prop::collection::btree_set((0..6_u32, 0..32_u64), 0..40), asked in 0..1100_u64,
    ) {
        let start = 22_518_000;
        let ends = |(depth, place): (u32, u64)| {
            let width = 1024 >> depth;
            let first = start + place % (1 << depth) * width;
            (first, first + width - 1)
        };
        let mut all: Vec<_> = cuts.into_iter().map(ends).collect();
        all.sort_unstable();
        all.dedup();
        let labels: Vec<_> = all.iter().map(|(first, last)| format!("+47{first}-{last}")).collect();
        let ranges: Vec<_> = labels.iter().map(|label| (label.as_str(), "company Fjord")).collect();
        let directory = directory(known(&ranges).unwrap(), &[]);
        let number = number(47, start - 20 + asked);
        let holding = all.iter().filter(|(first, last)| (*first..=*last).contains(&number.national()));
        let narrowest = holding.map(|(first, last)| last - first).min();
        let found = directory.ranges.known.find(number).map(|(_, range)| range.width() - 1);
        prop_assert_eq!(found, narrowest);
    }

    #[test]
    fn the_order_of_records_never_changes_whose_a_number_is(
        records in prop::collection::vec((0..200_u64, 0..3_u32, 0..3_u32), 0..12), seed: u64,
    ) {
        let entry = |(last, person_id, company_id): &(u64, u32, u32)| {
            let number = extension(&last.to_string());
            if *person_id == 0 {
                company(number, company_id + 1, &format!("Company {company_id}"))
            } else {
                person(number, *person_id, company_id + 1, &format!("Company {company_id}"))
            }
        };
        let entries: Vec<Entry> = records.iter().map(entry).collect();
        let mut shuffled = entries.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (one, other) = (directory(guessing(), &entries), directory(guessing(), &shuffled));
        for last in 0..300_u64 {
            let number = extension(&last.to_string());
            prop_assert_eq!(behind(&one, number), behind(&other, number));
        }
    }
}
