//! A disk that damages files, and a folder in which somebody has made links.

use super::*;

#[test]
fn a_list_that_a_disk_has_damaged_is_written_anew() {
    let mut lab = Lab::with(&people(1, 10));
    lab.judge(delivery(&people(1, 10), "a"));
    let path = lab.folder.path().join("lists/crm.list");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    // Judged by its copy.
    assert!(!lab.comes(&people(1, 4)));
    assert!(matches!(lab.judge(delivery(&people(1, 10), "a")), New { count: 10, .. }));
    assert!(lab.state.snapshot().is_whole());
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_its_target_stays() {
    let mut lab = Lab::with(&people(1, 10));
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "as it was").unwrap();
    let link = lab.folder.path().join("lists/crm.list.new");
    // A copy takes the place of a list that is missing; and a list is written.
    for restarts in [true, false] {
        std::os::unix::fs::symlink(outside.path(), &link).unwrap();
        if restarts {
            std::fs::remove_file(lab.folder.path().join("lists/crm.list")).unwrap();
            lab.restart();
        } else {
            assert!(lab.comes(&people(1, 9)));
        }
        assert_eq!(std::fs::read_to_string(outside.path()).unwrap(), "as it was");
        assert!(lab.folder.path().join("lists/crm.list").symlink_metadata().unwrap().is_file());
    }
}

#[test]
fn a_command_that_could_not_write_says_so_and_leaves_what_is_held_back() {
    let mut lab = Lab::with(&people(1, 100));
    assert!(lab.comes(&people(1, 60)) && !lab.comes(&people(1, 20)));
    let blocked = lab.folder.path().join("lists/crm.list.new");
    std::fs::create_dir(&blocked).unwrap();
    lab.state = Lab::load(lab.folder.path()).without_counting();
    assert!(matches!(lab.state.take_held(lab.now).unwrap(), New { count: 20, .. }));
    assert!(lab.state.not_on_disk().is_some());
    // The service that begins then has all as it was: the list, what was lost before, and what is held back.
    lab.restart();
    assert_eq!((lab.in_use(), lab.state.held().map(|held| held.count)), (60, Some(20)));
    assert!(!lab.comes(&people(1, 40)), "forty of a hundred had been lost");
    // The service itself serves it, and writes it when there is room.
    assert!(lab.comes(&people(1, 90)) && lab.state.not_on_disk().is_some());
    std::fs::remove_dir(&blocked).unwrap();
    lab.state.is_unchanged();
    assert_eq!(lab.state.not_on_disk(), None);
    lab.restart();
    assert_eq!(lab.in_use(), 90);
}

#[test]
fn a_list_whose_files_are_both_damaged_is_not_given_away_for_an_empty_one() {
    let mut lab = Lab::with(&people(1, 100));
    for name in ["crm.list", "crm.list.copy"] {
        let path = lab.folder.path().join("lists").join(name);
        // In place, as a disk does it: the file stays open.
        let length = std::fs::metadata(&path).unwrap().len();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xff; 40], length / 2).unwrap();
    }
    assert!(lab.state.snapshot().records().is_err() || !lab.state.snapshot().is_whole());
    assert!(!lab.comes(&People::new()), "nobody");
    assert!(!lab.comes(&people(1, 10)), "a tenth");
    assert_eq!(lab.in_use(), 100);
    assert!(lab.comes(&people(1, 100)));
    assert!(lab.state.snapshot().is_whole() && lab.state.held().is_none());
}
