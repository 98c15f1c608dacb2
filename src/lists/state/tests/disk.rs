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
