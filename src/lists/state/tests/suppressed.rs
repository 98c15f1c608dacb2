//! Numbers that must not be named: not on disk, and no loss.

use super::*;
use crate::directory::suppressed::Suppressed;

/// A hundred people, whose ids begin at 101, so that no name is a part of another one.
fn hundred() -> People {
    people(101, 100)
}

/// Those of them at these places.
fn part(places: std::ops::Range<usize>) -> People {
    hundred().into_iter().skip(places.start).take(places.len()).collect()
}

impl Lab {
    /// The first so many of the hundred must not be named.
    fn suppress(&mut self, count: u64) {
        let hidden = (101..101 + count).filter_map(|number| Number::new(47, 20_000_000 + number));
        self.state.store.suppress(Suppressed::default().with(hidden));
    }

    /// The files with a person's name.
    fn files_with(&self, id: u32) -> Vec<String> {
        let name = format!("Person {id}");
        let files = std::fs::read_dir(self.folder.path().join("lists")).unwrap().flatten();
        let has = |path: &std::path::Path| {
            std::fs::read(path).unwrap().windows(name.len()).any(|part| part == name.as_bytes())
        };
        let mut found: Vec<_> = files
            .filter(|file| has(&file.path()))
            .map(|file| file.file_name().into_string().unwrap())
            .collect();
        found.sort();
        found
    }
}

#[test]
fn most_of_a_list_may_be_suppressed_and_is_no_loss() {
    let mut lab = Lab::with(&hundred());
    lab.suppress(80);
    assert!(lab.comes(&hundred()), "more than half of the numbers are gone");
    assert_eq!((lab.in_use(), lab.files_with(101)), (20, vec![]));
    lab.suppress(100);
    assert!(lab.comes(&hundred()));
    assert_eq!(lab.in_use(), 0);
    // And what is really lost still counts.
    let mut lab = Lab::with(&hundred());
    lab.suppress(10);
    assert!(!lab.comes(&part(0..40)));
}

#[test]
fn no_file_has_it_and_what_is_held_back_can_be_taken() {
    let mut lab = Lab::with(&hundred());
    // Two are lost, and a list of ten is held back.
    assert!(lab.comes(&part(2..100)));
    assert!(!lab.comes(&part(0..10)));
    std::fs::write(lab.folder.path().join("lists/crm.list.damaged-7"), "Person 101").unwrap();
    assert_eq!(lab.files_with(101), ["crm.held", "crm.list.damaged-7", "crm.missing"]);
    assert_eq!(lab.files_with(103), ["crm.held", "crm.list", "crm.list.copy"]);
    lab.suppress(3);
    let cleared = lab.state.take_out_suppressed();
    assert_eq!((cleared.records, cleared.others, cleared.damaged, cleared.error), (1, 5, 1, None));
    for id in 101..=103 {
        assert_eq!(lab.files_with(id), Vec::<String>::new(), "{id}");
    }
    assert_eq!((lab.in_use(), lab.state.hash()), (97, None));
    assert!(matches!(lab.state.take_held(lab.now), Ok(New { count: 7, .. })));
}

#[test]
fn an_undone_number_comes_back_with_the_same_hash() {
    let mut lab = Lab::with(&hundred());
    lab.suppress(1);
    lab.state.take_out_suppressed();
    lab.judge(delivery(&hundred(), "same"));
    assert_eq!((lab.in_use(), lab.state.hash().as_deref()), (99, Some("same")));
    lab.suppress(0);
    assert_eq!(lab.state.hash(), None, "the source would say that nothing has changed");
    lab.judge(delivery(&hundred(), "same"));
    assert_eq!((lab.in_use(), lab.state.hash().as_deref()), (100, Some("same")));
    lab.restart();
    assert_eq!(lab.state.hash().as_deref(), Some("same"));
}
