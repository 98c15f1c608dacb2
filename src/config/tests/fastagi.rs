//! `[agi]`.

use super::*;

fn agi(lines: &str) -> agi::Settings {
    let text = format!("{HEAD}area_code = \"22\"\n{CSV}[agi]\n{lines}\n");
    parse(&text).unwrap().agi.unwrap()
}

#[test]
fn alone_it_is_for_this_machine() {
    assert!(parse(&format!("{HEAD}{CSV}")).unwrap().agi.is_none());
    let settings = agi("");
    assert_eq!((settings.listen.to_string().as_str(), settings.is_default), ("127.0.0.1:4577", true));
    assert_eq!(settings.max_sessions, 256);
    for (address, is_allowed) in
        [("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("192.0.2.7", false), ("::2", false)]
    {
        let address = address.parse().unwrap();
        let allowed = settings.allow.iter().any(|network| network.contains::<&std::net::IpAddr>(&address));
        assert_eq!(allowed, is_allowed, "{address}");
    }
    assert_eq!((settings.pbx.id, settings.pbx.numbers.country.as_str()), (0, "NO"));
    // An address that is written is no default, even if it is the same.
    assert!(!agi("listen = \"127.0.0.1:4577\"").is_default);
}

#[test]
fn every_key_of_it_has_its_effect() {
    let settings =
        agi("listen = \"192.0.2.1:4000\"\nallow = [\"192.0.2.7\", \"10.0.0.0/8\"]\nmax_sessions = 3");
    assert!(!settings.is_default);
    assert_eq!((settings.listen.to_string().as_str(), settings.max_sessions), ("192.0.2.1:4000", 3));
    let allow: Vec<_> = settings.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["192.0.2.7/32", "10.0.0.0/8"]);
}

#[test]
fn networks_of_ipv4_may_be_written_as_ones_of_ipv6() {
    let settings = agi(
        "allow = [\"::ffff:10.1.0.0/112\", \"::ffff:192.0.2.7\", \"::ffff:0:0/96\", \"::/0\", \"2001:db8::/32\"]",
    );
    let allow: Vec<_> = settings.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["10.1.0.0/16", "192.0.2.7/32", "0.0.0.0/0", "::/0", "2001:db8::/32"]);
}

#[test]
fn it_may_have_numbers_of_its_own() {
    let settings = agi("numbers = { country = \"SE\", area_code = \"8\", strip_prefixes = [\"0\"] }");
    assert_eq!(settings.pbx.numbers.country.as_str(), "SE");
    assert_eq!(settings.pbx.numbers.area_code.as_deref(), Some("8"));
    assert_eq!(settings.pbx.numbers.strip_prefixes, ["0"]);
    // Kept answers are not shared with a PBX.
    assert_eq!(settings.pbx.id, u16::MAX);
    // An absent key is taken from `[numbers]`.
    assert_eq!(agi("numbers = { strip_prefixes = [\"9\"] }").pbx.numbers.area_code.as_deref(), Some("22"));
}
