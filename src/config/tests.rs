//! What the configuration accepts, and what it says of the rest.

mod fastagi;
mod pbx;

use super::*;
use crate::directory::merge::SharedNumbers;
use crate::directory::ranges::Holder;
use crate::name::Doubtful;
use crate::secret::Secret;
use crate::source::superoffice::credential::Credential;
use crate::source::superoffice::site::Site;

const HEAD: &str = "[numbers]\ncountry = \"NO\"\n";
const CSV: &str = "[[source]]\nname = \"vip\"\ntype = \"csv\"\npath = \"vip.csv\"\n";
const CRM: &str = "[[source]]\nname = \"sales\"\ntype = \"superoffice\"\napi = \"https://crm.example.com/SuperOffice/api\"\n";
const PBX: &str =
    "[[asterisk]]\nname = \"pbx1\"\nurl = \"http://127.0.0.1:8088\"\nusername = \"nameplate\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("/etc/nameplate/nameplate.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn the_least_there_is() {
    let config = parse(&format!("{HEAD}{CSV}")).unwrap();
    assert_eq!(config.pbx.numbers.country.as_str(), "NO");
    assert!(config.log.mask);
    assert_eq!(config.style, Style::default());
    assert_eq!(config.rules, Rules::default());
    let [source] = config.sources.as_slice() else { unreachable!("one source") };
    let source::Kind::Csv(file) = &source.kind else { unreachable!("a file") };
    assert_eq!(file.path, Path::new("/etc/nameplate/vip.csv"));
    assert_eq!((file.delimiter, source.refresh), (None, Duration::from_mins(1)));
}

#[test]
fn a_broken_file_says_where_its_lists_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nameplate.toml");
    for (text, expected) in [
        ("# state_dir = \"no\"\nstate_dir = \"/srv/lists\" # here\n[numbers]\ncountry = 7", "/srv/lists"),
        ("state_dir=\"lists\"\n[[[\nstate_dir = \"no\"", folder.path().join("lists").to_str().unwrap()),
        ("[numbers]\nstate_dir = \"no\"", DEFAULT_STATE_DIR),
        ("", DEFAULT_STATE_DIR),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(state_dir(&path), Path::new(expected), "{text}");
    }
    assert_eq!(state_dir(Path::new("/nonexistent/nameplate.toml")), Path::new(DEFAULT_STATE_DIR));
}

