//! Lists on disk: written, damaged, of other versions.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::number::Number;

fn entry(national: u64) -> Entry {
    Entry {
        number: Number::new(47, national).unwrap(),
        person_id: 654,
        person: format!("Person {national} Ærø"),
        mrmrs: String::new(),
        company_id: 243,
        company: "Fjord Sjømat AS".into(),
        likely: national % 2 == 1,
    }
}

fn written(count: u64) -> (TempDir, PathBuf, Vec<Entry>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sales.list");
    let entries: Vec<_> = (1..=count).map(entry).collect();
    let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 0, hash: "abc".into() };
    ListFile::write(&path, header, &entries.iter().cloned().collect()).unwrap();
    (folder, path, entries)
}

#[test]
fn what_was_written_is_read() {
    let (_folder, path, entries) = written(1000);
    let file = ListFile::open(&path).unwrap();
    let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 1000, hash: "abc".into() };
    assert_eq!(file.header(), &header);
    assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_list_can_be_read_when_another_one_is_in_its_place() {
    let (_folder, path, entries) = written(3);
    let file = ListFile::open(&path).unwrap();
    // Another hash, so that its entries begin elsewhere.
    let header = Header { fingerprint: 7, taken: 1_790_000_000, count: 0, hash: "abcdef".into() };
    let new = ListFile::write(&path, header, &[entry(9)].into_iter().collect()).unwrap();
    assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
    assert_eq!(new.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [entry(9)]);
    fs::remove_file(&path).unwrap();
    assert_eq!(file.entries().unwrap().count(), 3);
}

#[test]
fn damage_since_it_was_opened_is_noticed() {
    let (_folder, path, _) = written(3);
    let file = ListFile::open(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // A letter of the last name.
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = file.entries().unwrap().last().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "its checksum is wrong");
    // No other replica gets it.
    assert_eq!(file.copy_to(&mut Vec::new()).unwrap_err().to_string(), "its checksum is wrong");
}

#[test]
fn an_empty_list_is_a_list() {
    let (_folder, path, _) = written(0);
    assert_eq!(ListFile::open(&path).unwrap().entries().unwrap().count(), 0);
}

#[test]
fn any_cut_is_noticed() {
    let (_folder, path, _) = written(3);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "cut to {length}");
    }
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "one byte more");
}

#[test]
fn a_file_of_a_later_version_is_neither_damaged_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sales.list");
    for (begin, version) in [("nameplate list 3\n", 3), ("nameplate list 4294967295\nx", u32::MAX)] {
        fs::write(&path, begin).unwrap();
        let error = ListFile::open(&path).unwrap_err();
        assert!(matches!(error, FileError::Later { version: is, .. } if is == version), "{error}");
        let list = [entry(9)].into_iter().collect();
        let error = ListFile::write(&path, Header::default(), &list).unwrap_err().to_string();
        assert!(error.contains("of a later version"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), begin.as_bytes());
    }
    for begin in
        ["nameplate list 0\n", "nameplate list x\n", "nameplate list ", "nameplate list 99999999999\n"]
    {
        fs::write(&path, begin).unwrap();
        assert!(matches!(ListFile::open(&path), Err(FileError::Damaged { .. })), "{begin}");
    }
}

#[test]
fn a_file_of_the_first_version_gets_its_zeros_back() {
    let number = |zeros, national| Number::with_zeros(39, zeros, national).unwrap();
    let of = |number| Entry { number, likely: true, ..entry(1) };
    let (_folder, path, _) = written(0);
    // 02 12348326 has lost its zero, the mobile 312 3456789 has none.
    let list = [of(number(0, 212_348_326)), of(number(0, 3_123_456_789))].into_iter().collect();
    ListFile::write(&path, Header::default(), &list).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[..MAGIC.len()].copy_from_slice(WITHOUT_ZEROS);
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let file = ListFile::open(&path).unwrap();
    let entries: Vec<_> = file.entries().unwrap().map(Result::unwrap).collect();
    assert_eq!(entries, [of(number(0, 3_123_456_789)), of(number(1, 212_348_326))]);
    assert!(ListFile::write(&path, Header::default(), &List::default()).is_ok());
}

#[test]
fn a_missing_file_is_told_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(ListFile::open(&folder.path().join("x.list")), Err(FileError::Missing(_))));
}

#[test]
fn a_failed_write_leaves_the_old_list() {
    let (folder, path, entries) = written(3);
    // A folder where the new file would be: it can't be written.
    fs::create_dir(folder.path().join("sales.list.new")).unwrap();
    let list = [entry(9)].into_iter().collect();
    assert!(ListFile::write(&path, Header::default(), &list).is_err());
    let file = ListFile::open(&path).unwrap();
    assert_eq!(file.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), entries);
}

#[test]
fn a_damaged_file_is_set_aside() {
    let (folder, path, _) = written(1);
    assert_eq!(set_aside(&path, 42).unwrap(), folder.path().join("sales.list.damaged-42"));
    assert!(!path.exists());
}

proptest! {
    #[test]
    fn any_damage_of_any_byte_is_noticed(place: prop::sample::Index, flip in 1..=u8::MAX) {
        let (_folder, path, _) = written(5);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        fs::write(&path, &bytes).unwrap();
        let opened = ListFile::open(&path);
        prop_assert!(matches!(opened, Err(FileError::Damaged { .. })), "byte {} ^ {}", place, flip);
    }
}
