//! `[web]`: its users and its certificate.

use super::*;
use crate::web::{Role, TlsFiles};

const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$+nhpXxqp0hyB4oYpoBMvZQ";

fn web(rest: &str) -> Result<crate::web::Settings, String> {
    parse(&format!("{HEAD}{CSV}\n[web]\nlisten = \"127.0.0.1:8480\"\n{rest}"))
        .map(|config| config.web.unwrap())
}

fn user(name: &str, role: &str, password: &str) -> String {
    format!("[[web.user]]\nname = \"{name}\"\nrole = \"{role}\"\npassword = \"{password}\"\n")
}

#[test]
fn users_have_a_name_a_role_and_a_hash() {
    let both = user("kari", "operator", HASH) + &user("Åse Öberg", "administrator", HASH);
    let users = web(&both).unwrap().users;
    let users: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(users, [("kari", Role::Operator), ("Åse Öberg", Role::Administrator)]);
    for (rest, wrong) in [
        (user("kari", "admin", HASH), "expected `operator` or `administrator`"),
        (user("kari", "operator", "correct horse"), "as `nameplate password` prints it"),
        (user("kari", "operator", &HASH.replace("m=64", "m=9999999")), "up to m=65536"),
        (user("", "operator", HASH), "`` is no user's name"),
        (user(" kari", "operator", HASH), "` kari` is no user's name"),
        (both + &user("KARI", "operator", HASH), "`KARI`: another user has this name"),
        ("[[web.user]]\nname = \"kari\"\nrole = \"operator\"\n".into(), "password"),
    ] {
        let error = web(&rest).unwrap_err();
        assert!(error.contains(wrong), "{wrong}: {error}");
        assert!(!error.contains("correct horse") && !error.contains("c2FsdHNhbHQ"), "{error}");
    }
}

#[test]
fn a_certificate_has_its_key() {
    let tls = web("certificate = \"web.crt\"\nkey = \"/etc/web.key\"").unwrap().tls.unwrap();
    let files = TlsFiles { certificate: "/etc/nameplate/web.crt".into(), key: "/etc/web.key".into() };
    assert_eq!(tls, files);
    assert!(web("certificate = \"web.crt\"").unwrap_err().contains("`key` is missing"));
    assert!(web("key = \"web.key\"").unwrap_err().contains("`certificate` is missing"));
    assert_eq!(web("").unwrap().tls, None);
}