#[test]
fn every_key_has_its_effect() {
    let text = format!(
        r#"{HEAD}strip_prefixes = ["0"]
        area_code = "22"
        internal = ["1xx", "2XXX"]
        short_codes = ["02800"]
        [log]
        format = "json"
        level = "warn"
        mask = false
        [names]
        person = "{{mrmrs}} {{person}}"
        company = "{{company}} (firm)"
        max_bytes = 40
        ascii = true
        shared = "{{company}} (shared)"
        guess = "{{company}}?"
        keep_existing = true
        shared_numbers = "none"
        doubtful = "show"
        placeholders = ["VOIP CALLER", "Oslo"]
        [ranges]
        guess = true
        known = {{ "+47 2251 8000-8099" = "contact 243", "22 60 00 00-09" = "company Globex" }}
        {CRM}
        prefix = "VIP "
        auth = {{ type = "basic", username = "nameplate", password_file = "superoffice.password" }}
        window_past = "30d"
        window_future = "60d"
        language = "nb-NO"
        refresh = "10m"
        app_token_env = "APP_TOKEN"
        selections = [201, 202]
        so_language = "no"
        so_timezone = "W. Europe Standard Time"
        first_byte = "1m"
        ca_file = "ca.pem"
        proxy = "http://proxy:3128"
        timeout = "30s"
        max_answer = "64MB"
        search_on_miss = true
        {PBX}password_env = "ARI_PASSWORD"
        app = "nameplate-1"
        numbers = {{ country = "SE" }}
        [web]
        listen = "0.0.0.0:8480"
        token_file = "web.token"
        "#
    );
    let config = parse(&text).unwrap();
    let log =
        logging::Settings { format: logging::Format::Json, level: logging::LogLevel::Warn, mask: false };
    assert_eq!(config.log, log);
    assert_eq!((config.style.max_bytes, config.style.ascii), (40, true));
    assert_eq!(config.style.company("Fjord", "sales").unwrap().as_str(), "VIP Fjord (firm)");
    assert_eq!(config.style.guess("Fjord", "other").unwrap().as_str(), "Fjord?");
    assert_eq!(config.style.shared(["Acme", "Globex"], "").unwrap().as_str(), "Acme / Globex (shared)");
    assert!(config.style.keeps("OSLO TAXI"));
    assert_eq!((config.rules.shared, config.rules.ranges.guess), (SharedNumbers::None, true));
    assert_eq!(config.style.doubtful, Doubtful::Show);
    assert!(
        !config.style.keeps("VoIP caller") && !config.style.keeps("OSLO") && config.style.keeps("OSLO TAXI")
    );
    let ranges = config.rules.ranges.known.iter().map(|range| (range.label(), range.holder().clone()));
    let globex = Holder::CompanyName("Globex".into());
    let expected = [("+4722518000-8099", Holder::CompanyId(243)), ("+4722600000-0009", globex)];
    assert_eq!(ranges.collect::<Vec<_>>(), expected);
    assert_eq!(config.pbx.numbers.strip_prefixes, ["0"]);
    let numbers = &config.pbx.numbers;
    assert_eq!((numbers.area_code.as_deref(), numbers.internal.len()), (Some("22"), 2));
    assert_eq!(numbers.short_codes, ["02800"]);
    let source::Kind::SuperOffice(crm) = &config.sources[0].kind else { unreachable!("a CRM") };
    assert_eq!(crm.window_past, Duration::from_hours(30 * 24));
    assert_eq!(crm.window_future, Duration::from_hours(60 * 24));
    assert_eq!(crm.language, "nb-NO");
    assert!(crm.search_on_miss);
    assert_eq!(crm.ca_file.as_deref(), Some(Path::new("/etc/nameplate/ca.pem")));
    assert_eq!(crm.proxy.as_ref().unwrap().as_str(), "http://proxy:3128/");
    assert_eq!(
        crm.so_headers,
        [("SO-Language", "no".into()), ("SO-TimeZone", "W. Europe Standard Time".into())]
    );
    assert!(matches!(&crm.app_token, Some(Secret::Env(name)) if name == "APP_TOKEN"));
    // No answer begins after it had to be there.
    assert_eq!(crm.first_byte, Duration::from_secs(30));
    let lists = config.sources[0].lists();
    let names: Vec<_> = lists.iter().map(|list| list.name(&config.sources[0].name)).collect();
    assert_eq!(names, ["sales-201", "sales-202"]);
    assert_ne!(config.sources[0].fingerprint(lists[0]), config.sources[0].fingerprint(lists[1]));
    assert_eq!((crm.timeout, crm.max_answer), (Duration::from_secs(30), 64_000_000));
    assert_eq!(config.sources[0].refresh, Duration::from_mins(10));
    let [pbx] = config.asterisks.as_slice() else { unreachable!("one PBX") };
    assert_eq!((pbx.app.as_str(), pbx.pbx.numbers.country.as_str()), ("nameplate-1", "SE"));
    assert_eq!(pbx.pbx.numbers.strip_prefixes, ["0"]);
    // An area code is one of its country's.
    assert_eq!(pbx.pbx.numbers.area_code, None);
    assert_eq!(
        (&pbx.pbx.numbers.internal, &pbx.pbx.numbers.short_codes),
        (&numbers.internal, &numbers.short_codes)
    );
    let web = config.web.unwrap();
    assert_eq!((web.listen().to_string().as_str(), web.has_token()), ("0.0.0.0:8480", true));
}

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
        // An application's or a partner's own secrets are renewed while the user stays.
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

