//! `[[asterisk]]`.

use super::*;

const PASSWORD: &str = "password = \"x\"\n";

#[test]
fn certificates_are_for_https() {
    let tls = PBX.replace("http://127.0.0.1:8088", "https://pbx.example:8089");
    let config = parse(&format!("{HEAD}{CSV}{tls}{PASSWORD}ca_file = \"pbx.pem\"\n")).unwrap();
    assert_eq!(config.asterisks[0].ca_file.as_deref(), Some(Path::new("/etc/nameplate/pbx.pem")));

    let error = parse(&format!("{HEAD}{CSV}{PBX}{PASSWORD}ca_file = \"pbx.pem\"\n")).unwrap_err();
    let expected = "nameplate.toml:7: [[asterisk]] `pbx1`: `ca_file` is for https://, and `url` is http://127.0.0.1:8088/";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn no_two_have_one_application() {
    let two = |changes: [(&str, &str); 2]| {
        let other = changes.iter().fold(PBX.to_owned(), |pbx, (from, to)| pbx.replace(from, to));
        parse(&format!("{HEAD}{CSV}{PBX}{PASSWORD}{other}{PASSWORD}"))
    };
    assert!(two([("pbx1", "pbx2"), ("8088", "8089")]).is_ok());
    assert!(two([("pbx1", "pbx2"), ("username", "app = \"nameplate-2\"\nusername")]).is_ok());
    let error = two([("pbx1", "pbx2"), ("8088", "8088/")]).unwrap_err();
    let expected = "nameplate.toml:12: [[asterisk]] `pbx2`: `pbx1` has the app `nameplate` at http://127.0.0.1:8088/ already";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_pbx_may_have_numbers_of_its_own() {
    let head = format!("{HEAD}area_code = \"22\"\ninternal = [\"1xx\"]\n{CSV}{PBX}password = \"p\"\n");
    let numbers = |own: &str| {
        let mut config = parse(&format!("{head}numbers = {{ {own} }}\n")).unwrap();
        config.asterisks.remove(0).pbx.numbers
    };
    let common = parse(&head).unwrap();
    assert_eq!(common.pbx.numbers.short_codes, crate::number::SHORT_CODES);
    assert_eq!(common.asterisks[0].pbx.numbers, common.pbx.numbers);
    assert_eq!(numbers("country = \"NO\"").area_code.as_deref(), Some("22"));
    assert_eq!(numbers("country = \"SE\", area_code = \"8\"").area_code.as_deref(), Some("8"));
    assert_eq!(numbers("internal = []").internal, []);
    assert_eq!(numbers("short_codes = [\"112\"]").short_codes, ["112"]);
}

#[test]
fn pbxs_with_the_same_number_settings_share_their_answers() {
    let pbx = |name: &str, numbers: &str| {
        format!("{}app = \"{name}\"\npassword = \"x\"\n{numbers}\n", PBX.replace("pbx1", name))
    };
    let sweden = "numbers = { country = \"SE\" }";
    let text = [pbx("a", ""), pbx("b", sweden), pbx("c", "numbers = { country = \"NO\" }"), pbx("d", sweden)];
    let config = parse(&format!("{HEAD}{CSV}{}", text.concat())).unwrap();
    let ids: Vec<u16> = config.asterisks.iter().map(|asterisk| asterisk.pbx.id).collect();
    assert_eq!((config.pbx.id, ids.as_slice()), (0, &[0, 1, 0, 1][..]));
}
