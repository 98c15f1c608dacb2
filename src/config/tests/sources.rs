//! `[[source]]`: credentials, fingerprints of lists, and groups.

use super::*;
use crate::secret::Secret;
use crate::source::superoffice::credential::Credential;
use crate::source::superoffice::site::Site;

fn tenant(lines: &str) -> Result<Config, String> {
    tenant_of("Cust12345", lines)
}

fn tenant_of(name: &str, lines: &str) -> Result<Config, String> {
    let tenant = format!("tenant = \"{name}\"");
    let source = CRM.replace("api = \"https://crm.example.com/SuperOffice/api\"", &tenant);
    parse(&format!("{HEAD}{source}{lines}\n"))
}

fn crm(config: &Config) -> &crate::source::superoffice::Settings {
    let source::Kind::SuperOffice(crm) = &config.sources[0].kind else { unreachable!("a CRM") };
    crm
}

#[test]
fn every_credential_is_known_with_its_secrets() {
    let basic = r#"app_token = "t"
        auth = { type = "basic", username = "u", password = "p" }"#;
    let config = tenant(basic).unwrap();
    assert_eq!(crm(&config).site.origin(), "https://online.superoffice.com/Cust12345");
    for (auth, is_it) in [
        (
            r#"type = "ticket", ticket_file = "t""#,
            (|it| matches!(it, Credential::Ticket(Secret::File(_)))) as fn(&_) -> _,
        ),
        (r#"type = "bearer", token_env = "T""#, |it| matches!(it, Credential::Bearer(Secret::Env(_)))),
        (r#"type = "xsrf", token = "t", cookie = "c""#, |it| matches!(it, Credential::Xsrf { .. })),
        (r#"type = "refresh_token", client_id = "i", client_secret = "s", refresh_token = "r""#, |it| {
            matches!(it, Credential::RefreshToken { .. })
        }),
        (
            r#"type = "system_user", system_token = "t", client_secret = "s", private_key_file = "k""#,
            |it| matches!(it, Credential::SystemUser { private_key: Secret::File(path), .. } if path.is_absolute()),
        ),
    ] {
        let lines = format!("host = \"http://127.0.0.1:8080\"\napp_token = \"t\"\nauth = {{ {auth} }}");
        let config = tenant(&lines).unwrap();
        assert!(is_it(&crm(&config).credential), "{auth}");
        assert!(
            matches!(&crm(&config).site, Site::Tenant { host, .. } if host.as_str() == "http://127.0.0.1:8080/")
        );
    }
}

#[test]
fn what_does_not_go_together_is_told() {
    let basic = r#"auth = { type = "basic", username = "u", password = "p" }"#;
    let system =
        r#"auth = { type = "system_user", system_token = "t", client_secret = "s", private_key = "k" }"#;
    for (found, said) in [
        (tenant(basic), "`app_token` is missing"),
        (tenant(&format!("api = \"https://crm.example.com\"\n{system}")), "allowed is one of both"),
        (tenant(&format!("host = \"online.superoffice.com/x\"\n{system}")), "is no host"),
        (tenant(&format!("selections = [201, 201]\n{system}")), "201 is there twice"),
        (tenant(&format!("selections = [0]\n{system}")), "0 is no selection; allowed are ids from 1"),
        (tenant(&format!("selections = [7, {{ id = 7, tag = \"vip\" }}]\n{system}")), "7 is there twice"),
        (
            tenant(&format!("selections = [{{ tag = \"vip\" }}]\n{system}")),
            "is no selection; allowed are ids from 1",
        ),
        (
            tenant(&format!("selections = [{{ id = 7, tags = \"vip\" }}]\n{system}")),
            "is no selection; allowed are ids from 1",
        ),
        (
            tenant(&format!("selections = [{{ id = 7, tag = 1 }}]\n{system}")),
            "is no selection; allowed are ids from 1",
        ),
        (
            tenant(&format!("selections = [{{ id = 7, tag = \"VIP\" }}]\n{system}")),
            "`VIP` is no tag; allowed are 1 to 8 of",
        ),
        (tenant(&format!("tag = \"vip:1\"\n{system}")), "`vip:1` is no tag; allowed are 1 to 8 of"),
        (tenant(&format!("tag = \"123456789\"\n{system}")), "`123456789` is no tag; allowed are 1 to 8 of"),
        (tenant(&system.replace("system_token = \"t\", ", "")), "auth: `system_token` is missing"),
        (
            tenant(&system.replace("\"system_user\"", "\"system_user\", ticket = \"x\"")),
            "auth: `ticket` is not for type = \"system_user\"",
        ),
        (tenant(&system.replace("system_token", "sytem_token")), "did you mean `system_token`?"),
        (parse(&format!("{HEAD}{CRM}{system}\n")), "give `tenant` and `host` in place of `api`"),
        (parse(&format!("{HEAD}{CRM}tenant = \"Cust/../x\"\n{basic}\n")), "is no tenant"),
        (
            parse(&format!("{HEAD}{}{basic}\n", CRM.replace("api = ", "host = "))),
            "`https://crm.example.com/SuperOffice/api` is no host",
        ),
    ] {
        let error = found.unwrap_err();
        assert!(error.contains(said), "expected: {said}\nfound:    {error}");
    }
}

#[test]
fn a_list_is_never_named_like_another() {
    let basic = "auth = { type = \"basic\", username = \"u\", password = \"p\" }\n";
    let csv = CSV.replace("\"vip\"", "\"sales-201\"");
    let error = parse(&format!("{HEAD}{CRM}{basic}selections = [201]\n{csv}")).unwrap_err();
    assert!(error.contains("its list `sales-201` would bear another one's name"), "{error}");
}

#[test]
fn another_question_has_another_fingerprint() {
    let basic = "auth = { type = \"basic\", username = \"u\", password = \"p\" }\n";
    let text = format!("{HEAD}{CRM}{basic}");
    let of = |text: &str| {
        let config = parse(text).unwrap();
        config.sources[0].fingerprint(config.sources[0].lists()[0])
    };
    assert_eq!(of(&text), of(&text.replace("\"p\"", "\"changed\"")), "a changed password is the same user");
    for (from, to) in [
        ("\"u\"", "\"v\""),
        ("crm.example", "crm2.example"),
        ("\"NO\"", "\"SE\""),
        ("auth", "selections = [1]\nauth"),
        ("auth", "language = \"sv\"\nauth"),
        ("auth", "window_past = \"1d\"\nauth"),
    ] {
        assert_ne!(of(&text), of(&text.replacen(from, to, 1)), "{to}");
    }
}

#[test]
fn another_tenant_or_another_user_of_it_has_another_fingerprint() {
    let of_tenant = |name: &str, lines: &str| {
        let config = tenant_of(name, lines).unwrap();
        config.sources[0].fingerprint(config.sources[0].lists()[0])
    };
    let of = |lines: &str| of_tenant("Cust12345", lines);
    for auth in [
        r#"type = "refresh_token", client_id = "id", client_secret = "secret", refresh_token_file = "user""#,
        r#"type = "system_user", client_secret = "secret", system_token_env = "user", private_key = "key""#,
        r#"type = "ticket", ticket_file = "user""#,
        r#"type = "bearer", token_env = "user""#,
    ] {
        let lines = format!("host = \"online.superoffice.com\"\napp_token = \"app\"\nauth = {{ {auth} }}");
        // The secrets of an application or a partner are renewed, and the user is the same.
        for renewed in ["\"secret\"", "\"key\"", "\"app\""] {
            assert_eq!(of(&lines), of(&lines.replace(renewed, "\"new\"")), "{renewed}: {auth}");
        }
        assert_ne!(of(&lines), of_tenant("Cust54321", &lines), "{auth}");
        for (from, to) in [
            ("online.", "sod."),
            ("\"user\"", "\"other\""),
            ("auth", "so_language = \"no\"\nauth"),
            ("auth", "selections = [1]\nauth"),
        ] {
            assert_ne!(of(&lines), of(&lines.replacen(from, to, 1)), "{to}: {auth}");
        }
        if auth.contains("client_id") {
            assert_ne!(of(&lines), of(&lines.replace("\"id\"", "\"other\"")), "{auth}");
        }
    }
}

/// A list stays the same list when its credential is renewed, and while the credential can't be read.
#[test]
fn what_a_secret_is_has_no_part_in_the_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let at = secret.display();
    for auth in [
        format!(
            r#"type = "refresh_token", client_id = "id", client_secret = "s", refresh_token_file = "{at}""#
        ),
        format!(
            r#"type = "system_user", client_secret = "s", private_key = "k", system_token_file = "{at}""#
        ),
        format!(r#"type = "ticket", ticket_file = "{at}""#),
        format!(r#"type = "bearer", token_file = "{at}""#),
        format!(r#"type = "xsrf", token = "t", cookie_file = "{at}""#),
    ] {
        let of = || {
            let lines =
                format!("host = \"online.superoffice.com\"\napp_token = \"app\"\nauth = {{ {auth} }}");
            let config = tenant_of("Cust12345", &lines).unwrap();
            config.sources[0].fingerprint(config.sources[0].lists()[0])
        };
        let missing = of();
        for content in ["first", "renewed", ""] {
            std::fs::write(&secret, content).unwrap();
            assert_eq!(of(), missing, "{content:?}: {auth}");
        }
        std::fs::remove_file(&secret).unwrap();
    }
}

#[test]
fn sources_of_one_superoffice_form_one_group() {
    let auth = "auth = { type = \"basic\", username = \"u\", password = \"p\" }\n";
    let second = CRM.replace("sales", "service");
    // The same WebAPI, with a slash at the end.
    let second = second.replace("/api\"", "/api/\"");
    let other = CRM.replace("sales", "other").replace("crm.example", "crm2.example");
    let config = parse(&format!("{HEAD}{CRM}{auth}{CSV}{second}{auth}{other}{auth}")).unwrap();
    let groups: Vec<_> = config.sources.iter().map(|source| source.group).collect();
    assert_eq!(groups, [0, 1, 0, 2]);
    assert!(!config.sources.iter().any(source::Settings::searches_on_miss));
    let searching = format!("{auth}search_on_miss = true\n");
    assert!(parse(&format!("{HEAD}{CRM}{searching}{second}{auth}{other}{searching}")).is_ok());
    let error = parse(&format!("{HEAD}{CRM}{searching}{second}{searching}")).unwrap_err();
    assert!(error.contains("`search_on_miss` is on for another source"), "{error}");
}

#[test]
fn a_wait_for_the_search_is_short_and_needs_the_search() {
    let auth = "auth = { type = \"basic\", username = \"u\", password = \"p\" }\n";
    let read = |lines: &str| parse(&format!("{HEAD}{CRM}{auth}{lines}\n"));
    let wait = |config: Config| config.sources[0].search_wait;
    assert_eq!(wait(read("search_on_miss = true").unwrap()), None);
    for (text, millis) in [("1ms", 1), ("300ms", 300), ("400ms", 400)] {
        let config = read(&format!("search_on_miss = true\nsearch_wait = \"{text}\"")).unwrap();
        assert_eq!(wait(config), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["0ms", "0s", "500us", "401ms", "1s", "300", "", "-1ms", "soon"] {
        let error = read(&format!("search_on_miss = true\nsearch_wait = \"{text}\"")).unwrap_err();
        let said = format!("`{text}` is no time to wait; allowed are 1ms to 400ms, written like 300ms");
        assert!(error.contains(&said) && error.contains("nameplate.toml:"), "{error}");
    }
    for lines in ["search_wait = \"300ms\"", "search_wait = \"300ms\"\nsearch_on_miss = false"] {
        let error = read(lines).unwrap_err();
        assert!(
            error.contains("[[source]] `sales`: `search_wait` is for a source with search_on_miss = true"),
            "{error}"
        );
    }
    let error = parse(&format!("{HEAD}{CSV}search_wait = \"300ms\"\n")).unwrap_err();
    assert!(error.contains("`search_wait` is for type = \"superoffice\""), "{error}");
}