/// A list is to be the same one when its credential is renewed, and while it can't be read.
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
    // The same WebAPI, spelled otherwise.
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
fn an_error_names_the_place_the_value_and_what_is_allowed() {
    for (text, said) in [
        (String::new(), "there is no [numbers] with the country of this PBX"),
        (
            format!("{HEAD}{CSV}[asterisk]\nname = \"pbx1\"\n"),
            ":7: `[asterisk]`: a table of which there may be several",
        ),
        (
            format!("[numbers]\ncountry = NO\n{CSV}"),
            ":2: `country`: this is no number; a text stands in quotes",
        ),
        (format!("{HEAD}{CSV}{}", PBX.replace(":8088", ":8088/ari")), "`url`: `http://127.0.0.1:8088/ari`"),
        (HEAD.into(), "there is no [[source]]"),
        (format!("[numbers]\ncountry = \"NX\"\n{CSV}"), ":2: `country`: "),
        (format!("{HEAD}{CSV}refesh = \"5m\"\n"), ":7: unknown key `refesh`: did you mean `refresh`?"),
        (format!("{HEAD}{CSV}refresh = \"5x\"\n"), ":7: `refresh`: `5x` is no period; allowed are"),
        (format!("{HEAD}{CSV}delimiter = \";;\"\n"), ":7: `delimiter`: `;;` is no delimiter"),
        (
            format!("{HEAD}{CSV}api = \"https://crm.example.com\"\n"),
            ":3: [[source]] `vip`: `api` is for type = \"superoffice\"",
        ),
        (format!("{HEAD}{CSV}{CSV}"), ":7: [[source]] `vip`: `name` is another source's too"),
        (
            format!("{HEAD}{}", CSV.replace("vip\"\nt", "VIP\"\nt")),
            ":4: `name`: `VIP` is no name; allowed are 1 to 32",
        ),
        (
            format!("{HEAD}{}", CSV.replace("\"csv\"", "\"excel\"")),
            ":5: `type`: unknown variant `excel`, expected `superoffice` or `csv`",
        ),
        (format!("{HEAD}{CRM}"), "`auth` is missing"),
        (
            format!("{HEAD}{CSV}[names]\nmax_bytes = 57\n"),
            ":8: `max_bytes`: 57 is out of range; allowed are 1 to 56",
        ),
        (
            format!("{HEAD}{CSV}[names]\nperson = \"{{persn}}\"\n"),
            ":8: `person`: template `{persn}`, character 1",
        ),
        (
            format!("{HEAD}{CSV}[names]\nshared = \"{{person}}\"\n"),
            ":8: `shared`: template `{person}`, character 1: it is for companies",
        ),
        (
            format!("{HEAD}{CSV}[names]\ncompany = \"{{company}} AS\"\nguess = \" {{company}} AS\"\n"),
            ":9: `guess`: template ` {company} AS` shows the same as `company`",
        ),
        (
            format!("{HEAD}{CSV}[names]\ncompany = \"~{{company}}\"\n"),
            ":8: `guess`: template `~{company}` shows the same as `company`",
        ),
        (
            format!("{HEAD}{CSV}prefix = \"VIP: \"\n"),
            ":7: `prefix`: `VIP: ` can't stand in front of a name; allowed are 1 to 16 bytes",
        ),
        (
            format!("{HEAD}{CSV}prefix = \"VIP \"\n[names]\nmax_bytes = 7\n"),
            ":3: [[source]] `vip`: `prefix` takes 4 of the 7 bytes that a name may have; allowed is half of them",
        ),
        (
            format!("{HEAD}{CSV}{PBX}"),
            "`password` is missing; allowed is one of password, password_file and password_env",
        ),
        (
            format!("{HEAD}{CSV}{PBX}password = \"a\"\npassword_env = \"A\"\n"),
            "`password` is given in two ways",
        ),
        (
            format!("{HEAD}{CSV}[agi]\nlisten = \"0.0.0.0:4577\"\n"),
            ":7: [agi]: `listen` = \"0.0.0.0:4577\" is beyond loopback, where `allow` is required",
        ),
        (format!("{HEAD}{CSV}[agi]\nallow = []\n"), ":7: [agi]: `allow` is empty"),
        (
            format!("{HEAD}{CSV}[agi]\nallow = [\"pbx1\"]\n"),
            ":8: `allow`: `pbx1` is no address; allowed are addresses",
        ),
        (
            format!("{HEAD}{CSV}[agi]\nmax_sessions = 0\n"),
            ":8: `max_sessions`: 0 is out of range; allowed are 1 to 10000",
        ),
        (format!("{HEAD}{CSV}[web]\n"), ":7: missing field `listen`"),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"localhost\"\n"),
            ":8: `listen`: `localhost` is no address with a port; allowed are forms like 127.0.0.1:8480",
        ),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"0.0.0.0:8480\"\n"),
            ":7: [web]: `listen` = \"0.0.0.0:8480\" is beyond loopback, where `token` is required",
        ),
        (
            format!("{HEAD}{CSV}[web]\nlisten = \"[::1]:8480\"\ntoken = \"a\"\ntoken_env = \"A\"\n"),
            ":7: [web]: `token` is given in two ways",
        ),
        (
            format!("{HEAD}{CSV}[names]\ndoubtful = \"hide\"\n"),
            ":8: `doubtful`: unknown variant `hide`, expected one of `mark`, `show`, `none`",
        ),
        (
            format!("{HEAD}{CSV}[names]\nplaceholders = [\"OSLO\", \"--\"]\n"),
            ":8: `placeholders`: `--` is no placeholder; allowed are texts with a letter",
        ),
        (
            format!("{HEAD}{CSV}[names]\nshared_numbers = \"all\"\n"),
            ":8: `shared_numbers`: unknown variant `all`, expected one of `company`, `both`, `none`",
        ),
        (
            format!("{HEAD}{CSV}[ranges]\nguess = 1\n"),
            ":8: `guess`: invalid type: integer `1`, expected a boolean",
        ),
        (
            format!("{HEAD}{CSV}[ranges.known]\n\"+47 22518000-8099\" = \"243\"\n"),
            ":8: [ranges] known: `243` names no company; allowed are forms like `contact 243`",
        ),
        (
            format!("{HEAD}{CSV}[ranges]\nguess = true\nknown = {{ \"+47 225\" = \"contact 243\" }}\n"),
            ":9: [ranges] known: `+47 225` is no range of numbers; allowed are forms like +47 2251 8000-8099",
        ),
        (
            format!(
                "{HEAD}{CSV}[ranges.known]\n\"22518000-8099\" = \"contact 1\"\n\"22518050-8199\" = \"contact 2\"\n"
            ),
            ":7: [ranges] known: `+4722518000-8099` and `+4722518050-8199` overlap, and neither lies in",
        ),
        (format!("{HEAD}{CSV}[log]\nformat = \"xml\"\n"), "unknown variant `xml`, expected `text` or `json`"),
        (format!("{HEAD}{CSV}path = \"two\"\n"), "duplicate key"),
        (
            format!("{HEAD}area_code = \"2 2\"\n{CSV}"),
            ":3: `area_code`: `2 2` is no area code; allowed are 1 to 8 digits",
        ),
        (
            format!("{HEAD}internal = [\"1xx\", \"_2XX\"]\n{CSV}"),
            ":3: `internal`: `_2XX` is no pattern of extensions; allowed are 1 to 15 digits",
        ),
        (
            format!("{HEAD}short_codes = [\"*21\"]\n{CSV}"),
            ":3: `short_codes`: `*21` is no short code; allowed are 1 to 15 digits",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(said), "expected: {said}\nfound:    {error}");
        assert!(error.starts_with("/etc/nameplate/nameplate.toml"), "{error}");
    }
}

