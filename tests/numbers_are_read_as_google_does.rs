//! Callers' numbers are read as Google's libphonenumber reads them, over 45 countries and all the
//! forms in which trunks send them.

use std::{collections::HashSet, fs, path::Path};

use nameplate::number::{Settings, readings};

/// Why rows of the table are read otherwise.
const TOLL_FREE_WITH_CALLING_CODE: &str = "Eleven digits have a possible length in Brazil, so \
    libphonenumber keeps the calling code 55 as an area code, although no number in use is such. \
    What a trunk means is the toll-free number 0800, which is valid and therefore comes first; \
    libphonenumber's reading comes second.";

/// Rows that are read otherwise than Google does: country, digits, and why.
const EXCEPTIONS: [(&str, &str, &str); 6] = [
    ("BR", "55800123443", TOLL_FREE_WITH_CALLING_CODE),
    ("BR", "55800123934", TOLL_FREE_WITH_CALLING_CODE),
    ("BR", "55800126553", TOLL_FREE_WITH_CALLING_CODE),
    ("BR", "55800128109", TOLL_FREE_WITH_CALLING_CODE),
    ("BR", "55800144488", TOLL_FREE_WITH_CALLING_CODE),
    ("BR", "55800797239", TOLL_FREE_WITH_CALLING_CODE),
];

#[test]
fn the_first_reading_is_googles() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/caller-numbers.tsv");
    let table = fs::read_to_string(table).unwrap();
    let mut exceptions: HashSet<_> = EXCEPTIONS.iter().map(|&(c, d, _)| (c, d)).collect();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [country, digits, google] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a row has three columns: {row}");
        };
        rows += 1;
        let country_of = country.parse().unwrap();
        let found = readings(digits, country_of, &[]);
        // In the way of a call: nothing is skipped, and nothing else comes first.
        let called = Settings::new(country_of).read(digits, country_of);
        assert!(
            called.is_ok_and(|called| called.iter().eq(found.iter())),
            "{row}: {called:?}, not {found:?}"
        );
        let first = found.first().map(|reading| reading.number.to_string());
        let right = first.as_deref() == Some(google);
        let listed = exceptions.remove(&(country, digits));
        if right == listed {
            let state = if listed { "right, but an exception" } else { "wrong" };
            wrong.push(format!("{row}: {state}: {found:?}"));
        }
        if listed {
            assert!(
                found.iter().any(|reading| reading.number.to_string() == google),
                "{row}: not even among {found:?}"
            );
        }
    }
    assert_eq!(rows, 5_900);
    assert!(exceptions.is_empty(), "not in the table: {exceptions:?}");
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
