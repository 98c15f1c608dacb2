//! `[share]`

use super::*;
use crate::share::{Servers, Settings};

fn share(text: &str) -> Result<Settings, String> {
    parse(&format!("{HEAD}{CSV}[share]\n{text}\n")).map(|config| config.share.unwrap())
}

/// The settings of the file with every key.
pub(super) fn whole() -> Settings {
    let url = |text: &str| text.parse().unwrap();
    let sentinels =
        vec![url("rediss://valkey-1.example.com:26379"), url("rediss://valkey-2.example.com:26380")];
    let folder = Path::new("/etc/nameplate");
    Settings {
        servers: Servers::Sentinels { sentinels, master: "names".into() },
        username: Some("nameplate".into()),
        password: Some(Secret::File(folder.join("share.password"))),
        ca_file: Some(folder.join("valkey.pem")),
        client: Some((folder.join("nameplate.pem"), folder.join("nameplate.key"))),
        key: Secret::File(folder.join("share.key")),
        site: "oslo".into(),
    }
}

#[test]
fn the_least_there_is() {
    let settings = share("url = \"redis://127.0.0.1\"\nkey_env = \"KEY\"").unwrap();
    let Servers::One(url) = &settings.servers else { unreachable!("one server") };
    assert_eq!((url.as_str(), settings.site.as_str()), ("redis://127.0.0.1:6379", "nameplate"));
    assert!(settings.password.is_none() && !settings.servers.is_tls());
    assert!(parse(&format!("{HEAD}{CSV}")).unwrap().share.is_none());
}

#[test]
fn an_error_says_what_is_allowed() {
    let url = "url = \"redis://valkey\"\n";
    let key = "key_file = \"k\"\n";
    let sentinel = "sentinels = [\"redis://one\"]\n";
    for (text, said) in [
        (
            String::new(),
            ":7: [share]: `url` is missing; allowed are url = \"rediss://valkey.example.com:6379\", or",
        ),
        (
            url.into(),
            ":7: [share]: `key` is missing; allowed is one of key, key_file, key_env and key_credential",
        ),
        (format!("{url}{sentinel}"), "`url` and `sentinels` are both given"),
        (format!("{sentinel}{key}"), "`master` is missing: the name by which the sentinels know the server"),
        (format!("{url}master = \"m\"\n"), "`master` is for `sentinels`, and `url` is given"),
        ("sentinels = []\nmaster = \"m\"".into(), "`sentinels` is empty; allowed are addresses like"),
        (
            "sentinels = [\"redis://a\", \"rediss://b\"]\nmaster = \"m\"".into(),
            "`sentinels` begin with redis:// and with rediss://; allowed is one for all",
        ),
        ("url = \"valkey:6379\"".into(), ":8: `url`: `valkey:6379` begins neither with redis:// nor"),
        ("url = \"redis://valkey/names\"".into(), "`redis://valkey/names` ends with no number of a database"),
        (
            "sentinels = [\"redis://a/1\"]".into(),
            "`redis://a/1`: a sentinel has no databases; allowed are forms like redis://valkey-1.example.com:26379",
        ),
        (format!("{url}{key}ca_file = \"ca\""), "`ca_file` is for rediss://, and the address begins with"),
        (format!("{url}{key}client_certificate = \"c\"\nclient_key = \"k\""), "`client_certificate` is for"),
        ("url = \"rediss://a\"\nclient_certificate = \"c\"".into(), "`client_key` is missing: the key of"),
        ("url = \"rediss://a\"\nclient_key = \"c\"".into(), "`client_certificate` is missing: that of"),
        (format!("{url}{key}username = \"u\""), "`password` is missing: `username` is given"),
        (format!("{url}{key}site = \"Oslo\""), ":10: `site`: `Oslo` is no name; allowed are 1 to 32"),
        (format!("{url}{key}host = \"h\""), ":10: unknown key `host`"),
    ] {
        let error = share(&text).unwrap_err();
        assert!(error.contains(said), "expected: {said}\nfound:    {error}");
    }
}

#[test]
fn an_error_never_shows_a_secret() {
    for text in [
        "url = \"redis://nameplate:1234567@valkey\"",
        "url = \"redis://valkey\"\nkey = 1234567",
        "password = 1234567",
    ] {
        let error = share(text).unwrap_err();
        assert!(!error.contains("1234567"), "{error}");
    }
}