#[test]
fn a_retired_key_is_taken_with_a_notice() {
    let notices = |text: &str| parse(&format!("{HEAD}{text}\n{CSV}")).map(|config| config.notices());
    assert_eq!(notices(""), Ok(Vec::new()));
    let notice = "`kept` in [lookups] has no meaning any more: delete it. The next version refuses it";
    assert_eq!(notices("[lookups]\nkept = 100"), Ok(vec![notice.to_owned()]));
}

#[test]
fn an_error_never_shows_a_secret() {
    for text in [
        format!("{HEAD}{CSV}{PBX}password = 1234567\n"),
        format!("{HEAD}{CSV}{PBX}password = \"1234567\n"),
        format!("{HEAD}{CSV}{PBX}password = [\"1234567\"]\n"),
        format!("{HEAD}{CSV}{PBX}pasword = \"1234567\"\n"),
        format!("{HEAD}{CSV}[web]\nlisten = \"0.0.0.0:1\"\ntoken = 1234567\n"),
        format!("{HEAD}{CRM}auth = \"user:1234567\"\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"basic\", username = \"u\", password = 1234567 }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"basic\", username = \"u\", passwort = \"1234567\" }}\n"),
        format!("{HEAD}{CRM}app_token = 1234567\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"xsrf\", token = \"t\", cookie = 1234567 }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"ticket\", ticket = \"1234567\", cookie = \"1234567\" }}\n"),
        format!("{HEAD}{CRM}auth = {{ type = \"system_user\", private_kye = \"1234567\" }}\n"),
        format!("{HEAD}{}", CRM.replace("https://", "https://user:1234567@")),
        format!("{HEAD}{}", CRM.replace("https://", "ftp://user:1234567@")),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(!error.contains("1234567"), "{error}");
    }
}
